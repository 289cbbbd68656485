//! The stack (Wolpert 1992, "Stacked Generalization"): trees that learn, from ratings held out of a fit, what the
//! factorisation misses that the other features know.

use std::sync::Arc;

use super::factorisation::Schedule;
use super::features::{Features, N_HINDSIGHT, N_LOOKING_BACK, Question, features, n_features};
use super::predictors::Predictors;
use crate::domain::{Catalogue, Interaction, RatedMovie, Rating, RatingMatrix, UserIdx};
use crate::math::{BoostedTrees, Examples, Random};

/// Share of the ratings that a fit leaves out.
const HELD_SHARE: f64 = 0.15;
/// Ratings that a fit leaves out, at most: more teach little that is new.
const MAX_HELD: f64 = 60_000.0;
/// Share of the people whose held-out ratings decide how many trees there are.
const VALIDATION_SHARE: f64 = 0.2;

/// Fitted corrections of the factorisation.
#[derive(Clone, Debug)]
pub(super) struct Stack {
    looking_back: BoostedTrees,
    hindsight: BoostedTrees,
}

impl Stack {
    /// What to add to the predictions of the factorisation, given the features of a question.
    pub(super) fn corrections(&self, features: &[f32], hindsight: bool) -> Vec<f32> {
        let trees = if hindsight { &self.hindsight } else { &self.looking_back };
        trees.predict(features, n_features(hindsight))
    }
}

/// Ratings that were left out of a fit, with what it makes of them.
#[derive(Debug, Default)]
pub(super) struct HeldOut {
    looking_back: Vec<f32>,
    hindsight: Vec<f32>,
    /// Rating minus the prediction of the factorisation.
    residuals: Vec<f32>,
    is_validation: Vec<bool>,
}

impl HeldOut {
    /// Leaves ratings out, fits on the others, and notes the features of those left out. Ends early, with nothing, when
    /// `go_on` says no.
    pub(super) fn add(
        &mut self,
        (catalogue, ratings): (&Arc<Catalogue>, &RatingMatrix),
        (schedule, number): (Schedule, u64),
        go_on: &dyn Fn() -> bool,
    ) -> Option<()> {
        let mut random = Random::of(schedule.seed, [number, 3, 0]);
        let (kept, held) = divide(catalogue, ratings, &mut random);
        let seed = schedule.seed.wrapping_add(number + 1);
        let schedule = Schedule { seed, ..schedule };
        let (predictors, people) = Predictors::fit(catalogue, &kept, (schedule, None), go_on)?;
        for of_user in held.chunk_by(|one, other| one.user == other.user) {
            let Some(user) = kept.user_idx(of_user[0].user) else { continue };
            let history: Vec<RatedMovie> = events(catalogue, &kept, user)
                .map(|event| RatedMovie { movie: event.movie, rating: event.rating, timestamp: event.timestamp })
                .collect();
            let is_validation = random.uniform() < VALIDATION_SHARE;
            for event in of_user {
                let Some(item) = catalogue.item_idx(event.movie) else { continue };
                let (person, asked_at) = (&people[user.row()], event.timestamp);
                let question = Question { person, history: &history, asked_at, hindsight: true };
                let Features { predictions, values } = features(&predictors, question, &[item]);
                // A question in hindsight begins with what one that looks back sees.
                self.looking_back.extend(&values[..N_LOOKING_BACK]);
                self.hindsight.extend(values);
                self.residuals.push(event.rating.value() - predictions[0]);
                self.is_validation.push(is_validation);
            }
        }
        Some(())
    }

    /// Fits the trees.
    pub(super) fn stack(&self, seed: u64) -> Stack {
        let trees = |features: &[f32], n_features| {
            let examples = Examples { features, n_features, targets: &self.residuals };
            BoostedTrees::fit(examples, &self.is_validation, seed)
        };
        Stack {
            looking_back: trees(&self.looking_back, N_LOOKING_BACK),
            hindsight: trees(&self.hindsight, N_HINDSIGHT),
        }
    }

    /// How many ratings were held out.
    pub(super) fn len(&self) -> usize {
        self.residuals.len()
    }

    /// Root mean squared error of the factorisation on them, if there are any.
    pub(super) fn factorisation_rmse(&self) -> Option<f64> {
        let squares: f64 = self.residuals.iter().map(|&residual| f64::from(residual).powi(2)).sum();
        (self.len() > 0).then(|| (squares / self.len() as f64).sqrt())
    }
}

/// The ratings of a person.
fn events<'a>(
    catalogue: &'a Catalogue,
    ratings: &'a RatingMatrix,
    user: UserIdx,
) -> impl Iterator<Item = Interaction> + 'a {
    let id = ratings.users().id_at(user.row());
    ratings.history(user).filter_map(move |(item, value, timestamp)| {
        let rating = Rating::new(value).ok()?;
        Some(Interaction { user: id, movie: catalogue.movie(item).id, rating, timestamp })
    })
}

/// The ratings to fit on, and those held out, by person.
fn divide(catalogue: &Catalogue, ratings: &RatingMatrix, random: &mut Random) -> (RatingMatrix, Vec<Interaction>) {
    let share = HELD_SHARE.min(MAX_HELD / ratings.len().max(1) as f64);
    let (mut kept, mut held) = (Vec::new(), Vec::new());
    for row in 0..ratings.users().len() as u32 {
        for event in events(catalogue, ratings, UserIdx(row)) {
            if random.uniform() < share { &mut held } else { &mut kept }.push(event);
        }
    }
    (RatingMatrix::new(catalogue.vocabulary(), kept), held)
}
