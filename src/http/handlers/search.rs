//! Films like a title, or films that match a description.

use std::sync::Arc;

use hyper::StatusCode;

use crate::engine::{PromptMethod, TextMode, TextQuestion};
use crate::http::error::HttpError;
use crate::http::params::Params;
use crate::http::respond::{Reply, json_reply, set_header};
use crate::http::server::Door;
use crate::http::wire::{SimilarMovie, TitleJson, UnderstoodJson, set_answer_headers};

const DEFAULT_TOP_K: usize = 10;

/// Nobody reads a longer list while typing.
const MAX_SUGGESTIONS: usize = 50;

pub(in crate::http) async fn title_or_prompt(door: &Arc<Door>, params: &Params) -> Result<Reply, HttpError> {
    let text = params.text("input_text").map(str::trim).filter(|text| !text.is_empty()).ok_or_else(|| {
        HttpError::bad_request("The parameter input_text must be a title or a description of what to look for.")
    })?;
    if text.len() > door.config.max_text_bytes {
        let most = door.config.max_text_bytes;
        return Err(HttpError::bad_request(format!("The parameter input_text may have at most {most} bytes.")));
    }
    let top_k = params.top_k(DEFAULT_TOP_K, door.config.max_top_k)?;
    let mode = match params.text("mode") {
        None | Some("auto") => TextMode::Auto,
        Some("title") => TextMode::Title,
        Some("prompt") => TextMode::Prompt,
        Some(_) => return Err(HttpError::bad_request("The parameter mode must be auto, title or prompt.")),
    };
    let method = match params.text("method") {
        None | Some("fused") => PromptMethod::Fused,
        Some("semantic") => PromptMethod::Semantic,
        Some("bm25") => PromptMethod::Bm25,
        Some("tfidf") => PromptMethod::TfIdf,
        Some(_) => {
            return Err(HttpError::bad_request("The parameter method must be fused, semantic, bm25 or tfidf."));
        }
    };
    let question = TextQuestion { text: text.to_owned(), mode, method, top_k };
    let answer = door.engine.title_or_prompt(question).await?;
    let found = &answer.content;
    let movies: Vec<SimilarMovie<'_>> =
        found.movies.iter().map(|movie| SimilarMovie::new(movie, found.title.is_none())).collect();
    let mut reply = json_reply(StatusCode::OK, &movies)?;
    set_answer_headers(&mut reply, &answer);
    set_header(&mut reply, "x-marquee-resolved-as", if found.title.is_some() { "title" } else { "prompt" });
    set_header(&mut reply, "x-marquee-method", found.method);
    if let Some(understood) = found.understood.as_ref().filter(|understood| !understood.is_plain()) {
        set_header(&mut reply, "x-marquee-understood", &UnderstoodJson::from(understood).as_ascii());
    }
    if let Some(title) = &found.title {
        set_header(&mut reply, "x-marquee-movie-id", &title.movie.to_string());
        set_header(&mut reply, "x-marquee-confidence", title.confidence);
        let alternatives: Vec<String> = title.alternatives.iter().map(ToString::to_string).collect();
        if !alternatives.is_empty() {
            set_header(&mut reply, "x-marquee-alternatives", &alternatives.join(","));
        }
    }
    Ok(reply)
}

/// Titles as one types.
pub(in crate::http) async fn titles(door: &Arc<Door>, params: &Params) -> Result<Reply, HttpError> {
    let n = params.top_k(DEFAULT_TOP_K, MAX_SUGGESTIONS)?;
    let prefix = params
        .text("prefix")
        .filter(|prefix| !prefix.trim().is_empty() && prefix.len() <= door.config.max_text_bytes)
        .ok_or_else(|| HttpError::bad_request("The parameter prefix must be the beginning of a title."))?;
    let answer = door.engine.suggest(prefix.to_owned(), n).await?;
    let titles: Vec<TitleJson<'_>> = answer.content.iter().map(TitleJson::from).collect();
    let mut reply = json_reply(StatusCode::OK, &titles)?;
    set_answer_headers(&mut reply, &answer);
    Ok(reply)
}
