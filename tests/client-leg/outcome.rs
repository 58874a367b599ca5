//! How a call of the client ended.

use std::fmt::Debug;

use hyper::HeaderMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use session_client::{RawError, ResponseValue, types};

/// A response as the client read it, serialized again.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    /// The value itself, for its debug output.
    pub(crate) value: Box<dyn Debug + Send>,
}

/// Where and why a body cannot be read.
#[derive(Debug)]
pub(crate) struct Unreadable {
    /// The path in the body, as far as the decoder reports it.
    pub(crate) path: Vec<String>,
    pub(crate) message: String,
}

/// How a call ended.
#[derive(Debug)]
pub(crate) enum End {
    /// With a value.
    Success(Read),
    /// With the typed error, and the client's own error made from it.
    Refused(Read, session_client::Error),
    /// With a response that the client refuses, and its message.
    Unexpected(String),
    /// Before anything was sent.
    NotSent(String),
    /// Without a complete response.
    NoAnswer(String),
}

/// How a call ended, and how the client's types read a body.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) end: End,
    /// Where the type of the value fails on a body.
    pub(crate) unreadable: fn(&[u8]) -> Option<Unreadable>,
}

impl Outcome {
    pub(crate) fn of<T>(result: Result<ResponseValue<T>, RawError>) -> Self
    where
        T: Clone + Debug + Send + Serialize + DeserializeOwned + 'static,
    {
        let end = match result {
            Ok(value) => read(&value).map_or_else(End::Unexpected, End::Success),
            Err(RawError::ErrorResponse(value)) => match read(&value) {
                Ok(read) => End::Refused(read, RawError::ErrorResponse(value).into()),
                Err(reason) => End::Unexpected(reason),
            },
            Err(error) => match session_client::Error::from(error) {
                session_client::Error::InvalidRequest(reason) => End::NotSent(reason),
                session_client::Error::UnexpectedResponse(reason) => End::Unexpected(reason),
                other => End::NoAnswer(other.to_string()),
            },
        };
        Self { end, unreadable: unreadable::<T> }
    }
}

fn read<T: Clone + Debug + Send + Serialize + 'static>(value: &ResponseValue<T>) -> Result<Read, String> {
    let body = serde_json::to_value(value.as_ref()).map_err(|error| error.to_string())?;
    let headers = value.headers().clone();
    Ok(Read { status: value.status().as_u16(), headers, body, value: Box::new(value.as_ref().clone()) })
}

/// Where a type fails on a body; `None` where it does not.
fn unreadable<T: DeserializeOwned>(body: &[u8]) -> Option<Unreadable> {
    let error = serde_path_to_error::deserialize::<_, T>(&mut serde_json::Deserializer::from_slice(body));
    let error = error.err()?;
    let path = error.path().iter().filter_map(|segment| match segment {
        serde_path_to_error::Segment::Map { key } => Some(key.clone()),
        serde_path_to_error::Segment::Seq { index } => Some(index.to_string()),
        _ => None,
    });
    let path = path.collect();
    let message = error.inner().to_string();
    // The path is the place; the position in the text adds nothing.
    let message = message.split(" at line ").next().unwrap_or_default().to_owned();
    Some(Unreadable { path, message })
}

/// Where the type of errors fails on a body.
pub(crate) fn unreadable_error(body: &[u8]) -> Option<Unreadable> {
    unreadable::<types::Error>(body)
}

/// The values that an enum of the client has, from serde's message about an unknown one.
pub(crate) fn known_values(message: &str) -> Vec<String> {
    let Some((_, known)) = message.split_once(", expected ") else { return Vec::new() };
    known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enum_names_the_values_that_it_knows() {
        let refused =
            unreadable::<types::SessionAvailableActions>(br#"{"revoke": 1}"#).expect("it is no boolean");
        assert_eq!(refused.path, ["revoke"]);
        let message =
            serde_json::from_str::<types::SessionType>("\"asleep\"").map(drop).unwrap_err().to_string();
        assert_eq!(known_values(&message), ["browser", "api"]);
        let message =
            serde_json::from_str::<types::SessionSummaryType>("\"x\"").map(drop).unwrap_err().to_string();
        assert_eq!(known_values(&message), ["session"]);
    }
}
