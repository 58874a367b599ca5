//! The cache in front of the embedded store: it is never older than what was acknowledged, and tells nobody anything.

use rusqlite::Connection;
use session_server::environment::{SystemClock, SystemRandom};
use session_server::rules::record_interaction::record_interaction;
use session_store::contract_suite::id;

use super::*;

const SETTINGS: ReadCacheSettings = ReadCacheSettings { staleness_max: None, bytes_max: 8 << 20 };

const PATH_UNKNOWN: SessionId = SessionId(Id::from_bytes([8; 20]));

impl World {
    /// A fetch by a token, as the server does it, and how many reads it took.
    async fn ask(&self, token: &str, id: SessionId) -> (Result<Session, ErrorCode>, usize) {
        let asked = async {
            let token = Some(token.as_bytes());
            let (caller, credential, prefetched) =
                authenticate(&self.sessions, &self.limits, token, Some(id), &origin()).await?;
            let request = self.request(Operation::FetchSession, caller);
            fetch_session(Request { credential, prefetched, ..request }, id).await
        };
        let (result, reads) = self.counting(asked).await;
        (result.map(session_of).map_err(|error| error.code), reads)
    }

    async fn status(&self, token: &str, id: SessionId) -> SessionStatus {
        self.ask(token, id).await.0.unwrap().summary.status
    }

    async fn new_token(&self, id: SessionId) -> String {
        let request = self.request(Operation::AuthenticateSession, key());
        let with_token = authenticate_session(request, id, None, who()).await.unwrap();
        with_token.authtoken.expose_secret().to_owned()
    }
}

/// A store with a cache, a session and its token, and an API key.
async fn cached() -> (World, SessionId, String, String) {
    let world = world_with(Some(SETTINGS));
    let (_, key) = stored_key(&world, 9, 1).await;
    let id = world.create(None).await.session.summary.id;
    let token = world.new_token(id).await;
    (world, id, token, key)
}

#[tokio::test]
async fn a_fetch_reads_the_store_once_and_then_not_again() {
    let (world, id, token, key) = cached().await;
    let (read, reads) = world.ask(&key, id).await;
    assert_eq!(reads, 1);
    assert_eq!(world.ask(&key, id).await, (read.clone(), 0));
    // The session's own token needs no other record.
    let (own, reads) = world.ask(&token, id).await;
    assert_eq!((own.unwrap().summary, reads), (read.unwrap().summary, 0));
    let caller = world.caller(token.as_bytes()).await.unwrap();
    let (_, reads) = world.counting(async { world.fetch_own(caller) }).await;
    assert_eq!(reads, 0);
}

#[tokio::test]
async fn every_change_counts_at_once() {
    let (world, id, token, key) = cached().await;
    let request = |operation| world.request(operation, super::key());
    assert_eq!(world.status(&token, id).await, SessionStatus::Authenticated);
    let newer = world.new_token(id).await;
    assert_eq!(world.ask(&token, id).await.0, Err(ErrorCode::BadAuthtoken));
    assert_eq!(world.status(&newer, id).await, SessionStatus::Authenticated);

    world.pass(Duration::from_secs(1));
    world.ask(&key, id).await.0.unwrap();
    let body = Interaction { user_agent: Some("new".to_owned().try_into().unwrap()), remote_ip: None };
    let recorded = record_interaction(request(Operation::RecordInteraction), id, body).await.unwrap();
    assert_eq!(world.ask(&key, id).await.0.unwrap(), recorded);

    // A fetch with the token is an interaction, which is written later.
    world.pass(Duration::from_secs(1));
    world.status(&newer, id).await;
    let seen = world.ask(&key, id).await.0.unwrap();
    assert_ne!(seen.summary.last_seen, recorded.summary.last_seen);
    world.sessions.write_last_seen().await.unwrap();
    assert_eq!(world.ask(&key, id).await.0.unwrap(), seen);

    revoke_session(request(Operation::RevokeSession), id).await.unwrap();
    assert_eq!(world.ask(&newer, id).await.0, Err(ErrorCode::BadAuthtoken));
    assert_eq!(world.status(&key, id).await, SessionStatus::Revoked);

    let many: Vec<_> = futures::future::join_all((0..3).map(|_| world.create(None))).await;
    let ids: Vec<_> = many.iter().map(|created| created.session.summary.id).collect();
    for id in &ids {
        assert_eq!(world.status(&key, *id).await, SessionStatus::New);
    }
    assert_eq!(world.revoke_pool().await, 3);
    for (id, created) in ids.iter().zip(&many) {
        assert_eq!(world.status(&key, *id).await, SessionStatus::Revoked);
        let refused = world.ask(created.authtoken.expose_secret(), *id).await.0;
        assert_eq!(refused, Err(ErrorCode::BadAuthtoken));
    }

    world.pass(Duration::from_hours(1));
    world.sweep(Retention { sessions: Some(Duration::ZERO), events: None }).await;
    assert_eq!(world.ask(&key, id).await.0, Err(ErrorCode::NotFound));

    let now = Timestamp::from_ms(START_MS).unwrap();
    world.sessions.storage().key_revoke(KeyId(Id::from_bytes([9; 20])), now).await.unwrap();
    assert_eq!(world.ask(&key, id).await.0, Err(ErrorCode::BadAuthtoken));
}

