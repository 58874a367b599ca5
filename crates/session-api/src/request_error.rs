//! The error of a request that cannot be read.

use http::StatusCode;
use session_types::{ErrorCode, without_tokens};

use crate::reply::status_of;
use crate::types::ErrorBody;

/// The greatest length of an error message in characters: it may repeat a part of the request.
pub(crate) const MESSAGE_MAX_CHARS: usize = 400;

/// The message as a caller may see it: bounded, and without a token that was put into a wrong place.
pub(crate) fn shown(message: &str) -> String {
    let message = without_tokens(message.as_bytes());
    String::from_utf8_lossy(&message).chars().take(MESSAGE_MAX_CHARS).collect()
}

/// The request cannot be read: the error to return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestError {
    /// The body of the response.
    pub body: ErrorBody,
    /// The status of the response, which may say more than the code.
    pub status: StatusCode,
}

impl RequestError {
    pub(crate) fn new(status: StatusCode, code: ErrorCode, message: &str) -> Self {
        Self { body: ErrorBody::new(code, shown(message)), status }
    }
}

impl From<ErrorBody> for RequestError {
    fn from(body: ErrorBody) -> Self {
        Self { status: status_of(body.code), body }
    }
}
