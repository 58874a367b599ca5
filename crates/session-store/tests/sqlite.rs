//! The SQLite store: the contract suite, and tests of its file.
#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use std::path::Path;
use std::time::Duration;

use session_store::contract_suite::{event, key, revocation, session};
use session_store::{
    Keys, NodeId, Nodes, OpenError, Revocations, SecretHash, Sessions, Settings, SqliteStore, StoredSession,
};
use session_types::{
    AccountId, DomainId, Id, InteractionDetails, PoolId, SessionId, SessionStatus, SessionType, Timestamp,
    Title,
};
use tempfile::TempDir;

fn open() -> (TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("sessions.db")).unwrap();
    (folder, store)
}

session_store::contract_suite!(std::future::ready(open()));

/// Returns the error of opening a file that is not a valid store.
fn open_error(path: &Path) -> String {
    match SqliteStore::open(path) {
        Err(OpenError::Refused(text)) => text,
        other => panic!("it was opened: {other:?}"),
    }
}

/// Executes SQL in a file that only its owner may access.
fn sql(path: &Path, batch: &str) {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path).unwrap();
    rusqlite::Connection::open(path).unwrap().execute_batch(batch).unwrap();
}

#[tokio::test]
async fn sessions_are_stored_when_the_store_is_opened_again() {
    let (folder, store) = open();
    store.session_create(session(1), event(1, session(1).id), None).await.unwrap();
    drop(store);
    let store = SqliteStore::open(&folder.path().join("sessions.db")).unwrap();
    assert_eq!(store.session_fetch(session(1).id).await, Ok(Some(session(1))));
}

#[tokio::test]
async fn nodes_and_leases_of_a_former_process_are_void_when_the_store_is_opened_again() {
    let (folder, store) = open();
    let [former, new] = [1, 2].map(|byte| NodeId(Id::from_bytes([byte; 20])));
    let long = Duration::from_hours(1);
    store.node_report(former, "a".to_owned(), long).await.unwrap();
    assert_eq!(store.lease_acquire("one", former, long).await, Ok(true));
    drop(store);
    let store = SqliteStore::open(&folder.path().join("sessions.db")).unwrap();
    assert_eq!(store.node_report(new, "b".to_owned(), long).await, Ok(vec![]));
    assert_eq!(store.lease_acquire("one", new, long).await, Ok(true));
}

#[tokio::test]
async fn texts_that_an_earlier_version_allowed_stay_readable() {
    let (folder, store) = open();
    store.session_create(session(1), event(1, session(1).id), None).await.unwrap();
    let path = folder.path().join("sessions.db");
    let token = format!("sst_{}", "7".repeat(91));
    sql(
        &path,
        &format!(
            "UPDATE session SET title = 'a' || char(133) || char(8238) || 'b', \
                  first_seen_at = 1, first_seen_user_agent = 'agent {token}'"
        ),
    );
    let read = store.session_fetch(session(1).id).await.unwrap().unwrap();
    assert_eq!(read.title.as_ref().map(Title::as_str), Some("a\u{fffd}\u{fffd}b"));
    let agent = read.first_seen.clone().and_then(|seen| seen.user_agent).map(String::from);
    assert_eq!(agent.as_deref(), Some("agent [REDACTED]"));
    assert_eq!(store.session_page(None, 10).await.unwrap().items, [read]);
}

#[tokio::test]
async fn a_session_that_cannot_be_read_does_not_hide_the_key_and_a_key_that_cannot_be_read_is_an_error() {
    let (folder, store) = open();
    let (one, key) = (session(1), key(1));
    store.session_create(one.clone(), event(1, one.id), None).await.unwrap();
    store.key_create(key.clone()).await.unwrap();
    let damage = |batch: &str| sql(&folder.path().join("sessions.db"), batch);
    damage("UPDATE session SET title = printf('%0300d', 1)");
    let (found, read) = store.key_and_session_fetch(key.id, one.id).await.unwrap();
    assert_eq!((found, &read), (Some(key.clone()), &store.session_fetch(one.id).await));
    assert!(read.is_err());
    damage("UPDATE api_key SET scopes = 'everything'");
    // Of another program's change, a store that is open does not know before the next change of its own.
    store.session_create(session(2), event(2, session(2).id), None).await.unwrap();
    assert!(store.key_and_session_fetch(key.id, one.id).await.is_err());
}

