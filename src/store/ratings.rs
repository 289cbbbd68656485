//! The `ratings` table.

use redb::{ReadableTable, ReadableTableMetadata};

use super::record::{RatingRecord, decode};
use super::tables::RATINGS;
use super::{ReadView, StoreError};
use crate::domain::Interaction;

impl ReadView<'_> {
    /// All ratings in the order (user, movie).
    pub fn ratings(&self) -> Result<Vec<Interaction>, StoreError> {
        let table = self.transaction.open_table(RATINGS)?;
        let mut ratings = Vec::with_capacity(table.len()? as usize);
        for row in table.iter()? {
            let (key, value) = row?;
            let (user, movie) = key.value();
            let rating = decode::<RatingRecord>(value.value())
                .and_then(|record| record.into_interaction(user, movie))
                .map_err(|reason| self.damaged(format!("rating of movie {movie}: {reason}")))?;
            ratings.push(rating);
        }
        Ok(ratings)
    }
}
