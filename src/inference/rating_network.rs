//! The rating network in two graphs: the movie tower runs once per catalogue, the scorer once per question.
//!
//! The artifact brings its own vocabulary. A movie is known when its id *and* its title agree: ids of different data
//! sets coincide by number. Everything else is row 0, which the network was trained to handle. People have
//! nothing but their number: where the movies agree, a person of this store gets the taste of the person who had the
//! number in the training set. Ratings of one's own over films of a public data set want a network trained on them.
//!
//! A network that takes histories gets the newest ratings of the query with every question, as the vectors of the
//! movies, the ratings, and the seconds that have passed, so that a rating counts at once.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ort::session::Session;
use ort::value::TensorRef;

use super::movie_features::{FeatureColumns, Features};
use super::runtime::SharedTables;
use super::session::{Port, check_signature, floats, run_error};
use super::{InferenceError, Runtime, Worker, WorkerOptions, check_probe, fenced};
use crate::artifact::{Artifact, HistoryInput, NetworkVocabulary, ProbeHistory, RatingNetwork as Section};
use crate::domain::{Catalogue, ItemIdx, MovieId, Query, RatedMovie, UserId, Vocabulary};
use crate::recommend::{PairScorer, PortError};
use crate::understand::title_key;

/// Name of this port in errors.
const PORT: &str = "the rating network";
/// Movies of one run of the tower, and most movie vectors of one run of the scorer.
const ROWS_PER_RUN: usize = 4096;

type Scorer = Worker<Question, Result<Vec<f32>, InferenceError>>;

/// A user row and movie vectors, one after the other; and what was rated, if the scorer takes it.
struct Question {
    user_row: i64,
    movie_vectors: Vec<f32>,
    history: Option<Arc<History>>,
}

/// Known ratings: vectors of the movies, one after the other, their ratings, and the seconds since.
#[derive(Default)]
struct History {
    vectors: Vec<f32>,
    ratings: Vec<f32>,
    ages: Vec<f32>,
}

/// The loaded network, not yet bound to a catalogue.
#[derive(Debug)]
pub struct OnnxRatingNetwork {
    section: Section,
    movie_rows: HashMap<MovieId, (i64, String)>,
    user_rows: Arc<HashMap<UserId, i64>>,
    tower: Mutex<Session>,
    scorer: Arc<Scorer>,
    options: WorkerOptions,
}

/// How many of the catalogue's rated movies the network knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Rated movies known by id and title.
    pub known: usize,
    /// Movies with at least one vote.
    pub rated: usize,
}

/// The network with the movie vectors of one catalogue.
#[derive(Debug)]
pub struct PreparedNetwork {
    movies: Vocabulary<MovieId>,
    movie_vectors: Vec<f32>,
    vector_dim: usize,
    rating_scale: [f32; 2],
    history: Option<HistoryInput>,
    user_rows: Arc<HashMap<UserId, i64>>,
    scorer: Arc<Scorer>,
    options: WorkerOptions,
    coverage: Coverage,
}

impl OnnxRatingNetwork {
    /// Loads the artifact's network and holds it against its probe.
    pub fn load(artifact: &Artifact, runtime: &Runtime, options: WorkerOptions) -> Result<Self, InferenceError> {
        let section = artifact.rating_network()?.clone();
        let tower = load_tower(artifact, runtime, &section, options)?;
        let scorer = load_scorer(artifact, runtime, &section, options)?;
        let NetworkVocabulary { movies, users } = artifact.vocabulary()?;
        let rows = 1_i64..;
        let movie_rows = movies.iter().zip(rows.clone()).map(|(movie, row)| (movie.id, (row, title_key(&movie.title))));
        let user_rows = users.into_iter().zip(rows).collect();
        let network = Self {
            movie_rows: movie_rows.collect(),
            user_rows: Arc::new(user_rows),
            section,
            tower: Mutex::new(tower),
            scorer: Arc::new(scorer),
            options,
        };
        network.probe(artifact)?;
        Ok(network)
    }

