//! People's ratings and data.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::json;

use super::now_s;
use crate::domain::UserId;
use crate::engine::{EngineError, WriteSummary};
use crate::http::error::HttpError;
use crate::http::params::object;
use crate::http::respond::{Reply, bytes_reply, json_reply};
use crate::http::route::{BodyKind, Call};
use crate::http::server::Door;
use crate::http::wire::{
    DEFAULT_N, LineJson, MergeInput, PersonExport, PersonJson, RatingInput, SimilarPersonJson, rating_of_line,
    set_answer_headers,
};

/// Lines of a batch, at most.
const MAX_LINES: usize = 200_000;

pub(in crate::http) async fn rate(door: &Arc<Door>, call: &Call) -> Result<Reply, HttpError> {
    let who = (call.path.user()?, call.path.movie()?);
    let rating = RatingInput::read(&call.body, who, now_s()).map_err(HttpError::bad_request)?;
    let answer = door.engine.rate(rating).await?;
    let summary = answer.content;
    let status = if summary.ratings_added > 0 { StatusCode::CREATED } else { StatusCode::OK };
    let body = json!({
        "user_id": who.0.0,
        "movie_id": who.1.0,
        "status": match summary {
            WriteSummary { ratings_added: 1.., .. } => "added",
            WriteSummary { ratings_older: 1.., .. } => "newer_kept",
            _ => "replaced",
        },
    });
    let mut reply = json_reply(status, &body)?;
    set_answer_headers(&mut reply, &answer);
    Ok(reply)
}

pub(in crate::http) async fn unrate(door: &Arc<Door>, call: &Call) -> Result<Reply, HttpError> {
    let (user, movie) = (call.path.user()?, call.path.movie()?);
    let answer = door.engine.unrate(user, movie).await?;
    let body = json!({"user_id": user.0, "movie_id": movie.0, "removed": answer.content});
    let mut reply = json_reply(StatusCode::OK, &body)?;
    set_answer_headers(&mut reply, &answer);
    Ok(reply)
}

/// A rating per line, an answer per line, and a line with what came of all.
pub(in crate::http) async fn rate_many(door: &Arc<Door>, call: &Call) -> Result<Reply, HttpError> {
    let now_s = now_s();
    let lines: Vec<(usize, &[u8])> =
        (1..).zip(call.body.split(|&byte| byte == b'\n')).filter(|(_, line)| !line.trim_ascii().is_empty()).collect();
    if lines.len() > MAX_LINES {
        return Err(HttpError::bad_request(format!("A batch may have at most {MAX_LINES} lines.")));
    }
    let numbers: Vec<usize> = lines.iter().map(|&(number, _)| number).collect();
    let ratings = lines.into_iter().map(|(_, line)| rating_of_line(line, now_s)).collect();
    let answer = door.engine.rate_many(ratings).await?;
    let (outcomes, summary) = &answer.content;
    let mut body = Vec::new();
    for (line, outcome) in numbers.into_iter().zip(outcomes) {
        let reason = outcome.as_ref().err().map(String::as_str);
        let status = if reason.is_none() { "stored" } else { "refused" };
        serde_json::to_writer(&mut body, &LineJson { line, status, reason })
            .map_err(|error| HttpError::internal(error.to_string()))?;
        body.push(b'\n');
    }
    let WriteSummary { ratings_added, ratings_replaced, ratings_older, ratings_repaired, .. } = *summary;
    let summary = json!({
        "added": ratings_added,
        "replaced": ratings_replaced + ratings_repaired,
        "newer_kept": ratings_older,
        "refused": outcomes.iter().filter(|outcome| outcome.is_err()).count(),
    });
    body.extend(json!({"summary": summary}).to_string().into_bytes());
    body.push(b'\n');
    let mut reply = bytes_reply(BodyKind::JsonLines.media_type(), body);
    set_answer_headers(&mut reply, &answer);
    Ok(reply)
}

pub(in crate::http) async fn export(door: &Arc<Door>, call: &Call) -> Result<Reply, HttpError> {
    let user = call.path.user()?;
    let answer = door.engine.ratings_of(user).await?;
    if answer.content.is_empty() {
        return Err(EngineError::Unknown("user").into());
    }
    let mut reply = json_reply(StatusCode::OK, &PersonExport::new(user, &answer.content))?;
    set_answer_headers(&mut reply, &answer);
    Ok(reply)
}

pub(in crate::http) async fn forget(door: &Arc<Door>, call: &Call) -> Result<Reply, HttpError> {
    let user = call.path.user()?;
    let answer = door.engine.forget(user).await?;
    let body = json!({"user_id": user.0, "ratings_removed": answer.content.ratings_removed});
    let mut reply = json_reply(StatusCode::ACCEPTED, &body)?;
    set_answer_headers(&mut reply, &answer);
    Ok(reply)
}

pub(in crate::http) async fn merge(door: &Arc<Door>, call: &Call) -> Result<Reply, HttpError> {
    let into = call.path.user()?;
    let input: MergeInput = object(&call.body, "such as {\"from\": 7}").map_err(HttpError::bad_request)?;
    let answer = door.engine.merge(UserId(input.from), into).await?;
    let summary = answer.content;
    let body = json!({
        "user_id": into.0,
        "ratings_added": summary.ratings_added,
        "ratings_replaced": summary.ratings_replaced + summary.ratings_repaired,
        "ratings_older": summary.ratings_older,
    });
    let mut reply = json_reply(StatusCode::OK, &body)?;
    set_answer_headers(&mut reply, &answer);
    Ok(reply)
}

pub(in crate::http) async fn users(door: &Arc<Door>, call: &Call) -> Result<Reply, HttpError> {
    let n = call.params.number("n", DEFAULT_N, (1, door.settings().config.max_top_k))?;
    let after = match call.params.text("after") {
        None => None,
        Some(_) => Some(UserId(call.params.number("after", 0, (0, u32::MAX as usize))? as u32)),
    };
    let answer = door.engine.people(after, n).await?;
    let people: Vec<PersonJson> = answer.content.iter().map(PersonJson::from).collect();
    let mut reply = json_reply(StatusCode::OK, &json!({"users": people}))?;
    set_answer_headers(&mut reply, &answer);
    Ok(reply)
}

pub(in crate::http) async fn similar(door: &Arc<Door>, call: &Call) -> Result<Reply, HttpError> {
    let user = call.path.user()?;
    let n = call.params.number("n", DEFAULT_N, (1, door.settings().config.max_top_k))?;
    let answer = door.engine.similar_people(user, n).await?;
    let people: Vec<SimilarPersonJson> = answer.content.iter().map(SimilarPersonJson::from).collect();
    let mut reply = json_reply(StatusCode::OK, &json!({"user_id": user.0, "users": people}))?;
    set_answer_headers(&mut reply, &answer);
    Ok(reply)
}
