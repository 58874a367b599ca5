//! API keys, events and settings.

use std::sync::Arc;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use session_types::{Id, PoolId, SessionStatus};

use super::fixture::{any_session, at, create, event, id, import, key, revocation, session};
use crate::{Actor, ApiKey, Event, EventAction, EventId, KeyId, Revocation, Store, StoreError};

pub async fn keys_come_back_equal_and_stay_revoked(store: Arc<impl Store>) {
    let mut bound = key(2);
    bound.pool_id = Some(PoolId(id(1, 2)));
    bound.scopes = vec![];
    for key in [bound.clone(), key(1)] {
        assert_eq!(store.key_create(key.clone()).await, Ok(()));
        assert_eq!(store.key_create(key.clone()).await, Err(StoreError::AlreadyExists));
        assert_eq!(store.key_fetch(key.id).await, Ok(Some(key)));
    }
    assert_eq!(store.key_page(None, 10).await.map(|keys| keys.items), Ok(vec![key(1), bound.clone()]));
    let first = store.key_page(None, 1).await.expect("listed");
    let second = store.key_page(first.next.map(KeyId), 1).await.expect("listed");
    assert_eq!([first.items, second.items], [vec![key(1)], vec![bound.clone()]]);
    assert_eq!(store.key_revoke(bound.id, at(8)).await, Ok(true));
    assert_eq!(store.key_revoke(bound.id, at(9)).await, Ok(true));
    bound.revoked_at = Some(at(8));
    assert_eq!(store.key_fetch(bound.id).await, Ok(Some(bound)));
}

pub async fn a_key_and_a_session_are_read_at_once_whether_or_not_either_exists(store: Arc<impl Store>) {
    let mut runner = TestRunner::default();
    for last in 0..32 {
        let key = ApiKey { pool_id: (last % 2 == 0).then_some(PoolId(id(1, 2))), ..key(last) };
        let session = any_session().new_tree(&mut runner).expect("a strategy without filters").current();
        let fetch = async || store.key_and_session_fetch(key.id, session.id).await;
        assert_eq!(fetch().await, Ok((None, Ok(None))));
        if last % 4 < 2 {
            assert_eq!(store.key_create(key.clone()).await, Ok(()));
            assert_eq!(fetch().await, Ok((Some(key.clone()), Ok(None))));
            create(&*store, &session).await.expect("created");
        } else {
            create(&*store, &session).await.expect("created");
            assert_eq!(fetch().await, Ok((None, Ok(Some(session.clone())))));
            assert_eq!(store.key_create(key.clone()).await, Ok(()));
        }
        assert_eq!(fetch().await, Ok((Some(key.clone()), Ok(Some(session.clone())))));
    }
}

pub async fn a_session_that_is_read_with_a_key_has_the_pending_revocation_that_applies_to_it(
    store: Arc<impl Store>,
) {
    // So many that the revocation stays pending.
    let sessions: Vec<_> = (0..300).map(session).collect();
    import(&*store, sessions.clone()).await.expect("imported");
    store.key_create(key(1)).await.expect("created");
    let excepted = sessions[7].id;
    let pending = Revocation { except: Some(excepted), ..revocation(1, 5_000) };
    assert_eq!(store.session_revoke_many(pending, None).await, Ok(299));
    for session in &sessions {
        let (found, read) = store.key_and_session_fetch(key(1).id, session.id).await.expect("read");
        assert_eq!((found, &read), (Some(key(1)), &store.session_fetch(session.id).await));
        let status = read.expect("readable").expect("exists").status;
        let expected = if session.id == excepted { SessionStatus::New } else { SessionStatus::Revoked };
        assert_eq!(status, expected);
    }
}

pub async fn an_event_is_stored_if_and_only_if_its_change_is(store: Arc<impl Store>) {
    let one = session(1);
    let id = one.id;
    let with = |last, action, actor| Event { action, actor, ..event(last, id) };
    let created = with(1, EventAction::Created, Actor::Operator);
    assert_eq!(store.session_create(one.clone(), created.clone(), None).await, Ok(()));
    let refused = with(2, EventAction::Created, Actor::Server);
    assert_eq!(store.session_create(one.clone(), refused, None).await, Err(StoreError::AlreadyExists));
    let completed = with(3, EventAction::Completed, Actor::Session(id));
    assert_eq!(store.session_replace(one.clone(), Some(completed.clone()), None, None).await, Ok(true));
    let late = with(4, EventAction::Revoked, Actor::Server);
    assert_eq!(store.session_replace(one, Some(late), None, None).await, Ok(false));
    assert_eq!(store.event_page(None, 10).await.map(|page| page.items), Ok(vec![created, completed]));
}

pub async fn events_are_read_in_order_and_deleted_in_batches(store: Arc<impl Store>) {
    let of = |ms, last| Event { id: EventId(id(ms, last)), ..event(0, session(last).id) };
    for (ms, last) in [(30, 3), (10, 1), (20, 2), (40, 4)] {
        store.session_create(session(last), of(ms, last), None).await.expect("created");
    }
    let ids = async |after: Option<EventId>, limit| {
        let events = store.event_page(after, limit).await.expect("listed");
        events.items.iter().map(|event| event.at().as_ms()).collect::<Vec<_>>()
    };
    assert_eq!(ids(None, 10).await, [10, 20, 30, 40]);
    assert_eq!(ids(Some(of(20, 2).id), 1).await, [30]);
    assert_eq!(ids(Some(EventId(Id::compose(30, 0, [0; 10]))), 10).await, [30, 40]);
    assert_eq!(store.event_delete(at(30), 1).await, Ok(1));
    assert_eq!(store.event_delete(at(30), 5).await, Ok(1));
    assert_eq!(ids(None, 10).await, [30, 40]);
}

pub async fn a_setting_is_replaced(store: Arc<impl Store>) {
    assert_eq!(store.setting_fetch("lifetimes").await, Ok(None));
    for value in ["one", "two"] {
        store.setting_replace("lifetimes", value.to_owned()).await.expect("stored");
        assert_eq!(store.setting_fetch("lifetimes").await, Ok(Some(value.to_owned())));
    }
}
