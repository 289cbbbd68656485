//! The JSON files of an artifact besides the manifest: the vocabulary of a rating network and the golden probes. Read
//! with limits and checked against the manifest's numbers.

use std::collections::HashSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Artifact, ArtifactError, RatingNetwork};
use crate::domain::{MovieId, UserId};

/// Most bytes of a vocabulary: some hundred for each of a million movies.
const VOCABULARY_LIMIT_BYTES: u64 = 512 * 1024 * 1024;
/// Most bytes of a probe: a few texts or movies with their vectors.
const PROBE_LIMIT_BYTES: u64 = 16 * 1024 * 1024;
/// Most texts, movies or users of a probe.
const PROBE_LIMIT: usize = 64;
/// Most bytes of a title.
const TITLE_LIMIT_BYTES: usize = 2000;

/// A movie that a rating network was trained on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VocabularyMovie {
    /// Identifier in the data set of the training.
    pub id: MovieId,
    /// Title there.
    pub title: String,
    /// Year there.
    pub year: Option<u16>,
}

/// The ids a rating network knows. Entry `i` has row `i + 1`; row 0 is the unknown movie or user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkVocabulary {
    /// Known movies.
    pub movies: Vec<VocabularyMovie>,
    /// Known users.
    pub users: Vec<UserId>,
}

/// Texts with the embeddings that the encoder must give them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderProbe {
    /// The texts.
    pub texts: Vec<String>,
    /// One embedding per text.
    pub embeddings: Vec<Vec<f32>>,
}

/// What a user of a probe has rated.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeHistory {
    /// Places in the probe's list of movies.
    pub movies: Vec<usize>,
    /// Their ratings.
    pub ratings: Vec<f32>,
    /// Seconds since each rating.
    pub ages: Vec<f32>,
}

/// Movies and users with the vectors and ratings that the network must give them.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkProbe {
    /// Row of each movie.
    pub movie_rows: Vec<i64>,
    /// Numeric features of each movie, one after the other; NaN is missing.
    pub numeric: Vec<f32>,
    /// Genre columns of each movie, one after the other.
    pub genres: Vec<f32>,
    /// Vector of each movie, one after the other.
    pub movie_vectors: Vec<f32>,
    /// Row of each user.
    pub user_rows: Vec<i64>,
    /// What each user has rated; none has, if the network takes no history.
    pub histories: Vec<ProbeHistory>,
    /// For each user a rating of each movie.
    pub ratings: Vec<Vec<f32>>,
}

/// Rows with the scores that a ranking model must give them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankingProbe {
    /// One row of features per candidate.
    pub rows: Vec<Vec<f32>>,
    /// One score per row.
    pub scores: Vec<f32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawVocabulary {
    movies: Vec<RawMovie>,
    users: Vec<u32>,
}

