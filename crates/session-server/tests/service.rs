//! The rules on a real store, with the clock and the randomness held still.
#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use session_api::{
    AccountId, DomainId, Id, IdentityId, Interaction, PoolId, Revocation, SessionAuthenticate, SessionCreate,
    SessionId, SessionList, SessionStatus, SessionType, Timestamp,
};
use session_server::caller::Caller;
use session_server::environment::{Clock, Random, RandomFailed};
use session_server::limits::LimitSettings;
use session_server::origin::Origin;
use session_server::rules::lifetime::Lifetimes;
use session_server::service::{STORE_TIMEOUT, Service};
use session_server::sweep::{Retention, Swept};
use session_store::{
    ApiKey, Event, EventId, KeyId, Reference, Scope, SecretHash, Seen, SessionFilter, SqliteStore, Store,
    StoreError, StoredSession, Times,
};
use tempfile::TempDir;

/// A clock that stands until it is set.
struct Hand(AtomicU64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// "Random" bytes that count up, so that every one is known.
struct Counter(AtomicU64);

impl Random for Counter {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomFailed> {
        for byte in bytes {
            *byte = self.0.fetch_add(1, Ordering::SeqCst).to_le_bytes()[0];
        }
        Ok(())
    }
}

/// A store that counts how often a session or a key is read.
struct Counted {
    store: SqliteStore,
    reads: Arc<AtomicUsize>,
}

#[async_trait]
impl Store for Counted {
    async fn session_fetch(&self, id: SessionId) -> Result<Option<StoredSession>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.store.session_fetch(id).await
    }
    async fn session_create(&self, session: StoredSession, event: Event) -> Result<(), StoreError> {
        self.store.session_create(session, event).await
    }
    async fn session_replace(
        &self,
        session: StoredSession,
        event: Option<Event>,
    ) -> Result<bool, StoreError> {
        self.store.session_replace(session, event).await
    }
    async fn session_import(
        &self,
        sessions: Vec<(StoredSession, Event)>,
    ) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        self.store.session_import(sessions).await
    }
    async fn session_page(
        &self,
        after: Option<SessionId>,
        limit: u32,
    ) -> Result<Vec<StoredSession>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.store.session_page(after, limit).await
    }
    async fn session_list(
        &self,
        filter: SessionFilter,
        before: Option<SessionId>,
        limit: u32,
    ) -> Result<Vec<StoredSession>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.store.session_list(filter, before, limit).await
    }
    async fn session_overdue(&self, at: Timestamp, limit: u32) -> Result<Vec<StoredSession>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.store.session_overdue(at, limit).await
    }
    async fn session_revoke_all(
        &self,
        filter: SessionFilter,
        except: Option<SessionId>,
        at: Timestamp,
        event: Event,
    ) -> Result<u64, StoreError> {
        self.store.session_revoke_all(filter, except, at, event).await
    }
    async fn session_seen(&self, seen: Vec<Seen>) -> Result<(), StoreError> {
        self.store.session_seen(seen).await
    }
    async fn session_times(&self, times: Vec<Times>) -> Result<(), StoreError> {
        self.store.session_times(times).await
    }
    async fn session_remove_ended(&self, at: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.store.session_remove_ended(at, limit).await
    }
    async fn event_page(&self, after: Option<EventId>, limit: u32) -> Result<Vec<Event>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.store.event_page(after, limit).await
    }
    async fn event_remove(&self, at: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.store.event_remove(at, limit).await
    }
    async fn setting_fetch(&self, name: &'static str) -> Result<Option<String>, StoreError> {
        self.store.setting_fetch(name).await
    }
    async fn setting_replace(&self, name: &'static str, value: String) -> Result<(), StoreError> {
        self.store.setting_replace(name, value).await
    }
    async fn reference_find(
        &self,
        id: Id,
        domain_id: DomainId,
        pool_id: Option<PoolId>,
    ) -> Result<Option<Reference>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.store.reference_find(id, domain_id, pool_id).await
    }
    async fn key_fetch(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.store.key_fetch(id).await
    }
    async fn key_create(&self, key: ApiKey) -> Result<(), StoreError> {
        self.store.key_create(key).await
    }
    async fn key_list(&self) -> Result<Vec<ApiKey>, StoreError> {
        self.store.key_list().await
    }
    async fn key_revoke(&self, id: KeyId, at: Timestamp) -> Result<bool, StoreError> {
        self.store.key_revoke(id, at).await
    }
    async fn ready(&self) -> Result<(), StoreError> {
        self.store.ready().await
    }
}

