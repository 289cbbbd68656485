//! User-based collaborative filtering: what the people most like this one preferred.
//!
//! sim(u, v) = x_u·x_v / (|x_u| |x_v| + 10) on preference weights; the score of a movie is Σ sim(u, v) x_vi over the 50
//! nearest people (Herlocker et al. 1999, with the shrinkage in the denominator as in Ferrari Dacrema et al. 2019).

use std::sync::Arc;

use super::{Preferences, Profile, Signal};
use crate::domain::UserIdx;
use crate::math::Survey;

/// People whose preferences are summed.
const N_NEIGHBORS: usize = 50;
/// Added to the product of the norms, so that an agreement on few films says little.
const SHRINKAGE: f32 = 10.0;

/// The people, ready to be compared with.
#[derive(Clone, Debug)]
pub struct UserKnn {
    preferences: Arc<Preferences>,
    norms: Vec<f32>,
}

impl UserKnn {
    /// Computes everybody's norm.
    pub fn fit(preferences: Arc<Preferences>) -> Self {
        let by_user = preferences.by_user();
        let norm = |row| by_user.row(row).1.iter().map(|value| value * value).sum::<f32>().sqrt();
        let norms = (0..by_user.n_rows()).map(norm).collect();
        Self { preferences, norms }
    }

    /// The `n` nearest people with their similarity, best first; never the person themselves.
    pub fn nearest(&self, profile: &Profile, n: usize) -> Vec<(UserIdx, f32)> {
        let person = |(row, similarity)| (self.preferences.person(row), similarity);
        self.neighbors(profile, n).into_iter().map(person).collect()
    }

    /// The same by their rows in the preferences.
    fn neighbors(&self, profile: &Profile, n: usize) -> Vec<(usize, f32)> {
        let mut dots = vec![0.0_f32; self.norms.len()];
        let mut square = 0.0;
        for rated in &profile.items {
            square += rated.preference * rated.preference;
            self.preferences.by_item().add_row(rated.item.row(), rated.preference, &mut dots);
        }
        let norm = square.sqrt();
        for (dot, other) in dots.iter_mut().zip(&self.norms) {
            *dot /= norm * other + SHRINKAGE;
        }
        let is_other = |row: usize| Some(self.preferences.person(row)) != profile.user;
        // Preferences are above zero. One more than asked for, as the person may be among them.
        let mut nearest = Survey::of(&dots).best_rows(n.saturating_add(1));
        nearest.retain(|&row| is_other(row as usize));
        nearest.truncate(n);
        nearest.into_iter().map(|row| (row as usize, dots[row as usize])).collect()
    }
}

impl Signal for UserKnn {
    fn name(&self) -> &'static str {
        "user-knn"
    }

    fn add_scores(&self, profile: &Profile, scores: &mut [f32]) {
        for (row, similarity) in self.neighbors(profile, N_NEIGHBORS) {
            self.preferences.by_user().add_row(row, similarity, scores);
        }
    }
}