#[tokio::test]
async fn a_change_that_was_handed_over_is_made_even_if_its_future_is_dropped() {
    let (_folder, store) = open();
    let mut change = store.session_create(session(1), event(1, session(1).id), None);
    // One poll hands it over.
    let poll = std::future::poll_fn(|context| std::task::Poll::Ready(change.as_mut().poll(context)));
    let _ = poll.await;
    drop(change);
    // A later change is made after it.
    store.session_create(session(2), event(2, session(2).id), None).await.unwrap();
    assert_eq!(store.session_fetch(session(1).id).await, Ok(Some(session(1))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_after_an_acknowledged_change_sees_it_on_every_thread() {
    const NAMES: [&str; 16] =
        ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"];
    const CHANGES: u64 = 625;
    let (_folder, store) = open();
    let store = std::sync::Arc::new(store);
    let tasks = NAMES.map(|name| {
        let store = std::sync::Arc::clone(&store);
        tokio::spawn(async move {
            for change in 0..CHANGES {
                store.setting_replace(name, change.to_string()).await.unwrap();
                // The task goes on on any thread, and others read there in between.
                assert_eq!(store.setting_fetch(name).await, Ok(Some(change.to_string())));
                tokio::task::yield_now().await;
                assert_eq!(store.setting_fetch(name).await, Ok(Some(change.to_string())));
            }
        })
    });
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn dropping_the_store_makes_the_waiting_changes() {
    let (folder, store) = open();
    let store = std::sync::Arc::new(store);
    let tasks: Vec<_> = (0..50)
        .map(|last| {
            let store = std::sync::Arc::clone(&store);
            tokio::spawn(async move {
                store.session_create(session(last), event(last, session(last).id), None).await
            })
        })
        .collect();
    tokio::task::yield_now().await;
    drop(store);
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let store = SqliteStore::open(&folder.path().join("sessions.db")).unwrap();
    assert_eq!(store.session_page(None, 100).await.unwrap().items.len(), 50);
}

#[tokio::test]
async fn a_pending_revocation_is_written_after_the_store_is_opened_again() {
    const SESSIONS: u64 = 10_000;
    let (folder, store) = open();
    let path = folder.path().join("sessions.db");
    let all = (0..SESSIONS).map(|last| (session(last), event(last, session(last).id))).collect();
    store.session_import(all).await.unwrap();
    let at = Timestamp::from_ms(5).unwrap();
    assert_eq!(store.session_revoke_many(revocation(1, 5), None).await, Ok(SESSIONS));
    // Before any of it is written, and in the middle.
    let mut store = store;
    for batches in [0, 7, 13] {
        for _ in 0..batches {
            assert_eq!(store.revocation_write(at).await, Ok(true));
        }
        drop(store);
        store = SqliteStore::open(&path).unwrap();
        let mut after = None;
        let mut revoked = 0;
        loop {
            let page = store.session_page(after, 1_000).await.unwrap();
            let ended = |session: &&StoredSession| session.status == SessionStatus::Revoked;
            revoked += page.items.iter().filter(ended).count() as u64;
            after = page.next.map(SessionId);
            if after.is_none() {
                break;
            }
        }
        assert_eq!(revoked, SESSIONS);
    }
    while store.revocation_write(at).await.unwrap() {}
    let connection = rusqlite::Connection::open(&path).unwrap();
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM session WHERE status = 'revoked'"), SESSIONS);
    assert_eq!(count("SELECT count(*) FROM event WHERE action = 'revoked'"), SESSIONS);
    assert_eq!(count("SELECT count(DISTINCT session_id) FROM event WHERE action = 'revoked'"), SESSIONS);
    // The record is removed once no caller waits for its count.
    store.revocation_write(Timestamp::from_ms(60_005).unwrap()).await.unwrap();
    assert_eq!(count("SELECT count(*) FROM revocation"), 0);
}

#[tokio::test]
async fn a_revocation_that_was_pending_before_an_upgrade_ends_the_sessions_that_it_had_skipped() {
    const SESSIONS: u64 = 500;
    let (folder, store) = open();
    let path = folder.path().join("sessions.db");
    let at = |ms| Timestamp::from_ms(ms).unwrap();
    // The last one of the first batch, so that its event is the last one too.
    let expired = StoredSession { expires_at: Some(at(4)), ..session(199) };
    let one = |last| if last == 199 { expired.clone() } else { session(last) };
    let all = (0..SESSIONS).map(|last| (one(last), event(last, session(last).id))).collect();
    store.session_import(all).await.unwrap();
    assert_eq!(store.session_revoke_many(revocation(1, 5), None).await, Ok(SESSIONS - 1));
    assert_eq!(store.revocation_write(at(5)).await, Ok(true));
    drop(store);
    // As the schema before left it: that session was not written and has no event.
    sql(
        &path,
        "UPDATE session SET status = 'new', ended_at = NULL, expires_at = 4, expires_minute = 0, revision = 0 \
         WHERE status = 'complete'; \
         DELETE FROM event WHERE action = 'expired'; \
         ALTER TABLE revocation DROP COLUMN completed; \
         DROP TABLE idempotency_record; \
         PRAGMA user_version = 7;",
    );
    let store = SqliteStore::open(&path).unwrap();
    let ended = StoredSession {
        status: SessionStatus::Complete,
        token_hash: None,
        expires_at: None,
        ended_at: Some(at(4)),
        revision: 1,
        ..expired.clone()
    };
    for _ in 0..2 {
        let found = store.session_fetch(expired.id).await.unwrap().unwrap();
        assert_eq!(found, ended);
        while store.revocation_write(at(5)).await.unwrap() {}
    }
    let connection = rusqlite::Connection::open(&path).unwrap();
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM session WHERE status = 'revoked'"), SESSIONS - 1);
    assert_eq!(count("SELECT count(*) FROM event WHERE action = 'revoked'"), SESSIONS - 1);
    assert_eq!(count("SELECT count(*) FROM event WHERE action = 'expired'"), 1);
}

#[test]
fn a_database_of_a_newer_program_is_refused_and_unchanged() {
    let (folder, store) = open();
    drop(store);
    let path = folder.path().join("sessions.db");
    sql(&path, "PRAGMA user_version = 4711");
    let text = open_error(&path);
    assert!(text.contains("4711") && text.contains("newer"), "{text}");
    let version: i32 = rusqlite::Connection::open(&path)
        .unwrap()
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    assert_eq!(version, 4711);
}

#[test]
fn a_database_of_another_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("theirs.db");
    sql(&path, "CREATE TABLE notes (text)");
    assert!(open_error(&path).contains("another program"));
}

#[test]
fn a_file_that_is_not_a_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter.txt");
    sql(&path, "");
    std::fs::write(&path, "Dear reader, this is not a database. ".repeat(100)).unwrap();
    assert!(open_error(&path).contains("not a database"));
    assert!(SqliteStore::open(folder.path()).is_err());
    assert!(SqliteStore::open(&folder.path().join("no/such/folder.db")).is_err());
}

#[test]
fn only_the_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, _store) = open();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.path());
    }
}

