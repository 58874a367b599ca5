//! Extractors that never fail: what cannot be read is told by the handler, with the right code and headers, once it knows
//! the caller. dropshot's own call every fault a bad request and answer it without our headers.

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

use crate::redact::without_tokens;
use crate::reply::status_of;
use crate::types::{ErrorBody, ErrorCode};

/// The greatest request body in bytes. The longest valid one escapes each of its 1,024 + 200 characters
/// as a surrogate pair, twelve bytes each, beside less than 1 KiB of IDs: below 16 KiB.
pub const REQUEST_BODY_MAX_BYTES: usize = 16 * 1024;

/// How much of a body that is too long is read and dropped, in bytes, so that its sender comes to read the
/// answer; a longer one finds the connection closed.
const DISCARD_MAX_BYTES: usize = 4 * 1024 * 1024;

/// The greatest length of a message in characters: it may repeat a part of what the caller sent.
const MESSAGE_MAX_CHARS: usize = 400;

/// A message as a caller may see it: not long, and without a token that was put into a wrong place.
fn shown(message: &str) -> String {
    let message = without_tokens(message.as_bytes());
    String::from_utf8_lossy(&message).chars().take(MESSAGE_MAX_CHARS).collect()
}

/// Why a request cannot be read: what the caller is told, with which status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The answer's body.
    pub body: ErrorBody,
    /// The answer's status, which may say more than the code.
    pub status: StatusCode,
}

impl Unreadable {
    fn new(status: StatusCode, code: ErrorCode, message: &str) -> Self {
        Self { body: ErrorBody::new(code, shown(message)), status }
    }
}

impl From<ErrorBody> for Unreadable {
    fn from(body: ErrorBody) -> Self {
        Self { status: status_of(body.code), body }
    }
}

/// Path parameters, received but not judged, as a [`JsonBody`] is.
#[derive(Debug)]
pub struct PathParams<T>(Result<T, Unreadable>);

impl<T: Copy> PathParams<T> {
    /// The parameters; a bad one is an `invalid_value`. A path parameter is never missing: without it, the path is
    /// another one.
    pub fn read(&self) -> Result<T, Unreadable> {
        self.0.clone()
    }
}

#[cfg(feature = "seeded-faults")]
impl<T> PathParams<T> {
    /// The parameters after a change to them.
    #[must_use]
    pub fn changed(self, change: impl FnOnce(Result<T, Unreadable>) -> Result<T, Unreadable>) -> Self {
        Self(change(self.0))
    }
}

#[cfg(feature = "seeded-faults")]
impl<T> PageParams<T> {
    /// The query after a change to it.
    #[must_use]
    pub fn changed(self, change: impl FnOnce(String) -> String) -> Self {
        Self { query: change(self.query), ..self }
    }
}

#[cfg(feature = "seeded-faults")]
impl<T> JsonBody<T> {
    /// The body after a change to what was received.
    #[must_use]
    pub fn changed(
        self,
        change: impl FnOnce(Result<Vec<u8>, Unreadable>) -> Result<Vec<u8>, Unreadable>,
    ) -> Self {
        let received = change(self.received.map(|bytes| bytes.to_vec()));
        Self { received: received.map(Bytes::from), ..self }
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
            // dropshot does not say which one it was; the paths of the contract have at most one.
            let names: Vec<&str> = rqctx.endpoint.variables.keys().map(String::as_str).collect();
            let what = error.external_message;
            let what = what.strip_prefix("bad parameter in URL path: ").unwrap_or(&what);
            let message = format!("{}: {what}", names.join(", "));
            Unreadable::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidValue, &message)
        })))
    }

    fn metadata(content_type: ApiEndpointBodyContentType) -> ExtractorMetadata {
        <Path<T> as SharedExtractor>::metadata(content_type)
    }
}

