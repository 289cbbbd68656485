//! Sparse accumulation into dense slots: the inner loop of every "who rated both" computation.
//!
//! The slots are allocated once and reused; emptying costs only what was touched.

/// Where more than one in so many was touched, looking at all is quicker than sorting.
const SHARE_TO_SORT: usize = 16;

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
        if self.touched.len() > self.slots.len() / SHARE_TO_SORT {
            self.touched.clear();
            let filled = (0_u32..).zip(&self.slots).filter(|(_, slot)| slot.is_some());
            self.touched.extend(filled.map(|(index, _)| index));
        } else {
            self.touched.sort_unstable();
        }
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
        let mut many = Accumulator::<u32>::new(1_000);
        for index in [900, 1, 5] {
            *many.slot(index) += index;
        }
        assert_eq!(many.drain().collect::<Vec<_>>(), [(1, 1), (5, 5), (900, 900)]);
    }
}