/// An item–item model knows no people.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawItemVocabulary {
    movies: Vec<RawMovie>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMovie {
    id: u32,
    title: String,
    year: Option<u16>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNetworkProbe {
    movie_row: Vec<i64>,
    numeric: Vec<Vec<Option<f32>>>,
    genres: Vec<Vec<f32>>,
    movie_vectors: Vec<Vec<f32>>,
    user_rows: Vec<i64>,
    histories: Option<Vec<ProbeHistory>>,
    ratings: Vec<Vec<f32>>,
}

impl Artifact {
    /// The vocabulary of a rating network.
    pub fn vocabulary(&self) -> Result<NetworkVocabulary, ArtifactError> {
        let section = self.rating_network()?;
        let raw: RawVocabulary = self.read_json(&section.vocabulary, VOCABULARY_LIMIT_BYTES)?;
        raw.check(section)
    }

    /// The movies of an item–item model, in row order.
    pub(super) fn item_vocabulary(&self) -> Result<Vec<VocabularyMovie>, ArtifactError> {
        let section = self.item_item_model()?;
        let raw: RawItemVocabulary = self.read_json(&section.vocabulary, VOCABULARY_LIMIT_BYTES)?;
        check_movies(&section.vocabulary, raw.movies, section.n_movies)
    }

    /// The probe, in the form of its kind.
    pub(super) fn probe<T: DeserializeOwned>(&self) -> Result<T, ArtifactError> {
        self.read_json(&self.manifest().probe.file, PROBE_LIMIT_BYTES)
    }

    /// The probe of a text encoder.
    pub fn encoder_probe(&self) -> Result<EncoderProbe, ArtifactError> {
        let dim = self.text_encoder()?.dim;
        let file = &self.manifest().probe.file;
        let probe: EncoderProbe = self.read_json(file, PROBE_LIMIT_BYTES)?;
        check_count(file, "texts", probe.texts.len())?;
        check_table(file, "embeddings", &probe.embeddings, (probe.texts.len(), dim))?;
        Ok(probe)
    }

    /// The probe of a rating network.
    pub fn network_probe(&self) -> Result<NetworkProbe, ArtifactError> {
        let section = self.rating_network()?;
        let file = &self.manifest().probe.file;
        let raw: RawNetworkProbe = self.read_json(file, PROBE_LIMIT_BYTES)?;
        raw.check(file, section)
    }

    /// The probe of a ranking model.
    pub fn ranking_probe(&self) -> Result<RankingProbe, ArtifactError> {
        let n_features = self.ranking_model()?.features.len();
        let file = &self.manifest().probe.file;
        let probe: RankingProbe = self.read_json(file, PROBE_LIMIT_BYTES)?;
        probe.check(file, n_features)?;
        Ok(probe)
    }

    fn read_json<T: DeserializeOwned>(&self, file: &str, limit: u64) -> Result<T, ArtifactError> {
        let size = self.manifest().file(file).map_or(0, |entry| entry.size);
        if size > limit {
            return Err(ArtifactError::TooLarge { file: file.to_owned(), size, limit });
        }
        let bytes = self.read(file)?;
        serde_json::from_slice(&bytes)
            .map_err(|error| ArtifactError::Syntax { file: file.to_owned(), reason: error.to_string() })
    }
}

impl RawVocabulary {
    fn check(self, section: &RatingNetwork) -> Result<NetworkVocabulary, ArtifactError> {
        let file = &section.vocabulary;
        let movies = check_movies(file, self.movies, section.n_movies)?;
        check_ids(file, "users", &self.users, section.n_users)?;
        Ok(NetworkVocabulary { movies, users: self.users.into_iter().map(UserId).collect() })
    }
}

fn check_movies(file: &str, movies: Vec<RawMovie>, expected: usize) -> Result<Vec<VocabularyMovie>, ArtifactError> {
    let ids: Vec<u32> = movies.iter().map(|movie| movie.id).collect();
    check_ids(file, "movies", &ids, expected)?;
    if let Some(movie) = movies.iter().find(|movie| movie.title.len() > TITLE_LIMIT_BYTES) {
        let problem = format!("has a title of {} bytes (id {})", movie.title.len(), movie.id);
        return Err(ArtifactError::value(file, "movies", problem));
    }
    let movies = movies.into_iter();
    Ok(movies.map(|RawMovie { id, title, year }| VocabularyMovie { id: MovieId(id), title, year }).collect())
}

fn check_ids(file: &str, field: &str, ids: &[u32], expected: usize) -> Result<(), ArtifactError> {
    if ids.len() != expected {
        let problem = format!("has {} entries where manifest.json says {expected}", ids.len());
        return Err(ArtifactError::value(file, field, problem));
    }
    match first_repeated(ids.iter().copied()) {
        Some(id) => Err(ArtifactError::value(file, field, format!("has the id {id} twice"))),
        None => Ok(()),
    }
}

impl RawNetworkProbe {
    fn check(self, file: &str, section: &RatingNetwork) -> Result<NetworkProbe, ArtifactError> {
        let (n_movies, n_users) = (self.movie_row.len(), self.user_rows.len());
        check_count(file, "movie_row", n_movies)?;
        check_count(file, "user_rows", n_users)?;
        check_rows(file, "movie_row", &self.movie_row, section.n_movies)?;
        check_rows(file, "user_rows", &self.user_rows, section.n_users)?;
        let numeric: Vec<Vec<f32>> = self
            .numeric
            .into_iter()
            .map(|row| row.into_iter().map(|value| value.unwrap_or(f32::NAN)).collect())
            .collect();
        check_table(file, "numeric", &numeric, (n_movies, section.numeric.len()))?;
        check_table(file, "genres", &self.genres, (n_movies, section.genres.len()))?;
        check_table(file, "movie_vectors", &self.movie_vectors, (n_movies, section.vector_dim))?;
        check_table(file, "ratings", &self.ratings, (n_users, n_movies))?;
        let histories = self.histories.unwrap_or_default();
        check_histories(file, &histories, (section.history.map(|input| input.max_length), n_users, n_movies))?;
        Ok(NetworkProbe {
            movie_rows: self.movie_row,
            numeric: numeric.concat(),
            genres: self.genres.concat(),
            movie_vectors: self.movie_vectors.concat(),
            user_rows: self.user_rows,
            histories,
            ratings: self.ratings,
        })
    }
}

impl RankingProbe {
    fn check(&self, file: &str, n_features: usize) -> Result<(), ArtifactError> {
        check_count(file, "rows", self.rows.len())?;
        check_table(file, "rows", &self.rows, (self.rows.len(), n_features))?;
        check_table(file, "scores", std::slice::from_ref(&self.scores), (1, self.rows.len()))
    }
}

fn first_repeated(ids: impl Iterator<Item = u32>) -> Option<u32> {
    let mut seen = HashSet::new();
    ids.into_iter().find(|&id| !seen.insert(id))
}

fn check_count(file: &str, field: &str, count: usize) -> Result<(), ArtifactError> {
    if (1..=PROBE_LIMIT).contains(&count) {
        return Ok(());
    }
    Err(ArtifactError::value(file, field, format!("has {count} entries; it must have 1 to {PROBE_LIMIT}")))
}

fn check_rows(file: &str, field: &str, rows: &[i64], highest: usize) -> Result<(), ArtifactError> {
    match rows.iter().find(|&&row| usize::try_from(row).map_or(true, |row| row > highest)) {
        Some(row) => Err(ArtifactError::value(file, field, format!("has the row {row}; rows are 0 to {highest}"))),
        None => Ok(()),
    }
}

fn check_table(
    file: &str,
    field: &str,
    rows: &[Vec<f32>],
    (n_rows, n_columns): (usize, usize),
) -> Result<(), ArtifactError> {
    if rows.len() == n_rows && rows.iter().all(|row| row.len() == n_columns) {
        return Ok(());
    }
    Err(ArtifactError::value(file, field, format!("must be {n_rows} rows of {n_columns} numbers")))
}

fn check_histories(
    file: &str,
    histories: &[ProbeHistory],
    (max_length, n_users, n_movies): (Option<usize>, usize, usize),
) -> Result<(), ArtifactError> {
    let expected = if max_length.is_some() { n_users } else { 0 };
    let longest = max_length.unwrap_or(0);
    let fits = |history: &ProbeHistory| {
        let n = history.movies.len();
        let known = history.movies.iter().all(|&place| place < n_movies);
        n <= longest && history.ratings.len() == n && history.ages.len() == n && known
    };
    if histories.len() == expected && histories.iter().all(fits) {
        return Ok(());
    }
    let problem = format!("must be {expected}, each of at most {longest} of the probe's movies with ratings and ages");
    Err(ArtifactError::value(file, "histories", problem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::{Manifest, ManifestContent, fixture};
    use serde_json::{Value, json};

    fn section() -> RatingNetwork {
        match Manifest::parse(fixture::rating_network().to_string().as_bytes()).unwrap().content {
            ManifestContent::RatingNetwork(section) => section,
            _ => unreachable!("the fixture is a rating network"),
        }
    }

    fn vocabulary(value: Value) -> Result<NetworkVocabulary, String> {
        let raw: RawVocabulary = serde_json::from_value(value).map_err(|error| error.to_string())?;
        raw.check(&section()).map_err(|error| error.to_string())
    }

    fn probe(change: impl FnOnce(&mut Value)) -> Result<NetworkProbe, String> {
        let mut value = json!({
            "movie_row": [0, 2], "numeric": [[null, 1.0, 2.0], [7.5, 3.0, 4.0]], "genres": [[0, 1], [1, 0]],
            "movie_vectors": [[1, 2, 3, 4], [5, 6, 7, 8]], "user_rows": [0], "ratings": [[3.5, 4.0]],
            "histories": [{"movies": [1, 1], "ratings": [4.0, 2.5], "ages": [3.0, 60.0]}],
        });
        change(&mut value);
        let raw: RawNetworkProbe = serde_json::from_value(value).map_err(|error| error.to_string())?;
        raw.check("probe.json", &section()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_vocabulary_must_have_the_manifests_counts_and_no_id_twice() {
        let movie = |id: u32| json!({"id": id, "title": "Film", "year": null});
        let sound = vocabulary(json!({"movies": [movie(3), movie(1)], "users": [9]})).unwrap();
        assert_eq!((sound.movies[0].id, sound.users[0]), (MovieId(3), UserId(9)));
        for (value, expected) in [
            (json!({"movies": [movie(3)], "users": [9]}), "has 1 entries where manifest.json says 2"),
            (json!({"movies": [movie(3), movie(3)], "users": [9]}), "has the id 3 twice"),
            (json!({"movies": [movie(3), movie(-1_i32 as u32)], "users": []}), "`users` has 0 entries"),
            (json!({"movies": [movie(3), {"id": -1, "title": "x", "year": 1}], "users": [9]}), "invalid value"),
            (json!({"movies": [movie(3), movie(4)], "users": [9], "extra": 1}), "unknown field"),
        ] {
            let message = vocabulary(value).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_probe_must_fit_the_manifests_numbers() {
        let sound = probe(|_| {}).unwrap();
        assert!(sound.numeric[0].is_nan());
        assert_eq!((sound.numeric[5], sound.movie_vectors[4]), (4.0, 5.0));
        for (pointer, value, expected) in [
            ("/movie_row", json!([0, 3]), "`movie_row` has the row 3; rows are 0 to 2"),
            ("/user_rows", json!([-1]), "`user_rows` has the row -1"),
            ("/numeric", json!([[1, 2, 3]]), "`numeric` must be 2 rows of 3 numbers"),
            ("/genres", json!([[1], [0]]), "`genres` must be 2 rows of 2 numbers"),
            ("/ratings", json!([[1]]), "`ratings` must be 1 rows of 2 numbers"),
            ("/movie_row", json!([]), "`movie_row` has 0 entries"),
            ("/histories", json!([]), "`histories` must be 1, each of at most 3"),
            ("/histories/0/movies/0", json!(2), "`histories` must be"),
            ("/histories/0/ages", json!([3.0]), "`histories` must be"),
            (
                "/histories/0",
                json!({"movies": [0, 1, 0, 1], "ratings": [1, 2, 3, 4], "ages": [1, 2, 3, 4]}),
                "at most 3",
            ),
        ] {
            let message = probe(|probe| *probe.pointer_mut(pointer).unwrap() = value).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_ranking_probe_has_a_score_for_each_row_and_all_features() {
        let check = |value: Value| {
            let probe: RankingProbe = serde_json::from_value(value).unwrap();
            probe.check("probe.json", 2).map_err(|error| error.to_string())
        };
        assert_eq!(check(json!({"rows": [[1, 2], [3, 4]], "scores": [0.5, -1]})), Ok(()));
        for (value, expected) in [
            (json!({"rows": [], "scores": []}), "`rows` has 0 entries"),
            (json!({"rows": [[1]], "scores": [1]}), "`rows` must be 1 rows of 2 numbers"),
            (json!({"rows": [[1, 2]], "scores": [1, 2]}), "`scores` must be 1 rows of 1 numbers"),
        ] {
            let message = check(value).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }
}
