//! Last interactions that are not written yet: merged in memory and written together.
//!
//! A fetch writes nothing to the store. Reads of this server show a buffered interaction at once.
//!
//! What a write costs depends on the pages of the store that it changes, so sessions that were created one after another,
//! which share pages, are written together: at each interval of 5 s those of the next one of [`SHARDS`] shards. Before its
//! turn comes, an interaction is written once the stored one is older by a *step*, an eighth of the idle lifetime and at most
//! 5 minutes. So what is stored is never further behind than a step and the interactions of one interval: that is what a
//! crash loses, and what other nodes do not see yet. As a step is far shorter than the lifetime, they see a session as
//! expired that is not only if it was used in the last interval before that end, and until the interval is over.

use std::cmp;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use session_store::{LastSeen, StoredSession};
use session_types::{InteractionDetails, SessionId, Timestamp, UserAgent};
use tokio::sync::Notify;

use crate::environment::CLOCK_AHEAD_MAX;

/// How many steps an idle lifetime has. With more of them, a session that is used all the time is written more often; with
/// fewer, a crash cuts more off its lifetime.
const STEPS: u64 = 8;

/// The longest step: 5 minutes.
const STEP_MAX_MS: u64 = 5 * 60 * 1_000;

/// Each shard is written every 160 s, two thirds of a step of the default lifetime of a browser's session: nearly all
/// sessions that are used every minute are written in their shard's turn. Also enough that threads rarely wait for each other.
const SHARDS: usize = 32;

/// Sessions that were created in the same 2^14 ms, 16 s, are in the same shard: some pages at one creation a second, and
/// those that are created in an hour are in all shards.
const SHARD_TIME_BITS: u32 = 14;

/// How many bytes the buffer takes: about a million sessions. When it is full, interactions of further sessions are dropped:
/// the store is too slow, and last interactions are what may be lost.
const BYTES_MAX: usize = 128 * 1024 * 1024;

/// From how many bytes on the buffer is written as a whole.
const BYTES_FILLING: usize = BYTES_MAX / 8 * 7;

/// How many bytes a session takes: the nodes of a B-tree that is filled in any order are two thirds full.
const SESSION_BYTES: usize = (size_of::<Key>() + size_of::<Buffered>()) * 3 / 2;

/// What a user agent takes in addition to its text: its counters, its length and its place in a table.
const AGENT_BYTES: usize = 64;

/// An interaction of now.
pub(crate) struct Interaction<'a> {
    /// When it was.
    pub(crate) at: Timestamp,
    /// The address that it came from.
    pub(crate) address: IpAddr,
    /// The `User-Agent` of the browser or program.
    pub(crate) user_agent: Option<&'a UserAgent>,
    /// When the session's lifetime passes after it.
    pub(crate) expires_at: Option<Timestamp>,
}

/// A buffered interaction: 64 bytes, of which there may be a million.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Buffered {
    /// As [`LastSeen::first_at`].
    first_at: Timestamp,
    at: Timestamp,
    /// An IPv4 address is mapped into IPv6.
    address: Ipv6Addr,
    /// One for all sessions with the same text.
    user_agent: Option<Arc<UserAgent>>,
    /// When the session's lifetime passes after it; [`NEVER_MS`] if it has none.
    expires_at_ms: u64,
    /// When the session's lifetime passes by the interaction that is stored.
    stored_expires_at_ms: u64,
    /// When it is to be written, if its shard's turn does not come before.
    due_at_ms: u64,
}

/// In place of the end of a lifetime.
const NEVER_MS: u64 = u64::MAX;

fn ms_or_never(at: Option<Timestamp>) -> u64 {
    at.map_or(NEVER_MS, Timestamp::as_ms)
}

impl Buffered {
    /// Whether the session had expired before this interaction by the lifetime that is stored.
    pub(crate) const fn is_after_stored_end(&self) -> bool {
        self.stored_expires_at_ms <= self.first_at.as_ms()
    }

    /// Returns the interaction, with the session of this ID.
    pub(crate) fn last_seen(&self, session_id: SessionId) -> LastSeen {
        let details = InteractionDetails {
            at: self.at,
            remote_ip: Some(IpAddr::V6(self.address).into()),
            user_agent: self.user_agent.as_deref().cloned(),
        };
        // NEVER_MS is no time.
        let expires_at = Timestamp::from_ms(self.expires_at_ms).ok();
        LastSeen { session_id, first_at: self.first_at, details, expires_at }
    }

