//! Runs recommenders over test cases and sums up what their lists are worth.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use super::measures::{ListMetrics, Mean};
use crate::domain::{Catalogue, Interaction, ItemIdx, MovieId, Query, RatingMatrix, UserId, UserIdx};
use crate::recommend::RecommendError;
use crate::recommend::signals::PreferenceScale;

/// Movies a list has.
pub const LIST_LENGTH: usize = 20;
/// A median gap to the held-out films above this, in seconds, makes a later visit.
const LATER_VISIT_S: i64 = 3_600;

/// An evaluated person: what is asked, and what would be right.
#[derive(Clone, Debug)]
pub struct TestCase {
    /// Person, history, time of asking.
    pub query: Query,
    /// The movies rated well in the test.
    pub relevant: HashSet<MovieId>,
    /// Whether most of the test was rated an hour or more after the last training rating.
    pub is_later_visit: bool,
}

/// Everybody with a history and a relevant test rating, in the order of their ids. `asked_at`: for everybody the time of
/// their own last rating when `None`, else the given time.
pub fn test_cases(
    catalogue: &Catalogue,
    train: &RatingMatrix,
    test: &[Interaction],
    asked_at: Option<i64>,
) -> Vec<TestCase> {
    let scale = PreferenceScale::of(train);
    let mut of_users: HashMap<UserId, Vec<&Interaction>> = HashMap::new();
    for event in test {
        of_users.entry(event.user).or_default().push(event);
    }
    let case = |(row, &user): (usize, &UserId)| {
        let tested = of_users.get(&user)?;
        let relevant: HashSet<MovieId> =
            tested.iter().filter(|event| scale.is_liked(event.rating.value())).map(|event| event.movie).collect();
        if relevant.is_empty() {
            return None;
        }
        let history = train.rated_movies(UserIdx(row as u32), catalogue.vocabulary());
        let last = history.iter().map(|rated| rated.timestamp).max()?;
        let mut gaps: Vec<i64> = tested.iter().map(|event| event.timestamp - last).collect();
        gaps.sort_unstable();
        let query = Query {
            user: Some(user),
            history,
            asked_at: Some(asked_at.unwrap_or(last)),
            n: LIST_LENGTH,
            ..Query::default()
        };
        Some(TestCase { query, relevant, is_later_visit: gaps[gaps.len() / 2] > LATER_VISIT_S })
    };
    train.users().ids().iter().enumerate().filter_map(case).collect()
}

/// The lists of one recommender, and what they are worth, person by person.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// Lists with scores, best first.
    pub lists: Vec<Vec<(MovieId, f32)>>,
    /// Their metrics.
    pub metrics: Vec<ListMetrics>,
}

/// Asks a recommender for every case, on all processors.
pub fn judge(
    cases: &[TestCase],
    recommend: impl Fn(&Query) -> Result<Vec<(MovieId, f32)>, RecommendError> + Sync,
) -> Result<Judged, RecommendError> {
    let lists: Vec<Vec<(MovieId, f32)>> =
        cases.par_iter().map(|case| recommend(&case.query)).collect::<Result<_, _>>()?;
    let metrics = lists.iter().zip(cases).map(|(list, case)| {
        let movies: Vec<MovieId> = list.iter().map(|&(movie, _)| movie).collect();
        ListMetrics::of(&movies, &case.relevant)
    });
    Ok(Judged { metrics: metrics.collect(), lists })
}

/// What a recommender's lists are worth over some of the people.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ListReport {
    /// People.
    pub n_users: usize,
    /// nDCG@10.
    pub ndcg_10: Mean,
    /// Recall@10.
    pub recall_10: Mean,
    /// Recall@20.
    pub recall_20: Mean,
    /// HR@10.
    pub hit_10: Mean,
    /// MRR@10.
    pub mrr_10: Mean,
    /// Distinct movies in all top tens, of those rated in training.
    pub coverage_10: f64,
    /// Mean of −log2 of the share of people who rated the movie (Vargas, Castells 2011), over the top tens.
    pub novelty_10: f64,
    /// Mean of 1 − the Jaccard similarity of the genres of two movies of one top ten (Ziegler et al. 2005).
    pub diversity_10: f64,
}

impl ListReport {
    /// Sums up the people chosen.
    pub fn of(judged: &Judged, chosen: &[bool], (catalogue, train): (&Catalogue, &RatingMatrix)) -> Self {
        let metrics: Vec<&ListMetrics> =
            judged.metrics.iter().zip(chosen).filter(|(_, on)| **on).map(|(m, _)| m).collect();
        let mean = |of: fn(&ListMetrics) -> f64| Mean::of(metrics.iter().map(|metrics| of(metrics)));
        let tops: Vec<Vec<ItemIdx>> = judged
            .lists
            .iter()
            .zip(chosen)
            .filter(|(_, on)| **on)
            .map(|(list, _)| list.iter().take(10).filter_map(|&(movie, _)| catalogue.item_idx(movie)).collect())
            .collect();
        let distinct: HashSet<ItemIdx> = tops.iter().flatten().copied().collect();
        let n_raters = |item: ItemIdx| train.by_item().row(item.row()).0.len();
        let n_rated = (0..train.by_item().n_rows()).filter(|&row| !train.by_item().row(row).0.is_empty()).count();
        let surprise = |item: &ItemIdx| {
            // A movie nobody rated is as surprising as one that half a person rated.
            -((n_raters(*item) as f64).max(0.5) / train.users().len().max(1) as f64).log2()
        };
        Self {
            n_users: metrics.len(),
            ndcg_10: mean(|metrics| metrics.ndcg_10),
            recall_10: mean(|metrics| metrics.recall_10),
            recall_20: mean(|metrics| metrics.recall_20),
            hit_10: mean(|metrics| metrics.hit_10),
            mrr_10: mean(|metrics| metrics.mrr_10),
            coverage_10: distinct.len() as f64 / n_rated.max(1) as f64,
            novelty_10: Mean::of(tops.iter().flatten().map(surprise)).mean,
            diversity_10: Mean::of(tops.iter().filter_map(|top| intra_list_distance(catalogue, top))).mean,
        }
    }
}

fn intra_list_distance(catalogue: &Catalogue, top: &[ItemIdx]) -> Option<f64> {
    let genres: Vec<HashSet<&str>> =
        top.iter().map(|&item| catalogue.movie(item).genres.iter().map(String::as_str).collect()).collect();
    let mut distances = Vec::new();
    for (place, left) in genres.iter().enumerate() {
        for right in &genres[place + 1..] {
            let union = left.union(right).count();
            if union > 0 {
                distances.push(1.0 - left.intersection(right).count() as f64 / union as f64);
            }
        }
    }
    (!distances.is_empty()).then(|| distances.iter().sum::<f64>() / distances.len() as f64)
}
