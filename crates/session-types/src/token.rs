//! A token as its holder gets it.

use schemars::JsonSchema;
use schemars::r#gen::SchemaGenerator;
use schemars::schema::Schema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};

use crate::schema;

/// A token in clear text; prints as `[REDACTED]` everywhere but in a response.
#[derive(Clone, Debug)]
pub struct Authtoken(SecretString);

/// The prefix of the token of a session.
pub const SESSION_TOKEN_PREFIX: &str = "sst_";

/// The prefix of an API key.
pub const API_KEY_PREFIX: &str = "ssk_";

/// The length of a token in characters: prefix 4, ID 32, secret 52, checksum 7.
pub const AUTHTOKEN_CHARS: usize = 95;

impl From<SecretString> for Authtoken {
    fn from(text: SecretString) -> Self {
        Self(text)
    }
}

impl Authtoken {
    /// The text, for its holder alone.
    pub fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

impl Serialize for Authtoken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

impl JsonSchema for Authtoken {
    fn schema_name() -> String {
        "Authtoken".to_owned()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let description = "A session token, sent as `Authorization: Bearer …`; a secret";
        let pattern = format!("^{SESSION_TOKEN_PREFIX}[0-9a-hjkmnp-tv-z]{{91}}$");
        schema::string(description, (AUTHTOKEN_CHARS, AUTHTOKEN_CHARS), &pattern, "").into()
    }
}
