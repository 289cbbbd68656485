//! The vocabulary of the program: movies, ratings, queries, ranked lists.
//!
//! Floor 0. No I/O, no serialisation, no foreign crate but `thiserror`. A value that a type of this room
//! can refuse is valid by construction. Times and the figures of a [`Movie`] are plain numbers: whoever brings them in
//! (an import, the store) checks them there, and nobody checks them again.

mod catalogue;
mod embedding;
mod filter;
mod id;
mod movie;
mod query;
mod ranking;
mod rating;
mod split;
mod vocabulary;

pub use catalogue::{Catalogue, Popularity};
pub use embedding::{Embedding, EmbeddingError, EmbeddingSpace};
pub use filter::MovieFilter;
pub use id::{ItemIdx, MovieId, UserId, UserIdx};
pub use movie::{Movie, Votes, imdb_text};
pub use query::{Query, RatedMovie};
pub use ranking::{RankedList, Score, ScoredItem};
pub use rating::{Interaction, MAX_TIMESTAMP_S, Rating, RatingError, RatingMatrix, RatingMatrixBuilder};
pub use split::{Split, folds, global_temporal, user_temporal};
pub use vocabulary::Vocabulary;
