//! Last interactions that are not written yet: merged in memory and written together.
//!
//! A fetch writes nothing to the store. Reads of this server show a buffered interaction at once. A crash loses the
//! interactions since the last write, and nothing else.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use session_store::LastSeen;
use session_types::SessionId;
use tokio::sync::Notify;

/// Enough that threads rarely wait for each other.
const SHARDS: usize = 16;

/// How many sessions the buffer holds, about 50 MB. When it is full, interactions of further sessions are dropped: the
/// store is too slow, and last interactions are what may be lost.
const SESSIONS_MAX: usize = 100_000;

/// The buffer.
pub(crate) struct LastSeenBuffer {
    shards: [Mutex<HashMap<SessionId, LastSeen>>; SHARDS],
    count: AtomicUsize,
    /// Notified when the buffer is half full.
    filling: Notify,
}

impl Default for LastSeenBuffer {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            count: AtomicUsize::new(0),
            filling: Notify::new(),
        }
    }
}

impl LastSeenBuffer {
    fn shard(&self, id: SessionId) -> MutexGuard<'_, HashMap<SessionId, LastSeen>> {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        #[expect(clippy::cast_possible_truncation, reason = "only the last bits count")]
        let place = hasher.finish() as usize % SHARDS;
        self.shards[place].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Inserts an interaction, unless a later one of the session is in the buffer.
    pub(crate) fn insert(&self, seen: LastSeen) {
        let mut shard = self.shard(seen.session_id);
        match shard.get_mut(&seen.session_id) {
            Some(buffered) if buffered.details.at <= seen.details.at => *buffered = seen,
            Some(_) => {}
            None if self.count.load(Ordering::Relaxed) >= SESSIONS_MAX => {}
            None => {
                shard.insert(seen.session_id, seen);
                if self.count.fetch_add(1, Ordering::Relaxed) == SESSIONS_MAX / 2 {
                    self.filling.notify_one();
                }
            }
        }
    }

    /// Returns the buffered interaction of a session.
    pub(crate) fn get(&self, id: SessionId) -> Option<LastSeen> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        self.shard(id).get(&id).cloned()
    }

    /// Returns every buffered interaction by ascending session ID, so that neighbours share pages of the store.
    pub(crate) fn waiting(&self) -> Vec<LastSeen> {
        let lock = |shard: &Mutex<HashMap<SessionId, LastSeen>>| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.values().cloned().collect::<Vec<_>>()
        };
        let mut all: Vec<LastSeen> = self.shards.iter().flat_map(lock).collect();
        all.sort_unstable_by_key(|seen| seen.session_id);
        all
    }

    /// Waits until the buffer is half full.
    pub(crate) async fn filling(&self) {
        self.filling.notified().await;
    }

    /// Removes interactions that were written, except for sessions that have had a later one meanwhile.
    pub(crate) fn remove_written(&self, written: &[LastSeen]) {
        for seen in written {
            let mut shard = self.shard(seen.session_id);
            if shard.get(&seen.session_id) == Some(seen) {
                shard.remove(&seen.session_id);
                self.count.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use session_store::contract_suite::id;
    use session_types::{InteractionDetails, Timestamp};

    use super::*;

    fn seen(last: u64, ms: u64) -> LastSeen {
        let at = Timestamp::from_ms(ms).unwrap();
        let details = InteractionDetails { at, remote_ip: None, user_agent: None };
        LastSeen { session_id: SessionId(id(1, last)), details, expires_at: None }
    }

    #[test]
    fn interactions_of_a_session_are_merged_and_only_move_forward() {
        let buffer = LastSeenBuffer::default();
        assert_eq!(buffer.get(seen(1, 0).session_id), None);
        for ms in [5, 9, 7] {
            buffer.insert(seen(1, ms));
        }
        assert_eq!(buffer.get(seen(1, 0).session_id), Some(seen(1, 9)));
        assert_eq!(buffer.waiting(), [seen(1, 9)]);
    }

    #[test]
    fn a_session_that_is_used_while_its_interaction_is_written_stays_in_the_buffer() {
        let buffer = LastSeenBuffer::default();
        buffer.insert(seen(1, 5));
        buffer.insert(seen(2, 5));
        let waiting = buffer.waiting();
        buffer.insert(seen(2, 6));
        buffer.remove_written(&waiting);
        assert_eq!(buffer.waiting(), [seen(2, 6)]);
        assert_eq!(buffer.count.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_full_buffer_takes_no_further_session_and_half_full_it_notifies() {
        let buffer = LastSeenBuffer::default();
        for last in 0..SESSIONS_MAX as u64 + 10 {
            assert!(last > SESSIONS_MAX as u64 / 2 || buffer.filling().now_or_never().is_none());
            buffer.insert(seen(last, 1));
        }
        assert_eq!(buffer.waiting().len(), SESSIONS_MAX);
        buffer.insert(seen(3, 2));
        assert_eq!(
            buffer.get(seen(3, 0).session_id),
            Some(seen(3, 2)),
            "sessions in the buffer are still updated"
        );
        assert!(buffer.filling().now_or_never().is_some());
    }
}
