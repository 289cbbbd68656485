//! The closed list of errors a client can get, as RFC 9457 problem documents.
//!
//! A client reads a code, a sentence and the request id; the cause stays in the log, under the same id.

use hyper::StatusCode;

use crate::engine::EngineError;

/// What went wrong, in the client's terms. `schema/openapi.json` lists the same codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorCode {
    BadRequest,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    NotReady,
    Overloaded,
    Timeout,
    Internal,
}

impl ErrorCode {
    /// All codes, for the contract test.
    #[cfg(test)]
    pub(super) const ALL: [Self; 8] = [
        Self::BadRequest,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::NotReady,
        Self::Overloaded,
        Self::Timeout,
        Self::Internal,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::NotReady => "not_ready",
            Self::Overloaded => "overloaded",
            Self::Timeout => "timeout",
            Self::Internal => "internal",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::BadRequest => "The request cannot be understood",
            Self::Forbidden => "You may not do that from where you are",
            Self::NotFound => "There is nothing at this address",
            Self::MethodNotAllowed => "This address does not take this method",
            Self::NotReady => "This part of the daemon is not ready yet",
            Self::Overloaded => "Too many requests at once",
            Self::Timeout => "The answer took too long",
            Self::Internal => "Something went wrong inside the daemon",
        }
    }

    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
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
}

impl HttpError {
    pub(crate) fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), cause: None }
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
            EngineError::NotReady(_) => Self::new(ErrorCode::NotReady, error.to_string()),
            EngineError::NoSuchModel(detail) => Self::new(ErrorCode::NotFound, detail),
            EngineError::Internal(cause) => Self {
                code: ErrorCode::Internal,
                detail: "The log of the daemon tells more under this request id.".to_owned(),
                cause: Some(cause),
            },
        }
    }
}
