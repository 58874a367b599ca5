//! Revocations of many sessions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use session_types::{AccountId, DomainId, IdentityId, PoolId, SessionId, SessionStatus};
use strum::VariantArray;

use super::fixture::{
    at, create, domain_filter, event, id, import, interaction_at, list, matches, revocation, session, varied,
    write_revocations,
};
use crate::{
    Actor, Event, EventAction, EventId, LastSeen, Revocation, SecretHash, SessionFilter, StateFilter, Store,
    StoreError, StoredSession, TokenGuard,
};

/// More sessions than a store revokes at once.
const MANY: u64 = 1_000;

async fn fetch(store: &impl Store, id: SessionId) -> StoredSession {
    store.session_fetch(id).await.expect("fetched").expect("it exists")
}

/// Returns whether a revocation applies to a session, by its documentation.
fn applies(revocation: &Revocation, session: &StoredSession) -> bool {
    matches(session, &revocation.filter())
        && !session.status.is_final()
        && revocation.except != Some(session.id)
}

/// Returns whether a session's stored lifetime passes at or before the time of a revocation.
fn has_expired(revocation: &Revocation, session: &StoredSession) -> bool {
    session.expires_at.is_some_and(|expires_at| expires_at <= revocation.at)
}

/// Returns the number of sessions that a revocation revokes.
fn count(revocation: &Revocation, sessions: &[StoredSession]) -> u64 {
    let is_counted = |session: &&_| applies(revocation, session) && !has_expired(revocation, session);
    sessions.iter().filter(is_counted).count() as u64
}

/// Returns the session after a revocation.
fn after(revocation: &Revocation, session: &StoredSession) -> StoredSession {
    if !applies(revocation, session) {
        return session.clone();
    }
    let (status, ended_at) = if has_expired(revocation, session) {
        (SessionStatus::Complete, session.expires_at)
    } else {
        (SessionStatus::Revoked, Some(revocation.at))
    };
    StoredSession {
        status,
        token_hash: None,
        expires_at: None,
        ended_at,
        revision: session.revision + 1,
        ..session.clone()
    }
}

/// Returns the event that a revocation adds for a session, but for its ID.
fn event_of(revocation: &Revocation, session: &StoredSession, id: EventId) -> Event {
    let Revocation { actor, reason, request_id, .. } = revocation.clone();
    let revoked =
        Event { id, action: EventAction::Revoked, session_id: session.id, actor, reason, request_id };
    if has_expired(revocation, session) {
        Event { action: EventAction::Expired, actor: Actor::Server, reason: None, ..revoked }
    } else {
        revoked
    }
}

/// Returns every event of revocations.
async fn ended(store: &impl Store) -> Vec<Event> {
    let is_end = |event: &Event| matches!(event.action, EventAction::Revoked | EventAction::Expired);
    let (mut events, mut after) = (Vec::new(), None);
    loop {
        let page = store.event_page(after, 1_000).await.expect("listed");
        events.extend(page.items.into_iter().filter(is_end));
        let Some(next) = page.next else { return events };
        after = Some(EventId(next));
    }
}

/// Verifies that every kind of read returns these sessions.
async fn assert_reads(store: &impl Store, expected: &[StoredSession], domain_id: DomainId) {
    for session in expected {
        assert_eq!(fetch(store, session.id).await, *session);
    }
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let page = store.session_page(after, 300).await.expect("listed");
        paged.extend(page.items);
        after = page.next.map(SessionId);
        if after.is_none() {
            break;
        }
    }
    assert_eq!(paged, expected);
    let states = SessionStatus::VARIANTS.iter().map(|status| StateFilter::Status(*status)).chain([
        StateFilter::Any,
        StateFilter::Unexpired(SessionStatus::Authenticated, at(150)),
        StateFilter::Complete(at(250)),
    ]);
    for state in states {
        for account_id in [None, Some(AccountId(id(2, 1)))] {
            for pool_id in [None, Some(PoolId(id(1, 11)))] {
                let filter = SessionFilter { domain_id, pool_id, account_id, state, ..domain_filter() };
                let mut matching: Vec<_> =
                    expected.iter().filter(|session| matches(session, &filter)).cloned().collect();
                matching.reverse();
                assert_eq!(list(store, filter, 100).await, matching, "{filter:?}");
            }
        }
    }
    let expired = store.session_list_expired(at(250), 10_000).await.expect("listed").items;
    let count = expected
        .iter()
        .filter(|session| session.expires_at.is_some_and(|expires_at| expires_at <= at(250)))
        .count();
    assert_eq!(expired.len(), count);
}

