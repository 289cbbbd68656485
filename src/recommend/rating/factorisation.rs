//! Bayesian matrix factorisation with side features, by Gibbs sampling.
//!
//! r_ui = μ + b_u + b_i + p_u · q_i + ε, where a person's (b_u, p_u) are their own plus those of the movies they rated
//! (SVD++, Koren 2008), and a movie's (b_i, q_i) its own plus those of the people who rated it, its genres and its year
//! ("Bayesian SVD++ flipped" of Rendle, Zhang & Koren 2019, "On the Difficulty of Evaluating Baselines"). Every kept
//! round is one sample of the posterior; a prediction is the mean over the samples.

use super::side::{Features, Prior, Round, Side, Vector, interact};
use crate::domain::RatingMatrix;
use crate::math::{Random, SparseRows};

/// How long to sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// Rounds before the first sample is kept.
    pub(super) burn_in: usize,
    /// Samples to keep.
    pub(super) samples: usize,
    /// Rounds from one kept sample to the next.
    pub(super) thinning: usize,
    /// Seed of all draws.
    pub(super) seed: u64,
}

/// One sample of the posterior, with people summed up: what is needed to place somebody by their history.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// Mean rating.
    pub(super) mean: f32,
    /// Precision of the noise.
    pub(super) noise_precision: f32,
    /// Movies' vectors.
    pub(super) items: Vec<Vector>,
    /// What having rated a movie says about a person, whatever the rating; empty where that is not looked at.
    pub(super) implicit: Vec<Vector>,
    /// Prior of a person's own vector.
    pub(super) prior: Prior,
}

/// Ratings above which who rated what is not looked at beyond the values: it says less the more values there are, and
/// takes most of the time and memory.
const MAX_IMPLICIT_RATINGS: usize = 5_000_000;

/// Each row's columns with the value 1/√n, n being how many there are.
fn implicit(rows: &SparseRows) -> SparseRows {
    let entries = (0..rows.n_rows()).flat_map(|row| {
        let columns = rows.row(row).0;
        let value = 1.0 / (columns.len() as f32).sqrt();
        columns.iter().map(move |&column| (row as u32, column, value))
    });
    SparseRows::from_sorted(rows.n_rows(), rows.n_columns(), entries)
}

/// Samples the posterior; without ratings there is none. `item_features` are tables of movies × features besides who rated
/// them. Ends early, with nothing, when `go_on` says no; it is asked every round.
pub(super) fn sample(
    ratings: &RatingMatrix,
    item_features: &[SparseRows],
    schedule: Schedule,
    go_on: &dyn Fn() -> bool,
) -> Option<Vec<Sample>> {
    let (by_user, by_item) = (ratings.by_user(), ratings.by_item());
    let values = by_user.values();
    if values.is_empty() {
        return Some(Vec::new());
    }
    let mut level = ratings.mean();
    let (low, high) = ratings.scale();
    // A quarter of the scale; a scale of one value says nothing of it.
    let unit = if high > low { (high - low) / 4.0 } else { 1.0 };
    let who_rated_what = values.len() <= MAX_IMPLICIT_RATINGS;
    let implied = |rows| if who_rated_what { vec![implicit(rows)] } else { Vec::new() };
    let mut item_tables = implied(by_item);
    item_tables.extend_from_slice(item_features);
    let mut users = Side::new(Features::new(by_user.n_rows(), &implied(by_user)), unit, (schedule.seed, 0));
    let mut items = Side::new(Features::new(by_item.n_rows(), &item_tables), unit, (schedule.seed, 1));
    let mut noise_precision = 1.0_f32;
    let mut samples = Vec::with_capacity(schedule.samples);
    for number in 0..schedule.burn_in + schedule.samples * schedule.thinning {
        if !go_on() {
            return None;
        }
        let round = Round { noise_precision, seed: schedule.seed, number: number as u64, side: 0 };
        let targets: Vec<f32> = values.iter().map(|value| value - level).collect();
        users.update((by_user, &targets), items.totals(), round);
        let targets: Vec<f32> = by_item.values().iter().map(|value| value - level).collect();
        items.update((by_item, &targets), users.totals(), Round { side: 1, ..round });
        (level, noise_precision) = draw_noise(by_user, level, (users.totals(), items.totals()), round);
        if number >= schedule.burn_in && (number - schedule.burn_in + 1).is_multiple_of(schedule.thinning) {
            samples.push(Sample {
                mean: level,
                noise_precision,
                items: items.totals().to_vec(),
                implicit: if who_rated_what { users.weights_of(0).to_vec() } else { Vec::new() },
                prior: users.own_prior().clone(),
            });
        }
    }
    Some(samples)
}

