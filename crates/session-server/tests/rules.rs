//! The rules on a real store, with a manual clock and predictable randomness.
#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::FutureExt;
use futures::executor::block_on;
use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretBox};
use session_api::{
    AvailableActions, Interaction, Operation, Revocation, Session, SessionAuthenticate, SessionCreate,
    SessionJson, SessionList, SessionWithAuthtoken,
};
use session_server::authn::authenticate;
use session_server::caller::Caller;
use session_server::credential::{Credential, Kind};
use session_server::environment::{Clock, Random, RandomFailed};
use session_server::error::Error;
use session_server::lifecycle::lifetime::Lifetimes;
use session_server::limits::{LimitSettings, Limits};
use session_server::origin::Origin;
use session_server::read_cache::ReadCacheSettings;
use session_server::request::{Prefetched, Request};
use session_server::rules::authenticate_session::authenticate_session;
use session_server::rules::create_session::create_session;
use session_server::rules::end_session::{complete_session, revoke_session};
use session_server::rules::fetch_session::{fetch_own_session, fetch_session};
use session_server::rules::list_sessions::list_sessions;
use session_server::rules::revoke_sessions::revoke_sessions;
use session_server::sessions::Sessions;
use session_server::storage::{STORE_TIMEOUT, Storage};
use session_server::stored_lifetimes::apply_part;
use session_server::sweep::{Retention, Swept, sweep};
use session_store::{
    ApiKey, Event, EventId, Events as _, Idempotency as _, IdempotencyRecord, KeyId, Keys as _, LastSeen,
    NodeId, NodeReport, Page, RecordId, ReferenceKind, SecretHash, SessionFilter, Sessions as _, SqliteStore,
    Store, StoreError, StoredSession, TokenGuard,
};
use session_types::{
    AccountId, DomainId, ErrorCode, Id, IdentityId, PoolId, Scope, SessionId, SessionStatus, SessionType,
    Timestamp,
};
use strum::VariantArray;
use tempfile::TempDir;

#[path = "rules/clock.rs"]
mod clock;
#[path = "rules/contention.rs"]
mod contention;
#[path = "rules/last_seen.rs"]
mod last_seen;
#[path = "rules/nodes.rs"]
mod nodes;
#[path = "rules/read_cache.rs"]
mod read_cache;
#[path = "rules/repeatable.rs"]
mod repeatable;
#[path = "rules/round_trips.rs"]
mod round_trips;

/// A clock that stands still until the test moves it.
struct ManualClock {
    /// The right time.
    right_ms: AtomicU64,
    /// How far the wall clock is ahead of it.
    ahead_ms: AtomicU64,
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let (right, ahead) = (self.right_ms.load(Ordering::SeqCst), self.ahead_ms.load(Ordering::SeqCst));
        Timestamp::from_ms(right + ahead).unwrap()
    }

    fn monotonic(&self) -> Instant {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        *START + Duration::from_millis(self.right_ms.load(Ordering::SeqCst))
    }
}

/// "Random" bytes that count up, so that each is known.
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
    /// Whether reading a key fails.
    broken: AtomicBool,
    /// What another node does right before the next change of this one.
    before_change: Mutex<Option<BoxFuture<'static, ()>>>,
    /// How many changes of one session were made.
    replaced: AtomicUsize,
    /// How long the reading of a key takes, in milliseconds.
    key_ms: AtomicU64,
    /// How long the reading of a session takes, in milliseconds.
    session_ms: AtomicU64,
}

impl Counted {
    async fn let_others_change(&self) {
        let other = self.before_change.lock().unwrap().take();
        if let Some(other) = other {
            other.await;
        }
    }
}

