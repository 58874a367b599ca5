//! Extractors that never fail: a handler reports what cannot be read, with the right code and headers, once the caller is
//! known. dropshot's own extractors return their errors before that, without our headers.

use std::fmt;
use std::marker::PhantomData;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use dropshot::{
    ApiEndpointBodyContentType, ExclusiveExtractor, ExtensionMode, ExtractorMetadata, HttpError, Path, Query,
    RequestContext, ServerContext, SharedExtractor, TypedBody,
};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use schemars::JsonSchema;
use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use session_types::{ErrorCode, without_tokens};

use crate::reply::status_of;
use crate::types::ErrorBody;

/// The greatest request body in bytes. The longest valid one escapes each of its 1,024 + 200 characters
/// as a surrogate pair, twelve bytes each, beside less than 1 KiB of IDs: below 16 KiB.
pub const REQUEST_BODY_MAX_BYTES: usize = 16 * 1024;

/// How many bytes of a body that is too long are read and discarded, so that its sender gets to read the response. The
/// connection of a sender of more is closed.
const DISCARD_MAX_BYTES: usize = 4 * 1024 * 1024;

/// The greatest length of an error message in characters: it may repeat a part of the request.
const MESSAGE_MAX_CHARS: usize = 400;

/// The message as a caller may see it: bounded, and without a token that was put into a wrong place.
fn shown(message: &str) -> String {
    let message = without_tokens(message.as_bytes());
    String::from_utf8_lossy(&message).chars().take(MESSAGE_MAX_CHARS).collect()
}

/// The request cannot be read: the error to return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestError {
    /// The body of the response.
    pub body: ErrorBody,
    /// The status of the response, which may say more than the code.
    pub status: StatusCode,
}

impl RequestError {
    fn new(status: StatusCode, code: ErrorCode, message: &str) -> Self {
        Self { body: ErrorBody::new(code, shown(message)), status }
    }
}

impl From<ErrorBody> for RequestError {
    fn from(body: ErrorBody) -> Self {
        Self { status: status_of(body.code), body }
    }
}

/// Path parameters, received but not validated yet, as a [`JsonBody`] is.
pub struct PathParams<T>(Result<T, RequestError>);

impl<T: Copy> PathParams<T> {
    /// Parses the parameters. Fails with `invalid_value`; a path parameter is never missing, as the path would be another.
    pub fn read(&self) -> Result<T, RequestError> {
        self.0.clone()
    }
}

#[async_trait]
impl<T> SharedExtractor for PathParams<T>
where
    T: DeserializeOwned + JsonSchema + Send + Sync + 'static,
{
    async fn from_request<C: ServerContext>(rqctx: &RequestContext<C>) -> Result<Self, HttpError> {
        let read = <Path<T> as SharedExtractor>::from_request(rqctx).await;
        Ok(Self(read.map(Path::into_inner).map_err(|error| {
            // dropshot does not name the parameter; the paths of the contract have at most one.
            let names: Vec<&str> = rqctx.endpoint.variables.keys().map(String::as_str).collect();
            let what = error.external_message;
            let what = what.strip_prefix("bad parameter in URL path: ").unwrap_or(&what);
            let message = format!("{}: {what}", names.join(", "));
            RequestError::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidValue, &message)
        })))
    }

    fn metadata(content_type: ApiEndpointBodyContentType) -> ExtractorMetadata {
        <Path<T> as SharedExtractor>::metadata(content_type)
    }
}

/// The query of a paged list, received but not validated yet, as a [`JsonBody`] is.
pub struct PageParams<T> {
    query: String,
    described: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> PageParams<T> {
    /// Parses the query. Fails with `invalid_value` if a parameter is unknown, duplicate or not allowed; the message
    /// names it.
    pub fn read(&self) -> Result<T, RequestError> {
        let pairs = form_urlencoded::parse(self.query.as_bytes());
        serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs)).map_err(|error| {
            value_error("query", &error.path().to_string(), &error.inner().to_string()).into()
        })
    }
}

