//! The one writer: a thread that gathers waiting batches into one transaction, commits, then answers everybody.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use redb::{Database, ReadableTable, WriteTransaction};

use super::record::{RatingRecord, StoredEmbedding, decode, encode, encode_movie, encode_rating};
use super::settings::SettingKey;
use super::tables::{EMBEDDINGS, MOVIES, RATINGS, SETTINGS, SPACES};
use super::{StoreError, fence};
use crate::domain::{Interaction, Movie, MovieId};

/// Batches that may wait for the writer; a further caller waits with its batch in hand.
const QUEUE_LENGTH: usize = 64;

/// At most so many batches share a commit, so that the first one does not wait too long.
const MAX_GROUP: usize = 32;

/// One change of the store.
#[derive(Clone, Debug)]
pub enum Write {
    /// Adds a movie or replaces the one with its id.
    Movie(Movie),
    /// Adds a rating, or replaces the user's rating of that movie unless the stored one is newer.
    Rating(Interaction),
    /// Adds or replaces a movie's embedding in a space.
    Embedding {
        /// Name of the space.
        space: Arc<str>,
        /// The movie.
        movie: MovieId,
        /// Its embedding.
        embedding: StoredEmbedding,
    },
    /// Forgets embeddings that nothing needs any more: those of all spaces but this one and the newest of the others,
    /// which may have to serve again.
    RetireSpaces {
        /// Name of the space that serves.
        serving: Arc<str>,
    },
    /// Sets a setting.
    Setting(SettingKey, String),
}

/// What a batch did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteSummary {
    /// Ratings that were not stored before.
    pub ratings_added: u64,
    /// Ratings that replaced an older or equally old one.
    pub ratings_replaced: u64,
    /// Ratings left out because a newer one by the same user for the same movie is stored.
    pub ratings_older: u64,
    /// Ratings that replaced a record which could not be read.
    pub ratings_repaired: u64,
    /// Movies that were not stored before.
    pub movies_added: u64,
    /// Movies that replaced the stored one.
    pub movies_replaced: u64,
}

impl std::ops::AddAssign for WriteSummary {
    fn add_assign(&mut self, other: Self) {
        self.ratings_added += other.ratings_added;
        self.ratings_replaced += other.ratings_replaced;
        self.ratings_older += other.ratings_older;
        self.ratings_repaired += other.ratings_repaired;
        self.movies_added += other.movies_added;
        self.movies_replaced += other.movies_replaced;
    }
}

type Reply = Result<WriteSummary, StoreError>;

struct Batch {
    writes: Vec<Write>,
    reply: SyncSender<Reply>,
}

/// Handle to the writer thread; dropping it lets the thread finish what waits and joins it.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<SyncSender<Batch>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(path: &Path, database: Arc<Database>) -> std::io::Result<Self> {
        let (queue, batches) = sync_channel(QUEUE_LENGTH);
        let path = path.to_path_buf();
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || run(&path, &database, &batches))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    pub(super) fn write(&self, writes: Vec<Write>) -> Reply {
        let (reply, answer) = sync_channel(1);
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.send(Batch { writes, reply }).map_err(|_| StoreError::Closed)?;
        answer.recv().map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was already reported to those who waited for it, as a closed reply channel.
            let _ = thread.join();
        }
    }
}

fn run(path: &Path, database: &Database, batches: &Receiver<Batch>) {
    while let Ok(first) = batches.recv() {
        let mut group = vec![first];
        group.extend(batches.try_iter().take(MAX_GROUP - 1));
        match fence(path, || commit(database, &group)) {
            Ok(summaries) => {
                for (batch, summary) in group.into_iter().zip(summaries) {
                    // Whoever no longer waits has lost nothing: the write is durable.
                    let _ = batch.reply.send(Ok(summary));
                }
            }
            // One bad batch must not fail its neighbours: each gets a transaction of its own.
            Err(_) if group.len() > 1 => {
                for batch in group {
                    let reply =
                        fence(path, || commit(database, std::slice::from_ref(&batch))).map(|mut one| one.remove(0));
                    let _ = batch.reply.send(reply);
                }
            }
            Err(error) => {
                let _ = group.remove(0).reply.send(Err(error));
            }
        }
    }
}

