//! The `embeddings` table: one set of vectors per embedding space.

use std::collections::HashMap;

use super::record::{StoredEmbedding, decode};
use super::tables::{EMBEDDINGS, SPACES};
use super::{ReadView, StoreError};
use crate::domain::MovieId;

impl ReadView<'_> {
    /// All embeddings of a space; empty when the space is unknown.
    pub fn embeddings(&self, space: &str) -> Result<HashMap<MovieId, StoredEmbedding>, StoreError> {
        let mut embeddings = HashMap::new();
        let Some(number) = self.transaction.open_table(SPACES)?.get(space)?.map(|number| number.value()) else {
            return Ok(embeddings);
        };
        let table = self.transaction.open_table(EMBEDDINGS)?;
        for row in table.range((number, 0)..=(number, u32::MAX))? {
            let (key, value) = row?;
            let (_, movie) = key.value();
            let embedding = decode(value.value())
                .and_then(StoredEmbedding::checked)
                .map_err(|reason| self.damaged(format!("embedding of movie {movie}: {reason}")))?;
            embeddings.insert(MovieId(movie), embedding);
        }
        Ok(embeddings)
    }
}
