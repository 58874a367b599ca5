//! Responses with other headers than the contract has for them.

use hyper::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE,
};

use super::fault::Fault;
use crate::proxy::Response;

/// The faults of this kind.
pub(super) const FAULTS: &[Fault] = &[
    Fault::in_response("no-cache-control", "No response has `Cache-Control`.", |_, response| {
        response.headers.remove(CACHE_CONTROL);
    }),
    Fault::in_response("no-cache-control-of-errors", "No error has `Cache-Control`.", |_, response| {
        if !response.status.is_success() {
            response.headers.remove(CACHE_CONTROL);
        }
    }),
    Fault::in_response(
        "cache-control-private",
        "Responses may be stored by the client's cache: `Cache-Control` is `private`.",
        |_, response| response.set_header(CACHE_CONTROL, "private"),
    ),
    Fault::in_response("no-challenge", "A response 401 has no `WWW-Authenticate`.", |_, response| {
        response.headers.remove(WWW_AUTHENTICATE);
    }),
    Fault::in_response(
        "challenge-without-error",
        "The challenge never says that a token was sent and is invalid.",
        |_, response| set_if_present(response, WWW_AUTHENTICATE, "Bearer"),
    ),
    Fault::in_response("challenge-basic", "The challenge asks for Basic credentials.", |_, response| {
        set_if_present(response, WWW_AUTHENTICATE, "Basic realm=\"x\"");
    }),
    Fault::in_response(
        "no-retry-after-of-limits",
        "A response 429 does not say when to try again.",
        |_, response| {
            if response.status.as_u16() == 429 {
                response.headers.remove(RETRY_AFTER);
            }
        },
    ),
    Fault::in_response(
        "no-retry-after-of-the-store",
        "A response 503 does not say when to try again.",
        |_, response| {
            if response.status.as_u16() == 503 {
                response.headers.remove(RETRY_AFTER);
            }
        },
    ),
    Fault::in_response(
        "retry-after-as-date",
        "`Retry-After` of a response 429 is a date instead of seconds.",
        |_, response| {
            if response.status.as_u16() == 429 {
                response.set_header(RETRY_AFTER, "Fri, 31 Dec 1999 23:59:59 GMT");
            }
        },
    ),
    Fault::in_response("cache-control-twice", "Responses have `Cache-Control` twice.", |_, response| {
        if let Some(value) = response.headers.get(CACHE_CONTROL).cloned() {
            response.headers.append(CACHE_CONTROL, value);
        }
    }),
    Fault::in_response(
        "header-undocumented",
        "Responses have the header `X-Powered-By`, which the contract does not document.",
        |_, response| response.set_header(HeaderName::from_static("x-powered-by"), "rust"),
    ),
    Fault::in_response(
        "cookie-with-the-token",
        "The token of a created session is set as a cookie besides.",
        |_, response| {
            let token = response.json()["authtoken"].as_str().map(|token| format!("session={token}"));
            if response.status.as_u16() == 201
                && let Some(cookie) = token.and_then(|cookie| HeaderValue::from_str(&cookie).ok())
            {
                response.headers.insert(SET_COOKIE, cookie);
            }
        },
    ),
    Fault::in_response(
        "errors-as-problem-json",
        "Errors have the media type `application/problem+json`.",
        |_, response| {
            if !response.status.is_success() {
                response.set_header(CONTENT_TYPE, "application/problem+json");
            }
        },
    ),
    Fault::in_response("success-as-text", "Successes have the media type `text/plain`.", |_, response| {
        if response.status.is_success() {
            response.set_header(CONTENT_TYPE, "text/plain");
        }
    }),
];

fn set_if_present(response: &mut Response, name: HeaderName, value: &'static str) {
    if response.headers.contains_key(&name) {
        response.set_header(name, value);
    }
}