/// Draws the mean rating and the noise's precision given the vectors: flat prior, and Gamma(1/2, 1/2).
fn draw_noise(by_user: &SparseRows, level: f32, (users, items): (&[Vector], &[Vector]), round: Round) -> (f32, f32) {
    let (mut sum, mut squares) = (0.0_f64, 0.0_f64);
    for (row, user) in users.iter().enumerate() {
        let (columns, values) = by_user.row(row);
        for (&column, value) in columns.iter().zip(values) {
            let item = &items[column as usize];
            let error = f64::from(value - level - item[0] - interact(user, item));
            sum += error;
            squares += error * error;
        }
    }
    let mut random = Random::of(round.seed, [round.number, 2, 0]);
    let n = by_user.values().len().max(1) as f64;
    let shift = sum / n + random.normal() / (n * f64::from(round.noise_precision)).sqrt();
    let rest = squares - 2.0 * shift * sum + shift * shift * n;
    (level + shift as f32, random.gamma(f64::midpoint(1.0, n).max(1.0), f64::midpoint(1.0, rest.max(0.0))) as f32)
}

#[cfg(test)]
mod tests {
    use super::super::person::Person;
    use super::*;
    use crate::domain::{Interaction, MovieId, Rating, UserId, UserIdx, Vocabulary};

    const SCHEDULE: Schedule = Schedule { burn_in: 20, samples: 20, thinning: 1, seed: 3 };

    /// Taste in one dimension on top of levels: rating = 3 + level + taste × kind; a fifth is held out.
    fn planted() -> (RatingMatrix, Vec<(u32, u32, f32)>) {
        let mut random = Random::new(1);
        let movies = Vocabulary::new((0..40).map(MovieId));
        let (mut kept, mut held) = (Vec::new(), Vec::new());
        for user in 0..120_u32 {
            let (level, taste) = (0.3 * random.normal(), if user % 2 == 0 { 1.0 } else { -1.0 });
            for movie in 0..40_u32 {
                let kind = if movie % 3 == 0 { 1.0 } else { -0.5 };
                let value = (3.0 + level + taste * kind + 0.3 * random.normal()).clamp(0.0, 10.0) as f32;
                match random.uniform() {
                    x if x < 0.3 => {
                        let rating = Rating::new(value).unwrap();
                        kept.push(Interaction { user: UserId(user), movie: MovieId(movie), rating, timestamp: 0 });
                    }
                    x if x < 0.4 => held.push((user, movie, value)),
                    _ => {}
                }
            }
        }
        (RatingMatrix::new(&movies, kept), held)
    }

    fn rmse(ratings: &RatingMatrix, held: &[(u32, u32, f32)], samples: &[Sample]) -> f32 {
        let error = |&(user, movie, value): &(u32, u32, f32)| {
            let row = ratings.user_idx(UserId(user)).unwrap_or(UserIdx(0));
            let history: Vec<_> = ratings.history(row).map(|(item, value, time)| (item.0, time, value)).collect();
            (value - Person::place(samples, &history).predict(samples, movie).0).powi(2)
        };
        (held.iter().map(error).sum::<f32>() / held.len() as f32).sqrt()
    }

    #[test]
    fn finds_planted_taste() {
        let (ratings, held) = planted();
        let samples = sample(&ratings, &[], SCHEDULE, &|| true).unwrap();
        assert_eq!(samples.len(), 20);
        // The noise is 0.3; levels alone leave 0.75.
        let rmse = rmse(&ratings, &held, &samples);
        assert!(rmse < 0.42, "{rmse}");
    }

    #[test]
    fn a_seed_gives_the_same_samples_on_any_number_of_threads() {
        let (ratings, _) = planted();
        let on = |n_threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            pool.install(|| sample(&ratings, &[], SCHEDULE, &|| true)).unwrap().pop().unwrap()
        };
        let (one, three) = (on(1), on(3));
        assert_eq!((one.items, one.noise_precision), (three.items, three.noise_precision));
    }

    #[test]
    fn no_ratings_give_no_samples() {
        let ratings = RatingMatrix::new(&Vocabulary::new([MovieId(1)]), Vec::new());
        assert!(sample(&ratings, &[], SCHEDULE, &|| true).unwrap().is_empty());
    }

    #[test]
    fn a_round_is_the_longest_wait_for_an_end() {
        let (n_asked, (ratings, _)) = (std::cell::Cell::new(0), planted());
        let go_on = || n_asked.replace(n_asked.get() + 1) < 3;
        assert!(sample(&ratings, &[], SCHEDULE, &go_on).is_none());
        assert_eq!(n_asked.get(), 4);
    }
}
