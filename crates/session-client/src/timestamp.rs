//! The contract's timestamps.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize, Serializer};

/// The contract's greatest timestamp, in Unix milliseconds: 50 bits, as in an ID.
const MAX_MS: u64 = (1 << 50) - 1;

/// A point in time with a resolution of one millisecond; a JSON number of seconds on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "f64")]
pub struct Timestamp {
    ms: u64,
}

impl Timestamp {
    /// Milliseconds since midnight, January 1, 1970 UTC.
    pub const fn as_ms(self) -> u64 {
        self.ms
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        Self::UNIX_EPOCH + Duration::from_millis(time.ms)
    }
}

impl TryFrom<f64> for Timestamp {
    type Error = &'static str;

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked first")]
    #[expect(clippy::cast_precision_loss, reason = "50 bits fit the 53 of a double")]
    fn try_from(seconds: f64) -> Result<Self, Self::Error> {
        let ms = (seconds * 1000.0).round();
        if !(0.0..=MAX_MS as f64).contains(&ms) {
            return Err("a timestamp is a number of seconds from 0 to 1125899906842.623");
        }
        Ok(Self { ms: ms as u64 })
    }
}

impl Serialize for Timestamp {
    #[expect(clippy::cast_precision_loss, reason = "50 bits fit the 53 of a double")]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.ms.is_multiple_of(1000) {
            serializer.serialize_u64(self.ms / 1000)
        } else {
            serializer.serialize_f64(self.ms as f64 / 1000.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_round_trip() {
        for text in ["0", "0.001", "1234567890", "1234567890.12", "1125899906842.623"] {
            let time: Timestamp = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&time).unwrap(), text);
        }
        let time: Timestamp = serde_json::from_str("1234567890.5").unwrap();
        assert_eq!(time.as_ms(), 1_234_567_890_500);
        assert_eq!(SystemTime::from(time), SystemTime::UNIX_EPOCH + Duration::from_millis(1_234_567_890_500));
    }

    #[test]
    fn an_invalid_timestamp_is_refused() {
        for text in ["-1", "1125899906842.624", "1e300", "\"1\"", "null"] {
            assert!(serde_json::from_str::<Timestamp>(text).is_err(), "{text}");
        }
    }
}
