//! How long sessions live.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use session_store::StoredSession;
use session_types::{PoolId, SessionType, Timestamp};
use sha2::{Digest, Sha256};
use strum::AsRefStr;

/// How long a session lives; `None` is unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// From its last interaction, else from its creation.
    pub idle: Option<Duration>,
    /// From its creation.
    pub absolute: Option<Duration>,
}

/// The lifetimes of both types of session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeLifetimes {
    /// Of sessions of the type `browser`.
    pub browser: Lifetime,
    /// Of sessions of the type `api`.
    pub api: Lifetime,
}

/// The lifetimes of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lifetimes {
    /// Of pools without lifetimes of their own.
    pub default: TypeLifetimes,
    /// By pool.
    pub pools: BTreeMap<PoolId, TypeLifetimes>,
}

impl Default for TypeLifetimes {
    /// A browser's session lasts a working day, within the range that OWASP's Session Management Cheat Sheet gives for
    /// low-risk applications: half an hour idle and twelve hours in all. A program has nobody who could sign in again,
    /// so its session lasts while it is used, for at most a quarter of a year.
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

/// Which lifetime ends a session; the word is the reason in the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsRefStr)]
#[strum(serialize_all = "snake_case")]
pub enum ExpiryReason {
    /// It was not used.
    Idle,
    /// It is old.
    Absolute,
}

impl Lifetimes {
    fn of(&self, pool_id: PoolId, session_type: SessionType) -> Lifetime {
        let lifetimes = self.pools.get(&pool_id).unwrap_or(&self.default);
        match session_type {
            SessionType::Browser => lifetimes.browser,
            SessionType::Api => lifetimes.api,
        }
    }

    /// Returns when the session's lifetime passes unless it is used again, and which lifetime that is; `None` if it is
    /// unlimited.
    pub fn expiry_of(&self, session: &StoredSession) -> Option<(Timestamp, ExpiryReason)> {
        let used = session.last_seen.as_ref().map_or(session.created_at, |last| last.at);
        self.expiry_if_used(session, used)
    }

    /// As [`Lifetimes::expiry_of`], of the session if its last interaction is at `used`.
    pub(crate) fn expiry_if_used(
        &self,
        session: &StoredSession,
        used: Timestamp,
    ) -> Option<(Timestamp, ExpiryReason)> {
        let lifetime = self.of(session.pool_id, session.session_type);
        let created = session.created_at;
        let idle = lifetime.idle.map(|idle| (used.saturating_add(idle), ExpiryReason::Idle));
        let absolute =
            lifetime.absolute.map(|absolute| (created.saturating_add(absolute), ExpiryReason::Absolute));
        [absolute, idle].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// Returns a text that is the same for the same lifetimes, on every node and in every version: the SHA-256, in
    /// hexadecimal, of lines that name every lifetime in milliseconds.
    pub fn digest(&self) -> String {
        // Without `..`, so that a new field that is not in the lines does not compile.
        let Self { default, pools } = self;
        let mut hash = Sha256::new();
        let mut add = |scope: &str, TypeLifetimes { browser, api }: &TypeLifetimes| {
            for (session_type, Lifetime { idle, absolute }) in [("browser", browser), ("api", api)] {
                for (name, lifetime) in [("idle", idle), ("absolute", absolute)] {
                    let lifetime = lifetime
                        .map_or_else(|| "unlimited".to_owned(), |lifetime| lifetime.as_millis().to_string());
                    hash.update(format!("{scope}.{session_type}.{name} {lifetime}\n"));
                }
            }
        };
        add("default", default);
        for (pool_id, lifetimes) in pools {
            add(&pool_id.to_string(), lifetimes);
        }
        hash.finalize().iter().fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

#[cfg(test)]
mod tests {
    use session_store::contract_suite::{id, session};
    use session_types::{ID_TIME_MAX_MS, InteractionDetails};

    use super::*;

    #[test]
    fn the_absolute_lifetime_counts_from_creation_and_the_idle_one_from_the_last_use() {
        let seconds = |count| Some(Duration::from_secs(count));
        let created = 1_234_567_890_000;
        let table = [
            (None, None, None, None),
            (seconds(10), None, None, Some((10_000, ExpiryReason::Idle))),
            (seconds(10), None, Some(4_000), Some((14_000, ExpiryReason::Idle))),
            (None, seconds(10), Some(4_000), Some((10_000, ExpiryReason::Absolute))),
            (seconds(10), seconds(12), None, Some((10_000, ExpiryReason::Idle))),
            (seconds(10), seconds(12), Some(4_000), Some((12_000, ExpiryReason::Absolute))),
            (seconds(u64::MAX), None, None, Some((ID_TIME_MAX_MS - created, ExpiryReason::Idle))),
        ];
        for (idle, absolute, seen, expected) in table {
            let lifetime = Lifetime { idle, absolute };
            let both = TypeLifetimes { browser: lifetime, api: lifetime };
            let lifetimes = Lifetimes { default: both, pools: BTreeMap::new() };
            let mut session = session(1);
            session.last_seen = seen.map(|ms| InteractionDetails {
                at: Timestamp::from_ms(created + ms).unwrap(),
                remote_ip: None,
                user_agent: None,
            });
            let expected = expected.map(|(ms, by)| (Timestamp::from_ms(created + ms).unwrap(), by));
            assert_eq!(lifetimes.expiry_of(&session), expected);
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
            (session(1).pool_id, SessionType::Browser, 1),
            (session(1).pool_id, SessionType::Api, 2),
            (pool_id, SessionType::Browser, 3),
            (pool_id, SessionType::Api, 4),
        ] {
            let mut session = session(1);
            (session.pool_id, session.session_type) = (pool, session_type);
            let ends = lifetimes.expiry_of(&session).unwrap().0.as_ms();
            assert_eq!(ends - session.id.0.time_ms(), expected * 60 * 60 * 1_000);
        }
    }

    #[test]
    fn the_digest_is_the_same_in_every_version_and_differs_for_each_lifetime() {
        let digest = |pool: Option<TypeLifetimes>, default: TypeLifetimes| {
            let pools = pool.map(|lifetimes| (PoolId(id(1, 77)), lifetimes)).into_iter().collect();
            Lifetimes { default, pools }.digest()
        };
        let default = TypeLifetimes::default();
        // printf 'default.browser.idle 1800000\ndefault.browser.absolute 43200000\ndefault.api.idle 2592000000\n
        // default.api.absolute 7776000000\n' | sha256sum
        assert_eq!(digest(None, default), "2315e274d14225dd645ed10a334947ae7726d69e8de71194235d0a3fe5968a50");
        let other = Some(Duration::from_millis(1));
        let mut changed = [default; 6];
        changed[0].browser.idle = other;
        changed[1].browser.absolute = other;
        changed[2].api.idle = other;
        changed[3].api.absolute = other;
        changed[4].browser.idle = None;
        changed[5].browser.idle = Some(Duration::from_millis(2));
        let of_pool = [default].into_iter().chain(changed).map(|pool| digest(Some(pool), default));
        let of_default = [default].into_iter().chain(changed).map(|default| digest(None, default));
        let all: Vec<_> = of_pool.chain(of_default).collect();
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }
}
