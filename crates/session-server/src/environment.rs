//! What the rules need from outside: the time and randomness. Tests replace both.

use std::time::{SystemTime, UNIX_EPOCH};

use session_types::{ID_TIME_MAX_MS, Timestamp};

/// A source of the time.
pub trait Clock: Send + Sync + 'static {
    /// Returns the current time.
    fn now(&self) -> Timestamp;
}

/// A source of unpredictable bytes.
pub trait Random: Send + Sync + 'static {
    /// Fills the buffer. Fails if the source does; then no secret may be created.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomFailed>;
}

/// The source of randomness failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the random source failed: {0}")]
pub struct RandomFailed(pub String);

/// The clock of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // A clock before 1970 or beyond what an ID can represent is set wrongly; the nearest time replaces it.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX).min(ID_TIME_MAX_MS);
        Timestamp::from_ms(ms).unwrap_or_else(|_| unreachable!("{ms} is within the bound"))
    }
}

/// The random source of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomFailed> {
        getrandom::fill(bytes).map_err(|error| RandomFailed(error.to_string()))
    }
}