#[tokio::test]
async fn a_lifetime_that_passes_counts_without_a_read() {
    let (world, id, token, key) = cached().await;
    world.status(&key, id).await;
    world.pass(Duration::from_hours(13));
    let (complete, reads) = world.ask(&key, id).await;
    assert_eq!((complete.unwrap().summary.status, reads), (SessionStatus::Complete, 0));
    assert_eq!(world.ask(&token, id).await.0, Err(ErrorCode::BadAuthtoken));
}

#[tokio::test]
async fn a_revocation_of_one_account_leaves_others_in_the_cache() {
    let (world, id, _, key) = cached().await;
    let other = world.create(None).await.session.summary.id;
    for id in [id, other] {
        world.status(&key, id).await;
    }
    let body = Revocation { account_id: Some(who().account_id), pool_id: None, ..by_pool() };
    let request = world.request(Operation::RevokeSessions, super::key());
    assert_eq!(revoke_sessions(request, body).await.unwrap().revoked, 1);
    assert_eq!(world.ask(&key, other).await.1, 0);
    assert_eq!(world.status(&key, id).await, SessionStatus::Revoked);
}

#[tokio::test]
async fn a_cached_session_that_the_caller_may_not_read_takes_the_same_reads_as_one_that_does_not_exist() {
    let (world, id, _, key) = cached().await;
    world.status(&key, id).await;
    assert_eq!(world.ask(&key, id).await.1, 0);
    let Caller::Key(own) = super::key() else { unreachable!() };
    let stranger = || {
        let domain_id = DomainId(Id::from_bytes([9; 20]));
        Caller::Key(Arc::new(ApiKey { domain_id, ..ApiKey::clone(&own) }))
    };
    for id in [id, PATH_UNKNOWN] {
        let fetch = fetch_session(world.request(Operation::FetchSession, stranger()), id);
        let (fetched, reads) = world.counting(fetch).await;
        assert_eq!((fetched.unwrap_err().code, reads), (ErrorCode::NotFound, 2));
    }
}

#[tokio::test]
async fn a_wrong_secret_takes_the_same_reads_whether_its_record_is_cached_or_unknown() {
    let (world, id, token, key) = cached().await;
    world.status(&key, id).await;
    world.status(&token, id).await;
    let forged = |kind, id| {
        let credential = Credential::new(kind, id, SecretBox::new(Box::new([77; 32])));
        credential.reveal().expose_secret().to_owned()
    };
    for kind in [Kind::Session, Kind::ApiKey] {
        for id in [id.0, Id::from_bytes([9; 20]), PATH_UNKNOWN.0] {
            let (refused, reads) = world.ask(&forged(kind, id), SessionId(id)).await;
            assert_eq!((refused.unwrap_err(), reads), (ErrorCode::BadAuthtoken, 1), "{kind:?} {id}");
        }
    }
    let newer = world.new_token(id).await;
    world.status(&newer, id).await;
    // A replaced one is refused by what the store has too.
    assert_eq!(world.ask(&token, id).await, (Err(ErrorCode::BadAuthtoken), 1));
}

#[tokio::test]
async fn a_refused_request_leaves_nothing_in_the_cache() {
    let (world, id, _, key) = cached().await;
    let other = world.create(None).await;
    let (other, token) = (other.session.summary.id, other.authtoken.expose_secret().to_owned());
    world.status(&key, other).await;
    // By a session's token, which may not read others.
    let (refused, _) = world.ask(&token, id).await;
    refused.unwrap_err();
    assert_eq!(world.ask(&key, id).await.1, 1);
    assert_eq!(world.ask(&key, id).await.1, 0);
}

