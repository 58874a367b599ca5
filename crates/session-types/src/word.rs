//! The words of the contract: every `string` schema with allowed values.

use schemars::JsonSchema;
use schemars::r#gen::SchemaGenerator;
use schemars::schema::{InstanceType, Schema, SchemaObject};
use serde::{Deserialize, Serialize, Serializer};
use strum::{AsRefStr, Display, EnumString, VariantArray};

/// The text is not one of the allowed words. The text itself is not repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it must be one of: {0}")]
pub struct UnknownWord(String);

fn unknown<T: VariantArray + AsRef<str>>(_text: &str) -> UnknownWord {
    UnknownWord(T::VARIANTS.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", "))
}

/// Enums that are one word each, in snake case unless a variant says otherwise: in JSON, in text and in their schema.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident = $schema:literal { $($(#[$of_variant:meta])* $variant:ident,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[derive(AsRefStr, Display, EnumString, VariantArray)]
        // Through a string: serde's own form of an enum also takes `{"browser": null}`.
        #[serde(try_from = "String")]
        #[strum(serialize_all = "snake_case", parse_err_ty = UnknownWord, parse_err_fn = unknown::<$name>)]
        pub enum $name {
            $($(#[$of_variant])* $variant,)*
        }

        impl TryFrom<String> for $name {
            type Error = UnknownWord;

            fn try_from(text: String) -> Result<Self, UnknownWord> {
                text.parse()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_ref())
            }
        }

        // A derived schema would describe each value apart, as a `oneOf`.
        impl JsonSchema for $name {
            fn schema_name() -> String {
                $schema.to_owned()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                SchemaObject {
                    instance_type: Some(InstanceType::String.into()),
                    enum_values: Some(Self::VARIANTS.iter().map(|word| word.as_ref().into()).collect()),
                    ..SchemaObject::default()
                }
                .into()
            }
        }
    )*};
}

words! {
    /// What uses a session.
    SessionType = "Session_Type" {
        /// A person's browser.
        Browser,
        /// A program.
        Api,
    }
    /// The state of a session.
    SessionStatus = "Session_Status" {
        /// Created, no interaction yet.
        New,
        /// Used, but no identity has authenticated.
        Unauthenticated,
        /// An identity has authenticated.
        Authenticated,
        /// Signed out, or its lifetime has passed. Final.
        Complete,
        /// Ended by a caller who may revoke it. Final.
        Revoked,
    }
    /// The kind of object that a summary describes.
    SessionKind = "Session_Kind" {
        /// A session, the only kind.
        Session,
    }
    /// What an API key may be used for, named as an OAuth scope (RFC 6749, section 3.3).
    Scope = "Scope" {
        /// Fetch and list sessions.
        #[strum(serialize = "session:read")]
        Read,
        /// Create sessions.
        #[strum(serialize = "session:create")]
        Create,
        /// Record that an identity authenticated, and create sessions with an account: make tokens that stand for an account.
        #[strum(serialize = "session:authenticate")]
        Authenticate,
        /// Complete sessions, and record interactions.
        #[strum(serialize = "session:update")]
        Update,
        /// Revoke sessions.
        #[strum(serialize = "session:revoke")]
        Revoke,
    }
    /// The one value of an error's `status`.
    ErrorStatus = "Error_Status" {
        /// It is an error.
        Error,
    }
    /// The kind of an error, for programs.
    ErrorCode = "Error_Code" {
        /// The request cannot be read.
        BadRequest,
        /// The token is malformed, unknown, replaced, expired or of an ended session.
        BadAuthtoken,
        /// There is no token, or its session is not authenticated where that is required.
        NotAuthenticated,
        /// The caller may read the session, but not do this to it.
        NotPermitted,
        /// The contract allows it, but this deployment does not offer it.
        NotImplemented,
        /// The store did not respond in time; the outcome is not known.
        Unknown,
        /// No such session, or one that the caller may not read.
        NotFound,
        /// The ID is known, but as another kind.
        UnexpectedRefType,
        /// An error of the server.
        Unexpected,
        /// The session's state does not allow it.
        InvalidAction,
        /// A value is not allowed.
        InvalidValue,
        /// A required value is missing.
        RequiredValue,
    }
}

impl SessionStatus {
    /// Whether no other state follows.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Complete | Self::Revoked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_same_in_text_and_in_json() {
        for (scope, word) in [
            (Scope::Read, "session:read"),
            (Scope::Authenticate, "session:authenticate"),
            (Scope::Revoke, "session:revoke"),
        ] {
            assert_eq!((scope.to_string().as_str(), word.parse()), (word, Ok(scope)));
            assert_eq!(serde_json::to_value(scope).unwrap(), word);
        }
        for code in ErrorCode::VARIANTS {
            let json = serde_json::to_string(code).unwrap();
            assert_eq!(json, format!("\"{code}\""));
            assert_eq!(serde_json::from_str::<ErrorCode>(&json).unwrap(), *code);
        }
        assert_eq!(SessionStatus::Unauthenticated.as_ref(), "unauthenticated");
    }

    #[test]
    fn another_word_is_refused_with_the_list_and_without_the_word() {
        let error = serde_json::from_str::<SessionType>("\"tv\"").unwrap_err().to_string();
        assert!(error.contains("it must be one of: browser, api") && !error.contains("tv"), "{error}");
        for text in ["{\"browser\":null}", "\"Browser\"", "\"\"", "null", "0"] {
            assert!(serde_json::from_str::<SessionType>(text).is_err(), "{text}");
        }
    }
}
