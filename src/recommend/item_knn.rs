//! Item-based collaborative filtering for given movies ("more like this"), exact and computed on demand.
//!
//! One seed costs the sum of the history lengths of its raters, and one dense row of sums in memory; of very many raters
//! some thousands are asked, evenly spread (see [`MAX_PAIRS`]). See [`Similarity`] for the measures. With several seeds a
//! movie's score is the mean of its similarities to them, a missing similarity counting 0: what is near all of them comes
//! before what is near one.

use std::sync::Arc;

use super::measure::{Bounds, FittedMeasure, similarities};
use super::{RecommendError, Scorer, Scores, Similarity};
use crate::domain::{Catalogue, ItemIdx, Query, RatingMatrix};
use crate::math::Accumulator;

/// Ratings looked at for one seed: about two milliseconds. Far more than are needed to tell the nearest movies.
const MAX_PAIRS: usize = 1_000_000;

/// Neighbours of the query's seeds.
#[derive(Clone, Debug)]
pub struct ItemKnn {
    catalogue: Arc<Catalogue>,
    ratings: Arc<RatingMatrix>,
    measure: FittedMeasure,
}

impl ItemKnn {
    /// Prepares the measure.
    pub fn fit(catalogue: Arc<Catalogue>, ratings: Arc<RatingMatrix>, similarity: Similarity) -> Self {
        let measure = FittedMeasure::fit(similarity, &ratings);
        Self { catalogue, ratings, measure }
    }

    /// The similarity from a movie to every other for which it is defined, by ascending row.
    pub fn similarities(&self, item: ItemIdx) -> Vec<(ItemIdx, f32)> {
        self.similarities_within(item, MAX_PAIRS)
    }

    /// The same from at most so many ratings of the movie's raters.
    pub(super) fn similarities_within(&self, item: ItemIdx, max_pairs: usize) -> Vec<(ItemIdx, f32)> {
        let n_items = self.catalogue.len();
        let whole = (item.row(), Bounds { longest_history: usize::MAX, max_pairs });
        let row = match &self.measure {
            FittedMeasure::Pearson(measure) => {
                similarities(measure, &self.ratings, whole, &mut Accumulator::new(n_items))
            }
            FittedMeasure::Cosine(measure) => {
                similarities(measure, &self.ratings, whole, &mut Accumulator::new(n_items))
            }
        };
        row.into_iter().map(|(other, value)| (ItemIdx(other), value)).collect()
    }
}

impl Scorer for ItemKnn {
    fn name(&self) -> &'static str {
        match self.measure {
            FittedMeasure::Pearson(_) => "item-knn-pearson",
            FittedMeasure::Cosine(_) => "item-knn",
        }
    }

    fn score(&self, query: &Query) -> Result<Scores, RecommendError> {
        mean_over_seeds(self.name(), (&self.catalogue, query), |seed| self.similarities(seed))
    }
}

/// Each movie's mean similarity to the seeds of a query, a missing one counting 0.
pub(super) fn mean_over_seeds<Row: IntoIterator<Item = (ItemIdx, f32)>>(
    method: &'static str,
    (catalogue, query): (&Catalogue, &Query),
    similarities: impl Fn(ItemIdx) -> Row,
) -> Result<Scores, RecommendError> {
    let mut seeds: Vec<ItemIdx> = query.seeds.iter().filter_map(|&movie| catalogue.item_idx(movie)).collect();
    seeds.sort_unstable();
    seeds.dedup();
    if seeds.is_empty() {
        return Err(RecommendError::NothingToGoBy { method, needs: "a movie to start from" });
    }
    let mut scores = Scores::absent(catalogue.len());
    if let &[seed] = seeds.as_slice() {
        similarities(seed).into_iter().for_each(|(item, similarity)| scores.set(item, similarity));
        return Ok(scores);
    }
    let mut sums = Accumulator::<f32>::new(catalogue.len());
    for &seed in &seeds {
        for (item, similarity) in similarities(seed) {
            *sums.slot(item.0) += similarity;
        }
    }
    for (item, sum) in sums.drain() {
        scores.set(ItemIdx(item), sum / seeds.len() as f32);
    }
    Ok(scores)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{MovieId, Score};
    use crate::recommend::{recommend, sample};

    #[test]
    fn neighbours_are_liked_by_the_same_people() {
        let (catalogue, ratings) = sample::movies_and_ratings();
        let knn = ItemKnn::fit(catalogue.clone(), ratings, Similarity::Cosine);
        let query = Query { seeds: vec![MovieId(10)], n: 2, ..Query::default() };
        let list = recommend(&knn, &catalogue, &query).unwrap();
        let movies: Vec<MovieId> = list.items().iter().map(|item| item.movie).collect();
        assert_eq!(movies, [MovieId(20), MovieId(30)]);
    }

    #[test]
    fn two_seeds_give_the_mean_of_both() {
        let (catalogue, ratings) = sample::movies_and_ratings();
        let knn = ItemKnn::fit(catalogue.clone(), ratings, Similarity::Cosine);
        let score = |seeds: &[u32], item| {
            let seeds = seeds.iter().map(|&id| MovieId(id)).collect();
            let scores = knn.score(&Query { seeds, ..Query::default() }).unwrap();
            scores.get(catalogue.item_idx(MovieId(item)).unwrap()).map_or(0.0, Score::value)
        };
        for item in [20, 30, 50, 60] {
            let mean = f32::midpoint(score(&[10], item), score(&[40], item));
            assert!((score(&[10, 40, 10], item) - mean).abs() < 1e-6, "{item}");
        }
    }

    #[test]
    fn pearson_needs_ten_co_raters() {
        let (catalogue, ratings) = sample::movies_and_ratings();
        let knn = ItemKnn::fit(catalogue, ratings, Similarity::Pearson);
        let query = Query { seeds: vec![MovieId(10)], ..Query::default() };
        for (_, score) in knn.score(&query).unwrap().present() {
            assert!((-1.0..=1.0).contains(&score.value()));
        }
        // Movie 60 has eight raters.
        let query = Query { seeds: vec![MovieId(60)], ..Query::default() };
        assert_eq!(knn.score(&query).unwrap().present().count(), 0);
    }
}
