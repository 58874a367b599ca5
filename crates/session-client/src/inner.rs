//! What each call of a client needs beside its own values: the token, time-outs and retries.

use std::time::Duration;

use reqwest::header::HeaderValue;

use crate::token::Token;

/// Time-outs and retries.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long a connection may take to be made; 2 seconds unless told otherwise.
    pub connect_timeout: Duration,
    /// How long an answer may take, each try by itself; 10 seconds unless told otherwise, for the server gives
    /// up on its store after 5.
    pub request_timeout: Duration,
    /// How often a call is tried again, with a growing wait and jitter, where that is safe; twice unless told
    /// otherwise. Safe is a call that only reads, or one that surely was not done: no connection was made, or
    /// the answer is 429.
    pub retries: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { connect_timeout: Duration::from_secs(2), request_timeout: Duration::from_secs(10), retries: 2 }
    }
}

/// What each call of a [`Client`] needs beside its own values.
#[derive(Clone, Debug)]
pub struct Inner {
    /// Marked as sensitive, so that it prints as that.
    authorization: HeaderValue,
    retries: usize,
}

impl Inner {
    /// For [`Client::new_with_client`], with a `reqwest::Client` of one's own; its time-outs are that client's.
    pub fn new(token: &Token, options: Options) -> Self {
        // A token consists of characters that a header may have.
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))
            .unwrap_or_else(|_| HeaderValue::from_static("Bearer"));
        authorization.set_sensitive(true);
        Self { authorization, retries: options.retries }
    }

    /// The value of the header `Authorization`.
    pub(crate) const fn authorization(&self) -> &HeaderValue {
        &self.authorization
    }

    /// How many times a call is retried.
    pub(crate) const fn retries(&self) -> usize {
        self.retries
    }
}
