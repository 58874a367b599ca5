//! Rate limits: failed authentications by address and by ID, creations by key.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use ipnet::IpNet;
use session_store::KeyId;
use session_types::{DomainId, Id};

use crate::error::Error;
use crate::origin::contains;

/// How many keys a limiter may store before it removes those whose quota is full again; each takes about 100 bytes.
const KEYS_MAX: usize = 100_000;

/// The least time between two such removals, as each scans all keys.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(10);

/// The limits of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitSettings {
    /// Networks without limits.
    pub trusted: Vec<IpNet>,
    /// Failed authentications per minute, by address and by the ID of the key or session.
    pub failed_authentications: NonZeroU32,
    /// Creations per minute, by key.
    pub creations: NonZeroU32,
    /// Revocations of many sessions per minute, by key or account.
    pub revocations: NonZeroU32,
}

impl Default for LimitSettings {
    /// No network is without limits: a proxy on the same host, whose header is not believed, would switch off all of them.
    /// Tokens are not typed by people, so a few failures are many; a login flow, which has a key of its own, creates one
    /// session per visitor, and 100 visitors a second are many. A person signs out everywhere a few times a day, and a
    /// service that signs out one account after another does with ten a second; a revocation takes the writer a
    /// millisecond, or some ten if it finds hundreds of sessions.
    fn default() -> Self {
        const FAILED_AUTHENTICATIONS: NonZeroU32 = NonZeroU32::new(60).expect("not zero");
        const CREATIONS: NonZeroU32 = NonZeroU32::new(6_000).expect("not zero");
        const REVOCATIONS: NonZeroU32 = NonZeroU32::new(600).expect("not zero");
        Self {
            trusted: Vec::new(),
            failed_authentications: FAILED_AUTHENTICATIONS,
            creations: CREATIONS,
            revocations: REVOCATIONS,
        }
    }
}

/// A rate limiter with one quota for each key.
struct Keyed<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, DashMapStateStore<K>, DefaultClock>,
    last_cleanup: Mutex<Instant>,
}

impl<K: Hash + Eq + Clone> Keyed<K> {
    fn new(per_minute: NonZeroU32) -> Self {
        let limiter = RateLimiter::dashmap(Quota::per_minute(per_minute));
        Self { limiter, last_cleanup: Mutex::new(Instant::now()) }
    }

    /// Counts one event of this key. Fails over the limit.
    fn count(&self, key: &K, what: &str) -> Result<(), Error> {
        if self.limiter.len() > KEYS_MAX
            && let Ok(mut last_cleanup) = self.last_cleanup.try_lock()
            && last_cleanup.elapsed() > CLEANUP_INTERVAL
        {
            self.limiter.retain_recent();
            *last_cleanup = Instant::now();
        }
        self.limiter.check_key(key).map_err(|until| {
            let seconds = whole_seconds(until.wait_time_from(DefaultClock::default().now()));
            Error::limited(format!("too many {what}; try again in {seconds} s"), seconds)
        })
    }
}

/// Returns the seconds of `Retry-After` for this wait: rounded up, and at least 1.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_nanos().div_ceil(1_000_000_000).try_into().unwrap_or(u64::MAX).max(1)
}

/// Returns the key by which an address is limited: the address itself, or for IPv6 its /64 network, which belongs to one
/// host or home.
fn rate_limit_key(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
    }
}

/// The rate limits of one server, by the monotonic clock.
pub struct Limits {
    trusted: Vec<IpNet>,
    failures_by_address: Keyed<IpAddr>,
    failures_by_id: Keyed<Id>,
    creations_by_key: Keyed<KeyId>,
    revocations: Keyed<(DomainId, Id)>,
}

impl Limits {
    /// Creates the limits with these settings.
    pub fn new(settings: LimitSettings) -> Self {
        Self {
            trusted: settings.trusted,
            failures_by_address: Keyed::new(settings.failed_authentications),
            failures_by_id: Keyed::new(settings.failed_authentications),
            creations_by_key: Keyed::new(settings.creations),
            revocations: Keyed::new(settings.revocations),
        }
    }

    /// Counts a failed authentication. Fails over the limit of the address, or over that of the ID of the key or session in
    /// the token, which counts all addresses together.
    pub fn failed_authentication(&self, address: IpAddr, id: Option<Id>) -> Result<(), Error> {
        if contains(&self.trusted, address) {
            return Ok(());
        }
        self.failures_by_address
            .count(&rate_limit_key(address), "authentications from this address failed")?;
        let what = "authentications with this token's ID failed";
        id.map_or(Ok(()), |id| self.failures_by_id.count(&id, what))
    }

    /// Counts a creation with a key. Fails over the limit of the key, which counts all addresses together. The address
    /// is counted by no limit, as the services of many tenants may share it.
    pub fn creation(&self, address: IpAddr, key: KeyId) -> Result<(), Error> {
        if contains(&self.trusted, address) {
            return Ok(());
        }
        self.creations_by_key.count(&key, "sessions were created with this API key")
    }

    /// Counts a revocation of many sessions. Fails over the limit of the caller, which is a key or an account of the domain.
    /// No network is without this limit: it is about what a revocation costs the store.
    pub fn revocation(&self, domain_id: DomainId, caller: Id) -> Result<(), Error> {
        self.revocations.count(&(domain_id, caller), "revocations of many sessions")
    }
}

#[cfg(test)]
mod tests {
    use session_types::ErrorCode;

    use super::*;

    fn limits(failed: u32, creations: u32) -> Limits {
        Limits::new(LimitSettings {
            failed_authentications: NonZeroU32::new(failed).unwrap(),
            creations: NonZeroU32::new(creations).unwrap(),
            ..LimitSettings::default()
        })
    }