struct World {
    service: Service,
    store: Arc<Counted>,
    clock: Arc<Hand>,
    reads: Arc<AtomicUsize>,
    _folder: TempDir,
}

const START_MS: u64 = 1_234_567_890_000;

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let reads = Arc::new(AtomicUsize::new(0));
    let store = Arc::new(Counted {
        store: SqliteStore::open(&folder.path().join("sessions.db")).unwrap(),
        reads: Arc::clone(&reads),
    });
    let clock = Arc::new(Hand(AtomicU64::new(START_MS)));
    let random = Arc::new(Counter(AtomicU64::new(0)));
    let limits = LimitSettings::default();
    let service =
        Service::new(store.clone(), clock.clone(), random, STORE_TIMEOUT, Lifetimes::default(), limits);
    World { service, store, clock, reads, _folder: folder }
}

fn origin() -> Origin {
    let address = "192.0.2.1".parse().unwrap();
    Origin { request_id: "a request".to_owned(), address, user_agent: None }
}

/// A key that may do everything in its pool.
fn key() -> Caller {
    Caller::Key(ApiKey {
        id: KeyId(Id::from_bytes([1; 20])),
        name: "login".to_owned(),
        domain_id: DomainId(Id::from_bytes([2; 20])),
        pool_id: Some(PoolId(Id::from_bytes([3; 20]))),
        scopes: Scope::ALL.to_vec(),
        secret_hash: SecretHash([0; 32]),
        revoked_at: None,
    })
}

impl World {
    fn pass(&self, time: Duration) -> u64 {
        let ms = u64::try_from(time.as_millis()).unwrap();
        self.clock.0.fetch_add(ms, Ordering::SeqCst) + ms
    }

    /// The result of the work and how many reads it took.
    async fn counting<T>(&self, work: impl Future<Output = T>) -> (T, usize) {
        let before = self.reads.load(Ordering::SeqCst);
        let result = work.await;
        (result, self.reads.load(Ordering::SeqCst) - before)
    }
}

fn create(interaction: Option<Interaction>) -> SessionCreate {
    SessionCreate {
        account_id: None,
        authenticated_identity_id: None,
        device_id: None,
        interaction,
        pool_id: None,
        session_type: SessionType::Browser,
        title: None,
    }
}

fn who() -> SessionAuthenticate {
    SessionAuthenticate {
        account_id: AccountId(Id::from_bytes([4; 20])),
        authenticated_identity_id: IdentityId(Id::from_bytes([5; 20])),
        interaction: Some(Interaction::default()),
    }
}

#[tokio::test]
async fn a_fetch_with_the_sessions_own_token_is_one_read() {
    let world = world();
    let made = world.service.session_create(key(), &origin(), create(None)).await.unwrap();
    let (id, token) = (made.session.summary.id, made.authtoken.expose_secret().as_bytes());
    let fetch = async {
        let caller = world.service.caller(Some(token), &origin()).await.unwrap();
        world.service.session_fetch(caller, &origin(), id).await.unwrap()
    };
    let (fetched, reads) = world.counting(fetch).await;
    assert_eq!((fetched, reads), (made.session.clone(), 1));
    let whoami = async {
        let caller = world.service.caller(Some(token), &origin()).await.unwrap();
        world.service.session_fetch_own(caller, &origin()).unwrap()
    };
    let (fetched, reads) = world.counting(whoami).await;
    assert_eq!((fetched, reads), (made.session, 1));
}

