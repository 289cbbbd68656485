//! The k most similar movies of every movie, computed once per snapshot.
//!
//! Work is Σ over users of (number of ratings)², spread over the processors; memory is k entries per movie, plus one
//! dense row of sums per thread. People with more than [`LONGEST_HISTORY`] ratings are passed over: they rated
//! everything, so they say little about what goes together, and their squares would be most of the work.

use rayon::prelude::*;

use super::measure::{FittedMeasure, Measure, Similarity, similarities};
use crate::domain::{ItemIdx, RatingMatrix};
use crate::math::{Accumulator, SparseRows, top_k};

/// Neighbours kept per movie unless told otherwise.
pub const DEFAULT_NEIGHBORS: usize = 200;

/// Ratings of one person above which the table passes that person over.
pub const LONGEST_HISTORY: usize = 2_000;

/// Rows computed before they are packed, so that unpacked rows never pile up.
const CHUNK: usize = 4_096;

/// A neighbour table: row = movie, columns = its neighbours, values = similarity from the movie to the neighbour.
#[derive(Clone, Debug)]
pub struct ItemNeighbors {
    rows: SparseRows,
}

impl ItemNeighbors {
    /// Computes the table. Of equally similar movies the one with the lower id is kept.
    pub fn fit(ratings: &RatingMatrix, k: usize, similarity: Similarity) -> Self {
        match FittedMeasure::fit(similarity, ratings) {
            FittedMeasure::Pearson(measure) => Self::of_measure(&measure, ratings, k),
            FittedMeasure::Cosine(measure) => Self::of_measure(&measure, ratings, k),
        }
    }

    pub(super) fn of_measure<M: Measure>(measure: &M, ratings: &RatingMatrix, k: usize) -> Self {
        let n_items = ratings.by_item().n_rows();
        let row = |scratch: &mut Accumulator<M::Sums>, item: usize| {
            let all = similarities(measure, ratings, (item, LONGEST_HISTORY), scratch);
            let mut nearest = top_k(all, k, |left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
            nearest.sort_unstable_by_key(|&(other, _)| other);
            nearest
        };
        let chunks = (0..n_items).step_by(CHUNK).flat_map(|start| {
            let end = n_items.min(start + CHUNK);
            let rows: Vec<_> = (start..end).into_par_iter().map_init(|| Accumulator::new(n_items), row).collect();
            (start..end).zip(rows)
        });
        let entries =
            chunks.flat_map(|(item, row)| row.into_iter().map(move |(other, value)| (item as u32, other, value)));
        Self { rows: SparseRows::from_sorted(n_items, n_items, entries) }
    }

    /// A movie's neighbours by ascending row, with the similarity from the movie to each.
    pub fn of(&self, item: ItemIdx) -> impl Iterator<Item = (ItemIdx, f32)> + '_ {
        let (others, values) = self.rows.row(item.row());
        others.iter().zip(values).map(|(&other, &value)| (ItemIdx(other), value))
    }

    /// The similarity from one movie to another, if the other is among its neighbours.
    pub fn similarity(&self, item: ItemIdx, other: ItemIdx) -> Option<f32> {
        let (others, values) = self.rows.row(item.row());
        others.binary_search(&other.0).ok().map(|position| values[position])
    }

    /// Number of movies.
    pub fn n_items(&self) -> usize {
        self.rows.n_rows()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recommend::sample;

    #[test]
    fn keeps_the_most_similar() {
        let (_, ratings) = sample::movies_and_ratings();
        let all = ItemNeighbors::fit(&ratings, usize::MAX, Similarity::Cosine);
        let few = ItemNeighbors::fit(&ratings, 2, Similarity::Cosine);
        for item in (0..all.n_items() as u32).map(ItemIdx) {
            let mut expected: Vec<f32> = all.of(item).map(|(_, value)| value).collect();
            expected.sort_by(|left, right| right.total_cmp(left));
            expected.truncate(2);
            let mut kept: Vec<f32> = few.of(item).map(|(_, value)| value).collect();
            kept.sort_by(|left, right| right.total_cmp(left));
            assert_eq!(kept, expected);
            assert_eq!(all.similarity(item, item), None);
        }
    }
}
