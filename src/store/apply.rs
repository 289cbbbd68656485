//! What each write does to the tables.

use std::collections::BTreeMap;

use redb::{ReadableTable, Table, WriteTransaction};

use super::StoreError;
use super::record::{check_rating, decode_history, encode, encode_history, encode_movie};
use super::tables::{EMBEDDINGS, HISTORIES, MOVIES, SETTINGS, SPACES};
use super::writer::{Write, WriteSummary};
use crate::domain::{Interaction, MovieId, UserId};

type Rows<'txn, Key> = Table<'txn, Key, &'static [u8]>;

/// All tables of one write transaction.
struct Tables<'txn> {
    settings: Table<'txn, &'static str, &'static str>,
    movies: Rows<'txn, u32>,
    histories: Histories<'txn>,
    spaces: Table<'txn, &'static str, u32>,
    embeddings: Rows<'txn, (u32, u32)>,
    summary: WriteSummary,
}

/// Histories, of which those that a batch touches are held open and written once at its end.
struct Histories<'txn> {
    table: Rows<'txn, u32>,
    open: BTreeMap<UserId, History>,
}

/// What one person rated, by ascending movie.
#[derive(Default)]
struct History {
    ratings: Vec<Interaction>,
    /// Why the stored value could not be read; it is gone when the history is written.
    unreadable: Option<String>,
    is_changed: bool,
}

/// Applies the writes in their order.
pub(super) fn apply(transaction: &WriteTransaction, writes: &[Write]) -> Result<WriteSummary, StoreError> {
    let mut tables = Tables {
        settings: transaction.open_table(SETTINGS)?,
        movies: transaction.open_table(MOVIES)?,
        histories: Histories { table: transaction.open_table(HISTORIES)?, open: BTreeMap::new() },
        spaces: transaction.open_table(SPACES)?,
        embeddings: transaction.open_table(EMBEDDINGS)?,
        summary: WriteSummary::default(),
    };
    for write in writes {
        tables.apply(write)?;
    }
    tables.histories.write()?;
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
            Write::Ratings(ratings) => ratings.iter().try_for_each(|&rating| self.put_rating(rating))?,
            Write::RemoveRating { user, movie } => {
                let history = self.histories.of(*user)?.readable()?;
                if let Ok(place) = history.place_of(*movie) {
                    history.ratings.remove(place);
                    history.is_changed = true;
                    self.summary.ratings_removed += 1;
                }
            }
            Write::RemoveUser(user) => {
                let history = self.histories.of(*user)?;
                let n_unreadable = u64::from(history.unreadable.take().is_some());
                self.summary.ratings_removed += history.ratings.len() as u64 + n_unreadable;
                *history = History { is_changed: true, ..History::default() };
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
        check_rating(&rating)?;
        let (history, summary) = (self.histories.of(rating.user)?, &mut self.summary);
        // What comes in is the better truth.
        let is_repaired = history.unreadable.take().is_some();
        match history.place_of(rating.movie) {
            Ok(place) if history.ratings[place].timestamp > rating.timestamp => {
                summary.ratings_older += 1;
                return Ok(());
            }
            Ok(place) => {
                history.ratings[place] = rating;
                summary.ratings_replaced += 1;
            }
            Err(place) => {
                history.ratings.insert(place, rating);
                *(if is_repaired { &mut summary.ratings_repaired } else { &mut summary.ratings_added }) += 1;
            }
        }
        history.is_changed = true;
        Ok(())
    }

    fn merge_users(&mut self, from: UserId, into: UserId) -> Result<(), StoreError> {
        if from == into {
            return Ok(());
        }
        let given = self.histories.of(from)?.readable()?;
        given.is_changed = true;
        for rating in std::mem::take(&mut given.ratings) {
            self.put_rating(Interaction { user: into, ..rating })?;
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

impl Histories<'_> {
    /// What a person rated, to be changed.
    fn of(&mut self, user: UserId) -> Result<&mut History, StoreError> {
        let table = &self.table;
        let slot = match self.open.entry(user) {
            std::collections::btree_map::Entry::Occupied(slot) => return Ok(slot.into_mut()),
            std::collections::btree_map::Entry::Vacant(slot) => slot,
        };
        let mut history = History::default();
        if let Some(bytes) = table.get(user.0)? {
            history.unreadable = decode_history(bytes.value(), user, &mut history.ratings).err();
            if history.unreadable.is_some() {
                history.ratings.clear();
            }
        }
        Ok(slot.insert(history))
    }

    /// Writes what has changed.
    fn write(&mut self) -> Result<(), StoreError> {
        for (user, history) in std::mem::take(&mut self.open) {
            if !history.is_changed {
                continue;
            }
            if history.ratings.is_empty() {
                self.table.remove(user.0)?;
            } else {
                self.table.insert(user.0, encode_history(&history.ratings)?.as_slice())?;
            }
        }
        Ok(())
    }
}

impl History {
    /// Where a movie's rating is, or belongs.
    fn place_of(&self, movie: MovieId) -> Result<usize, usize> {
        // Most data sets come in this order.
        if self.ratings.last().is_none_or(|last| last.movie < movie) {
            return Err(self.ratings.len());
        }
        self.ratings.binary_search_by_key(&movie, |rating| rating.movie)
    }

    fn readable(&mut self) -> Result<&mut Self, StoreError> {
        match &self.unreadable {
            None => Ok(self),
            Some(reason) => {
                Err(StoreError::Unfit { what: "a change of what a person rated".to_owned(), reason: reason.clone() })
            }
        }
    }
}