pub async fn a_revocation_ends_every_session_and_counts_those_whose_lifetime_has_not_passed(
    store: Arc<impl Store>,
) {
    let all = varied(400);
    import(&*store, all.clone()).await.expect("imported");
    let of_account = Revocation { account_id: Some(AccountId(id(2, 1))), ..revocation(1, 200) };
    let matching: Vec<_> = all.iter().filter(|session| applies(&of_account, session)).collect();
    let expired = matching.iter().filter(|session| has_expired(&of_account, session)).count();
    assert!(expired > 3 && matching.len() - expired > 3, "{expired} of {}", matching.len());
    let revocation = Revocation { except: Some(matching[0].id), ..of_account };
    let revoke = || store.session_revoke_many(revocation.clone(), None);
    assert_eq!(revoke().await, Ok(count(&revocation, &all)));
    assert_eq!(revoke().await, Ok(0), "none is live any more");
    for before in &all {
        assert_eq!(fetch(&*store, before.id).await, after(&revocation, before));
    }
    let mut events = ended(&*store).await;
    events.sort_by_key(|event| event.session_id);
    let expected: Vec<_> = matching[1..]
        .iter()
        .zip(&events)
        .map(|(session, event)| event_of(&revocation, session, event.id))
        .collect();
    assert_eq!(events, expected);
    assert!(events.iter().all(|event| event.at() == revocation.at));
    assert_eq!(store.revocation_write(at(1)).await, Ok(false), "nothing is pending");
}

pub async fn a_revocation_of_many_sessions_is_the_same_on_every_read_before_and_after_it_is_written(
    store: Arc<impl Store>,
) {
    // Each property has a few values, so that it applies to some sessions of each kind and not to others.
    let all = varied(4 * MANY);
    for part in all.chunks(1_000) {
        import(&*store, part.to_vec()).await.expect("imported");
    }
    let domain_id = DomainId(id(1, 1));
    let first = Revocation { domain_id, pool_id: Some(PoolId(id(1, 11))), ..revocation(1, 150) };
    let second = Revocation { domain_id, except: Some(all[7].id), ..revocation(2, 200) };
    let mut expected = all;
    let mut ends = BTreeMap::new();
    for revocation in [&first, &second] {
        let count = count(revocation, &expected);
        assert!(count > 300, "{count}");
        assert_eq!(store.session_revoke_many(revocation.clone(), None).await, Ok(count));
        let applying = expected.iter().filter(|session| applies(revocation, session));
        ends.extend(applying.map(|session| (session.id, (revocation, session.clone()))));
        expected = expected.iter().map(|session| after(revocation, session)).collect();
        assert_reads(&*store, &expected, domain_id).await;
    }
    let mut batches = 0;
    while store.revocation_write(at(1)).await.expect("written") {
        batches += 1;
        if batches % 4 == 1 {
            assert_reads(&*store, &expected, domain_id).await;
        }
    }
    assert!(batches > 4, "{batches}");
    assert_reads(&*store, &expected, domain_id).await;
    for event in ended(&*store).await {
        let (revocation, session) = ends.remove(&event.session_id).expect("one event for each");
        assert_eq!(event, event_of(revocation, &session, event.id));
        assert_eq!(event.at(), revocation.at);
    }
    assert!(ends.is_empty(), "{ends:?}");
}