    /// Compares movie vectors and ratings of the probe with the recorded ones.
    pub fn probe(&self, artifact: &Artifact) -> Result<(), InferenceError> {
        let probe = artifact.network_probe()?;
        let tolerance = artifact.manifest().probe.tolerance;
        let features = Features { rows: probe.movie_rows, numeric: probe.numeric, genres: probe.genres };
        let vectors = self.run_tower(&features)?;
        check_probe("the movie vectors", (&vectors, &probe.movie_vectors), tolerance)?;
        for (place, (&user_row, expected)) in probe.user_rows.iter().zip(&probe.ratings).enumerate() {
            let history = probe.histories.get(place).map(|history| Arc::new(self.probe_history(history, &vectors)));
            let question = Question { user_row, movie_vectors: vectors.clone(), history };
            let deadline = Instant::now() + self.options.patience;
            let ratings = self.scorer.submit_by(question, deadline)?.wait_until(deadline)??;
            check_probe(&format!("the ratings of user row {user_row}"), (&ratings, expected), tolerance)?;
        }
        Ok(())
    }

    fn probe_history(&self, history: &ProbeHistory, vectors: &[f32]) -> History {
        let of = |&place: &usize| vectors.chunks_exact(self.section.vector_dim).nth(place).unwrap_or_default();
        History {
            vectors: history.movies.iter().flat_map(of).copied().collect(),
            ratings: history.ratings.clone(),
            ages: history.ages.clone(),
        }
    }

    /// Whether it knows this person by number.
    pub fn knows_user(&self, user: UserId) -> bool {
        self.user_rows.contains_key(&user)
    }

    /// Binds the network to a catalogue: maps its movies to rows and computes their vectors. It must know at least the
    /// share `least_known` of the rated movies.
    pub fn prepare(&self, catalogue: &Catalogue, least_known: f64) -> Result<PreparedNetwork, InferenceError> {
        let rows: Vec<i64> = catalogue.movies().iter().map(|movie| self.movie_row(movie.id, &movie.title)).collect();
        let coverage = coverage(catalogue, &rows);
        let Coverage { known, rated } = coverage;
        if (known as f64) < least_known * rated as f64 {
            let least_percent = 100.0 * least_known;
            return Err(InferenceError::VocabularyMismatch { known, rated, least_percent });
        }
        let columns = FeatureColumns::of(&self.section);
        let mut movie_vectors = Vec::with_capacity(rows.len() * self.section.vector_dim);
        for (chunk, chunk_rows) in rows.chunks(ROWS_PER_RUN).enumerate() {
            let features = columns.features(catalogue, chunk * ROWS_PER_RUN, chunk_rows);
            movie_vectors.extend(self.run_tower(&features)?);
        }
        Ok(PreparedNetwork {
            movies: catalogue.vocabulary().clone(),
            movie_vectors,
            vector_dim: self.section.vector_dim,
            rating_scale: self.section.rating_scale,
            history: self.section.history,
            user_rows: Arc::clone(&self.user_rows),
            scorer: Arc::clone(&self.scorer),
            options: self.options,
            coverage,
        })
    }

    fn movie_row(&self, id: MovieId, title: &str) -> i64 {
        match self.movie_rows.get(&id) {
            Some((row, key)) if *key == title_key(title) => *row,
            _ => 0,
        }
    }

    fn run_tower(&self, features: &Features) -> Result<Vec<f32>, InferenceError> {
        let n = features.rows.len();
        let mut session = self.tower.lock().unwrap_or_else(PoisonError::into_inner);
        let run = || {
            let numeric = ([n, self.section.numeric.len()], &features.numeric[..]);
            let genres = ([n, self.section.genres.len()], &features.genres[..]);
            let inputs = ort::inputs! {
                "movie_row" => TensorRef::from_array_view(([n], &features.rows[..])).map_err(run_error)?,
                "numeric" => TensorRef::from_array_view(numeric).map_err(run_error)?,
                "genres" => TensorRef::from_array_view(genres).map_err(run_error)?,
            };
            let outputs = session.run(inputs).map_err(run_error)?;
            floats(&outputs, "movie_vector", n * self.section.vector_dim)
        };
        fenced(run).map_err(InferenceError::Run)?
    }
}

impl PreparedNetwork {
    /// How well network and catalogue fit.
    pub fn coverage(&self) -> Coverage {
        self.coverage
    }

    fn predict_items(&self, query: &Query, items: &[ItemIdx]) -> Result<Vec<f32>, InferenceError> {
        let user_row = query.user.and_then(|user| self.user_rows.get(&user)).copied().unwrap_or(0);
        let history = self.history.map(|input| self.live_history(query, input.max_length)).transpose()?.map(Arc::new);
        let [low, high] = self.rating_scale;
        let deadline = Instant::now() + self.options.patience;
        let mut ratings = Vec::with_capacity(items.len());
        for (chunk, items) in items.chunks(ROWS_PER_RUN).enumerate() {
            let question = Question { user_row, movie_vectors: self.gather(items)?, history: history.clone() };
            // Full is said before the first run; later ones wait for their place.
            let ticket = match chunk {
                0 => self.scorer.submit(question)?,
                _ => self.scorer.submit_by(question, deadline)?,
            };
            ratings.extend(ticket.wait_until(deadline)??.into_iter().map(|rating| rating.clamp(low, high)));
        }
        Ok(ratings)
    }

