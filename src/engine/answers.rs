//! The answers for users, and what all answers have in common: synchronous code that reads one snapshot.

use std::sync::Arc;

use super::EngineError;
use super::snapshot::{Base, Snapshot};
use crate::domain::{ItemIdx, Movie, Popularity, Query, RankedList, RatedMovie, Rating, UserId};
use crate::recommend::{self, PortError, RecommendError, Scorer};

/// What orders a user's recommendations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RankBy {
    /// The score of the recommender.
    Score,
    /// The predicted rating, over the whole catalogue.
    PredictedRating,
}

/// A movie in an answer. It keeps what it was found in alive, so that nothing is copied.
#[derive(Clone, Debug)]
pub struct RecommendedMovie {
    base: Arc<Base>,
    item: ItemIdx,
    /// The score by which it was ranked.
    pub score: f32,
    /// The method that gave the score.
    pub method: &'static str,
    /// A predicted rating on the data set's own scale, and what predicted it.
    pub predicted_rating: Option<(f32, &'static str)>,
}

impl RecommendedMovie {
    /// The movie.
    pub fn movie(&self) -> &Movie {
        self.base.catalogue.movie(self.item)
    }

    /// Its figures.
    pub fn popularity(&self) -> Popularity {
        self.base.catalogue.popularity(self.item)
    }
}

/// Recommendations for a user.
#[derive(Clone, Debug)]
pub struct Recommendations {
    /// Best first.
    pub movies: Vec<RecommendedMovie>,
    /// Whether nothing is known of the user, so that the answer is what most people like.
    pub cold_start: bool,
}

/// Movies the user has not rated, ranked by the user's history; a user without history gets what most people like.
pub(super) fn recommend(
    snapshot: &Snapshot,
    user: UserId,
    rank_by: RankBy,
    top_k: usize,
) -> Result<Recommendations, EngineError> {
    let base = &snapshot.base;
    let history = history(base, user);
    let cold_start = history.is_empty();
    let query = Query { user: Some(user), history, n: top_k, ..Query::default() };
    let mut movies = match (rank_by, &snapshot.network) {
        (RankBy::Score, _) => gather(base, &query, &[&base.profile_knn, &base.popularity])?,
        (RankBy::PredictedRating, Some(network)) => gather(base, &query, &[&network.ranking])?,
        (RankBy::PredictedRating, None) => gather(base, &query, &[&base.baseline])?,
    };
    predict_ratings(snapshot, &query, &mut movies)?;
    Ok(Recommendations { movies, cold_start })
}

pub(super) fn recommend_error(error: RecommendError) -> EngineError {
    match error {
        RecommendError::Port(PortError::Busy(_)) => EngineError::Overloaded,
        error => EngineError::Internal(error.to_string()),
    }
}

/// Asks the scorers in turn until there are `query.n` movies; each only adds what the ones before did not find.
pub(super) fn gather(
    base: &Arc<Base>,
    query: &Query,
    scorers: &[&dyn Scorer],
) -> Result<Vec<RecommendedMovie>, EngineError> {
    let mut query = query.clone();
    let mut movies: Vec<RecommendedMovie> = Vec::with_capacity(query.n);
    for &scorer in scorers {
        let ranked = match recommend::recommend(scorer, &base.catalogue, &query) {
            Ok(ranked) => ranked,
            Err(RecommendError::NothingToGoBy { .. }) => continue,
            Err(error) => return Err(recommend_error(error)),
        };
        query.excluded.extend(ranked.items().iter().map(|item| item.movie));
        query.n -= ranked.items().len();
        movies.extend(with_method(base, &ranked, scorer.name()));
        if query.n == 0 {
            break;
        }
    }
    Ok(movies)
}

pub(super) fn with_method<'a>(
    base: &'a Arc<Base>,
    ranked: &'a RankedList,
    method: &'static str,
) -> impl Iterator<Item = RecommendedMovie> + 'a {
    ranked.items().iter().filter_map(move |scored| {
        Some(RecommendedMovie {
            item: base.catalogue.item_idx(scored.movie)?,
            base: Arc::clone(base),
            score: scored.score.value(),
            method,
            predicted_rating: None,
        })
    })
}

fn history(base: &Base, user: UserId) -> Vec<RatedMovie> {
    let Some(user) = base.ratings.user_idx(user) else { return Vec::new() };
    let rated = base.ratings.history(user).filter_map(|(item, value, timestamp)| {
        Some(RatedMovie { movie: base.catalogue.movie(item).id, rating: Rating::new(value).ok()?, timestamp })
    });
    rated.collect()
}

fn predict_ratings(snapshot: &Snapshot, query: &Query, movies: &mut [RecommendedMovie]) -> Result<(), EngineError> {
    let items: Vec<ItemIdx> = movies.iter().map(|movie| movie.item).collect();
    let (ratings, by) = predicted(snapshot, query, &items)?;
    for (movie, rating) in movies.iter_mut().zip(ratings) {
        movie.predicted_rating = Some((rating, by));
    }
    Ok(())
}

/// Ratings by the network, or from neighbours as long as there is none.
fn predicted(snapshot: &Snapshot, query: &Query, items: &[ItemIdx]) -> Result<(Vec<f32>, &'static str), EngineError> {
    let Some(network) = &snapshot.network else {
        let baseline = &snapshot.base.baseline;
        return Ok((baseline.predict_many(&query.history, items), "neighbours"));
    };
    let ratings = network.predictions.predict(query, items).map_err(|error| recommend_error(error.into()))?;
    Ok((ratings, "rating-network"))
}
