//! What the methods need from outside floor 0, in domain words. `vector` and `inference` implement these.

use super::ranking::Row;
use crate::domain::{Embedding, EmbeddingSpace, ItemIdx, MovieId, Query};

/// Questions that may be answered at once, at most, and so the callers that a port must be able to take at once.
pub const MAX_QUESTIONS: usize = 512;

/// Why a port did not answer.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// Too much is waiting already; ask again later.
    #[error("{0} is busy: its queue is full")]
    Busy(&'static str),
    /// It failed for another reason.
    #[error("{0} failed: {1}")]
    Failed(&'static str, String),
}

/// Turns texts into embeddings of one space.
pub trait TextEncoder: Send + Sync {
    /// The space of the embeddings.
    fn space(&self) -> &EmbeddingSpace;

    /// One embedding per text, in the same order. Blocks until the model has run.
    fn encode(&self, texts: &[String]) -> Result<Vec<Embedding>, PortError>;

    /// The same for what people ask, some of which is asked again and again.
    fn encode_queries(&self, texts: &[String]) -> Result<Vec<Embedding>, PortError> {
        self.encode(texts)
    }
}

/// Finds the movies whose embedding is nearest to a given one.
pub trait NearestNeighbors: Send + Sync {
    /// At most `k` movies with their cosine similarity, best first.
    fn nearest(&self, query: &Embedding, k: usize) -> Result<Vec<(MovieId, f32)>, PortError>;

    /// A movie's own embedding, where the index has one and can give it back.
    fn embedding(&self, _movie: MovieId) -> Option<Embedding> {
        None
    }

    /// The cosine of the query with each of these movies; `None` for a movie without an embedding.
    fn cosines(&self, query: &Embedding, movies: &[MovieId]) -> Vec<Option<f32>> {
        movies.iter().map(|&movie| self.embedding(movie).map(|own| own.cosine(query))).collect()
    }

    /// Number of movies that have an embedding.
    fn len(&self) -> usize;

    /// Whether none has.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Predicts ratings of one person for movies of the catalogue it was prepared for.
pub trait PairScorer: Send + Sync {
    /// One predicted rating per item, on the data set's own scale, for the person, history and time of the query; what
    /// else the query says does not count. A person it knows nothing about gets the prediction for an average unknown
    /// person. Blocks until the model has run.
    fn predict(&self, query: &Query, items: &[ItemIdx]) -> Result<Vec<f32>, PortError>;
}

/// Orders candidates by their features: the second stage of the hybrid.
pub trait Ranker: Send + Sync {
    /// Public name, as in answers.
    fn name(&self) -> &'static str;

    /// One score per row of [`FEATURES`](super::ranking::FEATURES), higher is better. Blocks until the model has run.
    fn score(&self, rows: &[Row]) -> Result<Vec<f32>, PortError>;
}
