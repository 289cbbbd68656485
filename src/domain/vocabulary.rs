//! The bijection between outside ids and dense indexes of one snapshot.

/// Sorted outside ids; an id's dense index is its position. Look-up by id is a binary search (no hash table to keep in
/// memory), look-up by index is free, and index order equals id order, which is also the tie rule of every ranking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary<Id> {
    ids: Vec<Id>,
}

impl<Id: Copy + Ord> Vocabulary<Id> {
    /// Builds the vocabulary of these ids; order and repetition do not matter.
    pub fn new(ids: impl IntoIterator<Item = Id>) -> Self {
        let mut ids: Vec<Id> = ids.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        Self { ids }
    }

    /// Dense index of an id.
    pub fn index_of(&self, id: Id) -> Option<usize> {
        self.ids.binary_search(&id).ok()
    }

    /// The same when it is known to be at an index or after it. Quick where it is near.
    pub fn index_from(&self, id: Id, from: usize) -> Option<usize> {
        let rest = self.ids.get(from..)?;
        // Steps twice as long each time, until the id is passed.
        let mut step = 1;
        while rest.get(step).is_some_and(|&other| other < id) {
            step *= 2;
        }
        let (low, high) = (step / 2, rest.len().min(step + 1));
        rest[low..high].binary_search(&id).ok().map(|place| from + low + place)
    }

    /// Id at a dense index.
    ///
    /// # Panics
    /// When the index is not of this vocabulary.
    pub fn id_at(&self, index: usize) -> Id {
        self.ids[index]
    }

    /// All ids in index order.
    pub fn ids(&self) -> &[Id] {
        &self.ids
    }

    /// How many ids there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_both_ways_and_ignores_repetition() {
        let vocabulary = Vocabulary::new([30_u32, 10, 20, 10]);
        assert_eq!(vocabulary.len(), 3);
        for (index, id) in [10, 20, 30].into_iter().enumerate() {
            assert_eq!(vocabulary.index_of(id), Some(index));
            assert_eq!(vocabulary.id_at(index), id);
        }
        assert_eq!(vocabulary.index_of(15), None);
    }

    #[test]
    fn an_id_is_found_from_every_place_before_it() {
        let vocabulary = Vocabulary::new((0..40_u32).map(|n| n * 3));
        for id in 0..125 {
            for from in 0..=vocabulary.len() {
                let expected = vocabulary.index_of(id).filter(|&index| index >= from);
                assert_eq!(vocabulary.index_from(id, from), expected, "{id} from {from}");
            }
        }
        assert_eq!(Vocabulary::<u32>::new([]).index_from(1, 0), None);
    }
}