fn commit(database: &Database, group: &[Batch]) -> Result<Vec<WriteSummary>, StoreError> {
    let transaction = database.begin_write()?;
    let summaries = group.iter().map(|batch| apply(&transaction, &batch.writes)).collect::<Result<_, _>>()?;
    transaction.commit()?;
    Ok(summaries)
}

fn apply(transaction: &WriteTransaction, writes: &[Write]) -> Result<WriteSummary, StoreError> {
    let mut summary = WriteSummary::default();
    let mut settings = transaction.open_table(SETTINGS)?;
    let mut movies = transaction.open_table(MOVIES)?;
    let mut ratings = transaction.open_table(RATINGS)?;
    let mut spaces = transaction.open_table(SPACES)?;
    let mut embeddings = transaction.open_table(EMBEDDINGS)?;
    for write in writes {
        match write {
            Write::Movie(movie) => {
                let bytes = encode_movie(movie)?;
                let replaced = movies.insert(movie.id.0, bytes.as_slice())?.is_some();
                *(if replaced { &mut summary.movies_replaced } else { &mut summary.movies_added }) += 1;
            }
            Write::Rating(rating) => put_rating(&mut ratings, *rating, &mut summary)?,
            Write::Embedding { space, movie, embedding } => {
                let number = space_number(&mut spaces, space)?;
                let bytes = encode(embedding, || format!("the embedding of movie {movie}"))?;
                embeddings.insert((number, movie.0), bytes.as_slice())?;
            }
            Write::RetireSpaces { serving } => {
                for (space, number) in retired_spaces(&spaces, serving)? {
                    spaces.remove(space.as_str())?;
                    embeddings.retain_in((number, 0)..=(number, u32::MAX), |_, _| false)?;
                }
            }
            Write::Setting(key, value) => {
                settings.insert(key.name(), value.as_str())?;
            }
        }
    }
    if summary.ratings_repaired > 0 {
        tracing::warn!(n_ratings = summary.ratings_repaired, "replaced stored ratings that could not be read");
    }
    Ok(summary)
}

fn put_rating(
    ratings: &mut redb::Table<'_, (u32, u32), &'static [u8]>,
    rating: Interaction,
    summary: &mut WriteSummary,
) -> Result<(), StoreError> {
    let key = (rating.user.0, rating.movie.0);
    let stored = ratings
        .get(key)?
        .map(|bytes| decode::<RatingRecord>(bytes.value()).and_then(|record| record.into_interaction(key.0, key.1)));
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
    ratings.insert(key, bytes.as_slice())?;
    Ok(())
}

fn space_number(spaces: &mut redb::Table<'_, &'static str, u32>, space: &str) -> Result<u32, StoreError> {
    if let Some(number) = spaces.get(space)? {
        return Ok(number.value());
    }
    let mut highest = None;
    for row in spaces.iter()? {
        highest = highest.max(Some(row?.1.value()));
    }
    let none_left =
        || StoreError::Unfit { what: format!("the embedding space {space}"), reason: "no number is left".to_owned() };
    let next = highest.map_or(Some(0), |highest: u32| highest.checked_add(1)).ok_or_else(none_left)?;
    spaces.insert(space, next)?;
    Ok(next)
}

/// All spaces but the serving one and, of the others, the one that was made last. Numbers grow with time.
fn retired_spaces(
    spaces: &redb::Table<'_, &'static str, u32>,
    serving: &str,
) -> Result<Vec<(String, u32)>, StoreError> {
    let mut others = Vec::new();
    for row in spaces.iter()? {
        let (space, number) = row?;
        if space.value() != serving {
            others.push((space.value().to_owned(), number.value()));
        }
    }
    others.sort_by_key(|&(_, number)| number);
    others.pop();
    Ok(others)
}
