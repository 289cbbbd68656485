//! Multi-item weighted collaborative filtering: the neighbours of a whole history.
//!
//! score(j) = Σ over rated movies i of weight(rating of i) × sim(i → j), a similarity that is missing or outside the
//! neighbour table counting 0 (Sarwar et al. 2001, "Item-Based Collaborative Filtering Recommendation Algorithms").
//! Reads the live history of the query, so a rating counts at once, for people the fit has never seen as well.
//!
//! Where no table has been fitted yet, the neighbours of the newest films of the history are found when they are asked
//! for, among the ratings of some of their raters.

use std::collections::HashSet;
use std::sync::Arc;

use super::{ItemKnn, ItemNeighbors, RecommendError, Scorer, Scores};
use crate::domain::{Catalogue, ItemIdx, Query, RatedMovie, RatingMatrix};
use crate::math::Accumulator;

/// So many ratings at the overall mean are added to a history before its mean is taken, so that one single bad rating
/// is still a bad one.
const MEAN_DAMPING: f32 = 5.0;

/// Films of a history whose neighbours are looked for when they are asked for, the newest ones.
const N_SEEDS: usize = 16;

/// Ratings looked at for the neighbours of such a film.
const MAX_PAIRS_OF_SEED: usize = 50_000;

/// What a rating counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProfileWeights {
    /// Distance from the person's (damped) mean, in quarters of the scale, plus one: disliked movies push away, and
    /// who rates everything the same still says what was chosen.
    #[default]
    Centred,
    /// Rating − 2, whatever the scale.
    RatingMinusTwo,
}

/// Neighbours of the query's history.
#[derive(Clone, Debug)]
pub struct ProfileKnn {
    catalogue: Arc<Catalogue>,
    neighbors: Neighbors,
    weights: ProfileWeights,
    mean: f32,
    per_point: f32,
}

#[derive(Clone, Debug)]
enum Neighbors {
    Fitted(Arc<ItemNeighbors>),
    OnDemand(Arc<ItemKnn>),
}

impl ProfileKnn {
    /// Joins catalogue and neighbour table, both of the same ratings.
    pub fn fit(
        catalogue: Arc<Catalogue>,
        ratings: &RatingMatrix,
        neighbors: Arc<ItemNeighbors>,
        weights: ProfileWeights,
    ) -> Self {
        Self::of((catalogue, ratings), Neighbors::Fitted(neighbors), weights)
    }

    /// Without a table.
    pub fn on_demand(
        catalogue: Arc<Catalogue>,
        ratings: &RatingMatrix,
        item_knn: Arc<ItemKnn>,
        weights: ProfileWeights,
    ) -> Self {
        Self::of((catalogue, ratings), Neighbors::OnDemand(item_knn), weights)
    }

    fn of(
        (catalogue, ratings): (Arc<Catalogue>, &RatingMatrix),
        neighbors: Neighbors,
        weights: ProfileWeights,
    ) -> Self {
        let (low, high) = ratings.scale();
        let per_point = if high > low { 4.0 / (high - low) } else { 0.0 };
        Self { catalogue, neighbors, weights, mean: ratings.mean(), per_point }
    }

    /// The movies of a history that this catalogue knows, with what each counts.
    pub fn weighed(&self, history: &[RatedMovie]) -> Vec<(ItemIdx, f32)> {
        let sum: f32 = history.iter().map(|rated| rated.rating.value()).sum();
        let mean = (sum + MEAN_DAMPING * self.mean) / (history.len() as f32 + MEAN_DAMPING);
        let weight = |rating: f32| match self.weights {
            ProfileWeights::Centred => (rating - mean) * self.per_point + 1.0,
            ProfileWeights::RatingMinusTwo => rating - 2.0,
        };
        let known = history.iter().filter_map(|rated| {
            let item = self.catalogue.item_idx(rated.movie)?;
            Some((item, weight(rated.rating.value())))
        });
        known.collect()
    }
}

