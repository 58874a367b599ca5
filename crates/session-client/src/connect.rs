//! How the client reaches the server: address, token, time-outs and retries.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use progenitor_client::{ClientHooks, OperationInfo};
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Request, Response, StatusCode, Url, redirect};

use crate::generated::{Client, ClientInfo, REPEATABLE, is_response};
use crate::inner::{Inner, Options};
use crate::token::Token;

/// The longest wait before a retry. If the server asks for a longer one, the call fails without another retry.
const RETRY_WAIT_MAX: Duration = Duration::from_secs(5);

/// The header with the key of a request that may be repeated. The same key over all attempts of a call.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The address is not valid, or no HTTP client can be created.
#[derive(Debug, thiserror::Error)]
#[error("{reason}; an address is http://HOST[:PORT][/PATH] or https://HOST[:PORT][/PATH]")]
pub struct InvalidAddress {
    reason: String,
}

impl Client {
    /// Creates a client of the server at `address`, such as `https://sessions.example`, that sends `token` with each
    /// call. Does not connect yet.
    ///
    /// Fails if the address is not a valid HTTP URL, or is `https` in a build without the feature `rustls`.
    pub fn connect(address: &str, token: &Token) -> Result<Self, InvalidAddress> {
        Self::connect_with(address, token, Options::default())
    }

    /// As [`Client::connect`], with time-outs and retries of the caller's choice.
    pub fn connect_with(address: &str, token: &Token, options: Options) -> Result<Self, InvalidAddress> {
        let address = base_url(address)?;
        let client = reqwest::Client::builder()
            .connect_timeout(options.connect_timeout)
            .timeout(options.request_timeout)
            // The contract has no redirects, and the token must not reach another server.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("session-client/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| InvalidAddress {
                reason: format!("the HTTP client cannot be created: {error}"),
            })?;
        Ok(Self::new_with_client(&address, client, Inner::new(token, options)))
    }
}

/// Returns the address without a trailing slash, because the generated code appends paths that begin with one.
fn base_url(address: &str) -> Result<String, InvalidAddress> {
    let invalid = |reason: &str| InvalidAddress { reason: reason.to_owned() };
    // The address is not repeated in an error: it may contain a password.
    let url = Url::parse(address).map_err(|error| invalid(&format!("the address is not a URL: {error}")))?;
    match url.scheme() {
        "http" => {}
        "https" if cfg!(feature = "rustls") => {}
        "https" => return Err(invalid("this build does not support HTTPS; enable the feature `rustls`")),
        _ => return Err(invalid("the address is neither http nor https")),
    }
    if !url.has_host() || !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("the address has no host, or contains a user or a password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("the address has a query or a fragment"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

impl ClientHooks<Inner> for Client {
    async fn exec(&self, mut request: Request, operation: &OperationInfo) -> reqwest::Result<Response> {
        request.headers_mut().insert(AUTHORIZATION, self.inner().authorization().clone());
        if REPEATABLE.contains(&operation.operation_id) && !request.headers().contains_key(IDEMPOTENCY_KEY) {
            request.headers_mut().extend(new_key().map(|key| (IDEMPOTENCY_KEY, key)));
        }
        let repeatable = *request.method() == Method::GET || request.headers().contains_key(IDEMPOTENCY_KEY);
        let mut waits = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(RETRY_WAIT_MAX)
            .with_max_times(self.inner().retries())
            .with_jitter()
            .build();
        loop {
            let retry = request.try_clone();
            let outcome = self.client().execute(request).await;
            let least_wait = least_retry_wait(repeatable, &outcome).filter(|wait| *wait <= RETRY_WAIT_MAX);
            match (least_wait, retry, waits.next()) {
                (Some(least_wait), Some(retry), Some(wait)) => {
                    tokio::time::sleep(wait.max(least_wait)).await;
                    request = retry;
                }
                _ => return without_tokens(outcome?).await,
            }
        }
    }
}

/// Returns a new key of 128 random bits, in hexadecimal; `None` if the operating system has no random bits, and then the call
/// is not retried.
fn new_key() -> Option<HeaderValue> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    HeaderValue::try_from(format!("{:032x}", u128::from_ne_bytes(bytes))).ok()
}

/// Returns the least time to wait before a retry; `None` if a retry is not safe or would not help.
fn least_retry_wait(repeatable: bool, outcome: &reqwest::Result<Response>) -> Option<Duration> {
    match outcome {
        Err(error) => (repeatable || error.is_connect()).then_some(Duration::ZERO),
        Ok(response) => match response.status() {
            StatusCode::TOO_MANY_REQUESTS => Some(retry_after(response)),
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
                repeatable.then(|| retry_after(response))
            }
            _ => None,
        },
    }
}

/// Returns the seconds of `Retry-After`, or 0 (RFC 9110, section 10.2.3; the contract does not use its date form).
fn retry_after(response: &Response) -> Duration {
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(0))
}

/// Redacts the tokens in a response that cannot be parsed. The generated error contains such a response as a whole, and
/// errors end up in logs. The response of a newer server may contain a new token, and a proxy may echo the caller's.
async fn without_tokens(response: Response) -> reqwest::Result<Response> {
    let mut head = http::Response::new(());
    *head.status_mut() = response.status();
    head.headers_mut().clone_from(response.headers());
    let mut body = Vec::from(response.bytes().await?);
    let text = String::from_utf8_lossy(&body);
    if TOKEN_PREFIXES.iter().any(|prefix| text.contains(prefix)) && !is_response(&body) {
        body = redacted(&text).into_bytes();
    }
    Ok(head.map(|()| body).into())
}

/// The prefixes of session tokens and API keys.
const TOKEN_PREFIXES: [&str; 2] = ["sst_", "ssk_"];

/// Replaces each token in the text with `[REDACTED]`.
fn redacted(text: &str) -> String {
    TOKEN_PREFIXES.iter().fold(text.to_owned(), |text, prefix| {
        let mut parts = text.split(prefix);
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            out.push_str("[REDACTED]");
            out.push_str(part.trim_start_matches(|character: char| character.is_ascii_alphanumeric()));
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_end_in_a_slash_and_have_a_path() {
        for (address, base) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
            ("https://sessions.example/eu/", "https://sessions.example/eu"),
        ] {
            assert_eq!(base_url(address).unwrap(), base);
        }
    }

    #[test]
    fn an_invalid_address_is_refused_without_repeating_it() {
        for address in [
            "",
            "127.0.0.1:8080",
            "localhost",
            "ftp://geheim.example",
            "http://user:geheim@sessions.example",
            "https://sessions.example/?geheim",
            "https://sessions.example/#geheim",
        ] {
            let error = base_url(address).unwrap_err().to_string();
            assert!(error.contains("http://HOST") && !error.contains("geheim"), "{address}: {error}");
        }
    }

    #[test]
    fn a_client_prints_without_its_token() {
        let token: Token = "sst_geheim".parse().unwrap();
        let client = Client::connect("http://127.0.0.1:1", &token).unwrap();
        assert!(!format!("{client:?}").contains("geheim"), "{client:?}");
    }

    #[test]
    fn tokens_in_a_text_are_redacted() {
        assert_eq!(redacted(r#"{"a":"sst_0abc","b":"ssk_1"}"#), r#"{"a":"[REDACTED]","b":"[REDACTED]"}"#);
        assert_eq!(redacted("nothing"), "nothing");
    }
}
