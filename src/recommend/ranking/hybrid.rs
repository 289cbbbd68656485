//! Signals and ranker together: the recommender that serves, and the true reasons for what it says.

use std::collections::HashSet;
use std::sync::Arc;

use rayon::prelude::*;

use super::features::{About, FEATURES, N_FEATURES, Row};
use super::fitted::{Candidates, FittedSignals};
use crate::domain::{Catalogue, ItemIdx, MovieId, Query, RankedList, Score, ScoredItem};
use crate::math::top_k;
use crate::recommend::{Ranker, RecommendError, Scorer, Scores};

/// Films of the history whose influence is tried out, at most: the newest ones that point to the movie.
const N_TRIED: usize = 24;
/// Candidates, the best ones, that an explanation compares a movie with.
const N_COMPARED: usize = 100;
/// Orders in which signals are added for an explanation; even.
const N_ORDERS: usize = 8;
/// Films of the history that an explanation names, at most.
const N_NAMED: usize = 5;

/// Candidates of the signals in the order of a ranker.
#[derive(Clone)]
pub struct Hybrid {
    signals: Arc<FittedSignals>,
    ranker: Arc<dyn Ranker>,
}

/// Why a movie stands where it stands: `baseline` and the effects of `signals` sum to `score`.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The movie.
    pub movie: MovieId,
    /// Its score.
    pub score: f32,
    /// The score of a movie whose every signal is at the mean of the best hundred candidates of the same query.
    pub baseline: f32,
    /// What each kind of signal adds, strongest first: Shapley values against that baseline, estimated from pairs of
    /// opposite orders (Štrumbelj and Kononenko 2014; Mitchell et al. 2022, "Sampling Permutations for Shapley Value
    /// Estimation").
    pub signals: Vec<(&'static str, f32)>,
    /// What each film of the history changes: the score minus the score as if the person had not rated that film.
    /// Strongest first, only those that raise the movie.
    pub because_of: Vec<(MovieId, f32)>,
}

impl Hybrid {
    /// Joins both.
    pub fn new(signals: Arc<FittedSignals>, ranker: Arc<dyn Ranker>) -> Self {
        Self { signals, ranker }
    }

    fn needs_history(&self, query: &Query) -> Result<(), RecommendError> {
        let is_known = |movie| self.signals.catalogue().item_idx(movie).is_some();
        if query.history.iter().any(|rated| is_known(rated.movie)) {
            return Ok(());
        }
        Err(RecommendError::NothingToGoBy { method: self.name(), needs: "a rated movie" })
    }

    /// The signals.
    pub fn signals(&self) -> &Arc<FittedSignals> {
        &self.signals
    }

    /// Scores of the candidates and of the `required` movies, as far as the query does not leave them out.
    pub fn score_with(&self, query: &Query, required: &[ItemIdx]) -> Result<Scores, RecommendError> {
        let mut scores = Scores::absent(self.signals.catalogue().len());
        self.scored(query, required)?.for_each(|(item, score)| scores.set(item, score));
        Ok(scores)
    }

    /// The same, only of those that have one.
    fn scored(
        &self,
        query: &Query,
        required: &[ItemIdx],
    ) -> Result<impl Iterator<Item = (ItemIdx, f32)> + use<>, RecommendError> {
        let Candidates { items, rows } = self.signals.candidates(query, required);
        Ok(items.into_iter().zip(self.ranker.score(&rows)?))
    }

    /// The reasons for these movies, which must be ones that the query does not leave out; others are passed over.
    pub fn explain(&self, query: &Query, movies: &[MovieId]) -> Result<Vec<Explanation>, RecommendError> {
        let items: Vec<ItemIdx> = movies.iter().filter_map(|&movie| self.signals.catalogue().item_idx(movie)).collect();
        let candidates = self.signals.candidates(query, &items);
        let scores = self.ranker.score(&candidates.rows)?;
        // Compared with the candidates in earnest: far down, a ranker may not tell them apart at all.
        let best = top_k((0..scores.len()).collect(), N_COMPARED, |left: &usize, right: &usize| {
            scores[*right].total_cmp(&scores[*left]).then(left.cmp(right))
        });
        let average = average(best.iter().map(|&place| &candidates.rows[place]));
        let without = self.without_each(query, &items)?;
        let mut explanations = Vec::with_capacity(items.len());
        for &item in &items {
            let Some(place) = candidates.items.iter().position(|&candidate| candidate == item) else { continue };
            let score = scores[place];
            let mut because_of: Vec<(MovieId, f32)> = without
                .iter()
                .filter_map(|(film, scores)| {
                    let (_, reduced) = scores.iter().find(|(other, _)| *other == item)?;
                    Some((*film, score - reduced))
                })
                .filter(|&(_, effect)| effect > 0.0)
                .collect();
            because_of.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
            because_of.truncate(N_NAMED);
            let (baseline, signals) = self.shares(&candidates.rows[place], &average, score)?;
            let movie = self.signals.catalogue().movie(item).id;
            explanations.push(Explanation { movie, score, baseline, signals, because_of });
        }
        Ok(explanations)
    }

