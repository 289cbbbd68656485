//! From scores to a ranked list: exclusion, selection, order.

use super::{RecommendError, Scorer};
use crate::domain::{Catalogue, ItemIdx, Query, RankedList, Score, ScoredItem};
use crate::math::best_entries;

/// One slot per movie of the catalogue; absent is not zero.
#[derive(Clone, Debug)]
pub struct Scores(Vec<f32>);

/// What an absent score is kept as: no score is no number.
const ABSENT: f32 = f32::NAN;

impl Scores {
    /// All absent.
    pub fn absent(n_items: usize) -> Self {
        Self(vec![ABSENT; n_items])
    }

    /// Sets a movie's score; a number that is not finite leaves it absent.
    pub fn set(&mut self, item: ItemIdx, value: f32) {
        self.0[item.row()] = if value.is_finite() { value } else { ABSENT };
    }

    /// A movie's score.
    pub fn get(&self, item: ItemIdx) -> Option<Score> {
        Score::new(self.0[item.row()])
    }

    /// One for each slot, where what is no number is absent.
    pub fn of(values: impl Iterator<Item = f32>) -> Self {
        Self(values.map(|value| if value.is_finite() { value } else { ABSENT }).collect())
    }

    /// Slot by slot, from this one's score and another's; absent ones are no number, both ways.
    #[must_use]
    pub fn joined(&self, other: &Self, join: impl Fn(f32, f32) -> f32) -> Self {
        Self::of(self.0.iter().zip(&other.0).map(|(&one, &other)| join(one, other)))
    }

    /// The largest score above zero of all movies but some; zero where there is none.
    pub fn largest_but(&self, left_out: &[ItemIdx]) -> f32 {
        let mut left_out: Vec<usize> = left_out.iter().map(|item| item.row()).collect();
        left_out.sort_unstable();
        let ends = left_out.iter().copied().chain([self.0.len()]);
        let mut start = 0;
        let mut largest = 0.0;
        for end in ends {
            let part = self.0.get(start..end).unwrap_or_default();
            largest = part.iter().fold(largest, |most, &value| if value > most { value } else { most });
            start = end + 1;
        }
        largest
    }

    /// Number of slots.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no slot at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The movies that have a score.
    pub fn present(&self) -> impl Iterator<Item = (ItemIdx, Score)> + '_ {
        (0..).map(ItemIdx).zip(&self.0).filter_map(|(item, &value)| Some((item, Score::new(value)?)))
    }
}

impl PartialEq for Scores {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.present().eq(other.present())
    }
}

/// The best `query.n` movies that have a score, pass the filter and are not excluded, best first, ties by ascending id.
pub fn rank(scores: &Scores, catalogue: &Catalogue, query: &Query) -> RankedList {
    let mut is_excluded = vec![false; scores.len()];
    let excluded = query.seen().chain(query.seeds.iter().copied()).chain(query.excluded.iter().copied());
    for item in excluded.filter_map(|movie| catalogue.item_idx(movie)) {
        is_excluded[item.row()] = true;
    }
    let is_open = query.filter.is_open();
    let passes = |item: ItemIdx| is_open || query.filter.accepts(catalogue.movie(item), catalogue.popularity(item));
    let ids = catalogue.vocabulary();
    // Rows are in the order of the ids.
    let open = scores.present().filter(|&(item, _)| !is_excluded[item.row()] && passes(item));
    let best = best_entries(open.map(|(item, score)| (item.0, score.value())), query.n);
    let movie = |(row, value)| Some(ScoredItem { movie: ids.id_at(row as usize), score: Score::new(value)? });
    RankedList::new(best.into_iter().filter_map(movie).collect())
}

/// Scores and ranks.
pub fn recommend(scorer: &dyn Scorer, catalogue: &Catalogue, query: &Query) -> Result<RankedList, RecommendError> {
    scorer.ranked(catalogue, query)
}

/// Asks the scorers in turn until there are `query.n` movies; each only adds what the ones before did not find, and is
/// passed over where the query has nothing for it to go by. Each movie comes with the name of the method that found it.
pub fn recommend_in_turn(
    scorers: &[&dyn Scorer],
    catalogue: &Catalogue,
    query: &Query,
) -> Result<Vec<(ScoredItem, &'static str)>, RecommendError> {
    let mut query = query.clone();
    let mut movies = Vec::with_capacity(query.n);
    for &scorer in scorers {
        if query.n == 0 {
            break;
        }
        let ranked = match recommend(scorer, catalogue, &query) {
            Ok(ranked) => ranked,
            Err(RecommendError::NothingToGoBy { .. }) => continue,
            Err(error) => return Err(error),
        };
        query.excluded.extend(ranked.items().iter().map(|item| item.movie));
        query.n -= ranked.items().len();
        movies.extend(ranked.items().iter().map(|&item| (item, scorer.name())));
    }
    Ok(movies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_joined_slot_by_slot_and_what_is_no_number_is_absent() {
        let one = Scores::of([1.0, f32::NAN, 3.0, f32::INFINITY].into_iter());
        let other = Scores::of([10.0, 20.0, f32::NAN, 40.0].into_iter());
        let sum = one.joined(&other, |left, right| left + right);
        let present: Vec<_> = sum.present().map(|(item, score)| (item.0, score.value())).collect();
        assert_eq!(present, [(0, 11.0)]);
        let larger = one.joined(&other, f32::max);
        assert_eq!(larger, Scores::of([10.0, 20.0, 3.0, 40.0].into_iter()));
    }

    #[test]
    fn the_largest_is_found_around_what_is_left_out() {
        let scores = Scores::of([5.0, f32::NAN, 4.0, -1.0, 6.0].into_iter());
        let largest = |left_out: &[u32]| {
            let left_out: Vec<ItemIdx> = left_out.iter().copied().map(ItemIdx).collect();
            scores.largest_but(&left_out)
        };
        assert_eq!(largest(&[]), 6.0);
        assert_eq!(largest(&[4]), 5.0);
        assert_eq!(largest(&[4, 0, 4]), 4.0);
        assert_eq!(largest(&[2, 0, 4]), 0.0);
        assert_eq!(Scores::absent(0).largest_but(&[]), 0.0);
    }
}