#[tokio::test]
async fn a_database_of_the_first_version_is_migrated_with_its_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    sql(&path, include_str!("../src/sqlite/migrations/0001_first.sql"));
    // "SESS", and one migration applied.
    sql(&path, "PRAGMA application_id = 1397052243; PRAGMA user_version = 1;");
    let id = |first: u8| format!("x'{first:02}{}'", "00".repeat(19));
    sql(&path, &format!("INSERT INTO pool VALUES ({}, {});", id(1), id(2)));
    sql(
        &path,
        &format!(
            "INSERT INTO session (id, domain_id, pool_id, session_type, status, revision) \
             VALUES ({}, {}, {}, 'api', 'new', 4);",
            id(3),
            id(2),
            id(1)
        ),
    );
    let store = SqliteStore::open(&path).unwrap();
    let sessions = store.session_page(None, 10).await.unwrap().items;
    assert_eq!((sessions.len(), sessions[0].revision, sessions[0].expires_at), (1, 4, None));
}

#[tokio::test]
async fn a_database_of_the_second_version_is_migrated_with_its_lifetimes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    sql(&path, include_str!("../src/sqlite/migrations/0001_first.sql"));
    sql(&path, include_str!("../src/sqlite/migrations/0002_life.sql"));
    sql(&path, "PRAGMA application_id = 1397052243; PRAGMA user_version = 2;");
    sql(
        &path,
        "INSERT INTO pool VALUES (x'0101010101010101010101010101010101010101', \
                                  x'0202020202020202020202020202020202020202'); \
         INSERT INTO session (id, domain_id, pool_id, session_type, status, title, first_seen_at, first_seen_ip, \
                              revision, ends_at) \
         VALUES (x'0303030303030303030303030303030303030303', x'0202020202020202020202020202020202020202', \
                 x'0101010101010101010101010101010101010101', 'api', 'unauthenticated', 'build', 5000, '::1', 4, 9000);",
    );
    let store = SqliteStore::open(&path).unwrap();
    let at = |ms| Timestamp::from_ms(ms).unwrap();
    let expected = StoredSession {
        id: SessionId(Id::from_bytes([3; 20])),
        domain_id: DomainId(Id::from_bytes([2; 20])),
        pool_id: PoolId(Id::from_bytes([1; 20])),
        session_type: SessionType::Api,
        created_at: Id::from_bytes([3; 20]).created_at(),
        status: SessionStatus::Unauthenticated,
        title: Some(Title::try_from("build".to_owned()).unwrap()),
        first_seen: Some(InteractionDetails {
            at: at(5_000),
            remote_ip: Some("::1".to_owned().try_into().unwrap()),
            user_agent: None,
        }),
        token_hash: None,
        expires_at: Some(at(9_000)),
        revision: 4,
        ..session(1)
    };
    assert_eq!(store.session_fetch(expected.id).await, Ok(Some(expected.clone())));
    assert_eq!(store.session_list_expired(at(8_999), 10).await.unwrap().items, []);
    assert_eq!(store.session_list_expired(at(9_000), 10).await.unwrap().items, [expected]);
}

