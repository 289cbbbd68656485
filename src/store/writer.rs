//! The one writer: a thread that gathers waiting batches into one transaction, commits, then answers everybody.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use redb::Database;

use super::apply::apply;
use super::record::StoredEmbedding;
use super::settings::SettingKey;
use super::{File, StoreError, fence};
use crate::domain::{Interaction, Movie, MovieId, UserId};

/// Batches that may wait for the writer; a further caller waits with its batch in hand.
const QUEUE_LENGTH: usize = 64;

/// At most so many batches share a commit, so that the first one does not wait too long.
const MAX_GROUP: usize = 32;

/// One change of the store.
#[derive(Clone, Debug)]
pub enum Write {
    /// Adds a movie or replaces the one with its id.
    Movie(Movie),
    /// Forgets a movie and its embeddings. Ratings of it stay and count again when the movie comes back.
    RemoveMovie(MovieId),
    /// Adds a rating, or replaces the user's rating of that movie unless the stored one is newer.
    Rating(Interaction),
    /// The same for each of these.
    Ratings(Vec<Interaction>),
    /// Forgets a rating.
    RemoveRating {
        /// Who rated.
        user: UserId,
        /// What was rated.
        movie: MovieId,
    },
    /// Forgets everything of a person.
    RemoveUser(UserId),
    /// Gives one person's ratings to another; where both rated a movie the newer rating counts.
    MergeUsers {
        /// Who is no more afterwards.
        from: UserId,
        /// Who has the ratings of both.
        into: UserId,
    },
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
    /// Ratings that were taken away.
    pub ratings_removed: u64,
    /// Movies that were taken away.
    pub movies_removed: u64,
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
        self.ratings_removed += other.ratings_removed;
        self.movies_removed += other.movies_removed;
        self.movies_added += other.movies_added;
        self.movies_replaced += other.movies_replaced;
    }
}

type Reply = Result<WriteSummary, StoreError>;

struct Batch {
    writes: Vec<Write>,
    reply: SyncSender<Reply>,
}

enum Job {
    Write(Batch),
    Compact(SyncSender<Result<(), StoreError>>),
}

/// Handle to the writer thread; dropping it lets the thread finish what waits and joins it.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(file: Arc<File>) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE_LENGTH);
        let thread = std::thread::Builder::new().name("store-writer".to_owned()).spawn(move || run(&file, &jobs))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    pub(super) fn write(&self, writes: Vec<Write>) -> Result<PendingWrite, StoreError> {
        self.ask(|reply| Job::Write(Batch { writes, reply })).map(PendingWrite)
    }

    pub(super) fn compact(&self) -> Result<(), StoreError> {
        self.ask(Job::Compact)?.recv().map_err(|_| StoreError::Closed)?
    }

    fn ask<T>(
        &self,
        job: impl FnOnce(SyncSender<Result<T, StoreError>>) -> Job,
    ) -> Result<Receiver<Result<T, StoreError>>, StoreError> {
        let (reply, answer) = sync_channel(1);
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.send(job(reply)).map_err(|_| StoreError::Closed)?;
        Ok(answer)
    }
}

/// Writes on their way to the disk. Who lets go of it does not learn whether they got there.
#[derive(Debug)]
#[must_use]
pub struct PendingWrite(Receiver<Reply>);

impl PendingWrite {
    /// Returns when the writes are durable; all of them or none.
    pub fn wait(self) -> Result<WriteSummary, StoreError> {
        self.0.recv().map_err(|_| StoreError::Closed)?
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

fn run(file: &File, jobs: &Receiver<Job>) {
    // A job that ended a group without belonging to it.
    let mut next = None;
    while let Some(job) = next.take().or_else(|| jobs.recv().ok()) {
        match job {
            Job::Write(first) => {
                let mut group = vec![first];
                while group.len() < MAX_GROUP {
                    match jobs.try_recv() {
                        Ok(Job::Write(batch)) => group.push(batch),
                        other => {
                            next = other.ok();
                            break;
                        }
                    }
                }
                write_group(file, group);
            }
            Job::Compact(reply) => {
                let _ = reply.send(fence(&file.path, || file.compact()));
            }
        }
    }
}

fn write_group(file: &File, mut group: Vec<Batch>) {
    let (path, database) = (&file.path, file.database());
    match fence(path, || commit(&database, &group)) {
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
                    fence(path, || commit(&database, std::slice::from_ref(&batch))).map(|mut one| one.remove(0));
                let _ = batch.reply.send(reply);
            }
        }
        Err(error) => {
            let _ = group.remove(0).reply.send(Err(error));
        }
    }
}

fn commit(database: &Database, group: &[Batch]) -> Result<Vec<WriteSummary>, StoreError> {
    let transaction = database.begin_write()?;
    let summaries = group.iter().map(|batch| apply(&transaction, &batch.writes)).collect::<Result<_, _>>()?;
    transaction.commit()?;
    Ok(summaries)
}
