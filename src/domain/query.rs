//! What is known when asking.

use std::collections::HashSet;

use super::{MovieFilter, MovieId, Rating, UserId};

/// A movie somebody rated, as part of a query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatedMovie {
    /// The movie.
    pub movie: MovieId,
    /// Its rating.
    pub rating: Rating,
    /// When it was rated, in seconds since 1970 (UTC).
    pub timestamp: i64,
}

/// What is known when asking. Every part may be absent; a scorer uses what it understands.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// The person, for models that know people by id.
    pub user: Option<UserId>,
    /// What the person rated. These movies are not recommended, unless `include_seen`.
    pub history: Vec<RatedMovie>,
    /// Whether movies of the history may be recommended again.
    pub include_seen: bool,
    /// Movies to find neighbours of. These are never recommended.
    pub seeds: Vec<MovieId>,
    /// A free text.
    pub text: Option<String>,
    /// What an answer must be like.
    pub filter: MovieFilter,
    /// Further movies to leave out.
    pub excluded: HashSet<MovieId>,
    /// The time of asking, in seconds since 1970 (UTC); `None`: the time of the newest rating the method was fitted on.
    pub asked_at: Option<i64>,
    /// At most so many results.
    pub n: usize,
}

impl Query {
    /// Movies of the history that are not to be recommended.
    pub fn seen(&self) -> impl Iterator<Item = MovieId> {
        let seen = if self.include_seen { &[] } else { self.history.as_slice() };
        seen.iter().map(|rated| rated.movie)
    }
}
