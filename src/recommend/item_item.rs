//! "More like this" from neighbour lists that were fitted elsewhere (an item–item model that was dropped in).
//!
//! A movie's score is the mean of its weights from the seeds, a missing one counting 0, as in [`ItemKnn`](super::ItemKnn).

use std::sync::Arc;

use super::item_knn::mean_over_seeds;
use super::{RecommendError, Scorer, Scores};
use crate::domain::{Catalogue, ItemIdx, Query};
use crate::math::SparseRows;

/// Lists over the rows of one catalogue.
#[derive(Clone, Debug)]
pub struct ItemItem {
    catalogue: Arc<Catalogue>,
    lists: SparseRows,
}

impl ItemItem {
    /// Joins a catalogue and the neighbours of each of its movies, with their weights; a movie without any has none.
    pub fn fit(catalogue: Arc<Catalogue>, neighbors: impl Fn(ItemIdx) -> Vec<(ItemIdx, f32)>) -> Self {
        let n = catalogue.len();
        let entries = (0..n as u32).flat_map(|row| {
            let mut list = neighbors(ItemIdx(row));
            list.retain(|(other, weight)| other.row() < n && weight.is_finite());
            list.sort_by_key(|&(other, _)| other);
            list.dedup_by_key(|&mut (other, _)| other);
            list.into_iter().map(move |(other, weight)| (row, other.0, weight))
        });
        Self { lists: SparseRows::from_sorted(n, n, entries), catalogue }
    }

    /// Whether it has neighbours of a movie.
    pub fn knows(&self, item: ItemIdx) -> bool {
        !self.lists.range(item.row()).is_empty()
    }
}

impl Scorer for ItemItem {
    fn name(&self) -> &'static str {
        "item-item"
    }

    fn score(&self, query: &Query) -> Result<Scores, RecommendError> {
        mean_over_seeds(self.name(), (&self.catalogue, query), |seed| {
            let (others, weights) = self.lists.row(seed.row());
            others.iter().zip(weights).map(|(&other, &weight)| (ItemIdx(other), weight))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{MovieId, Score};
    use crate::recommend::{recommend, sample};

    /// Each movie's neighbours are the two rows after it.
    fn model() -> (Arc<Catalogue>, ItemItem) {
        let (catalogue, _) = sample::movies_and_ratings();
        let two_after = |item: ItemIdx| vec![(ItemIdx(item.0 + 2), 0.5), (ItemIdx(item.0 + 1), 1.0)];
        (catalogue.clone(), ItemItem::fit(catalogue, two_after))
    }

    #[test]
    fn neighbours_come_in_the_order_of_their_weights() {
        let (catalogue, model) = model();
        let query = Query { seeds: vec![MovieId(10)], n: 5, ..Query::default() };
        let list = recommend(&model, &catalogue, &query).unwrap();
        let movies: Vec<MovieId> = list.items().iter().map(|item| item.movie).collect();
        assert_eq!(movies, [MovieId(20), MovieId(30)]);
    }

    #[test]
    fn two_seeds_give_the_mean_and_a_seed_without_neighbours_gives_nothing() {
        let (catalogue, model) = model();
        let query = Query { seeds: vec![MovieId(10), MovieId(20), MovieId(10)], ..Query::default() };
        let scores = model.score(&query).unwrap();
        assert_eq!(scores.get(catalogue.item_idx(MovieId(30)).unwrap()).map(Score::value), Some(0.75));
        let last = ItemIdx(catalogue.len() as u32 - 1);
        assert!(model.knows(ItemIdx(0)) && !model.knows(last));
        let query = Query { seeds: vec![catalogue.movie(last).id], ..Query::default() };
        assert_eq!(model.score(&query).unwrap().present().count(), 0);
    }
}
