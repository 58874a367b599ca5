//! Last interactions that are not written yet: merged in memory and written together.
//!
//! A fetch writes nothing to the store. Reads of this server show a buffered interaction at once. A crash loses the
//! interactions since the last write, and nothing else.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use session_store::{LastSeen, StoredSession};
use session_types::{DomainId, SessionId, Timestamp};
use tokio::sync::Notify;

use crate::environment::CLOCK_AHEAD_MAX;

/// Enough that threads rarely wait for each other.
const SHARDS: usize = 16;

/// How many sessions the buffer holds, about 50 MB. When it is full, interactions of further sessions are dropped: the
/// store is too slow, and last interactions are what may be lost.
const SESSIONS_MAX: usize = 100_000;

/// A buffered interaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Buffered {
    /// The interaction.
    pub(crate) seen: LastSeen,
    /// The domain of the session.
    domain_id: DomainId,
    /// When the session's lifetime passes by the interaction that is stored.
    stored_expires_at: Option<Timestamp>,
    /// Greater than those of all interactions that were inserted before.
    sequence: u64,
}

impl Buffered {
    /// Whether the session had expired before this interaction by the lifetime that is stored.
    pub(crate) fn is_after_stored_end(&self) -> bool {
        self.stored_expires_at.is_some_and(|expires_at| expires_at <= self.seen.first_at)
    }

    /// Whether a session of the domain has expired at `at` by the interaction that is stored, but not by this one.
    fn revives(&self, domain_id: DomainId, at: Timestamp) -> bool {
        self.domain_id == domain_id && self.stored_expires_at.is_some_and(|expires_at| expires_at <= at)
    }
}

/// Which buffered interactions to write.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which {
    /// All of them.
    All,
    /// Those of the sessions of a domain that have expired at this time by the interaction that is stored.
    Reviving(DomainId, Timestamp),
}

/// The buffer.
pub(crate) struct LastSeenBuffer {
    shards: [Mutex<Shard>; SHARDS],
    count: AtomicUsize,
    next_sequence: AtomicU64,
    /// Notified when the buffer is half full.
    filling: Notify,
}

#[derive(Default)]
struct Shard {
    sessions: HashMap<SessionId, Buffered>,
    /// No stored lifetime in the shard passes before this, so that a revocation rarely searches the shard.
    earliest_expiry: Option<Timestamp>,
}

impl Default for LastSeenBuffer {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            count: AtomicUsize::new(0),
            next_sequence: AtomicU64::new(0),
            filling: Notify::new(),
        }
    }
}

