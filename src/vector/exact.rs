//! Exact search by dot products over single-precision numbers: the measure for the approximate index in
//! tests.

use super::builder::check_vectors;
use super::{VectorError, checked_query};
use crate::domain::{Embedding, EmbeddingSpace, MovieId};
use crate::math::top_k;
use crate::recommend::{NearestNeighbors, PortError};

/// Partial sums that are kept side by side, so that the compiler can use wide registers.
const LANES: usize = 16;

/// The embeddings of one space, one after the other.
#[derive(Clone, Debug)]
pub(super) struct ExactVectors {
    space: EmbeddingSpace,
    ids: Vec<MovieId>,
    components: Vec<f32>,
}

impl ExactVectors {
    /// Copies the vectors.
    pub(super) fn new<'v>(
        space: EmbeddingSpace,
        vectors: impl Iterator<Item = (MovieId, &'v [f32])>,
    ) -> Result<Self, VectorError> {
        let vectors: Vec<(MovieId, &[f32])> = vectors.collect();
        check_vectors(&space, &vectors)?;
        let ids = vectors.iter().map(|&(movie, _)| movie).collect();
        let mut components = Vec::with_capacity(vectors.len() * space.dim);
        for (_, vector) in vectors {
            components.extend_from_slice(vector);
        }
        Ok(Self { space, ids, components })
    }
}

impl NearestNeighbors for ExactVectors {
    fn nearest(&self, query: &Embedding, k: usize) -> Result<Vec<(MovieId, f32)>, PortError> {
        let query = checked_query(&self.space, query)?;
        let rows = self.components.chunks_exact(self.space.dim.max(1));
        let similarities = self.ids.iter().zip(rows).map(|(&movie, row)| (movie, dot(query, row))).collect();
        Ok(top_k(similarities, k, |left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0))))
    }

    fn len(&self) -> usize {
        self.ids.len()
    }
}

fn dot(left: &[f32], right: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (left_lanes, left_rest) = left.as_chunks::<LANES>();
    let (right_lanes, right_rest) = right.as_chunks::<LANES>();
    for (left, right) in left_lanes.iter().zip(right_lanes) {
        for lane in 0..LANES {
            sums[lane] += left[lane] * right[lane];
        }
    }
    let rest: f32 = left_rest.iter().zip(right_rest).map(|(left, right)| left * right).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn finds_the_nearest_and_breaks_ties_by_id() {
        let space = EmbeddingSpace { encoder: "e".into(), dim: 18 };
        let unit = |position: usize| {
            let mut components = vec![0.0; 18];
            components[position] = 1.0;
            components
        };
        let (first, last) = (unit(0), unit(17));
        let vectors = [(MovieId(3), &last[..]), (MovieId(2), &first), (MovieId(1), &last)];
        let exact = ExactVectors::new(space, vectors.into_iter()).unwrap();
        let query = Embedding::new(unit(17)).unwrap();
        assert_eq!(exact.nearest(&query, 2).unwrap(), [(MovieId(1), 1.0), (MovieId(3), 1.0)]);
        assert_eq!(exact.nearest(&query, 9).unwrap().len(), 3);
    }

    #[test]
    fn the_dot_product_equals_a_plain_sum() {
        let (_, vectors) = sample::clustered(2, 77);
        let (left, right) = (vectors[0].1.components(), vectors[1].1.components());
        let plain: f32 = left.iter().zip(right).map(|(a, b)| a * b).sum();
        assert!((dot(left, right) - plain).abs() < 1e-6);
    }
}
