//! All signals fitted on one set of ratings, and the candidates they propose to a person.

use std::sync::Arc;

use super::features::{N_FEATURES, N_HISTORY, N_RANKED, Person, Row};
use crate::domain::{Catalogue, ItemIdx, Query, RatingMatrix};
use crate::math::top_k;
use crate::recommend::signals::{
    Als, Ease, GenreProfile, Moment, NeighborSignal, PreferenceScale, Preferences, Profile, Rp3Beta, Signal, Timeline,
    UserKnn,
};
use crate::recommend::{DEFAULT_NEIGHBORS, ItemNeighbors, RatingBaseline, RecommendError, Scorer, Scores, Similarity};

/// Movies each signal proposes, and the worst rank that is told apart.
const N_PROPOSED: usize = 100;
/// Ratings at the overall mean that are added to a movie's own.
const MEAN_DAMPING: f32 = 10.0;
/// Year of a movie whose year nobody knows, where no other movie's is known either.
const SOME_YEAR: f32 = 1990.0;

/// Bounds of fitting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalOptions {
    /// Ratings above which the signals are fitted on a sample of the people.
    pub max_ratings: usize,
    /// Movies that take part in the dense item-item model, the most-rated ones.
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
    history: [Box<dyn Signal>; N_HISTORY],
    user_knn: UserKnn,
    timeline: Timeline,
    latest: Moment,
    mean_ratings: Vec<f32>,
    baseline: RatingBaseline,
}

/// Candidates with their features, in no particular order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidates {
    /// The movies.
    pub items: Vec<ItemIdx>,
    /// One row per movie.
    pub rows: Vec<Row>,
}

/// The proposed movies with their rank in each signal.
#[derive(Default)]
struct Proposals {
    items: Vec<ItemIdx>,
    ranks: Vec<[u8; N_RANKED]>,
}

/// What is computed once per question.
struct Described<'a> {
    profile: &'a Profile,
    person: Person,
    moment: &'a Moment,
    /// Scores of the signals of the history with mean and deviation over the open movies.
    columns: Vec<(Vec<f32>, f32, f32)>,
}

impl FittedSignals {
    /// Fits everything.
    pub fn fit(catalogue: Arc<Catalogue>, ratings: Arc<RatingMatrix>, options: SignalOptions) -> Self {
        let preferences = Arc::new(Preferences::fit(&ratings, options.max_ratings));
        let neighbors = Arc::new(ItemNeighbors::fit(&ratings, DEFAULT_NEIGHBORS, Similarity::Cosine));
        let timeline = Timeline::fit(&ratings);
        let user_knn = UserKnn::fit(Arc::clone(&preferences));
        // In the order of the features.
        let history: [Box<dyn Signal>; N_HISTORY] = [
            Box::new(Ease::fit(&preferences, options.max_dense_items)),
            Box::new(Als::fit(&preferences)),
            Box::new(NeighborSignal::new(neighbors)),
            Box::new(Rp3Beta::fit(&preferences)),
            Box::new(user_knn.clone()),
            Box::new(GenreProfile::fit(&catalogue)),
        ];
        Self {
            history,
            user_knn,
            latest: timeline.at(timeline.newest()),
            timeline,
            mean_ratings: mean_ratings(&ratings),
            baseline: RatingBaseline::fit(Arc::clone(&catalogue), &ratings, DEFAULT_NEIGHBORS),
            catalogue,
            ratings,
        }
    }

    /// What the signals propose for a query, and the `required` movies, without the movies the query leaves out.
    pub fn candidates(&self, query: &Query, required: &[ItemIdx]) -> Candidates {
        let profile = self.profile(query);
        let open = self.open(query);
        let past = (profile.asked_at < self.timeline.newest()).then(|| self.timeline.at(profile.asked_at));
        let moment = past.as_ref().unwrap_or(&self.latest);
        let columns: Vec<(Vec<f32>, f32, f32)> = self
            .history
            .iter()
            .map(|signal| {
                let mut scores = vec![0.0; self.catalogue.len()];
                signal.add_scores(&profile, &mut scores);
                let (mean, deviation) = mean_and_deviation(&scores, &open);
                (scores, mean, deviation)
            })
            .collect();
        let rankings = columns
            .iter()
            .map(|(scores, ..)| scores.as_slice())
            .chain(moment.decayed.iter().map(Vec::as_slice))
            .chain([moment.returning.as_slice()]);
        let proposals = Proposals::collect(rankings, &open, required);
        let person = Person::of(&profile, |item| self.year(item));
        let described = Described { profile: &profile, person, moment, columns };
        let predicted = self.baseline.predict_many(&query.history, &proposals.items);
        let rows = proposals.items.iter().zip(&proposals.ranks).zip(predicted);
        let rows = rows.map(|((&item, ranks), predicted)| self.row(&described, item, (ranks, predicted))).collect();
        Candidates { items: proposals.items, rows }
    }

