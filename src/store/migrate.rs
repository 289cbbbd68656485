//! Brings a store to the current format: one function per step, never edited afterwards. Format 1 is the first, so
//! there is no step yet.

use std::path::Path;

use redb::{Database, ReadableDatabase, TableHandle};

use super::StoreError;
use super::settings::SettingKey;
use super::tables::{EMBEDDINGS, FORMAT, MOVIES, RATINGS, SETTINGS, SPACES};

/// Creates the tables of a new store, or checks the format of an existing one.
pub(super) fn to_current(path: &Path, database: &Database) -> Result<(), StoreError> {
    match stored_format(path, database)? {
        None => create(database),
        Some(FORMAT) => Ok(()),
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
    transaction.open_table(RATINGS)?;
    transaction.open_table(SPACES)?;
    transaction.open_table(EMBEDDINGS)?;
    transaction.commit()?;
    Ok(())
}
