//! Brings a store to the current format: one function per step, never edited afterwards.

use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableHandle, WriteTransaction};
use serde::Deserialize;

use super::StoreError;
use super::record::{decode, encode_history, encode_movie};
use super::settings::SettingKey;
use super::tables::{EMBEDDINGS, FORMAT, HISTORIES, MOVIES, SETTINGS, SPACES};
use crate::domain::{Interaction, Movie, MovieId, Rating, UserId, Votes};

/// Creates the tables of a new store, or brings an existing one to the current format: all steps or none.
pub(super) fn to_current(path: &Path, database: &Database) -> Result<(), StoreError> {
    match stored_format(path, database)? {
        None => create(database),
        Some(FORMAT) => Ok(()),
        Some(1) => {
            tracing::info!(from = 1, to = FORMAT, "upgrading the store; with many ratings this takes a while");
            let transaction = database.begin_write()?;
            one_value_per_person(path, &transaction)?;
            movies_with_synopsis(path, &transaction)?;
            transaction.open_table(SETTINGS)?.insert(SettingKey::Format.name(), FORMAT.to_string().as_str())?;
            transaction.commit()?;
            Ok(())
        }
        Some(found) => Err(StoreError::UnknownFormat { path: path.to_path_buf(), found, known: FORMAT }),
    }
}

/// The format number; `None` for an empty file.
fn stored_format(path: &Path, database: &Database) -> Result<Option<u32>, StoreError> {
    let transaction = database.begin_read()?;
    let tables: Vec<String> = transaction.list_tables()?.map(|table| table.name().to_owned()).collect();
    if tables.is_empty() {
        return Ok(None);
    }
    let not_ours = || StoreError::NotOurs(path.to_path_buf());
    if !tables.iter().any(|name| name == SETTINGS.name()) {
        return Err(not_ours());
    }
    let table = transaction.open_table(SETTINGS).map_err(|_| not_ours())?;
    let format = table.get(SettingKey::Format.name())?.ok_or_else(not_ours)?;
    format.value().parse().map(Some).map_err(|_| not_ours())
}

fn create(database: &Database) -> Result<(), StoreError> {
    let transaction = database.begin_write()?;
    transaction.open_table(SETTINGS)?.insert(SettingKey::Format.name(), FORMAT.to_string().as_str())?;
    transaction.open_table(MOVIES)?;
    transaction.open_table(HISTORIES)?;
    transaction.open_table(SPACES)?;
    transaction.open_table(EMBEDDINGS)?;
    transaction.commit()?;
    Ok(())
}

/// The ratings of format 1: (user id, movie id) → value (f32) and time (i64), little-endian.
const RATINGS_1: TableDefinition<'static, (u32, u32), &[u8]> = TableDefinition::new("ratings");

/// From format 1 to 2: a row per rating becomes a row per person.
fn one_value_per_person(path: &Path, transaction: &WriteTransaction) -> Result<(), StoreError> {
    {
        let (old, mut new) = (transaction.open_table(RATINGS_1)?, transaction.open_table(HISTORIES)?);
        let mut history: Vec<Interaction> = Vec::new();
        for row in old.iter()? {
            let (key, value) = row?;
            let (user, movie) = key.value();
            let rating = rating_1(user, movie, value.value()).ok_or_else(|| StoreError::Damaged {
                path: path.to_path_buf(),
                reason: format!("rating of movie {movie}"),
            })?;
            if history.last().is_some_and(|last| last.user != rating.user) {
                new.insert(history[0].user.0, encode_history(&history)?.as_slice())?;
                history.clear();
            }
            history.push(rating);
        }
        if let Some(first) = history.first() {
            new.insert(first.user.0, encode_history(&history)?.as_slice())?;
        }
    }
    transaction.delete_table(RATINGS_1)?;
    Ok(())
}

fn rating_1(user: u32, movie: u32, bytes: &[u8]) -> Option<Interaction> {
    let (value, time) = bytes.split_first_chunk::<4>()?;
    let rating = Rating::new(f32::from_le_bytes(*value)).ok()?;
    let timestamp = i64::from_le_bytes(time.try_into().ok()?);
    let is_time = (0..=crate::domain::MAX_TIMESTAMP_S).contains(&timestamp);
    is_time.then_some(Interaction { user: UserId(user), movie: MovieId(movie), rating, timestamp })
}

/// A movie of format 1: without a synopsis.
#[derive(Deserialize)]
struct MovieRecord1 {
    title: String,
    alternative_titles: Vec<String>,
    year: Option<u16>,
    genres: Vec<String>,
    overview: Option<String>,
    imdb_id: Option<u32>,
    tmdb_id: Option<u32>,
    language: Option<String>,
    runtime_minutes: Option<u16>,
    poster_path: Option<String>,
    votes: Option<(f32, u32)>,
    popularity: Option<f32>,
}

/// From format 1 to 2: movies get room for a synopsis.
fn movies_with_synopsis(path: &Path, transaction: &WriteTransaction) -> Result<(), StoreError> {
    let mut table = transaction.open_table(MOVIES)?;
    let mut old = Vec::new();
    for row in table.iter()? {
        let (id, bytes) = row?;
        let record = decode::<MovieRecord1>(bytes.value()).map_err(|reason| StoreError::Damaged {
            path: path.to_path_buf(),
            reason: format!("movie {}: {reason}", id.value()),
        })?;
        old.push(record.into_movie(MovieId(id.value())));
    }
    for movie in old {
        table.insert(movie.id.0, encode_movie(&movie)?.as_slice())?;
    }
    Ok(())
}

impl MovieRecord1 {
    fn into_movie(self, id: MovieId) -> Movie {
        Movie {
            alternative_titles: self.alternative_titles,
            year: self.year,
            genres: self.genres,
            overview: self.overview,
            imdb_id: self.imdb_id,
            tmdb_id: self.tmdb_id,
            language: self.language,
            runtime_minutes: self.runtime_minutes,
            poster_path: self.poster_path,
            votes: self.votes.map(|(average, count)| Votes { average, count }),
            popularity: self.popularity,
            ..Movie::new(id, self.title)
        }
    }
}
