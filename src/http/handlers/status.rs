//! What the daemon says about itself.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::json;

use crate::http::error::HttpError;
use crate::http::respond::{Reply, json_reply, text_reply};
use crate::http::server::Door;
use crate::http::wire::PartJson;

const OPENAPI: &str = include_str!("../../../schema/openapi.json");

/// The process lives and its reactor answers.
pub(in crate::http) fn healthz() -> Result<Reply, HttpError> {
    json_reply(StatusCode::OK, &json!({"status": "ok"}))
}

/// Every part that answers depend on is ready.
pub(in crate::http) fn readyz(door: &Arc<Door>) -> Result<Reply, HttpError> {
    let parts = door.engine.status().parts();
    let ready = parts.iter().all(|(_, state)| state.is_ready());
    let parts: Vec<PartJson<'_>> = parts.iter().map(|(part, state)| PartJson::new(*part, state)).collect();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json_reply(status, &json!({"ready": ready, "generation": door.engine.generation(), "parts": parts}))
}

/// Prometheus' text format.
pub(in crate::http) fn metrics(door: &Arc<Door>) -> Reply {
    text_reply("text/plain; version=0.0.4; charset=utf-8", (door.metrics_page)())
}

/// The contract of all this.
pub(in crate::http) fn openapi() -> Reply {
    text_reply("application/json", OPENAPI.to_owned())
}
