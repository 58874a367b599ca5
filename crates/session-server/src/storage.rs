//! The store, and what new records need: the time, IDs and secrets.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join;
use secrecy::SecretBox;
use session_store::{
    ApiKey, Event, IdempotencyRecord, KeyId, Page, Revocation, Store, StoreError, StoredSession, TokenGuard,
};
use session_types::{Id, SessionId, Timestamp};
use slog::{Discard, Logger, o};

use crate::environment::{Clock, Random, RandomFailed};
use crate::error::Error;
use crate::mint::Minter;
use crate::read_cache::{ReadCache, ReadCacheSettings};

/// How long a request waits for the store. A commit takes milliseconds, and a gateway that fetches on every request gives up
/// sooner, so a longer wait would help no caller.
pub const STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// The future of a method of [`Store`].
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Makes the result of a change `None` if there is a record of the same request.
pub(crate) fn unless_repeated<'a, T: Send + 'a>(change: StoreFuture<'a, T>) -> StoreFuture<'a, Option<T>> {
    Box::pin(async move {
        match change.await {
            Err(StoreError::RequestRepeated) => Ok(None),
            outcome => outcome.map(Some),
        }
    })
}

/// A store with a bound on every call, a clock and a minter.
pub struct Storage {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    minter: Minter,
    timeout: Duration,
    log: Logger,
    /// Empty unless the operator allows answers that are not current.
    caches: Option<Caches>,
}

/// The records that are read on every request.
struct Caches {
    sessions: ReadCache<StoredSession>,
    keys: ReadCache<ApiKey>,
}

impl Storage {
    /// Creates a storage whose calls take at most `timeout`.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        timeout: Duration,
    ) -> Self {
        let log = Logger::root(Discard, o!());
        Self { store, minter: Minter::new(Arc::clone(&clock), random), clock, timeout, log, caches: None }
    }

    /// From now on, answers reads of sessions and API keys from memory for as long as `settings` allows.
    pub fn cache_reads(&mut self, settings: ReadCacheSettings) {
        // API keys are few.
        let keys = ReadCacheSettings { bytes_max: settings.bytes_max / 8, ..settings };
        let sessions = ReadCacheSettings { bytes_max: settings.bytes_max - keys.bytes_max, ..settings };
        self.caches = Some(Caches { sessions: ReadCache::new(sessions), keys: ReadCache::new(keys) });
    }

    /// Logs what an operator should know to `log`; without it, nowhere.
    pub fn log_to(&mut self, log: Logger) {
        self.log = log;
    }

    /// The log.
    pub(crate) const fn log(&self) -> &Logger {
        &self.log
    }

    /// Calls the store. Fails with `unknown` if it takes too long.
    pub async fn call<T>(
        &self,
        call: impl for<'a> FnOnce(&'a dyn Store) -> StoreFuture<'a, T>,
    ) -> Result<T, Error> {
        let result = tokio::time::timeout(self.timeout, call(&*self.store)).await;
        Ok(result.map_err(|_| Error::unknown(format!("the store took longer than {:?}", self.timeout)))??)
    }

    /// As [`Storage::call`], for a page. Logs the rows that cannot be read.
    pub async fn page<T>(
        &self,
        call: impl for<'a> FnOnce(&'a dyn Store) -> StoreFuture<'a, Page<T>>,
    ) -> Result<Page<T>, Error> {
        let page = self.call(call).await?;
        for row in &page.skipped {
            slog::warn!(self.log, "row skipped"; "table" => &row.table, "id" => &row.id, "cause" => &row.cause);
        }
        Ok(page)
    }

    /// Returns whether reads may be answered from a cache.
    pub(crate) const fn caches_reads(&self) -> bool {
        self.caches.is_some()
    }

    /// Returns the session as it is stored, from the cache if there is one: for a read.
    pub(crate) async fn session_fetch(&self, id: SessionId) -> Result<Option<StoredSession>, Error> {
        let read = self.call(|store| store.session_fetch(id));
        match &self.caches {
            Some(caches) => caches.sessions.fetch(id.0, self.monotonic(), read).await,
            None => read.await,
        }
    }

    /// Returns the session as it is stored: for a change, which must not start from an older state.
    pub(crate) async fn session_fetch_current(&self, id: SessionId) -> Result<Option<StoredSession>, Error> {
        self.call(|store| store.session_fetch(id)).await
    }

    /// Returns the API key, from the cache if there is one.
    pub(crate) async fn key_fetch(&self, id: KeyId) -> Result<Option<ApiKey>, Error> {
        let read = self.call(|store| store.key_fetch(id));
        match &self.caches {
            Some(caches) => caches.keys.fetch(id.0, self.monotonic(), read).await,
            None => read.await,
        }
    }

    /// Returns the API key and the session, each as [`Storage::key_fetch`] and [`Storage::session_fetch`] do, in one round trip.
    /// Fails if the key cannot be read.
    pub(crate) async fn key_and_session_fetch(
        &self,
        key: KeyId,
        session: SessionId,
    ) -> Result<(Option<ApiKey>, Result<Option<StoredSession>, Error>), Error> {
        if self.caches_reads() {
            let (key, session) = join(self.key_fetch(key), self.session_fetch(session)).await;
            return Ok((key?, session));
        }
        let (key, session) = self.call(|store| store.key_and_session_fetch(key, session)).await?;
        Ok((key, session.map_err(Error::from)))
    }

    /// As [`session_store::Sessions::session_replace`], or `None` if there is a record of the same request. Whatever its outcome, the cache does not have the session after it.
    pub(crate) async fn session_replace(
        &self,
        session: StoredSession,
        event: Option<Event>,
        token: Option<TokenGuard>,
        record: Option<IdempotencyRecord>,
    ) -> Result<Option<bool>, Error> {
        let id = session.id;
        let _forget = self.on_return(move |caches, _| caches.sessions.forget(id.0));
        self.call(|store| unless_repeated(store.session_replace(session, event, token, record))).await
    }

    /// As [`session_store::Sessions::session_replace_many`]. Whatever its outcome, the cache does not have the sessions after
    /// it.
    pub(crate) async fn session_replace_many(
        &self,
        sessions: Vec<(StoredSession, Option<Event>)>,
    ) -> Result<Vec<bool>, Error> {
        let ids: Vec<_> = sessions.iter().map(|(session, _)| session.id.0).collect();
        let _forget = self.on_return(move |caches, _| ids.iter().for_each(|id| caches.sessions.forget(*id)));
        self.call(|store| store.session_replace_many(sessions)).await
    }

    /// As [`session_store::Revocations::session_revoke_many`]. Whatever its outcome, the cache does not have sessions of the
    /// domain after it.
    pub(crate) async fn session_revoke_many(
        &self,
        revocation: Revocation,
        token: Option<TokenGuard>,
    ) -> Result<u64, Error> {
        let domain_id = revocation.domain_id;
        let _forget = self.on_return(move |caches, now| caches.sessions.forget_domain(domain_id, now));
        self.call(|store| store.session_revoke_many(revocation, token)).await
    }

    /// As [`session_store::Keys::key_revoke`]. Whatever its outcome, the cache does not have the key after it.
    pub(crate) async fn key_revoke(&self, id: KeyId, at: Timestamp) -> Result<bool, Error> {
        let _forget = self.on_return(move |caches, _| caches.keys.forget(id.0));
        self.call(|store| store.key_revoke(id, at)).await
    }

    /// Returns a guard that calls `forget` with the time then when it is dropped, if there is a cache: also if the caller
    /// no longer waits.
    fn on_return<F: FnOnce(&Caches, Instant)>(&self, forget: F) -> OnReturn<'_, F> {
        OnReturn { storage: self, forget: Some(forget) }
    }

    /// Returns the current time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns the current time by the monotonic clock.
    pub(crate) fn monotonic(&self) -> Instant {
        self.clock.monotonic()
    }

    /// Mints an ID. Fails if the random source does.
    pub fn new_id(&self) -> Result<Id, RandomFailed> {
        self.minter.id()
    }

    /// Creates a salt of 128 random bits. Fails if the random source does.
    pub(crate) fn new_salt(&self) -> Result<[u8; 16], RandomFailed> {
        self.minter.salt()
    }

    /// Creates a secret of 256 random bits. Fails if the random source does.
    pub fn new_secret(&self) -> Result<SecretBox<[u8; 32]>, RandomFailed> {
        self.minter.secret()
    }
}

struct OnReturn<'a, F: FnOnce(&Caches, Instant)> {
    storage: &'a Storage,
    forget: Option<F>,
}

impl<F: FnOnce(&Caches, Instant)> Drop for OnReturn<'_, F> {
    fn drop(&mut self) {
        if let (Some(caches), Some(forget)) = (&self.storage.caches, self.forget.take()) {
            forget(caches, self.storage.monotonic());
        }
    }
}