    /// The newest ratings of the query. Where it has no time of asking, that of the newest is taken.
    fn live_history(&self, query: &Query, max_length: usize) -> Result<History, InferenceError> {
        let known = |rated: &RatedMovie| Some((ItemIdx(self.movies.index_of(rated.movie)? as u32), *rated));
        let mut newest: Vec<(ItemIdx, RatedMovie)> = query.history.iter().filter_map(known).collect();
        newest.sort_by_key(|(_, rated)| (Reverse(rated.timestamp), rated.movie));
        newest.truncate(max_length);
        let asked_at = query.asked_at.or_else(|| newest.first().map(|(_, rated)| rated.timestamp)).unwrap_or(0);
        let [low, high] = self.rating_scale;
        let items: Vec<ItemIdx> = newest.iter().map(|&(item, _)| item).collect();
        Ok(History {
            vectors: self.gather(&items)?,
            ratings: newest.iter().map(|(_, rated)| rated.rating.value().clamp(low, high)).collect(),
            ages: newest.iter().map(|(_, rated)| asked_at.saturating_sub(rated.timestamp) as f32).collect(),
        })
    }

    fn gather(&self, items: &[ItemIdx]) -> Result<Vec<f32>, InferenceError> {
        let mut vectors = Vec::with_capacity(items.len() * self.vector_dim);
        for item in items {
            let start = item.row() * self.vector_dim;
            let vector = self.movie_vectors.get(start..start + self.vector_dim);
            let missing = || InferenceError::Run(format!("row {} is not of the catalogue it was prepared for", item.0));
            vectors.extend_from_slice(vector.ok_or_else(missing)?);
        }
        Ok(vectors)
    }
}

impl PairScorer for PreparedNetwork {
    fn predict(&self, query: &Query, items: &[ItemIdx]) -> Result<Vec<f32>, PortError> {
        self.predict_items(query, items).map_err(|error| error.into_port(PORT))
    }
}

fn load_tower(
    artifact: &Artifact,
    runtime: &Runtime,
    section: &Section,
    options: WorkerOptions,
) -> Result<Session, InferenceError> {
    let file = &section.movie_tower;
    let session = runtime.session(artifact, file, (options.threads, &SharedTables::default()))?;
    let inputs = [
        Port::int64("movie_row", [None]),
        Port::float32("numeric", [None, Some(section.numeric.len())]),
        Port::float32("genres", [None, Some(section.genres.len())]),
    ];
    check_signature(file, &session, &inputs, &[Port::float32("movie_vector", [None, Some(section.vector_dim)])])?;
    Ok(session)
}

fn load_scorer(
    artifact: &Artifact,
    runtime: &Runtime,
    section: &Section,
    options: WorkerOptions,
) -> Result<Scorer, InferenceError> {
    let file = &section.scorer;
    let vector_dim = section.vector_dim;
    let mut session = runtime.session(artifact, file, (options.threads, &SharedTables::default()))?;
    let mut inputs = vec![Port::int64("user_row", [Some(1)]), Port::float32("movie_vectors", [None, Some(vector_dim)])];
    if section.history.is_some() {
        inputs.push(Port::float32("history_vectors", [None, Some(vector_dim)]));
        inputs.extend(["history_ratings", "history_ages"].map(|name| Port::float32(name, [None])));
    }
    check_signature(file, &session, &inputs, &[Port::float32("rating", [None])])?;
    let run = move |question: Question| run_scorer(&mut session, &question, vector_dim);
    Worker::start("rating-network", options.queue, run).map_err(|error| InferenceError::Run(error.to_string()))
}

