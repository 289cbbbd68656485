//! Compaction: everything that is there is copied into a new file, which takes the old one's place.
//!
//! redb reuses the pages of what was removed, but does not wipe them. What a person had removed is gone from the disk only
//! when the file is another one.

use std::path::{Path, PathBuf};

use redb::{Database, Key, ReadTransaction, ReadableTable, TableDefinition, Value, WriteTransaction};

use redb::ReadableDatabase as _;

use super::tables::{EMBEDDINGS, HISTORIES, MOVIES, SETTINGS, SPACES};
use super::{SettingKey, StoreError};

/// The file that is being written; one that a crash left behind is of no use.
pub(super) fn unfinished(path: &Path) -> PathBuf {
    path.with_extension("redb.unfinished")
}

/// A new database at the same path with the same content. The old one must not be written to any more.
pub(super) fn compact(path: &Path, old: &Database, builder: &redb::Builder) -> Result<Database, StoreError> {
    let unfinished = unfinished(path);
    let io = |source| StoreError::Io { path: unfinished.clone(), source };
    remove_if_there(&unfinished).map_err(io)?;
    let new = builder.create(&unfinished).map_err(|error| StoreError::Redb(error.into()))?;
    let (from, to) = (old.begin_read()?, new.begin_write()?);
    copy(&from, &to, SETTINGS)?;
    copy(&from, &to, MOVIES)?;
    copy(&from, &to, HISTORIES)?;
    copy(&from, &to, SPACES)?;
    copy(&from, &to, EMBEDDINGS)?;
    // In one step with the copy: what is removed from here on is wanted gone anew.
    to.open_table(SETTINGS)?.remove(SettingKey::Purge.name())?;
    to.commit()?;
    std::fs::rename(&unfinished, path).map_err(io)?;
    if let Some(folder) = path.parent() {
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
    }
    Ok(new)
}

pub(super) fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn copy<K: Key + 'static, V: Value + 'static>(
    from: &ReadTransaction,
    to: &WriteTransaction,
    table: TableDefinition<'static, K, V>,
) -> Result<(), StoreError> {
    let (from, mut to) = (from.open_table(table)?, to.open_table(table)?);
    for row in from.iter()? {
        let (key, value) = row?;
        to.insert(key.value(), value.value())?;
    }
    Ok(())
}