#[async_trait]
impl<T> SharedExtractor for PageParams<T>
where
    T: DeserializeOwned + JsonSchema + Send + Sync + 'static,
{
    async fn from_request<C: ServerContext>(rqctx: &RequestContext<C>) -> Result<Self, HttpError> {
        let query = rqctx.request.uri().query().unwrap_or_default().to_owned();
        Ok(Self { query, described: PhantomData })
    }

    fn metadata(content_type: ApiEndpointBodyContentType) -> ExtractorMetadata {
        let metadata = <Query<T> as SharedExtractor>::metadata(content_type);
        // From this the generated client gets its stream of all pages.
        let extension_mode = ExtensionMode::Paginated(serde_json::json!({ "required": [] }));
        ExtractorMetadata { extension_mode, ..metadata }
    }
}

/// A JSON body that has been received but not validated: a handler reads it once the caller is known, so that a caller
/// without credentials learns nothing about the body.
pub struct JsonBody<T> {
    received: Result<Bytes, RequestError>,
    body: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> JsonBody<T> {
    /// Parses the body. Fails with `bad_request` if it is too long, not declared as JSON or not JSON, with
    /// `required_value` if a property is missing and with `invalid_value` if one is not allowed; the message names the
    /// property.
    pub fn read(&self) -> Result<T, RequestError> {
        let bytes = self.received.as_ref().map_err(Clone::clone)?;
        // Separately, because serde_json reports some values of a wrong type as syntax errors.
        serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| {
            let message = format!("the body is not JSON: {error}");
            RequestError::new(StatusCode::BAD_REQUEST, ErrorCode::BadRequest, &message)
        })?;
        deserialize::<NoListOrNull>(bytes)?;
        deserialize(bytes)
    }
}

/// Deserializes a value; the error names the property.
fn deserialize<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RequestError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut json)
        .map_err(|error| value_error("body", &error.path().to_string(), &error.inner().to_string()).into())
}

/// Any JSON without a list or a `null` in it, as no body of the contract has one. serde would take a list for an object
/// whose properties are in order, and a `null` for a property that is absent.
struct NoListOrNull;

