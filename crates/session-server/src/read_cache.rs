//! Records that were read from the store, in memory: live sessions and active API keys, for the reads of requests.
//!
//! In front of the embedded store, whose only writer is this process, it is exact: while a record is changed it is not in
//! the cache, from before the change can be seen by any read until its outcome is known. On PostgreSQL, which other nodes change
//! too, a record counts for a configured time at most, counted from the start of its read; within that time a session that
//! another node has revoked can be returned as live, and its token be accepted.
//!
//! A record is kept by whoever read it for a caller who may read it, so that a refused request leaves no trace.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use session_store::{ApiKey, SecretHash};
use session_types::Id;

use crate::session_entry::SessionEntry;

/// With so many slots, two of a hundred reads that run at once rarely share one.
const SLOTS: usize = 4_096;

/// About how many bytes an entry of the cache takes beside its record: key, counters, and places in its tables.
const ENTRY_BYTES: usize = 128;

/// The settings of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadCacheSettings {
    /// How old a record may be, for a store that others change too.
    pub staleness_max: Option<Duration>,
    /// How much memory the records may take, in bytes.
    pub bytes_max: u64,
}

/// A record that can be cached.
pub(crate) trait Record: Send + Sync + 'static {
    /// Whether the record is still valid: one that has ended is not cached. So a deletion, which is of ended ones only, need
    /// not search the cache.
    fn is_live(&self) -> bool;

    /// The IDs by which one change may be about it and others.
    fn groups(&self) -> [Option<Id>; 5];

    /// How much memory it takes, in bytes.
    fn bytes(&self) -> usize;
}

impl Record for SessionEntry {
    fn is_live(&self) -> bool {
        !self.stored().status.is_final()
    }

    fn groups(&self) -> [Option<Id>; 5] {
        let session = self.stored();
        [
            Some(session.domain_id.0),
            Some(session.pool_id.0),
            session.account_id.map(|id| id.0),
            session.identity_id.map(|id| id.0),
            session.device_id.map(|id| id.0),
        ]
    }

    fn bytes(&self) -> usize {
        let session = self.stored();
        let title = session.title.as_ref().map_or(0, |title| title.as_str().len());
        let agents = [&session.first_seen, &session.last_seen]
            .into_iter()
            .flatten()
            .filter_map(|seen| seen.user_agent.as_ref())
            .map(|agent| agent.as_str().len());
        let hashes = session.replaced_token_hashes.capacity() * size_of::<SecretHash>();
        size_of::<Self>() + title + agents.sum::<usize>() + hashes + self.summary_bytes()
    }
}

impl Record for ApiKey {
    fn is_live(&self) -> bool {
        self.revoked_at.is_none()
    }

    fn groups(&self) -> [Option<Id>; 5] {
        [None; 5]
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.name.len() + self.scopes.len()
    }
}

struct Kept<V> {
    record: Arc<V>,
    generation: u64,
    /// When the read began, if records age.
    read_at: Option<Instant>,
}

impl<V> Clone for Kept<V> {
    fn clone(&self) -> Self {
        Self { record: Arc::clone(&self.record), ..*self }
    }
}

#[derive(Clone, Copy, Debug)]
struct Bytes;

impl<V: Record> Weighter<Id, Kept<V>> for Bytes {
    fn weight(&self, _: &Id, kept: &Kept<V>) -> u64 {
        (ENTRY_BYTES + kept.record.bytes()) as u64
    }
}

/// The right to keep a record that is read after this was issued, unless the record changes meanwhile.
#[derive(Debug)]
pub(crate) struct Ticket {
    id: Id,
    count: u64,
    generation: u64,
    read_at: Option<Instant>,
}

/// The records whose IDs share a slot.
#[derive(Default)]
struct Slot {
    /// How often one of them was kept, or began to be changed.
    count: u64,
    /// How many changes of them run.
    changing: u32,
}

/// The groups whose IDs share a slot.
#[derive(Default)]
struct Group {
    /// How many changes of one of them run.
    changing: AtomicU32,
    /// The generation that the last change of one of them has begun when it ended.
    changed_at: AtomicU64,
}