pub async fn a_revocation_of_ten_thousand_sessions_is_atomic_and_adds_an_event_for_each(
    store: Arc<impl Store>,
) {
    let mut all: Vec<_> = (0..10_000).map(session).collect();
    for session in &mut all {
        session.account_id = Some(AccountId(id(2, 1)));
        session.identity_id = Some(IdentityId(id(2, 2)));
        session.status = SessionStatus::Authenticated;
    }
    import(&*store, all).await.expect("imported");
    let account_id = Some(AccountId(id(2, 1)));
    let state = StateFilter::Status(SessionStatus::Authenticated);
    let authenticated = SessionFilter { account_id, state, ..domain_filter() };
    // A concurrent reader sees that all of them are live, or none.
    let acknowledged = Arc::new(AtomicBool::new(false));
    let reader = {
        let (store, acknowledged) = (Arc::clone(&store), Arc::clone(&acknowledged));
        tokio::spawn(async move {
            loop {
                let is_last = acknowledged.load(Ordering::SeqCst);
                let live = store.session_list(authenticated, None, 1_000).await.expect("listed").items.len();
                assert!(live == 0 || (live == 1_000 && !is_last), "{live} of them are live");
                if is_last {
                    return;
                }
            }
        })
    };
    let of_account = Revocation { account_id, ..revocation(1, 5) };
    assert_eq!(store.session_revoke_many(of_account, None).await, Ok(10_000));
    acknowledged.store(true, Ordering::SeqCst);
    reader.await.expect("no panic");
    assert_eq!(list(&*store, authenticated, 1).await, vec![]);
    write_revocations(&*store).await;
    assert_eq!(list(&*store, authenticated, 1).await, vec![]);
    assert_eq!(ended(&*store).await.len(), 10_000);
}

pub async fn a_pending_revocation_counts_exactly_while_it_is_written(store: Arc<impl Store>) {
    import(&*store, (0..MANY).map(session).collect()).await.expect("imported");
    let revoke = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.session_revoke_many(revocation(1, 5), None).await })
    };
    while !revoke.is_finished() {
        store.revocation_write(at(1)).await.expect("written");
    }
    assert_eq!(revoke.await.expect("no panic"), Ok(MANY));
}

pub async fn no_session_changes_to_which_a_pending_revocation_applies(store: Arc<impl Store>) {
    let all: Vec<_> = (0..MANY)
        .map(|last| StoredSession {
            status: SessionStatus::Unauthenticated,
            last_seen: Some(interaction_at(1)),
            expires_at: Some(at(100)),
            ..session(last)
        })
        .collect();
    import(&*store, all.clone()).await.expect("imported");
    let revocation = |last| Revocation { except: Some(all[1].id), ..revocation(last, 5) };
    assert_eq!(store.session_revoke_many(revocation(1), None).await, Ok(MANY - 1));
    let (one, other) = (&all[0], &all[1]);
    let details = interaction_at(50);
    let seen = LastSeen { session_id: one.id, first_at: at(50), details, expires_at: Some(at(500)) };
    let token = Some(TokenGuard { session_id: one.id, token_hash: SecretHash([7; 32]) });
    for is_written in [false, true] {
        let late = event(77_777, one.id);
        for revision in [one.revision, one.revision + 1] {
            let replacement = StoredSession { revision, ..one.clone() };
            // Once it is written, the server does not replace it because its state is final.
            if !is_written {
                assert_eq!(
                    store.session_replace(replacement, Some(late.clone()), None, None).await,
                    Ok(false)
                );
            }
        }
        store.session_update_last_seen(vec![seen.clone()]).await.expect("stored");
        if !is_written {
            assert_eq!(store.session_replace_many(vec![(one.clone(), None)]).await, Ok(vec![false]));
        }
        assert_eq!(store.session_delete_ended(at(4), 10).await, Ok(0));
        assert_eq!(fetch(&*store, one.id).await, after(&revocation(1), one));
        assert_eq!(store.session_revoke_many(revocation(2), None).await, Ok(0));
        let by_token = store.session_replace(other.clone(), None, token, None).await;
        assert_eq!(by_token, Err(StoreError::TokenReplaced), "the token's session is revoked");
        assert_eq!(store.session_revoke_many(revocation(3), token).await, Err(StoreError::TokenReplaced));
        write_revocations(&*store).await;
    }
    assert_eq!(fetch(&*store, other.id).await, *other);
    assert_eq!(ended(&*store).await.len() as u64, MANY - 1);
    assert_eq!(store.session_delete_ended(at(5), 10).await, Ok(10));
}

