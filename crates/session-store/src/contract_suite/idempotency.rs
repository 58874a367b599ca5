//! The records of requests that may be repeated.

use std::sync::Arc;

use session_types::{SessionStatus, Timestamp};

use super::fixture::{at, event, session};
use crate::{IdempotencyRecord, RecordId, SecretHash, Store, StoreError, StoredSession, TokenGuard};

/// Returns a record of a request for [`session`]; `last` distinguishes the requests.
fn record(last: u8, created_at: Timestamp) -> IdempotencyRecord {
    IdempotencyRecord {
        id: RecordId([last; 32]),
        request_hash: [200 + last; 32],
        salt: [100 + last; 16],
        session_id: session(u64::from(last)).id,
        created_at,
    }
}

/// Returns which of the records of these numbers there are.
async fn existing(store: &impl Store, records: impl IntoIterator<Item = u8>) -> Vec<u8> {
    let mut existing = Vec::new();
    for last in records {
        let found = store.record_fetch(RecordId([last; 32])).await.expect("fetched");
        existing.extend(found.map(|_| last));
    }
    existing
}

pub async fn a_record_is_added_with_its_change_or_not_at_all(store: Arc<impl Store>) {
    assert_eq!(store.record_fetch(record(1, at(7)).id).await, Ok(None));
    let of = |last| event(last, session(last).id);
    assert_eq!(store.session_create(session(1), of(1), Some(record(1, at(7)))).await, Ok(()));
    assert_eq!(store.record_fetch(record(1, at(7)).id).await, Ok(Some(record(1, at(7)))));
    assert_eq!(store.session_create(session(2), of(2), None).await, Ok(()));

    // The change is refused or not made: no record.
    let taken = store.session_create(session(1), of(3), Some(record(3, at(7)))).await;
    assert_eq!(taken, Err(StoreError::AlreadyExists));
    let stale = StoredSession { revision: 9, ..session(1) };
    assert_eq!(store.session_replace(stale, Some(of(4)), None, Some(record(4, at(7)))).await, Ok(false));
    let other = TokenGuard { session_id: session(1).id, token_hash: SecretHash([8; 32]) };
    let refused = store.session_replace(session(1), None, Some(other), Some(record(5, at(7)))).await;
    assert_eq!(refused, Err(StoreError::TokenReplaced));
    let missing = store.session_replace(session(6), None, None, Some(record(6, at(7)))).await;
    assert_eq!(missing, Ok(false));
    assert_eq!(existing(&*store, 1..=9).await, [1]);

    assert_eq!(store.session_replace(session(1), None, None, Some(record(7, at(8)))).await, Ok(true));
    assert_eq!(store.record_fetch(record(7, at(8)).id).await, Ok(Some(record(7, at(8)))));
}

pub async fn a_change_whose_record_exists_is_refused_as_a_whole(store: Arc<impl Store>) {
    let of = |last| event(last, session(last).id);
    store.session_create(session(1), of(1), Some(record(1, at(7)))).await.expect("created");
    // The same request, although everything else in its record differs.
    let repeated = || Some(IdempotencyRecord { id: record(1, at(7)).id, ..record(2, at(9)) });
    let refused = Err(StoreError::RequestRepeated);
    assert_eq!(store.session_create(session(2), of(2), repeated()).await, refused);
    // Before the ID and before the revision.
    assert_eq!(store.session_create(session(1), of(3), repeated()).await, refused);
    let refused = Err(StoreError::RequestRepeated);
    for revision in [0, 9] {
        let completed = StoredSession { status: SessionStatus::Complete, revision, ..session(1) };
        assert_eq!(store.session_replace(completed, Some(of(4)), None, repeated()).await, refused);
    }
    assert_eq!(store.session_fetch(session(1).id).await, Ok(Some(session(1))));
    assert_eq!(store.session_fetch(session(2).id).await, Ok(None));
    assert_eq!(store.event_page(None, 10).await.map(|page| page.items.len()), Ok(1));
    assert_eq!(store.record_fetch(record(1, at(7)).id).await, Ok(Some(record(1, at(7)))));
}

pub async fn of_concurrent_changes_with_one_record_only_one_is_made(store: Arc<impl Store>) {
    let created = (1..=20_u8).map(|last| {
        let store = Arc::clone(&store);
        let same = IdempotencyRecord { id: RecordId([0; 32]), ..record(last, at(7)) };
        let one = session(u64::from(last));
        let event = event(u64::from(last), one.id);
        tokio::spawn(async move { store.session_create(one, event, Some(same)).await })
    });
    let created: Vec<_> = created.collect();
    let mut winners = Vec::new();
    for (change, last) in created.into_iter().zip(1_u8..) {
        match change.await.expect("no panic") {
            Ok(()) => winners.push(last),
            refused => assert_eq!(refused, Err(StoreError::RequestRepeated)),
        }
    }
    let stored = store.record_fetch(RecordId([0; 32])).await.expect("fetched").expect("it exists");
    assert_eq!(winners, [stored.salt[0] - 100], "the record is that of the one change");
    let sessions = store.session_page(None, 100).await.expect("listed").items;
    assert_eq!(sessions.iter().map(|one| one.id).collect::<Vec<_>>(), [stored.session_id]);
}

pub async fn records_are_deleted_oldest_first_in_batches(store: Arc<impl Store>) {
    for (last, ms) in [(1, 30), (2, 10), (3, 20), (4, 40)] {
        let one = session(u64::from(last));
        let event = event(u64::from(last), one.id);
        store.session_create(one, event, Some(record(last, at(ms)))).await.expect("created");
    }
    assert_eq!(store.record_delete(at(40), 2).await, Ok(2));
    assert_eq!(existing(&*store, 1..=4).await, [1, 4]);
    assert_eq!(store.record_delete(at(40), 9).await, Ok(1));
    assert_eq!(store.record_delete(at(40), 9).await, Ok(0));
    assert_eq!(existing(&*store, 1..=4).await, [4]);
    // The ID is free again, and the sessions are untouched.
    let again = store.session_create(session(5), event(5, session(5).id), Some(record(1, at(50)))).await;
    assert_eq!(again, Ok(()));
    assert_eq!(store.session_page(None, 9).await.map(|page| page.items.len()), Ok(5));
}
