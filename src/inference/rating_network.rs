//! The rating network in two graphs: the movie tower runs once per catalogue, the scorer once per question.
//!
//! The artifact brings its own vocabulary. A movie is known when its id *and* its title agree: ids of different data
//! sets coincide by number. Everything else is row 0, which the network was trained to handle. People have
//! nothing but their number: where the movies agree, a person of this store gets the taste of the person who had the
//! number in the training set. Ratings of one's own over films of a public data set want a network trained on them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ort::session::Session;
use ort::value::TensorRef;

use super::session::{Port, check_signature, floats, run_error};
use super::{InferenceError, Runtime, Worker, WorkerOptions, check_probe, fenced};
use crate::artifact::{Artifact, NetworkVocabulary, RatingNetwork as Section};
use crate::domain::{Catalogue, ItemIdx, MovieId, Query, UserId};
use crate::recommend::{PairScorer, PortError};
use crate::understand::title_key;

/// Name of this port in errors.
const PORT: &str = "the rating network";
/// Movies of one run of the tower, and most movie vectors of one run of the scorer.
const ROWS_PER_RUN: usize = 4096;

type Scorer = Worker<Question, Result<Vec<f32>, InferenceError>>;

/// A user row and movie vectors, one after the other.
struct Question {
    user_row: i64,
    movie_vectors: Vec<f32>,
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
    movie_vectors: Vec<f32>,
    hidden_dim: usize,
    rating_scale: [f32; 2],
    user_rows: Arc<HashMap<UserId, i64>>,
    scorer: Arc<Scorer>,
    options: WorkerOptions,
    coverage: Coverage,
}

/// The tower's inputs for some movies.
#[derive(Default)]
struct Features {
    rows: Vec<i64>,
    numeric: Vec<f32>,
    genres: Vec<f32>,
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
        for (&user_row, expected) in probe.user_rows.iter().zip(&probe.ratings) {
            let question = Question { user_row, movie_vectors: vectors.clone() };
            let deadline = Instant::now() + self.options.patience;
            let ratings = self.scorer.submit_by(question, deadline)?.wait_until(deadline)??;
            check_probe(&format!("the ratings of user row {user_row}"), (&ratings, expected), tolerance)?;
        }
        Ok(())
    }

    /// Binds the network to a catalogue: maps its movies to rows and computes their vectors.
    pub fn prepare(&self, catalogue: &Catalogue) -> Result<PreparedNetwork, InferenceError> {
        let rows: Vec<i64> = catalogue.movies().iter().map(|movie| self.movie_row(movie.id, &movie.title)).collect();
        let coverage = coverage(catalogue, &rows);
        if coverage.known * 2 < coverage.rated {
            let Coverage { known, rated } = coverage;
            return Err(InferenceError::VocabularyMismatch { known, rated });
        }
        let columns: HashMap<String, usize> =
            self.section.genres.iter().enumerate().map(|(column, genre)| (genre.to_lowercase(), column)).collect();
        let mut movie_vectors = Vec::with_capacity(rows.len() * self.section.hidden_dim);
        for (chunk, chunk_rows) in rows.chunks(ROWS_PER_RUN).enumerate() {
            let features = features(catalogue, chunk * ROWS_PER_RUN, chunk_rows, &columns);
            movie_vectors.extend(self.run_tower(&features)?);
        }
        Ok(PreparedNetwork {
            movie_vectors,
            hidden_dim: self.section.hidden_dim,
            rating_scale: self.section.rating_scale,
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
            floats(&outputs, "movie_vector", n * self.section.hidden_dim)
        };
        fenced(run).map_err(InferenceError::Run)?
    }
}

impl PreparedNetwork {
    /// How well network and catalogue fit.
    pub fn coverage(&self) -> Coverage {
        self.coverage
    }

    fn predict_items(&self, user: Option<UserId>, items: &[ItemIdx]) -> Result<Vec<f32>, InferenceError> {
        let user_row = user.and_then(|user| self.user_rows.get(&user)).copied().unwrap_or(0);
        let [low, high] = self.rating_scale;
        let deadline = Instant::now() + self.options.patience;
        let mut ratings = Vec::with_capacity(items.len());
        for (chunk, items) in items.chunks(ROWS_PER_RUN).enumerate() {
            let question = Question { user_row, movie_vectors: self.gather(items)? };
            // Full is said before the first run; later ones wait for their place.
            let ticket = match chunk {
                0 => self.scorer.submit(question)?,
                _ => self.scorer.submit_by(question, deadline)?,
            };
            ratings.extend(ticket.wait_until(deadline)??.into_iter().map(|rating| rating.clamp(low, high)));
        }
        Ok(ratings)
    }

    fn gather(&self, items: &[ItemIdx]) -> Result<Vec<f32>, InferenceError> {
        let mut vectors = Vec::with_capacity(items.len() * self.hidden_dim);
        for item in items {
            let start = item.row() * self.hidden_dim;
            let vector = self.movie_vectors.get(start..start + self.hidden_dim);
            let missing = || InferenceError::Run(format!("row {} is not of the catalogue it was prepared for", item.0));
            vectors.extend_from_slice(vector.ok_or_else(missing)?);
        }
        Ok(vectors)
    }
}

