//! Keys by which a caller marks a request that it may send again.

use std::ops::RangeInclusive;

use schemars::JsonSchema;
use schemars::r#gen::SchemaGenerator;
use schemars::schema::Schema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// The greatest length of a key, in characters. A UUID has 36; the bound leaves room for a caller that puts names together.
pub const IDEMPOTENCY_KEY_MAX_CHARS: usize = 255;

/// The characters of a key: those that every proxy passes on as they are.
const ALLOWED: RangeInclusive<u8> = b'!'..=b'~';

/// A key of a request, chosen by its caller. It is not a secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IdempotencyKey(String);

/// The text is no key. The text itself is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it must have 1 to {IDEMPOTENCY_KEY_MAX_CHARS} characters from ! to ~ in ASCII; use a new UUID for each request"
)]
pub struct InvalidIdempotencyKey;

impl IdempotencyKey {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for IdempotencyKey {
    type Error = InvalidIdempotencyKey;

    fn try_from(text: String) -> Result<Self, InvalidIdempotencyKey> {
        let is_valid = (1..=IDEMPOTENCY_KEY_MAX_CHARS).contains(&text.len())
            && text.bytes().all(|byte| ALLOWED.contains(&byte));
        if is_valid { Ok(Self(text)) } else { Err(InvalidIdempotencyKey) }
    }
}

impl From<IdempotencyKey> for String {
    fn from(key: IdempotencyKey) -> Self {
        key.0
    }
}

impl JsonSchema for IdempotencyKey {
    fn schema_name() -> String {
        "Idempotency_Key".to_owned()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema::string(
            "A key of a request that may be sent again",
            (1, IDEMPOTENCY_KEY_MAX_CHARS),
            "^[!-~]*$",
            "64ac4f0c-4bf5-4f9f-b9c5-5b1d4a2f6c3e",
        )
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_ascii_of_bounded_length() {
        let is_key = |text: String| IdempotencyKey::try_from(text).is_ok();
        assert!(is_key("64ac4f0c-4bf5-4f9f-b9c5-5b1d4a2f6c3e".to_owned()));
        assert!(is_key("\"quoted\"".to_owned()));
        assert!(is_key(('!'..='~').collect()));
        assert!(is_key("k".repeat(IDEMPOTENCY_KEY_MAX_CHARS)));
        assert!(!is_key("k".repeat(IDEMPOTENCY_KEY_MAX_CHARS + 1)));
        for text in ["", " ", "a b", "a\tb", "a\u{7f}", "é", "a\n"] {
            assert!(!is_key(text.to_owned()), "{text:?}");
        }
    }
}
