//! What all calls of a client share: the token, time-outs and retries.

use std::time::Duration;

use reqwest::header::HeaderValue;

use crate::token::Token;

/// Time-outs and retries.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long connecting may take. The default is 2 seconds.
    pub connect_timeout: Duration,
    /// How long each attempt may take, from connecting to the end of the response. The default is 10 seconds, because
    /// the server stops waiting for its store after 5.
    pub request_timeout: Duration,
    /// The greatest number of retries of a call, with exponential backoff and jitter. The default is 2. Only safe calls
    /// are retried: those that only read, those with an idempotency key, and those that certainly had no effect, because no
    /// connection was made or the response is 429. The client adds a key to every call that takes one.
    pub retries: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { connect_timeout: Duration::from_secs(2), request_timeout: Duration::from_secs(10), retries: 2 }
    }
}

/// What all calls of a [`Client`](crate::Client) share: the token and the number of retries.
#[derive(Clone, Debug)]
pub struct Inner {
    /// Marked as sensitive, so that it prints as `Sensitive`.
    authorization: HeaderValue,
    retries: usize,
}

impl Inner {
    /// The argument of [`Client::new_with_client`](crate::Client::new_with_client), for use with a custom
    /// `reqwest::Client`. The time-outs are then those of that client; of `options`, only `retries` is used.
    pub fn new(token: &Token, options: Options) -> Self {
        // Cannot fail: a token has only characters that are allowed in a header.
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))
            .unwrap_or_else(|_| HeaderValue::from_static("Bearer"));
        authorization.set_sensitive(true);
        Self { authorization, retries: options.retries }
    }

    /// The value of the header `Authorization`.
    pub(crate) const fn authorization(&self) -> &HeaderValue {
        &self.authorization
    }

    /// The greatest number of retries of a call.
    pub(crate) const fn retries(&self) -> usize {
        self.retries
    }
}
