//! What a question is answered from: one snapshot, and the store for what must never be old.

use std::sync::Arc;

use super::snapshot::Snapshot;
use super::threads::Threads;
use super::{EngineError, Shared};
use crate::domain::{Movie, MovieId, Popularity, RatedMovie, UserId};
use crate::store::{Store, StoreError};

/// Taken once per question.
pub(super) struct Desk {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) shared: Arc<Shared>,
    /// Where what takes long is worked out, for whom it is.
    pub(super) threads: Arc<Threads>,
}

impl Desk {
    /// See [`history`].
    pub(super) fn history(&self, user: UserId) -> Result<Vec<RatedMovie>, EngineError> {
        history(&self.shared.store, &self.snapshot, user)
    }

    /// A movie as it is now, with its figures.
    pub(super) fn movie(&self, movie: MovieId) -> Option<(&Movie, Popularity)> {
        let (catalogue, item) = self.snapshot.find(movie)?;
        Some((catalogue.movie(item), catalogue.popularity(item)))
    }
}

/// What a person rated, up to the last acknowledged write. The fitted models know nothing of a time after their newest
/// rating, so that later ratings count as given then.
pub(super) fn history(store: &Store, snapshot: &Snapshot, user: UserId) -> Result<Vec<RatedMovie>, EngineError> {
    let newest = snapshot.base.ratings.newest();
    let ratings = store.read(|view| view.ratings_of(user))?;
    let rated = ratings.into_iter().map(|one| RatedMovie {
        movie: one.movie,
        rating: one.rating,
        timestamp: one.timestamp.min(newest),
    });
    Ok(rated.collect())
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        Self::Internal(error.to_string())
    }
}
