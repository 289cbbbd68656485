//! Questions as JSON, and the page that answers them.

use serde::{Deserialize, Serialize};

use super::{UnderstoodJson, UserRecommendation};
use crate::domain::{MAX_TIMESTAMP_S, MovieFilter, MovieId, UserId};
use crate::engine::{
    Contribution, FilmEffect, HouseholdRule, MAX_EXCLUDED, MAX_GIVEN, MAX_PEOPLE, Page, Question, RankBy, Reasons,
    Recommendations,
};
use crate::http::error::HttpError;

/// Most entries of a list of genres, languages or keys.
const MAX_NAMES: usize = 100;

/// Names that order an answer.
pub(in crate::http) const ORDERS: [(&str, RankBy); 4] = [
    ("score", RankBy::Score),
    ("predicted_rating", RankBy::PredictedRating),
    ("popularity", RankBy::Popularity),
    ("trending", RankBy::Trending),
];

/// `POST /v1/recommend`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::http) struct QuestionJson {
    user: Option<u32>,
    users: Vec<u32>,
    ratings: Vec<GivenRating>,
    liked: Vec<u32>,
    disliked: Vec<u32>,
    prompt: Option<String>,
    ignore: Vec<String>,
    filters: FilterJson,
    exclude: Vec<u32>,
    exclude_seen: Option<bool>,
    rank_by: Option<String>,
    household: Option<String>,
    diversity: f32,
    asked_at: Option<i64>,
    n: Option<usize>,
    cursor: Option<String>,
    explain: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenRating {
    movie_id: u32,
    rating: f32,
}

/// What every result must be like.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::http) struct FilterJson {
    pub(in crate::http) genres: Vec<String>,
    pub(in crate::http) genres_all: Vec<String>,
    pub(in crate::http) genres_none: Vec<String>,
    pub(in crate::http) year_from: Option<u16>,
    pub(in crate::http) year_to: Option<u16>,
    pub(in crate::http) languages: Vec<String>,
    pub(in crate::http) runtime_from: Option<u16>,
    pub(in crate::http) runtime_to: Option<u16>,
    pub(in crate::http) min_votes: u32,
    pub(in crate::http) min_vote_average: Option<f32>,
}

impl From<FilterJson> for MovieFilter {
    fn from(json: FilterJson) -> Self {
        let range = |from: Option<u16>, to: Option<u16>| {
            (from.is_some() || to.is_some()).then(|| from.unwrap_or(0)..=to.unwrap_or(u16::MAX))
        };
        Self {
            any_genres: json.genres,
            all_genres: json.genres_all,
            no_genres: json.genres_none,
            years: range(json.year_from, json.year_to),
            languages: json.languages,
            runtime_minutes: range(json.runtime_from, json.runtime_to),
            min_votes: json.min_votes,
            min_vote_average: json.min_vote_average,
        }
    }
}

