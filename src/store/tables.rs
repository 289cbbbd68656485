//! Every table and the number of the format they form. `schema/store.md` documents them; change both together, with a
//! step in `migrate.rs`.

use redb::TableDefinition;

/// Number of the format written by this program.
pub(super) const FORMAT: u32 = 2;

/// Setting name → value (UTF-8).
pub(super) const SETTINGS: TableDefinition<'static, &str, &str> = TableDefinition::new("settings");

/// Movie id → `MovieRecord`.
pub(super) const MOVIES: TableDefinition<'static, u32, &[u8]> = TableDefinition::new("movies");

/// User id → `HistoryRecord`. One value per person, because that is what is read and written together: thirty million
/// rows of their own would make every import and every start a thousand times as many steps.
pub(super) const HISTORIES: TableDefinition<'static, u32, &[u8]> = TableDefinition::new("histories");

/// Name of an embedding space → its number in `EMBEDDINGS`.
pub(super) const SPACES: TableDefinition<'static, &str, u32> = TableDefinition::new("embedding_spaces");

/// (space number, movie id) → `StoredEmbedding`.
pub(super) const EMBEDDINGS: TableDefinition<'static, (u32, u32), &[u8]> = TableDefinition::new("embeddings");
