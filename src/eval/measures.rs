//! Metrics of ranked lists and of predicted ratings.
//!
//! For a list and a set of relevant movies: nDCG@k with gain 1 and discount 1 / log2(rank + 1), divided by that of
//! min(k, relevant) hits on top (Järvelin, Kekäläinen 2002); Recall@k = hits in the top k / relevant; HR@k = 1 with
//! any hit in the top k; MRR@k = 1 / rank of the first hit in the top k, else 0. These are LensKit's definitions.

use std::collections::HashSet;

use crate::domain::MovieId;

/// Length of the list that nDCG, HR and MRR look at.
const K: usize = 10;

/// Metrics of one person's list.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ListMetrics {
    /// nDCG@10.
    pub ndcg_10: f64,
    /// Recall@10.
    pub recall_10: f64,
    /// Recall@20.
    pub recall_20: f64,
    /// HR@10.
    pub hit_10: f64,
    /// MRR@10.
    pub mrr_10: f64,
}

impl ListMetrics {
    /// Judges a list, best first.
    pub fn of(list: &[MovieId], relevant: &HashSet<MovieId>) -> Self {
        if relevant.is_empty() {
            return Self::default();
        }
        let discount = |position: usize| 1.0 / ((position + 2) as f64).log2();
        let hits: Vec<usize> =
            (0..list.len().min(2 * K)).filter(|&position| relevant.contains(&list[position])).collect();
        let on_top = hits.iter().take_while(|&&position| position < K).count();
        let ideal: f64 = (0..relevant.len().min(K)).map(discount).sum();
        let n_relevant = relevant.len() as f64;
        Self {
            ndcg_10: hits[..on_top].iter().map(|&position| discount(position)).sum::<f64>() / ideal,
            recall_10: on_top as f64 / n_relevant,
            recall_20: hits.len() as f64 / n_relevant,
            hit_10: f64::from(u8::from(on_top > 0)),
            mrr_10: if on_top > 0 { 1.0 / (hits[0] + 1) as f64 } else { 0.0 },
        }
    }
}

/// A mean over people with its standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Standard deviation (n − 1) / √n; 0 for fewer than two values.
    pub standard_error: f64,
}

impl Mean {
    /// Of these values.
    pub fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let n = values.clone().count() as f64;
        if n < 1.0 {
            return Self::default();
        }
        let mean = values.clone().sum::<f64>() / n;
        let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
        let standard_error = if n < 2.0 { 0.0 } else { (squares / (n - 1.0) / n).sqrt() };
        Self { mean, standard_error }
    }
}

impl std::fmt::Display for Mean {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.3} ± {:.3}", self.mean, self.standard_error)
    }
}

/// Mean difference of two metrics of the same people. More than two standard errors count as a difference.
pub fn paired(left: &[f64], right: &[f64]) -> Mean {
    Mean::of(left.iter().zip(right).map(|(left, right)| left - right))
}

/// √ of the mean squared difference; NaN without values.
pub fn root_mean_square_error(predicted: &[f32], actual: &[f32]) -> f64 {
    let squares = predicted.iter().zip(actual).map(|(&left, &right)| (f64::from(left) - f64::from(right)).powi(2));
    (squares.sum::<f64>() / actual.len() as f64).sqrt()
}

/// Mean absolute difference; NaN without values.
pub fn mean_absolute_error(predicted: &[f32], actual: &[f32]) -> f64 {
    let errors = predicted.iter().zip(actual).map(|(&left, &right)| (f64::from(left) - f64::from(right)).abs());
    errors.sum::<f64>() / actual.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ids(numbers: &[u32]) -> Vec<MovieId> {
        numbers.iter().map(|&number| MovieId(number)).collect()
    }

    #[test]
    fn known_lists() {
        let relevant: HashSet<MovieId> = ids(&[2, 5, 99]).into_iter().collect();
        let metrics = ListMetrics::of(&ids(&[1, 2, 3, 4, 5]), &relevant);
        let ideal = 1.0 + 1.0 / 3.0_f64.log2() + 0.5;
        assert!((metrics.ndcg_10 - (1.0 / 3.0_f64.log2() + 1.0 / 6.0_f64.log2()) / ideal).abs() < 1e-12);
        assert_eq!((metrics.hit_10, metrics.mrr_10), (1.0, 0.5));
        assert!((metrics.recall_10 - 2.0 / 3.0).abs() < 1e-12 && metrics.recall_10 == metrics.recall_20);
        assert_eq!(ListMetrics::of(&[], &relevant), ListMetrics::default());
        assert_eq!(ListMetrics::of(&ids(&[2]), &HashSet::new()), ListMetrics::default());
    }

    #[test]
    fn hits_behind_the_tenth_count_for_recall_at_20_only() {
        let list: Vec<MovieId> = (0..20).map(MovieId).collect();
        let metrics = ListMetrics::of(&list, &HashSet::from([MovieId(15)]));
        assert_eq!((metrics.ndcg_10, metrics.recall_10, metrics.recall_20, metrics.mrr_10), (0.0, 0.0, 1.0, 0.0));
    }

    #[test]
    fn errors_and_means() {
        assert!((root_mean_square_error(&[1.0, 3.0], &[2.0, 5.0]) - 2.5_f64.sqrt()).abs() < 1e-12);
        assert!((mean_absolute_error(&[1.0, 3.0], &[2.0, 5.0]) - 1.5).abs() < 1e-12);
        let mean = paired(&[1.0, 2.0, 3.0], &[0.0, 0.0, 0.0]);
        assert!((mean.mean - 2.0).abs() < 1e-12 && (mean.standard_error - (1.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(Mean::of(std::iter::once(4.0)), Mean { mean: 4.0, standard_error: 0.0 });
    }

    proptest! {
        #[test]
        fn all_metrics_lie_between_zero_and_one(
            list in proptest::collection::hash_set(0_u32..40, 0..25),
            relevant in proptest::collection::hash_set(0_u32..40, 0..12),
        ) {
            let list: Vec<MovieId> = list.into_iter().map(MovieId).collect();
            let metrics = ListMetrics::of(&list, &relevant.into_iter().map(MovieId).collect());
            let values = [metrics.ndcg_10, metrics.recall_10, metrics.recall_20, metrics.hit_10, metrics.mrr_10];
            prop_assert!(values.iter().all(|value| (0.0..=1.0 + 1e-12).contains(value)));
        }
    }
}
