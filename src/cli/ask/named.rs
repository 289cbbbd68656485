//! Films by the title or id that somebody typed.

use anyhow::bail;
use serde_json::Value;

use super::filters::Parameters;
use super::show::{title_of, titles};
use crate::cli::client::Client;
use crate::cli::print_error;
use crate::understand::title_key;

/// A film of the catalogue.
#[derive(Debug)]
pub(super) struct Film {
    pub(super) id: u64,
    /// With its year.
    pub(super) title: String,
}

/// The film that a text names: its id if it is one, else its title, perhaps with the year.
pub(super) fn film(client: &Client, text: &str) -> anyhow::Result<Film> {
    if let Some(film) = by_id(client, text)? {
        return Ok(film);
    }
    let mut query = Parameters::default();
    query.add("prompt", text);
    query.add("mode", "title");
    query.add("n", &1);
    let answer = client.get(&query.to("/v1/search"))?.json;
    let movie = &answer["movie"];
    let Some(id) = movie["movie_id"].as_u64() else {
        bail!("no film of the catalogue is called {text:?}{}", suggestions(client, text)?);
    };
    let alternatives = answer["alternatives"].as_array().map(Vec::as_slice).unwrap_or_default();
    let confidence = answer["confidence"].as_str().unwrap_or_default();
    let title = title_of(movie);
    if is_ambiguous(movie, confidence, alternatives) {
        let all: Vec<&Value> = std::iter::once(movie).chain(alternatives).collect();
        bail!("{text:?} may be any of these; give the year or the id:\n{}", titles(&all));
    }
    if matches!(confidence, "typo" | "shortened") {
        print_error(format_args!("(taking {text:?} for {title})"))?;
    }
    Ok(Film { id, title })
}

/// Digits are an id where the catalogue has it, else a title such as "1984".
fn by_id(client: &Client, text: &str) -> anyhow::Result<Option<Film>> {
    let Some(id) = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u32>().ok()).flatten() else {
        return Ok(None);
    };
    let found = client.find(&format!("/v1/movies/{id}"))?;
    Ok(found.map(|movie| Film { id: id.into(), title: title_of(&movie.json) }))
}

/// Whether other films may be meant as well as this one: remakes, or whatever else a mere part of a title fits.
fn is_ambiguous(movie: &Value, confidence: &str, alternatives: &[Value]) -> bool {
    let key = |movie: &Value| title_key(movie["title"].as_str().unwrap_or_default());
    match confidence {
        "exact" | "normalised" => alternatives.iter().any(|other| key(other) == key(movie)),
        _ => !alternatives.is_empty(),
    }
}

fn suggestions(client: &Client, text: &str) -> anyhow::Result<String> {
    let mut query = Parameters::default();
    query.add("prefix", text);
    query.add("n", &5);
    let found = client.get(&query.to("/v1/titles"))?.json;
    let found: Vec<&Value> = found.as_array().into_iter().flatten().collect();
    Ok(if found.is_empty() { String::new() } else { format!("; perhaps one of these:\n{}", titles(&found)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn remakes_are_ambiguous_and_worse_matches_of_a_whole_title_are_not() {
        let movie = |title: &str| json!({"movie_id": 1, "title": title, "year": 1995});
        let heat = movie("Heat");
        assert!(!is_ambiguous(&heat, "exact", &[]));
        assert!(is_ambiguous(&heat, "exact", &[movie("HEAT")]));
        assert!(!is_ambiguous(&heat, "exact", &[movie("White Heat")]));
        assert!(is_ambiguous(&heat, "typo", &[movie("Cheat")]));
        assert!(!is_ambiguous(&heat, "typo", &[]));
    }
}
