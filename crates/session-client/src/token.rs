//! Tokens that redact themselves.

use std::fmt;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

/// The greatest length of a token in characters. The service's tokens have 95; the limit refuses, for example, the content
/// of a file that was passed by mistake, and leaves room for longer tokens of newer servers.
const TOKEN_MAX_CHARS: usize = 1_024;

/// A session token or an API key. It prints as `[REDACTED]` and is wiped from memory when it is dropped.
#[derive(Clone)]
pub struct Token(SecretString);

impl Token {
    /// Returns the text, to store it in a cookie or a secret store.
    pub fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

/// The text is not a token. The text itself is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a token is 1 to {TOKEN_MAX_CHARS} letters, digits, `_` and `-`; pass it unchanged, as the service returned it"
)]
pub struct InvalidToken;

impl TryFrom<String> for Token {
    type Error = InvalidToken;

    fn try_from(text: String) -> Result<Self, InvalidToken> {
        // Wrapped first, so that a text that is refused is wiped from memory as well.
        let text = SecretString::from(text);
        let word = text.expose_secret();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if word.is_empty() || word.len() > TOKEN_MAX_CHARS || !word.bytes().all(allowed) {
            return Err(InvalidToken);
        }
        Ok(Self(text))
    }
}

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        text.to_owned().try_into()
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.try_into().map_err(serde::de::Error::custom)
    }
}

/// Serializes the text itself, because a value with a token is serialized to be stored or sent.
impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose_secret())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_prints_redacted_and_serializes_as_its_text() {
        let token: Token = "sst_abc".parse().unwrap();
        assert_eq!(format!("{token:?} {:?}", Some(&token)), "[REDACTED] Some([REDACTED])");
        assert_eq!(serde_json::to_string(&token).unwrap(), "\"sst_abc\"");
        assert_eq!(serde_json::from_str::<Token>("\"sst_abc\"").unwrap().expose_secret(), "sst_abc");
    }

    #[test]
    fn an_invalid_token_is_refused_without_repeating_it() {
        for text in ["", "sst_abc\n", "Bearer sst_abc", "sst_é", &"x".repeat(TOKEN_MAX_CHARS + 1)] {
            let error = text.parse::<Token>().unwrap_err();
            assert!(text.is_empty() || !error.to_string().contains(text));
        }
    }
}
