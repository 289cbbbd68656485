//! Sparse accumulation into dense slots: the inner loop of every "who rated both" computation.
//!
//! The slots are allocated once and reused; emptying costs only what was touched.

/// Where more than one in so many was touched, looking at all is quicker than sorting.
const SHARE_TO_SORT: usize = 16;

/// Sums by index, of which most stay untouched.
#[derive(Debug)]
pub struct Accumulator<S> {
    slots: Vec<S>,
    is_touched: Vec<bool>,
    /// The first `n_touched` of these; there is room for one more than there are slots.
    touched: Vec<u32>,
    n_touched: usize,
}

impl<S: Copy + Default> Accumulator<S> {
    /// Slots for the indexes below `n`.
    pub fn new(n: usize) -> Self {
        Self { slots: vec![S::default(); n], is_touched: vec![false; n], touched: vec![0; n + 1], n_touched: 0 }
    }

    /// The sums at an index, begun at their default.
    ///
    /// # Panics
    /// When the index is not below `n`.
    pub fn slot(&mut self, index: u32) -> &mut S {
        let is_touched = &mut self.is_touched[index as usize];
        // Whether an index is new cannot be foreseen, so there is no branch: the next index overwrites one that is not.
        self.touched[self.n_touched] = index;
        self.n_touched += usize::from(!*is_touched);
        *is_touched = true;
        &mut self.slots[index as usize]
    }

    /// Takes out all touched sums, by ascending index, and leaves the accumulator empty.
    pub fn drain(&mut self) -> impl Iterator<Item = (u32, S)> + '_ {
        if self.n_touched > self.slots.len() / SHARE_TO_SORT {
            let filled = (0_u32..).zip(&self.is_touched).filter(|&(_, &is_touched)| is_touched);
            for (place, (index, _)) in self.touched.iter_mut().zip(filled) {
                *place = index;
            }
        } else {
            self.touched[..self.n_touched].sort_unstable();
        }
        self.drain_unsorted()
    }

    /// The same in the order in which they were touched, which is quicker.
    pub fn drain_unsorted(&mut self) -> impl Iterator<Item = (u32, S)> + '_ {
        let n_touched = std::mem::take(&mut self.n_touched);
        let (slots, is_touched) = (&mut self.slots, &mut self.is_touched);
        self.touched[..n_touched].iter().map(|&index| {
            is_touched[index as usize] = false;
            (index, std::mem::take(&mut slots[index as usize]))
        })
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
        for index in [4, 0, 4, 3, 1, 2, 0] {
            *sums.slot(index) += 1;
        }
        assert_eq!(sums.drain_unsorted().collect::<Vec<_>>(), [(4, 2), (0, 2), (3, 1), (1, 1), (2, 1)]);
        assert_eq!(sums.drain_unsorted().count(), 0);
        let mut many = Accumulator::<u32>::new(1_000);
        for index in [900, 1, 5] {
            *many.slot(index) += index;
        }
        assert_eq!(many.drain().collect::<Vec<_>>(), [(1, 1), (5, 5), (900, 900)]);
    }
}
