//! JSON shapes, and how engine answers become them. The two original routes keep the names they always had; what is
//! unknown is `null`.

mod movies;
mod people;
mod question;

pub(super) use movies::{MovieDetails, MovieInput, MoviesJson};
pub(super) use people::{
    LineJson, MergeInput, PersonExport, PersonJson, RatingInput, SimilarPersonJson, rating_of_line,
};
use question::ReasonsJson;
pub(super) use question::{FilterJson, ORDERS, PageJson, QuestionJson};

use std::fmt::Write as _;

use serde::Serialize;

use super::respond::{Reply, set_header};
use crate::domain::UserId;
use crate::engine::{
    Answer, CatalogueMovie, Found, Part, PartState, ReadPrompt, Recommendations, RecommendedMovie, Similar,
    SimilarMethod, SuggestedTitle,
};
use crate::understand::Wish;

/// Results of a list, unless the client says how many.
pub(super) const DEFAULT_N: usize = 10;

/// `/user_recommend/{user_id}`.
#[derive(Serialize)]
pub(super) struct UserRecommendations<'a> {
    user_id: u32,
    /// Whether nothing is known of the user, so that the answer is what most people like.
    cold_start: bool,
    recommendations: Vec<UserRecommendation<'a>>,
}

#[derive(Serialize)]
struct UserRecommendation<'a> {
    movie_id: u32,
    title: &'a str,
    year: Option<u16>,
    genres: &'a [String],
    predicted_rating: Option<f32>,
    /// What predicted the rating.
    predicted_by: Option<&'static str>,
    score: f32,
    /// The method that proposed the film.
    method: &'static str,
    vote_average: Option<f32>,
    vote_count: u32,
    popularity: f32,
    overview: Option<&'a str>,
    poster_path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<ReasonsJson<'a>>,
}

impl<'a> UserRecommendations<'a> {
    pub(super) fn new(user: UserId, answer: &'a Recommendations) -> Self {
        let recommendations = answer.movies.iter().map(UserRecommendation::from).collect();
        Self { user_id: user.0, cold_start: answer.cold_start, recommendations }
    }
}

impl<'a> From<&'a RecommendedMovie> for UserRecommendation<'a> {
    fn from(found: &'a RecommendedMovie) -> Self {
        let (movie, figures) = (found.movie(), found.popularity());
        Self {
            movie_id: movie.id.0,
            title: &movie.title,
            year: movie.year,
            genres: &movie.genres,
            predicted_rating: found.predicted_rating.map(|(rating, _)| rating),
            predicted_by: found.predicted_rating.map(|(_, by)| by),
            score: found.score,
            method: found.method,
            vote_average: figures.vote_average,
            vote_count: figures.vote_count,
            popularity: figures.popularity,
            overview: movie.overview.as_deref(),
            poster_path: movie.poster_path.as_deref(),
            explanation: found.reasons.as_ref().map(ReasonsJson::from),
        }
    }
}

/// An element of `/title-or-prompt`'s array.
#[derive(Serialize)]
#[expect(clippy::option_option, reason = "left out and unknown are different in JSON too")]
pub(super) struct SimilarMovie<'a> {
    movie_id: u32,
    title: &'a str,
    year: Option<u16>,
    genres: &'a [String],
    similarity: f32,
    method: &'static str,
    vote_count: u32,
    vote_average: Option<f32>,
    poster_path: Option<&'a str>,
    /// Answers to a prompt say what the film is about; `null` where nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    overview: Option<Option<&'a str>>,
}

impl<'a> SimilarMovie<'a> {
    pub(super) fn new(found: &'a RecommendedMovie, with_overview: bool) -> Self {
        let (movie, figures) = (found.movie(), found.popularity());
        Self {
            movie_id: movie.id.0,
            title: &movie.title,
            year: movie.year,
            genres: &movie.genres,
            similarity: found.score,
            method: found.method,
            vote_count: figures.vote_count,
            vote_average: figures.vote_average,
            poster_path: movie.poster_path.as_deref(),
            overview: with_overview.then_some(movie.overview.as_deref()),
        }
    }
}

/// An element of `/v1/titles`.
#[derive(Serialize)]
pub(super) struct TitleJson<'a> {
    movie_id: u32,
    title: &'a str,
    year: Option<u16>,
    match_kind: &'static str,
}

impl<'a> From<&'a SuggestedTitle> for TitleJson<'a> {
    fn from(suggested: &'a SuggestedTitle) -> Self {
        let movie = suggested.movie.movie();
        Self { movie_id: movie.id.0, title: &movie.title, year: movie.year, match_kind: suggested.kind }
    }
}

/// A movie by name.
#[derive(Serialize)]
struct MovieJson<'a> {
    movie_id: u32,
    title: &'a str,
    year: Option<u16>,
}

impl<'a> From<&'a CatalogueMovie> for MovieJson<'a> {
    fn from(named: &'a CatalogueMovie) -> Self {
        let movie = named.movie();
        Self { movie_id: movie.id.0, title: &movie.title, year: movie.year }
    }
}