impl QuestionJson {
    /// The question and its page; `most` results and bytes of text at the most.
    pub(in crate::http) fn checked(
        self,
        (most, max_text_bytes): (usize, usize),
    ) -> Result<(Question, Page), HttpError> {
        let n = self.n.unwrap_or(super::DEFAULT_N.min(most));
        bounded("n", n, 1, most)?;
        bounded("users", self.users.len(), 0, MAX_PEOPLE)?;
        for (name, given) in
            [("ratings", self.ratings.len()), ("liked", self.liked.len()), ("disliked", self.disliked.len())]
        {
            bounded(name, given, 0, MAX_GIVEN)?;
        }
        bounded("exclude", self.exclude.len(), 0, MAX_EXCLUDED)?;
        let FilterJson { genres, genres_all, genres_none, languages, .. } = &self.filters;
        for list in [&self.ignore, genres, genres_all, genres_none, languages] {
            bounded("A list of names", list.len(), 0, MAX_NAMES)?;
        }
        let prompt = self.prompt.map(|prompt| prompt.trim().to_owned()).filter(|prompt| !prompt.is_empty());
        bounded("prompt", prompt.as_ref().map_or(0, String::len), 0, max_text_bytes)?;
        if self.filters.min_vote_average.is_some_and(|least| !(0.0..=10.0).contains(&least)) {
            return Err(HttpError::bad_request("min_vote_average must be between 0 and 10."));
        }
        if !(0.0..=1.0).contains(&self.diversity) {
            return Err(HttpError::bad_request("diversity must be between 0 and 1."));
        }
        if self.asked_at.is_some_and(|time| !(0..=MAX_TIMESTAMP_S).contains(&time)) {
            return Err(HttpError::bad_request("asked_at must be a time in whole seconds since 1970 (UTC)."));
        }
        if self.ratings.iter().any(|given| !(0.0..=10.0).contains(&given.rating)) {
            return Err(HttpError::bad_request("A rating must be between 0 and 10."));
        }
        let mut people: Vec<UserId> = self.user.into_iter().chain(self.users).map(UserId).collect();
        let mut seen = std::collections::HashSet::new();
        people.retain(|user| seen.insert(*user));
        let rules = HouseholdRule::ALL.map(|rule| (rule.name(), rule));
        let question = Question {
            people,
            rated: self.ratings.iter().map(|given| (MovieId(given.movie_id), given.rating)).collect(),
            liked: self.liked.into_iter().map(MovieId).collect(),
            disliked: self.disliked.into_iter().map(MovieId).collect(),
            prompt,
            ignored: self.ignore,
            filter: self.filters.into(),
            excluded: self.exclude.into_iter().map(MovieId).collect(),
            include_seen: self.exclude_seen == Some(false),
            rank_by: choice("rank_by", self.rank_by.as_deref(), &ORDERS)?,
            household: choice("household", self.household.as_deref(), &rules)?,
            diversity: self.diversity,
            asked_at: self.asked_at,
        };
        Ok((question, Page { n, cursor: self.cursor, explain: self.explain }))
    }
}

fn bounded(name: &str, value: usize, least: usize, most: usize) -> Result<(), HttpError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let unit = if name == "n" { "" } else { " entries or bytes" };
    Err(HttpError::bad_request(format!("{name} must have between {least} and {most}{unit}.")))
}

fn choice<T: Copy + Default>(name: &str, text: Option<&str>, choices: &[(&str, T)]) -> Result<T, HttpError> {
    let Some(text) = text else { return Ok(T::default()) };
    choices.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice).ok_or_else(|| {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        HttpError::bad_request(format!("{name} must be one of: {}.", words.join(", ")))
    })
}

/// A page of movies.
#[derive(Serialize)]
pub(in crate::http) struct PageJson<'a> {
    cold_start: bool,
    understood: Option<UnderstoodJson<'a>>,
    results: Vec<UserRecommendation<'a>>,
    next_cursor: Option<&'a str>,
}

impl<'a> From<&'a Recommendations> for PageJson<'a> {
    fn from(answer: &'a Recommendations) -> Self {
        Self {
            cold_start: answer.cold_start,
            understood: answer.prompt.as_ref().map(UnderstoodJson::from),
            results: answer.movies.iter().map(UserRecommendation::from).collect(),
            next_cursor: answer.next.as_deref(),
        }
    }
}

/// Why a movie stands where it stands.
#[derive(Serialize)]
pub(super) struct ReasonsJson<'a> {
    sentence: &'a str,
    baseline: f32,
    contributions: Vec<ContributionJson>,
    because_of: Vec<FilmEffectJson<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    words: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    people: Vec<PersonScore>,
}

#[derive(Serialize)]
struct ContributionJson {
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<u32>,
    effect: f32,
}

#[derive(Serialize)]
struct FilmEffectJson<'a> {
    movie_id: u32,
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<u32>,
    effect: f32,
}

#[derive(Serialize)]
struct PersonScore {
    user_id: u32,
    score: f32,
}

impl<'a> From<&'a Reasons> for ReasonsJson<'a> {
    fn from(reasons: &'a Reasons) -> Self {
        let contribution = |part: &Contribution| ContributionJson {
            source: part.source,
            user_id: part.user.map(|user| user.0),
            effect: part.effect,
        };
        let film = |film: &'a FilmEffect| FilmEffectJson {
            movie_id: film.movie.0,
            title: &film.title,
            user_id: film.user.map(|user| user.0),
            effect: film.effect,
        };
        let person = |&(user, score): &(UserId, f32)| PersonScore { user_id: user.0, score };
        Self {
            sentence: &reasons.sentence,
            baseline: reasons.baseline,
            contributions: reasons.contributions.iter().map(contribution).collect(),
            because_of: reasons.because_of.iter().map(film).collect(),
            words: &reasons.words,
            people: reasons.people.iter().map(person).collect(),
        }
    }
}
