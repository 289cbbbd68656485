//! Predicted ratings: a Bayesian factorisation, neighbours and the person's mood at the time, combined by boosted trees.
//!
//! 1. The [`factorisation`] samples what movies are like; a [`person`] is placed by their history alone.
//! 2. Neighbours of the movie ([`RatingBaseline`]) and the residuals of the person's ratings
//!    around the time of asking ([`mod@features`]) say what the factorisation missed.
//! 3. The [`stack`] learns from ratings that were held out of 1 and 2 how much of that to believe. Its trees correct the
//!    factorisation; with too few ratings they do nothing.
//!
//! Everything is fitted from the ratings; nothing is set for one data set.

mod covariogram;
mod factorisation;
mod features;
mod person;
mod predictors;
mod side;
mod stack;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use factorisation::Schedule;
use features::{Features, Question, features};
use person::Person;
use predictors::Predictors;
use stack::{HeldOut, Stack};

use super::{RatingBaseline, RecommendError, Scorer, Scores};
use crate::domain::{Catalogue, ItemIdx, Query, RatedMovie, RatingMatrix};

/// How much to invest in a fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RatingOptions {
    /// Seed of all draws: the same ratings and seed give the same model, on any number of threads.
    pub seed: u64,
    /// Fits on a part of the ratings that the stack learns from, at most; 0: no stack.
    pub stack_fits: usize,
}

impl Default for RatingOptions {
    fn default() -> Self {
        Self { seed: 1, stack_fits: 5 }
    }
}

/// What a fit came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatingFacts {
    /// Samples of the factorisation.
    pub n_samples: usize,
    /// Held-out ratings that the stack learnt from.
    pub n_held_out: usize,
    /// Root mean squared error on them before the stack; `None` when there are none.
    pub factorisation_rmse: Option<f64>,
}

/// Predicts ratings.
#[derive(Clone, Debug)]
pub struct RatingModel {
    catalogue: Arc<Catalogue>,
    ratings: Arc<RatingMatrix>,
    predictors: Predictors,
    /// Everybody who rated, in row order; nobody where they are too many.
    people: Vec<Person>,
    stack: Stack,
    newest: i64,
    scale: (f32, f32),
    facts: RatingFacts,
}

/// Ratings below which there is no stack.
const MIN_RATINGS: usize = 1_000;
/// Held-out ratings from which on the stack has learnt enough.
const ENOUGH_HELD: usize = 50_000;
/// Ratings up to which people stay placed between questions; above, everybody is placed when asked about.
const MAX_PLACED_RATINGS: usize = 5_000_000;

impl RatingModel {
    /// Fits the model. Takes half a minute of one processor for 100,000 ratings.
    pub fn fit(catalogue: Arc<Catalogue>, ratings: Arc<RatingMatrix>, options: RatingOptions) -> Self {
        Self::fit_unless_stopped((catalogue, ratings), None, options, &|| true).expect("nobody stops it")
    }

    /// As [`Self::fit`], but ends early, with nothing, when `go_on` says no; it is asked every few seconds. `baseline` is
    /// one with [`DEFAULT_NEIGHBORS`](super::DEFAULT_NEIGHBORS) of the same ratings, if there is one already.
    pub fn fit_unless_stopped(
        (catalogue, ratings): (Arc<Catalogue>, Arc<RatingMatrix>),
        baseline: Option<RatingBaseline>,
        options: RatingOptions,
        go_on: &dyn Fn() -> bool,
    ) -> Option<Self> {
        let schedule = schedule(&ratings, options.seed);
        let mut held = HeldOut::default();
        if ratings.len() >= MIN_RATINGS {
            for number in 0..options.stack_fits {
                if held.len() < ENOUGH_HELD {
                    held.add((&catalogue, &ratings), (schedule, number as u64), go_on)?;
                }
            }
        }
        // Whoever stopped it waits for no stack.
        let stack = go_on().then(|| held.stack(options.seed))?;
        let (predictors, mut people) = Predictors::fit(&catalogue, &ratings, (schedule, baseline), go_on)?;
        if ratings.len() > MAX_PLACED_RATINGS {
            people = Vec::new();
        }
        let facts = RatingFacts {
            n_samples: predictors.samples.len(),
            n_held_out: held.len(),
            factorisation_rmse: held.factorisation_rmse(),
        };
        let newest = ratings.newest();
        let scale = ratings.scale();
        Some(Self { catalogue, ratings, predictors, people, stack, newest, scale, facts })
    }