pub async fn a_session_that_is_added_or_changed_after_a_revocation_is_not_revoked(store: Arc<impl Store>) {
    let account_id = Some(AccountId(id(2, 1)));
    let of_account = |last| StoredSession { account_id, ..session(last) };
    let mut all: Vec<_> = (0..MANY).map(|last| of_account(2 * last)).collect();
    // The revocation does not apply to these: of no account yet, and excepted.
    all[0].account_id = None;
    import(&*store, all.clone()).await.expect("imported");
    let revocation = |last| Revocation { account_id, except: Some(all[1].id), ..revocation(last, 5) };
    assert_eq!(store.session_revoke_many(revocation(1), None).await, Ok(MANY - 2));

    // They match now, and so do new sessions, with an ID between those of others too.
    let mut changed = Vec::new();
    for mut one in [all[0].clone(), all[1].clone()] {
        one.account_id = account_id;
        assert_eq!(store.session_replace(one.clone(), None, None, None).await, Ok(true));
        changed.push(StoredSession { revision: 1, ..one });
    }
    changed.push(of_account(7));
    create(&*store, &changed[2]).await.expect("created");
    changed.push(StoredSession { token_hash: None, ..of_account(9_999) });
    import(&*store, vec![changed[3].clone()]).await.expect("imported");
    let of_other_domain = StoredSession { domain_id: DomainId(id(1, 99)), ..of_account(10_001) };
    create(&*store, &of_other_domain).await.expect("created");
    changed.push(of_other_domain);
    for session in &changed {
        assert_eq!(fetch(&*store, session.id).await, *session);
    }
    // A later revocation applies to them, apart from those of another domain and after it.
    let late = of_account(11);
    assert_eq!(store.session_revoke_many(revocation(2), None).await, Ok(3));
    create(&*store, &late).await.expect("created");
    write_revocations(&*store).await;
    for session in &changed {
        let expected = after(&revocation(2), session);
        assert_eq!(fetch(&*store, session.id).await, expected);
    }
    assert_eq!(fetch(&*store, late.id).await, late);
    assert_eq!(ended(&*store).await.len() as u64, MANY + 1);
    // The numbers of revocations begin where they ended, so that earlier changes do not count as later.
    assert_eq!(store.session_revoke_many(revocation(3), None).await, Ok(1), "the late one");
}

/// Another node may have buffered an interaction with which the session would still live.
async fn revoke_sessions_that_have_expired_by_what_is_stored(store: &impl Store, sessions: u64) {
    let expired = |last| StoredSession {
        status: SessionStatus::Unauthenticated,
        last_seen: Some(interaction_at(1)),
        expires_at: Some(at(4 + last % 2)),
        ..session(last)
    };
    let all: Vec<_> = (0..sessions).map(expired).collect();
    import(store, all.clone()).await.expect("imported");
    let revocation = revocation(1, 5);
    assert_eq!(store.session_revoke_many(revocation.clone(), None).await, Ok(0));
    let ends: Vec<_> = all.iter().map(|session| after(&revocation, session)).collect();
    let seen = all.iter().map(|session| LastSeen {
        session_id: session.id,
        first_at: at(3),
        details: interaction_at(3),
        expires_at: Some(at(900)),
    });
    let seen: Vec<_> = seen.collect();
    for _ in 0..2 {
        store.session_update_last_seen(seen.clone()).await.expect("stored");
        // Nor does a change that read the session before.
        let replacements = all.iter().map(|session| (session.clone(), None)).collect();
        let replaced = store.session_replace_many(replacements).await.expect("replaced");
        assert!(!replaced.contains(&true));
        for (session, end) in all.iter().zip(&ends) {
            assert_eq!(fetch(store, session.id).await, *end);
            assert_eq!((end.status, end.ended_at), (SessionStatus::Complete, session.expires_at));
        }
        write_revocations(store).await;
    }
    assert_eq!(ended(store).await.len() as u64, sessions);
}

