//! The `ratings` table.

use redb::{ReadableTable, ReadableTableMetadata};

use super::record::{RatingRecord, decode};
use super::tables::RATINGS;
use super::{ReadView, StoreError};
use crate::domain::{Interaction, UserId};

impl ReadView<'_> {
    /// All ratings in the order (user, movie).
    pub fn ratings(&self) -> Result<Vec<Interaction>, StoreError> {
        let table = self.transaction.open_table(RATINGS)?;
        let mut ratings = Vec::with_capacity(table.len()? as usize);
        for row in table.iter()? {
            let (key, value) = row?;
            ratings.push(self.rating_from(key.value(), value.value())?);
        }
        Ok(ratings)
    }

    /// What one person rated, by movie id.
    pub fn ratings_of(&self, user: UserId) -> Result<Vec<Interaction>, StoreError> {
        let table = self.transaction.open_table(RATINGS)?;
        let rows = table.range((user.0, 0)..=(user.0, u32::MAX))?;
        rows.map(|row| {
            let (key, value) = row?;
            self.rating_from(key.value(), value.value())
        })
        .collect()
    }

    /// At most `n` people who rated anything, ascending, those after one of them.
    pub fn users(&self, after: Option<UserId>, n: usize) -> Result<Vec<UserId>, StoreError> {
        let table = self.transaction.open_table(RATINGS)?;
        let mut users = Vec::new();
        let mut next = after.map_or(Some(0), |user| user.0.checked_add(1));
        // From each person straight to the next one.
        while let Some(first) = next.filter(|_| users.len() < n) {
            let Some(row) = table.range((first, 0)..)?.next() else { break };
            let (user, _) = row?.0.value();
            users.push(UserId(user));
            next = user.checked_add(1);
        }
        Ok(users)
    }

    fn rating_from(&self, (user, movie): (u32, u32), bytes: &[u8]) -> Result<Interaction, StoreError> {
        decode::<RatingRecord>(bytes)
            .and_then(|record| record.into_interaction(user, movie))
            .map_err(|reason| self.damaged(format!("rating of movie {movie}: {reason}")))
    }
}
