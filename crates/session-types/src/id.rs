//! Identifiers: 160 bits, written as 32 characters of lower-case Crockford base32.
//!
//! The layout is the one that the examples of the reference page decode to: 50 bits of Unix time in
//! milliseconds, a sequence of 30 bits, 80 further bits. An ID is a name, never a secret.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use schemars::r#gen::SchemaGenerator;
use schemars::schema::Schema;
use serde::{Deserialize, Serialize};

use crate::timestamp::{ID_TIME_MAX_MS, Timestamp};
use crate::{base32, schema};

/// Number of characters of an ID: 160 bits at 5 bits each.
pub const ID_CHARS: usize = base32::encoded_len(ID_BYTES);
/// Number of bytes of an ID.
pub const ID_BYTES: usize = 20;
/// The greatest sequence number that fits the 30 bits of an ID.
pub const ID_SEQUENCE_MAX: u32 = (1 << 30) - 1;

const ID_PATTERN: &str = "^[0-9a-hjkmnp-tv-z]{32}$";

/// The text is not an ID. The text itself is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an ID is {ID_CHARS} characters, each a digit or a lower-case letter other than i, l, o and u; \
     pass it unchanged, as the service returned it"
)]
pub struct InvalidId;

/// An ID of any kind; the types below are one for each kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id([u8; ID_BYTES]);

impl Id {
    /// Composes an ID from its three parts.
    ///
    /// `time_ms` is Unix time in milliseconds; it and `sequence` are truncated to their 50 and 30 bits.
    pub fn compose(time_ms: u64, sequence: u32, random: [u8; 10]) -> Self {
        let head = (u128::from(time_ms & ID_TIME_MAX_MS) << 30) | u128::from(sequence & ID_SEQUENCE_MAX);
        let mut bytes = [0; ID_BYTES];
        bytes[..10].copy_from_slice(&head.to_be_bytes()[6..]);
        bytes[10..].copy_from_slice(&random);
        Self(bytes)
    }

    /// When the ID was minted.
    pub fn created_at(self) -> Timestamp {
        Timestamp::from_ms(self.time_ms()).unwrap_or_else(|_| unreachable!("50 bits"))
    }

    /// The Unix time in milliseconds at which the ID was minted.
    pub fn time_ms(self) -> u64 {
        // The first 56 bits hold the 50 of the time.
        let mut head = [0; 8];
        head[1..].copy_from_slice(&self.0[..7]);
        u64::from_be_bytes(head) >> 6
    }

    /// The sequence number of the ID among those that its process minted in the same millisecond.
    pub fn sequence(self) -> u32 {
        let tail = [self.0[6], self.0[7], self.0[8], self.0[9]];
        u32::from_be_bytes(tail) & ID_SEQUENCE_MAX
    }

    /// An ID derived from this one by a number in its last 64 bits, to mint many IDs at once: as unique as the numbers,
    /// because the time, the sequence and 16 random bits stay.
    #[must_use]
    pub fn with_number(self, number: u64) -> Self {
        let mut bytes = self.0;
        for (byte, more) in bytes[12..].iter_mut().zip(number.to_be_bytes()) {
            *byte ^= more;
        }
        Self(bytes)
    }

    /// The bytes of the ID, in the order in which IDs sort.
    pub const fn as_bytes(&self) -> &[u8; ID_BYTES] {
        &self.0
    }

    /// The ID of these bytes; every value is one.
    pub const fn from_bytes(bytes: [u8; ID_BYTES]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(ID_CHARS);
        base32::encode_into(&self.0, &mut text);
        f.write_str(&text)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Id {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        base32::decode(text).map(Self).ok_or(InvalidId)
    }
}

macro_rules! id_kinds {
    ($($(#[$doc:meta])* $name:ident = $schema:literal, $description:literal, $example:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub Id);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.parse().map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> String {
                $schema.to_owned()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                schema::string($description, (ID_CHARS, ID_CHARS), ID_PATTERN, $example).into()
            }
        }
    )*};
}

