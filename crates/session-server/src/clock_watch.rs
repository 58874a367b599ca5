//! Whether the wall clock can be believed: it is compared with the monotonic clock, which nobody sets.

use std::time::{Duration, Instant};

use session_types::Timestamp;

/// The largest jump of the wall clock against the monotonic one, between two readings, that is no jump. Slewing and leap
/// seconds stay below it, and a minute more or less matters to no retention.
pub(crate) const CLOCK_JUMP_MIN: Duration = Duration::from_mins(1);

/// How long the wall clock must not jump before it is believed, after a jump or after the start: long enough for an alert to
/// reach a person and for a clock to be set after a boot. Waiting costs nothing but space, because a lifetime that has
/// passed counts on every read.
pub(crate) const CLOCK_STEADY_FOR: Duration = Duration::from_hours(1);

/// What a reading of the clocks shows, to be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The wall clock jumped by this many milliseconds, and is not believed any more.
    Jumped(i64),
    /// It jumped back, and is believed again.
    Returned,
    /// It has not jumped again for [`CLOCK_STEADY_FOR`], and is believed as it is now.
    Believed,
}

/// The watch over the wall clock of one process.
///
/// A suspended machine looks like a jump, because the monotonic clock stands still meanwhile.
#[derive(Debug)]
pub(crate) struct ClockWatch {
    start: Instant,
    /// How far the believed wall clock is ahead of the monotonic one, in milliseconds.
    believed_ms: i64,
    /// Whether it was believed for [`CLOCK_STEADY_FOR`], or returned to after a jump: until then, the wall clock may have
    /// been wrong already at the start.
    is_confirmed: bool,
    doubt: Option<Doubt>,
}

/// A jump that is not believed.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    /// How far the wall clock is ahead of the monotonic one after the jump, in milliseconds.
    ahead_ms: i64,
    since: Instant,
}

/// How far the wall clock can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Belief {
    /// Not: it has jumped.
    None,
    /// It has not jumped, but may have been wrong at the start.
    Unconfirmed,
    /// It is right, as far as one can know.
    Confirmed,
}

impl ClockWatch {
    /// A watch that believes these readings.
    pub(crate) fn new(wall: Timestamp, monotonic: Instant) -> Self {
        let mut watch = Self { start: monotonic, believed_ms: 0, is_confirmed: false, doubt: None };
        watch.believed_ms = watch.ahead_ms(wall, monotonic);
        watch
    }

    fn ahead_ms(&self, wall: Timestamp, monotonic: Instant) -> i64 {
        let ms = |ms| i64::try_from(ms).unwrap_or(i64::MAX);
        ms(u128::from(wall.as_ms())) - ms(monotonic.saturating_duration_since(self.start).as_millis())
    }

    /// Returns the time that the wall clock would show without the jump that is doubted, if there is one.
    pub(crate) fn time_without_jump(&self, monotonic: Instant) -> Option<Timestamp> {
        self.doubt?;
        let passed = monotonic.saturating_duration_since(self.start);
        let start_ms = u64::try_from(self.believed_ms).ok()?;
        Some(Timestamp::from_ms(start_ms).ok()?.saturating_add(passed))
    }

    /// Takes readings of both clocks. Returns whether the wall clock can be believed, and what has changed.
    pub(crate) fn observe(&mut self, wall: Timestamp, monotonic: Instant) -> (Belief, Option<Notice>) {
        let ahead_ms = self.ahead_ms(wall, monotonic);
        let is_near = |other_ms: i64| u128::from(ahead_ms.abs_diff(other_ms)) <= CLOCK_JUMP_MIN.as_millis();
        let notice = match &mut self.doubt {
            None if is_near(self.believed_ms) => None,
            Some(_) if is_near(self.believed_ms) => Some(Notice::Returned),
            Some(doubt) if is_near(doubt.ahead_ms) => {
                doubt.ahead_ms = ahead_ms;
                let steady = monotonic.saturating_duration_since(doubt.since) >= CLOCK_STEADY_FOR;
                steady.then_some(Notice::Believed)
            }
            _ => {
                let since = monotonic;
                self.doubt = Some(Doubt { ahead_ms, since });
                Some(Notice::Jumped(ahead_ms - self.believed_ms))
            }
        };
        if matches!(notice, Some(Notice::Returned | Notice::Believed)) {
            self.doubt = None;
            self.is_confirmed = true;
        }
        if self.doubt.is_some() {
            return (Belief::None, notice);
        }
        // Small corrections add up to no jump.
        self.believed_ms = ahead_ms;
        self.is_confirmed |= monotonic.saturating_duration_since(self.start) >= CLOCK_STEADY_FOR;
        (if self.is_confirmed { Belief::Confirmed } else { Belief::Unconfirmed }, notice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A step: seconds that pass, seconds that the wall clock jumps ahead at its end, and what is observed then.
    type Step = (u64, i64, Belief, Option<Notice>);

    #[test]
    fn a_jump_is_doubted_until_it_is_undone_or_an_hour_has_passed() {
        use Belief::{Confirmed, None as Doubted, Unconfirmed};
        let day = 24 * 3_600;
        let tables: [&[Step]; 7] = [
            // Undone: what was believed before was right.
            &[
                (10, 0, Unconfirmed, None),
                (10, 100 * day, Doubted, Some(Notice::Jumped(100 * day * 1_000))),
                (10, 0, Doubted, None),
                (10, -100 * day, Confirmed, Some(Notice::Returned)),
                (10, 0, Confirmed, None),
            ],
            // Back by itself, such as after a correction: believed after the hour.
            &[
                (10, -day, Doubted, Some(Notice::Jumped(-day * 1_000))),
                (3_599, 0, Doubted, None),
                (1, 0, Confirmed, Some(Notice::Believed)),
                (1, day, Doubted, Some(Notice::Jumped(day * 1_000))),
            ],
            // The hour begins again with each jump.
            &[
                (0, day, Doubted, Some(Notice::Jumped(day * 1_000))),
                (3_599, day, Doubted, Some(Notice::Jumped(2 * day * 1_000))),
                (3_599, 0, Doubted, None),
                (1, 0, Confirmed, Some(Notice::Believed)),
            ],
            // Without a jump, the clock is confirmed after the hour.
            &[(3_599, 0, Unconfirmed, None), (1, 0, Confirmed, None)],
            // A minute is no jump, and many of them are none.
            &[(10, 60, Unconfirmed, None), (10, 60, Unconfirmed, None), (10, -60, Unconfirmed, None)],
            &[(10, 61, Doubted, Some(Notice::Jumped(61_000)))],
            // Small corrections of a clock that is doubted are no further jump.
            &[
                (0, day, Doubted, Some(Notice::Jumped(day * 1_000))),
                (1_800, 60, Doubted, None),
                (1_800, 60, Confirmed, Some(Notice::Believed)),
            ],
        ];
        for (number, table) in tables.into_iter().enumerate() {
            let (mut wall_s, mut monotonic) = (1_234_567_890_i64, Instant::now());
            let at = |wall_s: i64| Timestamp::from_ms(u64::try_from(wall_s).unwrap() * 1_000).unwrap();
            let mut watch = ClockWatch::new(at(wall_s), monotonic);
            for (step, (pass, jump, belief, notice)) in table.iter().enumerate() {
                wall_s += i64::try_from(*pass).unwrap() + jump;
                monotonic += Duration::from_secs(*pass);
                let observed = watch.observe(at(wall_s), monotonic);
                assert_eq!(observed, (*belief, *notice), "table {number}, step {step}");
            }
        }
    }
}
