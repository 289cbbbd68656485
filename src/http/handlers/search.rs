//! Films like a title, or films that match a description.

use std::sync::Arc;

use hyper::StatusCode;

use crate::engine::{PromptMethod, SimilarMethod, TextMode, TextQuestion};
use crate::http::error::{ErrorCode, HttpError};
use crate::http::params::Params;
use crate::http::respond::{Reply, json_reply, set_header};
use crate::http::route::Call;
use crate::http::server::Door;
use crate::http::wire::{
    DEFAULT_N, SearchJson, SimilarJson, SimilarMovie, TitleJson, UnderstoodJson, resolved_as, set_answer_headers,
};

/// Nobody reads a longer list while typing.
const MAX_SUGGESTIONS: usize = 50;

/// The original route: a bare list, with what was understood in headers.
pub(in crate::http) async fn title_or_prompt(door: &Arc<Door>, params: &Params) -> Result<Reply, HttpError> {
    let answer = door.engine.title_or_prompt(question(door, params, ("input_text", "top_k"))?).await?;
    let found = &answer.content;
    let movies: Vec<SimilarMovie<'_>> =
        found.movies.iter().map(|movie| SimilarMovie::new(movie, found.title.is_none())).collect();
    let mut reply = json_reply(StatusCode::OK, &movies)?;
    set_answer_headers(&mut reply, &answer);
    set_header(&mut reply, "x-marquee-resolved-as", resolved_as(found));
    set_header(&mut reply, "x-marquee-method", found.method);
    if let Some(read) = found.prompt.as_ref().filter(|read| !read.understood.is_plain()) {
        set_header(&mut reply, "x-marquee-understood", &UnderstoodJson::from(read).as_ascii());
    }
    if let Some(title) = &found.title {
        set_header(&mut reply, "x-marquee-movie-id", &title.movie.movie().id.to_string());
        set_header(&mut reply, "x-marquee-confidence", title.confidence);
        let alternatives: Vec<String> = title.alternatives.iter().map(|movie| movie.movie().id.to_string()).collect();
        if !alternatives.is_empty() {
            set_header(&mut reply, "x-marquee-alternatives", &alternatives.join(","));
        }
    }
    Ok(reply)
}

/// The same with everything that is known about the answer in the body.
pub(in crate::http) async fn search(door: &Arc<Door>, params: &Params) -> Result<Reply, HttpError> {
    let answer = door.engine.title_or_prompt(question(door, params, ("prompt", "n"))?).await?;
    let mut reply = json_reply(StatusCode::OK, &SearchJson::from(&answer.content))?;
    set_answer_headers(&mut reply, &answer);
    Ok(reply)
}

/// Movies like a given one.
pub(in crate::http) async fn similar(door: &Arc<Door>, call: &Call) -> Result<Reply, HttpError> {
    let (movie, params) = (call.path.movie()?, &call.params);
    let n = params.number("n", DEFAULT_N, (1, door.settings().config.max_top_k))?;
    let method = params.one_of("method", SimilarMethod::default(), &SimilarMethod::ALL.map(|one| (one.name(), one)))?;
    let answer = door.engine.similar(movie, (method, n, params.filter()?.into())).await?;
    let Some(found) = &answer.content else {
        return Err(HttpError::new(ErrorCode::NotFound, "There is no movie of that id."));
    };
    let mut reply = json_reply(StatusCode::OK, &SimilarJson::new(method, found))?;
    set_answer_headers(&mut reply, &answer);
    Ok(reply)
}

/// The text of a parameter and how it is to be taken.
fn question(door: &Door, params: &Params, (name, number): (&str, &str)) -> Result<TextQuestion, HttpError> {
    let text = params.text(name).map(str::trim).filter(|text| !text.is_empty()).ok_or_else(|| {
        HttpError::bad_request(format!("The parameter {name} must be a title or a description of what to look for."))
    })?;
    if text.len() > door.settings().config.max_text_bytes {
        let most = door.settings().config.max_text_bytes;
        return Err(HttpError::bad_request(format!("The parameter {name} may have at most {most} bytes.")));
    }
    let modes = [("auto", TextMode::Auto), ("title", TextMode::Title), ("prompt", TextMode::Prompt)];
    let methods = PromptMethod::ALL.map(|method| (method.name(), method));
    Ok(TextQuestion {
        text: text.to_owned(),
        mode: params.one_of("mode", TextMode::Auto, &modes)?,
        method: params.one_of("method", PromptMethod::Fused, &methods)?,
        ignored: params.list("ignore"),
        top_k: params.number(number, DEFAULT_N, (1, door.settings().config.max_top_k))?,
        filter: params.filter()?.into(),
    })
}

/// Titles as one types.
pub(in crate::http) async fn titles(door: &Arc<Door>, params: &Params) -> Result<Reply, HttpError> {
    let n = params.number("n", DEFAULT_N, (1, MAX_SUGGESTIONS))?;
    let prefix = params
        .text("prefix")
        .filter(|prefix| !prefix.trim().is_empty() && prefix.len() <= door.settings().config.max_text_bytes)
        .ok_or_else(|| HttpError::bad_request("The parameter prefix must be the beginning of a title."))?;
    let answer = door.engine.suggest(prefix.to_owned(), n).await?;
    let titles: Vec<TitleJson<'_>> = answer.content.iter().map(TitleJson::from).collect();
    let mut reply = json_reply(StatusCode::OK, &titles)?;
    set_answer_headers(&mut reply, &answer);
    Ok(reply)
}
