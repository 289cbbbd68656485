//! Nearest neighbours among embeddings: a scan of all vectors, which misses nothing, as long as the catalogue is small,
//! and above that an approximate index (HNSW, [`VectorIndex`]). The tests hold both against an exact search. The only
//! room that knows usearch.
//!
//! usearch trusts its input: a corrupt file or a search during a reservation crashes the process. So an index is built,
//! then frozen; its file is read only when its hash is the one that was written beside it; vectors are checked first.

mod builder;
#[cfg(test)]
mod exact;
mod file;
#[cfg(test)]
mod sample;
mod scan;

use std::fmt::Display;

#[cfg(test)]
use exact::ExactVectors;
pub use file::remove_others;
use scan::{MAX_SCANNED, Scan};

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
    scan: Option<Scan>,
}

impl VectorIndex {
    /// The index with what it needs to answer by a scan, if it is small enough; `movies` are those it holds.
    pub fn with_scan(mut self, movies: impl Iterator<Item = MovieId>) -> Self {
        if self.len <= MAX_SCANNED {
            let mut movies: Vec<MovieId> = movies.collect();
            movies.sort_unstable();
            let vectors = movies.into_iter().filter_map(|movie| Some((movie, self.components(movie)?)));
            self.scan = Some(Scan::new(self.space.dim, vectors));
        }
        self
    }

    /// A movie's vector, rounded as usearch keeps it.
    fn components(&self, movie: MovieId) -> Option<Vec<f32>> {
        let mut components = vec![0.0_f32; self.space.dim];
        let found = self.index.get(u64::from(movie.0), &mut components).ok()?;
        (found == 1).then_some(components)
    }
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
        if let Some(scan) = &self.scan {
            return Ok(scan.nearest(components, k));
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
        // Half precision is not quite of length one; `Embedding` is.
        Embedding::new(self.components(movie)?).ok()
    }

    fn cosines(&self, query: &Embedding, movies: &[MovieId]) -> Vec<Option<f32>> {
        let query = query.components();
        let cosine = |&movie: &MovieId| match &self.scan {
            Some(scan) => scan.cosine(query, movie),
            None => self.components(movie).map(|own| dot(&own, query)),
        };
        movies.iter().map(cosine).collect()
    }

    fn len(&self) -> usize {
        self.len
    }
}

fn dot(left: &[f32], right: &[f32]) -> f32 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
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
