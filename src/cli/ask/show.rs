//! What a daemon answers, as people read it.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::Value;

use crate::cli::table::{Side, Table, printable};

/// Elements of a member that is a list.
pub(super) fn list<'a>(answer: &'a Value, member: &str) -> &'a [Value] {
    answer[member].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// "Heat (1995)".
pub(super) fn title_of(movie: &Value) -> String {
    let title = printable(movie["title"].as_str().unwrap_or("a film that is not in the catalogue any more"));
    match movie["year"].as_u64() {
        Some(year) => format!("{title} ({year})"),
        None => title,
    }
}

/// One film a line, with its id.
pub(super) fn titles(movies: &[&Value]) -> String {
    let lines = movies.iter().map(|movie| format!("  {:>8}  {}", cell(&movie["movie_id"]), title_of(movie)));
    lines.collect::<Vec<_>>().join("\n")
}

/// A value in a table: nothing where it is not known.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(entries) => entries.iter().map(cell).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// A number with so many places.
pub(super) fn decimal(value: &Value, places: usize) -> String {
    value.as_f64().map(|number| format!("{number:.places$}")).unwrap_or_default()
}

/// The day of a time in seconds since 1970 (UTC); nothing where no time was given.
pub(super) fn day(value: &Value) -> String {
    let time = value.as_i64().filter(|&seconds| seconds > 0).and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map(|time| time.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
}

/// A column that only some tables of films have: its head, the member and its places.
pub(super) type Figure = (&'static str, &'static str, usize);

/// A film a row: id, title and year, the figures, votes and genres.
pub(super) fn films(movies: &[Value], figures: &[Figure]) -> Table {
    let heads = figures.iter().map(|&(head, ..)| (head, Side::Right));
    let mut table = Table::of(
        [("Id", Side::Right), ("Title", Side::Left), ("Year", Side::Right)]
            .into_iter()
            .chain(heads)
            .chain([("Votes", Side::Right), ("Genres", Side::Left)]),
    );
    for movie in movies {
        let plain = |names: &[&str]| names.iter().map(|&name| cell(&movie[name])).collect::<Vec<_>>();
        let figures = figures.iter().map(|&(_, member, places)| decimal(&movie[member], places));
        let front = plain(&["movie_id", "title", "year"]);
        table.add(front.into_iter().chain(figures).chain(plain(&["vote_count", "genres"])).collect());
    }
    table
}

/// Recommended films; with an explanation, its sentence under the film.
pub(super) fn recommended(movies: &[Value]) -> String {
    let lines = films(movies, &[("Predicted", "predicted_rating", 1), ("Average", "vote_average", 1)]).lines();
    let mut text = lines.iter().take(2).fold(String::new(), |text, line| text + line + "\n");
    for (line, movie) in lines.iter().skip(2).zip(movies) {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{line}");
        if let Some(sentence) = movie["explanation"]["sentence"].as_str() {
            let _ = writeln!(text, "    {}", printable(sentence));
        }
    }
    text
}

/// Films found by what they are like.
pub(super) fn similar(movies: &[Value]) -> String {
    films(movies, &[("Similarity", "similarity", 3)]).to_string()
}

/// "Nothing fits." instead of an empty table.
pub(super) fn or_nothing(movies: &[Value], table: fn(&[Value]) -> String) -> String {
    if movies.is_empty() { "No film fits.\n".to_owned() } else { table(movies) }
}