impl PairScorer for PreparedNetwork {
    fn predict(&self, query: &Query, items: &[ItemIdx]) -> Result<Vec<f32>, PortError> {
        self.predict_items(query.user, items).map_err(|error| error.into_port(PORT))
    }
}

fn load_tower(
    artifact: &Artifact,
    runtime: &Runtime,
    section: &Section,
    options: WorkerOptions,
) -> Result<Session, InferenceError> {
    let file = &section.movie_tower;
    let session = runtime.session(artifact, file, options.threads)?;
    let inputs = [
        Port::int64("movie_row", [None]),
        Port::float32("numeric", [None, Some(section.numeric.len())]),
        Port::float32("genres", [None, Some(section.genres.len())]),
    ];
    check_signature(file, &session, &inputs, &[Port::float32("movie_vector", [None, Some(section.hidden_dim)])])?;
    Ok(session)
}

fn load_scorer(
    artifact: &Artifact,
    runtime: &Runtime,
    section: &Section,
    options: WorkerOptions,
) -> Result<Scorer, InferenceError> {
    let file = &section.scorer;
    let hidden_dim = section.hidden_dim;
    let mut session = runtime.session(artifact, file, options.threads)?;
    let inputs = [Port::int64("user_row", [Some(1)]), Port::float32("movie_vectors", [None, Some(hidden_dim)])];
    check_signature(file, &session, &inputs, &[Port::float32("rating", [None])])?;
    let run = move |question: Question| run_scorer(&mut session, &question, hidden_dim);
    Worker::start("rating-network", options.queue, run).map_err(|error| InferenceError::Run(error.to_string()))
}

fn run_scorer(session: &mut Session, question: &Question, hidden_dim: usize) -> Result<Vec<f32>, InferenceError> {
    let n = question.movie_vectors.len() / hidden_dim;
    let user_row = [question.user_row];
    let movie_vectors = ([n, hidden_dim], &question.movie_vectors[..]);
    let inputs = ort::inputs! {
        "user_row" => TensorRef::from_array_view(([1_usize], &user_row[..])).map_err(run_error)?,
        "movie_vectors" => TensorRef::from_array_view(movie_vectors).map_err(run_error)?,
    };
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

/// Features of the movies from row `start` on, as many as there are network rows.
fn features(catalogue: &Catalogue, start: usize, rows: &[i64], columns: &HashMap<String, usize>) -> Features {
    let mut features = Features { rows: rows.to_vec(), ..Features::default() };
    for offset in 0..rows.len() {
        let item = ItemIdx((start + offset) as u32);
        let figures = catalogue.popularity(item);
        let average = figures.vote_average.unwrap_or(f32::NAN);
        features.numeric.extend([average, figures.vote_count as f32, figures.popularity]);
        let first = features.genres.len();
        features.genres.resize(first + columns.len(), 0.0);
        for genre in &catalogue.movie(item).genres {
            if let Some(column) = columns.get(&genre.to_lowercase()) {
                features.genres[first + column] = 1.0;
            }
        }
    }
    features
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::super::runtime::tests::runtime;
    use super::*;
    use crate::domain::{Movie, RatingMatrix, Votes};

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
        let prepared = network.prepare(&catalogue).unwrap();
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
        assert_eq!(back, known);
        assert!(prepared.predict(&person(Some(user)), &[]).unwrap().is_empty());
        assert!(matches!(prepared.predict(&person(Some(user)), &[ItemIdx(99_999)]), Err(PortError::Failed(..))));
    }

    #[test]
    fn features_are_raw_and_genres_match_whatever_their_case() {
        let catalogue = catalogue(movies());
        let columns = HashMap::from([("action".to_owned(), 0), ("drama".to_owned(), 1)]);
        let last = catalogue.len() - 1;
        let first = features(&catalogue, 0, &[5], &columns);
        assert_eq!((first.numeric, first.genres), (vec![6.5, 120.0, 0.0], vec![0.0, 1.0]));
        let unrated = features(&catalogue, last, &[0], &columns);
        assert!(unrated.numeric[0].is_nan() && unrated.numeric[1..] == [0.0, 0.0]);
    }

    #[test]
    fn a_catalogue_with_other_titles_is_refused_with_the_counts() {
        let mut movies = movies();
        let n_rated = movies.len() - 1;
        let n_renamed = n_rated / 2 + 1;
        for movie in &mut movies[..n_renamed] {
            movie.title = format!("Quite another film {}", movie.id);
        }
        let error = network().prepare(&catalogue(movies)).unwrap_err();
        assert!(
            matches!(error, InferenceError::VocabularyMismatch { known, rated }
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
            fixture::edit_json(folder, "vocabulary.json", |vocabulary| {
                vocabulary["users"][0] = vocabulary["users"][1].clone();
            });
        });
        assert!(message.contains("vocabulary.json: `users` has the id"), "{message}");
    }
}