pub async fn a_revocation_of_few_ends_a_session_for_good_whose_stored_lifetime_has_passed(
    store: Arc<impl Store>,
) {
    revoke_sessions_that_have_expired_by_what_is_stored(&*store, 3).await;
}

pub async fn a_pending_revocation_ends_a_session_for_good_whose_stored_lifetime_has_passed(
    store: Arc<impl Store>,
) {
    revoke_sessions_that_have_expired_by_what_is_stored(&*store, MANY).await;
}

pub async fn of_several_pending_revocations_the_first_decides_how_a_session_ends(store: Arc<impl Store>) {
    const MINUTE_MS: u64 = 60_000;
    let one = |last| StoredSession { expires_at: Some(at(100 * MINUTE_MS)), ..session(last) };
    let all: Vec<_> = (0..MANY).map(one).collect();
    import(&*store, all.clone()).await.expect("imported");
    let account_id = Some(AccountId(id(2, 1)));
    let others = (0..MANY).map(|last| StoredSession { account_id, ..one(10_000 + last) }).collect();
    import(&*store, others).await.expect("imported");
    // A clock that goes back gives the first one the later time, after the end of their lifetimes.
    let first = Revocation { account_id, ..revocation(1, 150 * MINUTE_MS) };
    assert_eq!(store.session_revoke_many(first, None).await, Ok(0));
    assert_eq!(store.session_revoke_many(revocation(2, 50 * MINUTE_MS), None).await, Ok(MANY));
    for is_written in [false, true] {
        for (state, expected) in [
            (StateFilter::Status(SessionStatus::Complete), MANY),
            // The time of the list is before the end of their lifetimes too.
            (StateFilter::Complete(at(60 * MINUTE_MS)), MANY),
            (StateFilter::Status(SessionStatus::Revoked), MANY),
            (StateFilter::Unexpired(SessionStatus::New, at(60 * MINUTE_MS)), 0),
        ] {
            let listed = list(&*store, SessionFilter { state, ..domain_filter() }, 1_000).await;
            assert_eq!(listed.len() as u64, expected, "{state:?}, written: {is_written}");
        }
        write_revocations(&*store).await;
    }
    assert_eq!(ended(&*store).await.len() as u64, 2 * MANY);
}

pub async fn a_domain_has_a_bounded_number_of_pending_revocations(store: Arc<impl Store>) {
    import(&*store, (0..MANY).map(session).collect()).await.expect("imported");
    let elsewhere: Vec<_> = (0..MANY)
        .map(|last| StoredSession { domain_id: DomainId(id(1, 99)), ..session(20_000 + last) })
        .collect();
    import(&*store, elsewhere).await.expect("imported");
    let except = |last| Revocation { except: Some(session(0).id), ..revocation(last, 5) };
    assert_eq!(store.session_revoke_many(except(0), None).await, Ok(MANY - 1));
    let mut pending = 1;
    while store.session_revoke_many(except(pending), None).await == Ok(0) {
        pending += 1;
    }
    assert!((4..100).contains(&pending), "{pending}");
    let refused = store.session_revoke_many(except(pending), None).await;
    assert_eq!(refused, Err(StoreError::TooManyRevocations));
    // Another domain is not concerned.
    let other = Revocation { domain_id: DomainId(id(1, 99)), ..revocation(1_000, 5) };
    assert_eq!(store.session_revoke_many(other, None).await, Ok(MANY));
    write_revocations(&*store).await;
    assert_eq!(store.session_revoke_many(except(pending), None).await, Ok(0));
    assert_eq!(store.session_revoke_many(revocation(pending + 1, 5), None).await, Ok(1));
    assert_eq!(ended(&*store).await.len() as u64, 2 * MANY);
}
