//! Sparse accumulation into dense slots: the inner loop of every "who rated both" computation.
//!
//! The slots are allocated once and reused; emptying costs only what was touched.

/// Sums by index, of which most stay untouched.
#[derive(Debug)]
pub struct Accumulator<S> {
    slots: Vec<Option<S>>,
    touched: Vec<u32>,
}

impl<S: Default> Accumulator<S> {
    /// Slots for the indexes below `n`.
    pub fn new(n: usize) -> Self {
        Self { slots: std::iter::repeat_with(|| None).take(n).collect(), touched: Vec::new() }
    }

    /// The sums at an index, begun at their default.
    ///
    /// # Panics
    /// When the index is not below `n`.
    pub fn slot(&mut self, index: u32) -> &mut S {
        let slot = &mut self.slots[index as usize];
        if slot.is_none() {
            self.touched.push(index);
        }
        slot.get_or_insert_default()
    }

    /// Takes out all touched sums, by ascending index, and leaves the accumulator empty.
    pub fn drain(&mut self) -> impl Iterator<Item = (u32, S)> + '_ {
        self.touched.sort_unstable();
        let slots = &mut self.slots;
        self.touched.drain(..).filter_map(|index| slots[index as usize].take().map(|sums| (index, sums)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_come_out_in_order_and_only_once() {
        let mut sums = Accumulator::<u32>::new(5);
        for index in [3, 1, 3, 4] {
            *sums.slot(index) += index;
        }
        assert_eq!(sums.drain().collect::<Vec<_>>(), [(1, 1), (3, 6), (4, 4)]);
        assert_eq!(sums.drain().count(), 0);
        *sums.slot(3) += 1;
        assert_eq!(sums.drain().collect::<Vec<_>>(), [(3, 1)]);
    }
}
