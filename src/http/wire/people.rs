//! People and their ratings.

use serde::{Deserialize, Serialize};

use crate::domain::{MAX_TIMESTAMP_S, MovieId, UserId, imdb_text};
use crate::engine::{NewRating, Person, SimilarPerson, StoredRating};
use crate::http::params::object;

/// The body of a `PUT` of one rating.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct RatingInput {
    rating: f32,
    timestamp: Option<i64>,
}

/// One line of a batch.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RatingLine {
    user_id: u32,
    movie_id: u32,
    rating: f32,
    timestamp: Option<i64>,
}

impl RatingInput {
    /// The rating of a body, given now unless it says when.
    pub(in crate::http) fn read(body: &[u8], who: (UserId, MovieId), now_s: i64) -> Result<NewRating, String> {
        let input: Self = object(body, "a rating")?;
        new_rating(who, input.rating, input.timestamp.unwrap_or(now_s))
    }
}

/// The rating of a line.
pub(in crate::http) fn rating_of_line(line: &[u8], now_s: i64) -> Result<NewRating, String> {
    let line: RatingLine = object(line, "a rating")?;
    new_rating((UserId(line.user_id), MovieId(line.movie_id)), line.rating, line.timestamp.unwrap_or(now_s))
}

fn new_rating((user, movie): (UserId, MovieId), rating: f32, timestamp: i64) -> Result<NewRating, String> {
    if !(0..=MAX_TIMESTAMP_S).contains(&timestamp) {
        return Err("A timestamp is a time in whole seconds since 1970 (UTC).".to_owned());
    }
    Ok(NewRating { user, movie, rating, timestamp })
}

/// What became of a line of a batch.
#[derive(Serialize)]
pub(in crate::http) struct LineJson<'a> {
    pub(in crate::http) line: usize,
    pub(in crate::http) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) reason: Option<&'a str>,
}

/// Everything that is stored of a person.
#[derive(Serialize)]
pub(in crate::http) struct PersonExport<'a> {
    user_id: u32,
    ratings: Vec<RatedJson<'a>>,
}

#[derive(Serialize)]
struct RatedJson<'a> {
    movie_id: u32,
    rating: f32,
    timestamp: i64,
    title: Option<&'a str>,
    year: Option<u16>,
    imdb_id: Option<String>,
    tmdb_id: Option<u32>,
}

impl<'a> PersonExport<'a> {
    pub(in crate::http) fn new(user: UserId, ratings: &'a [StoredRating]) -> Self {
        let rated = |stored: &'a StoredRating| {
            let movie = stored.movie.as_ref().map(|movie| movie.movie());
            RatedJson {
                movie_id: stored.rating.movie.0,
                rating: stored.rating.rating.value(),
                timestamp: stored.rating.timestamp,
                title: movie.map(|movie| movie.title.as_str()),
                year: movie.and_then(|movie| movie.year),
                imdb_id: movie.and_then(|movie| movie.imdb_id).map(imdb_text),
                tmdb_id: movie.and_then(|movie| movie.tmdb_id),
            }
        };
        Self { user_id: user.0, ratings: ratings.iter().map(rated).collect() }
    }
}

/// Whose ratings are to be taken over.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct MergeInput {
    pub(in crate::http) from: u32,
}

/// `/v1/users`.
#[derive(Serialize)]
pub(in crate::http) struct PersonJson {
    user_id: u32,
    n_ratings: usize,
}

impl From<&Person> for PersonJson {
    fn from(person: &Person) -> Self {
        Self { user_id: person.user.0, n_ratings: person.n_ratings }
    }
}

/// `/v1/users/{user_id}/similar`.
#[derive(Serialize)]
pub(in crate::http) struct SimilarPersonJson {
    user_id: u32,
    similarity: f32,
}

impl From<&SimilarPerson> for SimilarPersonJson {
    fn from(person: &SimilarPerson) -> Self {
        Self { user_id: person.user.0, similarity: person.similarity }
    }
}
