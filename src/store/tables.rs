//! Every table and the number of the format they form. `schema/store.md` documents them; change both together, with a
//! step in `migrate.rs`.

use redb::TableDefinition;

/// Number of the format written by this program.
pub(super) const FORMAT: u32 = 1;

/// Setting name → value (UTF-8).
pub(super) const SETTINGS: TableDefinition<'static, &str, &str> = TableDefinition::new("settings");

/// Movie id → `MovieRecord`.
pub(super) const MOVIES: TableDefinition<'static, u32, &[u8]> = TableDefinition::new("movies");

/// (user id, movie id) → `RatingRecord`.
pub(super) const RATINGS: TableDefinition<'static, (u32, u32), &[u8]> = TableDefinition::new("ratings");

/// Name of an embedding space → its number in `EMBEDDINGS`.
pub(super) const SPACES: TableDefinition<'static, &str, u32> = TableDefinition::new("embedding_spaces");

/// (space number, movie id) → `StoredEmbedding`.
pub(super) const EMBEDDINGS: TableDefinition<'static, (u32, u32), &[u8]> = TableDefinition::new("embeddings");