id_kinds! {
    /// The ID of a session; its time is when the session was created.
    SessionId = "Session_Id", "A valid session ID", "013xrzp12g3nqk8nkv4y96wrbzje9dsr";
    /// The ID of an account in the identity system.
    AccountId = "Account_Id", "A valid account ID", "013xrzp12g3nqk8n6cyr5x0k8yb10h59";
    /// The ID of an identity in the identity system.
    IdentityId = "Identity_Id", "A valid identity ID", "013xrzp12g3nqk8n3f5qv5e2r757shwd";
    /// The ID of a device.
    DeviceId = "Device_Id", "A valid device ID", "013xrzp12g3nqk8ncwfp3ra29yjzx1gs";
    /// The ID of a domain: a tenant.
    DomainId = "Domain_Id", "A valid domain ID", "013xrzp12g3nqk8n32sd3jyxq5a8ywe2";
    /// The ID of a pool: the part of a domain that a session belongs to.
    PoolId = "Pool_Id", "A valid pool ID", "013xrzp12g3nqk8ng09nmc8kwqzfafa2";
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::near_miss::{cases, changed_and_extended};

    #[test]
    fn the_examples_of_the_reference_page_contain_its_time_and_sequence() {
        for text in [
            "013xrzp12g3nqk8n6cyr5x0k8yb10h59",
            "013xrzp12g3nqk8n3f5qv5e2r757shwd",
            "013xrzp12g3nqk8ncwfp3ra29yjzx1gs",
            "013xrzp12g3nqk8n32sd3jyxq5a8ywe2",
            "013xrzp12g3nqk8nkv4y96wrbzje9dsr",
            "013xrzp12g3nqk8ng09nmc8kwqzfafa2",
        ] {
            let id: Id = text.parse().unwrap();
            assert_eq!((id.time_ms(), id.sequence()), (1_234_567_890_000, 123_456_789));
            assert_eq!(id.to_string(), text);
        }
    }

    #[test]
    fn a_text_that_is_not_an_id_is_refused() {
        for text in [
            "",
            "013xrzp12g3nqk8nkv4y96wrbzje9ds",
            "013xrzp12g3nqk8nkv4y96wrbzje9dsrr",
            "013XRZP12G3NQK8NKV4Y96WRBZJE9DSR",
            "013xrzp12g3nqk8nkv4y96wrbzje9dsu",
            "013xrzp12g3nqk8nkv4y96wrbzje9dé",
            " 13xrzp12g3nqk8nkv4y96wrbzje9dsr",
        ] {
            assert_eq!(text.parse::<Id>(), Err(InvalidId), "{text}");
        }
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn any_32_characters_parse_and_print_the_same_or_are_refused(text in "[ -~]{32}|[0-9a-hjkmnp-tv-z]{32}|\\PC{32}") {
            if let Ok(id) = text.parse::<Id>() {
                prop_assert_eq!(id.to_string(), text);
            } else {
                let in_alphabet = |c: char| c.is_ascii_digit() || (c.is_ascii_lowercase() && !"ilou".contains(c));
                prop_assert!(!text.chars().all(in_alphabet));
            }
        }

        #[test]
        fn the_parts_round_trip_and_ids_sort_as_their_parts(
            one in (0..=ID_TIME_MAX_MS, 0..=ID_SEQUENCE_MAX, any::<[u8; 10]>()),
            two in (0..=ID_TIME_MAX_MS, 0..=ID_SEQUENCE_MAX, any::<[u8; 10]>()),
        ) {
            let [first, second] = [one, two].map(|(time, sequence, random)| Id::compose(time, sequence, random));
            prop_assert_eq!((first.time_ms(), first.sequence()), (one.0, one.1));
            prop_assert_eq!(first.cmp(&second), one.cmp(&two));
            prop_assert_eq!(first.to_string().cmp(&second.to_string()), one.cmp(&two));
        }

        #[test]
        fn any_text_is_refused_or_printed_the_same_and_each_parser_agrees(text in any::<String>()) {
            let parsed = text.parse::<Id>();
            prop_assert!(parsed.is_err() || parsed.unwrap().to_string() == text);
            prop_assert_eq!(SessionId::try_from(text.clone()).map(|id| id.0), parsed);
            let of_json: Option<SessionId> = serde_json::from_value(text.into()).ok();
            prop_assert_eq!(of_json.map(|id| id.0), parsed.ok());
        }

        #[test]
        fn any_bytes_round_trip_as_text_and_as_json(bytes: [u8; ID_BYTES]) {
            let id = SessionId(Id::from_bytes(bytes));
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(serde_json::from_str::<SessionId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
        }

        #[test]
        fn a_text_that_is_nearly_an_id_is_refused_or_another_id(
            bytes: [u8; ID_BYTES],
            place in 0..ID_CHARS,
            new in prop_oneof![proptest::char::range('\0', '\x7f'), any::<char>()],
        ) {
            let id = Id::from_bytes(bytes);
            let text = id.to_string();
            prop_assert_eq!(text[..place].parse::<Id>(), Err(InvalidId));
            prop_assert_eq!(text[place + 1..].parse::<Id>(), Err(InvalidId));
            let near = changed_and_extended(text.as_bytes(), place, new.to_string().as_bytes());
            let [changed, extended] = near.map(|bytes| String::from_utf8(bytes).unwrap());
            prop_assert_eq!(extended.parse::<Id>(), Err(InvalidId));
            prop_assert_eq!(format!("{text}{new}").parse::<Id>(), Err(InvalidId));
            let is_digit = new.is_ascii_digit() || (new.is_ascii_lowercase() && !"ilou".contains(new));
            match changed.parse::<Id>() {
                Ok(other) => {
                    prop_assert!(is_digit);
                    prop_assert_eq!(other == id, changed == text);
                    prop_assert_eq!(other.to_string(), changed);
                }
                Err(InvalidId) => prop_assert!(!is_digit, "{}", changed),
            }
        }
    }
}
