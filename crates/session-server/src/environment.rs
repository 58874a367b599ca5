//! What the rules need from outside: the time and randomness. Tests replace both.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use session_types::{ID_TIME_MAX_MS, Timestamp};

/// How far ahead of a reading of the wall clock another one may be without a jump of the clock: threads and nodes read it at
/// slightly different times, and clocks are corrected in small steps.
pub const CLOCK_AHEAD_MAX: Duration = Duration::from_secs(5);

/// A source of the time.
pub trait Clock: Send + Sync + 'static {
    /// Returns the current time, by the wall clock. It may be wrong, and jump.
    fn now(&self) -> Timestamp;

    /// Returns the current time by a clock that nobody sets, to compare with itself.
    fn monotonic(&self) -> Instant;
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

    fn monotonic(&self) -> Instant {
        Instant::now()
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
