//! `marquee similar` and `marquee search`.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::answerer::TEXTS;
use super::filters::{Filters, Parameters};
use super::named::film;
use super::recommend::understood;
use super::show::{cell, list, or_nothing, similar as table, title_of, titles};
use super::{Asking, Place};
use crate::engine::{PromptMethod, SimilarMethod};

/// Films like a film.
#[derive(Debug, Args)]
pub(in crate::cli) struct Similar {
    /// Title or id of the film.
    film: String,
    /// What makes films alike.
    #[arg(long, value_parser = SimilarMethod::ALL.map(SimilarMethod::name))]
    method: Option<String>,
    /// How many.
    #[arg(short, value_name = "N", default_value_t = 10)]
    n: usize,
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    asking: Asking,
}

pub(in crate::cli) fn similar(place: Place<'_>, arguments: &Similar) -> anyhow::Result<ExitCode> {
    let answerer = arguments.asking.answerer(place, TEXTS)?;
    let film = film(answerer.client(), &arguments.film)?;
    let mut query = Parameters::default();
    query.add("n", &arguments.n);
    query.add_some("method", arguments.method.as_ref());
    arguments.filters.add_to(&mut query);
    let answer = answerer.client().get(&query.to(&format!("/v1/movies/{}/similar", film.id)))?;
    arguments
        .asking
        .print(&answer, |answer| format!("Like {}:\n{}", film.title, or_nothing(list(answer, "results"), table)))?;
    Ok(ExitCode::SUCCESS)
}

/// Films by title or description.
#[derive(Debug, Args)]
pub(in crate::cli) struct Search {
    /// A title or a description.
    text: String,
    /// How to take the text.
    #[arg(long, value_parser = ["auto", "title", "prompt"])]
    mode: Option<String>,
    /// What answers a description.
    #[arg(long, value_parser = PromptMethod::ALL.map(PromptMethod::name))]
    method: Option<String>,
    /// How many.
    #[arg(short, value_name = "N", default_value_t = 10)]
    n: usize,
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    asking: Asking,
}

pub(in crate::cli) fn search(place: Place<'_>, arguments: &Search) -> anyhow::Result<ExitCode> {
    let answerer = arguments.asking.answerer(place, TEXTS)?;
    let mut query = Parameters::default();
    query.add("prompt", &arguments.text);
    query.add("n", &arguments.n);
    query.add_some("mode", arguments.mode.as_ref());
    query.add_some("method", arguments.method.as_ref());
    arguments.filters.add_to(&mut query);
    let answer = answerer.client().get(&query.to("/v1/search"))?;
    arguments.asking.print(&answer, found)?;
    Ok(ExitCode::SUCCESS)
}

fn found(answer: &Value) -> String {
    let movies = or_nothing(list(answer, "results"), table);
    if answer["movie"].is_null() {
        return understood(&answer["understood"]) + &movies;
    }
    let mut text =
        format!("{}, id {}. Like it:\n{movies}", title_of(&answer["movie"]), cell(&answer["movie"]["movie_id"]));
    let others: Vec<&Value> = list(answer, "alternatives").iter().collect();
    if !others.is_empty() {
        let _ = writeln!(text, "\nOther films it may be:\n{}", titles(&others));
    }
    text
}
