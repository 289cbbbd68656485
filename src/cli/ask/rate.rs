//! `marquee rate`.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::answerer::CATALOGUE;
use super::named::film;
use super::{Asking, Place};
use crate::cli::client::Body;

/// A rating given or taken back.
#[derive(Debug, Args)]
pub(in crate::cli) struct Rate {
    /// Who rates.
    user: u32,
    /// Title or id of the film.
    film: String,
    /// The rating, on the scale of the data set.
    #[arg(required_unless_present = "remove")]
    rating: Option<f32>,
    /// Take the rating back.
    #[arg(long, conflicts_with = "rating")]
    remove: bool,
    #[command(flatten)]
    asking: Asking,
}

pub(in crate::cli) fn rate(place: Place<'_>, arguments: &Rate) -> anyhow::Result<ExitCode> {
    let Rate { user, film: text, rating, asking, .. } = arguments;
    let answerer = asking.answerer(place, CATALOGUE)?;
    let film = film(answerer.client(), text)?;
    let path = format!("/v1/users/{user}/ratings/{}", film.id);
    let title = &film.title;
    let answer = match rating {
        Some(rating) => answerer.client().ask("PUT", &path, Body::Json(&json!({"rating": rating}).to_string()))?,
        None => answerer.client().ask("DELETE", &path, Body::None)?,
    };
    asking.print(&answer, |answer| match (rating, answer["status"].as_str()) {
        (Some(rating), Some("replaced")) => format!("{user} rates {title} {rating} now."),
        (Some(_), Some("newer_kept")) => format!("{user} has a newer rating of {title}, which is kept."),
        (Some(rating), _) => format!("{user} rates {title} {rating}."),
        (None, _) if answer["removed"] == true => format!("{user} rates {title} no more."),
        (None, _) => format!("{user} had not rated {title}."),
    })?;
    Ok(ExitCode::SUCCESS)
}
