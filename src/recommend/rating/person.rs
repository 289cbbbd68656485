//! A person, placed among the movies by what they rated.
//!
//! In every sample of the factorisation the movies' vectors are given, so that a person's vector has a normal posterior
//! whose mean is one small solve (ridge regression with the sample's prior). Nothing else is known of a person: new
//! people and new ratings count at once.

use super::factorisation::Sample;
use super::side::{DIM, Vector, dot, interact, moments, posterior};

/// The most that one rating may be taken to have shaped the person's vector; above it, leaving it out says nothing.
const MAX_LEVERAGE: f32 = 0.95;

/// A rating, and what it is beyond what the person's other ratings let expect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rated {
    pub(super) item: u32,
    pub(super) time: i64,
    pub(super) value: f32,
    /// Leave-one-out residual: e / (1 − h) with the residual e and the leverage h of the rating (Allen 1974, PRESS).
    pub(super) residual: f32,
}

/// A person's vector in every sample, and their ratings by ascending time, then item.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) vectors: Vec<Vector>,
    pub(super) rated: Vec<Rated>,
}

impl Person {
    /// Places a person by distinct `(item, time, value)`.
    pub(super) fn place(samples: &[Sample], history: &[(u32, i64, f32)]) -> Self {
        let mut rated: Vec<Rated> =
            history.iter().map(|&(item, time, value)| Rated { item, time, value, residual: 0.0 }).collect();
        rated.sort_unstable_by_key(|rated| (rated.time, rated.item));
        let items: Vec<u32> = rated.iter().map(|rated| rated.item).collect();
        let vectors = samples.iter().map(|sample| place_in(sample, &items, &mut rated)).collect();
        for rated in &mut rated {
            rated.residual /= samples.len().max(1) as f32;
        }
        Self { vectors, rated }
    }

    /// Mean and variance of the predicted rating over the samples.
    pub(super) fn predict(&self, samples: &[Sample], item: u32) -> (f32, f32) {
        let (mut sum, mut squares) = (0.0_f32, 0.0_f32);
        for (sample, vector) in samples.iter().zip(&self.vectors) {
            let movie = &sample.items[item as usize];
            let rating = movie[0] + interact(vector, movie) + sample.mean;
            sum += rating;
            squares += rating * rating;
        }
        let n = samples.len().max(1) as f32;
        let mean = sum / n;
        (mean, (squares / n - mean * mean).max(0.0))
    }
}

/// The person's vector in one sample; adds the leave-one-out residuals of this sample to those of `rated`.
fn place_in(sample: &Sample, items: &[u32], rated: &mut [Rated]) -> Vector {
    let mut base = [0.0_f32; DIM];
    let scale = 1.0 / (items.len().max(1) as f32).sqrt();
    if !sample.implicit.is_empty() {
        for &item in items {
            for (base, implied) in base.iter_mut().zip(&sample.implicit[item as usize]) {
                *base += scale * implied;
            }
        }
    }
    let targets: Vec<f32> = rated.iter().map(|rated| rated.value - sample.mean).collect();
    let moments = moments(items, &targets, &base, &sample.items);
    let (factor, own) = posterior(&sample.prior, sample.noise_precision, &moments, &[0.0; DIM]);
    let vector: Vector = std::array::from_fn(|f| base[f] + own[f] as f32);
    // Column by column, which is as good as row by row: it is symmetric.
    let covariance: [Vector; DIM] = std::array::from_fn(|f| {
        let mut unit = vec![0.0_f64; DIM];
        unit[f] = 1.0;
        let column = factor.solve(unit);
        std::array::from_fn(|g| column[g] as f32)
    });
    for ((rated, &item), target) in rated.iter_mut().zip(items).zip(targets) {
        let mut design = sample.items[item as usize];
        let residual = target - design[0] - interact(&vector, &design);
        design[0] = 1.0;
        // Row by row instead of one dot product per row, so that eight numbers are added at once.
        let mut image = [0.0_f32; DIM];
        for (row, x) in covariance.iter().zip(design) {
            for (sum, entry) in image.iter_mut().zip(row) {
                *sum += x * entry;
            }
        }
        let variance = dot(&image, &design);
        rated.residual += residual / (1.0 - (sample.noise_precision * variance).min(MAX_LEVERAGE));
    }
    vector
}

#[cfg(test)]
mod tests {
    use super::super::factorisation::Sample;
    use super::super::side::Prior;
    use super::*;
    use crate::math::Random;

    /// A sample with so many movies of random vectors.
    fn sample(n_items: usize) -> Sample {
        let mut random = Random::new(5);
        let mut vector = || std::array::from_fn(|_| 0.4 * random.normal() as f32);
        let items = (0..n_items).map(|_| vector()).collect();
        let prior = Prior { mean: [0.1; DIM], precision: [4.0; DIM] };
        Sample { mean: 3.5, noise_precision: 1.5, items, implicit: Vec::new(), prior }
    }

    fn history(n: u32) -> Vec<(u32, i64, f32)> {
        (0..n).map(|item| (item, i64::from(100 - item), 1.0 + (item * 7 % 5) as f32)).collect()
    }

    #[test]
    fn a_residual_is_what_the_other_ratings_leave() {
        let samples = [sample(12)];
        let all = Person::place(&samples, &history(12));
        for rated in &all.rated {
            let others: Vec<_> = history(12).into_iter().filter(|&(item, ..)| item != rated.item).collect();
            let (expected, _) = Person::place(&samples, &others).predict(&samples, rated.item);
            let error = rated.value - expected - rated.residual;
            assert!(error.abs() < 1e-3, "{rated:?}: {expected}");
        }
    }

    #[test]
    fn nobody_is_the_prior_and_ratings_pull() {
        let samples = [sample(12)];
        let expect = |history: &[(u32, i64, f32)]| Person::place(&samples, history).predict(&samples, 3).0;
        let movie = samples[0].items[3];
        let prior = 3.5 + movie[0] + interact(&samples[0].prior.mean, &movie);
        assert!((expect(&[]) - prior).abs() < 1e-5);
        assert!(expect(&[(3, 0, 5.0)]) > expect(&[(3, 0, 1.0)]) + 0.1);
    }

    #[test]
    fn ratings_are_kept_in_the_order_of_their_times() {
        let person = Person::place(&[sample(12)], &history(12));
        assert!(person.rated.is_sorted_by_key(|rated| rated.time));
    }
}
