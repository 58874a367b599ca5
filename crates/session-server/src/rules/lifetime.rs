//! How long sessions live.

use std::collections::BTreeMap;
use std::time::Duration;

use session_api::{ID_TIME_MAX_MS, PoolId, SessionSummary, SessionType, Timestamp};

/// How long a session lives; `None` is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// From its last interaction, else from its creation.
    pub idle: Option<Duration>,
    /// From its creation, which is the time in its ID.
    pub absolute: Option<Duration>,
}

/// The lifetimes of both types of sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeLifetimes {
    /// Of sessions of browsers.
    pub browser: Lifetime,
    /// Of sessions of programs.
    pub api: Lifetime,
}

/// The lifetimes of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lifetimes {
    /// Of pools that have none of their own.
    pub default: TypeLifetimes,
    /// Of the others.
    pub pools: BTreeMap<PoolId, TypeLifetimes>,
}

impl Default for TypeLifetimes {
    /// A browser's are those of a working day, within what OWASP's Session Management Cheat Sheet names for
    /// applications of low risk: half an hour idle, and twelve hours in all. A program has nobody to sign in again,
    /// so its sessions live on while they are used, for at most a quarter of a year.
    fn default() -> Self {
        Self {
            browser: Lifetime {
                idle: Some(Duration::from_mins(30)),
                absolute: Some(Duration::from_hours(12)),
            },
            api: Lifetime {
                idle: Some(Duration::from_hours(30 * 24)),
                absolute: Some(Duration::from_hours(90 * 24)),
            },
        }
    }
}

/// Which of its lifetimes ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// It was not used.
    Idle,
    /// It is old.
    Absolute,
}

impl EndedBy {
    /// The word in the event.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Absolute => "absolute",
        }
    }
}

impl Lifetimes {
    /// Lifetimes without end, for every session.
    pub fn none() -> Self {
        let never = Lifetime { idle: None, absolute: None };
        Self { default: TypeLifetimes { browser: never, api: never }, pools: BTreeMap::new() }
    }

    fn of(&self, pool_id: PoolId, session_type: SessionType) -> Lifetime {
        let lifetimes = self.pools.get(&pool_id).unwrap_or(&self.default);
        match session_type {
            SessionType::Browser => lifetimes.browser,
            SessionType::Api => lifetimes.api,
        }
    }

    /// When the session's lifetime passes unless it is used again, and which one that is; `None` if it has none.
    pub fn end_of(&self, session: &SessionSummary) -> Option<(Timestamp, EndedBy)> {
        let lifetime = self.of(session.pool_id, session.session_type);
        let created_ms = session.id.0.time_ms();
        let used_ms = session.last_seen.as_ref().map_or(created_ms, |seen| seen.at.as_ms());
        let idle = lifetime.idle.map(|idle| (after(used_ms, idle), EndedBy::Idle));
        let absolute = lifetime.absolute.map(|absolute| (after(created_ms, absolute), EndedBy::Absolute));
        [absolute, idle].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// A text that is another one for other lifetimes.
    pub fn fingerprint(&self) -> String {
        format!("{self:?}")
    }
}

fn after(ms: u64, time: Duration) -> Timestamp {
    let time_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let ms = ms.saturating_add(time_ms).min(ID_TIME_MAX_MS);
    Timestamp::from_ms(ms).unwrap_or_else(|_| unreachable!("{ms} is within the bound"))
}

#[cfg(test)]
mod tests {
    use session_api::InteractionDetails;
    use session_store::contract::{id, session};

    use super::*;

    #[test]
    fn the_absolute_lifetime_counts_from_creation_and_the_idle_one_from_the_last_use() {
        let seconds = |count| Some(Duration::from_secs(count));
        let created = 1_234_567_890_000;
        let table = [
            (None, None, None, None),
            (seconds(10), None, None, Some((10_000, EndedBy::Idle))),
            (seconds(10), None, Some(4_000), Some((14_000, EndedBy::Idle))),
            (None, seconds(10), Some(4_000), Some((10_000, EndedBy::Absolute))),
            (seconds(10), seconds(12), None, Some((10_000, EndedBy::Idle))),
            (seconds(10), seconds(12), Some(4_000), Some((12_000, EndedBy::Absolute))),
            (seconds(u64::MAX), None, None, Some((ID_TIME_MAX_MS - created, EndedBy::Idle))),
        ];
        for (idle, absolute, seen, expected) in table {
            let lifetime = Lifetime { idle, absolute };
            let both = TypeLifetimes { browser: lifetime, api: lifetime };
            let lifetimes = Lifetimes { default: both, pools: BTreeMap::new() };
            let mut session = session(1).summary;
            session.last_seen = seen.map(|ms| InteractionDetails {
                at: Timestamp::from_ms(created + ms).unwrap(),
                remote_ip: None,
                user_agent: None,
            });
            let expected = expected.map(|(ms, by)| (Timestamp::from_ms(created + ms).unwrap(), by));
            assert_eq!(lifetimes.end_of(&session), expected);
        }
    }

    #[test]
    fn a_pool_and_a_type_have_lifetimes_of_their_own() {
        let of = |hours_of| Lifetime { idle: None, absolute: Some(Duration::from_hours(hours_of)) };
        let pool_id = PoolId(id(1, 77));
        let lifetimes = Lifetimes {
            default: TypeLifetimes { browser: of(1), api: of(2) },
            pools: BTreeMap::from([(pool_id, TypeLifetimes { browser: of(3), api: of(4) })]),
        };
        for (pool, session_type, expected) in [
            (session(1).summary.pool_id, SessionType::Browser, 1),
            (session(1).summary.pool_id, SessionType::Api, 2),
            (pool_id, SessionType::Browser, 3),
            (pool_id, SessionType::Api, 4),
        ] {
            let mut session = session(1).summary;
            (session.pool_id, session.session_type) = (pool, session_type);
            let ends = lifetimes.end_of(&session).unwrap().0.as_ms();
            assert_eq!(ends - session.id.0.time_ms(), expected * 60 * 60 * 1_000);
        }
        assert_ne!(lifetimes.fingerprint(), Lifetimes::default().fingerprint());
    }
}
