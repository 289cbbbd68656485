//! The closed list of errors a client can get, as RFC 9457 problem documents.
//!
//! A client reads a code, a sentence and the request id; the cause stays in the log, under the same id.

use hyper::StatusCode;

use crate::engine::EngineError;

/// What went wrong, in the client's terms. `schema/openapi.json` lists the same codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorCode {
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    CursorExpired,
    OffScale,
    TooLarge,
    UnsupportedMediaType,
    NotReady,
    Overloaded,
    Timeout,
    Internal,
}

impl ErrorCode {
    /// All codes, for the contract test.
    #[cfg(test)]
    pub(super) const ALL: [Self; 13] = [
        Self::BadRequest,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::CursorExpired,
        Self::OffScale,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::NotReady,
        Self::Overloaded,
        Self::Timeout,
        Self::Internal,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::CursorExpired => "cursor_expired",
            Self::OffScale => "off_scale",
            Self::TooLarge => "too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::NotReady => "not_ready",
            Self::Overloaded => "overloaded",
            Self::Timeout => "timeout",
            Self::Internal => "internal",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::BadRequest => "The request cannot be understood",
            Self::Unauthorized => "This needs a key",
            Self::Forbidden => "This is not allowed",
            Self::NotFound => "There is nothing at this address",
            Self::MethodNotAllowed => "This address does not take this method",
            Self::CursorExpired => "The list that this page belongs to is gone",
            Self::OffScale => "The rating is not on the scale of this data set",
            Self::TooLarge => "The request is too large",
            Self::UnsupportedMediaType => "The request is of another kind than this address takes",
            Self::NotReady => "This part of the daemon is not ready yet",
            Self::Overloaded => "Too many requests at once",
            Self::Timeout => "The answer took too long",
            Self::Internal => "Something went wrong inside the daemon",
        }
    }

    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::CursorExpired | Self::OffScale => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotReady | Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// When to try again, in seconds, where trying again may help.
    pub(super) fn retry_after_s(self) -> Option<u32> {
        match self {
            Self::Overloaded => Some(1),
            Self::NotReady => Some(5),
            _ => None,
        }
    }
}

/// An error on its way to the client.
#[derive(Debug)]
pub(crate) struct HttpError {
    pub(super) code: ErrorCode,
    /// A sentence for the client.
    pub(super) detail: String,
    /// The whole story, for the log only.
    pub(super) cause: Option<String>,
    /// Methods that the address takes, where another was used.
    pub(super) allowed: Option<String>,
}

impl HttpError {
    pub(crate) fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), cause: None, allowed: None }
    }

    /// The address is there, but takes only these methods.
    pub(super) fn other_methods(allowed: String) -> Self {
        let detail = format!("This address takes {allowed}.");
        Self { allowed: Some(allowed), ..Self::new(ErrorCode::MethodNotAllowed, detail) }
    }

    /// A defect; `cause` is for the log.
    pub(super) fn internal(cause: String) -> Self {
        let detail = "The log of the daemon tells more under this request id.";
        Self { cause: Some(cause), ..Self::new(ErrorCode::Internal, detail) }
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadRequest, detail)
    }
}

impl From<EngineError> for HttpError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Overloaded => {
                Self::new(ErrorCode::Overloaded, "The daemon works on as many requests as it takes; try again shortly.")
            }
            EngineError::Unfit(detail) => Self::bad_request(detail),
            EngineError::Unknown(_) => Self::new(ErrorCode::NotFound, error.to_string()),
            EngineError::OffScale { .. } => Self::new(ErrorCode::OffScale, error.to_string()),
            EngineError::CursorExpired => Self::new(ErrorCode::CursorExpired, error.to_string()),
            EngineError::NotReady(_) => Self::new(ErrorCode::NotReady, error.to_string()),
            EngineError::NoSuchModel(detail) => Self::new(ErrorCode::NotFound, detail),
            EngineError::Internal(cause) => Self::internal(cause),
        }
    }
}
