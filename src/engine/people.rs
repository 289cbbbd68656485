//! What people rated: reading, writing, merging, forgetting.
//!
//! A write is answered when it is durable, and the next question reads it: histories come from the store, not from the
//! snapshot.

use super::desk::Desk;
use super::snapshot::Snapshot;
use super::{Answer, CatalogueMovie, Engine, EngineError, refit};
use crate::domain::{Interaction, MovieId, Rating, UserId};
use crate::recommend::signals::Profile;
use crate::store::{Write, WriteSummary};

/// Ratings written in one transaction, at most.
const MAX_BATCH: usize = 10_000;

/// A rating to be stored, not yet looked at.
#[derive(Clone, Copy, Debug)]
pub struct NewRating {
    /// Who rated.
    pub user: UserId,
    /// What was rated.
    pub movie: MovieId,
    /// The number given.
    pub rating: f32,
    /// When, in seconds since 1970 (UTC).
    pub timestamp: i64,
}

/// A stored rating.
#[derive(Clone, Debug)]
pub struct StoredRating {
    /// The rating.
    pub rating: Interaction,
    /// The movie; `None` when the catalogue does not have it any more.
    pub movie: Option<CatalogueMovie>,
}

/// A person with the number of ratings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Person {
    /// The person.
    pub user: UserId,
    /// How much they rated.
    pub n_ratings: usize,
}

/// A person like another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimilarPerson {
    /// The person.
    pub user: UserId,
    /// Cosine of the preferences, shrunk (see [`crate::recommend::signals::UserKnn`]).
    pub similarity: f32,
}

impl Engine {
    /// Stores one rating; what came of it says whether it was new.
    pub async fn rate(&self, rating: NewRating) -> Result<Answer<WriteSummary>, EngineError> {
        self.answer(move |desk| {
            let write = Write::Rating(checked(desk, rating)?);
            let summary = desk.shared.store.write(vec![write])?;
            note_change(desk, [rating.user]);
            Ok(summary)
        })
        .await
    }

    /// Stores ratings; one answer for each, in the same order, and what came of all.
    pub async fn rate_many(
        &self,
        ratings: Vec<Result<NewRating, String>>,
    ) -> Result<Answer<(Vec<Result<(), String>>, WriteSummary)>, EngineError> {
        self.answer(move |desk| {
            let checked: Vec<Result<Interaction, String>> = ratings
                .into_iter()
                .map(|rating| rating.and_then(|rating| checked(desk, rating).map_err(|refusal| refusal.to_string())))
                .collect();
            let fit: Vec<Interaction> = checked.iter().filter_map(|rating| rating.as_ref().ok().copied()).collect();
            let mut summary = WriteSummary::default();
            for batch in fit.chunks(MAX_BATCH) {
                summary += desk.shared.store.write(batch.iter().copied().map(Write::Rating).collect())?;
                note_change(desk, batch.iter().map(|rating| rating.user));
            }
            Ok((checked.into_iter().map(|rating| rating.map(drop)).collect(), summary))
        })
        .await
    }

    /// Takes a rating away; whether there was one.
    pub async fn unrate(&self, user: UserId, movie: MovieId) -> Result<Answer<bool>, EngineError> {
        self.answer(move |desk| {
            let summary = desk.shared.store.write(vec![Write::RemoveRating { user, movie }])?;
            note_change(desk, [user]);
            Ok(summary.ratings_removed > 0)
        })
        .await
    }

    /// Everything that is stored of a person: their ratings, by movie.
    pub async fn ratings_of(&self, user: UserId) -> Result<Answer<Vec<StoredRating>>, EngineError> {
        self.answer(move |desk| {
            let ratings = desk.shared.store.read(|view| view.ratings_of(user))?;
            let with_movie = |rating: Interaction| StoredRating {
                rating,
                movie: CatalogueMovie::find(&desk.snapshot, rating.movie),
            };
            Ok(ratings.into_iter().map(with_movie).collect())
        })
        .await
    }

    /// At most `n` people who rated something, ascending, after one of them.
    pub async fn people(&self, after: Option<UserId>, n: usize) -> Result<Answer<Vec<Person>>, EngineError> {
        self.answer(move |desk| {
            Ok(desk.shared.store.read(|view| {
                let users = view.users(after, n)?;
                let count = |user| Ok(Person { user, n_ratings: view.ratings_of(user)?.len() });
                users.into_iter().map(count).collect()
            })?)
        })
        .await
    }

    /// People who like the same, best first.
    pub async fn similar_people(&self, user: UserId, n: usize) -> Result<Answer<Vec<SimilarPerson>>, EngineError> {
        self.answer(move |desk| similar_people(desk, user, n)).await
    }

    /// Gives the ratings of one person to another; where both rated a movie, the newer rating stays.
    pub async fn merge(&self, from: UserId, into: UserId) -> Result<Answer<WriteSummary>, EngineError> {
        let answer = self.answer(move |desk| {
            let summary = desk.shared.store.write(vec![Write::MergeUsers { from, into }, refit::purge_wanted()])?;
            desk.shared.refit.ask_purge();
            Ok(summary)
        });
        answer.await
    }

    /// Forgets a person: the ratings at once, what was learnt from them and their traces on the disk shortly after.
    pub async fn forget(&self, user: UserId) -> Result<Answer<WriteSummary>, EngineError> {
        self.answer(move |desk| {
            let summary = desk.shared.store.write(vec![Write::RemoveUser(user), refit::purge_wanted()])?;
            // Also without any rating: asking twice must not be less thorough than asking once.
            desk.shared.refit.ask_purge();
            Ok(summary)
        })
        .await
    }
}

/// What people rated counts for themselves at once, and for everybody from the next fit on.
fn note_change(desk: &Desk, people: impl IntoIterator<Item = UserId>) {
    people.into_iter().for_each(|user| desk.shared.preparation.note(user));
    desk.shared.refit.note_change();
}

/// The scale of the data set bounds what can be given: one 10 among fives would change what every rating means.
fn checked(desk: &Desk, new: NewRating) -> Result<Interaction, EngineError> {
    if desk.snapshot.find(new.movie).is_none() {
        return Err(EngineError::Unknown("movie"));
    }
    let (low, high) = scale(&desk.snapshot);
    let rating = Rating::new(new.rating).ok().filter(|rating| (low..=high).contains(&rating.value()));
    let rating = rating.ok_or(EngineError::OffScale { low, high })?;
    Ok(Interaction { user: new.user, movie: new.movie, rating, timestamp: new.timestamp })
}

/// Lowest and highest rating that may be given. Half a star is the least where the lowest in use is one or less.
pub(super) fn scale(snapshot: &Snapshot) -> (f32, f32) {
    let (low, high) = snapshot.base.ratings.scale();
    if snapshot.base.ratings.is_empty() { (0.5, 5.0) } else { (low.min(0.5), high.max(5.0)) }
}

fn similar_people(desk: &Desk, user: UserId, n: usize) -> Result<Vec<SimilarPerson>, EngineError> {
    let hybrid = desk.snapshot.hybrid().ok_or(EngineError::NotReady("the hybrid"))?;
    let history = desk.history(user)?;
    if history.is_empty() {
        return Err(EngineError::Unknown("user"));
    }
    let query = crate::domain::Query { user: Some(user), history, ..crate::domain::Query::default() };
    let profile: Profile = hybrid.signals().profile(&query);
    let users = desk.snapshot.base.ratings.users();
    let near = hybrid.signals().user_knn().nearest(&profile, n);
    Ok(near.into_iter().map(|(row, similarity)| SimilarPerson { user: users.id_at(row.row()), similarity }).collect())
}
