//! Reads and changes of one session.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use session_types::{AccountId, DeviceId, DomainId, IdentityId, PoolId, SessionStatus};

use super::fixture::{
    any_session, at, create, domain_filter, event, id, interaction_at, key, list, revocation, session,
};
use crate::{
    ApiKey, LastSeen, Page, ReferenceKind, Revocation, SecretHash, SessionFilter, Store, StoreError,
    StoredSession, TokenGuard,
};

pub async fn any_session_comes_back_equal(store: Arc<impl Store>) {
    let mut runner = TestRunner::default();
    let mut any = || any_session().new_tree(&mut runner).expect("a strategy without filters").current();
    for _ in 0..256 {
        let created = any();
        create(&*store, &created).await.expect("created");
        assert_eq!(store.session_fetch(created.id).await, Ok(Some(created.clone())));
        let mut replacement = StoredSession {
            id: created.id,
            domain_id: created.domain_id,
            pool_id: created.pool_id,
            session_type: created.session_type,
            revision: created.revision,
            ..any()
        };
        assert_eq!(store.session_replace(replacement.clone(), None, None, None).await, Ok(true));
        replacement.revision += 1;
        assert_eq!(store.session_fetch(created.id).await, Ok(Some(replacement)));
    }
}

pub async fn missing_records_are_not_found(store: Arc<impl Store>) {
    store.ready().await.expect("ready");
    assert_eq!(store.session_fetch(session(1).id).await, Ok(None));
    assert_eq!(store.session_page(None, 10).await, Ok(Page::default()));
    assert_eq!(store.session_replace(session(1), None, None, None).await, Ok(false));
    assert_eq!(store.key_fetch(key(1).id).await, Ok(None));
    assert_eq!(store.key_page(None, 10).await, Ok(Page::default()));
    assert_eq!(store.key_revoke(key(1).id, at(1)).await, Ok(false));
    assert_eq!(store.reference_find(id(9, 9), DomainId(id(1, 1)), None).await, Ok(None));
}

pub async fn a_taken_id_is_refused_and_changes_nothing(store: Arc<impl Store>) {
    let first = session(1);
    create(&*store, &first).await.expect("created");
    let mut second = session(1);
    second.pool_id = PoolId(id(1, 77));
    second.status = SessionStatus::Revoked;
    assert_eq!(create(&*store, &second).await, Err(StoreError::AlreadyExists));
    assert_eq!(store.session_fetch(first.id).await, Ok(Some(first)));
}

pub async fn a_pools_id_is_known_within_its_domain_alone(store: Arc<impl Store>) {
    let other = DomainId(id(1, 99));
    let (one, two) = (session(1), StoredSession { domain_id: other, ..session(2) });
    let (domain_id, pool_id) = (one.domain_id, one.pool_id);
    create(&*store, &one).await.expect("created");
    // It does not exist in another domain, which can use the same ID.
    assert_eq!(store.reference_find(pool_id.0, other, None).await, Ok(None));
    assert_eq!(create(&*store, &two).await, Ok(()));
    let bound = ApiKey { domain_id: other, pool_id: Some(pool_id), ..key(1) };
    assert_eq!(store.key_create(bound).await, Ok(()));
    assert_eq!(store.reference_find(pool_id.0, other, None).await, Ok(Some(ReferenceKind::Pool)));
    for (domain_id, expected) in [(domain_id, &one), (other, &two)] {
        let of_pool = SessionFilter { domain_id, pool_id: Some(pool_id), ..domain_filter() };
        assert_eq!(list(&*store, of_pool, 10).await, std::slice::from_ref(expected));
    }
    let of_other = Revocation { domain_id: other, pool_id: Some(pool_id), ..revocation(9, 5) };
    assert_eq!(store.session_revoke_many(of_other, None).await, Ok(1));
    assert_eq!(store.session_fetch(one.id).await, Ok(Some(one)), "the other pool is not touched");
}

