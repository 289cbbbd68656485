//! Movies as people write and read them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::{Movie, MovieId, Popularity, Votes, imdb_text};
use crate::engine::{CatalogueMovie, ListedMovies};
use crate::http::error::HttpError;
use crate::http::params::object;

/// Longest title, and entry of a list, in bytes.
const MAX_NAME_BYTES: usize = 500;
/// Longest overview in bytes.
const MAX_OVERVIEW_BYTES: usize = 20_000;
/// More is no popularity in anybody's unit.
const MAX_POPULARITY: f64 = 1e9;
/// Most genres or alternative titles.
const MAX_ENTRIES: usize = 64;

/// A movie as it is written: what is left out or `null` is unknown.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct MovieInput {
    title: String,
    #[serde(default)]
    alternative_titles: Vec<String>,
    year: Option<u16>,
    #[serde(default)]
    genres: Vec<String>,
    overview: Option<String>,
    synopsis: Option<String>,
    imdb_id: Option<String>,
    tmdb_id: Option<u32>,
    language: Option<String>,
    runtime_minutes: Option<u16>,
    poster_path: Option<String>,
    votes: Option<VotesInput>,
    popularity: Option<f64>,
}

/// Votes known from elsewhere.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct VotesInput {
    average: f32,
    count: u32,
}

impl MovieInput {
    /// The movie of a body.
    pub(in crate::http) fn read(body: &[u8], id: MovieId) -> Result<Movie, HttpError> {
        let input: Self = object(body, "a movie").map_err(HttpError::bad_request)?;
        input.checked(id)
    }

    /// What a merge patch (RFC 7396) makes of a movie.
    pub(in crate::http) fn patch(movie: &Movie, body: &[u8]) -> Result<Movie, HttpError> {
        let patch: Map<String, Value> = object(body, "a patch of a movie").map_err(HttpError::bad_request)?;
        let mut whole =
            serde_json::to_value(Self::from(movie)).map_err(|error| HttpError::internal(error.to_string()))?;
        if let Value::Object(whole) = &mut whole {
            // A list or name cannot be unknown: `null` empties a list.
            for (member, value) in patch {
                let is_list = matches!(member.as_str(), "alternative_titles" | "genres");
                let value = if is_list && value.is_null() { Value::Array(Vec::new()) } else { value };
                whole.insert(member, value);
            }
        }
        let input: Self = serde_json::from_value(whole).map_err(|error| not_understood(&error))?;
        input.checked(movie.id)
    }

    fn checked(self, id: MovieId) -> Result<Movie, HttpError> {
        let refuse = |what: &str| Err(HttpError::bad_request(format!("{what}.")));
        let fits = |text: &String| !text.trim().is_empty() && text.len() <= MAX_NAME_BYTES;
        let list_fits = |list: &Vec<String>| list.len() <= MAX_ENTRIES && list.iter().all(fits);
        if !fits(&self.title) {
            return refuse(&format!("title must have between 1 and {MAX_NAME_BYTES} bytes"));
        }
        if !list_fits(&self.genres) || !list_fits(&self.alternative_titles) {
            return refuse(&format!(
                "genres and alternative_titles may have {MAX_ENTRIES} entries of 1 to {MAX_NAME_BYTES} bytes"
            ));
        }
        if [&self.overview, &self.synopsis].into_iter().flatten().any(|text| text.len() > MAX_OVERVIEW_BYTES) {
            return refuse(&format!("overview and synopsis may have at most {MAX_OVERVIEW_BYTES} bytes"));
        }
        if self.poster_path.as_ref().is_some_and(|path| !fits(path)) {
            return refuse(&format!("poster_path must have between 1 and {MAX_NAME_BYTES} bytes"));
        }
        if self.year.is_some_and(|year| !(1850..=2200).contains(&year)) {
            return refuse("year must be between 1850 and 2200");
        }
        let is_code =
            |code: &String| (2..=3).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_lowercase());
        if self.language.as_ref().is_some_and(|code| !is_code(code)) {
            return refuse("language must be an ISO 639 code of two or three small letters, such as en");
        }
        let imdb_id = match self.imdb_id.as_deref() {
            None => None,
            Some(text) => match text.strip_prefix("tt").and_then(|digits| digits.parse().ok()) {
                Some(number) => Some(number),
                None => return refuse("imdb_id must be such as tt0114709"),
            },
        };
        let movie = Movie {
            id,
            title: self.title,
            alternative_titles: self.alternative_titles,
            year: self.year,
            genres: self.genres,
            overview: self.overview.filter(|text| !text.trim().is_empty()),
            synopsis: self.synopsis.filter(|text| !text.trim().is_empty()),
            imdb_id,
            tmdb_id: self.tmdb_id,
            language: self.language,
            runtime_minutes: self.runtime_minutes,
            poster_path: self.poster_path,
            votes: self.votes.map(|votes| Votes { average: votes.average, count: votes.count }),
            popularity: self.popularity.map(|popularity| popularity as f32),
        };
        if self.popularity.is_some_and(|popularity| popularity > MAX_POPULARITY) {
            return refuse(&format!("popularity may be at most {MAX_POPULARITY}"));
        }
        match movie.check_figures() {
            Ok(()) => Ok(movie),
            Err(what) => refuse(&format!("the {what} is out of bounds")),
        }
    }
}

