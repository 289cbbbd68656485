//! How well lists of movies answer judged prompts.
//!
//! nDCG@10 with gain 2^grade − 1 and discount log2(1 + rank), against the best order possible (Järvelin and Kekäläinen,
//! "Cumulated Gain-Based Evaluation of IR Techniques", 2002; gain as in Burges et al., 2005); the reciprocal rank of the
//! first movie of grade 2 or more; success@k, whether such a movie is among the first k.

use std::collections::HashMap;

use crate::domain::MovieId;

/// So much of a list is looked at.
const DEPTH: usize = 10;
/// From this grade on a movie is what was asked for.
const GOOD: u8 = 2;

/// The movies that answer a prompt, each with its grade from 1 to 3.
pub type Grades = HashMap<MovieId, u8>;

/// How well one list answers one prompt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PromptScore {
    /// nDCG@10.
    pub ndcg: f64,
    /// Rank of the first good movie, from 1, within the first ten.
    pub first_good: Option<usize>,
}

impl PromptScore {
    /// 1 / rank of the first good movie, or 0.
    pub fn reciprocal_rank(self) -> f64 {
        self.first_good.map_or(0.0, |rank| 1.0 / rank as f64)
    }

    /// 1 when a good movie is among the first `k`, else 0.
    pub fn success(self, k: usize) -> f64 {
        f64::from(self.first_good.is_some_and(|rank| rank <= k))
    }
}

/// Scores a list, best first. Without any graded movie the score is 0.
pub fn score_prompt(grades: &Grades, found: &[MovieId]) -> PromptScore {
    let got: Vec<u8> = found.iter().take(DEPTH).map(|movie| grades.get(movie).copied().unwrap_or(0)).collect();
    let mut best: Vec<u8> = grades.values().copied().collect();
    best.sort_unstable_by(|left, right| right.cmp(left));
    best.truncate(DEPTH);
    let ideal = gain(&best);
    let ndcg = if ideal > 0.0 { gain(&got) / ideal } else { 0.0 };
    PromptScore { ndcg, first_good: got.iter().position(|&grade| grade >= GOOD).map(|place| place + 1) }
}

fn gain(grades: &[u8]) -> f64 {
    let of_rank = |(place, &grade): (usize, &u8)| (f64::from(grade).exp2() - 1.0) / ((place + 2) as f64).log2();
    grades.iter().enumerate().map(of_rank).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_scored_against_the_best_order() {
        let grades = Grades::from([(MovieId(1), 3), (MovieId(2), 1)]);
        let score = |found: &[u32]| score_prompt(&grades, &found.iter().map(|&id| MovieId(id)).collect::<Vec<_>>());
        assert_eq!(score(&[1, 2]), PromptScore { ndcg: 1.0, first_good: Some(1) });
        let second = score(&[2, 1]);
        // (1 / 1 + 7 / log2 3) / (7 / 1 + 1 / log2 3)
        assert!((second.ndcg - 0.709_810).abs() < 1e-6, "{second:?}");
        assert_eq!((second.reciprocal_rank(), second.success(1), second.success(5)), (0.5, 0.0, 1.0));
        assert_eq!(score(&[9]), PromptScore { ndcg: 0.0, first_good: None });
        let eleventh: Vec<u32> = (10..20).chain([1]).collect();
        assert_eq!(score(&eleventh).first_good, None, "only ten are looked at");
        assert_eq!(score_prompt(&Grades::new(), &[MovieId(1)]).ndcg, 0.0);
    }
}