    /// Sets what is stored of the session: when it was used last, and when its lifetime passes.
    fn set_stored(&mut self, at: Timestamp, expires_at_ms: u64) {
        // An interaction moves the end of an idle lifetime to that lifetime after it.
        let step_ms = (self.expires_at_ms.saturating_sub(self.at.as_ms()) / STEPS).min(STEP_MAX_MS);
        self.stored_expires_at_ms = expires_at_ms;
        self.due_at_ms = at.as_ms() + step_ms;
    }
}

/// Which buffered interactions to write.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which {
    /// All of them.
    All,
    /// Those of the shard whose turn it is, and those that are due at this time.
    Due(Timestamp),
    /// Those of the sessions that have expired at this time by the interaction that is stored.
    Reviving(Timestamp),
}

/// The ID of a session in the order of the store, compared in two steps: each use of the buffer makes some twenty comparisons.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key(SessionId);

impl Key {
    fn parts(&self) -> (u64, &[u8]) {
        let bytes = self.0.0.as_bytes();
        bytes.split_first_chunk().map_or((0, bytes), |(first, rest)| (u64::from_be_bytes(*first), rest))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> cmp::Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The buffer.
pub(crate) struct LastSeenBuffer {
    shards: [Mutex<Shard>; SHARDS],
    /// The user agents of buffered interactions.
    agents: Mutex<HashSet<Arc<UserAgent>>>,
    /// About how many bytes the sessions and their user agents take.
    bytes: AtomicUsize,
    /// How many turns the shards have had.
    turns: AtomicUsize,
    /// Notified when the buffer becomes nearly full.
    filling: Notify,
}

struct Shard {
    sessions: BTreeMap<Key, Buffered>,
    /// No stored lifetime in the shard passes before this, so that a revocation rarely searches the shard.
    earliest_expiry_ms: u64,
}

/// The buffer is full.
struct Full;

impl Default for LastSeenBuffer {
    fn default() -> Self {
        let shard = || Shard { sessions: BTreeMap::new(), earliest_expiry_ms: NEVER_MS };
        Self {
            shards: std::array::from_fn(|_| Mutex::new(shard())),
            agents: Mutex::default(),
            bytes: AtomicUsize::new(0),
            turns: AtomicUsize::new(0),
            filling: Notify::new(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LastSeenBuffer {
    fn shard(&self, id: SessionId) -> MutexGuard<'_, Shard> {
        let place = (id.0.time_ms() >> SHARD_TIME_BITS) as usize % SHARDS;
        lock(&self.shards[place])
    }

    /// Counts bytes that are added.
    fn add(&self, bytes: usize) -> Result<(), Full> {
        if self.bytes.load(Ordering::Relaxed) >= BYTES_MAX {
            return Err(Full);
        }
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before < BYTES_FILLING && before + bytes >= BYTES_FILLING {
            self.filling.notify_one();
        }
        Ok(())
    }

    /// Returns the one copy of a user agent.
    fn agent(&self, user_agent: Option<&UserAgent>) -> Result<Option<Arc<UserAgent>>, Full> {
        let Some(user_agent) = user_agent else { return Ok(None) };
        let mut agents = lock(&self.agents);
        if let Some(agent) = agents.get(user_agent) {
            return Ok(Some(Arc::clone(agent)));
        }
        self.add(agent_bytes(user_agent))?;
        let agent = Arc::new(user_agent.clone());
        agents.insert(Arc::clone(&agent));
        Ok(Some(agent))
    }

    /// Removes the user agents of which no buffered interaction is left.
    fn remove_agents(&self) {
        lock(&self.agents).retain(|agent| {
            let is_used = Arc::strong_count(agent) > 1;
            if !is_used {
                self.bytes.fetch_sub(agent_bytes(agent), Ordering::Relaxed);
            }
            is_used
        });
    }

    /// Inserts an interaction of now with a session as it is stored, unless a later one of the session is in the buffer. One
    /// that is later by more than [`CLOCK_AHEAD_MAX`] is of a wrong clock and is replaced.
    pub(crate) fn insert(&self, session: &StoredSession, seen: &Interaction<'_>) {
        // A full buffer drops it.
        let _ = self.try_insert(session, seen);
    }

    fn try_insert(&self, session: &StoredSession, seen: &Interaction<'_>) -> Result<(), Full> {
        let mut shard = self.shard(session.id);
        let Shard { sessions, earliest_expiry_ms } = &mut *shard;
        let address = match seen.address {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        let expires_at_ms = ms_or_never(seen.expires_at);
        let stored_expires_at_ms = ms_or_never(session.expires_at);
        match sessions.entry(Key(session.id)) {
            Entry::Occupied(mut entry) => {
                let buffered = entry.get_mut();
                if buffered.at > seen.at && buffered.at <= seen.at.saturating_add(CLOCK_AHEAD_MAX) {
                    return Ok(());
                }
                if buffered.user_agent.as_deref() != seen.user_agent {
                    buffered.user_agent = self.agent(seen.user_agent)?;
                }
                (buffered.at, buffered.address, buffered.expires_at_ms) = (seen.at, address, expires_at_ms);
                buffered.first_at = buffered.first_at.min(seen.at);
                buffered.stored_expires_at_ms = stored_expires_at_ms;
            }
            Entry::Vacant(entry) => {
                let user_agent = self.agent(seen.user_agent)?;
                self.add(SESSION_BYTES)?;
                let buffered = entry.insert(Buffered {
                    first_at: seen.at,
                    at: seen.at,
                    address,
                    user_agent,
                    expires_at_ms,
                    stored_expires_at_ms,
                    due_at_ms: 0,
                });
                if let Some(last_seen) = &session.last_seen {
                    buffered.set_stored(last_seen.at, stored_expires_at_ms);
                }
            }
        }
        *earliest_expiry_ms = stored_expires_at_ms.min(*earliest_expiry_ms);
        Ok(())
    }

    /// Returns the buffered interaction of a session.
    pub(crate) fn get(&self, id: SessionId) -> Option<LastSeen> {
        if self.bytes.load(Ordering::Relaxed) == 0 {
            return None;
        }
        self.shard(id).sessions.get(&Key(id)).map(|buffered| buffered.last_seen(id))
    }

    /// Returns at most `max` sessions with such interactions by ascending ID, so that neighbours, which share pages of the
    /// store, are written together.
    pub(crate) fn sessions(&self, which: Which, max: usize) -> Vec<SessionId> {
        let turn = match which {
            Which::Due(_) => {
                self.remove_agents();
                self.turns.fetch_add(1, Ordering::Relaxed) % SHARDS
            }
            Which::All | Which::Reviving(_) => SHARDS,
        };
        let mut ids = Vec::new();
        for (place, shard) in self.shards.iter().enumerate() {
            let Shard { sessions, earliest_expiry_ms } = &mut *lock(shard);
            if let Which::Reviving(at) = which {
                if *earliest_expiry_ms > at.as_ms() {
                    continue;
                }
                let stored_ends = sessions.values().map(|buffered| buffered.stored_expires_at_ms);
                *earliest_expiry_ms = stored_ends.min().unwrap_or(NEVER_MS);
            }
            let is_selected = |buffered: &Buffered| match which {
                Which::All => true,
                Which::Due(at) => place == turn || buffered.due_at_ms <= at.as_ms(),
                Which::Reviving(at) => buffered.stored_expires_at_ms <= at.as_ms(),
            };
            let selected = sessions.iter().filter(|(_, buffered)| is_selected(buffered));
            ids.extend(selected.map(|(Key(id), _)| *id).take(max - ids.len()));
        }
        ids.sort_unstable();
        ids
    }

    /// Returns the interactions of these sessions that are still in the buffer.
    pub(crate) fn of_sessions(&self, ids: &[SessionId]) -> Vec<(SessionId, Buffered)> {
        let buffered = |id: &SessionId| Some((*id, self.shard(*id).sessions.get(&Key(*id))?.clone()));
        ids.iter().filter_map(buffered).collect()
    }

    /// Waits until the buffer is nearly full.
    pub(crate) async fn filling(&self) {
        self.filling.notified().await;
    }

    /// Removes interactions that were written, except for sessions that have had a later one meanwhile.
    pub(crate) fn remove_written(&self, written: &[(SessionId, Buffered)]) {
        for (id, written) in written {
            let Shard { sessions, .. } = &mut *self.shard(*id);
            match sessions.get_mut(&Key(*id)) {
                Some(buffered) if buffered == written => {
                    sessions.remove(&Key(*id));
                    self.bytes.fetch_sub(SESSION_BYTES, Ordering::Relaxed);
                }
                Some(later) => later.set_stored(written.at, written.expires_at_ms),
                None => {}
            }
        }
    }
}

fn agent_bytes(user_agent: &UserAgent) -> usize {
    user_agent.as_str().len() + AGENT_BYTES
}

#[cfg(test)]
mod tests;