fn not_understood(error: &serde_json::Error) -> HttpError {
    HttpError::bad_request(format!("The body is not a movie: {error}."))
}

impl From<&Movie> for MovieInput {
    fn from(movie: &Movie) -> Self {
        Self {
            title: movie.title.clone(),
            alternative_titles: movie.alternative_titles.clone(),
            year: movie.year,
            genres: movie.genres.clone(),
            overview: movie.overview.clone(),
            synopsis: movie.synopsis.clone(),
            imdb_id: movie.imdb_id.map(imdb_text),
            tmdb_id: movie.tmdb_id,
            language: movie.language.clone(),
            runtime_minutes: movie.runtime_minutes,
            poster_path: movie.poster_path.clone(),
            votes: movie.votes.map(|votes| VotesInput { average: votes.average, count: votes.count }),
            popularity: movie.popularity.map(f64::from),
        }
    }
}

/// A movie with everything that is known of it. Figures that nobody wrote are derived from the ratings.
#[derive(Serialize)]
pub(in crate::http) struct MovieDetails<'a> {
    movie_id: u32,
    title: &'a str,
    alternative_titles: &'a [String],
    year: Option<u16>,
    genres: &'a [String],
    overview: Option<&'a str>,
    synopsis: Option<&'a str>,
    imdb_id: Option<String>,
    tmdb_id: Option<u32>,
    language: Option<&'a str>,
    runtime_minutes: Option<u16>,
    poster_path: Option<&'a str>,
    vote_average: Option<f32>,
    vote_count: u32,
    popularity: f32,
}

impl<'a> From<&'a CatalogueMovie> for MovieDetails<'a> {
    fn from(found: &'a CatalogueMovie) -> Self {
        let (movie, figures): (&Movie, Popularity) = (found.movie(), found.popularity());
        Self {
            movie_id: movie.id.0,
            title: &movie.title,
            alternative_titles: &movie.alternative_titles,
            year: movie.year,
            genres: &movie.genres,
            overview: movie.overview.as_deref(),
            synopsis: movie.synopsis.as_deref(),
            imdb_id: movie.imdb_id.map(imdb_text),
            tmdb_id: movie.tmdb_id,
            language: movie.language.as_deref(),
            runtime_minutes: movie.runtime_minutes,
            poster_path: movie.poster_path.as_deref(),
            vote_average: figures.vote_average,
            vote_count: figures.vote_count,
            popularity: figures.popularity,
        }
    }
}

/// `/v1/movies`.
#[derive(Serialize)]
pub(in crate::http) struct MoviesJson<'a> {
    n_movies: usize,
    movies: Vec<MovieDetails<'a>>,
}

impl<'a> From<&'a ListedMovies> for MoviesJson<'a> {
    fn from(listed: &'a ListedMovies) -> Self {
        Self { n_movies: listed.n_in_all, movies: listed.movies.iter().map(MovieDetails::from).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALIEN: &[u8] = br#"{"title": "Alien", "year": 1979, "genres": ["Horror"], "imdb_id": "tt0078748",
        "votes": {"average": 8.1, "count": 12000}}"#;

    #[test]
    fn a_movie_is_read_patched_and_written_back() {
        let movie = MovieInput::read(ALIEN, MovieId(7)).unwrap();
        assert_eq!((movie.id, movie.year, movie.imdb_id), (MovieId(7), Some(1979), Some(78_748)));
        let patched = MovieInput::patch(&movie, br#"{"year": null, "genres": null, "overview": "In space."}"#).unwrap();
        assert_eq!((patched.year, patched.genres.len(), patched.overview.as_deref()), (None, 0, Some("In space.")));
        assert_eq!((patched.title.as_str(), patched.votes), ("Alien", movie.votes));
        assert_eq!(MovieInput::patch(&movie, b"{}").unwrap(), movie);
    }

    #[test]
    fn bad_movies_are_refused_with_the_reason() {
        for (body, reason) in [
            (r#"{"year": 1979}"#, "title"),
            (r#"{"title": " "}"#, "title must have"),
            (r#"{"title": "A", "colour": 1}"#, "colour"),
            (r#"{"title": "A", "year": 12}"#, "year must be"),
            (r#"{"title": "A", "language": "English"}"#, "language"),
            (r#"{"title": "A", "imdb_id": "78748"}"#, "imdb_id"),
            (r#"{"title": "A", "votes": {"average": 5}}"#, "count"),
            (r#"{"title": "A", "votes": {"average": 11, "count": 1}}"#, "vote average"),
            (r#"{"title": "A", "popularity": -1}"#, "popularity"),
            (r#"{"title": "A", "genres": [""]}"#, "genres"),
            ("[]", "not a movie"),
        ] {
            let error = MovieInput::read(body.as_bytes(), MovieId(1)).unwrap_err();
            assert!(error.detail.contains(reason), "{body}: {}", error.detail);
        }
        let movie = MovieInput::read(ALIEN, MovieId(7)).unwrap();
        for body in ["3", r#"{"title": null}"#, r#"{"movie_id": 8}"#] {
            assert!(MovieInput::patch(&movie, body.as_bytes()).is_err(), "{body}");
        }
    }
}
