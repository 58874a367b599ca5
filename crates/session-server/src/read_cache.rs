//! Records that this node has read and answers with again for a short time: for a store that other nodes change too, where
//! an operator prefers fewer reads to answers that are always current. Off unless configured.
//!
//! What this node changes is never answered with again. What another node changes may be, for at most the configured
//! staleness, counted from the start of the read: within that time a session that another node has revoked can be returned as
//! live, and its token be accepted.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use session_store::{ApiKey, SecretHash, StoredSession};
use session_types::{DomainId, Id};

/// With so many slots, two of a hundred reads that run at once rarely share one.
const SLOTS: usize = 4_096;

/// What the operator chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadCacheSettings {
    /// How old an answer may be.
    pub staleness_max: Duration,
    /// How much memory the records may take, in bytes.
    pub bytes_max: u64,
}

/// A record that can be cached.
pub(crate) trait Record: Clone + Send + Sync + 'static {
    /// The domain that it belongs to.
    fn domain_id(&self) -> DomainId;

    /// About how much memory it takes, in bytes.
    fn bytes(&self) -> usize;
}

impl Record for StoredSession {
    fn domain_id(&self) -> DomainId {
        self.domain_id
    }

    fn bytes(&self) -> usize {
        let title = self.title.as_ref().map_or(0, |title| title.as_str().len());
        let agents = [&self.first_seen, &self.last_seen]
            .into_iter()
            .flatten()
            .filter_map(|seen| seen.user_agent.as_ref())
            .map(|agent| agent.as_str().len());
        let hashes = self.replaced_token_hashes.len() * size_of::<SecretHash>();
        size_of::<Self>() + title + agents.sum::<usize>() + hashes
    }
}

impl Record for ApiKey {
    fn domain_id(&self) -> DomainId {
        self.domain_id
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.name.len() + self.scopes.len()
    }
}

#[derive(Clone, Debug)]
struct Kept<V> {
    record: V,
    /// When the read began.
    read_at: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Bytes;

impl<V: Record> Weighter<Id, Kept<V>> for Bytes {
    fn weight(&self, _: &Id, kept: &Kept<V>) -> u64 {
        (size_of::<Id>() + size_of::<Instant>() + kept.record.bytes()) as u64
    }
}

/// A cache of records by their ID.
pub(crate) struct ReadCache<V> {
    staleness_max: Duration,
    kept: Cache<Id, Kept<V>, Bytes>,
    /// How often a record of the slot was kept or forgotten. Locked while that is done.
    slots: Box<[Mutex<u64>]>,
    /// When many records of a domain were forgotten at once.
    forgotten: Mutex<HashMap<DomainId, Instant>>,
}

impl<V: Record> ReadCache<V> {
    pub(crate) fn new(settings: ReadCacheSettings) -> Self {
        // An estimate that only decides how much is allocated at first.
        let records = usize::try_from(settings.bytes_max / 1_024).unwrap_or(usize::MAX).min(1_000_000);
        Self {
            staleness_max: settings.staleness_max,
            kept: Cache::with_weighter(records, settings.bytes_max, Bytes),
            slots: (0..SLOTS).map(|_| Mutex::default()).collect(),
            forgotten: Mutex::default(),
        }
    }

    /// Returns the record, from the cache or else from `read`, which reads it from the store at `now`.
    ///
    /// A record is kept only if no other one of its slot was kept or forgotten while it was read; otherwise what is kept of it
    /// is forgotten too. So of two reads that run at once, the one that returns an older state can neither replace the newer
    /// one nor outlive it.
    pub(crate) async fn fetch<E>(
        &self,
        id: Id,
        now: Instant,
        read: impl Future<Output = Result<Option<V>, E>>,
    ) -> Result<Option<V>, E> {
        if let Some(kept) = self.kept.get(&id)
            && now.saturating_duration_since(kept.read_at) < self.staleness_max
            && !self.was_forgotten(&kept)
        {
            return Ok(Some(kept.record));
        }
        let before = *self.slot(id);
        let record = read.await?;
        let mut slot = self.slot(id);
        match &record {
            Some(record) if *slot == before => {
                self.kept.insert(id, Kept { record: record.clone(), read_at: now });
            }
            _ => drop(self.kept.remove(&id)),
        }
        *slot = slot.wrapping_add(1);
        drop(slot);
        Ok(record)
    }

