//! Recommendations for a user.

use std::sync::Arc;

use hyper::StatusCode;

use crate::domain::{MAX_TIMESTAMP_S, UserId};
use crate::engine::{RankBy, UserQuestion};
use crate::http::error::HttpError;
use crate::http::params::{Params, whole_number};
use crate::http::respond::{Reply, json_reply};
use crate::http::server::Door;
use crate::http::wire::{UserRecommendations, set_answer_headers};

const DEFAULT_TOP_K: usize = 10;

pub(in crate::http) async fn user_recommend(
    door: &Arc<Door>,
    user_id: &str,
    params: &Params,
) -> Result<Reply, HttpError> {
    let user = whole_number(user_id)
        .map(UserId)
        .ok_or_else(|| HttpError::bad_request("A user id is a whole number between 0 and 4294967295."))?;
    let top_k = params.top_k(DEFAULT_TOP_K, door.config.max_top_k)?;
    let orders = [("score", RankBy::Score), ("predicted_rating", RankBy::PredictedRating)];
    let rank_by = params.one_of("rank_by", RankBy::Score, &orders)?;
    let explain = params.flag("explain")?;
    let asked_at = match params.text("asked_at") {
        None => now_s(),
        Some(text) => text.parse().ok().filter(|time| (0..=MAX_TIMESTAMP_S).contains(time)).ok_or_else(|| {
            HttpError::bad_request("The parameter asked_at must be a time in whole seconds since 1970 (UTC).")
        })?,
    };
    let question = UserQuestion { rank_by, top_k, asked_at, explain };
    let answer = door.engine.recommend(user, question).await?;
    let mut reply = json_reply(StatusCode::OK, &UserRecommendations::new(user, &answer.content))?;
    set_answer_headers(&mut reply, &answer);
    Ok(reply)
}

/// The time of asking, unless told otherwise.
fn now_s() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(MAX_TIMESTAMP_S))
}