/// Waits for this many milliseconds, if any.
async fn take(ms: &AtomicU64) {
    let ms = ms.load(Ordering::SeqCst);
    if ms > 0 {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

#[async_trait]
impl session_store::Sessions for Counted {
    async fn session_fetch(&self, id: SessionId) -> Result<Option<StoredSession>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        take(&self.session_ms).await;
        self.store.session_fetch(id).await
    }
    async fn session_create(
        &self,
        session: StoredSession,
        event: Event,
        record: Option<IdempotencyRecord>,
    ) -> Result<(), StoreError> {
        self.store.session_create(session, event, record).await
    }
    async fn session_replace(
        &self,
        session: StoredSession,
        event: Option<Event>,
        token: Option<TokenGuard>,
        record: Option<IdempotencyRecord>,
    ) -> Result<bool, StoreError> {
        self.let_others_change().await;
        let replaced = self.store.session_replace(session, event, token, record).await?;
        self.replaced.fetch_add(usize::from(replaced), Ordering::SeqCst);
        Ok(replaced)
    }
    async fn session_replace_many(
        &self,
        sessions: Vec<(StoredSession, Option<Event>)>,
    ) -> Result<Vec<bool>, StoreError> {
        self.store.session_replace_many(sessions).await
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
    ) -> Result<Page<StoredSession>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.store.session_page(after, limit).await
    }
    async fn session_list(
        &self,
        filter: SessionFilter,
        before: Option<SessionId>,
        limit: u32,
    ) -> Result<Page<StoredSession>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.store.session_list(filter, before, limit).await
    }
    async fn session_list_expired(
        &self,
        at: Timestamp,
        limit: u32,
    ) -> Result<Page<StoredSession>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.store.session_list_expired(at, limit).await
    }
    async fn session_update_last_seen(&self, last_seen: Vec<LastSeen>) -> Result<(), StoreError> {
        self.store.session_update_last_seen(last_seen).await
    }
    async fn session_delete_ended(&self, at: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.store.session_delete_ended(at, limit).await
    }
    async fn reference_find(
        &self,
        id: Id,
        domain_id: DomainId,
        pool_id: Option<PoolId>,
    ) -> Result<Option<ReferenceKind>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.store.reference_find(id, domain_id, pool_id).await
    }
}

#[async_trait]
impl session_store::Revocations for Counted {
    async fn session_revoke_many(
        &self,
        revocation: session_store::Revocation,
        token: Option<TokenGuard>,
    ) -> Result<u64, StoreError> {
        self.let_others_change().await;
        self.store.session_revoke_many(revocation, token).await
    }
    async fn revocation_write(&self, now: Timestamp) -> Result<bool, StoreError> {
        self.store.revocation_write(now).await
    }
}

#[async_trait]
impl session_store::Keys for Counted {
    async fn key_fetch(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        take(&self.key_ms).await;
        if self.broken.load(Ordering::SeqCst) {
            return Err(StoreError::Failed("broken".to_owned()));
        }
        self.store.key_fetch(id).await
    }
    async fn key_and_session_fetch(
        &self,
        key: KeyId,
        session: SessionId,
    ) -> Result<(Option<ApiKey>, Result<Option<StoredSession>, StoreError>), StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        futures::future::join(take(&self.key_ms), take(&self.session_ms)).await;
        if self.broken.load(Ordering::SeqCst) {
            return Err(StoreError::Failed("broken".to_owned()));
        }
        self.store.key_and_session_fetch(key, session).await
    }
    async fn key_create(&self, key: ApiKey) -> Result<(), StoreError> {
        self.store.key_create(key).await
    }
    async fn key_page(&self, after: Option<KeyId>, limit: u32) -> Result<Page<ApiKey>, StoreError> {
        self.store.key_page(after, limit).await
    }
    async fn key_revoke(&self, id: KeyId, at: Timestamp) -> Result<bool, StoreError> {
        self.store.key_revoke(id, at).await
    }
}

#[async_trait]
impl session_store::Events for Counted {
    async fn event_page(&self, after: Option<EventId>, limit: u32) -> Result<Page<Event>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.store.event_page(after, limit).await
    }
    async fn event_delete(&self, at: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.store.event_delete(at, limit).await
    }
}

#[async_trait]
impl session_store::Idempotency for Counted {
    async fn record_fetch(&self, id: RecordId) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.store.record_fetch(id).await
    }
    async fn record_delete(&self, at: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.store.record_delete(at, limit).await
    }
}

