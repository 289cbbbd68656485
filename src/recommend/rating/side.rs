//! One side of the factorisation, people or movies: its features, their weights, and one Gibbs round over them.
//!
//! A row's vector is t = o + Σ_j x_j w_j: the row's own vector plus those of its features (who rated it, genres, …),
//! each of [`DIM`] numbers, the first of which is a bias. Given the other side's vectors the ratings are linear in t
//! with design (1, q₁ … q_K), so each row's ratings enter only by their Gram matrix, and the features are updated on
//! rows instead of ratings (the relational blocks of Rendle 2013, "Scaling Factorization Machines to Relational
//! Data"). Own vectors are drawn as a whole (Salakhutdinov & Mnih 2008, "Bayesian Probabilistic Matrix Factorization
//! using MCMC"), features one coordinate after the other.

use std::ops::Range;

use rayon::prelude::*;

use crate::math::{Cholesky, Random, SparseRows};

/// Length of the vectors: a bias and seven factors. More factors fit the past better and predict no better.
pub(super) const DIM: usize = 8;

/// So many vectors of the usual variance are believed to have been seen before the first.
const USUAL_VECTORS: f64 = 10.0;

/// A bias and factors.
pub(super) type Vector = [f32; DIM];

/// The dot product of a vector with the design (1, q₁ … q_K) that another one makes.
pub(super) fn interact(vector: &Vector, other: &Vector) -> f32 {
    vector[0] + vector[1..].iter().zip(&other[1..]).map(|(a, b)| a * b).sum::<f32>()
}

/// Features of rows, in groups that share a prior.
#[derive(Clone, Debug)]
pub(super) struct Features {
    /// Features × rows.
    by_feature: SparseRows,
    groups: Vec<Range<usize>>,
}

impl Features {
    /// Joins tables of features (each rows × its own features) side by side; each is a group.
    pub(super) fn new(n_rows: usize, tables: &[SparseRows]) -> Self {
        let mut groups = Vec::new();
        let mut n_features = 0;
        for table in tables {
            groups.push(n_features..n_features + table.n_columns());
            n_features += table.n_columns();
        }
        let entries = (0..n_rows).flat_map(|row| {
            tables.iter().zip(&groups).flat_map(move |(table, group)| {
                let (columns, values) = table.row(row);
                columns.iter().zip(values).map(move |(&j, &x)| (row as u32, group.start as u32 + j, x))
            })
        });
        Self { by_feature: SparseRows::from_sorted(n_rows, n_features, entries).transposed(), groups }
    }
}

/// Normal prior of a group: independent coordinates with mean and precision, themselves drawn from hyperpriors.
#[derive(Clone, Debug)]
pub(super) struct Prior {
    pub(super) mean: Vector,
    pub(super) precision: Vector,
}

impl Prior {
    fn new(unit: f32) -> Self {
        let precision = std::array::from_fn(|f| 1.0 / Self::usual_variance(f, unit) as f32);
        Self { mean: [0.0; DIM], precision }
    }

    /// Variance that a coordinate usually has when a rating's usual distance from another is `unit`: a bias is in that
    /// unit, a factor in its square root, since two of them make a rating.
    fn usual_variance(coordinate: usize, unit: f32) -> f64 {
        0.1 * f64::from(if coordinate == 0 { unit * unit } else { unit })
    }

    /// Draws mean and precision given the vectors of the group: normal-gamma, with a hyperprior that weighs like
    /// [`USUAL_VECTORS`] vectors of the usual variance, and like one vector at zero for the mean.
    fn draw(&mut self, vectors: &[Vector], unit: f32, random: &mut Random) {
        let n = vectors.len() as f64;
        for f in 0..DIM {
            let sum: f64 = vectors.iter().map(|vector| f64::from(vector[f])).sum();
            let mean = f64::from(self.mean[f]);
            let squares: f64 = vectors.iter().map(|vector| (f64::from(vector[f]) - mean).powi(2)).sum();
            let usual = USUAL_VECTORS * Self::usual_variance(f, unit);
            let precision = random.gamma((USUAL_VECTORS + n + 1.0) / 2.0, (usual + squares + mean * mean) / 2.0);
            self.precision[f] = precision as f32;
            self.mean[f] = (sum / (n + 1.0) + random.normal() / (precision * (n + 1.0)).sqrt()) as f32;
        }
    }
}