    #[test]
    fn an_address_is_limited_by_itself_and_the_error_says_when_to_try_again() {
        let limits = limits(2, 1);
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|address| address.parse().unwrap());
        assert!(limits.failed_authentication(one, None).is_ok());
        assert!(limits.failed_authentication(one, None).is_ok());
        let error = limits.failed_authentication(one, None).unwrap_err();
        assert_eq!(error.code, ErrorCode::BadRequest);
        assert!(error.retry_after_s.is_some_and(|seconds| (1..=30).contains(&seconds)), "{error:?}");
        assert!(limits.failed_authentication(other, None).is_ok());
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_limited_together() {
        let limits = limits(1, 1);
        let fail = |address: &str| limits.failed_authentication(address.parse().unwrap(), None);
        assert!(fail("2001:db8:1:2::1").is_ok());
        assert!(fail("2001:db8:1:2:ffff::2").is_err());
        assert!(fail("2001:db8:1:3::1").is_ok());
    }

    #[test]
    fn failed_authentications_with_one_id_are_limited_from_all_addresses_together() {
        let limits = limits(2, 1);
        let guess = |last: u8, id| limits.failed_authentication(IpAddr::from([192, 0, 2, last]), Some(id));
        let id = Id::from_bytes([1; 20]);
        assert!(guess(1, id).is_ok() && guess(2, id).is_ok());
        assert!(guess(3, id).is_err());
        assert!(guess(4, Id::from_bytes([2; 20])).is_ok());
    }

    #[test]
    fn a_key_is_limited_from_all_addresses_together() {
        let limits = limits(1, 2);
        let key = KeyId(Id::from_bytes([1; 20]));
        let create = |last: u8, key| limits.creation(IpAddr::from([192, 0, 2, last]), key);
        assert!(create(1, key).is_ok() && create(2, key).is_ok());
        assert!(create(3, key).is_err());
        assert!(create(4, KeyId(Id::from_bytes([2; 20]))).is_ok());
    }

    #[test]
    fn a_caller_of_revocations_is_limited_within_its_domain() {
        let settings = LimitSettings { revocations: NonZeroU32::new(2).unwrap(), ..LimitSettings::default() };
        let limits = Limits::new(settings);
        let [one, other] = [1, 2].map(|byte| Id::from_bytes([byte; 20]));
        let revoke = |domain, caller| limits.revocation(DomainId(domain), caller);
        assert!(revoke(one, one).is_ok() && revoke(one, one).is_ok());
        let error = revoke(one, one).unwrap_err();
        assert_eq!((error.status.as_u16(), error.code), (429, ErrorCode::BadRequest));
        assert!(error.retry_after_s.is_some());
        assert!(revoke(one, other).is_ok() && revoke(other, one).is_ok());
    }

    #[test]
    fn keys_behind_one_address_do_not_limit_each_other() {
        let limits = limits(1, 1);
        let create = |key| limits.creation(IpAddr::from([192, 0, 2, 1]), KeyId(Id::from_bytes([key; 20])));
        assert!(create(1).is_ok() && create(1).is_err());
        assert!(create(2).is_ok());
    }

    #[test]
    fn a_trusted_network_is_without_limits_and_by_default_none_is() {
        let trusted = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        let one = NonZeroU32::new(1).unwrap();
        let settings =
            LimitSettings { failed_authentications: one, creations: one, ..LimitSettings::default() };
        let key = KeyId(Id::from_bytes([1; 20]));
        for (address, is_trusted) in [("127.0.0.1", true), ("127.8.8.8", true), ("::1", true), ("::2", false)]
        {
            let address = address.parse().unwrap();
            for (settings, expected) in [
                (LimitSettings { trusted: trusted.clone(), ..settings.clone() }, is_trusted),
                (settings.clone(), false),
            ] {
                let limits = Limits::new(settings);
                let fail = || limits.failed_authentication(address, None).is_ok();
                let create = || limits.creation(address, key).is_ok();
                assert!(fail() && create(), "{address}");
                assert_eq!((fail(), create()), (expected, expected), "{address}");
            }
        }
    }

    #[test]
    fn a_wait_is_whole_seconds_rounded_up() {
        for (wait_ms, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (59_999, 60), (60_000, 60)] {
            assert_eq!(whole_seconds(Duration::from_millis(wait_ms)), seconds, "{wait_ms} ms");
        }
    }

    /// A limiter that has counted this many keys, whose quotas are full again, and whose last cleanup is this long ago.
    fn recovered(keys: usize, since_cleanup: Duration) -> Keyed<usize> {
        // One event is forgotten after a millisecond.
        let limiter = Keyed::new(NonZeroU32::new(60_000).unwrap());
        for key in 0..keys {
            assert!(limiter.limiter.check_key(&key).is_ok());
        }
        std::thread::sleep(Duration::from_millis(20));
        *limiter.last_cleanup.lock().unwrap() = Instant::now().checked_sub(since_cleanup).unwrap();
        limiter
    }

    #[test]
    fn keys_with_a_full_quota_are_removed_only_beyond_the_limit_and_after_the_interval() {
        let after = CLEANUP_INTERVAL + Duration::from_millis(1);
        for (keys, since_cleanup, expected) in [
            (KEYS_MAX - 1, after, KEYS_MAX),
            (KEYS_MAX, after, KEYS_MAX + 1),
            (KEYS_MAX + 1, after, 1),
            (KEYS_MAX + 1, Duration::ZERO, KEYS_MAX + 2),
        ] {
            let limiter = recovered(keys, since_cleanup);
            assert!(limiter.count(&usize::MAX, "events").is_ok());
            assert_eq!(
                limiter.limiter.len(),
                expected,
                "{keys} keys, {since_cleanup:?} after the last cleanup"
            );
        }
    }
}
