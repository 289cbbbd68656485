//! Signals and ranker together: the recommender that serves, and the true reasons for what it says.

use std::collections::HashSet;
use std::sync::Arc;

use rayon::prelude::*;

use super::features::{About, FEATURES, N_FEATURES, Row};
use super::fitted::{Candidates, FittedSignals};
use crate::domain::{ItemIdx, MovieId, Query};
use crate::math::top_k;
use crate::recommend::{Ranker, RecommendError, Scorer, Scores};

/// Films of the history whose influence is tried out, at most: the newest ones that point to the movie.
const N_TRIED: usize = 24;
/// Candidates, the best ones, that an explanation compares a movie with.
const N_COMPARED: usize = 100;
/// Films of the history that an explanation names, at most.
const N_NAMED: usize = 5;

/// Candidates of the signals in the order of a ranker.
#[derive(Clone)]
pub struct Hybrid {
    signals: Arc<FittedSignals>,
    ranker: Arc<dyn Ranker>,
}

/// Why a movie stands where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The movie.
    pub movie: MovieId,
    /// Its score minus the mean of the best hundred candidates of the same query.
    pub above_average: f32,
    /// What each kind of signal changes: the score minus the score with those features at the average of these
    /// candidates (occlusion; Robnik-Šikonja, Kononenko 2008). Strongest first.
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

    /// The signals.
    pub fn signals(&self) -> &Arc<FittedSignals> {
        &self.signals
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
        let mean_score = best.iter().map(|&place| scores[place]).sum::<f32>() / best.len().max(1) as f32;
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
            explanations.push(Explanation {
                movie: self.signals.catalogue().movie(item).id,
                above_average: score - mean_score,
                signals: self.occluded(&candidates.rows[place], &average, score)?,
                because_of,
            });
        }
        Ok(explanations)
    }

    /// What each kind of feature changes in the score of a row.
    fn occluded(&self, row: &Row, average: &Row, score: f32) -> Result<Vec<(&'static str, f32)>, RecommendError> {
        let mut kinds: Vec<About> = Vec::new();
        for feature in &FEATURES {
            if feature.about != About::Person && !kinds.contains(&feature.about) {
                kinds.push(feature.about);
            }
        }
        let changed = |kind: &About| -> Row {
            std::array::from_fn(|column| if FEATURES[column].about == *kind { average[column] } else { row[column] })
        };
        let rows: Vec<Row> = kinds.iter().map(changed).collect();
        let reduced = self.ranker.score(&rows)?;
        let mut effects: Vec<(&'static str, f32)> =
            kinds.iter().zip(reduced).map(|(kind, reduced)| (kind.name(), score - reduced)).collect();
        effects.sort_by(|left, right| right.1.abs().total_cmp(&left.1.abs()).then(left.0.cmp(right.0)));
        Ok(effects)
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
        if query.history.iter().all(|rated| self.signals.catalogue().item_idx(rated.movie).is_none()) {
            return Err(RecommendError::NothingToGoBy { method: self.name(), needs: "a rated movie" });
        }
        let Candidates { items, rows } = self.signals.candidates(query, &[]);
        let mut scores = Scores::absent(self.signals.catalogue().len());
        for (item, score) in items.into_iter().zip(self.ranker.score(&rows)?) {
            scores.set(item, score);
        }
        Ok(scores)
    }
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
