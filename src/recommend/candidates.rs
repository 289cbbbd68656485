//! From scores to a ranked list: exclusion, selection, order.

use super::{RecommendError, Scorer};
use crate::domain::{Catalogue, ItemIdx, Query, RankedList, Score, ScoredItem};
use crate::math::top_k;

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
    let candidates: Vec<ScoredItem> = scores
        .present()
        .filter(|&(item, _)| !is_excluded[item.row()] && passes(item))
        .map(|(item, score)| ScoredItem { movie: ids.id_at(item.row()), score })
        .collect();
    RankedList::new(top_k(candidates, query.n, ScoredItem::ranking_order))
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