#[async_trait]
impl session_store::Settings for Counted {
    async fn setting_fetch(&self, name: &'static str) -> Result<Option<String>, StoreError> {
        self.store.setting_fetch(name).await
    }
    async fn setting_replace(&self, name: &'static str, value: String) -> Result<(), StoreError> {
        self.store.setting_replace(name, value).await
    }
}

#[async_trait]
impl session_store::Nodes for Counted {
    async fn node_report(
        &self,
        node: NodeId,
        settings: String,
        ttl: Duration,
    ) -> Result<Vec<NodeReport>, StoreError> {
        self.store.node_report(node, settings, ttl).await
    }
    async fn lease_acquire(
        &self,
        name: &'static str,
        holder: NodeId,
        duration: Duration,
    ) -> Result<bool, StoreError> {
        self.store.lease_acquire(name, holder, duration).await
    }
}

#[async_trait]
impl Store for Counted {
    async fn ready(&self) -> Result<(), StoreError> {
        self.store.ready().await
    }
}

struct World {
    sessions: Arc<Sessions>,
    limits: Arc<Limits>,
    store: Arc<Counted>,
    clock: Arc<ManualClock>,
    reads: Arc<AtomicUsize>,
    folder: Arc<TempDir>,
}

const START_MS: u64 = 1_234_567_890_000;

fn world() -> World {
    world_with(None)
}

/// With a cache of these settings, if any.
fn world_with(read_cache: Option<ReadCacheSettings>) -> World {
    let folder = tempfile::tempdir().unwrap();
    let reads = Arc::new(AtomicUsize::new(0));
    let store = Arc::new(Counted {
        store: SqliteStore::open(&folder.path().join("sessions.db")).unwrap(),
        reads: Arc::clone(&reads),
        broken: AtomicBool::new(false),
        before_change: Mutex::new(None),
        replaced: AtomicUsize::new(0),
        key_ms: AtomicU64::new(0),
        session_ms: AtomicU64::new(0),
    });
    let clock = Arc::new(ManualClock { right_ms: AtomicU64::new(START_MS), ahead_ms: AtomicU64::new(0) });
    let random = Arc::new(Counter(AtomicU64::new(0)));
    let mut storage = Storage::new(store.clone(), clock.clone(), random, STORE_TIMEOUT);
    if let Some(settings) = read_cache {
        storage.cache_reads(settings);
    }
    let sessions = Arc::new(Sessions::new(storage, Lifetimes::default()));
    // As a server does when it starts.
    let applied = block_on(apply_part(&sessions, || true)).unwrap();
    assert!(applied.is_last);
    let limits = Arc::new(Limits::new(LimitSettings::default()));
    World { sessions, limits, store, clock, reads, folder: Arc::new(folder) }
}

fn origin() -> Origin {
    let address = "192.0.2.1".parse().unwrap();
    Origin { request_id: "a request".to_owned(), address, user_agent: None }
}

/// A key that may do everything in its pool.
fn key() -> Caller {
    Caller::Key(Arc::new(ApiKey {
        id: KeyId(Id::from_bytes([1; 20])),
        name: "login".to_owned(),
        domain_id: DomainId(Id::from_bytes([2; 20])),
        pool_id: Some(PoolId(Id::from_bytes([3; 20]))),
        scopes: Scope::VARIANTS.to_vec(),
        secret_hash: SecretHash([0; 32]),
        revoked_at: None,
    }))
}

impl World {
    /// Moves the clock forward. Returns the time then, in milliseconds.
    fn pass(&self, time: Duration) -> u64 {
        let ms = u64::try_from(time.as_millis()).unwrap();
        self.clock.right_ms.fetch_add(ms, Ordering::SeqCst) + ms
    }

    /// The result of the work and how many reads of the store it took.
    async fn counting<T>(&self, work: impl Future<Output = T>) -> (T, usize) {
        let before = self.reads.load(Ordering::SeqCst);
        let result = work.await;
        (result, self.reads.load(Ordering::SeqCst) - before)
    }

    fn request(&self, operation: Operation, caller: Caller) -> Request {
        let (sessions, limits) = (Arc::clone(&self.sessions), Arc::clone(&self.limits));
        let id = match &caller {
            Caller::Key(key) => key.id.0,
            Caller::Session(session) => session.id.0,
        };
        let credential = Credential::new(Kind::ApiKey, id, SecretBox::new(Box::new([7; 32])));
        let prefetched = Prefetched::default();
        Request { operation, caller, credential, prefetched, origin: origin(), sessions, limits }
    }