impl LastSeenBuffer {
    fn shard(&self, id: SessionId) -> MutexGuard<'_, Shard> {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        #[expect(clippy::cast_possible_truncation, reason = "only the last bits count")]
        let place = hasher.finish() as usize % SHARDS;
        self.lock(place)
    }

    fn lock(&self, place: usize) -> MutexGuard<'_, Shard> {
        self.shards[place].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Inserts an interaction of now with a session as it is stored, unless a later one of the session is in the buffer. One
    /// that is later by more than [`CLOCK_AHEAD_MAX`] is of a wrong clock and is replaced.
    pub(crate) fn insert(&self, session: &StoredSession, mut seen: LastSeen) {
        let sequence = self.next_sequence.fetch_add(1, Ordering::Relaxed);
        let mut shard = self.shard(session.id);
        let Shard { sessions, earliest_expiry } = &mut *shard;
        let ahead_max = seen.details.at.saturating_add(CLOCK_AHEAD_MAX);
        match sessions.get(&session.id) {
            Some(Buffered { seen: later, .. })
                if later.details.at > seen.details.at && later.details.at <= ahead_max =>
            {
                return;
            }
            Some(buffered) => seen.first_at = seen.first_at.min(buffered.seen.first_at),
            None if self.count.load(Ordering::Relaxed) >= SESSIONS_MAX => return,
            None => {
                if self.count.fetch_add(1, Ordering::Relaxed) == SESSIONS_MAX / 2 {
                    self.filling.notify_one();
                }
            }
        }
        *earliest_expiry = [*earliest_expiry, session.expires_at].into_iter().flatten().min();
        let (domain_id, stored_expires_at) = (session.domain_id, session.expires_at);
        sessions.insert(session.id, Buffered { seen, domain_id, stored_expires_at, sequence });
    }

    /// Returns the buffered interaction of a session.
    pub(crate) fn get(&self, id: SessionId) -> Option<LastSeen> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        self.shard(id).sessions.get(&id).map(|buffered| buffered.seen.clone())
    }

    /// Returns at most `max` sessions with such interactions by ascending ID, so that neighbours, which share pages of the
    /// store, are written together.
    pub(crate) fn sessions(&self, which: Which, max: usize) -> Vec<SessionId> {
        let mut ids = Vec::new();
        for place in 0..SHARDS {
            let mut shard = self.lock(place);
            let Shard { sessions, earliest_expiry } = &mut *shard;
            let max = max - ids.len();
            match which {
                Which::All => ids.extend(sessions.keys().take(max)),
                Which::Reviving(_, at) if earliest_expiry.is_none_or(|earliest| earliest > at) => {}
                Which::Reviving(domain_id, at) => {
                    *earliest_expiry =
                        sessions.values().filter_map(|buffered| buffered.stored_expires_at).min();
                    let reviving = sessions.iter().filter(|(_, buffered)| buffered.revives(domain_id, at));
                    ids.extend(reviving.map(|(id, _)| *id).take(max));
                }
            }
        }
        ids.sort_unstable();
        ids
    }

    /// Returns the interactions of these sessions that are still in the buffer.
    pub(crate) fn of_sessions(&self, ids: &[SessionId]) -> Vec<Buffered> {
        ids.iter().filter_map(|id| self.shard(*id).sessions.get(id).cloned()).collect()
    }

    /// Waits until the buffer is half full.
    pub(crate) async fn filling(&self) {
        self.filling.notified().await;
    }

    /// Removes interactions that were written, except for sessions that have had a later one meanwhile.
    pub(crate) fn remove_written(&self, written: &[Buffered]) {
        for buffered in written {
            let id = buffered.seen.session_id;
            let Shard { sessions, .. } = &mut *self.shard(id);
            if sessions.get(&id).is_some_and(|later| later.sequence == buffered.sequence) {
                sessions.remove(&id);
                self.count.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use session_store::contract_suite::{id, session};
    use session_types::InteractionDetails;

    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_ms(ms).unwrap()
    }

    fn seen(last: u64, ms: u64) -> LastSeen {
        let details = InteractionDetails { at: at(ms), remote_ip: None, user_agent: None };
        LastSeen { session_id: session(last).id, first_at: at(ms), details, expires_at: None }
    }

    fn insert(buffer: &LastSeenBuffer, last: u64, ms: u64) {
        buffer.insert(&session(last), seen(last, ms));
    }

    fn select(buffer: &LastSeenBuffer, which: Which) -> Vec<Buffered> {
        buffer.of_sessions(&buffer.sessions(which, usize::MAX))
    }

    fn waiting(buffer: &LastSeenBuffer) -> Vec<LastSeen> {
        select(buffer, Which::All).into_iter().map(|buffered| buffered.seen).collect()
    }

    #[test]
    fn interactions_of_a_session_are_merged_and_only_move_forward() {
        let buffer = LastSeenBuffer::default();
        assert_eq!(buffer.get(session(1).id), None);
        for ms in [5, 9, 7] {
            insert(&buffer, 1, ms);
        }
        let merged = LastSeen { first_at: at(5), ..seen(1, 9) };
        assert_eq!(buffer.get(session(1).id), Some(merged.clone()));
        assert_eq!(waiting(&buffer), [merged]);
    }

    #[test]
    fn an_interaction_that_a_wrong_clock_put_into_the_future_is_replaced() {
        let buffer = LastSeenBuffer::default();
        let ahead_ms = u64::try_from(CLOCK_AHEAD_MAX.as_millis()).unwrap();
        insert(&buffer, 1, 10 + ahead_ms);
        insert(&buffer, 1, 10);
        assert_eq!(
            buffer.get(session(1).id),
            Some(seen(1, 10 + ahead_ms)),
            "threads may read the clock late"
        );
        insert(&buffer, 1, 9);
        assert_eq!(buffer.get(session(1).id), Some(seen(1, 9)));
    }

    #[test]
    fn a_session_that_is_used_while_its_interaction_is_written_stays_in_the_buffer() {
        let buffer = LastSeenBuffer::default();
        insert(&buffer, 1, 5);
        insert(&buffer, 2, 5);
        let written = select(&buffer, Which::All);
        insert(&buffer, 2, 6);
        buffer.remove_written(&written);
        assert_eq!(waiting(&buffer), [LastSeen { first_at: at(5), ..seen(2, 6) }]);
        assert_eq!(buffer.count.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn waiting_sessions_are_in_the_order_of_their_ids_over_all_shards_and_at_most_as_many_as_wanted() {
        let buffer = LastSeenBuffer::default();
        (0..1_000).rev().for_each(|last| insert(&buffer, last, 1));
        let all: Vec<_> = (0..1_000).map(|last| session(last).id).collect();
        assert_eq!(buffer.sessions(Which::All, usize::MAX), all);
        assert_eq!(buffer.sessions(Which::All, 7).len(), 7);
        buffer.remove_written(&buffer.of_sessions(&all[..400]));
        assert_eq!(
            buffer.of_sessions(&all).len(),
            600,
            "those that another task wrote meanwhile are left out"
        );
    }

    #[test]
    fn only_sessions_of_the_domain_that_have_expired_by_what_is_stored_are_selected_as_reviving() {
        let buffer = LastSeenBuffer::default();
        let domain_id = session(0).domain_id;
        let reviving = |ms| -> Vec<_> {
            let selected = select(&buffer, Which::Reviving(domain_id, at(ms)));
            selected.iter().map(|buffered| buffered.seen.session_id).collect()
        };
        assert_eq!(reviving(9), []);
        for (last, expires_at) in [(1, None), (2, Some(10)), (3, Some(11)), (4, Some(10))] {
            let mut one = session(last);
            one.expires_at = expires_at.map(at);
            if last == 4 {
                one.domain_id = DomainId(id(1, 77));
            }
            buffer.insert(&one, seen(last, 5));
        }
        assert_eq!(reviving(9), []);
        assert_eq!(reviving(10), [session(2).id]);
        assert_eq!(reviving(11), [session(2).id, session(3).id]);
        // The search has found the earliest end, and a session that is used again has a later one.
        buffer.insert(&StoredSession { expires_at: Some(at(20)), ..session(2) }, seen(2, 6));
        assert_eq!(reviving(11), [session(3).id]);
        assert_eq!(reviving(20), [session(2).id, session(3).id]);
    }

    #[test]
    fn a_full_buffer_takes_no_further_session_and_half_full_it_notifies() {
        let buffer = LastSeenBuffer::default();
        for last in 0..SESSIONS_MAX as u64 + 10 {
            assert!(last > SESSIONS_MAX as u64 / 2 || buffer.filling().now_or_never().is_none());
            insert(&buffer, last, 1);
        }
        assert_eq!(waiting(&buffer).len(), SESSIONS_MAX);
        insert(&buffer, 3, 2);
        let updated = buffer.get(session(3).id).map(|seen| seen.details.at);
        assert_eq!(updated, Some(at(2)), "sessions in the buffer are still updated");
        assert!(buffer.filling().now_or_never().is_some());
    }
}
