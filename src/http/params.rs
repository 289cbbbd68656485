//! Reading a query string strictly: unknown names, repeated names and bad values are refused with a sentence.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::HttpError;
use super::wire::FilterJson;
use crate::domain::{MovieId, UserId};

/// The parameters in the path of one request.
#[derive(Debug, Default)]
pub(super) struct PathParams(Vec<(String, String)>);

impl PathParams {
    pub(super) fn new<'a>(values: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        Self(values.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// The user that the path names.
    pub(super) fn user(&self) -> Result<UserId, HttpError> {
        self.id("user_id")
            .map(UserId)
            .ok_or_else(|| HttpError::bad_request("A user id is a whole number between 0 and 4294967295."))
    }

    /// The movie that the path names.
    pub(super) fn movie(&self) -> Result<MovieId, HttpError> {
        self.id("movie_id")
            .map(MovieId)
            .ok_or_else(|| HttpError::bad_request("A movie id is a whole number between 0 and 4294967295."))
    }

    /// A part of the path by name.
    pub(super) fn text(&self, wanted: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    fn id(&self, wanted: &str) -> Option<u32> {
        whole_number(self.text(wanted)?)
    }
}

/// The parameters in the query of one request.
#[derive(Debug)]
pub(super) struct Params(BTreeMap<String, String>);

impl Params {
    /// Parses `application/x-www-form-urlencoded`; only the `known` names may occur, each once.
    pub(super) fn parse(query: Option<&str>, known: &[&str]) -> Result<Self, HttpError> {
        let mut values = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if !known.contains(&name.as_ref()) {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(HttpError::bad_request(format!(
                    "There is no parameter of that name here; known parameters: {known}."
                )));
            }
            if values.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                return Err(HttpError::bad_request(format!("The parameter {name} is given twice.")));
            }
        }
        Ok(Self(values))
    }

    /// A text parameter.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter that is `true` or `false` (the default).
    pub(super) fn flag(&self, name: &str) -> Result<bool, HttpError> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(HttpError::bad_request(format!("The parameter {name} must be true or false."))),
        }
    }

    /// A parameter that takes one of some words.
    pub(super) fn one_of<T: Copy>(&self, name: &str, default: T, choices: &[(&str, T)]) -> Result<T, HttpError> {
        let Some(text) = self.text(name) else { return Ok(default) };
        choices.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice).ok_or_else(|| {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            HttpError::bad_request(format!("The parameter {name} must be one of: {}.", words.join(", ")))
        })
    }

    /// A whole number between `least` and `most`; the default is cut to them.
    pub(super) fn number(&self, name: &str, default: usize, (least, most): (usize, usize)) -> Result<usize, HttpError> {
        let Some(text) = self.text(name) else { return Ok(default.clamp(least, most)) };
        whole_number(text).filter(|number| (least..=most).contains(number)).ok_or_else(|| {
            HttpError::bad_request(format!("The parameter {name} must be a whole number between {least} and {most}."))
        })
    }

    /// A number between two others.
    pub(super) fn decimal(&self, name: &str, (least, most): (f32, f32)) -> Result<Option<f32>, HttpError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        number.map(Some).ok_or_else(|| {
            HttpError::bad_request(format!("The parameter {name} must be a number between {least} and {most}."))
        })
    }

    /// Entries between commas.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let entries = self.text(name).unwrap_or_default().split(',').map(str::trim);
        entries.filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
    }

    /// What every result must be like.
    pub(super) fn filter(&self) -> Result<FilterJson, HttpError> {
        let short = |name| {
            let bounds = (0, usize::from(u16::MAX));
            self.text(name).map(|_| self.number(name, 0, bounds).map(|number| number as u16)).transpose()
        };
        Ok(FilterJson {
            genres: self.list("genres"),
            genres_all: self.list("genres_all"),
            genres_none: self.list("genres_none"),
            year_from: short("year_from")?,
            year_to: short("year_to")?,
            languages: self.list("languages"),
            runtime_from: short("runtime_from")?,
            runtime_to: short("runtime_to")?,
            min_votes: self.number("min_votes", 0, (0, u32::MAX as usize))? as u32,
            min_vote_average: self.decimal("min_vote_average", (0.0, 10.0))?,
        })
    }
}

/// Whole numbers up to this are exact as floating-point numbers (2^53).
const MOST_EXACT: f64 = 9_007_199_254_740_992.0;

/// The JSON object of a body; `what` it should be, for the error.
pub(super) fn object<T: DeserializeOwned>(body: &[u8], what: &str) -> Result<T, String> {
    let fault = |error: serde_json::Error| format!("The body is not {what}: {error}.");
    let mut value: Value = serde_json::from_slice(body).map_err(fault)?;
    // serde would take an array for an object whose members come in order.
    if !value.is_object() {
        return Err(format!("The body is not {what}: it must be a JSON object."));
    }
    write_whole(&mut value);
    serde_json::from_value(value).map_err(fault)
}

/// Writes whole numbers without a fraction: to JSON 5 and 5.0 are the same.
fn write_whole(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(write_whole),
        Value::Object(members) => members.values_mut().for_each(write_whole),
        Value::Number(number) => {
            let whole = number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() <= MOST_EXACT);
            if let Some(whole) = whole.filter(|_| number.is_f64()) {
                *number = (whole as i64).into();
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// Names of the parameters that filter, for a route's list together with its own.
macro_rules! with_filters {
    ($($name:literal),*) => {
        &[
            $($name,)*
            "genres", "genres_all", "genres_none", "year_from", "year_to", "languages", "runtime_from", "runtime_to",
            "min_votes", "min_vote_average",
        ]
    };
}
pub(super) use with_filters;

/// A number of nothing but digits: `str::parse` would take a plus sign too.
fn whole_number<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_values_and_defaults() {
        let params = Params::parse(Some("input_text=a+b%20c%26&top_k=7"), &["input_text", "top_k"]).unwrap();
        assert_eq!(params.text("input_text"), Some("a b c&"));
        assert_eq!(params.number("top_k", 10, (1, 100)).unwrap(), 7);
        assert_eq!(Params::parse(None, &[]).unwrap().number("top_k", 10, (1, 5)).unwrap(), 5);
    }

    #[test]
    fn refuses_what_is_not_understood() {
        for query in ["topk=5", "top_k=1&top_k=2"] {
            assert!(Params::parse(Some(query), &["top_k"]).is_err(), "{query}");
        }
        for query in ["top_k=0", "top_k=11", "top_k=-1", "top_k=%2B5", "top_k=ten", "top_k="] {
            assert!(Params::parse(Some(query), &["top_k"]).unwrap().number("top_k", 5, (1, 10)).is_err(), "{query}");
        }
    }
}