/// What the ratings say about one row: Σ x xᵀ (lower triangle counts) and Σ e x over its ratings, with design x and
/// error e.
#[derive(Clone, Debug)]
pub(super) struct Moments {
    pub(super) gram: [Vector; DIM],
    pub(super) error: Vector,
}

/// What a round needs to know of the rest of the model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    /// Precision of the ratings' noise.
    pub(super) noise_precision: f32,
    /// Seed of the model.
    pub(super) seed: u64,
    /// Number of the round.
    pub(super) number: u64,
    /// Number of the side.
    pub(super) side: u64,
}

/// The vectors of one side.
#[derive(Clone, Debug)]
pub(super) struct Side {
    features: Features,
    own: Vec<Vector>,
    weights: Vec<Vector>,
    totals: Vec<Vector>,
    own_prior: Prior,
    priors: Vec<Prior>,
    /// Usual distance of one rating from another.
    unit: f32,
}

impl Side {
    /// Begins with small random own factors.
    pub(super) fn new(features: Features, unit: f32, (seed, side): (u64, u64)) -> Self {
        let mut random = Random::of(seed, [u64::MAX, side, 0]);
        let mut draw = || std::array::from_fn(|f| if f == 0 { 0.0 } else { 0.1 * random.normal() as f32 });
        let own: Vec<Vector> = (0..features.by_feature.n_columns()).map(|_| draw()).collect();
        Self {
            totals: own.clone(),
            own,
            weights: vec![[0.0; DIM]; features.by_feature.n_rows()],
            own_prior: Prior::new(unit),
            priors: vec![Prior::new(unit); features.groups.len()],
            unit,
            features,
        }
    }

    /// Each row's own vector plus its features'.
    pub(super) fn totals(&self) -> &[Vector] {
        &self.totals
    }

    /// The vectors of a group of features.
    pub(super) fn weights_of(&self, group: usize) -> &[Vector] {
        &self.weights[self.features.groups[group].clone()]
    }

    /// The prior of the own vectors.
    pub(super) fn own_prior(&self) -> &Prior {
        &self.own_prior
    }

    /// One Gibbs round over this side. `columns` names the other side's row of each rating, `targets` holds what its
    /// value is beyond the mean.
    pub(super) fn update(&mut self, (columns, targets): (&SparseRows, &[f32]), other: &[Vector], round: Round) {
        let mut moments: Vec<Moments> = (0..self.totals.len())
            .into_par_iter()
            .map(|row| moments(columns.row(row).0, &targets[columns.range(row)], &self.totals[row], other))
            .collect();
        self.draw_own(&mut moments, round);
        self.draw_weights(&mut moments, round);
        let mut random = Random::of(round.seed, [round.number, round.side, u64::MAX]);
        self.own_prior.draw(&self.own, self.unit, &mut random);
        for (prior, group) in self.priors.iter_mut().zip(&self.features.groups) {
            prior.draw(&self.weights[group.clone()], self.unit, &mut random);
        }
    }

    fn draw_own(&mut self, moments: &mut [Moments], round: Round) {
        let prior = &self.own_prior;
        let rows = self.own.par_iter_mut().zip(&mut self.totals).zip(moments).enumerate();
        rows.for_each(|(row, ((own, total), moments))| {
            let mut random = Random::of(round.seed, [round.number, round.side, row as u64]);
            let (factor, drawn) = posterior(prior, round.noise_precision, moments, own);
            let mut deviation: Vec<f64> = (0..DIM).map(|_| random.normal()).collect();
            factor.solve_upper(&mut deviation);
            let change: Vector = std::array::from_fn(|f| (drawn[f] + deviation[f]) as f32 - own[f]);
            add(own, &change);
            add(total, &change);
            moments.explain(&change);
        });
    }

