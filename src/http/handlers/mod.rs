//! Handlers, by subject.

pub(super) mod models;
pub(super) mod movies;
pub(super) mod people;
pub(super) mod recommend;
pub(super) mod search;
pub(super) mod status;

use crate::domain::MAX_TIMESTAMP_S;

/// The time of asking, unless told otherwise.
fn now_s() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(MAX_TIMESTAMP_S))
}
