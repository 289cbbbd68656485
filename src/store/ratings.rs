//! The `histories` table.

use redb::ReadableTable;

use super::record::decode_history;
use super::tables::HISTORIES;
use super::{ReadView, StoreError};
use crate::domain::{Interaction, UserId};

impl ReadView<'_> {
    /// Gives what each person rated, by ascending movie, to `take`, the people ascending too. One person's ratings are
    /// in memory at a time.
    pub fn each_history(&self, mut take: impl FnMut(&[Interaction])) -> Result<(), StoreError> {
        let table = self.transaction.open_table(HISTORIES)?;
        let mut ratings = Vec::new();
        for row in table.iter()? {
            let (user, bytes) = row?;
            self.read_history(bytes.value(), UserId(user.value()), &mut ratings)?;
            take(&ratings);
        }
        Ok(())
    }

    /// All ratings in the order (user, movie).
    pub fn ratings(&self) -> Result<Vec<Interaction>, StoreError> {
        let mut ratings = Vec::new();
        self.each_history(|history| ratings.extend_from_slice(history))?;
        Ok(ratings)
    }

    /// What one person rated, by movie id.
    pub fn ratings_of(&self, user: UserId) -> Result<Vec<Interaction>, StoreError> {
        let table = self.transaction.open_table(HISTORIES)?;
        let mut ratings = Vec::new();
        if let Some(bytes) = table.get(user.0)? {
            self.read_history(bytes.value(), user, &mut ratings)?;
        }
        Ok(ratings)
    }

    /// At most `n` people who rated anything, ascending, those after one of them.
    pub fn users(&self, after: Option<UserId>, n: usize) -> Result<Vec<UserId>, StoreError> {
        let Some(first) = after.map_or(Some(0), |user| user.0.checked_add(1)) else { return Ok(Vec::new()) };
        let table = self.transaction.open_table(HISTORIES)?;
        table.range(first..)?.take(n).map(|row| Ok(UserId(row?.0.value()))).collect()
    }

    fn read_history(&self, bytes: &[u8], user: UserId, ratings: &mut Vec<Interaction>) -> Result<(), StoreError> {
        decode_history(bytes, user, ratings).map_err(|reason| self.damaged(format!("what a person rated: {reason}")))
    }
}