    /// Forgets a record that this node has changed, and what reads of it return that run at the moment.
    pub(crate) fn forget(&self, id: Id) {
        let mut slot = self.slot(id);
        *slot = slot.wrapping_add(1);
        self.kept.remove(&id);
    }

    /// Forgets every record of the domain whose read began at or before `now`. Takes no longer if there are many.
    pub(crate) fn forget_domain(&self, domain_id: DomainId, now: Instant) {
        let mut forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        // What was read before is too old by now.
        forgotten.retain(|_, at| now.saturating_duration_since(*at) < self.staleness_max);
        forgotten.insert(domain_id, now);
    }

    fn was_forgotten(&self, kept: &Kept<V>) -> bool {
        let forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        forgotten.get(&kept.record.domain_id()).is_some_and(|at| kept.read_at <= *at)
    }

    fn slot(&self, id: Id) -> MutexGuard<'_, u64> {
        // The last bytes of an ID are random.
        let [.., high, low] = *id.as_bytes();
        self.slots[usize::from(u16::from_be_bytes([high, low])) % SLOTS]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use session_store::contract_suite::session;
    use session_types::SessionStatus;
    use tokio::sync::oneshot;

    use super::*;

    const STALENESS: Duration = Duration::from_secs(2);

    fn cache() -> ReadCache<StoredSession> {
        ReadCache::new(ReadCacheSettings { staleness_max: STALENESS, bytes_max: 1 << 20 })
    }

    fn revoked() -> StoredSession {
        StoredSession { status: SessionStatus::Revoked, revision: 1, ..session(1) }
    }

    async fn fetch(
        cache: &ReadCache<StoredSession>,
        now: Instant,
        stored: StoredSession,
    ) -> Option<StoredSession> {
        cache.fetch(stored.id.0, now, async { Ok::<_, ()>(Some(stored)) }).await.unwrap()
    }

    /// A read of a live session that has begun and ends when something is sent.
    fn slow_read(
        cache: &Arc<ReadCache<StoredSession>>,
        now: Instant,
    ) -> (oneshot::Sender<()>, tokio::task::JoinHandle<Option<StoredSession>>) {
        let (finish, finished) = oneshot::channel();
        let cache = Arc::clone(cache);
        let read = async move {
            finished.await.unwrap();
            Ok::<_, ()>(Some(session(1)))
        };
        (finish, tokio::spawn(async move { cache.fetch(session(1).id.0, now, read).await.unwrap() }))
    }

    #[tokio::test]
    async fn a_record_is_read_once_within_the_staleness_and_again_after_it() {
        let (cache, start) = (cache(), Instant::now());
        fetch(&cache, start, session(1)).await;
        let just_before = start + STALENESS.saturating_sub(Duration::from_millis(1));
        assert_eq!(fetch(&cache, just_before, revoked()).await, Some(session(1)));
        assert_eq!(fetch(&cache, start + STALENESS, revoked()).await, Some(revoked()));
    }

    #[tokio::test]
    async fn a_record_that_is_missing_is_read_every_time() {
        let (cache, now) = (cache(), Instant::now());
        let missing = cache.fetch(session(1).id.0, now, async { Ok::<_, ()>(None) }).await;
        assert_eq!(missing, Ok(None));
        assert_eq!(fetch(&cache, now, session(1)).await, Some(session(1)));
    }

    #[tokio::test]
    async fn a_record_that_was_forgotten_is_read_again() {
        let (cache, now) = (cache(), Instant::now());
        fetch(&cache, now, session(1)).await;
        cache.forget(session(1).id.0);
        assert_eq!(fetch(&cache, now, revoked()).await, Some(revoked()));
    }

    #[tokio::test]
    async fn the_records_of_a_domain_are_forgotten_together_and_no_others() {
        let (cache, now) = (cache(), Instant::now());
        let other = StoredSession { domain_id: DomainId(session(9).id.0), ..session(2) };
        fetch(&cache, now, session(1)).await;
        fetch(&cache, now, other.clone()).await;
        cache.forget_domain(session(1).domain_id, now);
        assert_eq!(fetch(&cache, now, revoked()).await, Some(revoked()));
        let changed = StoredSession { revision: 7, ..other.clone() };
        assert_eq!(fetch(&cache, now, changed).await, Some(other));
        // Those that are read later are kept again.
        let later = now + Duration::from_millis(1);
        fetch(&cache, later, revoked()).await;
        assert_eq!(fetch(&cache, later, session(1)).await, Some(revoked()));
    }

