//! What the stack looks at: the predictions, how well they are supported, and how the person's ratings around the time
//! of asking differed from what was predicted for them.

use super::person::{Person, Rated};
use super::predictors::{Predictors, SURPRISE_DAMPING};
use crate::domain::{ItemIdx, RatedMovie};

/// Features of a question that looks back only.
pub(super) const N_LOOKING_BACK: usize = 6 + 4 + 10 + 2;
/// Features of a question in hindsight.
pub(super) const N_HINDSIGHT: usize = N_LOOKING_BACK + 4 + 9;

/// Horizons of decayed means, in seconds.
const HORIZONS_S: [f32; 5] = [30.0, 180.0, 1_200.0, 7_200.0, 86_400.0];
/// Numbers of latest (next) ratings that are averaged.
const LATEST: [usize; 3] = [1, 3, 10];
/// Horizon of the number of ratings close by, in seconds.
const CLOSE_S: f32 = 180.0;
/// A gap that is as good as none known, in seconds.
const LONG_S: f32 = 1e8;

/// Whose ratings are asked for, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) person: &'a Person,
    /// What the person rated, for the neighbours.
    pub(super) history: &'a [RatedMovie],
    /// Seconds since 1970.
    pub(super) asked_at: i64,
    /// Whether ratings of the same second and later may be looked at, too.
    pub(super) hindsight: bool,
}

/// What is known of each item of a question.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Features {
    /// The predictions of the factorisation.
    pub(super) predictions: Vec<f32>,
    /// The features, items × [`n_features`], row-major.
    pub(super) values: Vec<f32>,
}

/// Features of each item.
pub(super) fn n_features(hindsight: bool) -> usize {
    if hindsight { N_HINDSIGHT } else { N_LOOKING_BACK }
}

/// The predictions of the factorisation and the features.
pub(super) fn features(predictors: &Predictors, question: Question<'_>, items: &[ItemIdx]) -> Features {
    let shared = of_question(predictors, question);
    let neighbors = predictors.baseline.predict_many(question.history, items);
    let mut values = Vec::with_capacity(items.len() * n_features(question.hindsight));
    let mut predictions = Vec::with_capacity(items.len());
    for (&item, neighbors) in items.iter().zip(neighbors) {
        let (prediction, variance) = question.person.predict(&predictors.samples, item.0);
        let figures = predictors.items[item.row()];
        values.extend([prediction, variance, neighbors - prediction]);
        values.extend([log(figures.n as f32), figures.mean, figures.surprise]);
        values.extend(&shared);
        predictions.push(prediction);
    }
    Features { predictions, values }
}

/// The features that do not depend on the item.
fn of_question(predictors: &Predictors, question: Question<'_>) -> Vec<f32> {
    let Question { person, asked_at, hindsight, .. } = question;
    let rated = &person.rated;
    let n = rated.len() as f32;
    let mean = rated.iter().map(|rated| rated.value).sum::<f32>() / n.max(1.0);
    let spread = rated.iter().map(|rated| (rated.value - mean).powi(2)).sum::<f32>() / n.max(1.0);
    let surprise = rated.iter().map(|rated| rated.residual.abs()).sum::<f32>();
    let surprise = (surprise + predictors.surprise * SURPRISE_DAMPING) / (n + SURPRISE_DAMPING);
    let mut features = vec![log(n), mean, spread.sqrt(), surprise];
    // Without times nothing is earlier or later than anything.
    let timed: &[Rated] = if predictors.has_times { rated } else { &[] };
    let (earlier, rest) = timed.split_at(timed.partition_point(|rated| rated.time < asked_at));
    let (same, later) = rest.split_at(rest.partition_point(|rated| rated.time == asked_at));
    let backwards: Vec<&Rated> = earlier.iter().rev().collect();
    features.extend(around(&backwards, asked_at));
    let first = earlier.first().map_or(0.0, |first| seconds(first, asked_at));
    features.extend([log(earlier.len() as f32), log(first)]);
    if hindsight {
        features.extend([damped_mean(same), log(same.len() as f32)]);
        let values = same.iter().map(|rated| rated.value - mean).sum::<f32>() / (same.len() as f32 + 1.0);
        features.push(values);
        features.push(predictors.covariogram.expect(timed, asked_at));
        let forwards: Vec<&Rated> = later.iter().collect();
        features.extend(&around(&forwards, asked_at)[1..]);
    }
    features
}

/// Ten figures of ratings before (or after) a time, the nearest first: the gap to the nearest, decayed means of the
/// residuals, means of the nearest, and how many are close.
fn around(nearest: &[&Rated], asked_at: i64) -> Vec<f32> {
    let mut decayed = [(0.0_f32, 1.0_f32); HORIZONS_S.len()];
    let mut close = 0.0;
    for rated in nearest {
        let lag = seconds(rated, asked_at);
        if lag > 10.0 * HORIZONS_S[HORIZONS_S.len() - 1] {
            break;
        }
        for ((sum, weights), horizon) in decayed.iter_mut().zip(HORIZONS_S) {
            let weight = (-lag / horizon).exp();
            *sum += weight * rated.residual;
            *weights += weight;
        }
        close += (-lag / CLOSE_S).exp();
    }
    let mut figures = vec![log(nearest.first().map_or(LONG_S, |first| seconds(first, asked_at)))];
    figures.extend(decayed.map(|(sum, weights)| sum / weights));
    for k in LATEST {
        let sum: f32 = nearest.iter().take(k).map(|rated| rated.residual).sum();
        figures.push(sum / (k as f32 + 1.0));
    }
    figures.push(log(close));
    figures
}

fn damped_mean(rated: &[Rated]) -> f32 {
    rated.iter().map(|rated| rated.residual).sum::<f32>() / (rated.len() as f32 + 1.0)
}

fn seconds(rated: &Rated, asked_at: i64) -> f32 {
    (asked_at - rated.time).unsigned_abs() as f32
}

fn log(count: f32) -> f32 {
    count.ln_1p()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::factorisation::Schedule;
    use super::*;
    use crate::domain::{MovieId, Rating};
    use crate::recommend::sample;

    #[test]
    fn looking_back_does_not_see_what_comes_later() {
        let (catalogue, ratings) = sample::movies_and_ratings();
        let schedule = Schedule { burn_in: 2, samples: 3, thinning: 1, seed: 1 };
        let (mut predictors, _) =
            Predictors::fit(&Arc::clone(&catalogue), &ratings, (schedule, None), &|| true).unwrap();
        predictors.has_times = true;
        let history = [RatedMovie { movie: MovieId(10), rating: Rating::new(4.0).unwrap(), timestamp: 100 }];
        let mut person =
            Person::place(&predictors.samples, &[(0, 100, 4.0), (1, 200, 2.0), (2, 300, 5.0), (3, 400, 1.0)]);
        let ask = |person: &Person, hindsight| {
            let question = Question { person, history: &history, asked_at: 200, hindsight };
            features(&predictors, question, &[ItemIdx(4)]).values
        };
        let (back, hindsight) = (ask(&person, false), ask(&person, true));
        assert_eq!((back.len(), hindsight.len()), (N_LOOKING_BACK, N_HINDSIGHT));
        assert_eq!(hindsight[..N_LOOKING_BACK], back);
        // The signs leave the person's mean surprise as it is.
        for rated in &mut person.rated[1..] {
            rated.residual = -rated.residual;
        }
        assert_eq!(ask(&person, false), back);
        assert_ne!(ask(&person, true), hindsight);
        person.rated[0].residual = -person.rated[0].residual;
        assert_ne!(ask(&person, false), back);
    }
}
