//! Exhaustive search for catalogues that are small enough: every vector as 8-bit numbers first, then the nearest of them
//! again as bfloat16, the numbers that usearch keeps.
//!
//! A graph is walked from link to link, and does not always arrive: of 9,010 real films it missed every fiftieth of the
//! ten nearest, now and then the nearest of all. Reading everything in order takes 0.5 ms there (768 components, AVX2)
//! whatever the length of the list, which for long lists is less than the walk.

use std::cmp::Ordering;

use crate::domain::MovieId;
use crate::math::{dot_bf16, dots_i8, to_bf16, top_k};

/// Vectors above which there is no scan: three bytes of memory per component.
pub(super) const MAX_SCANNED: usize = 32_768;
/// Largest 8-bit number in use.
const COARSE: f32 = 127.0;

/// The vectors, one after the other, by ascending movie id.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    dim: usize,
    movies: Vec<MovieId>,
    /// Each vector in multiples of its step.
    coarse: Vec<i8>,
    steps: Vec<f32>,
    fine: Vec<u16>,
}

impl Scan {
    /// Copies the vectors, which come by ascending movie id.
    pub(super) fn new(dim: usize, vectors: impl Iterator<Item = (MovieId, Vec<f32>)>) -> Self {
        let mut scan = Self { dim, movies: Vec::new(), coarse: Vec::new(), steps: Vec::new(), fine: Vec::new() };
        for (movie, components) in vectors {
            let (step, coarse) = coarse(&components);
            scan.movies.push(movie);
            scan.steps.push(step);
            scan.coarse.extend(coarse);
            scan.fine.extend(components.iter().map(|&component| to_bf16(component)));
        }
        // Growing leaves up to as much again unused.
        scan.coarse.shrink_to_fit();
        scan.fine.shrink_to_fit();
        scan
    }

    /// The `k` movies with the largest cosine, best first.
    pub(super) fn nearest(&self, query: &[f32], k: usize) -> Vec<(MovieId, f32)> {
        let (_, query_coarse) = coarse(query);
        let dots = dots_i8(&query_coarse.collect::<Vec<i8>>(), &self.coarse);
        let rough = (0_u32..).zip(dots.iter().zip(&self.steps)).map(|(row, (&dot, step))| (row, dot as f32 * step));
        // 8-bit numbers misjudge a cosine by some thousandths, and so few movies lie that close to the last place.
        let found = top_k(rough.collect(), k.saturating_add(k / 4 + 32), best_first);
        let exact = found.into_iter().map(|(row, _)| (row, self.dot(row as usize, query))).collect();
        let exact = top_k(exact, k, best_first).into_iter();
        exact.map(|(row, cosine)| (self.movies[row as usize], cosine.clamp(-1.0, 1.0))).collect()
    }

    /// The cosine with a movie, if it has a vector.
    pub(super) fn cosine(&self, query: &[f32], movie: MovieId) -> Option<f32> {
        let row = self.movies.binary_search(&movie).ok()?;
        Some(self.dot(row, query).clamp(-1.0, 1.0))
    }

    fn dot(&self, row: usize, query: &[f32]) -> f32 {
        dot_bf16(&self.fine[row * self.dim..][..self.dim], query)
    }
}

/// A vector in whole steps, and the size of a step.
fn coarse(components: &[f32]) -> (f32, impl Iterator<Item = i8> + '_) {
    let largest = components.iter().fold(f32::MIN_POSITIVE, |most, component| most.max(component.abs()));
    (largest / COARSE, components.iter().map(move |component| (component / largest * COARSE).round() as i8))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as `top_k` takes it")]
fn best_first(left: &(u32, f32), right: &(u32, f32)) -> Ordering {
    right.1.total_cmp(&left.1).then(left.0.cmp(&right.0))
}

#[cfg(test)]
mod tests {
    use super::super::{ExactVectors, sample};
    use super::*;
    use crate::recommend::NearestNeighbors;

    #[test]
    fn the_nearest_are_those_of_exact_search() {
        let (space, vectors) = sample::clustered(3_000, 96);
        let scan = Scan::new(96, sample::pairs(&vectors).map(|(movie, components)| (movie, components.to_vec())));
        assert_eq!((scan.coarse.capacity(), scan.fine.capacity()), (3_000 * 96, 3_000 * 96));
        let exact = ExactVectors::new(space, sample::pairs(&vectors)).unwrap();
        let mut shared = 0;
        for query in sample::queries(&vectors, 100) {
            let expected = exact.nearest(&query, 100).unwrap();
            let found = scan.nearest(query.components(), 100);
            assert!(found.is_sorted_by(|left, right| left.1 >= right.1));
            shared += found.iter().filter(|(movie, _)| expected.iter().any(|(other, _)| other == movie)).count();
            for (movie, cosine) in &found[..10] {
                assert_eq!(scan.cosine(query.components(), *movie), Some(*cosine));
                let (_, exact) = expected.iter().find(|(other, _)| other == movie).unwrap();
                assert!((cosine - exact).abs() < 2e-3);
            }
        }
        // What remains is the rounding to bfloat16, which swaps neighbours at the very end of the list.
        assert!(shared >= 9_900, "{shared} of 10,000");
    }

    #[test]
    fn few_none_and_unknown_movies() {
        let (_, vectors) = sample::clustered(3, 8);
        let scan = Scan::new(8, sample::pairs(&vectors).map(|(movie, components)| (movie, components.to_vec())));
        let query = vectors[1].1.components();
        assert_eq!(scan.nearest(query, 10).len(), 3);
        assert_eq!(scan.nearest(query, 1)[0].0, vectors[1].0);
        assert!(scan.nearest(query, 0).is_empty());
        assert_eq!(scan.cosine(query, MovieId(999)), None);
        let empty = Scan::new(8, std::iter::empty());
        assert!(empty.nearest(query, 3).is_empty());
    }
}
