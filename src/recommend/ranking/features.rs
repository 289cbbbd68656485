//! What the ranker knows of a candidate: the signals' scores and ranks, and what is known at the time of asking.

use crate::domain::ItemIdx;
use crate::recommend::signals::{HALF_LIVES_DAYS, Profile};

/// Number of features.
pub const N_FEATURES: usize = 33;
/// Signals that propose candidates, and so have ranks: six of the history, the decayed counts, the returning people.
pub(super) const RANKED: usize = 6 + HALF_LIVES_DAYS.len() + 1;

/// Features of one candidate, in the order of [`FEATURES`].
pub type Row = [f32; N_FEATURES];

/// A feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Public name.
    pub name: &'static str,
    /// Whether more of it can only speak for a movie.
    pub rising: bool,
}

const fn rising(name: &'static str) -> Feature {
    Feature { name, rising: true }
}

const fn free(name: &'static str) -> Feature {
    Feature { name, rising: false }
}

/// The features in order.
pub const FEATURES: [Feature; N_FEATURES] = [
    rising("ease"),
    rising("als"),
    rising("item_knn"),
    rising("rp3beta"),
    rising("user_knn"),
    rising("genres"),
    rising("ease_rank"),
    rising("als_rank"),
    rising("item_knn_rank"),
    rising("rp3beta_rank"),
    rising("user_knn_rank"),
    rising("genres_rank"),
    rising("popularity_3d_rank"),
    rising("popularity_14d_rank"),
    rising("popularity_60d_rank"),
    rising("popularity_365d_rank"),
    rising("returning_rank"),
    rising("popularity_3d"),
    rising("popularity_14d"),
    rising("popularity_60d"),
    rising("popularity_365d"),
    rising("returning"),
    free("n_ratings"),
    free("n_since_last_visit"),
    free("share_since_last_visit"),
    free("days_since_first_rating"),
    free("year"),
    free("year_distance"),
    free("mean_rating"),
    free("days_since_last_rating"),
    free("history_length"),
    free("history_preference"),
    free("history_days"),
];

/// What the features say of the person, whatever the candidate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Person {
    pub(super) last_seen: i64,
    pub(super) gap_days: f32,
    pub(super) span_days: f32,
    pub(super) mean_preference: f32,
    pub(super) mean_year: f32,
}

impl Person {
    pub(super) fn of(profile: &Profile, year: impl Fn(ItemIdx) -> Option<f32>) -> Self {
        let last_seen = profile.last_seen();
        let first_seen = profile.items.iter().map(|rated| rated.timestamp).min().unwrap_or(last_seen);
        let n = profile.items.len().max(1) as f32;
        let years: Vec<f32> = profile.items.iter().filter_map(|rated| year(rated.item)).collect();
        Self {
            last_seen,
            gap_days: (profile.asked_at - last_seen).max(0) as f32 / 86_400.0,
            span_days: (last_seen - first_seen) as f32 / 86_400.0,
            mean_preference: profile.items.iter().map(|rated| rated.preference).sum::<f32>() / n,
            mean_year: if years.is_empty() { 1990.0 } else { years.iter().sum::<f32>() / years.len() as f32 },
        }
    }
}