    async fn caller(&self, token: &[u8]) -> Result<Caller, Error> {
        let authenticated = authenticate(&self.sessions, &self.limits, Some(token), None, &origin()).await;
        authenticated.map(|(caller, _, _)| caller)
    }

    async fn create(&self, interaction: Option<Interaction>) -> SessionWithAuthtoken {
        create_session(self.request(Operation::CreateSession, key()), None, create(interaction))
            .await
            .unwrap()
    }

    async fn fetch(&self, caller: Caller, id: SessionId) -> Session {
        session_of(fetch_session(self.request(Operation::FetchSession, caller), id).await.unwrap())
    }

    fn fetch_own(&self, caller: Caller) -> Session {
        session_of(fetch_own_session(&self.request(Operation::FetchOwnSession, caller)).unwrap())
    }

    async fn authenticate(&self, id: SessionId) -> Session {
        let request = self.request(Operation::AuthenticateSession, key());
        authenticate_session(request, id, None, who()).await.unwrap().session
    }

    async fn complete(&self, id: SessionId) {
        complete_session(self.request(Operation::CompleteSession, key()), id).await.unwrap();
    }

    async fn revoke_pool(&self) -> u64 {
        revoke_sessions(self.request(Operation::RevokeSessions, key()), by_pool()).await.unwrap().revoked
    }

    async fn count_with(&self, status: SessionStatus) -> usize {
        let query = SessionList { status: Some(status), ..SessionList::default() };
        list_sessions(self.request(Operation::ListSessions, key()), query).await.unwrap().items.len()
    }

    async fn sweep(&self, retention: Retention) -> Swept {
        sweep(&self.sessions, retention).await.unwrap()
    }
}

/// The session of a response.
fn session_of(json: SessionJson) -> Session {
    let json: serde_json::Value = serde_json::from_slice(&json.into_bytes()).unwrap();
    Session {
        actions: AvailableActions { revoke: json["actions"]["revoke"].as_bool().unwrap() },
        summary: serde_json::from_value(json["summary"].clone()).unwrap(),
    }
}

fn create(interaction: Option<Interaction>) -> SessionCreate {
    SessionCreate { interaction, ..SessionCreate::new(SessionType::Browser) }
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
    let created = world.create(None).await;
    let (id, token) = (created.session.summary.id, created.authtoken.expose_secret().as_bytes());
    let fetch = async {
        let caller = world.caller(token).await.unwrap();
        world.fetch(caller, id).await
    };
    let (fetched, reads) = world.counting(fetch).await;
    assert_eq!((fetched, reads), (created.session.clone(), 1));
    let whoami = async {
        let caller = world.caller(token).await.unwrap();
        world.fetch_own(caller)
    };
    let (fetched, reads) = world.counting(whoami).await;
    assert_eq!((fetched, reads), (created.session, 1));
}

#[tokio::test]
async fn a_token_whose_checksum_is_wrong_is_refused_without_a_read() {
    let world = world();
    let created = world.create(None).await;
    let token = created.authtoken.expose_secret();
    let wrong = token.replace(&token[60..61], if &token[60..61] == "0" { "1" } else { "0" });
    for token in [&wrong, &token[..94], "sst_", "ssk_", "x"] {
        let (caller, reads) = world.counting(world.caller(token.as_bytes())).await;
        assert_eq!((caller.unwrap_err().code, reads), (ErrorCode::BadAuthtoken, 0), "{token}");
    }
}

#[tokio::test]
async fn a_session_of_another_tenant_takes_the_same_reads_as_one_that_does_not_exist() {
    let world = world();
    let id = world.create(None).await.session.summary.id;
    let Caller::Key(own) = key() else { unreachable!() };
    let domain_id = DomainId(Id::from_bytes([9; 20]));
    let stranger = || Caller::Key(Arc::new(ApiKey { domain_id, ..ApiKey::clone(&own) }));
    for id in [id, SessionId(Id::from_bytes([8; 20]))] {
        let fetch = fetch_session(world.request(Operation::FetchSession, stranger()), id);
        let (fetched, reads) = world.counting(fetch).await;
        assert_eq!((fetched.unwrap_err().code, reads), (ErrorCode::NotFound, 2));
    }
}