/// A cache of records by their ID.
pub(crate) struct ReadCache<V> {
    staleness_max: Option<Duration>,
    kept: Cache<Id, Kept<V>, Bytes>,
    slots: Box<[Mutex<Slot>]>,
    /// The number of beginnings and ends of changes of groups.
    generation: AtomicU64,
    /// How many changes of groups run.
    groups_changing: AtomicU32,
    groups: Box<[Group]>,
}

impl<V: Record> ReadCache<V> {
    pub(crate) fn new(settings: ReadCacheSettings) -> Self {
        // An estimate that only decides how much is allocated at first.
        let records = usize::try_from(settings.bytes_max / 2_048).unwrap_or(usize::MAX).min(1_000_000);
        Self {
            staleness_max: settings.staleness_max,
            kept: Cache::with_weighter(records, settings.bytes_max, Bytes),
            slots: (0..SLOTS).map(|_| Mutex::default()).collect(),
            generation: AtomicU64::new(0),
            groups_changing: AtomicU32::new(0),
            groups: (0..SLOTS).map(|_| Group::default()).collect(),
        }
    }

    /// Returns the record if it is kept and still counts at `now`. Takes no lock but that of a part of the table, which is
    /// held while one record is looked up, inserted or removed.
    pub(crate) fn get(&self, id: Id, now: impl FnOnce() -> Instant) -> Option<Arc<V>> {
        let kept = self.kept.get(&id)?;
        if let (Some(staleness_max), Some(read_at)) = (self.staleness_max, kept.read_at)
            && now().saturating_duration_since(read_at) >= staleness_max
        {
            return None;
        }
        (self.generation.load(Ordering::SeqCst) == kept.generation || self.groups_are_unchanged(&kept))
            .then_some(kept.record)
    }

    /// Whether no change of a group of the record has begun since its read did.
    fn groups_are_unchanged(&self, kept: &Kept<V>) -> bool {
        kept.record.groups().into_iter().flatten().all(|id| {
            let group = &self.groups[place(id)];
            // In this order: whoever ends a change stores when before it is one less.
            group.changing.load(Ordering::SeqCst) == 0
                && group.changed_at.load(Ordering::SeqCst) <= kept.generation
        })
    }

    /// Returns the right to keep the record, to be called before it is read from the store; `None` while it may be changing.
    pub(crate) fn ticket(&self, id: Id, now: impl FnOnce() -> Instant) -> Option<Ticket> {
        let read_at = self.staleness_max.is_some().then(now);
        // In this order: a change of a group is counted as one that runs before it begins a generation.
        let generation = self.generation.load(Ordering::SeqCst);
        if self.groups_changing.load(Ordering::SeqCst) > 0 {
            return None;
        }
        let slot = self.slot(id);
        (slot.changing == 0).then_some(Ticket { id, count: slot.count, generation, read_at })
    }

    /// Keeps a record as it was read after `ticket` was issued, if it is live.
    ///
    /// A record is kept only if no other one of its slot was kept or changed since then; otherwise what is kept of it is
    /// removed too. So of two reads that run at once, the one that returns an older state can neither replace the newer one nor
    /// outlive it.
    pub(crate) fn keep(&self, ticket: &Ticket, record: &Arc<V>) {
        let Ticket { id, count, generation, read_at } = *ticket;
        let mut slot = self.slot(id);
        if slot.count == count && record.is_live() {
            self.kept.insert(id, Kept { record: Arc::clone(record), generation, read_at });
        } else {
            self.kept.remove(&id);
        }
        slot.count = slot.count.wrapping_add(1);
    }

    /// Removes what is kept of a record that was read as missing or ended: another node has changed it.
    pub(crate) fn remove(&self, id: Id) {
        let mut slot = self.slot(id);
        slot.count = slot.count.wrapping_add(1);
        self.kept.remove(&id);
    }

