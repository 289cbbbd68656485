//! All signals fitted on one set of ratings, and the candidates they propose to a person.

use std::sync::{Arc, LazyLock};

use super::features::{N_FEATURES, N_HISTORY, N_RANKED, Person, Row};
use crate::domain::{Catalogue, ItemIdx, Query, RatingMatrix};
use crate::math::Survey;
use crate::recommend::signals::{
    Als, Ease, GenreProfile, Moment, NeighborSignal, PreferenceScale, Preferences, Profile, Recent, Rp3Beta,
    SequentialRules, Signal, Timeline, UserKnn,
};
use crate::recommend::{DEFAULT_NEIGHBORS, ItemNeighbors, RatingBaseline, RecommendError, Scorer, Scores, Similarity};

/// Movies each signal proposes, and the worst rank that is told apart.
const N_PROPOSED: usize = 100;
/// Ratings at the overall mean that are added to a movie's own.
const MEAN_DAMPING: f32 = 10.0;
/// Year of a movie whose year nobody knows, where no other movie's is known either.
const SOME_YEAR: f32 = 1990.0;
/// Added to counts, as shares of the largest, before their logarithm is taken.
const LEAST_SHARE: f32 = 1e-3;
/// What a rank says: −ln(1 + rank).
static RANK_FEATURES: LazyLock<[f32; N_PROPOSED + 1]> =
    LazyLock::new(|| std::array::from_fn(|rank| -(rank as f32).ln_1p()));

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
    history: [Arc<dyn Signal>; N_HISTORY],
    user_knn: UserKnn,
    timeline: Timeline,
    latest: Popular,
    mean_ratings: Vec<f32>,
    baseline: RatingBaseline,
}

/// What is popular at one time of asking, in the form that candidates are described with.
struct Popular {
    counts: Vec<u32>,
    /// Decayed counts, then those of returning people, as ln([`LEAST_SHARE`] + count).
    logs: [Vec<f32>; N_RANKED - N_HISTORY],
    /// The rows of each of these with a count above zero, the largest first; as many as are needed.
    orders: [Vec<u32>; N_RANKED - N_HISTORY],
}

impl Popular {
    /// With orders of at least `n_ordered` movies where so many have a count.
    fn at(timeline: &Timeline, time: i64, n_ordered: usize) -> Self {
        let Moment { counts, decayed: [first, second, third, fourth], returning } = timeline.at(time);
        let columns = [first, second, third, fourth, returning];
        let orders = std::array::from_fn(|column| Survey::of(&columns[column]).best_rows(n_ordered));
        let of_none = LEAST_SHARE.ln();
        let log = |count: f32| if count > 0.0 { (count + LEAST_SHARE).ln() } else { of_none };
        let logs = columns.map(|column| column.into_iter().map(log).collect());
        Self { counts, logs, orders }
    }
}

/// Candidates with their features, in no particular order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidates {
    /// The movies.
    pub items: Vec<ItemIdx>,
    /// One row per movie.
    pub rows: Vec<Row>,
}

/// Place of a movie that nothing has proposed yet.
const UNPLACED: u32 = u32::MAX;
/// Place of a movie that must not be proposed.
const LEFT_OUT: u32 = u32::MAX - 1;

/// The proposed movies with their rank in each signal.
struct Proposals {
    /// Where each movie of the catalogue stands.
    places: Vec<u32>,
    items: Vec<ItemIdx>,
    ranks: Vec<[u8; N_RANKED]>,
}

/// What is computed once per question.
struct Described<'a> {
    profile: &'a Profile,
    person: Person,
    popular: &'a Popular,
    columns: Vec<Column>,
}

/// The scores of a signal of the history, zero where a movie is not open, with mean and deviation over the open ones.
struct Column {
    scores: Vec<f32>,
    mean: f32,
    deviation: f32,
    /// The rows of the best, the best first.
    best: Vec<u32>,
}

