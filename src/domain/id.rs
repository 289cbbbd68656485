//! Identifiers. `MovieId` and `UserId` come from outside and are stable; `ItemIdx` and `UserIdx` are dense positions
//! that mean something only together with the [`Vocabulary`](super::Vocabulary) of the same snapshot.

use std::fmt;

/// A movie's identifier in the data set it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MovieId(pub u32);

/// A person's identifier in the data set it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub u32);

/// Row of a movie in the catalogue of one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemIdx(pub u32);

/// Row of a user in the rating matrix of one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserIdx(pub u32);

impl ItemIdx {
    /// The row as a slice index.
    pub fn row(self) -> usize {
        self.0 as usize
    }
}

impl UserIdx {
    /// The row as a slice index.
    pub fn row(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for MovieId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