#[tokio::test]
async fn ids_and_interactions_have_the_time_of_the_clock() {
    let world = world();
    let created = world.create(None).await;
    let id = created.session.summary.id;
    assert_eq!((id.0.time_ms(), id.0.sequence()), (START_MS, 0));
    assert_eq!(id.to_string(), "013xrzp12g000000000g40r40m30e209", "and the bytes of the random source");

    let later = world.pass(Duration::from_millis(1_500));
    let session = world.authenticate(id).await;
    let summary = session.summary;
    assert_eq!(summary.status, SessionStatus::Authenticated);
    assert_eq!(summary.first_seen, summary.last_seen);
    assert_eq!(summary.first_seen.unwrap().at.as_ms(), later);

    // Back in time, as when the clock is set: what is in the future counts as now.
    world.clock.right_ms.store(START_MS - 1, Ordering::SeqCst);
    let session = world.authenticate(id).await;
    assert_eq!(session.summary.last_seen.unwrap().at.as_ms(), START_MS - 1);
    world.clock.right_ms.store(later + 1, Ordering::SeqCst);
    let session = world.authenticate(id).await;
    assert_eq!(session.summary.last_seen.unwrap().at.as_ms(), later + 1);
    assert_eq!(session.summary.first_seen.unwrap().at.as_ms(), START_MS - 1);
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
async fn a_session_is_complete_from_the_millisecond_at_which_its_lifetime_passes() {
    let world = world();
    // Half an hour idle, by default.
    let created = world.create(Some(Interaction::default())).await;
    let (id, token) = (created.session.summary.id, created.authtoken.expose_secret().as_bytes().to_vec());
    let status = async || world.fetch(key(), id).await.summary.status;
    world.pass(Duration::from_mins(30) - Duration::from_millis(1));
    assert_eq!(status().await, SessionStatus::Unauthenticated);
    assert!(world.caller(&token).await.is_ok());
    assert_eq!(
        (
            world.count_with(SessionStatus::Unauthenticated).await,
            world.count_with(SessionStatus::Complete).await
        ),
        (1, 0)
    );

    world.pass(Duration::from_millis(1));
    assert_eq!(status().await, SessionStatus::Complete);
    let refused = world.caller(&token).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::BadAuthtoken);
    assert_eq!(
        (
            world.count_with(SessionStatus::Unauthenticated).await,
            world.count_with(SessionStatus::Complete).await
        ),
        (0, 1)
    );

    // A sweep waits until interactions from before that are written.
    assert_eq!(world.sweep(FOR_EVER).await, Swept::default());
    world.pass(Duration::from_secs(10));
    let swept = world.sweep(FOR_EVER).await;
    assert_eq!(swept, Swept { expired: 1, ..Swept::default() });
    assert_eq!(world.sweep(FOR_EVER).await, Swept::default(), "once");
    assert_eq!(
        (
            world.count_with(SessionStatus::Unauthenticated).await,
            world.count_with(SessionStatus::Complete).await
        ),
        (0, 1)
    );
}

#[tokio::test]
async fn an_interaction_in_time_keeps_a_session_alive_before_it_is_written() {
    let world = world();
    let created = world.create(Some(Interaction::default())).await;
    let (id, token) = (created.session.summary.id, created.authtoken.expose_secret().as_bytes().to_vec());
    world.pass(Duration::from_mins(29));
    let caller = world.caller(&token).await.unwrap();
    world.fetch_own(caller);
    // By the stored times, its lifetime has passed long ago.
    world.pass(Duration::from_mins(29));
    assert_eq!(world.sweep(FOR_EVER).await, Swept::default());
    let seen = world.fetch(key(), id).await.summary;
    assert_eq!(seen.status, SessionStatus::Unauthenticated);
    assert_eq!(seen.last_seen.unwrap().at.as_ms(), START_MS + 29 * 60 * 1_000);
    // And it is revoked with the others.
    assert_eq!(world.revoke_pool().await, 1);
    assert!(world.caller(&token).await.is_err());
}