impl Column {
    /// Single precision does: the scores are standardised for a ranker, not summed up.
    fn of(scores: Vec<f32>, n_open: usize) -> Self {
        let survey = Survey::of(&scores);
        let n = n_open.max(1) as f32;
        let mean = survey.sum / n;
        // Where all are equal the feature is zero.
        let deviation = (survey.sum_of_squares / n - mean * mean).max(0.0).sqrt().max(1e-6);
        Self { mean, deviation, best: survey.best_rows(N_PROPOSED), scores }
    }
}

impl FittedSignals {
    /// Fits everything.
    pub fn fit(catalogue: Arc<Catalogue>, ratings: Arc<RatingMatrix>, options: SignalOptions) -> Self {
        Self::fit_unless_stopped(catalogue, ratings, options, &|| true).expect("nobody stops it")
    }

    /// As [`Self::fit`], but ends early, with nothing, when `go_on` says no; it is asked every few seconds.
    pub fn fit_unless_stopped(
        catalogue: Arc<Catalogue>,
        ratings: Arc<RatingMatrix>,
        options: SignalOptions,
        go_on: &dyn Fn() -> bool,
    ) -> Option<Self> {
        let preferences = Arc::new(Preferences::fit(&ratings, options.max_ratings));
        let neighbors = ItemNeighbors::fit_unless_stopped(&ratings, DEFAULT_NEIGHBORS, Similarity::Cosine, go_on)?;
        let timeline = Timeline::fit(&ratings, options.max_ratings);
        let user_knn = UserKnn::fit(Arc::clone(&preferences));
        let baseline = RatingBaseline::fit_unless_stopped(Arc::clone(&catalogue), &ratings, DEFAULT_NEIGHBORS, go_on)?;
        let ease = go_on().then(|| Ease::fit(&preferences, options.max_dense_items))?;
        let als = go_on().then(|| Als::fit(&preferences))?;
        let rp3beta = go_on().then(|| Rp3Beta::fit(&preferences))?;
        let rules = go_on().then(|| SequentialRules::fit(&ratings, options.max_ratings))?;
        let (ease, neighbors): (Arc<dyn Signal>, Arc<dyn Signal>) =
            (Arc::new(ease), Arc::new(NeighborSignal::new(Arc::new(neighbors))));
        // In the order of the features.
        let history: [Arc<dyn Signal>; N_HISTORY] = [
            Arc::clone(&ease),
            Arc::new(als),
            Arc::clone(&neighbors),
            Arc::new(rp3beta),
            Arc::new(user_knn.clone()),
            Arc::new(GenreProfile::fit(&catalogue)),
            Arc::new(Recent::new(ease, "ease-recent")),
            Arc::new(Recent::new(neighbors, "item-knn-recent")),
            Arc::new(rules),
        ];
        Some(Self {
            history,
            user_knn,
            latest: Popular::at(&timeline, timeline.newest(), usize::MAX),
            timeline,
            mean_ratings: mean_ratings(&ratings),
            baseline: baseline.for_many_movies(),
            catalogue,
            ratings,
        })
    }

    /// What the signals propose for a query, and the `required` movies, without the movies the query leaves out.
    pub fn candidates(&self, query: &Query, required: &[ItemIdx]) -> Candidates {
        let profile = self.profile(query);
        let left_out = self.left_out(query);
        let n_open = self.catalogue.len() - left_out.len();
        let past = (profile.asked_at < self.timeline.newest())
            .then(|| Popular::at(&self.timeline, profile.asked_at, N_PROPOSED + left_out.len()));
        let popular = past.as_ref().unwrap_or(&self.latest);
        let columns: Vec<Column> = self
            .history
            .iter()
            .map(|signal| {
                let mut scores = vec![0.0; self.catalogue.len()];
                signal.add_scores(&profile, &mut scores);
                for item in &left_out {
                    scores[item.row()] = 0.0;
                }
                Column::of(scores, n_open)
            })
            .collect();
        let proposals = self.proposals((&columns, popular), &left_out, required);
        let person = Person::of(&profile, |item| self.year(item));
        let described = Described { profile: &profile, person, popular, columns };
        let predicted = self.baseline.predict_many(&query.history, &proposals.items);
        let rows = proposals.items.iter().zip(&proposals.ranks).zip(predicted);
        let rows = rows.map(|((&item, ranks), predicted)| self.row(&described, item, (ranks, predicted))).collect();
        Candidates { items: proposals.items, rows }
    }

