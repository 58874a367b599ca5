//! Extractors that never fail: a handler reports what cannot be read, with the right code and headers, once the caller is
//! known. dropshot's own extractors return their errors before that, without our headers.

use std::fmt;
use std::marker::PhantomData;

use async_trait::async_trait;
use dropshot::{
    ApiEndpointBodyContentType, ExclusiveExtractor, ExtensionMode, ExtractorMetadata, Header, HttpError,
    Path, Query, RequestContext, ServerContext, SharedExtractor, TypedBody,
};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use schemars::JsonSchema;
use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use session_types::{ErrorCode, IdempotencyKey};

use crate::body::UnreadBody;
use crate::request_error::{RequestError, shown};
use crate::types::{ErrorBody, RepeatableHeaders};

/// Path parameters, received but not validated yet.
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

/// The query of a paged list, received but not validated yet.
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

/// The name of the header with the key of a request that may be repeated.
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// The headers of an operation that its caller may repeat, received but not validated yet. dropshot's own extractor takes the
/// last of several headers, and refuses a request for any header that is not ASCII.
pub struct RepeatableParams(Vec<HeaderValue>);

impl RepeatableParams {
    /// Parses the key of the request; `None` if it has none. Fails with `invalid_value` if there are several or it is not
    /// allowed.
    pub fn read(&self) -> Result<Option<IdempotencyKey>, RequestError> {
        let parsed = match &self.0[..] {
            [] => return Ok(None),
            [value] => {
                let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
                IdempotencyKey::try_from(text).map_err(|error| error.to_string())
            }
            _ => Err("the request has more than one; send one".to_owned()),
        };
        parsed.map(Some).map_err(|what| {
            ErrorBody::new(ErrorCode::InvalidValue, format!("{IDEMPOTENCY_KEY}: {what}")).into()
        })
    }
}

#[async_trait]
impl SharedExtractor for RepeatableParams {
    async fn from_request<C: ServerContext>(rqctx: &RequestContext<C>) -> Result<Self, HttpError> {
        Ok(Self(rqctx.request.headers().get_all(IDEMPOTENCY_KEY).iter().cloned().collect()))
    }

    fn metadata(content_type: ApiEndpointBodyContentType) -> ExtractorMetadata {
        <Header<RepeatableHeaders> as SharedExtractor>::metadata(content_type)
    }
}

/// A JSON body that has not been received: a handler reads it once the caller is known, so that a caller without
/// credentials learns nothing about the body, and does not make the server wait for it.
pub struct JsonBody<T> {
    content_type: Option<HeaderValue>,
    body: UnreadBody,
    described: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> JsonBody<T> {
    /// Receives and parses the body. Fails with `bad_request` if it is too long, breaks off, or is not declared as JSON or
    /// not JSON, with `required_value` if a property is missing and with `invalid_value` if one is not allowed; the message
    /// names the property. Waits for as long as the sender takes.
    pub async fn read(self) -> Result<T, RequestError> {
        let bytes = self.body.receive().await?;
        let content_type =
            self.content_type.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/json") {
            return Err(RequestError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                ErrorCode::BadRequest,
                "the body must be JSON; send it with `Content-Type: application/json`",
            ));
        }
        parse(&bytes)
    }
}

/// Parses a body.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RequestError> {
    // Separately, because serde_json reports some values of a wrong type as syntax errors.
    serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| {
        let message = format!("the body is not JSON: {error}");
        RequestError::new(StatusCode::BAD_REQUEST, ErrorCode::BadRequest, &message)
    })?;
    deserialize::<NoListOrNull>(bytes)?;
    deserialize(bytes)
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
        let content_type = request.headers().get(CONTENT_TYPE).cloned();
        Ok(Self { content_type, body: UnreadBody::of(request), described: PhantomData })
    }

    fn metadata(content_type: ApiEndpointBodyContentType) -> ExtractorMetadata {
        <TypedBody<T> as ExclusiveExtractor>::metadata(content_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::REQUEST_BODY_MAX_BYTES;
    use crate::request_error::MESSAGE_MAX_CHARS;
    use crate::types::SessionCreate;

    fn read(text: &str) -> Result<SessionCreate, (ErrorCode, String)> {
        parse(text.as_bytes()).map_err(|error| (error.body.code, error.body.message))
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
