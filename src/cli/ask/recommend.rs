//! `marquee recommend`, `popular` and `trending`.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use super::answerer::{CATALOGUE, TASTE, TEXTS};
use super::filters::{Filters, Parameters};
use super::named::film;
use super::show::{cell, list, or_nothing, recommended};
use super::{Asking, Place};
use crate::cli::client::Body;
use crate::engine::HouseholdRule;

/// One question with every signal.
#[derive(Debug, Args)]
pub(in crate::cli) struct Recommend {
    /// For this person; given several times, for all of them together.
    #[arg(long = "user", value_name = "ID")]
    users: Vec<u32>,
    /// Like this film (title or id).
    #[arg(long = "like", value_name = "FILM")]
    liked: Vec<String>,
    /// Unlike this film (title or id).
    #[arg(long = "dislike", value_name = "FILM")]
    disliked: Vec<String>,
    /// As described in these words.
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    #[command(flatten)]
    filters: Filters,
    /// Not this film (title or id).
    #[arg(long, value_name = "FILM")]
    exclude: Vec<String>,
    /// Also films that they have rated.
    #[arg(long)]
    include_seen: bool,
    /// How different the films are to be from one another, from 0 to 1.
    #[arg(long, value_name = "SHARE")]
    diversity: Option<f32>,
    /// What orders them.
    #[arg(long, value_parser = ["score", "predicted_rating", "popularity", "trending"])]
    rank_by: Option<String>,
    /// What several people agree on.
    #[arg(long, value_parser = HouseholdRule::ALL.map(HouseholdRule::name))]
    household: Option<String>,
    #[command(flatten)]
    page: PageArguments,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct PageArguments {
    /// Say why.
    #[arg(long)]
    explain: bool,
    /// How many.
    #[arg(short, value_name = "N", default_value_t = 10)]
    n: usize,
    /// The page that a former answer ended with.
    #[arg(long)]
    cursor: Option<String>,
}

pub(in crate::cli) fn recommend(place: Place<'_>, arguments: &Recommend) -> anyhow::Result<ExitCode> {
    let Recommend { users, liked, disliked, prompt, page, .. } = arguments;
    if users.is_empty() && liked.is_empty() && disliked.is_empty() && prompt.is_none() && arguments.rank_by.is_none() {
        bail!(
            "say for whom (--user), like what (--like), or what it is about (--prompt); `marquee popular` needs nothing"
        );
    }
    let needed = if prompt.is_some() { [TASTE, TEXTS].concat() } else { TASTE.to_vec() };
    let answerer = arguments.asking.answerer(place, &needed)?;
    let ids = |films: &[String]| -> anyhow::Result<Vec<u64>> {
        films.iter().map(|text| Ok(film(answerer.client(), text)?.id)).collect()
    };
    let mut question = json!({
        "users": users, "liked": ids(liked)?, "disliked": ids(disliked)?, "exclude": ids(&arguments.exclude)?,
        "filters": arguments.filters.json(), "exclude_seen": !arguments.include_seen, "explain": page.explain,
        "n": page.n,
    });
    let optional = [
        ("prompt", prompt.as_ref().map(|text| json!(text))),
        ("diversity", arguments.diversity.map(|share| json!(share))),
        ("rank_by", arguments.rank_by.as_ref().map(|order| json!(order))),
        ("household", arguments.household.as_ref().map(|rule| json!(rule))),
        ("cursor", page.cursor.as_ref().map(|cursor| json!(cursor))),
    ];
    for (member, value) in optional {
        if let Some(value) = value {
            question[member] = value;
        }
    }
    let answer = answerer.client().ask("POST", "/v1/recommend", Body::Json(&question.to_string()))?;
    arguments.asking.print(&answer, |answer| {
        let mut text = String::new();
        if answer["cold_start"] == true && !users.is_empty() {
            text.push_str("Nothing is known of their taste yet, so this is what most people like.\n");
        }
        text + &understood(&answer["understood"]) + &a_page(answer, answerer.stays())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// What everybody likes.
#[derive(Debug, Args)]
pub(in crate::cli) struct Everybodys {
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    page: PageArguments,
    #[command(flatten)]
    asking: Asking,
}

/// `path` is that of the list.
pub(in crate::cli) fn everybodys(place: Place<'_>, arguments: &Everybodys, path: &str) -> anyhow::Result<ExitCode> {
    let Everybodys { filters, page, asking } = arguments;
    let answerer = asking.answerer(place, CATALOGUE)?;
    let mut query = Parameters::default();
    query.add("n", &page.n);
    query.add_some("cursor", page.cursor.as_ref());
    query.add("explain", &page.explain);
    filters.add_to(&mut query);
    let answer = answerer.client().get(&query.to(path))?;
    asking.print(&answer, |answer| a_page(answer, answerer.stays()))?;
    Ok(ExitCode::SUCCESS)
}

/// The films, and how to get more of them where the list is kept.
fn a_page(answer: &Value, is_kept: bool) -> String {
    let mut text = or_nothing(list(answer, "results"), recommended);
    if let Some(cursor) = answer["next_cursor"].as_str().filter(|_| is_kept) {
        let _ = writeln!(text, "\nFor more of them, ask the same with --cursor {cursor}");
    }
    text
}

/// What was taken out of a prompt; nothing where it was taken as it stands.
pub(super) fn understood(understood: &Value) -> String {
    let labels: Vec<String> = list(understood, "chips").iter().map(|chip| cell(&chip["label"])).collect();
    if labels.is_empty() { String::new() } else { format!("Understood: {}\n", labels.join("; ")) }
}
