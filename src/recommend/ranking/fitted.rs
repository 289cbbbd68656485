//! All signals fitted on one set of ratings, and the candidates they propose to a person.

use std::sync::Arc;

use super::features::{FEATURES, N_FEATURES, Person, RANKED, Row};
use crate::domain::{Catalogue, ItemIdx, RatingMatrix};
use crate::math::top_k;
use crate::recommend::signals::{
    Als, Ease, GenreProfile, HALF_LIVES_DAYS, Moment, NeighborSignal, PreferenceScale, Preferences, Profile, Rp3Beta,
    Signal, Timeline, UserKnn,
};
use crate::recommend::{DEFAULT_NEIGHBORS, ItemNeighbors, Similarity};

/// Movies each signal proposes, and the worst rank that is told apart.
const PROPOSED: usize = 100;
/// Ratings at the overall mean that are added to a movie's own.
const MEAN_DAMPING: f32 = 10.0;

/// Bounds of fitting.
#[derive(Clone, Copy, Debug)]
pub struct SignalOptions {
    /// Ratings above which the signals are fitted on a sample of the people.
    pub max_ratings: usize,
    /// Movies that take part in the dense item-item model.
    pub max_dense_items: usize,
}

impl Default for SignalOptions {
    fn default() -> Self {
        Self { max_ratings: 4_000_000, max_dense_items: 4_096 }
    }
}

/// The signals, fitted.
pub struct FittedSignals {
    catalogue: Arc<Catalogue>,
    ratings: Arc<RatingMatrix>,
    history: [Box<dyn Signal>; RANKED - HALF_LIVES_DAYS.len() - 1],
    timeline: Timeline,
    latest: Moment,
    mean_ratings: Vec<f32>,
    scale: PreferenceScale,
}

/// Candidates with their features, in no particular order.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    /// The movies.
    pub items: Vec<ItemIdx>,
    /// One row per movie.
    pub rows: Vec<Row>,
}

impl FittedSignals {
    /// Fits everything.
    pub fn fit(catalogue: Arc<Catalogue>, ratings: Arc<RatingMatrix>, options: SignalOptions) -> Self {
        let preferences = Arc::new(Preferences::fit(&ratings, options.max_ratings));
        let neighbors = Arc::new(ItemNeighbors::fit(&ratings, DEFAULT_NEIGHBORS, Similarity::Cosine));
        let timeline = Timeline::fit(&ratings);
        let history: [Box<dyn Signal>; RANKED - HALF_LIVES_DAYS.len() - 1] = [
            Box::new(Ease::fit(&preferences, options.max_dense_items)),
            Box::new(Als::fit(&preferences)),
            Box::new(NeighborSignal::new(neighbors)),
            Box::new(Rp3Beta::fit(&preferences)),
            Box::new(UserKnn::fit(preferences)),
            Box::new(GenreProfile::fit(&catalogue)),
        ];
        Self {
            history,
            latest: timeline.at(timeline.newest()),
            mean_ratings: mean_ratings(&ratings),
            scale: PreferenceScale::of(&ratings),
            timeline,
            catalogue,
            ratings,
        }
    }

