//! The error of a call.

use reqwest::StatusCode;

use crate::generated;
use crate::generated::types::{self, ErrorCode};

/// The error of the generated methods. [`Error`] is made from it and has the contract's error code.
pub type RawError = generated::Error<types::Error>;

/// A call failed.
///
/// No token is in it: a parser's message may quote a value of the response, but tokens in a response that cannot be parsed
/// have been redacted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server responded with one of the contract's errors.
    #[error("{code}: {message}")]
    Refused {
        /// The kind of error, for programs.
        code: ErrorCode,
        /// What is wrong and how to fix it, for people.
        message: String,
        /// The HTTP status of the response.
        status: StatusCode,
        /// The ID of the request in the server's log, from the header `X-Request-Id`.
        request_id: Option<String>,
    },
    /// The request was not sent, because a value is missing or not allowed.
    #[error("the request was not sent: {0}")]
    InvalidRequest(String),
    /// There was no complete response. Unless the call only reads, it is not known whether it had an effect. A call with an
    /// idempotency key may be made again with the same key.
    #[error("the server did not respond")]
    NoResponse(#[source] reqwest::Error),
    /// The response is not in the contract: it comes from another program or from a newer server.
    #[error("the response is not in the contract: {0}")]
    UnexpectedResponse(String),
}

impl Error {
    /// The contract's error code, if the server responded with one.
    pub const fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }
}

impl From<RawError> for Error {
    fn from(error: RawError) -> Self {
        match error {
            RawError::ErrorResponse(response) => {
                let status = response.status();
                let header = response.headers().get("x-request-id");
                let request_id = header.and_then(|value| value.to_str().ok()).map(str::to_owned);
                let types::Error::Error { code, message } = response.into_inner();
                Self::Refused { code, message, status, request_id }
            }
            RawError::InvalidRequest(reason) | RawError::Custom(reason) => Self::InvalidRequest(reason),
            RawError::CommunicationError(cause)
            | RawError::InvalidUpgrade(cause)
            | RawError::ResponseBodyError(cause) => Self::NoResponse(cause),
            RawError::InvalidResponsePayload(_, reason) => Self::UnexpectedResponse(reason.to_string()),
            RawError::UnexpectedResponse(response) => {
                Self::UnexpectedResponse(format!("status {}", response.status()))
            }
        }
    }
}
