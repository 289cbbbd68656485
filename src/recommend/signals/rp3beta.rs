//! RP3beta: three steps of a random walk from person to movie to person to movie, with popular targets damped
//! (Paudel et al. 2017, "Updatable, Accurate, Diverse, and Scalable Recommendations for Interactive Applications").
//!
//! With d the sums of a row or column of preferences, the weight from movie j to movie i is
//! Σ_u (x_uj / d_j) (x_ui / d_u) / d_i^β; the strongest [`N_KEPT`] per movie are kept.

use rayon::prelude::*;

use super::{Preferences, Profile, Signal};
use crate::math::{Accumulator, SparseRows, largest_entries};

/// Weights kept per movie.
const N_KEPT: usize = 200;
/// How much popular targets are damped.
const BETA: f32 = 0.5;

/// Weights from each movie to others.
#[derive(Clone, Debug)]
pub struct Rp3Beta {
    rows: SparseRows,
}

impl Rp3Beta {
    /// Walks from every movie. Work is the sum over people of the squared length of their history.
    pub fn fit(preferences: &Preferences) -> Self {
        let (by_user, by_item) = (preferences.by_user(), preferences.by_item());
        let sums = |rows: &SparseRows| -> Vec<f32> {
            (0..rows.n_rows()).map(|row| rows.row(row).1.iter().sum::<f32>().max(1.0)).collect()
        };
        let (user_sums, item_sums) = (sums(by_user), sums(by_item));
        let n_items = preferences.n_items();
        let walk = |reached: &mut Accumulator<f32>, item: usize| {
            let (users, values) = by_item.row(item);
            for (&user, &value) in users.iter().zip(values) {
                let share = value / item_sums[item] / user_sums[user as usize];
                let (others, other_values) = by_user.row(user as usize);
                for (&other, &other_value) in others.iter().zip(other_values) {
                    *reached.slot(other) += share * other_value;
                }
            }
            let damped = reached.drain_unsorted().filter(|&(other, _)| other as usize != item);
            let damped = damped.map(|(other, weight)| (other, weight / item_sums[other as usize].powf(BETA)));
            largest_entries(damped, N_KEPT)
        };
        let rows: Vec<_> = (0..n_items).into_par_iter().map_init(|| Accumulator::new(n_items), walk).collect();
        Self { rows: SparseRows::from_rows(n_items, &rows) }
    }
}

impl Signal for Rp3Beta {
    fn name(&self) -> &'static str {
        "rp3beta"
    }

    fn add_scores(&self, profile: &Profile, scores: &mut [f32]) {
        for rated in &profile.items {
            self.rows.add_row(rated.item.row(), rated.preference, scores);
        }
    }
}
