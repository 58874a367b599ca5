//! Why a call did not succeed.

use reqwest::StatusCode;

use crate::generated;
use crate::generated::types::{self, ErrorCode};

/// What the generated methods fail with; [`Error`] says the same in the contract's words.
pub type RawError = generated::Error<types::Error>;

/// Why a call did not succeed. It shows no token: the words of a decoder may quote a value of an answer, but tokens were
/// cut out of an answer that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server answered with one of the contract's errors.
    #[error("{}: {message}", code)]
    Refused {
        /// The kind of the fault.
        code: ErrorCode,
        /// What, where and how to mend it, for people.
        message: String,
        /// The status that it came with.
        status: StatusCode,
        /// Names the request in the server's log.
        request_id: Option<String>,
    },
    /// The request was not sent: a value of it is missing or not allowed.
    #[error("the request was not sent: {0}")]
    InvalidRequest(String),
    /// There was no answer. Unless the call only reads, whether it was done is not known.
    #[error("the server did not answer")]
    NoAnswer(#[source] reqwest::Error),
    /// There was an answer that the contract does not have: another program answered, or a newer server.
    #[error("the answer is not of the contract: {0}")]
    UnexpectedAnswer(String),
}

impl Error {
    /// The contract's code, if the server answered with one.
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
            | RawError::ResponseBodyError(cause) => Self::NoAnswer(cause),
            RawError::InvalidResponsePayload(_, reason) => Self::UnexpectedAnswer(reason.to_string()),
            RawError::UnexpectedResponse(response) => {
                Self::UnexpectedAnswer(format!("status {}", response.status()))
            }
        }
    }
}