    fn draw_weights(&mut self, moments: &mut [Moments], round: Round) {
        let Features { by_feature, groups, .. } = &self.features;
        if by_feature.n_rows() == 0 {
            return;
        }
        let mut random = Random::of(round.seed, [round.number, round.side, u64::MAX - 1]);
        let alpha = round.noise_precision;
        let mut diagonal = vec![0.0_f32; moments.len()];
        let mut errors = vec![0.0_f32; moments.len()];
        let mut changes = vec![[0.0_f32; DIM]; moments.len()];
        for f in 0..DIM {
            for (row, moments) in moments.iter().enumerate() {
                diagonal[row] = moments.gram[f][f];
                // The coordinates before f have moved already.
                errors[row] = moments.error[f] - dot(&moments.gram[f], &changes[row]);
            }
            for (group, prior) in groups.iter().zip(&self.priors) {
                let (lambda, pull) = (prior.precision[f], prior.precision[f] * prior.mean[f]);
                for feature in group.clone() {
                    let (rows, values) = by_feature.row(feature);
                    let (mut curvature, mut slope) = (0.0_f32, 0.0_f32);
                    for (&row, &x) in rows.iter().zip(values) {
                        curvature += x * x * diagonal[row as usize];
                        slope += x * errors[row as usize];
                    }
                    let weight = &mut self.weights[feature][f];
                    let precision = lambda + alpha * curvature;
                    let mean = (pull + alpha * (slope + curvature * *weight)) / precision;
                    let change = mean + random.normal() as f32 / precision.sqrt() - *weight;
                    *weight += change;
                    for (&row, &x) in rows.iter().zip(values) {
                        errors[row as usize] -= x * diagonal[row as usize] * change;
                        changes[row as usize][f] += x * change;
                    }
                }
            }
        }
        for (total, change) in self.totals.iter_mut().zip(&changes) {
            add(total, change);
        }
    }
}

impl Moments {
    /// Takes into account that the row's vector changed.
    fn explain(&mut self, change: &Vector) {
        for f in 0..DIM {
            self.error[f] -= dot(&self.gram[f], change);
        }
    }
}

/// The moments of a row with this vector; `columns` are the other side's rows of its ratings, `targets` their values
/// beyond the mean.
pub(super) fn moments(columns: &[u32], targets: &[f32], total: &Vector, other: &[Vector]) -> Moments {
    let mut moments = Moments { gram: [[0.0; DIM]; DIM], error: [0.0; DIM] };
    for (&column, target) in columns.iter().zip(targets) {
        let mut design = other[column as usize];
        let bias = std::mem::replace(&mut design[0], 1.0);
        let error = target - bias - dot(total, &design);
        for ((row, slope), scale) in moments.gram.iter_mut().zip(&mut moments.error).zip(design) {
            for (sum, x) in row.iter_mut().zip(&design) {
                *sum += scale * x;
            }
            *slope += error * scale;
        }
    }
    moments
}

/// Normal posterior of an own vector, given the moments of its row and the value it has in them: the factored
/// precision matrix, and the mean.
pub(super) fn posterior(prior: &Prior, noise_precision: f32, moments: &Moments, own: &Vector) -> (Cholesky, Vec<f64>) {
    let alpha = f64::from(noise_precision);
    let mut matrix = vec![0.0_f64; DIM * DIM];
    let mut right = vec![0.0_f64; DIM];
    for f in 0..DIM {
        for g in 0..=f {
            matrix[f * DIM + g] = alpha * f64::from(moments.gram[f][g]);
        }
        let precision = f64::from(prior.precision[f]);
        matrix[f * DIM + f] += precision;
        let without_own = moments.error[f] + dot(&moments.gram[f], own);
        right[f] = precision * f64::from(prior.mean[f]) + alpha * f64::from(without_own);
    }
    let factor = Cholesky::factor(DIM, matrix);
    let mean = factor.solve(right);
    (factor, mean)
}

/// The dot product.
pub(super) fn dot(a: &Vector, b: &Vector) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut Vector, change: &Vector) {
    for (to, change) in to.iter_mut().zip(change) {
        *to += change;
    }
}
