//! When sessions were last seen: kept in memory, merged, and written together.
//!
//! A fetch writes nothing. What is noted here is shown by reads of this server at once; a crash loses what was noted
//! since the last time it was written, and nothing else.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use session_api::SessionId;
use session_store::Seen;
use tokio::sync::Notify;

/// So that threads rarely wait for each other.
const SHARDS: usize = 16;

/// How many sessions may wait to be written, about 50 MB of them. Beyond it, those that are not among them go
/// unnoted: the store does not keep up, and last-seen times are what may be lost.
const WAITING_MAX: usize = 100_000;

/// What is waiting to be written.
#[derive(Debug)]
pub(crate) struct SeenBuffer {
    shards: [Mutex<HashMap<SessionId, Seen>>; SHARDS],
    count: AtomicUsize,
    /// Told when half of the room is taken.
    pub(crate) filling: Notify,
}

impl Default for SeenBuffer {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            count: AtomicUsize::new(0),
            filling: Notify::new(),
        }
    }
}

impl SeenBuffer {
    fn shard(&self, id: SessionId) -> MutexGuard<'_, HashMap<SessionId, Seen>> {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        #[expect(clippy::cast_possible_truncation, reason = "only the last bits count")]
        let place = hasher.finish() as usize % SHARDS;
        self.shards[place].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an interaction, unless a later one of the session is noted already.
    pub(crate) fn note(&self, seen: Seen) {
        let mut shard = self.shard(seen.session_id);
        match shard.get_mut(&seen.session_id) {
            Some(noted) if noted.details.at <= seen.details.at => *noted = seen,
            Some(_) => {}
            None if self.count.load(Ordering::Relaxed) >= WAITING_MAX => {}
            None => {
                shard.insert(seen.session_id, seen);
                if self.count.fetch_add(1, Ordering::Relaxed) == WAITING_MAX / 2 {
                    self.filling.notify_one();
                }
            }
        }
    }

    /// What is noted of a session.
    pub(crate) fn get(&self, id: SessionId) -> Option<Seen> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        self.shard(id).get(&id).cloned()
    }

    /// Everything that waits, by ID: neighbours share pages of the store.
    pub(crate) fn waiting(&self) -> Vec<Seen> {
        let lock = |shard: &Mutex<HashMap<SessionId, Seen>>| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.values().cloned().collect::<Vec<_>>()
        };
        let mut all: Vec<Seen> = self.shards.iter().flat_map(lock).collect();
        all.sort_unstable_by_key(|seen| seen.session_id);
        all
    }

    /// Forgets what was written, but for sessions that were seen again meanwhile.
    pub(crate) fn written(&self, seen: &[Seen]) {
        for seen in seen {
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
    use session_api::{InteractionDetails, Timestamp};
    use session_store::contract::id;

    use super::*;

    fn seen(last: u64, ms: u64) -> Seen {
        let at = Timestamp::from_ms(ms).unwrap();
        let details = InteractionDetails { at, remote_ip: None, user_agent: None };
        Seen { session_id: SessionId(id(1, last)), details, ends_at: None }
    }

    #[test]
    fn interactions_of_a_session_are_merged_and_only_move_forward() {
        let buffer = SeenBuffer::default();
        assert_eq!(buffer.get(seen(1, 0).session_id), None);
        for ms in [5, 9, 7] {
            buffer.note(seen(1, ms));
        }
        assert_eq!(buffer.get(seen(1, 0).session_id), Some(seen(1, 9)));
        assert_eq!(buffer.waiting(), [seen(1, 9)]);
    }

    #[test]
    fn what_was_seen_again_while_it_was_written_stays() {
        let buffer = SeenBuffer::default();
        buffer.note(seen(1, 5));
        buffer.note(seen(2, 5));
        let waiting = buffer.waiting();
        buffer.note(seen(2, 6));
        buffer.written(&waiting);
        assert_eq!(buffer.waiting(), [seen(2, 6)]);
        assert_eq!(buffer.count.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn there_is_a_limit_and_it_is_announced_before() {
        let buffer = SeenBuffer::default();
        for last in 0..WAITING_MAX as u64 + 10 {
            buffer.note(seen(last, 1));
        }
        assert_eq!(buffer.waiting().len(), WAITING_MAX);
        buffer.note(seen(3, 2));
        assert_eq!(buffer.get(seen(3, 0).session_id), Some(seen(3, 2)), "those among them still move");
        let announced = tokio::runtime::Builder::new_current_thread().build().unwrap();
        announced.block_on(buffer.filling.notified());
    }
}