#[tokio::test]
async fn a_token_whose_checksum_is_wrong_is_refused_without_a_read() {
    let world = world();
    let made = world.service.session_create(key(), &origin(), create(None)).await.unwrap();
    let token = made.authtoken.expose_secret();
    let wrong = token.replace(&token[60..61], if &token[60..61] == "0" { "1" } else { "0" });
    for token in [&wrong, &token[..94], "sst_", "ssk_", "x"] {
        let (caller, reads) = world.counting(world.service.caller(Some(token.as_bytes()), &origin())).await;
        assert_eq!((caller.unwrap_err().code.as_str(), reads), ("bad_authtoken", 0), "{token}");
    }
}

#[tokio::test]
async fn ids_and_interactions_carry_the_time_of_the_clock() {
    let world = world();
    let made = world.service.session_create(key(), &origin(), create(None)).await.unwrap();
    let id = made.session.summary.id;
    assert_eq!((id.0.time_ms(), id.0.sequence()), (START_MS, 0));
    assert_eq!(id.to_string(), "013xrzp12g000000000g40r40m30e209", "and the bytes of the random source");

    let later = world.pass(Duration::from_millis(1_500));
    let session = world.service.session_authenticate(key(), &origin(), id, who()).await.unwrap().session;
    let summary = session.summary;
    assert_eq!(summary.status, SessionStatus::Authenticated);
    assert_eq!(summary.first_seen, summary.last_seen);
    assert_eq!(summary.first_seen.unwrap().at.as_ms(), later);

    // Back in time, as a clock that is set may go: what was seen last stays.
    world.clock.0.store(START_MS - 1, Ordering::SeqCst);
    let session = world.service.session_authenticate(key(), &origin(), id, who()).await.unwrap().session;
    assert_eq!(session.summary.last_seen.unwrap().at.as_ms(), later);
    world.clock.0.store(later + 1, Ordering::SeqCst);
    let session = world.service.session_authenticate(key(), &origin(), id, who()).await.unwrap().session;
    assert_eq!(session.summary.last_seen.unwrap().at.as_ms(), later + 1);
    assert_eq!(session.summary.first_seen.unwrap().at.as_ms(), later);
}

fn by_pool() -> Revocation {
    Revocation {
        account_id: None,
        authenticated_identity_id: None,
        device_id: None,
        except_session_id: None,
        pool_id: Some(PoolId(Id::from_bytes([3; 20]))),
    }
}

const FOR_EVER: Retention = Retention { sessions: None, events: None };

#[tokio::test]
async fn a_session_is_complete_the_millisecond_at_which_its_lifetime_passes_swept_or_not() {
    let world = world();
    // Half an hour idle, by default.
    let body = create(Some(Interaction::default()));
    let made = world.service.session_create(key(), &origin(), body).await.unwrap();
    let (id, token) = (made.session.summary.id, made.authtoken.expose_secret().as_bytes().to_vec());
    let status = async || world.service.session_fetch(key(), &origin(), id).await.unwrap().summary.status;
    let listed = async |status| {
        let query = SessionList { status: Some(status), ..SessionList::default() };
        world.service.session_list(key(), query).await.unwrap().items.len()
    };
    world.pass(Duration::from_mins(30) - Duration::from_millis(1));
    assert_eq!(status().await, SessionStatus::Unauthenticated);
    assert!(world.service.caller(Some(&token), &origin()).await.is_ok());
    assert_eq!((listed(SessionStatus::Unauthenticated).await, listed(SessionStatus::Complete).await), (1, 0));

    world.pass(Duration::from_millis(1));
    assert_eq!(status().await, SessionStatus::Complete);
    let refused = world.service.caller(Some(&token), &origin()).await.unwrap_err();
    assert_eq!(refused.code.as_str(), "bad_authtoken");
    assert_eq!((listed(SessionStatus::Unauthenticated).await, listed(SessionStatus::Complete).await), (0, 1));
    let revoked = world.service.session_revoke_many(key(), &origin(), by_pool()).await.unwrap();
    assert_eq!(revoked.revoked, 0, "it is not live any more");

    // A sweep waits until what may have been seen in time is written.
    assert_eq!(world.service.sweep(FOR_EVER).await.unwrap(), Swept::default());
    world.pass(Duration::from_secs(10));
    let swept = world.service.sweep(FOR_EVER).await.unwrap();
    assert_eq!(swept, Swept { expired: 1, ..Swept::default() });
    assert_eq!(world.service.sweep(FOR_EVER).await.unwrap(), Swept::default(), "once");
    assert_eq!((listed(SessionStatus::Unauthenticated).await, listed(SessionStatus::Complete).await), (0, 1));
}

