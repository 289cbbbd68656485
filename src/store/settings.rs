//! Small facts about the store itself.

use super::tables::SETTINGS;
use super::{ReadView, StoreError};

/// The settings there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingKey {
    /// Number of the store's format.
    Format,
    /// Which family of movie ids the store uses ("movielens-100k", …): ids of different families mean different movies.
    IdSpace,
    /// Which models are pinned, which served last, and which have been tried.
    Models,
    /// Whether removed records may still be in free pages of the file.
    Purge,
}

impl SettingKey {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::IdSpace => "id_space",
            Self::Models => "models",
            Self::Purge => "purge",
        }
    }
}

impl ReadView<'_> {
    /// A setting's value.
    pub fn setting(&self, key: SettingKey) -> Result<Option<String>, StoreError> {
        let table = self.transaction.open_table(SETTINGS)?;
        Ok(table.get(key.name())?.map(|value| value.value().to_owned()))
    }
}
