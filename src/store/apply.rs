//! What each write does to the tables.

use std::collections::BTreeSet;

use redb::{ReadableTable, Table, WriteTransaction};

use super::StoreError;
use super::record::{RatingRecord, decode, encode, encode_movie, encode_rating};
use super::tables::{EMBEDDINGS, MOVIES, RATINGS, SETTINGS, SPACES};
use super::writer::{Write, WriteSummary};
use crate::domain::{Interaction, MovieId, UserId};

type Rows<'txn, Key> = Table<'txn, Key, &'static [u8]>;

/// All tables of one write transaction.
struct Tables<'txn> {
    settings: Table<'txn, &'static str, &'static str>,
    movies: Rows<'txn, u32>,
    ratings: Rows<'txn, (u32, u32)>,
    spaces: Table<'txn, &'static str, u32>,
    embeddings: Rows<'txn, (u32, u32)>,
    summary: WriteSummary,
}

/// Applies the writes in their order.
pub(super) fn apply(transaction: &WriteTransaction, writes: &[Write]) -> Result<WriteSummary, StoreError> {
    let mut tables = Tables {
        settings: transaction.open_table(SETTINGS)?,
        movies: transaction.open_table(MOVIES)?,
        ratings: transaction.open_table(RATINGS)?,
        spaces: transaction.open_table(SPACES)?,
        embeddings: transaction.open_table(EMBEDDINGS)?,
        summary: WriteSummary::default(),
    };
    for write in writes {
        tables.apply(write)?;
    }
    if tables.summary.ratings_repaired > 0 {
        tracing::warn!(n_ratings = tables.summary.ratings_repaired, "replaced stored ratings that could not be read");
    }
    Ok(tables.summary)
}

impl Tables<'_> {
    fn apply(&mut self, write: &Write) -> Result<(), StoreError> {
        match write {
            Write::Movie(movie) => {
                let bytes = encode_movie(movie)?;
                let replaced = self.movies.insert(movie.id.0, bytes.as_slice())?.is_some();
                let count = if replaced { &mut self.summary.movies_replaced } else { &mut self.summary.movies_added };
                *count += 1;
            }
            Write::RemoveMovie(movie) => self.remove_movie(*movie)?,
            Write::Rating(rating) => self.put_rating(*rating)?,
            Write::RemoveRating { user, movie } => {
                let removed = self.ratings.remove((user.0, movie.0))?.is_some();
                self.summary.ratings_removed += u64::from(removed);
            }
            Write::RemoveUser(user) => {
                for rating in self.movies_rated_by(*user)? {
                    self.ratings.remove((user.0, rating))?;
                    self.summary.ratings_removed += 1;
                }
            }
            Write::MergeUsers { from, into } => self.merge_users(*from, *into)?,
            Write::Embedding { space, movie, embedding } => {
                let number = self.space_number(space)?;
                let bytes = encode(embedding, || format!("the embedding of movie {movie}"))?;
                self.embeddings.insert((number, movie.0), bytes.as_slice())?;
            }
            Write::RetireSpaces { serving } => {
                for (space, number) in self.retired_spaces(serving)? {
                    self.spaces.remove(space.as_str())?;
                    self.embeddings.retain_in((number, 0)..=(number, u32::MAX), |_, _| false)?;
                }
            }
            Write::Setting(key, value) => {
                self.settings.insert(key.name(), value.as_str())?;
            }
        }
        Ok(())
    }

    fn remove_movie(&mut self, movie: MovieId) -> Result<(), StoreError> {
        let removed = self.movies.remove(movie.0)?.is_some();
        self.summary.movies_removed += u64::from(removed);
        let spaces: Vec<u32> =
            self.spaces.iter()?.map(|row| Ok(row?.1.value())).collect::<Result<_, redb::StorageError>>()?;
        for space in spaces {
            self.embeddings.remove((space, movie.0))?;
        }
        Ok(())
    }

    fn put_rating(&mut self, rating: Interaction) -> Result<(), StoreError> {
        let (key, summary) = ((rating.user.0, rating.movie.0), &mut self.summary);
        let stored = self.ratings.get(key)?.map(|bytes| {
            decode::<RatingRecord>(bytes.value()).and_then(|record| record.into_interaction(key.0, key.1))
        });
        match stored {
            Some(Ok(stored)) if stored.timestamp > rating.timestamp => {
                summary.ratings_older += 1;
                return Ok(());
            }
            Some(Ok(_)) => summary.ratings_replaced += 1,
            // What comes in is the better truth.
            Some(Err(_)) => summary.ratings_repaired += 1,
            None => summary.ratings_added += 1,
        }
        let bytes = encode_rating(rating)?;
        self.ratings.insert(key, bytes.as_slice())?;
        Ok(())
    }

    fn movies_rated_by(&self, user: UserId) -> Result<BTreeSet<u32>, StoreError> {
        let rows = self.ratings.range((user.0, 0)..=(user.0, u32::MAX))?;
        Ok(rows.map(|row| Ok(row?.0.value().1)).collect::<Result<_, redb::StorageError>>()?)
    }

    fn merge_users(&mut self, from: UserId, into: UserId) -> Result<(), StoreError> {
        if from == into {
            return Ok(());
        }
        for movie in self.movies_rated_by(from)? {
            let Some(stored) = self.ratings.remove((from.0, movie))?.map(|bytes| {
                decode::<RatingRecord>(bytes.value()).and_then(|record| record.into_interaction(into.0, movie))
            }) else {
                continue;
            };
            let unreadable = |reason| StoreError::Unfit { what: format!("the rating of movie {movie}"), reason };
            self.put_rating(stored.map_err(unreadable)?)?;
        }
        Ok(())
    }

    fn space_number(&mut self, space: &str) -> Result<u32, StoreError> {
        if let Some(number) = self.spaces.get(space)? {
            return Ok(number.value());
        }
        let mut highest = None;
        for row in self.spaces.iter()? {
            highest = highest.max(Some(row?.1.value()));
        }
        let none_left = || StoreError::Unfit {
            what: format!("the embedding space {space}"),
            reason: "no number is left".to_owned(),
        };
        let next = highest.map_or(Some(0), |highest: u32| highest.checked_add(1)).ok_or_else(none_left)?;
        self.spaces.insert(space, next)?;
        Ok(next)
    }

    /// All spaces but the serving one and, of the others, the one that was made last. Numbers grow with time.
    fn retired_spaces(&self, serving: &str) -> Result<Vec<(String, u32)>, StoreError> {
        let mut others = Vec::new();
        for row in self.spaces.iter()? {
            let (space, number) = row?;
            if space.value() != serving {
                others.push((space.value().to_owned(), number.value()));
            }
        }
        others.sort_by_key(|&(_, number)| number);
        others.pop();
        Ok(others)
    }
}