    /// What each kind of feature adds to the score of a row, and what is there without any.
    #[expect(clippy::type_complexity, reason = "a number and a list, used in one place")]
    fn shares(&self, row: &Row, average: &Row, score: f32) -> Result<(f32, Vec<(&'static str, f32)>), RecommendError> {
        let mut kinds: Vec<About> = Vec::new();
        for feature in &FEATURES {
            if feature.about != About::Person && !kinds.contains(&feature.about) {
                kinds.push(feature.about);
            }
        }
        let orders = opposite_orders(kinds.len());
        // Person and time are the same for all candidates: they are part of the baseline.
        let mut start = *average;
        for column in (0..N_FEATURES).filter(|&column| FEATURES[column].about == About::Person) {
            start[column] = row[column];
        }
        let mut effects = vec![0.0; kinds.len()];
        let mut baseline = 0.0;
        let mut whole = 0.0;
        for order in &orders {
            let mut steps = vec![start];
            for &kind in order {
                let mut next = steps[steps.len() - 1];
                for column in (0..N_FEATURES).filter(|&column| FEATURES[column].about == kinds[kind]) {
                    next[column] = row[column];
                }
                steps.push(next);
            }
            let scores = self.ranker.score(&steps)?;
            for (&kind, step) in order.iter().zip(scores.windows(2)) {
                effects[kind] += (step[1] - step[0]) / orders.len() as f32;
            }
            (baseline, whole) = (scores[0], scores[kinds.len()]);
        }
        let mut signals: Vec<(&'static str, f32)> = kinds.iter().map(|kind| kind.name()).zip(effects).collect();
        // Behind the front a cascade goes by its quick ranker alone, whose scores are moved as a whole.
        if (score - whole).abs() > 1e-4 * score.abs().max(1.0) {
            signals.push(("place-behind-the-front", score - whole));
        }
        signals.sort_by(|left, right| right.1.abs().total_cmp(&left.1.abs()).then(left.0.cmp(right.0)));
        Ok((baseline, signals))
    }

    /// The scores of the items as if one film of the history had not been rated, for the films that are tried.
    #[expect(clippy::type_complexity, reason = "a table by film and item, used in one place")]
    fn without_each(
        &self,
        query: &Query,
        items: &[ItemIdx],
    ) -> Result<Vec<(MovieId, Vec<(ItemIdx, f32)>)>, RecommendError> {
        let tried = self.likely_reasons(query, items);
        let score_without = |&film: &MovieId| {
            let mut reduced = query.clone();
            reduced.history.retain(|rated| rated.movie != film);
            // The film stays known: it must not become a candidate itself.
            reduced.excluded.insert(film);
            let candidates = self.signals.candidates(&reduced, items);
            let wanted: HashSet<ItemIdx> = items.iter().copied().collect();
            let places = (0..candidates.items.len()).filter(|&place| wanted.contains(&candidates.items[place]));
            let (kept, rows): (Vec<ItemIdx>, Vec<Row>) =
                places.map(|place| (candidates.items[place], candidates.rows[place])).unzip();
            let scores = self.ranker.score(&rows)?;
            Ok((film, kept.into_iter().zip(scores).collect()))
        };
        tried.par_iter().map(score_without).collect()
    }

    /// Films of the history that point to the items most strongly in the signals that are sums over the history.
    fn likely_reasons(&self, query: &Query, items: &[ItemIdx]) -> Vec<MovieId> {
        let profile = self.signals.profile(query);
        let mut strengths: Vec<(MovieId, f32)> = profile
            .items
            .par_iter()
            .map(|rated| {
                let alone = crate::recommend::signals::Profile { items: vec![*rated], ..profile.clone() };
                let mut scores = vec![0.0; self.signals.catalogue().len()];
                // EASE comes first among the signals and is linear in the history.
                if let Some(signal) = self.signals.history_signals().next() {
                    signal.add_scores(&alone, &mut scores);
                }
                let strength = items.iter().map(|item| scores[item.row()]).fold(0.0, f32::max);
                (self.signals.catalogue().movie(rated.item).id, strength)
            })
            .collect();
        strengths.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
        strengths.truncate(N_TRIED);
        strengths.into_iter().map(|(movie, _)| movie).collect()
    }
}

impl Scorer for Hybrid {
    fn name(&self) -> &'static str {
        self.ranker.name()
    }

    fn score(&self, query: &Query) -> Result<Scores, RecommendError> {
        self.needs_history(query)?;
        self.score_with(query, &[])
    }

    fn ranked(&self, catalogue: &Catalogue, query: &Query) -> Result<RankedList, RecommendError> {
        self.needs_history(query)?;
        let ids = catalogue.vocabulary();
        let scored = |(item, value): (ItemIdx, f32)| {
            Some(ScoredItem { movie: ids.id_at(item.row()), score: Score::new(value)? })
        };
        // What the query leaves out is no candidate.
        let scored = self.scored(query, &[])?.filter_map(scored).collect();
        Ok(RankedList::new(top_k(scored, query.n, ScoredItem::ranking_order)))
    }
}

/// Orders of `n` things in which each stands early and late alike: rotations, and the same backwards.
fn opposite_orders(n: usize) -> Vec<Vec<usize>> {
    let rotations =
        (0..N_ORDERS / 2).map(|turn| (0..n).map(|at| (at + turn * n / (N_ORDERS / 2)) % n.max(1)).collect());
    let forwards: Vec<Vec<usize>> = rotations.collect();
    let backwards = forwards.iter().map(|order| order.iter().rev().copied().collect());
    forwards.iter().cloned().chain(backwards).collect()
}

fn average<'a>(rows: impl ExactSizeIterator<Item = &'a Row>) -> Row {
    let n = rows.len().max(1) as f32;
    let mut sums = [0.0; N_FEATURES];
    for row in rows {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += value;
        }
    }
    sums.map(|sum| sum / n)
}