    #[tokio::test]
    async fn a_read_that_began_before_the_record_was_forgotten_is_not_kept() {
        let (cache, now) = (Arc::new(cache()), Instant::now());
        let (finish, read) = slow_read(&cache, now);
        tokio::task::yield_now().await;
        cache.forget(session(1).id.0);
        finish.send(()).unwrap();
        assert_eq!(read.await.unwrap(), Some(session(1)));
        assert_eq!(fetch(&cache, now, revoked()).await, Some(revoked()));
    }

    #[tokio::test]
    async fn of_two_reads_at_once_an_older_state_does_not_outlive_the_newer_one() {
        // Another node revokes the session between both reads.
        let (cache, now) = (Arc::new(cache()), Instant::now());
        let (finish, older) = slow_read(&cache, now);
        tokio::task::yield_now().await;
        let newer = async {
            finish.send(()).unwrap();
            assert_eq!(older.await.unwrap(), Some(session(1)));
            Ok::<_, ()>(Some(revoked()))
        };
        assert_eq!(cache.fetch(session(1).id.0, now, newer).await, Ok(Some(revoked())));
        assert_eq!(fetch(&cache, now, revoked()).await, Some(revoked()));
    }

    #[tokio::test]
    async fn an_older_read_that_ends_last_does_not_bring_a_session_back() {
        let (cache, now) = (Arc::new(cache()), Instant::now());
        let (finish, older) = slow_read(&cache, now);
        tokio::task::yield_now().await;
        assert_eq!(fetch(&cache, now, revoked()).await, Some(revoked()));
        finish.send(()).unwrap();
        older.await.unwrap();
        assert_eq!(fetch(&cache, now, revoked()).await, Some(revoked()));
    }

    #[tokio::test]
    async fn the_records_take_no_more_memory_than_configured() {
        let (cache, now) = (cache(), Instant::now());
        for last in 0..10_000 {
            fetch(&cache, now, session(last)).await;
        }
        assert!(cache.kept.weight() <= 1 << 20 && cache.kept.len() > 100, "{}", cache.kept.weight());
    }

    /// The state in the store is revoked and then the cache forgets it, as a change does, while others read.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn ten_thousand_reads_that_race_a_revocation_never_bring_the_session_back() {
        for race in 0..10_000_u64 {
            let cache = Arc::new(ReadCache::new(ReadCacheSettings {
                staleness_max: Duration::from_hours(1),
                bytes_max: 1 << 16,
            }));
            let is_revoked = Arc::new(AtomicBool::new(false));
            let read = |cache: Arc<ReadCache<StoredSession>>, is_revoked: Arc<AtomicBool>, pause: u64| async move {
                let stored = async {
                    let stored = if is_revoked.load(Ordering::SeqCst) { revoked() } else { session(1) };
                    for _ in 0..pause {
                        tokio::task::yield_now().await;
                    }
                    Ok::<_, ()>(Some(stored))
                };
                cache.fetch(session(1).id.0, Instant::now(), stored).await.unwrap()
            };
            let readers = [race % 3, race % 5]
                .map(|pause| tokio::spawn(read(Arc::clone(&cache), Arc::clone(&is_revoked), pause)));
            if race % 2 == 0 {
                tokio::task::yield_now().await;
            }
            is_revoked.store(true, Ordering::SeqCst);
            if race % 4 < 2 {
                cache.forget(session(1).id.0);
            } else {
                cache.forget_domain(session(1).domain_id, Instant::now());
            }
            // Acknowledged.
            let after = read(Arc::clone(&cache), Arc::clone(&is_revoked), 0).await;
            assert_eq!(after, Some(revoked()), "in race {race}");
            for reader in readers {
                reader.await.unwrap();
            }
            let after = read(Arc::clone(&cache), Arc::clone(&is_revoked), 0).await;
            assert_eq!(after, Some(revoked()), "after race {race}");
        }
    }
}
