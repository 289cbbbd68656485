//! `marquee import-ratings`: one person's ratings from where they were given before.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};

use super::ask::{Answerer, CATALOGUE, Place};
use super::client::{Client, Server};
use super::print;
use super::table::printable;
use crate::domain::MovieId;
use crate::import::{self, FilmIndex, FilmMatch, KnownFilm, PersonalFile, PersonalRating};

/// Films of a page of the catalogue, at most; a daemon may allow less.
const PAGE: usize = 500;

/// Ratings sent at once: half a megabyte.
const BATCH: usize = 5_000;

/// Unmatched films and refused ratings that are printed.
const SHOWN: usize = 20;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Letterboxd's ratings.csv and diary.csv, IMDb's ratings.csv; told by their first lines.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Whose ratings they are.
    #[arg(long, value_name = "ID")]
    user: u32,
    /// Say what would be stored, and store nothing.
    #[arg(long)]
    dry_run: bool,
    /// Write what the catalogue does not have to this file.
    #[arg(long, value_name = "FILE")]
    unmatched: Option<PathBuf>,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(place: Place<'_>, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let files = arguments.files.iter().map(|path| import::read_personal(path)).collect::<Result<Vec<_>, _>>()?;
    for file in &files {
        print(describe(file).trim_end())?;
    }
    let ratings: Vec<&PersonalRating> = files.iter().flat_map(|file| &file.ratings).collect();
    if ratings.is_empty() {
        bail!("there is no rating in what was given");
    }
    let answerer = Answerer::find(place, &arguments.server, CATALOGUE)?;
    let client = answerer.client();
    let index = FilmIndex::new(catalogue(client, place.config.http.max_top_k.min(PAGE))?);
    let matched = Matched::new(&index, &ratings);
    print(matched.describe(ratings.len()).trim_end())?;
    if let Some(path) = &arguments.unmatched {
        import::write_unmatched(path, &matched.unmatched)?;
    }
    if arguments.dry_run {
        print("Nothing was stored: this was a dry run.")?;
        return Ok(ExitCode::SUCCESS);
    }
    if matched.newest.is_empty() {
        bail!("no film of these is in the catalogue; nothing was stored");
    }
    let highest = highest_rating(client, arguments.user)?;
    print(store(client, (arguments.user, highest), &matched)?.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// What was read of a file, and what was not.
fn describe(file: &PersonalFile) -> String {
    let (report, mut text) = (&file.report, String::new());
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "{} ({}): {} rows, {} ratings read, {} skipped",
        report.name,
        file.source.name(),
        report.rows,
        report.kept,
        report.skipped()
    );
    for (reason, count) in &report.reasons {
        let _ = writeln!(text, "  {count:>6}  {reason}");
        if let Some(first) = file.problems.iter().find(|problem| problem.reason == *reason) {
            let _ = writeln!(text, "          first: {}", printable(&first.to_string()));
        }
    }
    text
}

/// Every film of the daemon's catalogue.
fn catalogue(client: &Client, page: usize) -> anyhow::Result<Vec<KnownFilm>> {
    let mut films = Vec::new();
    loop {
        let answer = client.get(&format!("/v1/movies?order=id&n={page}&start={}", films.len()))?.json;
        let movies = answer["movies"].as_array().context("the daemon's list of movies is not one")?;
        films.extend(movies.iter().map(known_film));
        if movies.is_empty() || answer["n_movies"].as_u64().is_none_or(|n_movies| films.len() as u64 >= n_movies) {
            return Ok(films);
        }
    }
}

fn known_film(movie: &Value) -> KnownFilm {
    let others = movie["alternative_titles"].as_array().into_iter().flatten();
    let titles = std::iter::once(&movie["title"]).chain(others).filter_map(Value::as_str);
    let imdb_id = movie["imdb_id"].as_str().and_then(|id| id.strip_prefix("tt")).and_then(|id| id.parse().ok());
    KnownFilm {
        id: MovieId(movie["movie_id"].as_u64().unwrap_or_default() as u32),
        titles: titles.map(str::to_owned).collect(),
        year: movie["year"].as_u64().map(|year| year as u16),
        imdb_id,
    }
}

/// Ratings and the films they are of.
#[derive(Default)]
struct Matched<'r> {
    /// The newest rating of each film, by film.
    newest: Vec<(MovieId, &'r PersonalRating)>,
    unmatched: Vec<&'r PersonalRating>,
    n_by_id: usize,
    n_by_title: usize,
    /// The same with a year that is not quite theirs.
    n_near: usize,
}

impl<'r> Matched<'r> {
    fn new(index: &FilmIndex, ratings: &[&'r PersonalRating]) -> Self {
        let mut matched = Self::default();
        let mut newest: HashMap<MovieId, &PersonalRating> = HashMap::new();
        for rating in ratings {
            let Some(found) = index.find(rating) else {
                matched.unmatched.push(rating);
                continue;
            };
            match found {
                FilmMatch::ById(_) => matched.n_by_id += 1,
                FilmMatch::ByTitle(_) => matched.n_by_title += 1,
                FilmMatch::NearYear(_) => matched.n_near += 1,
            }
            // Of equal times the last counts.
            let kept = newest.entry(found.movie()).or_insert(rating);
            if rating.timestamp >= kept.timestamp {
                *kept = rating;
            }
        }
        matched.newest = newest.into_iter().collect();
        matched.newest.sort_by_key(|(movie, _)| *movie);
        matched
    }

    fn describe(&self, n_ratings: usize) -> String {
        let mut text = format!(
            "{n_ratings} ratings: {} matched by IMDb id, {} by title and year, {} by title and nearly the year; {} not \
             matched. They are of {} films of the catalogue; of each the newest rating counts.\n",
            self.n_by_id,
            self.n_by_title,
            self.n_near,
            self.unmatched.len(),
            self.newest.len()
        );
        if !self.unmatched.is_empty() {
            text.push_str("Not matched:\n");
        }
        for rating in self.unmatched.iter().take(SHOWN) {
            let year = rating.year.map(|year| format!(" ({year})")).unwrap_or_default();
            let title = printable(rating.titles.first().map_or("", String::as_str));
            let _ = writeln!(text, "  {title}{year}");
        }
        if self.unmatched.len() > SHOWN {
            let _ = writeln!(text, "  and {} more (--unmatched FILE writes all)", self.unmatched.len() - SHOWN);
        }
        text
    }
}

/// The highest rating of the data set, which the daemon tells when it refuses one that no data set can have.
fn highest_rating(client: &Client, user: u32) -> anyhow::Result<f32> {
    let movies = client.get("/v1/movies?n=1")?.json;
    let movie = &movies["movies"][0]["movie_id"];
    let lines = client.lines("/v1/ratings", &json!({"user_id": user, "movie_id": movie, "rating": -1}).to_string())?;
    let reason = lines.first().and_then(|line| line["reason"].as_str()).unwrap_or_default();
    let highest = reason.trim_end_matches('.').rsplit(' ').next().and_then(|word| word.parse().ok());
    highest.with_context(|| format!("the daemon does not tell its scale of ratings, but says {reason:?}"))
}

/// A share of the highest rating, without the dust of binary fractions.
fn scaled(share: f32, highest: f32) -> f64 {
    (f64::from(share) * f64::from(highest) * 100.0).round() / 100.0
}

/// Sends the ratings; what came of them.
fn store(client: &Client, (user, highest): (u32, f32), matched: &Matched<'_>) -> anyhow::Result<String> {
    let mut sums: HashMap<&str, u64> = HashMap::new();
    let mut refused = Vec::new();
    for batch in matched.newest.chunks(BATCH) {
        let mut lines = String::new();
        for (movie, rating) in batch {
            let mut line = json!({"user_id": user, "movie_id": movie.0, "rating": scaled(rating.share, highest)});
            if let Some(timestamp) = rating.timestamp {
                line["timestamp"] = json!(timestamp);
            }
            let _ = writeln!(lines, "{line}");
        }
        let answers = client.lines("/v1/ratings", &lines)?;
        let summary = answers.last().map(|line| &line["summary"]).context("the daemon did not say what it stored")?;
        for count in ["added", "replaced", "newer_kept"] {
            *sums.entry(count).or_default() += summary[count].as_u64().unwrap_or_default();
        }
        for (answer, (_, rating)) in answers.iter().zip(batch) {
            if let Some(reason) = answer["reason"].as_str() {
                refused.push((rating, reason.to_owned()));
            }
        }
    }
    let sum = |count: &str| sums.get(count).copied().unwrap_or_default();
    let mut text = format!(
        "Stored for person {user}: {} new, {} replaced, {} older than what was there, {} refused\n",
        sum("added"),
        sum("replaced"),
        sum("newer_kept"),
        refused.len()
    );
    for (rating, reason) in refused.iter().take(SHOWN) {
        let title = rating.titles.first().map_or("", String::as_str);
        let _ = writeln!(text, "  {}: {}", printable(title), printable(reason));
    }
    Ok(text)
}