/// How a text was taken.
pub(super) fn resolved_as(found: &Found) -> &'static str {
    if found.title.is_some() { "title" } else { "prompt" }
}

/// `/v1/search`.
#[derive(Serialize)]
pub(super) struct SearchJson<'a> {
    resolved_as: &'static str,
    /// The movie that the text names, how sure that is, and what else it may name.
    movie: Option<MovieJson<'a>>,
    confidence: Option<&'static str>,
    alternatives: Vec<MovieJson<'a>>,
    understood: Option<UnderstoodJson<'a>>,
    method: &'static str,
    results: Vec<SimilarMovie<'a>>,
}

impl<'a> From<&'a Found> for SearchJson<'a> {
    fn from(found: &'a Found) -> Self {
        let title = found.title.as_ref();
        Self {
            resolved_as: resolved_as(found),
            movie: title.map(|title| MovieJson::from(&title.movie)),
            confidence: title.map(|title| title.confidence),
            alternatives: title.map_or(Vec::new(), |title| title.alternatives.iter().map(MovieJson::from).collect()),
            understood: found.prompt.as_ref().map(UnderstoodJson::from),
            method: found.method,
            results: found.movies.iter().map(|movie| SimilarMovie::new(movie, true)).collect(),
        }
    }
}

/// `/v1/movies/{movie_id}/similar`.
#[derive(Serialize)]
pub(super) struct SimilarJson<'a> {
    movie: MovieJson<'a>,
    method: &'static str,
    results: Vec<SimilarMovie<'a>>,
}

impl<'a> SimilarJson<'a> {
    pub(super) fn new(method: SimilarMethod, found: &'a Similar) -> Self {
        let results = found.movies.iter().map(|movie| SimilarMovie::new(movie, true)).collect();
        Self { movie: MovieJson::from(&found.movie), method: method.name(), results }
    }
}

/// What was understood of a prompt; members without content are left out.
#[derive(Serialize)]
pub(super) struct UnderstoodJson<'a> {
    text: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    genres: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    without_genres: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    without: &'a [String],
    /// First and last year; `null` where it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    years: Option<[Option<u16>; 2]>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    languages: &'a [String],
    /// Shortest and longest; `null` where it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime_minutes: Option<[Option<u16>; 2]>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    like: Vec<u32>,
    /// The same in parts for a page to show, each of which `ignore` takes away.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    chips: Vec<ChipJson<'a>>,
}

/// A part of what was understood.
#[derive(Serialize)]
struct ChipJson<'a> {
    key: &'a str,
    kind: &'static str,
    label: &'a str,
}

impl<'a> From<&'a ReadPrompt> for UnderstoodJson<'a> {
    fn from(read: &'a ReadPrompt) -> Self {
        let understood = &read.understood;
        let chip = |wish: &'a Wish| ChipJson { key: &wish.key, kind: wish.kind, label: &wish.label };
        let range = |(from, to): (u16, u16)| [(from > 0).then_some(from), (to < u16::MAX).then_some(to)];
        Self {
            text: &understood.text,
            genres: &understood.genres,
            without_genres: &understood.without_genres,
            without: &understood.without,
            years: understood.years.map(range),
            languages: &understood.languages,
            runtime_minutes: understood.runtime_minutes.map(range),
            like: understood.anchors.iter().map(|movie| movie.0).collect(),
            chips: read.wishes.iter().map(chip).collect(),
        }
    }
}

impl UnderstoodJson<'_> {
    /// JSON that a header can carry: whatever is not ASCII is escaped.
    pub(super) fn as_ascii(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        let mut ascii = String::with_capacity(json.len());
        let mut units = [0; 2];
        for character in json.chars() {
            if character.is_ascii() && !character.is_ascii_control() {
                ascii.push(character);
            } else {
                for unit in character.encode_utf16(&mut units) {
                    // Writing to a string does not fail.
                    let _ = write!(ascii, "\\u{unit:04x}");
                }
            }
        }
        ascii
    }
}

/// A part of `/readyz`.
#[derive(Serialize)]
pub(super) struct PartJson<'a> {
    part: &'static str,
    state: &'static str,
    why: Option<&'a str>,
    done: Option<usize>,
    total: Option<usize>,
}

impl<'a> PartJson<'a> {
    pub(super) fn new(part: Part, state: &'a PartState) -> Self {
        let progress = state.progress();
        Self {
            part: part.name(),
            state: state.name(),
            why: state.why(),
            done: progress.map(|(done, _)| done),
            total: progress.map(|(_, total)| total),
        }
    }
}

/// Which generation answered, and how long the stages took (W3C Server-Timing, milliseconds).
pub(super) fn set_answer_headers<T>(reply: &mut Reply, answer: &Answer<T>) {
    set_header(reply, "x-marquee-generation", &answer.generation.to_string());
    let ms = |duration: std::time::Duration| duration.as_secs_f64() * 1e3;
    let timing = format!("queue;dur={:.3}, answer;dur={:.3}", ms(answer.queued), ms(answer.worked));
    set_header(reply, "server-timing", &timing);
}