/// The query of a list that is answered in pages, received but not read, as a [`JsonBody`] is.
#[derive(Debug)]
pub struct PageParams<T> {
    query: String,
    described: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> PageParams<T> {
    /// Reads the query. Fails with `invalid_value` if a parameter is unknown, comes twice or is not allowed; the
    /// message names it.
    pub fn read(&self) -> Result<T, Unreadable> {
        let pairs = form_urlencoded::parse(self.query.as_bytes());
        serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs)).map_err(|error| {
            value_fault("query", &error.path().to_string(), &error.inner().to_string()).into()
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
        // From it, the generated client knows that it can page by itself.
        let extension_mode = ExtensionMode::Paginated(serde_json::json!({ "required": [] }));
        ExtractorMetadata { extension_mode, ..metadata }
    }
}

/// A JSON body that has been received but not judged: a handler reads it once it knows the caller, so that one without
/// credentials is told that, and nothing of the body.
pub struct JsonBody<T> {
    received: Result<Bytes, Unreadable>,
    body: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for JsonBody<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.received {
            Ok(bytes) => write!(f, "JsonBody({} bytes)", bytes.len()),
            Err(unreadable) => write!(f, "JsonBody({})", unreadable.status),
        }
    }
}

impl<T: DeserializeOwned> JsonBody<T> {
    /// Reads the body. Fails with `bad_request` if it is too long, not declared as JSON or not JSON, `required_value`
    /// if a property is missing and `invalid_value` if one is not allowed; the message names the property.
    pub fn read(&self) -> Result<T, Unreadable> {
        let bytes = self.received.as_ref().map_err(Clone::clone)?;
        // On its own, for serde_json reports some values of a wrong type as faults of syntax.
        serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| {
            let message = format!("the body is not JSON: {error}");
            Unreadable::new(StatusCode::BAD_REQUEST, ErrorCode::BadRequest, &message)
        })?;
        located::<NoList>(bytes)?;
        located(bytes)
    }
}

/// Reads a value; a fault names its place.
fn located<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut json)
        .map_err(|error| value_fault("body", &error.path().to_string(), &error.inner().to_string()).into())
}

/// Any JSON without a list in it: no body of the contract has one, and serde would take a list for an object whose
/// properties are named by their order.
struct NoList;

impl<'de> Deserialize<'de> for NoList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for NoList {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a single value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<String, Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
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

/// `whole` names what was read, for a fault that is not of one property.
fn value_fault(whole: &str, path: &str, text: &str) -> ErrorBody {
    // serde_json adds the place in the text, which means nothing to who sent an object.
    let what = text.rsplit_once(" at line ").map_or(text, |(what, _)| what);
    // The wording is serde's, in `serde::de::Error::missing_field`; a test would notice another.
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

/// The bytes of a body that may be JSON. Reads all of one that is refused, within bounds, so that its sender comes to
/// read the answer.
async fn receive(request: hyper::Request<dropshot::Body>) -> Result<Bytes, Unreadable> {
    let unreadable = |status, message: &str| Err(Unreadable::new(status, ErrorCode::BadRequest, message));
    let (parts, mut body) = request.into_parts();
    let mut received = 0;
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let data = match frame.map(hyper::body::Frame::into_data) {
            Ok(Ok(data)) => data,
            Ok(Err(_)) => continue,
            Err(error) => {
                return unreadable(StatusCode::BAD_REQUEST, &format!("the body broke off: {error}"));
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
        return unreadable(
            StatusCode::PAYLOAD_TOO_LARGE,
            &format!(
                "the body is longer than {REQUEST_BODY_MAX_BYTES} bytes; send only the properties of the contract"
            ),
        );
    }
    let content_type = parts.headers.get(CONTENT_TYPE).map_or("", |value| value.to_str().unwrap_or(""));
    let media_type = content_type.split(';').next().unwrap_or("").trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return unreadable(
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
    fn each_fault_of_a_body_has_its_code_and_names_its_place() {
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
            (r#"{"session_type":"api","title":null}"#, InvalidValue, "title"),
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
    fn a_message_does_not_repeat_a_long_value() {
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
