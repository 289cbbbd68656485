//! What the ranker knows of a candidate: the signals' scores and ranks, and what is known at the time of asking.

use crate::domain::ItemIdx;
use crate::recommend::signals::{HALF_LIVES_DAYS, Profile};

/// Number of features.
pub const N_FEATURES: usize = 42;
/// Signals of the history.
pub(super) const N_HISTORY: usize = 9;
/// Signals that propose candidates, and so have ranks: those of the history, the decayed counts, the returning people.
pub(super) const N_RANKED: usize = N_HISTORY + HALF_LIVES_DAYS.len() + 1;

/// Features of one candidate, in the order of [`FEATURES`].
pub type Row = [f32; N_FEATURES];

/// A feature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Feature {
    /// Public name.
    pub name: &'static str,
    /// What it tells of, for explanations.
    pub about: About,
    /// Whether more of it can only speak for a movie.
    pub rising: bool,
    /// Weight that is believed in as long as there is nothing to learn from, per standard deviation.
    pub prior: f32,
}

/// What a feature tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum About {
    /// Films that go with the films of the history, in one model's view.
    Taste(&'static str),
    /// What is popular at the time of asking.
    Popularity,
    /// What has come up since the person was last seen.
    News,
    /// Age and year of the film.
    Age,
    /// How well the film is rated.
    Quality,
    /// The person and the time; the same for all candidates.
    Person,
}

impl About {
    /// Public name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Taste(signal) => signal,
            Self::Popularity => "popularity",
            Self::News => "news",
            Self::Age => "age",
            Self::Quality => "quality",
            Self::Person => "person",
        }
    }
}

const fn taste(name: &'static str, signal: &'static str, prior: f32) -> Feature {
    Feature { name, about: About::Taste(signal), rising: true, prior }
}

const fn popular(name: &'static str, prior: f32) -> Feature {
    Feature { name, about: About::Popularity, rising: true, prior }
}

const fn free(name: &'static str, about: About) -> Feature {
    Feature { name, about, rising: false, prior: 0.0 }
}

/// The features in order.
pub const FEATURES: [Feature; N_FEATURES] = [
    taste("ease", "ease", 0.6),
    taste("als", "als", 0.2),
    taste("item_knn", "item-knn", 0.2),
    taste("rp3beta", "rp3beta", 0.1),
    taste("user_knn", "user-knn", 0.2),
    taste("genres", "genres", 0.1),
    taste("ease_recent", "ease-recent", 0.0),
    taste("item_knn_recent", "item-knn-recent", 0.0),
    taste("sequential_rules", "sequential-rules", 0.0),
    taste("ease_rank", "ease", 0.3),
    taste("als_rank", "als", 0.0),
    taste("item_knn_rank", "item-knn", 0.1),
    taste("rp3beta_rank", "rp3beta", 0.0),
    taste("user_knn_rank", "user-knn", 0.1),
    taste("genres_rank", "genres", 0.0),
    taste("ease_recent_rank", "ease-recent", 0.0),
    taste("item_knn_recent_rank", "item-knn-recent", 0.0),
    taste("sequential_rules_rank", "sequential-rules", 0.0),
    popular("popularity_3d_rank", 0.0),
    popular("popularity_14d_rank", 0.0),
    popular("popularity_60d_rank", 0.1),
    popular("popularity_365d_rank", 0.1),
    popular("returning_rank", 0.1),
    popular("popularity_3d", 0.0),
    popular("popularity_14d", 0.0),
    popular("popularity_60d", 0.1),
    popular("popularity_365d", 0.1),
    popular("returning", 0.1),
    free("n_ratings", About::Popularity),
    free("n_since_last_visit", About::News),
    free("share_since_last_visit", About::News),
    free("days_since_first_rating", About::Age),
    free("year", About::Age),
    free("year_distance", About::Age),
    free("mean_rating", About::Quality),
    Feature { name: "predicted_rating", about: About::Quality, rising: true, prior: 0.3 },
    free("days_since_last_rating", About::Person),
    free("history_length", About::Person),
    free("history_preference", About::Person),
    free("history_days", About::Person),
    free("n_visits", About::Person),
    free("visit_length", About::Person),
];