    /// What the signals propose to a person, without the movies of the history and those excluded.
    pub fn candidates(&self, profile: &Profile, excluded: &dyn Fn(ItemIdx) -> bool) -> Candidates {
        let n_items = self.catalogue.len();
        let past = (profile.asked_at < self.timeline.newest()).then(|| self.timeline.at(profile.asked_at));
        let moment = past.as_ref().unwrap_or(&self.latest);
        let mut open = vec![true; n_items];
        profile.items.iter().for_each(|rated| open[rated.item.row()] = false);
        (0..n_items).filter(|&row| excluded(ItemIdx(row as u32))).for_each(|row| open[row] = false);

        let mut columns_of_history: Vec<Vec<f32>> = Vec::with_capacity(RANKED);
        for signal in &self.history {
            let mut scores = vec![0.0; n_items];
            signal.add_scores(profile, &mut scores);
            columns_of_history.push(scores);
        }
        let columns: Vec<&[f32]> = columns_of_history
            .iter()
            .map(Vec::as_slice)
            .chain(moment.decayed.iter().map(Vec::as_slice))
            .chain([moment.returning.as_slice()])
            .collect();
        let mut place = vec![u32::MAX; n_items];
        let mut candidates = Candidates::default();
        let mut ranks: Vec<[u8; RANKED]> = Vec::new();
        for (column, scores) in columns.iter().enumerate() {
            for (rank, item) in best(scores, &open).into_iter().enumerate() {
                if place[item] == u32::MAX {
                    place[item] = candidates.items.len() as u32;
                    candidates.items.push(ItemIdx(item as u32));
                    ranks.push([PROPOSED as u8; RANKED]);
                }
                ranks[place[item] as usize][column] = rank as u8;
            }
        }
        let spreads: Vec<(f32, f32)> =
            columns_of_history.iter().map(|scores| mean_and_deviation(scores, &open)).collect();
        let person = Person::of(profile, |item| self.year(item));
        candidates.rows = vec![[0.0; N_FEATURES]; candidates.items.len()];
        for ((row, &item), ranks) in candidates.rows.iter_mut().zip(&candidates.items).zip(&ranks) {
            let mut next = row.iter_mut();
            let mut put = |value: f32| {
                if let Some(slot) = next.next() {
                    *slot = value;
                }
            };
            for (scores, (mean, deviation)) in columns_of_history.iter().zip(&spreads) {
                put((scores[item.row()] - mean) / deviation);
            }
            for &rank in ranks {
                put(-(1.0 + f32::from(rank)).ln());
            }
            for counts in moment.decayed.iter().chain([&moment.returning]) {
                put((counts[item.row()] + 1e-3).ln());
            }
            put((1.0 + moment.counts[item.row()] as f32).ln());
            let since = self.timeline.n_between(item, person.last_seen, profile.asked_at) as f32;
            put((1.0 + since).ln());
            put(since / (1.0 + moment.counts[item.row()] as f32));
            let age_s = self.timeline.first_rated(item).map_or(0, |first| (profile.asked_at - first).max(0));
            put((1.0 + age_s as f32 / 86_400.0).ln());
            put(self.year(item).unwrap_or(person.mean_year));
            put(self.year(item).map_or(0.0, |year| (year - person.mean_year).abs()));
            put(self.mean_ratings[item.row()]);
            put((1.0 + person.gap_days).ln());
            put((1.0 + profile.items.len() as f32).ln());
            put(person.mean_preference);
            put((1.0 + person.span_days).ln());
        }
        debug_assert_eq!(FEATURES.len(), N_FEATURES);
        candidates
    }

    fn year(&self, item: ItemIdx) -> Option<f32> {
        self.catalogue.movie(item).year.map(f32::from)
    }

    /// The ratings these were fitted on.
    pub fn ratings(&self) -> &Arc<RatingMatrix> {
        &self.ratings
    }

    /// Time of the newest of them.
    pub fn newest(&self) -> i64 {
        self.timeline.newest()
    }

    /// Their scale.
    pub fn scale(&self) -> PreferenceScale {
        self.scale
    }
}

fn best(scores: &[f32], open: &[bool]) -> Vec<usize> {
    let present: Vec<usize> = (0..scores.len()).filter(|&item| open[item] && scores[item] > 0.0).collect();
    top_k(present, PROPOSED, |&left, &right| scores[right].total_cmp(&scores[left]).then(left.cmp(&right)))
}

fn mean_and_deviation(scores: &[f32], open: &[bool]) -> (f32, f32) {
    let (mut n, mut sum, mut squares) = (0.0_f64, 0.0_f64, 0.0_f64);
    for (&score, _) in scores.iter().zip(open).filter(|(_, open)| **open) {
        n += 1.0;
        sum += f64::from(score);
        squares += f64::from(score).powi(2);
    }
    let mean = sum / n.max(1.0);
    let variance = (squares / n.max(1.0) - mean * mean).max(0.0);
    (mean as f32, (variance.sqrt() as f32).max(1e-6))
}

fn mean_ratings(ratings: &RatingMatrix) -> Vec<f32> {
    let scale = PreferenceScale::of(ratings);
    let overall = scale.of_five(ratings.mean());
    let mean = |item: usize| {
        let values = ratings.by_item().row(item).1;
        let sum: f32 = values.iter().map(|&value| scale.of_five(value)).sum();
        (sum + MEAN_DAMPING * overall) / (values.len() as f32 + MEAN_DAMPING)
    };
    (0..ratings.by_item().n_rows()).map(mean).collect()
}
