//! Texts from callers: bounded, and without characters that could forge a log line.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

use schemars::JsonSchema;
use schemars::r#gen::SchemaGenerator;
use schemars::schema::Schema;
use serde::{Deserialize, Serialize};

use crate::redact::without_tokens;
use crate::schema;

/// The greatest length of a user agent, in characters. Browsers send about 100 to 300; the bound leaves
/// room for embedded ones and keeps the two that a session holds within one database page.
pub const USER_AGENT_MAX_CHARS: usize = 1_024;

/// The greatest length of a title, in characters: one line in a list of sessions.
pub const TITLE_MAX_CHARS: usize = 200;

/// What replaces a character of a stored text that is no longer allowed.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// The characters that no text contains: control characters (C0, DEL, C1), which forge lines in logs and terminals and of
/// which PostgreSQL cannot store U+0000; the separators of lines and paragraphs; and those that change the direction of
/// text (UAX #9), so that a reader sees another text than the one that is stored.
const REFUSED: [RangeInclusive<char>; 6] = [
    '\0'..='\u{1f}',
    '\u{7f}'..='\u{9f}',
    '\u{61c}'..='\u{61c}',
    '\u{200e}'..='\u{200f}',
    '\u{2028}'..='\u{202e}',
    '\u{2066}'..='\u{2069}',
];

/// The text is not allowed. The text itself is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidText {
    /// It is empty or too long.
    #[error("it must have 1 to {0} characters")]
    Length(usize),
    /// It contains a character that is refused.
    #[error(
        "it contains U+{code:04X}, a character that controls the display of text and is not allowed; remove it",
        code = u32::from(*.0)
    )]
    Character(char),
}

/// Whether the text has only the commonest characters, one byte each. A text is checked whenever its session is read, so
/// without a branch for each byte, which the compiler turns into checks of many bytes at once.
fn is_plain(text: &str) -> bool {
    text.bytes().fold(true, |is_plain, byte| is_plain & (b' '..=b'~').contains(&byte))
}

fn is_refused(character: char) -> bool {
    // The commonest characters first.
    !(' '..='~').contains(&character) && REFUSED.iter().any(|range| range.contains(&character))
}

/// Checks a text from a caller. Returns it as it is to be stored: what looks like a token is redacted, because texts are
/// shown and exported.
pub fn checked_text(text: String, max_chars: usize) -> Result<String, InvalidText> {
    let is_plain = is_plain(&text);
    let chars = if is_plain { text.len() } else { text.chars().count() };
    if chars == 0 || chars > max_chars {
        return Err(InvalidText::Length(max_chars));
    }
    if !is_plain && let Some(character) = text.chars().find(|character| is_refused(*character)) {
        return Err(InvalidText::Character(character));
    }
    match without_tokens(text.as_bytes()) {
        Cow::Borrowed(_) => Ok(text),
        Cow::Owned(redacted) => Ok(String::from_utf8_lossy(&redacted).into_owned()),
    }
}

/// Returns a stored text as it may be shown. Earlier versions also stored characters that are refused now.
pub fn stored_text(text: String) -> String {
    if is_plain(&text) || !text.contains(is_refused) {
        return text;
    }
    text.replace(is_refused, REPLACEMENT.encode_utf8(&mut [0; 4]))
}

/// The pattern of texts without [`REFUSED`] characters.
fn pattern() -> String {
    let escaped = |character: &char| match u32::from(*character) {
        code @ ..0x100 => format!("\\x{code:02x}"),
        // In upper case, as validators written in Go require.
        code => format!("\\u{code:04X}"),
    };
    let ranges = REFUSED.iter().map(|range| {
        let (start, end) = (escaped(range.start()), escaped(range.end()));
        if start == end { start } else { format!("{start}-{end}") }
    });
    format!("^[^{}]*$", ranges.collect::<String>())
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

            /// Reads a text that this or an earlier version stored: characters that were allowed then are replaced.
            pub fn from_stored(text: String) -> Result<Self, InvalidText> {
                Self::try_from(stored_text(text))
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
                checked_text(text, $max).map(Self)
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
                schema::string($description, (1, $max), &pattern(), $example).into()
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
    use proptest::prelude::*;

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

    fn title(text: &str) -> Result<Title, InvalidText> {
        Title::try_from(text.to_owned())
    }

    #[test]
    fn characters_that_control_the_display_are_refused_by_their_code_points() {
        for (text, code) in [
            ("a\0b", "U+0000"),
            ("a\nb", "U+000A"),
            ("\u{1b}[31m", "U+001B"),
            ("\u{7f}", "U+007F"),
            ("\u{80}", "U+0080"),
            ("é\u{9f}", "U+009F"),
            ("\u{61c}", "U+061C"),
            ("\u{200f}", "U+200F"),
            ("\u{2028}", "U+2028"),
            ("exe.\u{202e}txt", "U+202E"),
            ("\u{2066}", "U+2066"),
            ("\u{2069}", "U+2069"),
        ] {
            let error = title(text).unwrap_err().to_string();
            assert!(error.contains(code), "{text:?}: {error}");
        }
        for text in
            ["\u{a0}", "👩\u{200d}💻", "שלום", "مرحبا", "\u{2027}", "\u{202f}", "\u{206a}", "\u{feff}"]
        {
            assert_eq!(title(text).as_ref().map(Title::as_str), Ok(text));
        }
    }

    #[test]
    fn the_pattern_excludes_exactly_the_refused_characters() {
        let expected = r"^[^\x00-\x1f\x7f-\x9f\u061C\u200E-\u200F\u2028-\u202E\u2066-\u2069]*$";
        assert_eq!(pattern(), expected);
    }

    #[test]
    fn a_text_of_an_earlier_version_stays_readable() {
        let stored = |text: &str| Title::from_stored(text.to_owned()).map(String::from);
        assert_eq!(stored("a\u{85}b\u{202e}c"), Ok("a\u{fffd}b\u{fffd}c".to_owned()));
        assert_eq!(stored(&"\u{9f}".repeat(TITLE_MAX_CHARS)), Ok("\u{fffd}".repeat(TITLE_MAX_CHARS)));
        assert_eq!(stored(&format!("key sst_{}", "7".repeat(91))), Ok("key [REDACTED]".to_owned()));
    }

    proptest! {
        #[test]
        fn every_text_is_refused_or_stored_without_tokens_and_readable(text in "\\PC{0,40}|[\\x00-\\u{ff}\\u{2000}-\\u{2070}]{0,9}") {
            let token = format!("{text}sst_{}", "0".repeat(91));
            match title(&token) {
                Ok(title) => prop_assert_eq!(title.as_str(), format!("{text}[REDACTED]")),
                Err(InvalidText::Character(character)) => prop_assert!(text.contains(character)),
                Err(InvalidText::Length(_)) => prop_assert!(text.chars().count() > TITLE_MAX_CHARS - 95),
            }
            prop_assert!(Title::from_stored(token).is_ok());
        }
    }
}