    fn row(&self, described: &Described<'_>, item: ItemIdx, (ranks, predicted): (&[u8; N_RANKED], f32)) -> Row {
        let Described { profile, person, moment, columns } = described;
        let row = item.row();
        let n_ratings = moment.counts[row] as f32;
        let n_since = if person.last_seen < profile.asked_at {
            n_ratings - self.timeline.n_until(item, person.last_seen) as f32
        } else {
            0.0
        };
        let age_s = self.timeline.first_rated(item).map_or(0, |first| (profile.asked_at - first).max(0));
        let year = self.year(item);
        let mean_year = person.mean_year.unwrap_or(SOME_YEAR);
        let standard = columns.iter().map(|(scores, mean, deviation)| (scores[row] - mean) / deviation);
        let counts = moment.decayed.iter().chain([&moment.returning]).map(|counts| (counts[row] + 1e-3).ln());
        let facts = [
            n_ratings.ln_1p(),
            n_since.ln_1p(),
            n_since / (1.0 + n_ratings),
            (age_s as f32 / 86_400.0).ln_1p(),
            year.unwrap_or(mean_year),
            year.map_or(0.0, |year| (year - mean_year).abs()),
            self.mean_ratings[row],
            predicted,
        ];
        let mut features = [0.0; N_FEATURES];
        let values = standard.chain(ranks.iter().map(|&rank| -f32::from(rank).ln_1p())).chain(counts);
        for (slot, value) in features.iter_mut().zip(values.chain(facts).chain(person.features)) {
            *slot = value;
        }
        features
    }

    /// The person of a query.
    pub fn profile(&self, query: &Query) -> Profile {
        Profile::of(query, &self.catalogue, &self.ratings)
    }

    /// Which movies may be recommended.
    fn open(&self, query: &Query) -> Vec<bool> {
        let mut open = vec![true; self.catalogue.len()];
        let left_out = query.seen().chain(query.seeds.iter().copied()).chain(query.excluded.iter().copied());
        for item in left_out.filter_map(|movie| self.catalogue.item_idx(movie)) {
            open[item.row()] = false;
        }
        if !query.filter.is_open() {
            for (open, item) in open.iter_mut().zip((0..).map(ItemIdx)) {
                *open &= query.filter.accepts(self.catalogue.movie(item), self.catalogue.popularity(item));
            }
        }
        open
    }

    fn year(&self, item: ItemIdx) -> Option<f32> {
        self.catalogue.movie(item).year.map(f32::from)
    }

    /// The signals of the history, in the order of the features.
    pub fn history_signals(&self) -> impl Iterator<Item = &dyn Signal> {
        self.history.iter().map(|signal| &**signal)
    }

    /// The one that knows people.
    pub fn user_knn(&self) -> &UserKnn {
        &self.user_knn
    }

    /// The same, each as a method of its own.
    pub fn scorers(&self) -> impl Iterator<Item = SignalScorer<'_>> {
        self.history_signals().map(|signal| SignalScorer { signals: self, signal })
    }

    /// The catalogue these were fitted on.
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }
}

/// A signal of the history as a method of its own.
pub struct SignalScorer<'a> {
    signals: &'a FittedSignals,
    signal: &'a dyn Signal,
}

impl Scorer for SignalScorer<'_> {
    fn name(&self) -> &'static str {
        self.signal.name()
    }

    fn score(&self, query: &Query) -> Result<Scores, RecommendError> {
        let profile = self.signals.profile(query);
        if profile.items.is_empty() {
            return Err(RecommendError::NothingToGoBy { method: self.name(), needs: "a rated movie" });
        }
        let mut all = vec![0.0; self.signals.catalogue.len()];
        self.signal.add_scores(&profile, &mut all);
        let mut scores = Scores::absent(all.len());
        for (item, score) in (0..).map(ItemIdx).zip(all) {
            if score != 0.0 {
                scores.set(item, score);
            }
        }
        Ok(scores)
    }
}

impl Proposals {
    fn collect<'a>(rankings: impl Iterator<Item = &'a [f32]>, open: &[bool], required: &[ItemIdx]) -> Self {
        let mut proposals = Self::default();
        let mut places = vec![u32::MAX; open.len()];
        let mut place_of = |proposals: &mut Self, item: ItemIdx| {
            let place = &mut places[item.row()];
            if *place == u32::MAX {
                *place = proposals.items.len() as u32;
                proposals.items.push(item);
                proposals.ranks.push([N_PROPOSED as u8; N_RANKED]);
            }
            *place as usize
        };
        for (column, scores) in rankings.enumerate() {
            for (rank, item) in best(scores, open).into_iter().enumerate() {
                let place = place_of(&mut proposals, item);
                proposals.ranks[place][column] = rank as u8;
            }
        }
        for &item in required.iter().filter(|item| open[item.row()]) {
            place_of(&mut proposals, item);
        }
        proposals
    }
}

fn best(scores: &[f32], open: &[bool]) -> Vec<ItemIdx> {
    let present = scores.iter().zip(open).enumerate().filter(|&(_, (&score, &open))| open && score > 0.0);
    let present: Vec<(u32, f32)> = present.map(|(row, (&score, _))| (row as u32, score)).collect();
    let order = |left: &(u32, f32), right: &(u32, f32)| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0));
    top_k(present, N_PROPOSED, order).into_iter().map(|(row, _)| ItemIdx(row)).collect()
}

/// Over the open movies. Single precision does: the scores are standardised for a ranker, not summed up.
fn mean_and_deviation(scores: &[f32], open: &[bool]) -> (f32, f32) {
    let (mut n, mut sum, mut squares) = (0.0_f32, 0.0_f32, 0.0_f32);
    for (&score, &open) in scores.iter().zip(open) {
        let counted = f32::from(u8::from(open));
        n += counted;
        sum += counted * score;
        squares += counted * score * score;
    }
    let mean = sum / n.max(1.0);
    // Where all are equal the feature is zero.
    (mean, (squares / n.max(1.0) - mean * mean).max(0.0).sqrt().max(1e-6))
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
