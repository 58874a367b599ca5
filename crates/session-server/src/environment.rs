//! What reaches the rules from outside: time and randomness. Tests hold both still.

use std::time::{SystemTime, UNIX_EPOCH};

use session_api::{ID_TIME_MAX_MS, Timestamp};

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Gives bytes that nobody can foretell.
pub trait Random: Send + Sync + 'static {
    /// Fills the buffer. Fails if the source does; then no secret may be made.
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
        // A clock before 1970 or beyond what an ID holds is set wrongly; the nearest time stands for it.
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
