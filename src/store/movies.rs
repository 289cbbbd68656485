//! The `movies` table.

use redb::{ReadableTable, ReadableTableMetadata};

use super::record::{MovieRecord, decode};
use super::tables::MOVIES;
use super::{ReadView, StoreError};
use crate::domain::{Movie, MovieId};

impl ReadView<'_> {
    /// All movies in id order.
    pub fn movies(&self) -> Result<Vec<Movie>, StoreError> {
        let table = self.transaction.open_table(MOVIES)?;
        let mut movies = Vec::with_capacity(table.len()? as usize);
        for row in table.iter()? {
            let (key, value) = row?;
            movies.push(self.movie_from(key.value(), value.value())?);
        }
        Ok(movies)
    }

    /// Number of movies.
    pub fn n_movies(&self) -> Result<u64, StoreError> {
        Ok(self.transaction.open_table(MOVIES)?.len()?)
    }

    fn movie_from(&self, id: u32, bytes: &[u8]) -> Result<Movie, StoreError> {
        decode::<MovieRecord>(bytes)
            .and_then(|record| record.into_movie(MovieId(id)))
            .map_err(|reason| self.damaged(format!("movie {id}: {reason}")))
    }

    pub(super) fn damaged(&self, reason: String) -> StoreError {
        StoreError::Damaged { path: self.path.to_path_buf(), reason }
    }
}
