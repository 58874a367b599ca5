//! The error of a request: the code, the message for the caller, and the cause for the log.

use std::fmt;

use http::StatusCode;
use session_api::{ErrorBody, RequestError, status_of};
use session_store::StoreError;
use session_types::ErrorCode;

use crate::environment::RandomFailed;

/// The request was refused, or the server failed.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Error {
    /// The contract's code.
    pub code: ErrorCode,
    /// For the caller: what, where and how to fix it.
    pub message: String,
    /// The status of the response; that of the code unless another says more.
    pub status: StatusCode,
    /// For the log only: what failed.
    pub cause: Option<String>,
    /// For the log only: what an operator should look into although the response is correct.
    pub warning: Option<String>,
    /// After how many seconds a retry is allowed, for a request over a rate limit.
    pub retry_after_s: Option<u64>,
}

impl Error {
    /// A refusal for a reason that the caller may know.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            status: status_of(code),
            cause: None,
            warning: None,
            retry_after_s: None,
        }
    }

    /// A refusal because of a rate limit; a retry is allowed after `retry_after_s` seconds.
    pub fn limited(message: String, retry_after_s: u64) -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            retry_after_s: Some(retry_after_s),
            ..Self::new(ErrorCode::BadRequest, message)
        }
    }

    /// The one refusal of every token that is not valid, so that it does not reveal why.
    pub fn bad_authtoken() -> Self {
        Self::new(
            ErrorCode::BadAuthtoken,
            "the token is not valid or no longer valid; authenticate again for a new one",
        )
    }

    /// The server failed; `cause` is logged and not returned.
    pub fn unexpected(cause: impl fmt::Display) -> Self {
        let message = "the server failed; its log has the cause under the request ID";
        Self { cause: Some(cause.to_string()), ..Self::new(ErrorCode::Unexpected, message) }
    }

    /// The store did not respond in time, so the outcome is not known; `cause` is logged and not returned.
    pub fn unknown(cause: impl fmt::Display) -> Self {
        let message = "the store did not respond in time; fetch the session to see whether it changed, or send the \
                       request again with its Idempotency-Key";
        // A store that did not respond is rarely back sooner than in a second; the client adds jitter.
        Self {
            cause: Some(cause.to_string()),
            retry_after_s: Some(1),
            ..Self::new(ErrorCode::Unknown, message)
        }
    }

    /// The store cannot make changes at the moment, and nothing was changed; `cause` is logged and not returned.
    pub fn unavailable(cause: impl fmt::Display) -> Self {
        let message = "the store is not available at the moment, for example because its disk is full or its \
                       database cannot be reached; nothing was changed; try again";
        // An operator has to act first, so a retry each second would only be load.
        Self {
            cause: Some(cause.to_string()),
            retry_after_s: Some(5),
            ..Self::new(ErrorCode::Unknown, message)
        }
    }

    /// The body of the response.
    pub fn body(&self) -> ErrorBody {
        ErrorBody::new(self.code, self.message.clone())
    }

    /// Returns the text for the log: the cause, or the message if there is none.
    pub fn into_cause(self) -> String {
        self.cause.unwrap_or(self.message)
    }

    /// Returns the text for an operator at the command line: the message and the cause. The message of `unexpected` only
    /// refers to a log, so the cause replaces it.
    pub fn into_report(self) -> String {
        match self.cause {
            Some(cause) if self.code == ErrorCode::Unexpected => cause,
            Some(cause) => format!("{}: {cause}", self.message),
            None => self.message,
        }
    }
}

impl From<RequestError> for Error {
    fn from(error: RequestError) -> Self {
        Self { status: error.status, ..Self::new(error.body.code, error.body.message) }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::OutcomeUnknown(_) => Self::unknown(error),
            StoreError::Unavailable(_) => Self::unavailable(error),
            StoreError::TokenReplaced => Self::bad_authtoken(),
            StoreError::TooManyRevocations => Self::limited(
                "too many revocations of this domain are not written yet; try again in 5 s".to_owned(),
                5,
            ),
            // A new ID is never taken, an import has a message of its own, and a rule responds to a repeated request.
            StoreError::AlreadyExists | StoreError::RequestRepeated | StoreError::Failed(_) => {
                Self::unexpected(error)
            }
        }
    }
}

impl From<RandomFailed> for Error {
    fn from(error: RandomFailed) -> Self {
        Self::unexpected(error)
    }
}
