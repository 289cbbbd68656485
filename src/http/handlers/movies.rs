//! The catalogue: reading it, and changing it.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::json;

use crate::engine::{EngineError, MovieOrder, MovieRequest};
use crate::http::error::HttpError;
use crate::http::respond::{Reply, json_reply};
use crate::http::route::Call;
use crate::http::server::Door;
use crate::http::wire::{DEFAULT_N, MovieDetails, MovieInput, MoviesJson, set_answer_headers};

/// Where a list may start: nobody turns so many pages.
const MAX_START: usize = 10_000_000;

pub(in crate::http) async fn movie(door: &Arc<Door>, call: &Call) -> Result<Reply, HttpError> {
    let answer = door.engine.movie(call.path.movie()?).await?;
    let mut reply = json_reply(StatusCode::OK, &MovieDetails::from(&answer.content))?;
    set_answer_headers(&mut reply, &answer);
    Ok(reply)
}

pub(in crate::http) async fn movies(door: &Arc<Door>, call: &Call) -> Result<Reply, HttpError> {
    let params = &call.params;
    let request = MovieRequest {
        filter: params.filter()?.into(),
        order: params.one_of("order", MovieOrder::default(), &MovieOrder::ALL.map(|order| (order.name(), order)))?,
        start: params.number("start", 0, (0, MAX_START))?,
        n: params.number("n", DEFAULT_N, (1, door.settings().config.max_top_k))?,
    };
    let answer = door.engine.movies(request).await?;
    let mut reply = json_reply(StatusCode::OK, &MoviesJson::from(&answer.content))?;
    set_answer_headers(&mut reply, &answer);
    Ok(reply)
}

/// Adds a movie or replaces the one of its id.
pub(in crate::http) async fn put(door: &Arc<Door>, call: &Call) -> Result<Reply, HttpError> {
    let id = call.path.movie()?;
    let movie = MovieInput::read(&call.body, id)?;
    let answer = door.engine.change_movie(id, Box::new(move |_| Ok(movie))).await?;
    let status = if answer.content { StatusCode::CREATED } else { StatusCode::OK };
    let mut reply = json_reply(status, &json!({"movie_id": id.0, "added": answer.content}))?;
    set_answer_headers(&mut reply, &answer);
    Ok(reply)
}

/// Changes members of a movie.
pub(in crate::http) async fn patch(door: &Arc<Door>, call: &Call) -> Result<Reply, HttpError> {
    let (id, body) = (call.path.movie()?, call.body.clone());
    let change = move |current: Option<&crate::domain::Movie>| {
        let current = current.ok_or(EngineError::Unknown("movie"))?;
        MovieInput::patch(current, &body).map_err(|error| EngineError::Unfit(error.detail))
    };
    let answer = door.engine.change_movie(id, Box::new(change)).await?;
    let mut reply = json_reply(StatusCode::OK, &json!({"movie_id": id.0, "added": false}))?;
    set_answer_headers(&mut reply, &answer);
    Ok(reply)
}

pub(in crate::http) async fn delete(door: &Arc<Door>, call: &Call) -> Result<Reply, HttpError> {
    let id = call.path.movie()?;
    let answer = door.engine.remove_movie(id).await?;
    let mut reply = json_reply(StatusCode::OK, &json!({"movie_id": id.0, "removed": true}))?;
    set_answer_headers(&mut reply, &answer);
    Ok(reply)
}
