//! Building responses: JSON, text, and problem documents.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use serde::Serialize;
use serde_json::json;

use super::error::{ErrorCode, HttpError};

pub(super) type Reply = Response<Full<Bytes>>;

/// Room for most answers, so that they need not be moved while they grow.
const BODY_BYTES: usize = 8 << 10;

/// A JSON answer.
pub(super) fn json_reply(status: StatusCode, body: &impl Serialize) -> Result<Reply, HttpError> {
    let mut bytes = Vec::with_capacity(BODY_BYTES);
    serde_json::to_writer(&mut bytes, body).map_err(|error| HttpError::internal(error.to_string()))?;
    // Some are kept.
    bytes.shrink_to_fit();
    Ok(reply(status, "application/json", bytes))
}

/// A plain text answer.
pub(super) fn text_reply(content_type: &'static str, body: String) -> Reply {
    reply(StatusCode::OK, content_type, body.into_bytes())
}

/// An answer of bytes of some kind.
pub(super) fn bytes_reply(content_type: &'static str, body: Vec<u8>) -> Reply {
    reply(StatusCode::OK, content_type, body)
}

/// The problem document of an error.
pub(super) fn problem_reply(error: &HttpError, request_id: &str) -> Reply {
    let problem = json!({
        "type": format!("urn:marquee:error:{}", error.code.name()),
        "code": error.code.name(),
        "title": error.code.title(),
        "status": error.code.status().as_u16(),
        "detail": error.detail,
        "request_id": request_id,
    });
    let mut response = reply(error.code.status(), "application/problem+json", problem.to_string().into_bytes());
    if let Some(seconds) = error.code.retry_after_s() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(allowed) = &error.allowed {
        set_header(&mut response, "allow", allowed);
    }
    if error.code == ErrorCode::Unauthorized {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// Adds a header whose value is made of program data; a value HTTP cannot carry is left out.
pub(super) fn set_header(response: &mut Reply, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
}

fn reply(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Reply {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    // Answers change with every rating and every reload, and are somebody's own.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
