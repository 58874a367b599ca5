//! Texts from callers: bounded, and without characters that could forge a log line.

use std::fmt;

use schemars::JsonSchema;
use schemars::r#gen::SchemaGenerator;
use schemars::schema::Schema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// The greatest length of a user agent, in characters. Browsers send about 100 to 300; the bound leaves
/// room for embedded ones and keeps the two that a session holds within one database page.
pub const USER_AGENT_MAX_CHARS: usize = 1_024;

/// The greatest length of a title, in characters: one line in a list of sessions.
pub const TITLE_MAX_CHARS: usize = 200;

/// Control characters forge lines in logs and terminals, and PostgreSQL cannot store U+0000.
const TEXT_PATTERN: &str = "^[^\\x00-\\x1f\\x7f]*$";

/// The text is not allowed. The text itself is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it must have 1 to {max_chars} characters, none of them a control character")]
pub struct InvalidText {
    max_chars: usize,
}

fn checked(text: String, max_chars: usize) -> Result<String, InvalidText> {
    let printable = |character: char| !character.is_ascii_control();
    if text.is_empty() || text.chars().count() > max_chars || !text.chars().all(printable) {
        return Err(InvalidText { max_chars });
    }
    Ok(text)
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident = $schema:literal, $description:literal, $max:ident, $example:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidText;

            fn try_from(text: String) -> Result<Self, InvalidText> {
                checked(text, $max).map(Self)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> String {
                $schema.to_owned()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                schema::string($description, (1, $max), TEXT_PATTERN, $example).into()
            }
        }
    )*};
}

texts! {
    /// The `User-Agent` of a browser or program.
    UserAgent = "UserAgent", "User-Agent string", USER_AGENT_MAX_CHARS,
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) \
         Chrome/91.0.4472.114 Safari/537.36";
    /// A name of a session for people.
    Title = "Session_Title", "A name for people", TITLE_MAX_CHARS, "Chrome 91 on macOS";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_counted_in_characters_and_bounded_on_both_sides() {
        let agent = |text: String| UserAgent::try_from(text).is_ok();
        assert!(!agent(String::new()));
        assert!(agent("é".to_owned()));
        assert!(agent("é".repeat(USER_AGENT_MAX_CHARS)));
        assert!(!agent("é".repeat(USER_AGENT_MAX_CHARS + 1)));
        assert!(Title::try_from("t".repeat(TITLE_MAX_CHARS)).is_ok());
        assert!(Title::try_from("t".repeat(TITLE_MAX_CHARS + 1)).is_err());
    }

    #[test]
    fn control_characters_are_refused() {
        for text in ["a\0b", "a\nb", "\u{1b}[31m", "\u{7f}"] {
            assert!(Title::try_from(text.to_owned()).is_err(), "{text:?}");
        }
    }
}
