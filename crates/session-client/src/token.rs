//! Tokens, which show themselves to nobody.

use std::fmt;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

/// The greatest length of a token in characters. Those of the contract have 95; the bound only keeps a file
/// that was passed by mistake out of a header.
const TOKEN_MAX_CHARS: usize = 1_024;

/// A session token or an API key. It prints as `[REDACTED]` and is wiped from memory when it is dropped.
#[derive(Clone)]
pub struct Token(SecretString);

impl Token {
    /// The text, for whoever keeps it: in a cookie, in a secret store.
    pub fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

/// Why a text is no token. The text itself is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a token is one word of at most {TOKEN_MAX_CHARS} letters, digits, `_` and `-`; pass it exactly as it was \
     given to you"
)]
pub struct InvalidToken;

impl TryFrom<String> for Token {
    type Error = InvalidToken;

    fn try_from(text: String) -> Result<Self, InvalidToken> {
        // In a secret at once, so that a text which is refused is wiped as well.
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

/// Writes the text itself: a value that holds a token is serialised to be kept or sent.
impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose_secret())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_prints_redacted_and_serialises_as_itself() {
        let token: Token = "sst_abc".parse().unwrap();
        assert_eq!(format!("{token:?} {:?}", Some(&token)), "[REDACTED] Some([REDACTED])");
        assert_eq!(serde_json::to_string(&token).unwrap(), "\"sst_abc\"");
        assert_eq!(serde_json::from_str::<Token>("\"sst_abc\"").unwrap().expose_secret(), "sst_abc");
    }

    #[test]
    fn what_cannot_be_a_token_is_refused_and_not_repeated() {
        for text in ["", "sst_abc\n", "Bearer sst_abc", "sst_é", &"x".repeat(TOKEN_MAX_CHARS + 1)] {
            let error = text.parse::<Token>().unwrap_err();
            assert!(text.is_empty() || !error.to_string().contains(text));
        }
    }
}