impl<'de> Deserialize<'de> for NoListOrNull {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for NoListOrNull {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a single value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<String, Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self, E> {
        Err(E::custom("null is not allowed; leave the property out"))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }
}

/// The error of a value. `whole` names what was parsed, for an error that concerns no single property.
fn value_error(whole: &str, path: &str, text: &str) -> ErrorBody {
    // serde_json appends the line and column, which mean nothing to a caller that sent an object.
    let what = text.rsplit_once(" at line ").map_or(text, |(what, _)| what);
    // serde's wording, in `serde::de::Error::missing_field`; a test fails if it changes.
    let missing = what.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    let (code, message) = match (missing, path) {
        (Some(field), ".") => {
            (ErrorCode::RequiredValue, format!("{field}: it is required; add it to the body"))
        }
        (Some(field), _) => {
            (ErrorCode::RequiredValue, format!("{path}.{field}: it is required; add it to the body"))
        }
        (None, ".") => (ErrorCode::InvalidValue, format!("{whole}: {what}")),
        (None, _) => (ErrorCode::InvalidValue, format!("{path}: {what}")),
    };
    ErrorBody::new(code, shown(&message))
}

#[async_trait]
impl<T> ExclusiveExtractor for JsonBody<T>
where
    T: DeserializeOwned + JsonSchema + Send + Sync + 'static,
{
    async fn from_request<C: ServerContext>(
        _: &RequestContext<C>,
        request: hyper::Request<dropshot::Body>,
    ) -> Result<Self, HttpError> {
        Ok(Self { received: receive(request).await, body: PhantomData })
    }

    fn metadata(content_type: ApiEndpointBodyContentType) -> ExtractorMetadata {
        <TypedBody<T> as ExclusiveExtractor>::metadata(content_type)
    }
}

/// Receives a body that is declared as JSON and within the limit. Reads the rest of one that is refused, up to a bound, so
/// that its sender gets to read the response.
async fn receive(request: hyper::Request<dropshot::Body>) -> Result<Bytes, RequestError> {
    let refuse = |status, message: &str| Err(RequestError::new(status, ErrorCode::BadRequest, message));
    let (parts, mut body) = request.into_parts();
    let mut received = 0;
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let data = match frame.map(hyper::body::Frame::into_data) {
            Ok(Ok(data)) => data,
            Ok(Err(_)) => continue,
            Err(error) => {
                return refuse(StatusCode::BAD_REQUEST, &format!("the body broke off: {error}"));
            }
        };
        received += data.len();
        if received <= REQUEST_BODY_MAX_BYTES {
            bytes.extend_from_slice(&data);
        } else if received > DISCARD_MAX_BYTES {
            break;
        }
    }
    if received > REQUEST_BODY_MAX_BYTES {
        return refuse(
            StatusCode::PAYLOAD_TOO_LARGE,
            &format!(
                "the body is longer than {REQUEST_BODY_MAX_BYTES} bytes; send only the properties of the contract"
            ),
        );
    }
    let content_type = parts.headers.get(CONTENT_TYPE).map_or("", |value| value.to_str().unwrap_or(""));
    let media_type = content_type.split(';').next().unwrap_or("").trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return refuse(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body must be JSON; send it with `Content-Type: application/json`",
        );
    }
    Ok(bytes.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::SessionCreate;

    fn read(text: &str) -> Result<SessionCreate, (ErrorCode, String)> {
        let received = Ok(Bytes::copy_from_slice(text.as_bytes()));
        let body = JsonBody { received, body: PhantomData };
        body.read().map_err(|error| (error.body.code, error.body.message))
    }

    #[test]
    fn each_error_of_a_body_has_its_code_and_names_the_property() {
        use ErrorCode::{BadRequest, InvalidValue, RequiredValue};
        let table = [
            ("", BadRequest, "not JSON"),
            ("{", BadRequest, "not JSON"),
            (r#"{"session_type":"api"} x"#, BadRequest, "not JSON"),
            ("{}", RequiredValue, "session_type"),
            ("[]", InvalidValue, "body"),
            ("7", InvalidValue, "body"),
            (r#"{"session_type":"tv"}"#, InvalidValue, "session_type"),
            (r#"{"session_type":null}"#, InvalidValue, "session_type"),
            (r#"{"session_type":"api","session_type":"api"}"#, InvalidValue, "session_type"),
            (r#"{"session_type":"api","title":null}"#, InvalidValue, "title: null is not allowed"),
            (r#"{"session_type":"api","title":""}"#, InvalidValue, "title"),
            (r#"{"session_type":"api","colour":1}"#, InvalidValue, "colour"),
            (r#"{"session_type":"api","pool_id":"x"}"#, InvalidValue, "pool_id"),
            (
                r#"{"session_type":"api","interaction":{"remote_ip":"1.2.3"}}"#,
                InvalidValue,
                "interaction.remote_ip",
            ),
            (r#"{"session_type":"api","interaction":{"at":1}}"#, InvalidValue, "interaction.at"),
            (r#"{"session_type":"api","interaction":[]}"#, InvalidValue, "interaction"),
            (r#"{"session_type":"api","interaction":["127.0.0.1"]}"#, InvalidValue, "interaction"),
            (
                r#"{"session_type":"api","interaction":{"user_agent":[]}}"#,
                InvalidValue,
                "interaction.user_agent",
            ),
        ];
        for (text, code, place) in table {
            let (got, message) = read(text).unwrap_err();
            assert_eq!(got, code, "{text}: {message}");
            assert!(message.contains(place), "{text}: {message}");
        }
    }

    #[test]
    fn a_message_is_bounded_whatever_the_value() {
        let (_, message) = read(&format!(r#"{{"session_type":"{}"}}"#, "x".repeat(10_000))).unwrap_err();
        assert!(message.chars().count() <= MESSAGE_MAX_CHARS);
    }

    #[test]
    fn the_longest_valid_body_fits_the_limit() {
        let astral = "\\ud83d\\ude00";
        let id = "013xrzp12g3nqk8nkv4y96wrbzje9dsr";
        let text = format!(
            r#"{{"session_type":"browser","account_id":"{id}","authenticated_identity_id":"{id}","device_id":"{id}","pool_id":"{id}","title":"{}","interaction":{{"remote_ip":"2001:db8:1111:2222:3333:4444:5555:6666","user_agent":"{}"}}}}"#,
            astral.repeat(200),
            astral.repeat(1_024),
        );
        assert!(read(&text).is_ok());
        assert!(text.len() < REQUEST_BODY_MAX_BYTES);
    }
}