    /// What the fit came to.
    pub fn facts(&self) -> RatingFacts {
        self.facts
    }

    /// The ratings that the person of the query is expected to give at the time of asking, on the scale of the data set.
    /// The whole history says what the person is like; of their mood at that time only what was rated before it tells. A
    /// history that holds later ratings (when evaluating) thus counts in full for taste, and not at all for the mood.
    ///
    /// # Panics
    /// When an item is not of the catalogue this was fitted on.
    pub fn predict(&self, query: &Query, items: &[ItemIdx]) -> Vec<f32> {
        self.answer(query, items, false)
    }

    /// As [`Self::predict`], but for a time in the past: what the person rated in the same second or later tells of the
    /// mood, too.
    pub fn predict_in_hindsight(&self, query: &Query, items: &[ItemIdx]) -> Vec<f32> {
        self.answer(query, items, true)
    }

    fn answer(&self, query: &Query, items: &[ItemIdx], hindsight: bool) -> Vec<f32> {
        if self.ratings.is_empty() {
            return vec![self.ratings.mean(); items.len()];
        }
        let placed;
        let person = if let Some(person) = self.known(query) {
            person
        } else {
            placed = Person::place(&self.predictors.samples, &self.rated(&query.history));
            &placed
        };
        let asked_at = query.asked_at.unwrap_or(self.newest);
        let question = Question { person, history: &query.history, asked_at, hindsight };
        let (low, high) = self.scale;
        let Features { predictions, values } = features(&self.predictors, question, items);
        let corrections = self.stack.corrections(&values, hindsight);
        predictions.iter().zip(corrections).map(|(prediction, more)| (prediction + more).clamp(low, high)).collect()
    }

    /// The history by item, of several ratings of a movie the newest.
    fn rated(&self, history: &[RatedMovie]) -> Vec<(u32, i64, f32)> {
        let mut rated: Vec<(u32, i64, f32)> = history
            .iter()
            .filter_map(|rated| Some((self.catalogue.item_idx(rated.movie)?.0, rated.timestamp, rated.rating.value())))
            .collect();
        rated.sort_by_key(|&(item, time, _)| (item, std::cmp::Reverse(time)));
        rated.dedup_by_key(|&mut (item, ..)| item);
        rated
    }

    /// The person as placed when fitting, if the history is still the one they had then.
    fn known(&self, query: &Query) -> Option<&Person> {
        let user = self.ratings.user_idx(query.user?)?;
        let person = self.people.get(user.row())?;
        let rated = self.rated(&query.history);
        let then = self.ratings.history(user).map(|(item, value, time)| (item.0, time, value));
        then.eq(rated).then_some(person)
    }
}

impl Scorer for RatingModel {
    fn name(&self) -> &'static str {
        "predicted-rating"
    }

    fn score(&self, query: &Query) -> Result<Scores, RecommendError> {
        let items: Vec<ItemIdx> = (0..self.catalogue.len() as u32).map(ItemIdx).collect();
        let mut scores = Scores::absent(items.len());
        for (&item, rating) in items.iter().zip(self.predict(query, &items)) {
            scores.set(item, rating);
        }
        Ok(scores)
    }
}

/// Chooses how long to sample, so that 100,000 ratings take seconds and 20 million minutes, and so that the samples of
/// large catalogues stay within some ten megabytes.
fn schedule(ratings: &RatingMatrix, seed: u64) -> Schedule {
    let thinning = 2;
    let most = (200_000_000 / ratings.len().max(1)).clamp(16, 256) / thinning;
    let samples = (500_000 / ratings.by_item().n_rows().max(1)).clamp(8, most);
    Schedule { burn_in: 24, samples, thinning, seed }
}