pub async fn of_two_replacements_of_one_revision_only_one_succeeds(store: Arc<impl Store>) {
    create(&*store, &session(1)).await.expect("created");
    let mut one = session(1);
    one.status = SessionStatus::Revoked;
    one.token_hash = None;
    let mut other = session(1);
    other.status = SessionStatus::Authenticated;
    assert_eq!(store.session_replace(one.clone(), None, None, None).await, Ok(true));
    assert_eq!(store.session_replace(other, None, None, None).await, Ok(false));
    one.revision = 1;
    assert_eq!(store.session_fetch(one.id).await, Ok(Some(one)));
}

pub async fn concurrent_replacements_each_increment_the_revision(store: Arc<impl Store>) {
    let id = session(1).id;
    create(&*store, &session(1)).await.expect("created");
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut replaced = 0_u64;
                while replaced < 25 {
                    let session = store.session_fetch(id).await.expect("fetched").expect("it exists");
                    replaced +=
                        u64::from(store.session_replace(session, None, None, None).await.expect("compared"));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    let session = store.session_fetch(id).await.expect("fetched").expect("it exists");
    assert_eq!(session.revision, 200);
}

pub async fn a_change_whose_future_is_dropped_is_made_with_its_event_or_not_at_all(store: Arc<impl Store>) {
    const DROPPED: u64 = 100;
    let events: Vec<_> = (0..DROPPED).map(|last| event(60_000 + last, session(last).id)).collect();
    for (last, event) in (0..DROPPED).zip(&events) {
        let mut change = store.session_create(session(last), event.clone(), None);
        // Dropped after as many polls, so that some have come further than others.
        for _ in 0..last % 4 {
            let poll = std::future::poll_fn(|context| Poll::Ready(change.as_mut().poll(context)));
            let _ = poll.await;
            tokio::task::yield_now().await;
        }
    }
    // No change is made any more once two reads some time apart are the same.
    let stored = async || {
        let sessions = store.session_page(None, 1_000).await.expect("read").items;
        let of_changes = store.event_page(None, 1_000).await.expect("read").items;
        (sessions.into_iter().map(|one| one.id).collect::<Vec<_>>(), of_changes)
    };
    let (mut sessions, mut found) = stored().await;
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let later = stored().await;
        let is_same = later == (sessions, found);
        (sessions, found) = later;
        if is_same {
            break;
        }
    }
    let with_events: Vec<_> =
        events.into_iter().filter(|event| sessions.contains(&event.session_id)).collect();
    assert_eq!(found, with_events);
    for last in 0..DROPPED {
        let expected = sessions.contains(&session(last).id).then(|| session(last));
        assert_eq!(store.session_fetch(session(last).id).await, Ok(expected));
    }
}

pub async fn a_last_interaction_never_moves_back_or_revives_a_session(store: Arc<impl Store>) {
    let mut seen = session(1);
    seen.status = SessionStatus::Unauthenticated;
    seen.first_seen = Some(interaction_at(10));
    seen.last_seen = Some(interaction_at(20));
    seen.expires_at = Some(at(100));
    let mut ended = seen.clone();
    ended.id = session(2).id;
    ended.status = SessionStatus::Revoked;
    ended.expires_at = None;
    ended.ended_at = Some(at(30));
    // Its first interaction is a change of its status, which this method does not make.
    let new = session(3);
    for session in [&seen, &ended, &new] {
        create(&*store, session).await.expect("created");
    }
    let interaction = |last: u64, ms: u64| LastSeen {
        session_id: session(last).id,
        first_at: at(ms),
        details: interaction_at(ms),
        expires_at: Some(at(ms + 100)),
    };
    let fetch =
        async |last| store.session_fetch(session(last).id).await.expect("fetched").expect("it exists");
    store
        .session_update_last_seen(vec![
            interaction(1, 50),
            interaction(2, 50),
            interaction(3, 50),
            interaction(4, 50),
        ])
        .await
        .expect("stored");
    let mut expected = seen.clone();
    expected.last_seen = Some(interaction_at(50));
    expected.expires_at = Some(at(150));
    expected.revision = 1;
    assert_eq!((fetch(1).await, fetch(2).await, fetch(3).await), (expected.clone(), ended, new));
    // One before the stored interaction, one when the lifetime passes, one after it.
    store
        .session_update_last_seen(vec![interaction(1, 49), interaction(1, 150), interaction(1, 151)])
        .await
        .expect("stored");
    assert_eq!(fetch(1).await, expected);
    // A replacement of the session as it was before is refused.
    assert_eq!(store.session_replace(seen, None, None, None).await, Ok(false));
    // The first of several that are stored as one was before the end, and extended the lifetime.
    let several = |first_at| LastSeen { first_at: at(first_at), ..interaction(1, 200) };
    store.session_update_last_seen(vec![several(150)]).await.expect("stored");
    assert_eq!(fetch(1).await, expected);
    store.session_update_last_seen(vec![several(149)]).await.expect("stored");
    assert_eq!(fetch(1).await.last_seen, Some(interaction_at(200)));
}