    /// To be called before a record is changed: until [`ReadCache::end_change`], it is neither kept nor returned.
    pub(crate) fn begin_change(&self, id: Id) {
        let mut slot = self.slot(id);
        slot.count = slot.count.wrapping_add(1);
        slot.changing += 1;
        self.kept.remove(&id);
    }

    /// To be called when the outcome of the change is known.
    pub(crate) fn end_change(&self, id: Id) {
        self.slot(id).changing -= 1;
    }

    /// As [`ReadCache::begin_change`] of every record with this group. Takes no longer if there are many.
    pub(crate) fn begin_group_change(&self, id: Id) {
        self.groups_changing.fetch_add(1, Ordering::SeqCst);
        self.groups[place(id)].changing.fetch_add(1, Ordering::SeqCst);
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// As [`ReadCache::end_change`] of every record with this group: those that were read before no longer count.
    pub(crate) fn end_group_change(&self, id: Id) {
        let generation = self.generation.fetch_add(1, Ordering::SeqCst) + 1;
        let group = &self.groups[place(id)];
        group.changed_at.fetch_max(generation, Ordering::SeqCst);
        group.changing.fetch_sub(1, Ordering::SeqCst);
        self.groups_changing.fetch_sub(1, Ordering::SeqCst);
    }

    fn slot(&self, id: Id) -> MutexGuard<'_, Slot> {
        self.slots[place(id)].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The slot of an ID, whose end is random.
fn place(id: Id) -> usize {
    let [.., high, low] = *id.as_bytes();
    usize::from(u16::from_be_bytes([high, low])) % SLOTS
}

#[cfg(test)]
mod tests {
    use session_store::StoredSession;
    use session_store::contract_suite::session;
    use session_types::{AccountId, DomainId, SessionStatus};

    use super::*;

    const STALENESS: Duration = Duration::from_secs(2);

    fn cache(staleness_max: Option<Duration>) -> ReadCache<SessionEntry> {
        ReadCache::new(ReadCacheSettings { staleness_max, bytes_max: 1 << 20 })
    }

    fn entry(session: &StoredSession) -> Arc<SessionEntry> {
        Arc::new(SessionEntry::new(session.clone()))
    }

    fn changed() -> StoredSession {
        StoredSession { revision: 1, ..session(1) }
    }

    fn revoked() -> StoredSession {
        StoredSession { status: SessionStatus::Revoked, ..changed() }
    }

    /// What the cache returns, or else the store, which has this.
    fn fetch(cache: &ReadCache<SessionEntry>, now: Instant, stored: &StoredSession) -> StoredSession {
        if let Some(entry) = cache.get(stored.id.0, || now) {
            return entry.stored().clone();
        }
        if let Some(ticket) = cache.ticket(stored.id.0, || now) {
            cache.keep(&ticket, &entry(stored));
        }
        stored.clone()
    }

    #[test]
    fn a_record_is_read_once_within_the_staleness_and_again_after_it() {
        let (cache, start) = (cache(Some(STALENESS)), Instant::now());
        fetch(&cache, start, &session(1));
        let just_before = start + STALENESS.saturating_sub(Duration::from_millis(1));
        assert_eq!(fetch(&cache, just_before, &changed()), session(1));
        assert_eq!(fetch(&cache, start + STALENESS, &changed()), changed());
    }

    #[test]
    fn without_a_staleness_a_record_does_not_age() {
        let (cache, start) = (cache(None), Instant::now());
        fetch(&cache, start, &session(1));
        assert_eq!(fetch(&cache, start + Duration::from_hours(10_000), &changed()), session(1));
    }

    #[test]
    fn a_session_that_has_ended_is_read_every_time() {
        let (cache, now) = (cache(None), Instant::now());
        assert_eq!(fetch(&cache, now, &revoked()), revoked());
        assert_eq!(fetch(&cache, now, &changed()), changed());
    }

    #[test]
    fn a_record_is_read_while_it_is_changed_and_kept_again_after_that() {
        let (cache, now, id) = (cache(None), Instant::now(), session(1).id.0);
        fetch(&cache, now, &session(1));
        // Two changes at once.
        cache.begin_change(id);
        cache.begin_change(id);
        for _ in 0..2 {
            assert_eq!(fetch(&cache, now, &session(1)), session(1));
            assert_eq!(fetch(&cache, now, &changed()), changed());
            cache.end_change(id);
        }
        assert_eq!(fetch(&cache, now, &changed()), changed());
        assert_eq!(fetch(&cache, now, &session(1)), changed());
    }

    #[test]
    fn a_read_that_began_before_a_change_is_not_kept_whenever_it_ends() {
        let (now, id) = (Instant::now(), session(1).id.0);
        for is_over in [false, true] {
            let cache = cache(None);
            let ticket = cache.ticket(id, || now).unwrap();
            cache.begin_change(id);
            if is_over {
                cache.end_change(id);
            }
            cache.keep(&ticket, &entry(&session(1)));
            assert_eq!(fetch(&cache, now, &changed()), changed());
        }
    }

    #[test]
    fn a_change_of_a_group_is_about_each_record_with_it_and_no_others() {
        let account_id = Some(AccountId(session(77).id.0));
        let of_account = StoredSession { account_id, ..session(1) };
        let of_domain = StoredSession { domain_id: DomainId(session(78).id.0), ..session(2) };
        for (changed_id, is_about) in [
            (session(77).id.0, [true, false]),
            (session(78).id.0, [false, true]),
            (session(1).pool_id.0, [true, true]),
            (session(79).id.0, [false, false]),
        ] {
            let (cache, now) = (cache(None), Instant::now());
            for stored in [&of_account, &of_domain] {
                fetch(&cache, now, stored);
            }
            let hits = || [&of_account, &of_domain].map(|stored| cache.get(stored.id.0, || now).is_some());
            cache.begin_group_change(changed_id);
            assert_eq!(hits(), is_about.map(|is_about| !is_about));
            cache.end_group_change(changed_id);
            assert_eq!(hits(), is_about.map(|is_about| !is_about));
            for stored in [&of_account, &of_domain] {
                fetch(&cache, now, stored);
            }
            assert_eq!(hits(), [true, true]);
        }
    }

    #[test]
    fn a_read_that_began_before_or_during_a_change_of_its_group_does_not_count_after_it() {
        let (now, stored) = (Instant::now(), session(1));
        for ends_after in [false, true] {
            let cache = cache(None);
            let before = cache.ticket(stored.id.0, || now).unwrap();
            cache.begin_group_change(stored.domain_id.0);
            assert!(cache.ticket(stored.id.0, || now).is_none());
            if !ends_after {
                cache.keep(&before, &entry(&stored));
                assert!(cache.get(stored.id.0, || now).is_none());
            }
            cache.end_group_change(stored.domain_id.0);
            if ends_after {
                cache.keep(&before, &entry(&stored));
            }
            assert_eq!(fetch(&cache, now, &changed()), changed());
        }
    }

    #[test]
    fn of_two_reads_at_once_the_older_state_does_not_outlive_the_newer_one() {
        // Another node changes the session between both reads.
        let (now, id) = (Instant::now(), session(1).id.0);
        for newer in [changed(), revoked()] {
            for older_ends_last in [false, true] {
                let cache = cache(Some(STALENESS));
                let [older_ticket, newer_ticket] = [(); 2].map(|()| cache.ticket(id, || now).unwrap());
                let mut ends = [(&older_ticket, session(1)), (&newer_ticket, newer.clone())];
                if older_ends_last {
                    ends.reverse();
                }
                for (ticket, stored) in ends {
                    // As every read of a session that has ended does.
                    if stored.status.is_final() {
                        cache.remove(id);
                    }
                    cache.keep(ticket, &entry(&stored));
                }
                assert_eq!(fetch(&cache, now, &newer), newer);
            }
        }
    }

    #[test]
    fn the_records_take_no_more_memory_than_configured() {
        let (cache, now) = (cache(None), Instant::now());
        for last in 0..10_000 {
            fetch(&cache, now, &session(last));
        }
        assert!(cache.kept.weight() <= 1 << 20 && cache.kept.len() > 100, "{}", cache.kept.weight());
    }
}
