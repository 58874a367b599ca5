//! Points in time: milliseconds in memory, a JSON number of seconds on the wire.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use schemars::r#gen::SchemaGenerator;
use schemars::schema::{InstanceType, Metadata, NumberValidation, Schema, SchemaObject};
use serde::de::{Error as _, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The greatest time that fits the 50 bits of an ID, in Unix milliseconds.
pub const ID_TIME_MAX_MS: u64 = (1 << 50) - 1;

/// Milliseconds since midnight, January 1, 1970 UTC; at most what an ID can hold, 50 bits.
///
/// That bound also keeps every value exact in the 53 bits of a JSON number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

/// The greatest timestamp in seconds: [`ID_TIME_MAX_MS`].
const MAX_SECONDS: f64 = 1_125_899_906_842.623;

/// The number is not a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a timestamp is a number of seconds from 0 to {MAX_SECONDS}, whole or with at most three decimals")]
pub struct InvalidTimestamp;

impl Timestamp {
    /// The timestamp of `ms` milliseconds of Unix time.
    pub const fn from_ms(ms: u64) -> Result<Self, InvalidTimestamp> {
        if ms <= ID_TIME_MAX_MS { Ok(Self(ms)) } else { Err(InvalidTimestamp) }
    }

    /// The milliseconds of Unix time.
    pub const fn as_ms(self) -> u64 {
        self.0
    }

    /// The timestamp that is `duration` later, at most the greatest one.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(ms_of(duration)).min(ID_TIME_MAX_MS))
    }

    /// The timestamp that is `duration` earlier, at least 0.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(ms_of(duration)))
    }

    #[expect(clippy::cast_precision_loss, reason = "50 bits fit the 53 of a double")]
    fn as_seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked first")]
    fn from_seconds(seconds: f64) -> Result<Self, InvalidTimestamp> {
        if !(0.0..=MAX_SECONDS).contains(&seconds) {
            return Err(InvalidTimestamp);
        }
        let time = Self((seconds * 1000.0).round() as u64);
        // A fourth decimal would be lost, and the number would not round-trip.
        #[expect(clippy::float_cmp, reason = "an exact comparison is intended")]
        if time.as_seconds() == seconds { Ok(time) } else { Err(InvalidTimestamp) }
    }
}

fn ms_of(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(1000) {
            serializer.serialize_u64(self.0 / 1000)
        } else {
            serializer.serialize_f64(self.as_seconds())
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seconds;

        impl Visitor<'_> for Seconds {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{InvalidTimestamp}")
            }

            fn visit_u64<E: serde::de::Error>(self, seconds: u64) -> Result<Timestamp, E> {
                seconds
                    .checked_mul(1000)
                    .and_then(|ms| Timestamp::from_ms(ms).ok())
                    .ok_or_else(|| E::custom(InvalidTimestamp))
            }

            fn visit_i64<E: serde::de::Error>(self, seconds: i64) -> Result<Timestamp, E> {
                Err(E::invalid_value(Unexpected::Signed(seconds), &self))
            }

            fn visit_f64<E: serde::de::Error>(self, seconds: f64) -> Result<Timestamp, E> {
                Timestamp::from_seconds(seconds).map_err(E::custom)
            }
        }

        deserializer.deserialize_f64(Seconds).map_err(D::Error::custom)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> String {
        "Timestamp".to_owned()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        SchemaObject {
            metadata: Some(Box::new(Metadata {
                description: Some("Unix timestamp, seconds since midnight January 1, 1970 UTC".to_owned()),
                ..Metadata::default()
            })),
            instance_type: Some(InstanceType::Number.into()),
            number: Some(Box::new(NumberValidation {
                minimum: Some(0.0),
                maximum: Some(MAX_SECONDS),
                ..NumberValidation::default()
            })),
            extensions: [("example".to_owned(), 1_234_567_890.into())].into(),
            ..SchemaObject::default()
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whole_seconds_are_written_without_a_fraction() {
        let written = |ms| serde_json::to_string(&Timestamp::from_ms(ms).unwrap()).unwrap();
        assert_eq!(written(1_234_567_890_000), "1234567890");
        assert_eq!(written(1_234_567_890_120), "1234567890.12");
        assert_eq!(written(1), "0.001");
        assert_eq!(written(ID_TIME_MAX_MS), "1125899906842.623");
    }

    #[test]
    fn numbers_that_are_not_timestamps_are_refused() {
        for text in [
            "-1",
            "-0.5",
            "0.0001",
            "1234567890.1234",
            "1125899906842.624",
            "1125899906843",
            "1e300",
            "\"1\"",
            "null",
            "18446744073709551615",
        ] {
            assert!(serde_json::from_str::<Timestamp>(text).is_err(), "{text}");
        }
        assert!(Timestamp::from_ms(ID_TIME_MAX_MS + 1).is_err());
    }

    proptest! {
        #[test]
        fn any_timestamp_round_trips_with_at_most_three_decimals(ms in 0..=ID_TIME_MAX_MS) {
            let time = Timestamp::from_ms(ms).unwrap();
            let text = serde_json::to_string(&time).unwrap();
            prop_assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap(), time);
            prop_assert!(text.split_once('.').is_none_or(|(_, decimals)| decimals.len() <= 3), "{}", text);
        }
    }
}
