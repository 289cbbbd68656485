//! The answers for users, and what all answers have in common: synchronous code that reads one snapshot.

use std::collections::HashMap;
use std::sync::Arc;

use super::EngineError;
use super::snapshot::{Base, Snapshot};
use crate::domain::{ItemIdx, Movie, MovieId, Popularity, Query, RatedMovie, ScoredItem, UserId};
use crate::recommend::ranking::Explanation;
use crate::recommend::{PortError, RecommendError, Scorer, recommend_in_turn};

/// What orders a user's recommendations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RankBy {
    /// The score of the recommender.
    Score,
    /// The predicted rating, over the whole catalogue.
    PredictedRating,
}

/// What to recommend to a user.
#[derive(Clone, Copy, Debug)]
pub struct UserQuestion {
    /// What orders the recommendations.
    pub rank_by: RankBy,
    /// At most so many movies.
    pub top_k: usize,
    /// The time of asking, in seconds since 1970 (UTC).
    pub asked_at: i64,
    /// Whether to say what raised each movie.
    pub explain: bool,
}

/// Why a movie stands where it stands: see [`Explanation`].
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// Its score minus the mean of the best hundred candidates.
    pub above_average: f32,
    /// What each kind of signal changes in the score, strongest first.
    pub signals: Vec<(&'static str, f32)>,
    /// What films of the user's own history change in it: id, title, difference; strongest first.
    pub because_of: Vec<(MovieId, String, f32)>,
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
    /// What raised it, where that was asked for and the hybrid ranked.
    pub explanation: Option<Explained>,
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
    question: UserQuestion,
) -> Result<Recommendations, EngineError> {
    let UserQuestion { rank_by, top_k, asked_at, explain } = question;
    let base = &snapshot.base;
    let history = history(base, user);
    let cold_start = history.is_empty();
    // After the newest rating known, time stands still: nothing is known to have changed since.
    let asked_at = asked_at.min(base.ratings.newest());
    let query = Query { user: Some(user), history, n: top_k, asked_at: Some(asked_at), ..Query::default() };
    let hybrid = snapshot.hybrid();
    let mut movies = match (rank_by, &snapshot.network, &hybrid) {
        (RankBy::Score, _, Some(hybrid)) => gather(base, &query, &[hybrid, &base.popularity])?,
        (RankBy::Score, _, None) => gather(base, &query, &[&base.profile_knn, &base.popularity])?,
        (RankBy::PredictedRating, Some(network), _) => gather(base, &query, &[&network.ranking])?,
        (RankBy::PredictedRating, None, _) => gather(base, &query, &[&base.baseline])?,
    };
    predict_ratings(snapshot, &query, &mut movies)?;
    if let Some(hybrid) = hybrid.filter(|_| explain && !cold_start) {
        let shown: Vec<MovieId> = movies.iter().map(|movie| movie.movie().id).collect();
        let explanations = hybrid.explain(&query, &shown).map_err(recommend_error)?;
        let mut by_movie: HashMap<MovieId, Explanation> =
            explanations.into_iter().map(|explanation| (explanation.movie, explanation)).collect();
        for movie in &mut movies {
            movie.explanation = by_movie.remove(&movie.movie().id).map(|explanation| explained(base, &explanation));
        }
    }
    Ok(Recommendations { movies, cold_start })
}

/// The explanation with titles.
fn explained(base: &Arc<Base>, explanation: &Explanation) -> Explained {
    let film = |&(movie, effect): &(MovieId, f32)| {
        let title = base.catalogue.movie(base.catalogue.item_idx(movie)?).title.clone();
        Some((movie, title, effect))
    };
    Explained {
        above_average: explanation.above_average,
        signals: explanation.signals.clone(),
        because_of: explanation.because_of.iter().filter_map(film).collect(),
    }
}

pub(super) fn recommend_error(error: RecommendError) -> EngineError {
    match error {
        RecommendError::Port(PortError::Busy(_)) => EngineError::Overloaded,
        error => EngineError::Internal(error.to_string()),
    }
}

/// Asks the scorers in turn, see [`recommend_in_turn`].
pub(super) fn gather(
    base: &Arc<Base>,
    query: &Query,
    scorers: &[&dyn Scorer],
) -> Result<Vec<RecommendedMovie>, EngineError> {
    let found = recommend_in_turn(scorers, &base.catalogue, query).map_err(recommend_error)?;
    Ok(found.into_iter().filter_map(|(scored, method)| recommended(base, scored, method)).collect())
}

pub(super) fn recommended(base: &Arc<Base>, scored: ScoredItem, method: &'static str) -> Option<RecommendedMovie> {
    let item = base.catalogue.item_idx(scored.movie)?;
    Some(RecommendedMovie {
        base: Arc::clone(base),
        item,
        score: scored.score.value(),
        method,
        predicted_rating: None,
        explanation: None,
    })
}

pub(super) fn history(base: &Base, user: UserId) -> Vec<RatedMovie> {
    let row = base.ratings.user_idx(user);
    row.map(|row| base.ratings.rated_movies(row, base.catalogue.vocabulary())).unwrap_or_default()
}

fn predict_ratings(snapshot: &Snapshot, query: &Query, movies: &mut [RecommendedMovie]) -> Result<(), EngineError> {
    let items: Vec<ItemIdx> = movies.iter().map(|movie| movie.item).collect();
    let (ratings, by) = predicted(snapshot, query, &items)?;
    for (movie, rating) in movies.iter_mut().zip(ratings) {
        movie.predicted_rating = Some((rating, by));
    }
    Ok(())
}

/// Ratings by the best there is: the model fitted from the store, unless the settings leave it out, the network, neighbours.
fn predicted(snapshot: &Snapshot, query: &Query, items: &[ItemIdx]) -> Result<(Vec<f32>, &'static str), EngineError> {
    if let Some(model) = &snapshot.rating_model {
        return Ok((model.predict(query, items), "rating-model"));
    }
    let Some(network) = &snapshot.network else {
        return Ok((snapshot.base.baseline.predict_many(&query.history, items), "neighbours"));
    };
    let ratings = network.predictions.predict(query, items).map_err(|error| recommend_error(error.into()))?;
    Ok((ratings, "rating-network"))
}