pub async fn a_change_by_a_token_is_made_only_if_the_token_is_valid_then(store: Arc<impl Store>) {
    let account_id = Some(AccountId(id(2, 1)));
    let [own, other] = [1, 2].map(|last| StoredSession { account_id, ..session(last) });
    for one in [&own, &other] {
        create(&*store, one).await.expect("created");
    }
    let valid = TokenGuard { session_id: own.id, token_hash: SecretHash([7; 32]) };
    let replaced = TokenGuard { token_hash: SecretHash([8; 32]), ..valid };
    let of_missing = TokenGuard { session_id: session(3).id, ..valid };
    let of_account = || Revocation { account_id, ..revocation(9, 5) };
    let completed = |revision| StoredSession { status: SessionStatus::Complete, revision, ..other.clone() };
    for token in [replaced, of_missing] {
        let refused = Err(StoreError::TokenReplaced);
        let late = event(1, other.id);
        assert_eq!(store.session_replace(completed(0), Some(late.clone()), Some(token), None).await, refused);
        // Also if the revision is another one.
        assert_eq!(store.session_replace(completed(9), None, Some(token), None).await, refused);
        let refused = Err(StoreError::TokenReplaced);
        assert_eq!(store.session_revoke_many(of_account(), Some(token)).await, refused);
    }
    for one in [&own, &other] {
        assert_eq!(store.session_fetch(one.id).await, Ok(Some(one.clone())));
    }
    assert_eq!(store.session_replace(other.clone(), None, Some(valid), None).await, Ok(true));
    assert_eq!(store.session_replace(own.clone(), None, Some(valid), None).await, Ok(true), "its own");
    let revoke = || store.session_revoke_many(of_account(), Some(valid));
    assert_eq!(revoke().await, Ok(2));
    assert_eq!(revoke().await, Err(StoreError::TokenReplaced), "the token's session has ended");
}

pub async fn references_are_found_within_their_domain_and_pool(store: Arc<impl Store>) {
    let (account, identity, device) = (id(2, 1), id(2, 2), id(2, 3));
    let mut one = session(1);
    one.account_id = Some(AccountId(account));
    one.identity_id = Some(IdentityId(identity));
    one.device_id = Some(DeviceId(device));
    let (domain, pool) = (one.domain_id, one.pool_id);
    create(&*store, &one).await.expect("created");
    for (id, kind) in [
        (account, ReferenceKind::Account),
        (identity, ReferenceKind::Identity),
        (device, ReferenceKind::Device),
        (pool.0, ReferenceKind::Pool),
        (domain.0, ReferenceKind::Domain),
    ] {
        assert_eq!(store.reference_find(id, domain, None).await, Ok(Some(kind)));
        assert_eq!(store.reference_find(id, domain, Some(pool)).await, Ok(Some(kind)));
        assert_eq!(store.reference_find(id, DomainId(self::id(1, 99)), None).await, Ok(None));
    }
    // A pool that only a key names.
    let other_pool = PoolId(id(1, 88));
    assert_eq!(store.reference_find(other_pool.0, domain, None).await, Ok(None));
    let bound = ApiKey { domain_id: domain, pool_id: Some(other_pool), ..key(1) };
    store.key_create(bound).await.expect("created");
    assert_eq!(store.reference_find(other_pool.0, domain, None).await, Ok(Some(ReferenceKind::Pool)));
    let other_pool = Some(PoolId(id(1, 77)));
    for id in [account, identity, device, pool.0] {
        assert_eq!(store.reference_find(id, domain, other_pool).await, Ok(None));
    }
}
