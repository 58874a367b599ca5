//! The extension fields that have a meaning: in which objects, in which form, and what they declare.

use serde_json::Value;
use time::Date;
use time::format_description::well_known::Iso8601;

use crate::fields::Object;

/// An extension field that a comparison knows.
#[derive(Clone, Copy, Debug)]
pub struct Extension {
    /// Its name.
    pub name: &'static str,
    /// The object that has it; `None` for every object that can be `deprecated`.
    pub object: Option<Object>,
    /// The form of its value, as the end of a sentence.
    pub form: &'static str,
}

/// The scope that an API key needs for an operation.
pub const REQUIRED_SCOPE: &str = "x-required-scope";
/// The scopes that an API key needs in addition, by the properties of the request body that require them.
pub const REQUIRED_SCOPE_FOR: &str = "x-required-scope-for";
/// Whether an operation accepts a session token, for sessions other than its own, only once its session is authenticated.
pub const REQUIRES_AUTHENTICATED_SESSION: &str = "x-requires-authenticated-session";
/// The largest request body that is accepted, in bytes.
pub const MAX_BODY_BYTES: &str = "x-max-body-bytes";
/// The values of `code` that the error body of a response may have.
pub const ERROR_CODES: &str = "x-error-codes";
/// The day from which a deprecated operation, parameter, header or property may be absent.
pub const SUNSET: &str = "x-sunset";

/// Every extension that a comparison knows. Others are compared as what generators may read.
pub const EXTENSIONS: &[Extension] = &[
    extension(REQUIRED_SCOPE, Some(Object::Operation), "a non-empty string"),
    extension(REQUIRED_SCOPE_FOR, Some(Object::Operation), "a non-empty object of non-empty strings"),
    extension(REQUIRES_AUTHENTICATED_SESSION, Some(Object::Operation), "true or false"),
    extension(MAX_BODY_BYTES, Some(Object::RequestBody), "a whole number above 0"),
    extension(ERROR_CODES, Some(Object::Response), "a non-empty list of different non-empty strings"),
    extension(SUNSET, None, "a date such as \"2026-12-31\", alone or with a time"),
];

const fn extension(name: &'static str, object: Option<Object>, form: &'static str) -> Extension {
    Extension { name, object, form }
}

impl Extension {
    /// Whether an object may have it.
    pub fn belongs_to(&self, object: Object) -> bool {
        let deprecable =
            matches!(object, Object::Operation | Object::Parameter | Object::Header | Object::Schema);
        self.object.map_or(deprecable, |owner| owner == object)
    }
}

/// Whether a value has the form that an extension requires.
pub fn is_valid(extension: &Extension, value: &Value) -> bool {
    let text = |value: &Value| value.as_str().is_some_and(|text| !text.trim().is_empty());
    match extension.name {
        REQUIRED_SCOPE => text(value),
        REQUIRED_SCOPE_FOR => {
            value.as_object().is_some_and(|scopes| !scopes.is_empty() && scopes.values().all(text))
        }
        REQUIRES_AUTHENTICATED_SESSION => value.is_boolean(),
        MAX_BODY_BYTES => value.as_u64().is_some_and(|bytes| bytes > 0),
        ERROR_CODES => value.as_array().is_some_and(|codes| {
            let different = |(index, code)| !codes.iter().take(index).any(|other| other == code);
            !codes.is_empty() && codes.iter().all(text) && codes.iter().enumerate().all(different)
        }),
        SUNSET => value.as_str().is_some_and(|text| date(text).is_some()),
        _ => true,
    }
}

/// The date that a text begins with: `2026-12-31`, alone or followed by a time (RFC 3339).
pub fn date(text: &str) -> Option<Date> {
    let day = text.split(['T', 't', ' ']).next().unwrap_or_default();
    // ISO 8601 also has dates without hyphens, with weeks and with ordinals.
    Date::parse(day, &Iso8601::DATE).ok().filter(|date| date.to_string() == day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_rfc_3339() {
        let day = |text: &str| date(text).map(|date| date.to_string());
        for text in ["1970-01-01", "2000-02-29", "2026-12-31"] {
            assert_eq!(day(text).as_deref(), Some(text));
        }
        assert!(date("2026-01-31") < date("2026-02-01T00:00:00Z"));
        for text in [
            "",
            "2026",
            "2026-13-01",
            "2026-02-29",
            "26-01-01",
            "2026-1-1",
            "2026-01-00",
            "+026-01-01",
            "20260101",
            "2026-W05-1",
        ] {
            assert_eq!(date(text), None, "{text}");
        }
    }
}
