//! The k most similar movies of every movie, computed once per snapshot.
//!
//! Work is Σ over users of (number of ratings)², spread over the processors; memory is k entries per movie, fewer where
//! all would be more than [`MAX_ENTRIES`], plus one dense row of sums per thread. People with more than
//! [`LONGEST_HISTORY`] ratings are passed over: they rated everything, so they say little about what goes together, and
//! their squares would be most of the work. The work as a whole is bounded by [`MAX_PAIRS`]: where there is more, fewer
//! raters are asked about the movies that have most.

use rayon::prelude::*;

use super::measure::{Bounds, FittedMeasure, Measure, Similarity, n_pairs, nearest};
use crate::domain::{ItemIdx, RatingMatrix};
use crate::math::{Accumulator, SparseRows, SparseRowsBuilder};

/// Neighbours kept per movie unless told otherwise.
pub const DEFAULT_NEIGHBORS: usize = 200;

/// Ratings of one person above which the table passes that person over.
pub const LONGEST_HISTORY: usize = 2_000;

/// Rows computed before they are packed, so that unpacked rows never pile up.
const CHUNK: usize = 4_096;

/// Work of one table, in pairs of ratings by one person: half a minute of two processors.
const MAX_PAIRS: usize = 10_000_000_000;

/// Entries of one table, at most: 100 MB.
const MAX_ENTRIES: usize = 12_000_000;

/// A neighbour table: row = movie, columns = its neighbours, values = similarity from the movie to the neighbour.
#[derive(Clone, Debug)]
pub struct ItemNeighbors {
    rows: SparseRows,
}

impl ItemNeighbors {
    /// Computes the table. Of equally similar movies the one with the lower id is kept.
    pub fn fit(ratings: &RatingMatrix, k: usize, similarity: Similarity) -> Self {
        Self::fit_unless_stopped(ratings, k, similarity, &|| true).expect("nobody stops it")
    }

    /// As [`Self::fit`], but ends early, with nothing, when `go_on` says no; it is asked every few seconds.
    pub(super) fn fit_unless_stopped(
        ratings: &RatingMatrix,
        k: usize,
        similarity: Similarity,
        go_on: &dyn Fn() -> bool,
    ) -> Option<Self> {
        match FittedMeasure::fit(similarity, ratings) {
            FittedMeasure::Pearson(measure) => Self::of_measure(&measure, ratings, k, go_on),
            FittedMeasure::Cosine(measure) => Self::of_measure(&measure, ratings, k, go_on),
        }
    }

    /// How much work a table of these ratings is without any bound, in pairs of ratings by one person.
    pub fn n_pairs(ratings: &RatingMatrix) -> usize {
        let lengths = (0..ratings.users().len()).map(|user| ratings.by_user().range(user).len());
        lengths.filter(|&length| length <= LONGEST_HISTORY).map(|length| length * length).sum()
    }

    pub(super) fn of_measure<M: Measure>(
        measure: &M,
        ratings: &RatingMatrix,
        k: usize,
        go_on: &dyn Fn() -> bool,
    ) -> Option<Self> {
        let n_items = ratings.by_item().n_rows();
        let k = k.min((MAX_ENTRIES / n_items.max(1)).max(1));
        let bounds = Bounds { longest_history: LONGEST_HISTORY, max_pairs: bound(ratings, MAX_PAIRS) };
        let row =
            |scratch: &mut Accumulator<M::Sums>, item: usize| nearest(measure, ratings, (item, bounds, k), scratch);
        let mut rows = SparseRowsBuilder::new(n_items);
        for start in (0..n_items).step_by(CHUNK) {
            if !go_on() {
                return None;
            }
            let items = (start..n_items.min(start + CHUNK)).into_par_iter();
            let chunk: Vec<_> = items.map_init(|| Accumulator::new(n_items), row).collect();
            for row in &chunk {
                rows.push_row(row);
            }
        }
        Some(Self { rows: rows.finish() })
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

/// The bound for one movie that keeps all together below `max_pairs`.
fn bound(ratings: &RatingMatrix, max_pairs: usize) -> usize {
    let items = (0..ratings.by_item().n_rows()).into_par_iter();
    let mut costs: Vec<usize> = items.map(|item| n_pairs(ratings, item, LONGEST_HISTORY)).collect();
    costs.sort_unstable();
    // The cheapest are looked at whole; the others share what they leave.
    let mut left = max_pairs;
    let n = costs.len();
    for (place, &cost) in costs.iter().enumerate() {
        let share = left / (n - place);
        if cost > share {
            return share.max(1);
        }
        left -= cost;
    }
    usize::MAX
}

#[cfg(test)]
mod tests {
    use super::super::measure::similarities;
    use super::*;
    use crate::recommend::sample;

    #[test]
    fn movies_that_cost_much_share_what_the_others_leave() {
        let (_, ratings) = sample::movies_and_ratings();
        let costs: Vec<usize> =
            (0..ratings.by_item().n_rows()).map(|item| n_pairs(&ratings, item, usize::MAX)).collect();
        let all: usize = costs.iter().sum();
        assert_eq!(bound(&ratings, all), usize::MAX);
        for max_pairs in [all - 1, all / 2, all / 10] {
            let bound = bound(&ratings, max_pairs);
            let spent: usize = costs.iter().map(|&cost| cost.min(bound)).sum();
            assert!(spent <= max_pairs && spent + costs.len() > max_pairs, "{spent} of {max_pairs}");
        }
        assert_eq!(bound(&ratings, 0), 1);
    }

    #[test]
    fn some_of_the_raters_find_what_all_find_and_nothing_else() {
        let (_, ratings) = sample::movies_and_ratings();
        let FittedMeasure::Cosine(measure) = FittedMeasure::fit(Similarity::Cosine, &ratings) else { unreachable!() };
        let row = |max_pairs| {
            let bounds = Bounds { longest_history: usize::MAX, max_pairs };
            similarities(&measure, &ratings, (0, bounds), &mut Accumulator::new(7))
        };
        let n_pairs = n_pairs(&ratings, 0, usize::MAX);
        let all = row(usize::MAX);
        assert_eq!(row(n_pairs), all);
        let some = row(n_pairs / 4);
        assert!(!some.is_empty() && some != all);
        assert!(some.iter().all(|(item, _)| all.iter().any(|(other, _)| item == other)));
    }

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
