//! Reading a query string strictly: unknown names, repeated names and bad values are refused with a sentence.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::error::HttpError;

/// The parameters of one request.
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

    /// `top_k`, between 1 and `most`.
    pub(super) fn top_k(&self, default: usize, most: usize) -> Result<usize, HttpError> {
        let Some(text) = self.text("top_k") else { return Ok(default.min(most)) };
        whole_number(text).filter(|top_k| (1..=most).contains(top_k)).ok_or_else(|| {
            HttpError::bad_request(format!("The parameter top_k must be a whole number between 1 and {most}."))
        })
    }
}

/// A number of nothing but digits: `str::parse` would take a plus sign too.
pub(super) fn whole_number<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_values_and_defaults() {
        let params = Params::parse(Some("input_text=a+b%20c%26&top_k=7"), &["input_text", "top_k"]).unwrap();
        assert_eq!(params.text("input_text"), Some("a b c&"));
        assert_eq!(params.top_k(10, 100).unwrap(), 7);
        assert_eq!(Params::parse(None, &[]).unwrap().top_k(10, 5).unwrap(), 5);
    }

    #[test]
    fn refuses_what_is_not_understood() {
        for query in ["topk=5", "top_k=1&top_k=2"] {
            assert!(Params::parse(Some(query), &["top_k"]).is_err(), "{query}");
        }
        for query in ["top_k=0", "top_k=11", "top_k=-1", "top_k=%2B5", "top_k=ten", "top_k="] {
            assert!(Params::parse(Some(query), &["top_k"]).unwrap().top_k(5, 10).is_err(), "{query}");
        }
    }
}
