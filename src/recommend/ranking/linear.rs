//! The default ranker: weights that are linear in the features and vary with the person's time away and history.
//!
//! score = w(c)·z + a, with z the standardised features, clipped at ±5, w(c) = b₀ + c₁ b₁ + c₂ b₂, where c₁ and c₂ are
//! the standardised logarithms of the days since the last rating and of the length of the history, and a is what is not
//! learnt (`features::lasting_taste`). The weights minimise the listwise softmax loss (Cao et al. 2007, "Learning to
//! Rank: From Pairwise Approach to Listwise Approach")
//!
//!   Σ_queries −1/|P| Σ_{p ∈ P} ln( e^{w·z_p} / Σ_j e^{w·z_j} ) + λ/2 |b − prior|²
//!
//! over the liked candidates P of each query. Without examples the prior stands for the weights: a plain blend.

use rayon::prelude::*;

use super::examples::RankingExamples;
use super::features::{FEATURES, GAP, LENGTH, N_FEATURES, Row, lasting_taste};
use crate::math::minimize;
use crate::recommend::{PortError, Ranker};

/// Ridge λ, in queries.
const RIDGE: f64 = 40.0;
/// Rounds of the minimisation; the loss changes in its fifth digit after these.
const MAX_ROUNDS: usize = 80;
/// Farthest a standardised feature may lie from the mean.
const CLIP: f32 = 5.0;
/// Longest time away and history for which weights are extrapolated, in deviations above the mean.
const CONTEXT_CLIP: f32 = 3.0;
/// Parts of the weights: always, with the time away, with the length of the history.
const N_PARTS: usize = 3;
const N_WEIGHTS: usize = N_PARTS * N_FEATURES;

/// Fitted weights.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearRanker {
    mean: Row,
    deviation: Row,
    parts: [Row; N_PARTS],
}

impl LinearRanker {
    /// Fits the weights.
    pub fn fit(examples: &RankingExamples) -> Self {
        let (mean, deviation) = standard(&examples.rows);
        let mut ranker = Self { mean, deviation, parts: prior() };
        let queries = ranker.queries(examples);
        if queries.is_empty() {
            return ranker;
        }
        let prior: Vec<f64> = ranker.parts.iter().flatten().map(|&weight| f64::from(weight)).collect();
        let weights = minimize(prior.clone(), (MAX_ROUNDS, 1e-4), |weights| {
            let (mut loss, mut gradient) = sum_losses(&queries, weights);
            for ((slope, weight), believed) in gradient.iter_mut().zip(weights).zip(&prior) {
                loss += RIDGE / 2.0 * (weight - believed).powi(2);
                *slope += RIDGE * (weight - believed);
            }
            (loss, gradient)
        });
        for (weight, fitted) in ranker.parts.iter_mut().flatten().zip(weights) {
            *weight = fitted as f32;
        }
        ranker
    }

    fn queries(&self, examples: &RankingExamples) -> Vec<ListQuery> {
        let mut start = 0;
        let mut queries = Vec::with_capacity(examples.sizes.len());
        for &size in &examples.sizes {
            let range = start..start + size;
            start += size;
            let rows: Vec<Row> = examples.rows[range.clone()].iter().map(|row| self.standardised(row)).collect();
            let liked = examples.liked[range].to_vec();
            if let Some(first) = rows.first() {
                queries.push(ListQuery { context: context(first), rows, liked });
            }
        }
        queries
    }

    fn standardised(&self, row: &Row) -> Row {
        std::array::from_fn(|column| ((row[column] - self.mean[column]) / self.deviation[column]).clamp(-CLIP, CLIP))
    }

    fn weights(&self, context: [f32; N_PARTS]) -> Row {
        std::array::from_fn(|column| self.parts.iter().zip(context).map(|(part, factor)| part[column] * factor).sum())
    }
}

impl Ranker for LinearRanker {
    fn name(&self) -> &'static str {
        "hybrid-linear"
    }

    fn score(&self, rows: &[Row]) -> Result<Vec<f32>, PortError> {
        let mut context_before = [0.0; N_PARTS];
        let mut weights = [0.0; N_FEATURES];
        let mut score = |row: &Row| {
            let standardised = self.standardised(row);
            let context = context(&standardised);
            // The candidates of one query have the same.
            if context != context_before {
                (context_before, weights) = (context, self.weights(context));
            }
            let learnt: f32 = weights.iter().zip(&standardised).map(|(weight, value)| weight * value).sum();
            learnt + lasting_taste(row)
        };
        Ok(rows.iter().map(&mut score).collect())
    }
}

/// A query with standardised rows.
struct ListQuery {
    context: [f32; N_PARTS],
    rows: Vec<Row>,
    liked: Vec<bool>,
}

fn context(standardised: &Row) -> [f32; N_PARTS] {
    [1.0, standardised[GAP].min(CONTEXT_CLIP), standardised[LENGTH].min(CONTEXT_CLIP)]
}

fn prior() -> [Row; N_PARTS] {
    let mut parts = [[0.0; N_FEATURES]; N_PARTS];
    parts[0] = std::array::from_fn(|column| FEATURES[column].prior);
    parts
}

/// Mean and deviation of each feature; of a feature that never changes the deviation is 1.
fn standard(rows: &[Row]) -> (Row, Row) {
    let n = rows.len().max(1) as f64;
    let mut sums = [(0.0_f64, 0.0_f64); N_FEATURES];
    for row in rows {
        for ((sum, squares), &value) in sums.iter_mut().zip(row) {
            *sum += f64::from(value);
            *squares += f64::from(value).powi(2);
        }
    }
    let mean = sums.map(|(sum, _)| (sum / n) as f32);
    let deviation = sums.map(|(sum, squares)| {
        let variance = squares / n - (sum / n).powi(2);
        if variance > 1e-9 { variance.sqrt() as f32 } else { 1.0 }
    });
    (mean, deviation)
}

