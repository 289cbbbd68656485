//! `marquee users`: people and what is known of them.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::{Value, json};

use super::answerer::{CATALOGUE, TASTE};
use super::filters::Parameters;
use super::show::{cell, day, decimal, list};
use super::{Asking, Consent, Place};
use crate::cli::client::Body;
use crate::cli::print;
use crate::cli::table::{Side, Table};

/// What to do.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Users {
    /// List people by id.
    List {
        /// How many.
        #[arg(short, value_name = "N", default_value_t = 100)]
        n: usize,
        /// Those after this id.
        #[arg(long, value_name = "ID")]
        after: Option<u32>,
        #[command(flatten)]
        asking: Asking,
    },
    /// Show what a person rated.
    Show {
        /// The person.
        user: u32,
        #[command(flatten)]
        asking: Asking,
    },
    /// List people of the same taste.
    Similar {
        /// The person.
        user: u32,
        /// How many.
        #[arg(short, value_name = "N", default_value_t = 10)]
        n: usize,
        #[command(flatten)]
        asking: Asking,
    },
    /// Remove everything that is stored of a person.
    Forget {
        /// The person.
        user: u32,
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        asking: Asking,
    },
    /// Give one person's ratings to another; of two ratings of a film the newer one stays.
    Merge {
        /// Who is no more afterwards.
        from: u32,
        /// Who has the ratings of both.
        into: u32,
        #[command(flatten)]
        asking: Asking,
    },
    /// Write everything that is stored of a person, as JSON.
    Export {
        /// The person.
        user: u32,
        /// File to write; else it is printed.
        file: Option<PathBuf>,
        #[command(flatten)]
        asking: Asking,
    },
}

pub(in crate::cli) fn users(place: Place<'_>, users: &Users) -> anyhow::Result<ExitCode> {
    match users {
        Users::List { n, after, asking } => {
            let mut query = Parameters::default();
            query.add("n", n);
            query.add_some("after", after.as_ref());
            let answerer = asking.answerer(place, CATALOGUE)?;
            asking.print(&answerer.client().get(&query.to("/v1/users"))?, people)?;
        }
        Users::Show { user, asking } => {
            let answerer = asking.answerer(place, CATALOGUE)?;
            asking.print(&answerer.client().get(&format!("/v1/users/{user}/export"))?, ratings)?;
        }
        Users::Similar { user, n, asking } => {
            let answerer = asking.answerer(place, TASTE)?;
            asking.print(&answerer.client().get(&format!("/v1/users/{user}/similar?n={n}"))?, similar)?;
        }
        Users::Forget { user, consent, asking } => {
            consent.ask(&format!("Everything that is stored of person {user} will be removed."))?;
            let answerer = asking.answerer(place, CATALOGUE)?;
            let answer = answerer.client().ask("DELETE", &format!("/v1/users/{user}"), Body::None)?;
            answerer.purge()?;
            asking.print(&answer, |answer| {
                format!("Person {user} is forgotten: {} ratings removed.", cell(&answer["ratings_removed"]))
            })?;
        }
        Users::Merge { from, into, asking } => {
            let answerer = asking.answerer(place, CATALOGUE)?;
            let body = json!({"from": from}).to_string();
            let answer = answerer.client().ask("POST", &format!("/v1/users/{into}/merge"), Body::Json(&body))?;
            answerer.purge()?;
            asking.print(&answer, |answer| {
                let count = |member: &str| cell(&answer[member]);
                format!(
                    "Person {into} has the ratings of {from}: {} new, {} in place of older ones, {} older than what was there.",
                    count("ratings_added"),
                    count("ratings_replaced"),
                    count("ratings_older")
                )
            })?;
        }
        Users::Export { user, file, asking } => {
            let answerer = asking.answerer(place, CATALOGUE)?;
            let text = answerer.client().get(&format!("/v1/users/{user}/export"))?.text;
            match file {
                Some(file) => {
                    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
                }
                None => print(text)?,
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn people(answer: &Value) -> String {
    let mut table = Table::of([("Id", Side::Right), ("Ratings", Side::Right)]);
    for person in list(answer, "users") {
        table.add(vec![cell(&person["user_id"]), cell(&person["n_ratings"])]);
    }
    table.to_string()
}

fn similar(answer: &Value) -> String {
    let mut table = Table::of([("Id", Side::Right), ("Similarity", Side::Right)]);
    for person in list(answer, "users") {
        table.add(vec![cell(&person["user_id"]), decimal(&person["similarity"], 3)]);
    }
    table.to_string()
}

/// Newest first.
fn ratings(answer: &Value) -> String {
    let mut ratings: Vec<&Value> = list(answer, "ratings").iter().collect();
    ratings.sort_by_key(|rated| std::cmp::Reverse(rated["timestamp"].as_i64()));
    let mut table = Table::of([
        ("Id", Side::Right),
        ("Title", Side::Left),
        ("Year", Side::Right),
        ("Rating", Side::Right),
        ("Day", Side::Left),
    ]);
    for rated in ratings {
        table.add(vec![
            cell(&rated["movie_id"]),
            cell(&rated["title"]),
            cell(&rated["year"]),
            decimal(&rated["rating"], 1),
            day(&rated["timestamp"]),
        ]);
    }
    table.to_string()
}
