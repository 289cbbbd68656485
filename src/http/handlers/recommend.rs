//! Movies for people, and for whoever asks.

use std::sync::Arc;

use hyper::StatusCode;

use super::now_s;
use crate::domain::MAX_TIMESTAMP_S;
use crate::engine::{Page, Question, RankBy};
use crate::http::error::HttpError;
use crate::http::params::{Params, object};
use crate::http::respond::{Reply, json_reply};
use crate::http::route::Call;
use crate::http::server::Door;
use crate::http::wire::{DEFAULT_N, ORDERS, PageJson, QuestionJson, UserRecommendations, set_answer_headers};

/// The original route.
pub(in crate::http) async fn user_recommend(door: &Arc<Door>, call: &Call) -> Result<Reply, HttpError> {
    let (user, params) = (call.path.user()?, &call.params);
    let top_k = params.number("top_k", DEFAULT_N, (1, door.settings().config.max_top_k))?;
    let rank_by = params.one_of("rank_by", RankBy::Score, &ORDERS)?;
    let explain = params.flag("explain")?;
    let asked_at = Some(asked_at(params)?.unwrap_or_else(now_s));
    let question = Question { people: vec![user], rank_by, asked_at, ..Question::default() };
    let answer = door.engine.recommend_first(question, top_k, explain).await?;
    let mut reply = json_reply(StatusCode::OK, &UserRecommendations::new(user, &answer.content))?;
    set_answer_headers(&mut reply, &answer);
    Ok(reply)
}

/// One question with every signal.
pub(in crate::http) async fn recommend(door: &Arc<Door>, call: &Call) -> Result<Reply, HttpError> {
    let question: QuestionJson = object(&call.body, "a question").map_err(HttpError::bad_request)?;
    let limits = (door.settings().config.max_top_k, door.settings().config.max_text_bytes);
    let (question, page) = question.checked(limits)?;
    answer(door, question, page).await
}

/// The short form for one person.
pub(in crate::http) async fn user_recommendations(door: &Arc<Door>, call: &Call) -> Result<Reply, HttpError> {
    let params = &call.params;
    let question = Question {
        people: vec![call.path.user()?],
        filter: params.filter()?.into(),
        include_seen: params.flag("include_seen")?,
        rank_by: params.one_of("rank_by", RankBy::Score, &ORDERS)?,
        diversity: params.decimal("diversity", (0.0, 1.0))?.unwrap_or(0.0),
        asked_at: asked_at(params)?,
        ..Question::default()
    };
    answer(door, question, page(door, params)?).await
}

/// What most people like, or like just now.
pub(in crate::http) async fn everybodys(door: &Arc<Door>, call: &Call, rank_by: RankBy) -> Result<Reply, HttpError> {
    let question = Question { filter: call.params.filter()?.into(), rank_by, ..Question::default() };
    answer(door, question, page(door, &call.params)?).await
}

async fn answer(door: &Arc<Door>, question: Question, page: Page) -> Result<Reply, HttpError> {
    let answer = door.engine.recommend(question, page).await?;
    let mut reply = json_reply(StatusCode::OK, &PageJson::from(&answer.content))?;
    set_answer_headers(&mut reply, &answer);
    Ok(reply)
}

fn page(door: &Door, params: &Params) -> Result<Page, HttpError> {
    Ok(Page {
        n: params.number("n", DEFAULT_N, (1, door.settings().config.max_top_k))?,
        cursor: params.text("cursor").map(str::to_owned),
        explain: params.flag("explain")?,
    })
}

fn asked_at(params: &Params) -> Result<Option<i64>, HttpError> {
    let Some(text) = params.text("asked_at") else { return Ok(None) };
    text.parse().ok().filter(|time| (0..=MAX_TIMESTAMP_S).contains(time)).map(Some).ok_or_else(|| {
        HttpError::bad_request("The parameter asked_at must be a time in whole seconds since 1970 (UTC).")
    })
}
