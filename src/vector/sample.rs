//! Random clustered unit vectors for tests, the same in every run.

use crate::domain::{Embedding, EmbeddingSpace, MovieId};

/// A small generator of numbers in -1 to 1 (xorshift64*), so that tests need no crate for it.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    }
}

/// `n` vectors around some thirty centres.
pub(super) fn clustered(n: usize, dim: usize) -> (EmbeddingSpace, Vec<(MovieId, Embedding)>) {
    let mut random = Random(42);
    let centres: Vec<Vec<f32>> = (0..30).map(|_| (0..dim).map(|_| random.next()).collect()).collect();
    let vectors = (0..n)
        .map(|position| {
            let centre = &centres[position % centres.len()];
            let components = centre.iter().map(|value| value + 0.6 * random.next()).collect();
            (MovieId(position as u32 * 3 + 1), Embedding::new(components).unwrap())
        })
        .collect();
    (EmbeddingSpace { encoder: "sample".into(), dim }, vectors)
}

/// The vectors in the form that building takes.
pub(super) fn pairs(vectors: &[(MovieId, Embedding)]) -> impl Iterator<Item = (MovieId, &[f32])> {
    vectors.iter().map(|(movie, embedding)| (*movie, embedding.components()))
}

/// Queries near some of the vectors.
pub(super) fn queries(vectors: &[(MovieId, Embedding)], n: usize) -> Vec<Embedding> {
    let mut random = Random(7);
    let near = vectors.iter().step_by((vectors.len() / n).max(1)).take(n);
    near.map(|(_, embedding)| {
        let scale = (embedding.components().len() as f32).sqrt().recip();
        Embedding::new(embedding.components().iter().map(|value| value + 0.5 * scale * random.next()).collect())
            .unwrap()
    })
    .collect()
}
