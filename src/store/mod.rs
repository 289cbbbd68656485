//! The one durable truth: movies, ratings, embeddings and settings in a redb file.
//!
//! The only room that knows redb and bincode. One process owns the file. Reads see one consistent state; writes go
//! through one writer thread, which commits what is waiting together (group commit) and answers after the commit is
//! durable. A panic inside redb, as damaged files can cause, is turned into [`StoreError::Damaged`].

mod apply;
mod compact;
mod embeddings;
mod migrate;
mod movies;
mod ratings;
mod record;
mod settings;
mod tables;
mod writer;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use redb::{Database, DatabaseError, ReadableDatabase};

pub use record::StoredEmbedding;
pub use settings::SettingKey;
pub use writer::{PendingWrite, Write, WriteSummary};

/// What can go wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process owns the file.
    #[error(
        "{0} is in use by another marquee process (a running daemon?): stop that process first, or give this one another \
         --data-dir"
    )]
    InUse(PathBuf),
    /// The file was written by a later version.
    #[error(
        "{path} has store format {found}, and this marquee knows formats up to {known}: use the newer marquee that wrote it"
    )]
    UnknownFormat {
        /// The store file.
        path: PathBuf,
        /// Its format number.
        found: u32,
        /// The newest format this program knows.
        known: u32,
    },
    /// The file is not one of ours.
    #[error("{0} is a redb file, but not a marquee store: give another --data-dir, or move the file away")]
    NotOurs(PathBuf),
    /// The file cannot be trusted.
    #[error("{path} is damaged ({reason}): restore it from a backup, or move it away and import again")]
    Damaged {
        /// The store file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// A value cannot be stored, or could not be read again.
    #[error("{what} cannot be stored: {reason}")]
    Unfit {
        /// Which value.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no store, and none was to be made.
    #[error("there is no store at {0}: run `marquee import DIR` first, or give another --data-dir")]
    Missing(PathBuf),
    /// The folder or file cannot be used.
    #[error("cannot use {path}: {source}")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// redb refused for another reason.
    #[error("the store failed: {0}")]
    Redb(#[from] redb::Error),
    /// The writer thread is gone.
    #[error("the store is closed")]
    Closed,
}

macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for StoreError {
            fn from(error: $error) -> Self {
                Self::Redb(error.into())
            }
        }
    )*};
}
from_redb!(redb::TransactionError, redb::TableError, redb::StorageError, redb::CommitError);

/// How to open a store.
#[derive(Clone, Copy, Debug)]
pub struct StoreOptions {
    /// Memory for cached pages, in bytes.
    pub cache_bytes: usize,
    /// Whether to verify every page's checksum when opening (it is always done after an unclean stop).
    pub check_on_open: bool,
}

impl StoreOptions {
    fn builder(self) -> redb::Builder {
        let mut builder = redb::Builder::new();
        builder.set_cache_size(self.cache_bytes).set_check_integrity_on_open(self.check_on_open);
        builder
    }
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { cache_bytes: 32 << 20, check_on_open: false }
    }
}

/// The open store. Cheap to share; closing waits for the writer thread.
#[derive(Debug)]
pub struct Store {
    file: Arc<File>,
    writer: writer::Writer,
}

/// The open file. Compaction replaces it; who reads the old one may finish.
#[derive(Debug)]
struct File {
    path: PathBuf,
    options: StoreOptions,
    database: RwLock<Arc<Database>>,
}

impl File {
    fn database(&self) -> Arc<Database> {
        Arc::clone(&self.database.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Called by the writer thread alone.
    fn compact(&self) -> Result<(), StoreError> {
        let compacted = compact::compact(&self.path, &self.database(), &self.options.builder())?;
        *self.database.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(compacted);
        Ok(())
    }
}

/// One consistent state of the store.
pub struct ReadView<'store> {
    transaction: redb::ReadTransaction,
    path: &'store Path,
}

impl Store {
    /// Opens the store file, creating it and its folder when missing, and upgrades older formats.
    pub fn open(path: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        let io = |source| StoreError::Io { path: path.to_path_buf(), source };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(io)?;
        }
        let database = fence(path, || options.builder().create(path).map_err(|error| open_error(path, error)))?;
        fence(path, || migrate::to_current(path, &database))?;
        compact::remove_if_there(&compact::unfinished(path)).map_err(io)?;
        let database = RwLock::new(Arc::new(database));
        let file = Arc::new(File { path: path.to_path_buf(), options, database });
        let writer = writer::Writer::start(Arc::clone(&file)).map_err(io)?;
        Ok(Self { file, writer })
    }

    /// The same, but a missing store is an error.
    pub fn open_existing(path: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        match path.try_exists() {
            Ok(true) => Self::open(path, options),
            Ok(false) => Err(StoreError::Missing(path.to_path_buf())),
            Err(source) => Err(StoreError::Io { path: path.to_path_buf(), source }),
        }
    }

    /// Reads one consistent state.
    pub fn read<T>(&self, read: impl FnOnce(&ReadView<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let path = &self.file.path;
        fence(path, || {
            let view = ReadView { transaction: self.file.database().begin_read()?, path };
            read(&view)
        })
    }

    /// Hands writes to the writer thread and returns when they are durable; all of them or none.
    pub fn write(&self, writes: Vec<Write>) -> Result<WriteSummary, StoreError> {
        self.write_behind(writes)?.wait()
    }

    /// Hands writes to the writer thread, and returns while they are on their way.
    pub fn write_behind(&self, writes: Vec<Write>) -> Result<PendingWrite, StoreError> {
        self.writer.write(writes)
    }

    /// Copies what is there into a new file, so that what was removed is gone from the disk and its room is free.
    /// Writes wait meanwhile, reads do not.
    pub fn compact(&self) -> Result<(), StoreError> {
        self.writer.compact()
    }

    /// The store's file.
    pub fn path(&self) -> &Path {
        &self.file.path
    }
}

/// Runs a store operation so that a panic inside it becomes an error.
fn fence<T>(path: &Path, operation: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(operation)).unwrap_or_else(|panic| {
        let reason = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("reading it failed in an unexpected way");
        Err(StoreError::Damaged { path: path.to_path_buf(), reason: reason.to_owned() })
    })
}

fn open_error(path: &Path, error: DatabaseError) -> StoreError {
    let path = path.to_path_buf();
    match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::InUse(path),
        DatabaseError::Storage(redb::StorageError::Corrupted(reason)) => StoreError::Damaged { path, reason },
        DatabaseError::Storage(redb::StorageError::Io(source)) if source.kind() == std::io::ErrorKind::InvalidData => {
            StoreError::Damaged { path, reason: "it does not begin as a redb file does".to_owned() }
        }
        DatabaseError::Storage(redb::StorageError::Io(source)) => StoreError::Io { path, source },
        other => StoreError::Redb(other.into()),
    }
}

#[cfg(test)]
mod tests;