impl Scorer for ProfileKnn {
    fn name(&self) -> &'static str {
        match self.weights {
            ProfileWeights::Centred => "profile-knn",
            ProfileWeights::RatingMinusTwo => "profile-knn-minus-two",
        }
    }

    fn score(&self, query: &Query) -> Result<Scores, RecommendError> {
        let weighed = self.weighed(&query.history);
        if weighed.is_empty() {
            return Err(RecommendError::NothingToGoBy { method: self.name(), needs: "a rated movie" });
        }
        let mut sums = Accumulator::<f32>::new(self.catalogue.len());
        match &self.neighbors {
            Neighbors::Fitted(table) => {
                for (item, weight) in weighed {
                    for (other, similarity) in table.of(item) {
                        *sums.slot(other.0) += weight * similarity;
                    }
                }
            }
            Neighbors::OnDemand(item_knn) => {
                let mut newest = query.history.clone();
                newest.sort_by_key(|rated| (std::cmp::Reverse(rated.timestamp), rated.movie));
                let seeds: HashSet<ItemIdx> =
                    newest.iter().filter_map(|rated| self.catalogue.item_idx(rated.movie)).take(N_SEEDS).collect();
                for (item, weight) in weighed.into_iter().filter(|(item, _)| seeds.contains(item)) {
                    for (other, similarity) in item_knn.similarities_within(item, MAX_PAIRS_OF_SEED) {
                        *sums.slot(other.0) += weight * similarity;
                    }
                }
            }
        }
        let mut scores = Scores::absent(self.catalogue.len());
        for (item, sum) in sums.drain() {
            scores.set(ItemIdx(item), sum);
        }
        Ok(scores)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{MovieId, Rating};
    use crate::recommend::{Similarity, recommend, sample};

    fn rated(movie: u32, value: f32) -> RatedMovie {
        RatedMovie { movie: MovieId(movie), rating: Rating::new(value).unwrap(), timestamp: 0 }
    }

    fn knn(weights: ProfileWeights) -> (ProfileKnn, Arc<Catalogue>) {
        let (catalogue, ratings) = sample::movies_and_ratings();
        let neighbors = Arc::new(ItemNeighbors::fit(&ratings, 10, Similarity::Cosine));
        (ProfileKnn::fit(catalogue.clone(), &ratings, neighbors, weights), catalogue)
    }

    #[test]
    fn liked_movies_attract_and_disliked_ones_push_away() {
        let (knn, catalogue) = knn(ProfileWeights::Centred);
        let first = |history: Vec<RatedMovie>| {
            let query = Query { history, n: 1, ..Query::default() };
            recommend(&knn, &catalogue, &query).unwrap().items()[0].movie
        };
        assert_eq!(first(vec![rated(10, 5.0), rated(40, 1.0)]), MovieId(20));
        assert_eq!(first(vec![rated(10, 1.0), rated(40, 5.0)]), MovieId(50));
    }

    #[test]
    fn without_a_table_the_answer_is_the_same_where_all_can_be_looked_at() {
        let (catalogue, ratings) = sample::movies_and_ratings();
        let weights = ProfileWeights::default();
        let table = Arc::new(ItemNeighbors::fit(&ratings, 10, Similarity::Cosine));
        let fitted = ProfileKnn::fit(catalogue.clone(), &ratings, table, weights);
        let item_knn = Arc::new(ItemKnn::fit(catalogue.clone(), ratings.clone(), Similarity::Cosine));
        let on_demand = ProfileKnn::on_demand(catalogue, &ratings, item_knn, weights);
        let query = Query { history: vec![rated(10, 5.0), rated(40, 1.0), rated(999, 3.0)], ..Query::default() };
        assert_eq!(on_demand.score(&query).unwrap(), fitted.score(&query).unwrap());
        let many = (0..40).map(|n| RatedMovie { timestamp: n, ..rated(10 + 10 * (n as u32 % 6), 4.0) });
        assert!(on_demand.score(&Query { history: many.collect(), ..Query::default() }).is_ok());
    }

    #[test]
    fn weights_are_as_documented() {
        let (knn, _) = knn(ProfileWeights::RatingMinusTwo);
        let weights: Vec<f32> =
            knn.weighed(&[rated(10, 5.0), rated(99, 4.0), rated(20, 1.0)]).into_iter().map(|(_, w)| w).collect();
        assert_eq!(weights, [3.0, -1.0]);
    }

    #[test]
    fn a_single_bad_rating_is_bad_and_equal_good_ones_are_good() {
        let (knn, _) = knn(ProfileWeights::Centred);
        assert!(knn.weighed(&[rated(10, 1.0)])[0].1 < 0.0);
        assert!(knn.weighed(&[rated(10, 4.0), rated(20, 4.0)])[0].1 > 0.5);
    }
}