#[tokio::test]
async fn a_session_that_is_being_changed_is_read_from_the_store() {
    let (world, id, _, key) = cached().await;
    let world = Arc::new(world);
    world.status(&key, id).await;
    let (finish, finished) = futures::channel::oneshot::channel::<()>();
    *world.store.before_change.lock().unwrap() = Some(finished.map(drop).boxed());
    let revoke = tokio::spawn({
        let request = world.request(Operation::RevokeSession, super::key());
        async move { revoke_session(request, id).await }
    });
    while world.store.before_change.lock().unwrap().is_some() {
        tokio::task::yield_now().await;
    }
    for _ in 0..3 {
        let (fetched, reads) = world.ask(&key, id).await;
        assert_eq!((fetched.unwrap().summary.status, reads), (SessionStatus::Authenticated, 1));
    }
    finish.send(()).unwrap();
    revoke.await.unwrap().unwrap();
    assert_eq!(world.status(&key, id).await, SessionStatus::Revoked);
}

/// The caller of a change is gone while the change waits for the disk, and others read the session before it is made.
#[tokio::test]
async fn a_change_that_is_made_after_its_caller_is_gone_counts_as_soon_as_it_is_made() {
    let (world, id, token, key) = cached().await;
    let by_account = || Revocation { account_id: Some(who().account_id), pool_id: None, ..by_pool() };
    for many in [false, true] {
        let (id, token) = if many {
            let id = world.create(None).await.session.summary.id;
            (id, world.new_token(id).await)
        } else {
            (id, token.clone())
        };
        assert_eq!(world.status(&token, id).await, SessionStatus::Authenticated);
        let blocker = Connection::open(world.folder.path().join("sessions.db")).unwrap();
        blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
        let change = async {
            if many {
                let request = world.request(Operation::RevokeSessions, super::key());
                revoke_sessions(request, by_account()).await.map(drop)
            } else {
                revoke_session(world.request(Operation::RevokeSession, super::key()), id).await.map(drop)
            }
        };
        tokio::time::timeout(Duration::from_millis(100), change).await.unwrap_err();
        for _ in 0..3 {
            assert_eq!(world.status(&key, id).await, SessionStatus::Authenticated);
            assert_eq!(world.status(&token, id).await, SessionStatus::Authenticated);
        }
        blocker.execute_batch("ROLLBACK").unwrap();
        let is_live = async || {
            let stored = world.store.store.session_fetch(id).await.unwrap().unwrap();
            stored.status == SessionStatus::Authenticated
        };
        while is_live().await {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(world.status(&key, id).await, SessionStatus::Revoked, "many: {many}");
        assert_eq!(world.ask(&token, id).await.0, Err(ErrorCode::BadAuthtoken), "many: {many}");
    }
}

/// Changes of one kind of many callers at once, each with readers of its own.
struct Races {
    sessions: Arc<Sessions>,
    limits: Arc<Limits>,
    store: Arc<SqliteStore>,
    _folder: TempDir,
}

/// Each races five reads.
const RACES: usize = 20_000;

/// So many changes share a sync of the disk.
const RACERS: usize = 100;

impl Races {
    fn request(&self, operation: Operation, caller: Caller) -> Request {
        Request {
            operation,
            caller,
            credential: Credential::new(
                Kind::ApiKey,
                Id::from_bytes([1; 20]),
                SecretBox::new(Box::new([7; 32])),
            ),
            prefetched: Prefetched::default(),
            origin: origin(),
            sessions: Arc::clone(&self.sessions),
            limits: Arc::clone(&self.limits),
        }
    }

    /// Whether a token is accepted and the session live.
    async fn is_live(&self, token: &str, id: SessionId) -> bool {
        let token = Some(token.as_bytes());
        let authenticated = authenticate(&self.sessions, &self.limits, token, Some(id), &origin()).await;
        let Ok((caller, credential, prefetched)) = authenticated else { return false };
        let request = self.request(Operation::FetchSession, caller);
        let fetched = fetch_session(Request { credential, prefetched, ..request }, id).await.unwrap();
        let fetched = String::from_utf8(fetched.into_bytes()).unwrap();
        assert!(
            fetched.contains("\"status\":\"authenticated\"") != fetched.contains("\"status\":\"revoked\"")
        );
        fetched.contains("\"status\":\"authenticated\"")
    }

    async fn new_key(&self) -> (KeyId, String) {
        let storage = self.sessions.storage();
        let credential =
            Credential::new(Kind::ApiKey, storage.new_id().unwrap(), storage.new_secret().unwrap());
        let Caller::Key(template) = key() else { unreachable!() };
        let id = KeyId(credential.id);
        let stored = ApiKey { id, secret_hash: credential.hash(), ..ApiKey::clone(&template) };
        self.store.key_create(stored).await.unwrap();
        (id, credential.reveal().expose_secret().to_owned())
    }

    async fn authenticate(&self, id: SessionId, account_id: AccountId) -> String {
        let request = self.request(Operation::AuthenticateSession, key());
        let body = SessionAuthenticate { account_id, ..who() };
        authenticate_session(request, id, None, body).await.unwrap().authtoken.expose_secret().to_owned()
    }

    async fn new_session(&self, account_id: AccountId) -> (SessionId, String) {
        let body = SessionCreate {
            account_id: Some(account_id),
            authenticated_identity_id: Some(who().authenticated_identity_id),
            ..create(None)
        };
        let created =
            create_session(self.request(Operation::CreateSession, key()), None, body).await.unwrap();
        (created.session.summary.id, created.authtoken.expose_secret().to_owned())
    }

    /// One racer: changes after each of which no read may find what was before.
    async fn race(self: Arc<Self>, racer: usize) {
        let account_id = AccountId(id(racer as u64, 5));
        let (_, reader) = self.new_key().await;
        let (mut id, mut token) = self.new_session(account_id).await;
        for race in 0..RACES / RACERS {
            // Readers that race the change: by the token or key that it makes invalid, and by a key that stays.
            let kind = race % 20;
            let revoked_key = if kind == 0 { Some(self.new_key().await) } else { None };
            let ended = revoked_key.as_ref().map_or(&token, |(_, key)| key).clone();
            let readers = [(ended.clone(), 3), (reader.clone(), 2)].map(|(token, reads)| {
                let races = Arc::clone(&self);
                tokio::spawn(async move {
                    for _ in 0..reads {
                        races.is_live(&token, id).await;
                        tokio::task::yield_now().await;
                    }
                })
            });
            if race % 2 == 0 {
                tokio::task::yield_now().await;
            }
            let now = self.sessions.storage().now();
            let (is_over, next) = match (kind, revoked_key) {
                (_, Some((key_id, _))) => {
                    assert!(self.sessions.storage().key_revoke(key_id, now).await.unwrap());
                    (false, None)
                }
                (1, None) => {
                    revoke_session(self.request(Operation::RevokeSession, key()), id).await.unwrap();
                    (true, None)
                }
                (2, None) => {
                    let body = Revocation { account_id: Some(account_id), pool_id: None, ..by_pool() };
                    let request = self.request(Operation::RevokeSessions, key());
                    assert_eq!(revoke_sessions(request, body).await.unwrap().revoked, 1);
                    (true, None)
                }
                _ => (false, Some(self.authenticate(id, account_id).await)),
            };
            // Acknowledged, with readers that may still run, and again when they have ended.
            let holds =
                async || !(self.is_live(&ended, id).await || is_over && self.is_live(&reader, id).await);
            assert!(holds().await, "{racer} {race}");
            for reader in readers {
                reader.await.unwrap();
            }
            assert!(holds().await, "{racer} {race}");
            if let Some(next) = next {
                token = next;
                assert!(self.is_live(&token, id).await, "{racer} {race}");
            }
            if is_over {
                (id, token) = self.new_session(account_id).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_reads_that_race_changes_bring_nothing_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(&folder.path().join("sessions.db")).unwrap());
    let mut storage =
        Storage::new(store.clone(), Arc::new(SystemClock), Arc::new(SystemRandom), Duration::from_mins(1));
    storage.cache_reads(SETTINGS);
    let sessions = Arc::new(Sessions::new(storage, Lifetimes::default()));
    let unlimited = std::num::NonZeroU32::MAX;
    let limits = Arc::new(Limits::new(LimitSettings {
        trusted: vec!["192.0.2.1/32".parse().unwrap()],
        failed_authentications: unlimited,
        creations: unlimited,
        revocations: unlimited,
    }));
    let races = Arc::new(Races { sessions, limits, store, _folder: folder });
    let racers = (0..RACERS).map(|racer| tokio::spawn(Arc::clone(&races).race(racer)));
    for racer in futures::future::join_all(racers).await {
        racer.unwrap();
    }
}