#[tokio::test]
async fn what_was_seen_in_time_keeps_a_session_alive_though_it_is_not_written_yet() {
    let world = world();
    let body = create(Some(Interaction::default()));
    let made = world.service.session_create(key(), &origin(), body).await.unwrap();
    let (id, token) = (made.session.summary.id, made.authtoken.expose_secret().as_bytes().to_vec());
    world.pass(Duration::from_mins(29));
    let caller = world.service.caller(Some(&token), &origin()).await.unwrap();
    world.service.session_fetch_own(caller, &origin()).unwrap();
    // By what is stored, its lifetime has passed long ago.
    world.pass(Duration::from_mins(29));
    assert_eq!(world.service.sweep(FOR_EVER).await.unwrap(), Swept::default());
    let seen = world.service.session_fetch(key(), &origin(), id).await.unwrap().summary;
    assert_eq!(seen.status, SessionStatus::Unauthenticated);
    assert_eq!(seen.last_seen.unwrap().at.as_ms(), START_MS + 29 * 60 * 1_000);
    // And it is revoked with the others.
    let revoked = world.service.session_revoke_many(key(), &origin(), by_pool()).await.unwrap();
    assert_eq!(revoked.revoked, 1);
    assert!(world.service.caller(Some(&token), &origin()).await.is_err());
}

#[tokio::test]
async fn what_ended_is_removed_after_its_retention_and_not_a_millisecond_before() {
    let world = world();
    let (hour, two) = (Duration::from_hours(1), Duration::from_hours(2));
    let retention = Retention { sessions: Some(hour), events: Some(two) };
    for _ in 0..450 {
        let made = world.service.session_create(key(), &origin(), create(None)).await.unwrap();
        world.service.session_complete(key(), &origin(), made.session.summary.id).await.unwrap();
    }
    world.pass(Duration::from_mins(60 - 1) + Duration::from_millis(59_999));
    assert_eq!(world.service.sweep(retention).await.unwrap(), Swept::default());
    world.pass(Duration::from_millis(1));
    let swept = world.service.sweep(retention).await.unwrap();
    assert_eq!(swept, Swept { removed: 450, ..Swept::default() });
    // The clock stood, so all events are of the same millisecond.
    world.pass(hour);
    assert_eq!(world.service.sweep(retention).await.unwrap(), Swept::default());
    world.pass(Duration::from_millis(1));
    let swept = world.service.sweep(retention).await.unwrap();
    assert_eq!(swept, Swept { events_removed: 900, ..Swept::default() });
}

#[tokio::test]
async fn of_a_session_that_has_ended_no_token_and_no_lifetime_is_kept() {
    let world = world();
    for end in ["complete", "revoke", "lifetime"] {
        let made = world.service.session_create(key(), &origin(), create(None)).await.unwrap();
        let id = made.session.summary.id;
        let ended_at = match end {
            "complete" => {
                world.service.session_complete(key(), &origin(), id).await.map(|_| world.pass(Duration::ZERO))
            }
            "revoke" => {
                world.service.session_revoke(key(), &origin(), id).await.map(|_| world.pass(Duration::ZERO))
            }
            _ => {
                world.pass(Duration::from_hours(1));
                world.service.sweep(FOR_EVER).await.map(|_| id.0.time_ms() + 30 * 60 * 1_000)
            }
        };
        let kept = world.store.session_fetch(id).await.unwrap().unwrap();
        assert_eq!((kept.token_hash, kept.ends_at), (None, None), "{end}");
        assert_eq!(kept.ended_at.unwrap().as_ms(), ended_at.unwrap(), "{end}");
    }
}
