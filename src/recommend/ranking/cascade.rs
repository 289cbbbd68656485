//! Two rankers together: a quick one chooses which candidates a slower and better one is asked about, and both count.
//!
//! The slower one's time grows with the candidates, and those that the quick one puts far down are not among the first
//! of the better one either. The sum is better than either: linear weights and trees err differently.

use std::sync::Arc;

use super::features::{Row, lasting_taste};
use crate::math::top_k;
use crate::recommend::{PortError, Ranker};

/// Candidates that the second ranker is asked for.
const CHOSEN: usize = 100;
/// What the second ranker's score counts beside the first one's.
const SECOND_WEIGHT: f32 = 2.0;

/// Orders what the first ranker puts at the front by both, and the rest behind it as the first does.
pub struct Cascade {
    first: Arc<dyn Ranker>,
    second: Arc<dyn Ranker>,
}

impl Cascade {
    /// Puts two together.
    pub fn new(first: Arc<dyn Ranker>, second: Arc<dyn Ranker>) -> Self {
        Self { first, second }
    }
}

impl Ranker for Cascade {
    fn name(&self) -> &'static str {
        self.second.name()
    }

    fn score(&self, rows: &[Row]) -> Result<Vec<f32>, PortError> {
        let mut scores = self.first.score(rows)?;
        let best = |left: &usize, right: &usize| scores[*right].total_cmp(&scores[*left]).then(left.cmp(right));
        let chosen = top_k((0..rows.len()).collect(), CHOSEN, best);
        let better = self.second.score(&chosen.iter().map(|&place| rows[place]).collect::<Vec<Row>>())?;
        let both =
            |(&place, better): (&usize, f32)| scores[place] + SECOND_WEIGHT * better + lasting_taste(&rows[place]);
        let both: Vec<f32> = chosen.iter().zip(better).map(both).collect();
        // The rest is moved as a whole to one below the lowest of the chosen.
        let edge = chosen.last().map_or(0.0, |&place| scores[place]);
        let lowest = both.iter().copied().fold(f32::INFINITY, f32::min);
        for score in &mut scores {
            *score = lowest - 1.0 + (*score - edge);
        }
        for (place, score) in chosen.into_iter().zip(both) {
            scores[place] = score;
        }
        Ok(scores)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recommend::ranking::features::{EASE_RANK, N_FEATURES};

    /// Scores by one feature, and refuses more rows than it takes.
    struct ByFeature {
        feature: usize,
        most: usize,
    }

    impl Ranker for ByFeature {
        fn name(&self) -> &'static str {
            if self.feature == 0 { "first" } else { "second" }
        }

        fn score(&self, rows: &[Row]) -> Result<Vec<f32>, PortError> {
            if rows.len() > self.most {
                return Err(PortError::Busy(self.name()));
            }
            Ok(rows.iter().map(|row| row[self.feature]).collect())
        }
    }

    fn cascade(most: usize) -> Cascade {
        let second = Arc::new(ByFeature { feature: 1, most });
        Cascade::new(Arc::new(ByFeature { feature: 0, most: usize::MAX }), second)
    }

    /// Row `n` has the score `n` of the first ranker, and `n` modulo 7 of the second.
    fn rows(n: usize) -> Vec<Row> {
        let row = |place: usize| {
            let mut row = [0.0; N_FEATURES];
            (row[0], row[1]) = (place as f32, (place % 7) as f32);
            row
        };
        (0..n).map(row).collect()
    }

    #[test]
    fn the_best_of_the_first_are_ordered_by_both_and_the_rest_follows() {
        let scores = cascade(CHOSEN).score(&rows(2 * CHOSEN)).unwrap();
        for (place, &score) in scores.iter().enumerate().skip(CHOSEN) {
            assert_eq!(score, place as f32 + 2.0 * (place % 7) as f32);
        }
        let lowest = scores[CHOSEN..].iter().copied().fold(f32::INFINITY, f32::min);
        assert!(scores[..CHOSEN].iter().all(|&score| score < lowest), "the rest is behind the chosen");
        assert!(scores[..CHOSEN].is_sorted(), "in the order of the first");
        assert!(scores.iter().all(|score| score.is_finite()));
    }

    #[test]
    fn the_rank_of_the_lasting_taste_counts_among_the_chosen() {
        let mut rows = rows(2);
        let before = cascade(CHOSEN).score(&rows).unwrap();
        rows[0][EASE_RANK] = -1.0;
        let after = cascade(CHOSEN).score(&rows).unwrap();
        assert_eq!((after[0], after[1]), (before[0] + lasting_taste(&rows[0]), before[1]));
    }

    #[test]
    fn few_and_no_candidates_are_all_chosen() {
        assert_eq!(cascade(CHOSEN).score(&rows(3)).unwrap(), [0.0, 3.0, 6.0]);
        assert!(cascade(CHOSEN).score(&[]).unwrap().is_empty());
    }

    #[test]
    fn it_is_named_after_the_second_and_passes_its_errors_on() {
        assert_eq!(cascade(1).name(), "second");
        assert!(matches!(cascade(1).score(&rows(2)), Err(PortError::Busy("second"))));
    }
}
