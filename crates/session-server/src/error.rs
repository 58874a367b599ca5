//! Why a request is not done, free of transport: its code, what the caller is told, and what the log is told.

use std::fmt;

use session_api::{ErrorBody, ErrorCode};
use session_store::StoreError;

use crate::environment::RandomFailed;

/// A refusal or a fault.
#[derive(Debug)]
pub struct Error {
    /// The contract's code.
    pub code: ErrorCode,
    /// For the caller: what, where and how to mend it.
    pub message: String,
    /// For the log alone: what failed.
    pub cause: Option<String>,
    /// For the log alone: what someone should look at, though the answer is as it should be.
    pub warning: Option<String>,
    /// In how many seconds to try again, if there were too many requests.
    pub retry_after_s: Option<u64>,
}

impl Error {
    /// A refusal for a reason that the caller may know.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), cause: None, warning: None, retry_after_s: None }
    }

    /// A refusal because there were too many requests, with the seconds after which one is allowed.
    pub fn limited(message: String, retry_after_s: u64) -> Self {
        Self { retry_after_s: Some(retry_after_s), ..Self::new(ErrorCode::BadRequest, message) }
    }

    /// A fault of ours; `cause` goes to the log.
    pub fn unexpected(cause: impl fmt::Display) -> Self {
        let message = "the server failed; its log has the cause under the request ID";
        Self { cause: Some(cause.to_string()), ..Self::new(ErrorCode::Unexpected, message) }
    }

    /// The store did not say in time whether it did what it was asked; `cause` goes to the log.
    pub fn unknown(cause: impl fmt::Display) -> Self {
        let message = "the store did not answer in time; fetch the session to see whether it changed";
        Self { cause: Some(cause.to_string()), ..Self::new(ErrorCode::Unknown, message) }
    }

    /// The body for the caller.
    pub fn body(&self) -> ErrorBody {
        ErrorBody::new(self.code, self.message.clone())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Error {}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Lost(_) => Self::unknown(error),
            // The rules that can meet the first two answer them with words of their own.
            StoreError::AlreadyExists | StoreError::PoolOfOtherDomain | StoreError::Failed(_) => {
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