/// Loss and gradient over all queries, added up in their order, so that threads do not change the result.
fn sum_losses(queries: &[ListQuery], weights: &[f64]) -> (f64, Vec<f64>) {
    let of_queries: Vec<(f64, [f64; N_FEATURES])> = queries.par_iter().map(|query| list_loss(query, weights)).collect();
    let mut total = 0.0;
    let mut gradient = vec![0.0; N_WEIGHTS];
    for (query, (loss, slopes)) in queries.iter().zip(of_queries) {
        total += loss;
        for (part, &factor) in query.context.iter().enumerate() {
            for (sum, slope) in gradient[part * N_FEATURES..].iter_mut().zip(slopes) {
                *sum += f64::from(factor) * slope;
            }
        }
    }
    (total, gradient)
}

/// Loss of one list, and its gradient with respect to the weights in the query's own context.
fn list_loss(query: &ListQuery, weights: &[f64]) -> (f64, [f64; N_FEATURES]) {
    let of_context: [f64; N_FEATURES] = std::array::from_fn(|column| {
        (0..N_PARTS).map(|part| f64::from(query.context[part]) * weights[part * N_FEATURES + column]).sum()
    });
    let score = |row: &Row| of_context.iter().zip(row).map(|(weight, &value)| weight * f64::from(value)).sum::<f64>();
    let scores: Vec<f64> = query.rows.iter().map(score).collect();
    let highest = scores.iter().copied().fold(f64::MIN, f64::max);
    let powers: Vec<f64> = scores.iter().map(|score| (score - highest).exp()).collect();
    let total: f64 = powers.iter().sum();
    let n_liked = query.liked.iter().filter(|&&liked| liked).count().max(1) as f64;
    let mut loss = 0.0;
    let mut slopes = [0.0; N_FEATURES];
    for (((row, &liked), score), power) in query.rows.iter().zip(&query.liked).zip(&scores).zip(powers) {
        let wanted = if liked { 1.0 / n_liked } else { 0.0 };
        loss -= wanted * (score - highest - total.ln());
        let error = power / total - wanted;
        for (slope, &value) in slopes.iter_mut().zip(row) {
            *slope += error * f64::from(value);
        }
    }
    (loss, slopes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Random;
    use crate::recommend::ranking::features::EASE_RANK;

    /// Lists in which one feature decides, after another one in lists of people who were away for long.
    fn examples() -> RankingExamples {
        let mut random = Random::new(5);
        let mut examples = RankingExamples::default();
        for query in 0..200 {
            let away = query % 2 == 0;
            let mut rows: Vec<Row> = (0..20).map(|_| std::array::from_fn(|_| random.normal() as f32)).collect();
            for row in &mut rows {
                row[GAP] = f32::from(u8::from(away));
            }
            let deciding = if away { 17 } else { 0 };
            let best = (0..20).max_by(|&a, &b| rows[a][deciding].total_cmp(&rows[b][deciding])).unwrap();
            examples.liked.extend((0..20).map(|row| row == best));
            examples.rows.extend(rows);
            examples.sizes.push(20);
            examples.windows.push(0);
        }
        examples
    }

    #[test]
    fn learns_what_decides_and_when() {
        let ranker = LinearRanker::fit(&examples());
        let with = |column: usize, gap: f32| {
            let mut row = [0.0; N_FEATURES];
            (row[column], row[GAP]) = (1.0, gap);
            let mut base = row;
            base[column] = 0.0;
            let scores = ranker.score(&[row, base]).unwrap();
            scores[0] - scores[1]
        };
        assert!(with(0, 0.0) > 1.0 && with(0, 1.0) < 0.5 * with(0, 0.0));
        assert!(with(17, 1.0) > 1.0 && with(17, 0.0) < 0.5 * with(17, 1.0));
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let examples = examples();
        let ranker = LinearRanker::fit(&RankingExamples::default());
        let queries = ranker.queries(&examples);
        let weights: Vec<f64> = (0..N_WEIGHTS).map(|column| (column as f64 * 0.7).sin() * 0.3).collect();
        let (loss, gradient) = sum_losses(&queries, &weights);
        for column in [0, 17, N_FEATURES + 17, 2 * N_FEATURES + 5] {
            let mut moved = weights.clone();
            moved[column] += 1e-5;
            let slope = (sum_losses(&queries, &moved).0 - loss) / 1e-5;
            assert!((slope - gradient[column]).abs() < 1e-3 * (1.0 + slope.abs()), "{column}: {slope}");
        }
    }

    #[test]
    fn the_rank_of_the_lasting_taste_counts_whatever_was_learnt() {
        let mut ranker = LinearRanker::fit(&examples());
        for part in &mut ranker.parts {
            part[EASE_RANK] = 0.0;
        }
        let [mut first, mut tenth] = [[0.0; N_FEATURES]; 2];
        (first[EASE_RANK], tenth[EASE_RANK]) = (0.0, -(10.0_f32.ln()));
        let scores = ranker.score(&[first, tenth]).unwrap();
        assert!((scores[0] - scores[1] - 0.22 * 10.0_f32.ln()).abs() < 1e-4, "{scores:?}");
    }

    #[test]
    fn without_examples_the_prior_ranks() {
        let ranker = LinearRanker::fit(&RankingExamples::default());
        let mut better = [0.0; N_FEATURES];
        better[0] = 1.0;
        let scores = ranker.score(&[better, [0.0; N_FEATURES]]).unwrap();
        assert!(scores[0] > scores[1]);
    }
}
