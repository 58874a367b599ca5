//! The PostgreSQL store: the contract suite, and tests of several nodes on one database.
#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use std::sync::Arc;
use std::time::Duration;

use session_store::contract_suite::{self, event, key, revocation, session};
use session_store::{
    Keys, PostgresOptions, PostgresStore, Revocation, Revocations, SecretHash, Sessions, Store, StoreError,
    StoredSession, TokenGuard,
};
use session_test_support::postgres::Cluster;
use session_types::{AccountId, DeviceId, DomainId, Id, SessionStatus, Timestamp};

/// Opens a store in a database that exists.
async fn open(database: &str) -> PostgresStore {
    let options = PostgresOptions::parse(&Cluster::shared().url(database)).unwrap();
    PostgresStore::open(options).await.unwrap()
}

/// Opens a store in a new database.
async fn open_new() -> ((), PostgresStore) {
    ((), open(&Cluster::shared().create_database()).await)
}

session_store::contract_suite!(open_new());

/// Opens one new database at two nodes.
async fn open_two() -> [Arc<PostgresStore>; 2] {
    let database = Cluster::shared().create_database();
    let (one, other) = tokio::join!(open(&database), open(&database));
    [one, other].map(Arc::new)
}

/// A session with a device of its own.
fn of_device(last: u64) -> StoredSession {
    let device_id = DeviceId(Id::compose(last, 0, [9; 10]));
    StoredSession { device_id: Some(device_id), ..session(last) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_one_node_has_revoked_is_never_live_at_another() {
    const SESSIONS: u64 = 2_000;
    const TASKS: u64 = 8;
    let [one, other] = open_two().await;
    let sessions = (0..SESSIONS).map(|last| (of_device(last), event(last, session(last).id)));
    one.session_import(sessions.collect()).await.unwrap();
    let tasks = (0..TASKS).map(|task| {
        let (one, other) = (Arc::clone(&one), Arc::clone(&other));
        tokio::spawn(async move {
            for last in (task..SESSIONS).step_by(8) {
                let live = of_device(last);
                let revoke = async {
                    if last % 2 == 0 {
                        let of_device = Revocation { device_id: live.device_id, ..revocation(last, 5) };
                        assert_eq!(one.session_revoke_many(of_device, None).await, Ok(1));
                    } else {
                        let revoked = StoredSession {
                            status: SessionStatus::Revoked,
                            token_hash: None,
                            ended_at: Some(Timestamp::from_ms(5).unwrap()),
                            ..live.clone()
                        };
                        assert_eq!(one.session_replace(revoked, None, None, None).await, Ok(true));
                    }
                };
                // One reads at the same time, one after it.
                let ((), during) = tokio::join!(revoke, other.session_fetch(live.id));
                let during = during.unwrap().unwrap();
                assert_eq!(during.token_hash.is_some(), during == live);
                let after = other.session_fetch(live.id).await.unwrap().unwrap();
                assert_eq!((after.status, after.token_hash), (SessionStatus::Revoked, None), "{last}");
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_one_node_has_revoked_all_at_once_are_not_live_at_another() {
    let [one, other] = open_two().await;
    let sessions = (0..1_000).map(|last| (session(last), event(last, session(last).id)));
    one.session_import(sessions.collect()).await.unwrap();
    assert_eq!(one.session_revoke_many(revocation(1, 5), None).await, Ok(1_000));
    let at = Timestamp::from_ms(5).unwrap();
    // Both write it, at the same time too.
    while tokio::try_join!(one.revocation_write(at), other.revocation_write(at)).unwrap() != (false, false) {
        for store in [&one, &other] {
            let read = store.session_page(None, 1_000).await.unwrap().items;
            assert!(read.iter().all(|session| session.status == SessionStatus::Revoked));
        }
    }
    // And once: each session has one event of it.
    let mut events = Vec::new();
    let mut after = None;
    loop {
        let page = session_store::Events::event_page(&*other, after, 1_000).await.unwrap();
        events.extend(page.items.iter().map(|event| (event.session_id, event.action)));
        after = page.next.map(session_store::EventId);
        if after.is_none() {
            break;
        }
    }
    events.retain(|(_, action)| *action == session_store::EventAction::Revoked);
    events.sort_by_key(|(session_id, _)| *session_id);
    events.dedup();
    assert_eq!(events.len(), 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_one_node_has_replaced_is_refused_at_another() {
    let [one, other] = open_two().await;
    let mut stored = session(1);
    one.session_create(stored.clone(), event(1, stored.id), None).await.unwrap();
    for round in 0..200_u8 {
        let former = TokenGuard { session_id: stored.id, token_hash: stored.token_hash.unwrap() };
        let token_hash = Some(SecretHash([round + 8; 32]));
        let replaced = StoredSession { token_hash, ..stored.clone() };
        assert_eq!(one.session_replace(replaced, None, Some(former), None).await, Ok(true));
        stored = other.session_fetch(stored.id).await.unwrap().unwrap();
        assert_eq!(stored.token_hash, token_hash);
        let late = other.session_replace(stored.clone(), None, Some(former), None).await;
        assert_eq!(late, Err(StoreError::TokenReplaced));
    }
}

/// Makes the writing of sessions that are new and have the title "slow" take this long.
fn slow_down(database: &str, seconds: &str) {
    let sql = format!(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql \
         AS $$ BEGIN PERFORM pg_sleep({seconds}); RETURN NEW; END $$; \
         CREATE TRIGGER slow BEFORE INSERT OR UPDATE ON session FOR EACH ROW \
         WHEN (NEW.title = 'slow' AND NEW.status = 'new') EXECUTE FUNCTION wait()"
    );
    Cluster::shared().psql(database, &sql);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_one_domain_that_all_take_long_do_not_make_those_of_another_wait() {
    let database = Cluster::shared().create_database();
    let store = Arc::new(open(&database).await);
    slow_down(&database, "2");
    let title = Some("slow".to_owned().try_into().unwrap());
    let slow: Vec<_> = (0..30)
        .map(|last| {
            let (store, one) = (Arc::clone(&store), StoredSession { title: title.clone(), ..session(last) });
            tokio::spawn(async move { store.session_create(one, event(last, session(last).id), None).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    for last in 100..120 {
        let of_other = StoredSession { domain_id: DomainId(Id::from_bytes([7; 20])), ..session(last) };
        store.session_create(of_other, event(last, session(last).id), None).await.unwrap();
    }
    assert!(slow.iter().all(|change| !change.is_finished()), "those of the other domain came first");
    let mut made = 0;
    for change in slow {
        match change.await.unwrap() {
            Ok(()) => made += 1,
            Err(StoreError::Unavailable(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    let stored = store.session_page(None, 100).await.unwrap().items;
    assert!((1..30).contains(&made) && stored.len() == made + 20, "{made} of {}", stored.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_takes_longer_than_a_revocation_of_many_is_before_or_after_it() {
    let database = Cluster::shared().create_database();
    let store = Arc::new(open(&database).await);
    // It writes these rows long after it has seen which revocations are pending.
    slow_down(&database, "0.5");
    let account_id = Some(AccountId(Id::from_bytes([9; 20])));
    let of_account = |last| StoredSession { account_id, ..session(last) };
    // The first one matches only after the change, the second one is added. The others are written after both.
    let mut first = session(0);
    let others = (10..500).map(of_account).chain([first.clone()]);
    store.session_import(others.map(|one| (one.clone(), event(0, one.id))).collect()).await.unwrap();
    first = StoredSession { title: Some("slow".to_owned().try_into().unwrap()), ..of_account(0) };
    let second = StoredSession { title: first.title.clone(), ..of_account(1) };
    let ids = [first.id, second.id];
    let changes = {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let added = event(1, second.id);
            let created = store.session_create(second, added, None);
            let (replaced, created) = tokio::join!(store.session_replace(first, None, None, None), created);
            assert_eq!((replaced, created), (Ok(true), Ok(())));
        })
    };
    tokio::time::sleep(Duration::from_millis(150)).await;
    let count = store.session_revoke_many(Revocation { account_id, ..revocation(1, 5) }, None).await.unwrap();
    let at = Timestamp::from_ms(5).unwrap();
    // Those with the least IDs are written, and others are not.
    assert_eq!(store.revocation_write(at).await, Ok(true));
    changes.await.unwrap();
    let read = async || {
        let [first, second] = ids.map(|id| store.session_fetch(id));
        let (first, second) = tokio::join!(first, second);
        [first, second].map(|read| read.unwrap().unwrap().status)
    };
    let before = read().await;
    while store.revocation_write(at).await.unwrap() {}
    assert_eq!(read().await, before, "what was read while it was pending stays");
    let revoked = before.iter().filter(|status| **status == SessionStatus::Revoked).count();
    assert_eq!(count, 490 + revoked as u64, "the revocation counted those that it revoked");
}

/// What a newer program does whose schema older ones work with.
fn migrate_to_a_newer_version(database: &str) {
    let sql = "BEGIN; ALTER TABLE session ADD COLUMN region TEXT; ALTER TABLE event ADD COLUMN region TEXT; \
               CREATE INDEX session_by_region ON session (domain_id, region, id); \
               UPDATE session_store_schema SET version = version + 1; COMMIT";
    Cluster::shared().psql(database, sql);
}

#[tokio::test]
async fn a_session_that_cannot_be_read_does_not_hide_the_key_and_a_key_that_cannot_be_read_is_an_error() {
    let database = Cluster::shared().create_database();
    let store = open(&database).await;
    let (one, key) = (session(1), key(1));
    store.session_create(one.clone(), event(1, one.id), None).await.unwrap();
    store.key_create(key.clone()).await.unwrap();
    let damage = |sql: &str| Cluster::shared().psql(&database, sql);
    damage("UPDATE session SET title = repeat('x', 300)");
    let (found, read) = store.key_and_session_fetch(key.id, one.id).await.unwrap();
    assert_eq!((found, &read), (Some(key.clone()), &store.session_fetch(one.id).await));
    let named = |error: StoreError, table: &str, id: Id| {
        let StoreError::Failed(text) = error else { panic!("{error}") };
        assert!(text.starts_with(&format!("{table} {id} cannot be read")), "{text}");
    };
    named(read.unwrap_err(), "session", one.id.0);
    damage("UPDATE api_key SET scopes = 'everything'");
    named(store.key_and_session_fetch(key.id, one.id).await.unwrap_err(), "api_key", key.id.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_one_version_older_works_on_a_migrated_database() {
    let database = Cluster::shared().create_database();
    let running = open(&database).await;
    let one = session(1_000_000);
    running.session_create(one.clone(), event(1, one.id), None).await.unwrap();
    assert_eq!(running.session_fetch(one.id).await, Ok(Some(one.clone())));
    migrate_to_a_newer_version(&database);
    // One that runs, with statements that it has prepared, and one that starts.
    for store in [running, open(&database).await] {
        store.ready().await.unwrap();
        assert_eq!(store.session_fetch(one.id).await.unwrap().map(|read| read.id), Some(one.id));
        let read = store.session_fetch(one.id).await.unwrap().unwrap();
        assert_eq!(store.session_replace(read, None, None, None).await, Ok(true));
    }
    // Each needs an empty database.
    macro_rules! suite {
        ($($name:ident)*) => {$(
            let database = Cluster::shared().create_database();
            let running = open(&database).await;
            migrate_to_a_newer_version(&database);
            contract_suite::$name(Arc::new(running)).await;
        )*};
    }
    suite! {
        any_session_comes_back_equal
        lists_contain_exactly_the_matching_sessions_newest_first
        a_revocation_of_many_sessions_is_the_same_on_every_read_before_and_after_it_is_written
        expired_sessions_of_every_domain_are_listed_at_once
        a_record_is_added_with_its_change_or_not_at_all
        keys_come_back_equal_and_stay_revoked
    }
}