#[tokio::test]
async fn a_sweep_skips_a_session_that_cannot_be_read() {
    let world = world();
    let damaged = world.create(None).await.session.summary.id;
    world.create(None).await;
    let connection = rusqlite::Connection::open(world.folder.path().join("sessions.db")).unwrap();
    let sql = "UPDATE session SET title = printf('%0300d', 1) WHERE id = ?";
    assert_eq!(connection.execute(sql, [damaged.0.as_bytes()]), Ok(1));
    world.pass(Duration::from_hours(24));
    assert_eq!(world.sweep(FOR_EVER).await, Swept { expired: 1, ..Swept::default() });
    assert_eq!(world.count_with(SessionStatus::Complete).await, 1);
}

#[tokio::test]
async fn an_ended_session_is_deleted_after_its_retention_and_not_a_millisecond_before() {
    let world = world();
    let (hour, two) = (Duration::from_hours(1), Duration::from_hours(2));
    let retention = Retention { sessions: Some(hour), events: Some(two) };
    for _ in 0..450 {
        let created = world.create(None).await;
        world.complete(created.session.summary.id).await;
    }
    world.pass(Duration::from_mins(60 - 1) + Duration::from_millis(59_999));
    assert_eq!(world.sweep(retention).await, Swept::default());
    world.pass(Duration::from_millis(1));
    let swept = world.sweep(retention).await;
    assert_eq!(swept, Swept { deleted: 450, ..Swept::default() });
    // The clock did not move, so all events are of the same millisecond.
    world.pass(hour);
    assert_eq!(world.sweep(retention).await, Swept::default());
    world.pass(Duration::from_millis(1));
    let swept = world.sweep(retention).await;
    assert_eq!(swept, Swept { events_deleted: 900, ..Swept::default() });
}

#[tokio::test]
async fn an_ended_session_has_no_token_and_no_lifetime() {
    let world = world();
    for end in ["complete", "revoke", "lifetime"] {
        let created = world.create(None).await;
        let id = created.session.summary.id;
        let ended_at = match end {
            "complete" => {
                world.complete(id).await;
                world.pass(Duration::ZERO)
            }
            "revoke" => {
                revoke_session(world.request(Operation::RevokeSession, key()), id).await.unwrap();
                world.pass(Duration::ZERO)
            }
            _ => {
                world.pass(Duration::from_hours(1));
                world.sweep(FOR_EVER).await;
                id.0.time_ms() + 30 * 60 * 1_000
            }
        };
        let stored = world.store.session_fetch(id).await.unwrap().unwrap();
        assert_eq!((stored.token_hash, stored.expires_at), (None, None), "{end}");
        assert_eq!(stored.ended_at.unwrap().as_ms(), ended_at, "{end}");
    }
}

/// A stored API key and its token.
async fn stored_key(world: &World, id: u8, secret: u8) -> (KeyId, String) {
    let secret = SecretBox::new(Box::new([secret; 32]));
    let credential = Credential::new(Kind::ApiKey, Id::from_bytes([id; 20]), secret);
    let Caller::Key(template) = key() else { unreachable!() };
    let key = ApiKey { id: KeyId(credential.id), secret_hash: credential.hash(), ..ApiKey::clone(&template) };
    world.store.key_create(key).await.unwrap();
    (KeyId(credential.id), credential.reveal().expose_secret().to_owned())
}

#[tokio::test]
async fn an_api_key_works_until_it_is_revoked() {
    let world = world();
    let (id, token) = stored_key(&world, 9, 1).await;
    assert!(matches!(world.caller(token.as_bytes()).await.unwrap(), Caller::Key(key) if key.id == id));
    world.store.key_revoke(id, Timestamp::from_ms(START_MS).unwrap()).await.unwrap();
    assert_eq!(world.caller(token.as_bytes()).await.unwrap_err().code, ErrorCode::BadAuthtoken);
}