/// Where the days since the person's last rating stand, as ln(1 + days).
pub(super) const GAP: usize = 36;
/// Where the length of the history stands, as ln(1 + n).
pub(super) const LENGTH: usize = 37;

/// Where the rank by EASE^R stands, as −ln(1 + rank).
pub(super) const EASE_RANK: usize = 9;

/// What each ranker's score has of the lasting taste, whatever it has learnt; of two together, each brings its own.
///
/// The past that rankers learn from is mostly what people rated next in the same sitting, and many ask in order to come
/// back another time. Those are served best by EASE^R, of which rankers learn to make too little. A candidate's place in
/// that order, weighed little, mends most of it: on people who are asked about before their last visit the difference to
/// EASE^R in nDCG@10 rises from +0.006 to +0.016 with the linear ranker, from +0.015 to +0.024 with trees, and costs a
/// few thousandths within a sitting.
pub(super) fn lasting_taste(row: &Row) -> f32 {
    0.22 * row[EASE_RANK]
}

/// Ratings farther apart, in seconds, were given on different visits.
const VISIT_GAP_S: i64 = 3_600;

/// What the features say of the person, whatever the candidate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Person {
    pub(super) last_seen: i64,
    pub(super) mean_year: Option<f32>,
    /// The last features of every row.
    pub(super) features: [f32; 6],
}

impl Person {
    pub(super) fn of(profile: &Profile, year: impl Fn(ItemIdx) -> Option<f32>) -> Self {
        let last_seen = profile.last_seen();
        let first_seen = profile.items.iter().map(|rated| rated.timestamp).min().unwrap_or(last_seen);
        let days = |seconds: i64| seconds.max(0) as f32 / 86_400.0;
        let n = profile.items.len() as f32;
        let years: Vec<f32> = profile.items.iter().filter_map(|rated| year(rated.item)).collect();
        let mut times: Vec<i64> = profile.items.iter().map(|rated| rated.timestamp).collect();
        times.sort_unstable();
        let visits: Vec<&[i64]> = times.chunk_by(|before, after| after - before <= VISIT_GAP_S).collect();
        let mean_preference = profile.items.iter().map(|rated| rated.preference).sum::<f32>() / n.max(1.0);
        Self {
            last_seen,
            mean_year: (!years.is_empty()).then(|| years.iter().sum::<f32>() / years.len() as f32),
            features: [
                days(profile.asked_at - last_seen).ln_1p(),
                n.ln_1p(),
                mean_preference,
                days(last_seen - first_seen).ln_1p(),
                (visits.len() as f32).ln_1p(),
                (visits.last().map_or(0, |visit| visit.len()) as f32).ln_1p(),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recommend::signals::ProfileItem;

    #[test]
    fn the_table_names_each_feature_once_and_knows_where_the_context_stands() {
        let mut names: Vec<&str> = FEATURES.iter().map(|feature| feature.name).collect();
        assert_eq!((names[GAP], names[LENGTH]), ("days_since_last_rating", "history_length"));
        assert_eq!(names[EASE_RANK], "ease_rank");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), N_FEATURES);
    }

    #[test]
    fn visits_are_told_apart_by_an_hour() {
        let times = [0, 10, 3_610, 7_211, 7_212];
        let items = times.map(|timestamp| ProfileItem {
            item: ItemIdx(timestamp as u32),
            rating: 4.0,
            preference: 0.5,
            timestamp,
            recency: 1.0,
        });
        let profile = Profile { user: None, items: items.to_vec(), asked_at: 7_212 };
        let [.., n_visits, visit_length] = Person::of(&profile, |_| None).features;
        assert_eq!((n_visits, visit_length), (3.0_f32.ln(), 3.0_f32.ln()), "two visits of three and two ratings");
        let nobody = Person::of(&Profile::default(), |_| None).features;
        assert!(nobody.iter().all(|value| value.is_finite()));
    }
}
