//! The movies like a given one that were found before. Each generation has a memory of its own, as for the lists of people
//! ([`super::list_memory`]).

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::domain::MovieId;

/// As many are found at once, where fewer are wanted.
pub(super) const N_KEPT: usize = 50;

/// All that is kept, at most: 500 bytes for each movie.
const MAX_BYTES: u64 = 32 << 20;
/// What a list takes beside its rows.
const OVERHEAD_BYTES: usize = 96;

/// Movies with their scores, best first.
pub(super) type Neighbours = Arc<[(MovieId, f32)]>;

#[derive(Clone)]
struct Bytewise;

impl Weighter<MovieId, Neighbours> for Bytewise {
    fn weight(&self, _: &MovieId, neighbours: &Neighbours) -> u64 {
        (size_of_val(&**neighbours) + OVERHEAD_BYTES) as u64
    }
}

/// The best neighbours of movies by the default method, at most [`N_KEPT`] of each.
pub(super) struct SimilarMemory(Cache<MovieId, Neighbours, Bytewise>);

impl Default for SimilarMemory {
    fn default() -> Self {
        Self(Cache::with_weighter(MAX_BYTES as usize / (4 * OVERHEAD_BYTES), MAX_BYTES, Bytewise))
    }
}

impl SimilarMemory {
    /// Neighbours that were found before.
    pub(super) fn get(&self, movie: MovieId) -> Option<Neighbours> {
        self.0.get(&movie)
    }

    /// Keeps the neighbours of a movie.
    pub(super) fn keep(&self, movie: MovieId, neighbours: Neighbours) {
        self.0.insert(movie, neighbours);
    }

    /// Whether a further list would push out another.
    pub(super) fn is_full(&self) -> bool {
        // Each part of the memory has its share of the room, and they do not fill alike.
        self.0.weight() >= MAX_BYTES / 4 * 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_kept_as_far_as_there_is_room() {
        let memory = SimilarMemory::default();
        let neighbours: Neighbours = (0..50).map(|id| (MovieId(id), 0.5)).collect();
        for movie in 0..200_000 {
            memory.keep(MovieId(movie), Arc::clone(&neighbours));
            assert!(movie > 1_000 || !memory.is_full());
        }
        assert!(memory.is_full() && memory.0.weight() <= MAX_BYTES);
        assert!(memory.0.len() > 10_000);
        memory.keep(MovieId(7), Arc::new([(MovieId(8), 1.0)]));
        assert_eq!(*memory.get(MovieId(7)).unwrap(), [(MovieId(8), 1.0)]);
        assert!(memory.get(MovieId(900_000)).is_none());
    }
}