    fn row(&self, described: &Described<'_>, item: ItemIdx, (ranks, predicted): (&[u8; N_RANKED], f32)) -> Row {
        let Described { profile, person, popular, columns } = described;
        let row = item.row();
        let n_ratings = popular.counts[row] as f32;
        let n_since = if person.last_seen < profile.asked_at {
            n_ratings - self.timeline.n_until(item, person.last_seen) as f32
        } else {
            0.0
        };
        let age_s = self.timeline.first_rated(item).map_or(0, |first| (profile.asked_at - first).max(0));
        let year = self.year(item);
        let mean_year = person.mean_year.unwrap_or(SOME_YEAR);
        let standard = columns.iter().map(|column| (column.scores[row] - column.mean) / column.deviation);
        let counts = popular.logs.iter().map(|logs| logs[row]);
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
        let values = standard.chain(ranks.iter().map(|&rank| RANK_FEATURES[usize::from(rank)])).chain(counts);
        for (slot, value) in features.iter_mut().zip(values.chain(facts).chain(person.features)) {
            *slot = value;
        }
        features
    }

    /// The person of a query.
    pub fn profile(&self, query: &Query) -> Profile {
        Profile::of(query, &self.catalogue, &self.ratings)
    }

    /// Which movies may not be recommended, by ascending row.
    fn left_out(&self, query: &Query) -> Vec<ItemIdx> {
        let left_out = query.seen().chain(query.seeds.iter().copied()).chain(query.excluded.iter().copied());
        let mut left_out: Vec<ItemIdx> = left_out.filter_map(|movie| self.catalogue.item_idx(movie)).collect();
        if !query.filter.is_open() {
            let passes =
                |&item: &ItemIdx| query.filter.accepts(self.catalogue.movie(item), self.catalogue.popularity(item));
            left_out.extend((0..self.catalogue.len() as u32).map(ItemIdx).filter(|item| !passes(item)));
        }
        left_out.sort_unstable();
        left_out.dedup();
        left_out
    }

    /// The best of each signal of the history and of what is popular, and the required movies.
    fn proposals(
        &self,
        (columns, popular): (&[Column], &Popular),
        left_out: &[ItemIdx],
        required: &[ItemIdx],
    ) -> Proposals {
        let mut proposals = Proposals::new(self.catalogue.len(), left_out);
        for (column, Column { best, .. }) in columns.iter().enumerate() {
            proposals.add(column, best.iter().copied());
        }
        for (column, order) in (N_HISTORY..).zip(&popular.orders) {
            proposals.add(column, order.iter().copied());
        }
        for &item in required {
            proposals.place(item.0);
        }
        proposals
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

    /// What predicts ratings.
    pub fn rating_baseline(&self) -> &RatingBaseline {
        &self.baseline
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
    fn new(n_items: usize, left_out: &[ItemIdx]) -> Self {
        let mut places = vec![UNPLACED; n_items];
        for item in left_out {
            places[item.row()] = LEFT_OUT;
        }
        Self { places, items: Vec::new(), ranks: Vec::new() }
    }

    /// The first movies of a ranking that may be recommended.
    fn add(&mut self, column: usize, ranking: impl Iterator<Item = u32>) {
        let mut rank = 0;
        for row in ranking {
            if let Some(place) = self.place(row) {
                self.ranks[place][column] = rank as u8;
                rank += 1;
            }
            if rank == N_PROPOSED {
                break;
            }
        }
    }

    /// Where a movie stands, now if not before; `None` if it is left out.
    fn place(&mut self, row: u32) -> Option<usize> {
        let place = &mut self.places[row as usize];
        if *place == UNPLACED {
            *place = self.items.len() as u32;
            self.items.push(ItemIdx(row));
            self.ranks.push([N_PROPOSED as u8; N_RANKED]);
        }
        (*place != LEFT_OUT).then_some(*place as usize)
    }
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
