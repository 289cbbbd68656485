//! `marquee movies`: the catalogue.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use serde_json::{Map, Value};

use super::answerer::CATALOGUE;
use super::filters::{Filters, Parameters};
use super::named::film;
use super::show::{cell, decimal, films, list, or_nothing};
use super::{Asking, Consent, Place};
use crate::cli::client::Body;
use crate::cli::table::printable;
use crate::engine::MovieOrder;

/// Most bytes of a movie's file: far more than a movie may have.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// What is shown of a movie, in this order.
const MEMBERS: [&str; 14] = [
    "movie_id",
    "title",
    "alternative_titles",
    "year",
    "genres",
    "overview",
    "language",
    "runtime_minutes",
    "vote_average",
    "vote_count",
    "popularity",
    "imdb_id",
    "tmdb_id",
    "poster_path",
];

/// What to do.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Movies {
    /// List the movies of the catalogue.
    List {
        /// How many.
        #[arg(short, value_name = "N", default_value_t = 50)]
        n: usize,
        /// Leave out so many from the beginning.
        #[arg(long, value_name = "N", default_value_t = 0)]
        start: usize,
        /// What orders them.
        #[arg(long, value_parser = MovieOrder::ALL.map(MovieOrder::name))]
        order: Option<String>,
        #[command(flatten)]
        filters: Filters,
        #[command(flatten)]
        asking: Asking,
    },
    /// Show everything that is known of a movie.
    Show {
        /// Title or id of the movie.
        film: String,
        #[command(flatten)]
        asking: Asking,
    },
    /// Add a movie, or replace the one of its id.
    Add {
        /// JSON file with the movie's members ("title" at least); - reads standard input.
        file: PathBuf,
        /// Id of the movie, where the file has no member "movie_id".
        #[arg(long)]
        id: Option<u32>,
        #[command(flatten)]
        asking: Asking,
    },
    /// Change members of a movie.
    Change {
        /// Id of the movie.
        id: u32,
        /// JSON file with the members that change; - reads standard input.
        file: PathBuf,
        #[command(flatten)]
        asking: Asking,
    },
    /// Remove a movie; its ratings do not count any more.
    Remove {
        /// Id of the movie.
        id: u32,
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        asking: Asking,
    },
}

pub(in crate::cli) fn movies(place: Place<'_>, movies: &Movies) -> anyhow::Result<ExitCode> {
    match movies {
        Movies::List { n, start, order, filters, asking } => {
            let mut query = Parameters::default();
            query.add("n", n);
            query.add("start", start);
            query.add_some("order", order.as_ref());
            filters.add_to(&mut query);
            let answerer = asking.answerer(place, CATALOGUE)?;
            asking.print(&answerer.client().get(&query.to("/v1/movies"))?, listed)?;
        }
        Movies::Show { film: text, asking } => {
            let answerer = asking.answerer(place, CATALOGUE)?;
            let film = film(answerer.client(), text)?;
            asking.print(&answerer.client().get(&format!("/v1/movies/{}", film.id))?, details)?;
        }
        Movies::Add { file, id, asking } => {
            let mut movie = read_object(file)?;
            let own = movie.remove("movie_id");
            let own = own.as_ref().and_then(Value::as_u64);
            let id = match (id.map(u64::from), own) {
                (Some(id), Some(own)) if id != own => bail!("the file is of movie {own}, and --id says {id}"),
                (id, own) => id.or(own).context("say which id the movie gets: --id, or a member \"movie_id\"")?,
            };
            change(place, asking, ("PUT", id, movie))?;
        }
        Movies::Change { id, file, asking } => change(place, asking, ("PATCH", (*id).into(), read_object(file)?))?,
        Movies::Remove { id, consent, asking } => {
            let answerer = asking.answerer(place, CATALOGUE)?;
            let title = film(answerer.client(), &id.to_string())?.title;
            consent.ask(&format!("{title} will be removed."))?;
            let answer = answerer.client().ask("DELETE", &format!("/v1/movies/{id}"), Body::None)?;
            asking.print(&answer, |_| format!("{title} is removed."))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn change(
    place: Place<'_>,
    asking: &Asking,
    (method, id, members): (&str, u64, Map<String, Value>),
) -> anyhow::Result<()> {
    let answerer = asking.answerer(place, CATALOGUE)?;
    let body = Value::Object(members).to_string();
    let answer = answerer.client().ask(method, &format!("/v1/movies/{id}"), Body::Json(&body))?;
    let what = if answer.json["added"] == true { "added" } else { "changed" };
    asking.print(&answer, |_| format!("Movie {id} is {what}."))
}

fn read_object(file: &Path) -> anyhow::Result<Map<String, Value>> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(MAX_FILE_BYTES).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(MAX_FILE_BYTES).read_to_string(&mut text))
    };
    read.with_context(|| format!("cannot read {}", file.display()))?;
    let object = serde_json::from_str(&text);
    object.with_context(|| format!("{} is no JSON object of at most {MAX_FILE_BYTES} bytes", file.display()))
}

fn listed(answer: &Value) -> String {
    let n_movies = cell(&answer["n_movies"]);
    format!("{}{n_movies} films in all.\n", or_nothing(list(answer, "movies"), table))
}

fn table(movies: &[Value]) -> String {
    films(movies, &[("Average", "vote_average", 1)]).to_string()
}

/// A member a line; what is not known is left out.
fn details(movie: &Value) -> String {
    let known = MEMBERS.into_iter().map(|name| match &movie[name] {
        value if value.is_f64() => (name, decimal(value, 2)),
        value => (name, printable(&cell(value))),
    });
    let known: Vec<(&str, String)> = known.filter(|(_, text)| !text.is_empty()).collect();
    let width = known.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<String> = known.iter().map(|(name, text)| format!("{name:width$}  {text}")).collect();
    lines.join("\n")
}
