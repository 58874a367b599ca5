//! The response of a handler: a finished body with its headers, described as a type of dropshot's.

use std::marker::PhantomData;

use dropshot::{ApiEndpointResponse, Body, HttpCodedResponse, HttpError, HttpResponse, HttpResponseOk};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use session_types::ErrorCode;

use crate::session_json::SessionJson;
use crate::types::{ErrorBody, Session};

/// Responses are for their caller alone, and some contain a token.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// `WWW-Authenticate` where no token was sent, and where one was refused (RFC 6750, section 3.1: an error code only where
/// a token was sent).
const CHALLENGES: [&str; 2] = ["Bearer", "Bearer error=\"invalid_token\""];

/// The headers of every response with this status, as OpenAPI describes them: Header Objects by name.
/// `X-Request-Id` is set by dropshot, the others by [`Reply`].
pub(crate) fn headers(status: u16) -> Value {
    let header = |schema: Value| json!({ "required": true, "schema": schema });
    let mut all = json!({
        "Cache-Control": header(json!({ "type": "string", "enum": ["no-store"] })),
        "X-Request-Id": header(json!({ "type": "string", "format": "uuid" })),
    });
    match status {
        401 => all["WWW-Authenticate"] = header(json!({ "type": "string", "enum": CHALLENGES })),
        429 | 503 => all["Retry-After"] = header(json!({ "type": "integer", "minimum": 0 })),
        _ => {}
    }
    all
}

/// A response that is described as `T` and contains either that or an error with its headers.
///
/// dropshot's own error types cannot set headers, which `WWW-Authenticate` and `Retry-After` need.
pub struct Reply<T> {
    response: Response<Body>,
    described: PhantomData<fn() -> T>,
}

/// The body of the response that is described as `T`.
pub trait ReplyBody<T> {
    /// The response. Fails only if the body cannot be serialized.
    fn into_reply(self) -> Result<Reply<T>, serde_json::Error>;
}

impl<T: HttpCodedResponse<Body = B>, B: Serialize> ReplyBody<T> for B {
    fn into_reply(self) -> Result<Reply<T>, serde_json::Error> {
        Ok(Reply::bytes(T::STATUS_CODE, serde_json::to_vec(&self)?))
    }
}

impl ReplyBody<HttpResponseOk<Session>> for SessionJson {
    fn into_reply(self) -> Result<Reply<HttpResponseOk<Session>>, serde_json::Error> {
        Ok(Reply::bytes(HttpResponseOk::<Session>::STATUS_CODE, self.into_bytes()))
    }
}

impl<T: HttpCodedResponse> Reply<T> {
    /// An error with this status and the headers that belong to its code, and `Retry-After` if a retry is allowed
    /// after `retry_after_s` seconds.
    pub fn error(body: &ErrorBody, status: StatusCode, retry_after_s: Option<u64>) -> Self {
        // Two words and a string always serialize.
        let mut reply = Self::bytes(status, serde_json::to_vec(body).unwrap_or_default());
        let headers = reply.response.headers_mut();
        match body.code {
            ErrorCode::NotAuthenticated => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGES[0]));
            }
            ErrorCode::BadAuthtoken => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGES[1]));
            }
            _ => {}
        }
        headers.extend(retry_after_s.map(|seconds| (RETRY_AFTER, HeaderValue::from(seconds))));
        reply
    }

    fn bytes(status: StatusCode, json: Vec<u8>) -> Self {
        let mut response = Response::new(Body::from(json));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, JSON);
        response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
        Self { response, described: PhantomData }
    }
}

impl<T: HttpCodedResponse> HttpResponse for Reply<T> {
    fn to_result(self) -> Result<Response<Body>, HttpError> {
        Ok(self.response)
    }

    fn response_metadata() -> ApiEndpointResponse {
        <T as HttpResponse>::response_metadata()
    }

    fn status_code(&self) -> StatusCode {
        self.response.status()
    }
}

/// The status of an error with this code, where no other says more.
pub const fn status_of(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::BadRequest
        | ErrorCode::InvalidValue
        | ErrorCode::RequiredValue
        | ErrorCode::UnexpectedRefType => StatusCode::BAD_REQUEST,
        ErrorCode::NotAuthenticated | ErrorCode::BadAuthtoken => StatusCode::UNAUTHORIZED,
        ErrorCode::NotPermitted => StatusCode::FORBIDDEN,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::InvalidAction => StatusCode::CONFLICT,
        ErrorCode::NotImplemented => StatusCode::NOT_IMPLEMENTED,
        ErrorCode::Unexpected => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::Unknown => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Every status of an error with this code.
pub(crate) fn statuses_of(code: ErrorCode) -> Vec<u16> {
    let mut statuses = vec![status_of(code).as_u16()];
    if code == ErrorCode::BadRequest {
        statuses.extend([408, 413, 415, 429]);
    }
    statuses
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use http::HeaderName;
    use strum::VariantArray;

    use super::*;

    type Any = Reply<HttpResponseOk<Session>>;

    #[test]
    fn every_error_has_the_headers_that_are_described_for_its_status_and_no_other() {
        let body = |code| ErrorBody::new(code, "no");
        let retry_after_s = |code| (code == ErrorCode::Unknown).then_some(1);
        let of_code = |code| Reply::error(&body(code), status_of(code), retry_after_s(code));
        let mut replies: Vec<Any> = ErrorCode::VARIANTS.iter().map(|code| of_code(*code)).collect();
        replies.push(Reply::error(&body(ErrorCode::BadRequest), StatusCode::TOO_MANY_REQUESTS, Some(7)));
        for reply in replies {
            let status = HttpResponse::status_code(&reply);
            let headers = reply.to_result().unwrap().headers().clone();
            let described = super::headers(status.as_u16());
            let described = described.as_object().unwrap();
            // dropshot sets the one after the handler; the other is the media type.
            let expected =
                described.keys().map(|name| name.to_lowercase()).filter(|name| name != "x-request-id");
            let names = headers.keys().map(HeaderName::to_string).filter(|name| name != "content-type");
            assert_eq!(names.collect::<BTreeSet<_>>(), expected.collect::<BTreeSet<_>>(), "{status}");
            for (name, header) in described {
                let allowed = header["schema"]["enum"].as_array();
                let value = headers.get(name).map(|value| json!(value.to_str().unwrap()));
                assert!(
                    allowed.is_none_or(|allowed| allowed.contains(&value.unwrap())),
                    "{name} of {status}"
                );
            }
        }
    }
}
