//! Nearest neighbours among embeddings: an approximate index (HNSW, [`VectorIndex`]), which the tests hold
//! against an exact search. The only room that knows usearch.
//!
//! usearch trusts its input: a corrupt file or a search during a reservation crashes the process. So an index is built,
//! then frozen; its file is read only when its hash is the one that was written beside it; vectors are checked first.

mod builder;
#[cfg(test)]
mod exact;
mod file;
#[cfg(test)]
mod sample;

use std::fmt::Display;

#[cfg(test)]
use exact::ExactVectors;
pub use file::remove_others;

use crate::domain::{Embedding, EmbeddingSpace, MovieId};
use crate::recommend::{NearestNeighbors, PortError};

/// Name of this port in errors.
const PORT: &str = "the vector index";

/// Why an index could not be built, saved or opened.
#[derive(Debug, thiserror::Error)]
pub enum VectorError {
    /// A vector has not the dimension of the space.
    #[error("the vector of movie {movie} has {found} components; the space {space} has {expected}")]
    Dimension {
        /// Whose vector.
        movie: MovieId,
        /// Its components.
        found: usize,
        /// Name of the space.
        space: String,
        /// Components of the space.
        expected: usize,
    },
    /// A vector is not of length one.
    #[error("the vector of movie {0} has not the length one")]
    NotUnit(MovieId),
    /// A movie has two vectors.
    #[error("movie {0} has two vectors")]
    Repeated(MovieId),
    /// There is no saved index of this space and fingerprint.
    #[error("there is no saved index for this encoder and catalogue")]
    Absent,
    /// The saved index is not what was saved, or was made otherwise than this program makes it.
    #[error("the saved index {file} cannot be used: {reason}")]
    Unusable {
        /// Name of the file.
        file: String,
        /// Why.
        reason: String,
    },
    /// The file system refused.
    #[error("{path}: {source}")]
    Io {
        /// What was read or written.
        path: String,
        /// The reason given by the system.
        source: std::io::Error,
    },
    /// usearch refused.
    #[error("usearch failed to {action}: {reason}")]
    Native {
        /// What it should do.
        action: &'static str,
        /// What it said.
        reason: String,
    },
}

/// An approximate index over the embeddings of one space. Never changes; new movies wait for the next build.
pub struct VectorIndex {
    index: usearch::Index,
    space: EmbeddingSpace,
    len: usize,
}

impl std::fmt::Debug for VectorIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VectorIndex").field("space", &self.space).field("len", &self.len).finish_non_exhaustive()
    }
}

impl NearestNeighbors for VectorIndex {
    fn nearest(&self, query: &Embedding, k: usize) -> Result<Vec<(MovieId, f32)>, PortError> {
        let components = checked_query(&self.space, query)?;
        let k = k.min(self.len);
        if k == 0 {
            return Ok(Vec::new());
        }
        let matches = self.index.search(&builder::rounded(components), k).map_err(|error| {
            // More searches at once than threads were reserved: too much is waiting, nothing is wrong.
            if error.what().contains("threads") { PortError::Busy(PORT) } else { failed(error) }
        })?;
        let mut neighbours = Vec::with_capacity(k);
        for (&key, &distance) in matches.keys.iter().zip(&matches.distances) {
            let id = u32::try_from(key).map_err(|_| failed(format!("it gave the key {key}")))?;
            neighbours.push((MovieId(id), (1.0 - distance).clamp(-1.0, 1.0)));
        }
        neighbours.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
        Ok(neighbours)
    }

    fn embedding(&self, movie: MovieId) -> Option<Embedding> {
        let mut components = vec![0.0_f32; self.space.dim];
        let found = self.index.get(u64::from(movie.0), &mut components).ok()?;
        // Half precision is not quite of length one; `Embedding` is.
        if found == 1 { Embedding::new(components).ok() } else { None }
    }

    fn len(&self) -> usize {
        self.len
    }
}

fn checked_query<'q>(space: &EmbeddingSpace, query: &'q Embedding) -> Result<&'q [f32], PortError> {
    let components = query.components();
    if components.len() == space.dim {
        Ok(components)
    } else {
        Err(failed(format!("the query has {} components, the space {space}", components.len())))
    }
}

fn failed(reason: impl Display) -> PortError {
    PortError::Failed(PORT, reason.to_string())
}
