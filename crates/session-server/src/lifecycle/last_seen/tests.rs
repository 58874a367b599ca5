//! Tests of the buffer of last interactions.

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
        let seen =
            |ms| Interaction { expires_at: idle.map(|idle| at(ms).saturating_add(idle)), ..interaction(ms) };
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
    const { assert!(SESSION_BYTES * 1_000_000 < BYTES_MAX) };
}