#[tokio::test]
async fn a_well_formed_token_with_another_secret_or_an_unknown_id_is_refused() {
    let world = world();
    stored_key(&world, 9, 1).await;
    let created = world.create(None).await;
    let session = created.session.summary.id.0;
    for (kind, id) in [
        (Kind::ApiKey, Id::from_bytes([9; 20])),
        (Kind::ApiKey, Id::from_bytes([8; 20])),
        (Kind::Session, session),
        (Kind::Session, Id::from_bytes([8; 20])),
        // Of the other kind.
        (Kind::Session, Id::from_bytes([9; 20])),
        (Kind::ApiKey, session),
    ] {
        for secret in [0, 1] {
            if (kind, id, secret) == (Kind::ApiKey, Id::from_bytes([9; 20]), 1) {
                continue;
            }
            let forged = Credential::new(kind, id, SecretBox::new(Box::new([secret; 32]))).reveal();
            let error = world.caller(forged.expose_secret().as_bytes()).await.unwrap_err();
            assert_eq!(
                (error.code, error.warning),
                (ErrorCode::BadAuthtoken, None),
                "{kind:?} {id} {secret}"
            );
        }
    }
}

#[tokio::test]
async fn a_replaced_token_is_refused_with_a_warning_that_names_the_session() {
    let world = world();
    let created = world.create(None).await;
    let id = created.session.summary.id;
    let mut tokens = vec![created.authtoken];
    for _ in 0..9 {
        let request = world.request(Operation::AuthenticateSession, key());
        tokens.push(authenticate_session(request, id, None, who()).await.unwrap().authtoken);
    }
    assert!(world.caller(tokens[9].expose_secret().as_bytes()).await.is_ok());
    for (age, token) in tokens[..9].iter().rev().enumerate() {
        let error = world.caller(token.expose_secret().as_bytes()).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::BadAuthtoken);
        let named = error.warning.is_some_and(|warning| warning.contains(&id.to_string()));
        assert_eq!(named, age < 8, "{age}: the last eight are recognised");
    }
}

#[tokio::test]
async fn a_request_without_a_token_is_not_counted_and_failed_ones_are_limited() {
    let world = world();
    let from = origin();
    let none = || authenticate(&world.sessions, &world.limits, None, None, &from);
    for _ in 0..100 {
        assert_eq!(none().await.err().unwrap().code, ErrorCode::NotAuthenticated);
    }
    // The default limit.
    for _ in 0..60 {
        assert_eq!(world.caller(b"sst_wrong").await.unwrap_err().code, ErrorCode::BadAuthtoken);
    }
    let limited = world.caller(b"sst_wrong").await.unwrap_err();
    assert_eq!((limited.status.as_u16(), limited.code), (429, ErrorCode::BadRequest));
    assert!(limited.retry_after_s.is_some());
    // A valid token is never limited.
    let (_, token) = stored_key(&world, 9, 1).await;
    assert!(world.caller(token.as_bytes()).await.is_ok());
}

#[tokio::test]
async fn a_replaced_token_is_warned_about_over_the_limit_as_well() {
    let world = world();
    let created = world.create(None).await;
    world.authenticate(created.session.summary.id).await;
    for _ in 0..60 {
        let _ = world.caller(b"sst_wrong").await;
    }
    let error = world.caller(created.authtoken.expose_secret().as_bytes()).await.unwrap_err();
    assert_eq!(error.status.as_u16(), 429);
    assert!(error.warning.is_some());
}

#[tokio::test]
async fn an_authentication_during_which_the_store_fails_is_not_counted() {
    let world = world();
    let (_, token) = stored_key(&world, 9, 1).await;
    world.store.broken.store(true, Ordering::SeqCst);
    for _ in 0..100 {
        assert_eq!(world.caller(token.as_bytes()).await.unwrap_err().code, ErrorCode::Unexpected);
    }
    assert_eq!(world.caller(b"sst_wrong").await.unwrap_err().code, ErrorCode::BadAuthtoken);
}

#[tokio::test]
async fn the_buffer_of_last_interactions_is_not_filling_while_it_is_empty() {
    assert!(world().sessions.last_seen_filling().now_or_never().is_none());
}