#[tokio::test]
async fn a_database_with_global_pools_is_migrated_with_its_sessions_and_keys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    for migration in [
        include_str!("../src/sqlite/migrations/0001_first.sql"),
        include_str!("../src/sqlite/migrations/0002_life.sql"),
        include_str!("../src/sqlite/migrations/0003_expires_at.sql"),
    ] {
        sql(&path, migration);
    }
    sql(&path, "PRAGMA application_id = 1397052243; PRAGMA user_version = 3;");
    // The IDs of the contract's examples, of which the time is 1234567890000; one with the least and one with the
    // greatest time; and a live, an ended and an expired session.
    let domain = "x'0102030405060708090a0b0c0d0e0f1011121314'";
    let pool = "x'1112131415161718191a1b1c1d1e1f2021222324'";
    sql(&path, &format!("INSERT INTO pool VALUES ({pool}, {domain});"));
    let ids = [
        (Id::compose(0, 1, [1; 10]), "'new', NULL, NULL, 0, NULL, NULL"),
        (Id::compose(1_234_567_890_000, 123_456_789, [2; 10]), "'revoked', NULL, NULL, 3, NULL, 77"),
        (
            Id::compose(1_234_567_890_001, 0, [3; 10]),
            "'authenticated', zeroblob(32), x'0909090909090909090909090909090909090909', 9, 88, NULL",
        ),
        (Id::compose((1 << 50) - 1, 9, [4; 10]), "'new', NULL, NULL, 1, NULL, NULL"),
    ];
    for (id, values) in &ids {
        let insert = format!(
            "INSERT INTO session (id, domain_id, pool_id, session_type, status, token_hash, account_id, revision, \
                 expires_at, ended_at) VALUES (?, {domain}, {pool}, 'browser', {values})"
        );
        rusqlite::Connection::open(&path).unwrap().execute(&insert, [id.as_bytes()]).unwrap();
    }
    sql(
        &path,
        &format!(
            "INSERT INTO api_key VALUES (x'0505050505050505050505050505050505050505', 'gateway', {domain}, {pool}, \
             'session:read', zeroblob(32), 5);"
        ),
    );
    let store = SqliteStore::open(&path).unwrap();
    let sessions = store.session_page(None, 10).await.unwrap().items;
    let at = |ms| Timestamp::from_ms(ms).unwrap();
    for (session, (id, _)) in sessions.iter().zip(&ids) {
        assert_eq!(session.id, SessionId(*id));
        assert_eq!(session.created_at, id.created_at(), "computed from the ID");
        assert_eq!(session.domain_id.0.as_bytes()[..2], [1, 2]);
        assert_eq!(session.pool_id.0.as_bytes()[..2], [0x11, 0x12]);
    }
    let [new, revoked, authenticated, _] = &sessions[..] else { panic!("{sessions:?}") };
    assert_eq!((new.status, new.revision), (SessionStatus::New, 0));
    assert_eq!((revoked.status, revoked.ended_at), (SessionStatus::Revoked, Some(at(77))));
    assert_eq!(
        (authenticated.status, authenticated.expires_at, authenticated.account_id),
        (SessionStatus::Authenticated, Some(at(88)), Some(AccountId(Id::from_bytes([9; 20]))))
    );
    assert_eq!(authenticated.token_hash, Some(SecretHash([0; 32])));
    let keys = store.key_page(None, 10).await.unwrap().items;
    assert_eq!((keys.len(), keys[0].pool_id, keys[0].revoked_at), (1, Some(new.pool_id), Some(at(5))));
    assert_eq!(
        store.session_list_expired(at(88), 10).await.unwrap().items,
        std::slice::from_ref(authenticated)
    );
    // The pool is not locked for another domain, and nothing refers to a record of it.
    let elsewhere = StoredSession { pool_id: new.pool_id, ..session(1) };
    store.session_create(elsewhere.clone(), event(1, elsewhere.id), None).await.unwrap();
}