fn run_scorer(session: &mut Session, question: &Question, vector_dim: usize) -> Result<Vec<f32>, InferenceError> {
    let n = question.movie_vectors.len() / vector_dim;
    let user_row = [question.user_row];
    let movie_vectors = ([n, vector_dim], &question.movie_vectors[..]);
    let mut inputs = ort::inputs! {
        "user_row" => TensorRef::from_array_view(([1_usize], &user_row[..])).map_err(run_error)?,
        "movie_vectors" => TensorRef::from_array_view(movie_vectors).map_err(run_error)?,
    };
    if let Some(history) = &question.history {
        let n = history.ratings.len();
        let vectors = ([n, vector_dim], &history.vectors[..]);
        inputs.extend(ort::inputs! {
            "history_vectors" => TensorRef::from_array_view(vectors).map_err(run_error)?,
            "history_ratings" => TensorRef::from_array_view(([n], &history.ratings[..])).map_err(run_error)?,
            "history_ages" => TensorRef::from_array_view(([n], &history.ages[..])).map_err(run_error)?,
        });
    }
    let outputs = session.run(inputs).map_err(run_error)?;
    floats(&outputs, "rating", n)
}

fn coverage(catalogue: &Catalogue, rows: &[i64]) -> Coverage {
    let mut coverage = Coverage { known: 0, rated: 0 };
    for (item, &row) in (0..).map(ItemIdx).zip(rows) {
        if catalogue.popularity(item).vote_count > 0 {
            coverage.rated += 1;
            coverage.known += usize::from(row != 0);
        }
    }
    coverage
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::super::runtime::tests::runtime;
    use super::*;
    use crate::domain::{Movie, Rating, RatingMatrix, Votes};

    fn network() -> OnnxRatingNetwork {
        OnnxRatingNetwork::load(&fixture::artifact("tiny-network"), &runtime(), WorkerOptions::default()).unwrap()
    }

    /// The vocabulary's movies, each with votes, then one more without.
    fn movies() -> Vec<Movie> {
        let vocabulary = fixture::artifact("tiny-network").vocabulary().unwrap();
        let known = vocabulary.movies.iter().map(|known| {
            let mut movie = Movie::new(known.id, known.title.to_uppercase());
            movie.votes = Some(Votes { average: 6.5, count: 120 });
            movie.genres = vec!["drama".to_owned(), "Unheard of".to_owned()];
            movie
        });
        known.chain([Movie::new(MovieId(4_000_000), "Nobody voted")]).collect()
    }

    fn catalogue(movies: Vec<Movie>) -> Catalogue {
        let ratings = RatingMatrix::new(&Catalogue::vocabulary_of(&movies), Vec::new());
        Catalogue::new(movies, &ratings)
    }

    fn person(user: Option<UserId>) -> Query {
        Query { user, ..Query::default() }
    }

    fn items(catalogue: &Catalogue) -> Vec<ItemIdx> {
        (0..catalogue.len() as u32).map(ItemIdx).collect()
    }

    #[test]
    fn predicts_within_the_scale_for_known_and_unknown_users() {
        let catalogue = catalogue(movies());
        let network = network();
        let prepared = network.prepare(&catalogue, 0.5).unwrap();
        let n_known = catalogue.len() - 1;
        assert_eq!(prepared.coverage(), Coverage { known: n_known, rated: n_known });
        let items = items(&catalogue);
        let user = *network.user_rows.keys().next().unwrap();
        let known = prepared.predict(&person(Some(user)), &items).unwrap();
        let unknown = prepared.predict(&person(None), &items).unwrap();
        assert_eq!(prepared.predict(&person(Some(UserId(u32::MAX))), &items).unwrap(), unknown);
        assert_ne!(known, unknown);
        let [low, high] = network.section.rating_scale;
        assert!(known.iter().chain(&unknown).all(|rating| (low..=high).contains(rating)));
        let reversed: Vec<ItemIdx> = items.iter().rev().copied().collect();
        let back: Vec<f32> = prepared.predict(&person(Some(user)), &reversed).unwrap().into_iter().rev().collect();
        // The place in the batch may change the last bit.
        assert!(back.iter().zip(&known).all(|(left, right)| (left - right).abs() < 1e-5), "{back:?} {known:?}");
        assert!(prepared.predict(&person(Some(user)), &[]).unwrap().is_empty());
        assert!(matches!(prepared.predict(&person(Some(user)), &[ItemIdx(99_999)]), Err(PortError::Failed(..))));
    }

    /// Ratings of the catalogue's first movies, a minute apart, oldest first; the last is a film nobody has.
    fn rated(n: u32) -> Vec<RatedMovie> {
        let values = (0..n).map(|place| (place, [5.0, 1.0, 4.0, 2.0][place as usize % 4]));
        let rate = |movie, value, timestamp| RatedMovie { movie, rating: Rating::new(value).unwrap(), timestamp };
        let known = values.map(|(place, value)| rate(MovieId(place + 1), value, 60 * i64::from(place)));
        known.chain([rate(MovieId(5_000_000), 5.0, i64::MAX)]).collect()
    }

    fn predicted(network: &PreparedNetwork, history: &[RatedMovie], asked_at: Option<i64>) -> Vec<f32> {
        let query = Query { history: history.to_vec(), asked_at, ..Query::default() };
        network.predict(&query, &(0..6).map(ItemIdx).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn ratings_count_at_once_by_value_and_age() {
        let prepared = network().prepare(&catalogue(movies()), 0.5).unwrap();
        let [none, one, two] = [0, 1, 2].map(|n| predicted(&prepared, &rated(n), Some(1000)));
        assert_eq!(none, predicted(&prepared, &[], None), "only a film that nobody has");
        assert!(none != one && one != two);
        assert_ne!(two, predicted(&prepared, &rated(2), Some(1_000_000)));
        let newest = 60;
        assert_eq!(predicted(&prepared, &rated(2)[..2], None), predicted(&prepared, &rated(2), Some(newest)));
        for asked_at in [i64::MIN, i64::MAX] {
            assert!(predicted(&prepared, &rated(6), Some(asked_at)).iter().all(|rating| rating.is_finite()));
        }
    }

    #[test]
    fn of_a_long_history_the_newest_ratings_count() {
        let network = network();
        let Some(HistoryInput { max_length }) = network.section.history else { panic!("it takes a history") };
        let prepared = network.prepare(&catalogue(movies()), 0.5).unwrap();
        let all = rated(u32::try_from(max_length).unwrap() + 1);
        let whole = predicted(&prepared, &all, Some(1000));
        assert_eq!(whole, predicted(&prepared, &all[1..], Some(1000)));
        assert_ne!(whole, predicted(&prepared, &all[2..], Some(1000)));
        let reversed: Vec<RatedMovie> = all.iter().rev().copied().collect();
        assert_eq!(whole, predicted(&prepared, &reversed, Some(1000)), "the order does not count");
    }

    #[test]
    fn the_original_network_knows_people_by_row_alone() {
        let artifact = fixture::artifact("tiny-original-network");
        let network = OnnxRatingNetwork::load(&artifact, &runtime(), WorkerOptions::default()).unwrap();
        let prepared = network.prepare(&catalogue(movies()), 0.5).unwrap();
        assert_eq!(predicted(&prepared, &rated(4), None), predicted(&prepared, &[], None));
    }

    #[test]
    fn a_catalogue_with_other_titles_is_refused_with_the_counts() {
        let mut movies = movies();
        let n_rated = movies.len() - 1;
        let n_renamed = n_rated / 2 + 1;
        for movie in &mut movies[..n_renamed] {
            movie.title = format!("Quite another film {}", movie.id);
        }
        let error = network().prepare(&catalogue(movies), 0.5).unwrap_err();
        assert!(
            matches!(error, InferenceError::VocabularyMismatch { known, rated, .. }
                if known == n_rated - n_renamed && rated == n_rated),
            "{error}"
        );
    }

    #[test]
    fn a_model_that_differs_from_its_manifest_is_refused() {
        let refused = |change: &dyn Fn(&std::path::Path)| {
            let folder = tempfile::tempdir().unwrap();
            let artifact = fixture::changed("tiny-network", folder.path(), change);
            OnnxRatingNetwork::load(&artifact, &runtime(), WorkerOptions::default()).unwrap_err().to_string()
        };
        let message = refused(&|folder| {
            fixture::edit_json(folder, "probe.json", |probe| probe["ratings"][0][0] = 77.0.into());
        });
        assert!(message.contains("golden probe failed: the ratings of user row"), "{message}");
        let message = refused(&|folder| {
            fixture::edit_manifest(folder, |manifest| {
                let scorer = manifest["rating_network"]["scorer"].clone();
                manifest["rating_network"]["movie_tower"] = scorer;
            });
        });
        assert!(message.contains("another signature"), "{message}");
        let message = refused(&|folder| {
            fixture::edit_manifest(folder, |manifest| {
                manifest["rating_network"].as_object_mut().unwrap().remove("history");
            });
        });
        assert!(message.contains("an input \"history_vectors\", which is not known"), "{message}");
        let message = refused(&|folder| {
            fixture::edit_json(folder, "vocabulary.json", |vocabulary| {
                vocabulary["users"][0] = vocabulary["users"][1].clone();
            });
        });
        assert!(message.contains("vocabulary.json: `users` has the id"), "{message}");
    }
}
