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
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use futures::FutureExt;
    use session_store::contract_suite::{id, session};
    use session_types::ID_TIME_MAX_MS;

    use super::*;

    const STEP_MAX: Duration = Duration::from_millis(STEP_MAX_MS);

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_ms(ms).unwrap()
    }

    /// An interaction with a session without a lifetime.
    fn interaction(ms: u64) -> Interaction<'static> {
        let address = Ipv4Addr::LOCALHOST.into();
        Interaction { at: at(ms), address, user_agent: None, expires_at: None }
    }

    fn last_seen(last: u64, ms: u64) -> LastSeen {
        let remote_ip = Some(IpAddr::from(Ipv4Addr::LOCALHOST).into());
        let details = InteractionDetails { at: at(ms), remote_ip, user_agent: None };
        LastSeen { session_id: session(last).id, first_at: at(ms), details, expires_at: None }
    }

    /// A session that was used at this time, as it is stored.
    fn stored(last: u64, ms: u64) -> StoredSession {
        StoredSession { last_seen: Some(last_seen(last, ms).details), ..session(last) }
    }

    fn insert(buffer: &LastSeenBuffer, last: u64, ms: u64) {
        buffer.insert(&stored(last, 1), &interaction(ms));
    }

    fn select(buffer: &LastSeenBuffer, which: Which) -> Vec<(SessionId, Buffered)> {
        buffer.of_sessions(&buffer.sessions(which, usize::MAX))
    }

    fn waiting(buffer: &LastSeenBuffer) -> Vec<LastSeen> {
        select(buffer, Which::All).iter().map(|(id, buffered)| buffered.last_seen(*id)).collect()
    }

    /// Whether a session is due at this time, without its shard's turn.
    fn due(buffer: &LastSeenBuffer, ms: u64) -> bool {
        // The turn of a shard that has no session.
        buffer.turns.store(0, Ordering::Relaxed);
        !buffer.sessions(Which::Due(at(ms)), usize::MAX).is_empty()
    }

    #[test]
    fn interactions_of_a_session_are_merged_and_only_move_forward() {
        let buffer = LastSeenBuffer::default();
        assert_eq!(buffer.get(session(1).id), None);
        for ms in [5, 9, 7] {
            insert(&buffer, 1, ms);
        }
        let merged = LastSeen { first_at: at(5), ..last_seen(1, 9) };
        assert_eq!(buffer.get(session(1).id), Some(merged.clone()));
        assert_eq!(waiting(&buffer), [merged]);
    }

    #[test]
    fn an_interaction_is_returned_with_its_address_user_agent_and_end_of_the_lifetime() {
        let buffer = LastSeenBuffer::default();
        let agents = ["curl/8", "curl/9"].map(|text| UserAgent::try_from(text.to_owned()).unwrap());
        for (address, user_agent, expires_at) in [
            (Ipv4Addr::LOCALHOST.into(), None, None),
            (Ipv4Addr::LOCALHOST.into(), Some(&agents[0]), Some(at(10))),
            (Ipv6Addr::LOCALHOST.into(), Some(&agents[1]), Some(at(ID_TIME_MAX_MS))),
        ] {
            buffer.insert(&stored(1, 1), &Interaction { at: at(5), address, user_agent, expires_at });
            let seen = buffer.get(session(1).id).unwrap();
            let remote_ip = Some(address.into());
            let details = InteractionDetails { at: at(5), remote_ip, user_agent: user_agent.cloned() };
            assert_eq!((seen.details, seen.expires_at), (details, expires_at));
        }
    }

    #[test]
    fn an_interaction_that_a_wrong_clock_put_into_the_future_is_replaced() {
        let buffer = LastSeenBuffer::default();
        let ahead_ms = u64::try_from(CLOCK_AHEAD_MAX.as_millis()).unwrap();
        insert(&buffer, 1, 10 + ahead_ms);
        insert(&buffer, 1, 10);
        let ahead = Some(last_seen(1, 10 + ahead_ms));
        assert_eq!(buffer.get(session(1).id), ahead, "threads may read the clock late");
        insert(&buffer, 1, 9);
        assert_eq!(buffer.get(session(1).id), Some(last_seen(1, 9)));
    }

    #[test]
    fn a_session_that_is_used_while_its_interaction_is_written_stays_in_the_buffer() {
        let buffer = LastSeenBuffer::default();
        insert(&buffer, 1, 5);
        insert(&buffer, 2, 5);
        let written = select(&buffer, Which::All);
        insert(&buffer, 2, 6);
        buffer.remove_written(&written);
        assert_eq!(waiting(&buffer), [LastSeen { first_at: at(5), ..last_seen(2, 6) }]);
        assert_eq!(buffer.bytes.load(Ordering::Relaxed), SESSION_BYTES);
        // A step after what is stored now, not after what was.
        assert_eq!((due(&buffer, 4 + STEP_MAX_MS), due(&buffer, 5 + STEP_MAX_MS)), (false, true));
    }

    #[test]
    fn an_interaction_is_due_once_what_is_stored_is_older_by_an_eighth_of_the_idle_lifetime_or_5_minutes() {
        let minutes = Duration::from_mins;
        for (idle, step) in [
            (Some(Duration::from_secs(8)), Duration::from_secs(1)),
            (Some(minutes(30)), Duration::from_secs(225)),
            (Some(minutes(40)), STEP_MAX),
            (Some(minutes(60 * 24 * 30)), STEP_MAX),
            (None, STEP_MAX),
        ] {
            let buffer = LastSeenBuffer::default();
            let seen = |ms| Interaction {
                expires_at: idle.map(|idle| at(ms).saturating_add(idle)),
                ..interaction(ms)
            };
            let due_ms = 1_000 + u64::try_from(step.as_millis()).unwrap();
            // The first one, after what is stored, and later ones put nothing off.
            for ms in [1_001, 1_500, 1_900] {
                buffer.insert(&stored(1, 1_000), &seen(ms));
                assert_eq!((due(&buffer, due_ms - 1), due(&buffer, due_ms)), (false, true), "{idle:?}");
            }
            // One that comes after a long time is due at once.
            buffer.insert(&stored(2, 1_000), &seen(due_ms));
            assert!(buffer.sessions(Which::Due(at(due_ms)), usize::MAX).contains(&session(2).id));
        }
    }

    #[test]
    fn each_shard_is_written_in_its_turn_and_neighbours_are_in_the_same_one() {
        let buffer = LastSeenBuffer::default();
        let shards = SHARDS as u64;
        let of_shard = |shard: u64, last| id((1_000 * shards + shard) << SHARD_TIME_BITS, last);
        for shard in 0..shards {
            for last in 0..3 {
                let one = StoredSession { id: SessionId(of_shard(shard, last)), ..stored(0, 1) };
                buffer.insert(&one, &interaction(5));
            }
        }
        for shard in (0..shards).chain([0]) {
            let expected: Vec<_> = (0..3).map(|last| SessionId(of_shard(shard, last))).collect();
            assert_eq!(buffer.sessions(Which::Due(at(5)), usize::MAX), expected);
        }
    }

    #[test]
    fn waiting_sessions_are_in_the_order_of_their_ids_over_all_shards_and_at_most_as_many_as_wanted() {
        let buffer = LastSeenBuffer::default();
        let all: Vec<_> = (0..1_000).map(|place| SessionId(id(place * 7_000, 1_000 - place % 3))).collect();
        for id in all.iter().rev() {
            buffer.insert(&StoredSession { id: *id, ..stored(0, 1) }, &interaction(5));
        }
        assert_eq!(buffer.sessions(Which::All, usize::MAX), all);
        assert_eq!(buffer.sessions(Which::All, 7).len(), 7);
        buffer.remove_written(&buffer.of_sessions(&all[..400]));
        let left = buffer.of_sessions(&all).len();
        assert_eq!(left, 600, "those that another task wrote meanwhile are left out");
    }

    #[test]
    fn only_sessions_that_have_expired_by_what_is_stored_are_selected_as_reviving() {
        let buffer = LastSeenBuffer::default();
        let reviving = |ms| buffer.sessions(Which::Reviving(at(ms)), usize::MAX);
        assert_eq!(reviving(9), []);
        for (last, expires_at) in [(1, None), (2, Some(10)), (3, Some(11))] {
            let expires_at = expires_at.map(at);
            buffer.insert(&StoredSession { expires_at, ..stored(last, 1) }, &interaction(5));
        }
        assert_eq!(reviving(9), []);
        assert_eq!(reviving(10), [session(2).id]);
        assert_eq!(reviving(11), [session(2).id, session(3).id]);
        // The search has found the earliest end, and a session that is used again has a later one.
        buffer.insert(&StoredSession { expires_at: Some(at(20)), ..stored(2, 5) }, &interaction(6));
        assert_eq!(reviving(11), [session(3).id]);
        assert_eq!(reviving(20), [session(2).id, session(3).id]);
    }

    #[test]
    fn a_full_buffer_takes_no_further_session_and_nearly_full_it_notifies() {
        let buffer = LastSeenBuffer::default();
        buffer.bytes.store(BYTES_FILLING - SESSION_BYTES - 1, Ordering::Relaxed);
        insert(&buffer, 1, 1);
        assert!(buffer.filling().now_or_never().is_none());
        insert(&buffer, 2, 1);
        assert!(buffer.filling().now_or_never().is_some());
        buffer.bytes.store(BYTES_MAX - 1, Ordering::Relaxed);
        for last in 3..10 {
            insert(&buffer, last, 1);
        }
        assert_eq!(waiting(&buffer).len(), 3);
        insert(&buffer, 3, 2);
        let updated = buffer.get(session(3).id).map(|seen| seen.details.at);
        assert_eq!(updated, Some(at(2)), "sessions in the buffer are still updated");
    }

    #[test]
    fn a_user_agent_is_stored_once_and_counted_until_no_interaction_has_it() {
        let buffer = LastSeenBuffer::default();
        let agents = ["curl/8", "curl/9"].map(|text| UserAgent::try_from(text.to_owned()).unwrap());
        let insert = |last, agent: usize, ms| {
            let seen = Interaction { user_agent: Some(&agents[agent]), ..interaction(ms) };
            buffer.insert(&stored(last, 1), &seen);
        };
        let agents_of = |all: Vec<(SessionId, Buffered)>| all.into_iter().map(|(_, seen)| seen.user_agent);
        insert(1, 0, 5);
        insert(2, 0, 5);
        let copies: HashSet<_> =
            agents_of(select(&buffer, Which::All)).map(|agent| Arc::as_ptr(&agent.unwrap())).collect();
        assert_eq!(copies.len(), 1);
        let bytes = || buffer.bytes.load(Ordering::Relaxed);
        assert_eq!(bytes(), 2 * SESSION_BYTES + AGENT_BYTES + 6);
        insert(2, 1, 6);
        assert_eq!(bytes(), 2 * (SESSION_BYTES + AGENT_BYTES + 6));
        buffer.remove_written(&select(&buffer, Which::All));
        buffer.remove_agents();
        assert_eq!((bytes(), lock(&buffer.agents).len()), (0, 0));
        // A full buffer takes no further user agent.
        insert(1, 0, 7);
        buffer.bytes.store(BYTES_MAX, Ordering::Relaxed);
        insert(1, 1, 8);
        assert_eq!(buffer.get(session(1).id).unwrap().details.at, at(7));
    }

    #[test]
    fn a_million_buffered_sessions_fit() {
        assert_eq!(size_of::<(Key, Buffered)>(), 88, "a field more is some 10 MB");
        assert!(SESSION_BYTES * 1_000_000 < BYTES_MAX);
    }
}
