//! What a handler answers with: bytes and headers that are decided already, described as dropshot would.

use std::fmt;
use std::marker::PhantomData;

use dropshot::{
    ApiEndpointResponse, Body, ErrorStatusCode, HttpCodedResponse, HttpError, HttpResponse, HttpResponseError,
};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use crate::extract::Unreadable;
use crate::types::{ErrorBody, ErrorCode};

/// Answers are for their caller alone, and some of them hold a token.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What `WWW-Authenticate` says: without a token, and of a token that was refused. RFC 6750, section 3.1: an error code only
/// where a token was sent.
const CHALLENGES: [&str; 2] = ["Bearer", "Bearer error=\"invalid_token\""];

/// The headers that every answer with this status has, as the contract describes them: their names and schemas.
/// `X-Request-Id` is dropshot's.
pub(crate) fn headers(status: StatusCode) -> Vec<(&'static str, Value)> {
    let mut all = vec![
        ("Cache-Control", json!({ "type": "string", "enum": [NO_STORE.to_str().unwrap_or_default()] })),
        ("X-Request-Id", json!({ "type": "string", "format": "uuid" })),
    ];
    match status {
        StatusCode::UNAUTHORIZED => {
            all.push(("WWW-Authenticate", json!({ "type": "string", "enum": CHALLENGES })));
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            all.push(("Retry-After", json!({ "type": "integer", "minimum": 0 })));
        }
        _ => {}
    }
    all
}

/// An answer that is described as `T` and holds either that or an error with its headers.
///
/// dropshot's error trait sets no headers, which `WWW-Authenticate` and `Retry-After` need.
pub struct Reply<T> {
    response: Response<Body>,
    described: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({})", self.response.status())
    }
}

impl<T: HttpCodedResponse> Reply<T> {
    /// The described answer. Fails only if the body cannot be written as JSON.
    pub fn success<B: Serialize>(body: &B) -> Result<Self, serde_json::Error>
    where
        T: HttpCodedResponse<Body = B>,
    {
        Ok(Self::bytes(T::STATUS_CODE, serde_json::to_vec(body)?))
    }

    /// An error, with the status and the headers that belong to its code.
    pub fn error(body: &ErrorBody) -> Self {
        let mut reply = Self::bytes(status_of(body.code), body.to_json());
        let mut header = |name: HeaderName, value| {
            reply.response.headers_mut().insert(name, HeaderValue::from_static(value))
        };
        match body.code {
            ErrorCode::NotAuthenticated => header(WWW_AUTHENTICATE, CHALLENGES[0]),
            ErrorCode::BadAuthtoken => header(WWW_AUTHENTICATE, CHALLENGES[1]),
            // A store that did not answer is rarely back sooner; the client adds jitter.
            ErrorCode::Unknown => header(RETRY_AFTER, "1"),
            _ => None,
        };
        reply
    }

    /// A refusal of a request that cannot be read.
    pub fn unreadable(unreadable: &Unreadable) -> Self {
        Self::bytes(unreadable.status, unreadable.body.to_json())
    }

    /// A refusal because there were too many requests, with the seconds after which one is allowed.
    pub fn limited(body: &ErrorBody, retry_after_s: u64) -> Self {
        let mut reply = Self::bytes(StatusCode::TOO_MANY_REQUESTS, body.to_json());
        reply.response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after_s));
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

#[cfg(feature = "seeded-faults")]
impl<T> Reply<T> {
    /// The answer after a change to it, its body as bytes.
    #[must_use]
    pub fn changed(self, change: impl FnOnce(Response<Vec<u8>>) -> Response<Vec<u8>>) -> Self {
        let (parts, body) = self.response.into_parts();
        // The whole of it is there, so that it is never waited for.
        let mut whole = std::pin::pin!(http_body_util::BodyExt::collect(body));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let bytes = match whole.as_mut().poll(&mut context) {
            std::task::Poll::Ready(Ok(whole)) => whole.to_bytes().to_vec(),
            _ => Vec::new(),
        };
        let response = change(Response::from_parts(parts, bytes)).map(Body::from);
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

/// The status of a code, as the contract has it. dropshot's own faults may carry a more exact one.
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

/// The error that a handler's signature names: dropshot would make it of a fault of an extractor, of which ours have none.
#[derive(Debug, Serialize, thiserror::Error)]
#[error("{}: {internal}", body.code)]
#[serde(transparent)]
pub struct Fault {
    body: ErrorBody,
    #[serde(skip)]
    status: ErrorStatusCode,
    /// For the log.
    #[serde(skip)]
    internal: String,
}

impl schemars::JsonSchema for Fault {
    fn schema_name() -> String {
        ErrorBody::schema_name()
    }

    fn json_schema(generator: &mut schemars::r#gen::SchemaGenerator) -> schemars::schema::Schema {
        ErrorBody::json_schema(generator)
    }
}

impl From<HttpError> for Fault {
    fn from(error: HttpError) -> Self {
        let code = error.error_code.as_deref().and_then(|code| code.parse().ok()).unwrap_or_else(|| {
            if error.status_code.is_client_error() { ErrorCode::BadRequest } else { ErrorCode::Unexpected }
        });
        Self {
            body: ErrorBody::new(code, error.external_message),
            status: error.status_code,
            internal: error.internal_message,
        }
    }
}

impl HttpResponseError for Fault {
    fn status_code(&self) -> ErrorStatusCode {
        self.status
    }
}

impl ErrorBody {
    fn to_json(&self) -> Vec<u8> {
        // An enum word, a string and a constant: there is nothing in it that JSON cannot hold.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use dropshot::HttpResponseOk;

    use super::*;
    use crate::types::Session;

    type Any = Reply<HttpResponseOk<Session>>;

    #[test]
    fn every_error_has_the_headers_that_are_described_for_its_status_and_no_other() {
        let codes = [
            ErrorCode::BadRequest,
            ErrorCode::NotAuthenticated,
            ErrorCode::BadAuthtoken,
            ErrorCode::NotPermitted,
            ErrorCode::NotFound,
            ErrorCode::InvalidAction,
            ErrorCode::NotImplemented,
            ErrorCode::Unexpected,
            ErrorCode::Unknown,
        ];
        let body = |code| ErrorBody::new(code, "no".to_owned());
        let mut replies: Vec<Any> = codes.into_iter().map(|code| Reply::error(&body(code))).collect();
        replies.push(Reply::limited(&body(ErrorCode::BadRequest), 7));
        for reply in replies {
            let status = HttpResponse::status_code(&reply);
            let headers = reply.to_result().unwrap().headers().clone();
            let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
            let mut described: Vec<_> =
                super::headers(status).iter().map(|(name, _)| name.to_lowercase()).collect();
            // dropshot sets the one after the handler; the other is the media type.
            described.retain(|name| name != "x-request-id");
            names.retain(|name| *name != "content-type");
            names.sort_unstable();
            described.sort_unstable();
            assert_eq!(names, described, "{status}");
            for (name, schema) in super::headers(status) {
                let allowed = schema["enum"].as_array();
                let value = headers.get(name).map(|value| json!(value.to_str().unwrap()));
                assert!(
                    allowed.is_none_or(|allowed| allowed.contains(&value.unwrap())),
                    "{name} of {status}"
                );
            }
        }
    }
}
