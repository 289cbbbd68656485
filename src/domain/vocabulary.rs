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
}
