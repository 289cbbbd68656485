//! Sequential rules: what people rate soon after a movie (Kamehkhosh, Jannach and Ludewig 2017, "A Comparison of Frequent
//! Pattern Techniques and a Deep Learning Method for Session-Based Recommendation").
//!
//! The weight from movie i to movie j is Σ_u x_uj 2^(−d_u/20) / √((n_i + 10)(n_j + 10)), over the people u who rated j, not
//! before i. d_u is how many of their ratings were given from i on and before j, up to 80; ratings of the same second
//! follow each other both ways. x is the preference, n the number of ratings. The score of a movie sums the weights
//! from what the person rated last; how that was rated does not matter: where people go next hardly depends on it.

use rayon::prelude::*;

use super::{PreferenceScale, Profile, Signal};
use crate::domain::{ItemIdx, RatingMatrix, UserIdx};
use crate::math::{Accumulator, SparseRows, largest_entries};

/// Rules kept per movie.
const N_KEPT: usize = 200;
/// Ratings after which what is rated next says half as much.
const HALF_LIFE_RATINGS: f32 = 20.0;
/// Ratings before and after a movie that are looked at; beyond, next to nothing is left.
const REACH: usize = 80;
/// Added to the numbers of ratings, so that a movie few have rated follows from little.
const SHRINKAGE: f32 = 10.0;

/// Rules from each movie to others.
#[derive(Clone, Debug)]
pub struct SequentialRules {
    rows: SparseRows,
}

/// A rating among those of its person, which are in order of time.
struct Step {
    item: u32,
    /// Ratings of the person before this second.
    n_before: u32,
    preference: f32,
}

impl SequentialRules {
    /// Reads everybody's ratings in order of time; above `max_ratings` those of some of the people, evenly spread. Work is
    /// the ratings times 80.
    pub fn fit(ratings: &RatingMatrix, max_ratings: usize) -> Self {
        let n_items = ratings.by_item().n_rows();
        let step = ratings.step_for(max_ratings);
        let people: Vec<Vec<Step>> =
            (0..ratings.users().len()).into_par_iter().step_by(step).map(|user| steps(ratings, user)).collect();
        // Where each movie stands.
        let mut places: Vec<Vec<(u32, u32)>> = vec![Vec::new(); n_items];
        for (person, steps) in (0..).zip(&people) {
            for (place, step) in (0..).zip(steps) {
                places[step.item as usize].push((person, place));
            }
        }
        let norms: Vec<f32> = places.iter().map(|places| (places.len() as f32 + SHRINKAGE).sqrt()).collect();
        let row = |sums: &mut Accumulator<f32>, item: usize| {
            for &(person, place) in &places[item] {
                for (follower, weight) in followers(&people[person as usize], place as usize) {
                    *sums.slot(follower) += weight;
                }
            }
            let weights = sums.drain_unsorted().map(|(other, sum)| (other, sum / norms[item] / norms[other as usize]));
            largest_entries(weights, N_KEPT)
        };
        let rows: Vec<_> = (0..n_items).into_par_iter().map_init(|| Accumulator::new(n_items), row).collect();
        Self { rows: SparseRows::from_rows(n_items, &rows) }
    }
}

/// A person's ratings in order of time.
fn steps(ratings: &RatingMatrix, user: usize) -> Vec<Step> {
    let scale = PreferenceScale::of(ratings);
    let mut history: Vec<_> = ratings.history(UserIdx(user as u32)).collect();
    history.sort_by_key(|&(_, _, time)| time);
    let mut steps = Vec::with_capacity(history.len());
    for second in history.chunk_by(|before, after| before.2 == after.2) {
        let n_before = steps.len() as u32;
        let step = |&(item, rating, _): &(ItemIdx, f32, i64)| {
            let preference = scale.preference(rating);
            Step { item: item.0, n_before, preference }
        };
        steps.extend(second.iter().map(step));
    }
    steps
}

/// What follows a step, each with its part of the weight.
fn followers(steps: &[Step], place: usize) -> impl Iterator<Item = (u32, f32)> {
    let from = &steps[place];
    let before = steps[place.saturating_sub(REACH)..place].iter().rev();
    let same_second = before.take_while(|step| step.n_before == from.n_before);
    let after = steps[place + 1..].iter().take(REACH);
    same_second.chain(after).map(|step| {
        let distance = (step.n_before - from.n_before) as f32;
        (step.item, step.preference * (-distance / HALF_LIFE_RATINGS).exp2())
    })
}

impl Signal for SequentialRules {
    fn name(&self) -> &'static str {
        "sequential-rules"
    }

    fn add_scores(&self, profile: &Profile, scores: &mut [f32]) {
        for rated in profile.recent() {
            self.rows.add_row(rated.item.row(), rated.recency, scores);
        }
    }
}
