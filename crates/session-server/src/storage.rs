//! The store, and what new records need: the time, IDs and secrets.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::SecretBox;
use session_store::{
    ApiKey, Event, IdempotencyRecord, KeyId, LastSeen, Page, Revocation, Store, StoreError, StoredSession,
    TokenGuard,
};
use session_types::{Id, SessionId, Timestamp};
use slog::{Discard, Logger, o};

use crate::caches::{Caches, Changed, Changing};
use crate::environment::{Clock, Random, RandomFailed};
use crate::error::Error;
use crate::mint::Minter;
use crate::read_cache::{ReadCache, ReadCacheSettings, Record, Ticket};
use crate::session_entry::SessionEntry;

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
    caches: Option<Arc<Caches>>,
}

/// A record as the store has it, and the right to keep it in the cache.
#[derive(Debug)]
pub(crate) struct Read<V> {
    /// The record; `None` if there is none.
    pub(crate) record: Option<Arc<V>>,
    ticket: Option<Ticket>,
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

    /// From now on, keeps sessions and API keys that were read in memory, as `settings` allow.
    pub fn cache_reads(&mut self, settings: ReadCacheSettings) {
        self.caches = Some(Arc::new(Caches::new(settings)));
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
        Ok(result.map_err(|_| self.timed_out())??)
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

    /// Returns the session as it is stored, if the cache has it: for a read, and only for a caller who may read it.
    pub(crate) fn session_cached(&self, id: SessionId) -> Option<Arc<SessionEntry>> {
        self.caches.as_ref()?.sessions.get(id.0, || self.monotonic())
    }

    /// Reads the session from the store.
    pub(crate) async fn session_read(&self, id: SessionId) -> Result<Read<SessionEntry>, Error> {
        let ticket = self.ticket(|caches| &caches.sessions, id.0);
        let stored = self.call(|store| store.session_fetch(id)).await?;
        Ok(self.session(id, stored, ticket))
    }

    fn session(
        &self,
        id: SessionId,
        stored: Option<StoredSession>,
        ticket: Option<Ticket>,
    ) -> Read<SessionEntry> {
        let record = stored.map(|stored| Arc::new(SessionEntry::new(stored)));
        self.read(|caches| &caches.sessions, id.0, record, ticket)
    }

    /// Keeps a session that was read for a caller who may read it in the cache.
    pub(crate) fn session_keep(&self, read: &Read<SessionEntry>) {
        // With its JSON, which the next response needs, and whose size counts.
        if read.record.as_ref().is_some_and(|entry| self.caches.is_some() && entry.summary().is_ok()) {
            self.keep(|caches| &caches.sessions, read);
        }
    }

    /// Returns the session as it is stored: for a change, which must not start from an older state.
    pub(crate) async fn session_fetch_current(&self, id: SessionId) -> Result<Option<StoredSession>, Error> {
        self.call(|store| store.session_fetch(id)).await
    }

    /// Returns the API key, if the cache has it: only for a caller who has its secret.
    pub(crate) fn key_cached(&self, id: KeyId) -> Option<Arc<ApiKey>> {
        self.caches.as_ref()?.keys.get(id.0, || self.monotonic())
    }

    /// Reads the API key from the store.
    pub(crate) async fn key_read(&self, id: KeyId) -> Result<Read<ApiKey>, Error> {
        let ticket = self.ticket(|caches| &caches.keys, id.0);
        let record = self.call(|store| store.key_fetch(id)).await?.map(Arc::new);
        Ok(self.read(|caches| &caches.keys, id.0, record, ticket))
    }

    /// Keeps an API key whose secret its caller has in the cache.
    pub(crate) fn key_keep(&self, read: &Read<ApiKey>) {
        self.keep(|caches| &caches.keys, read);
    }

    fn ticket<V: Record>(&self, cache: impl FnOnce(&Caches) -> &ReadCache<V>, id: Id) -> Option<Ticket> {
        self.caches.as_ref().and_then(|caches| cache(caches).ticket(id, || self.monotonic()))
    }

    fn read<V: Record>(
        &self,
        cache: impl FnOnce(&Caches) -> &ReadCache<V>,
        id: Id,
        record: Option<Arc<V>>,
        ticket: Option<Ticket>,
    ) -> Read<V> {
        if let Some(caches) = &self.caches
            && !record.as_ref().is_some_and(|record| record.is_live())
        {
            cache(caches).remove(id);
        }
        Read { record, ticket }
    }

    fn keep<V: Record>(&self, cache: impl FnOnce(&Caches) -> &ReadCache<V>, read: &Read<V>) {
        if let (Some(caches), Some(record), Some(ticket)) = (&self.caches, &read.record, &read.ticket) {
            cache(caches).keep(ticket, record);
        }
    }

    /// Reads an API key and a session from the store, in one round trip. Fails if the key cannot be read.
    pub(crate) async fn key_and_session_read(
        &self,
        key: KeyId,
        session: SessionId,
    ) -> Result<(Read<ApiKey>, Result<Read<SessionEntry>, Error>), Error> {
        let key_ticket = self.ticket(|caches| &caches.keys, key.0);
        let session_ticket = self.ticket(|caches| &caches.sessions, session.0);
        let (found, stored) = self.call(|store| store.key_and_session_fetch(key, session)).await?;
        let found = self.read(|caches| &caches.keys, key.0, found.map(Arc::new), key_ticket);
        let stored = stored.map(|stored| self.session(session, stored, session_ticket)).map_err(Error::from);
        Ok((found, stored))
    }

    /// As [`session_store::Sessions::session_replace`], or `None` if there is a record of the same request.
    pub(crate) async fn session_replace(
        &self,
        session: StoredSession,
        event: Option<Event>,
        token: Option<TokenGuard>,
        record: Option<IdempotencyRecord>,
    ) -> Result<Option<bool>, Error> {
        let id = session.id;
        self.change(Changed::Sessions(vec![id]), move |store| {
            unless_repeated(store.session_replace(session, event, token, record))
        })
        .await
    }

    /// As [`session_store::Sessions::session_replace_many`].
    pub(crate) async fn session_replace_many(
        &self,
        sessions: Vec<(StoredSession, Option<Event>)>,
    ) -> Result<Vec<bool>, Error> {
        let ids = sessions.iter().map(|(session, _)| session.id).collect();
        self.change(Changed::Sessions(ids), move |store| store.session_replace_many(sessions)).await
    }

    /// As [`session_store::Sessions::session_update_last_seen`].
    pub(crate) async fn session_update_last_seen(&self, last_seen: Vec<LastSeen>) -> Result<(), Error> {
        let ids = last_seen.iter().map(|seen| seen.session_id).collect();
        self.change(Changed::Sessions(ids), move |store| store.session_update_last_seen(last_seen)).await
    }

    /// As [`session_store::Revocations::session_revoke_many`].
    pub(crate) async fn session_revoke_many(
        &self,
        revocation: Revocation,
        token: Option<TokenGuard>,
    ) -> Result<u64, Error> {
        // A session that it ends has each of the IDs that it names.
        let narrowest = (revocation.device_id.map(|id| id.0))
            .or(revocation.identity_id.map(|id| id.0))
            .or(revocation.account_id.map(|id| id.0))
            .or(revocation.pool_id.map(|id| id.0))
            .unwrap_or(revocation.domain_id.0);
        self.change(Changed::SessionsOf(narrowest), move |store| store.session_revoke_many(revocation, token))
            .await
    }

    /// As [`session_store::Keys::key_revoke`].
    pub async fn key_revoke(&self, id: KeyId, at: Timestamp) -> Result<bool, Error> {
        self.change(Changed::Key(id), move |store| store.key_revoke(id, at)).await
    }

    /// Changes records that may be in the cache. They are not in it while the change runs.
    ///
    /// With a cache, the change runs in a task of its own: it may be made although its caller no longer waits, and only the
    /// task knows when.
    async fn change<T: Send + 'static>(
        &self,
        changed: Changed,
        change: impl for<'a> FnOnce(&'a dyn Store) -> StoreFuture<'a, T> + Send + 'static,
    ) -> Result<T, Error> {
        let Some(caches) = &self.caches else { return self.call(change).await };
        let changing = Changing::begin(caches, changed);
        let store = Arc::clone(&self.store);
        let change = tokio::spawn(async move {
            let outcome = change(&*store).await;
            drop(changing);
            outcome
        });
        let outcome = tokio::time::timeout(self.timeout, change).await.map_err(|_| self.timed_out())?;
        Ok(outcome.map_err(Error::unexpected)??)
    }

    fn timed_out(&self) -> Error {
        Error::unknown(format!("the store took longer than {:?}", self.timeout))
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    fn sources(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
    }

    #[test]
    fn no_other_file_changes_a_session_or_a_key_that_may_be_in_the_cache() {
        let changes = [
            "session_replace",
            "session_replace_many",
            "session_update_last_seen",
            "session_revoke_many",
            "key_revoke",
        ];
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        for path in sources(&folder).iter().filter(|path| !path.ends_with("storage.rs")) {
            let source = fs::read_to_string(path).unwrap();
            for change in changes {
                let call = format!("store.{change}(");
                assert!(!source.contains(&call), "{}: call Storage::{change}", path.display());
            }
        }
    }
}
