//! Scores and ranked lists: one order and one tie rule for the whole program.

use std::cmp::Ordering;

use super::MovieId;

/// A finite score; higher is better. Absent is expressed by having no score, not by zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score(f32);

impl Score {
    /// A score, unless the number is NaN or infinite.
    pub fn new(value: f32) -> Option<Self> {
        value.is_finite().then_some(Self(value))
    }

    /// The number.
    pub fn value(self) -> f32 {
        self.0
    }
}

/// A movie with its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoredItem {
    /// The movie.
    pub movie: MovieId,
    /// Its score.
    pub score: Score,
}

impl ScoredItem {
    /// Best first; equal scores by ascending movie id.
    pub fn ranking_order(&self, other: &Self) -> Ordering {
        other.score.0.total_cmp(&self.score.0).then(self.movie.cmp(&other.movie))
    }
}

/// Scored movies, best first, ties by ascending movie id, no movie twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RankedList(Vec<ScoredItem>);

impl RankedList {
    /// Sorts the items; of a movie given twice the better score counts.
    pub fn new(mut items: Vec<ScoredItem>) -> Self {
        items.sort_by(ScoredItem::ranking_order);
        let mut seen = std::collections::HashSet::with_capacity(items.len());
        items.retain(|item| seen.insert(item.movie));
        Self(items)
    }

    /// The items, best first.
    pub fn items(&self) -> &[ScoredItem] {
        &self.0
    }

    /// Keeps the best `n`.
    pub fn truncate(&mut self, n: usize) {
        self.0.truncate(n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn best_first_ties_by_id_no_repetition() {
        let item = |movie, score| ScoredItem { movie: MovieId(movie), score: Score::new(score).unwrap() };
        let list = RankedList::new(vec![item(3, 1.0), item(2, 1.0), item(1, 0.5), item(3, 2.0)]);
        assert_eq!(list.items(), [item(3, 2.0), item(2, 1.0), item(1, 0.5)]);
        assert_eq!(Score::new(f32::NAN), None);
    }
}
