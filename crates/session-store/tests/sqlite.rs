//! The SQLite store: the contract suite, and tests of its file.
#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use std::path::Path;

use session_store::contract_suite::{event, session};
use session_store::{OpenError, SqliteStore, Store, StoredSession};
use session_types::{
    DomainId, Id, InteractionDetails, PoolId, SessionId, SessionStatus, SessionType, Timestamp, Title,
};
use tempfile::TempDir;

fn open() -> (TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("sessions.db")).unwrap();
    (folder, store)
}

session_store::contract_suite!(open());

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
    store.session_create(session(1), event(1, session(1).id)).await.unwrap();
    drop(store);
    let store = SqliteStore::open(&folder.path().join("sessions.db")).unwrap();
    assert_eq!(store.session_fetch(session(1).id).await, Ok(Some(session(1))));
}

#[tokio::test]
async fn dropping_the_store_makes_the_waiting_changes() {
    let (folder, store) = open();
    let store = std::sync::Arc::new(store);
    let tasks: Vec<_> = (0..50)
        .map(|last| {
            let store = std::sync::Arc::clone(&store);
            tokio::spawn(
                async move { store.session_create(session(last), event(last, session(last).id)).await },
            )
        })
        .collect();
    tokio::task::yield_now().await;
    drop(store);
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let store = SqliteStore::open(&folder.path().join("sessions.db")).unwrap();
    assert_eq!(store.session_page(None, 100).await.unwrap().len(), 50);
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

#[test]
fn the_lookups_of_the_fetch_path_use_the_primary_key_and_the_indexes() {
    let (folder, store) = open();
    drop(store);
    let connection = rusqlite::Connection::open(folder.path().join("sessions.db")).unwrap();
    let plan = |sql: &str| -> String {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let lines = statement.query_map([], |row| row.get::<_, String>(3)).unwrap();
        lines.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(plan("SELECT * FROM session WHERE id = x'00'"), "SEARCH session USING PRIMARY KEY (id=?)");
    assert!(
        plan("SELECT * FROM session WHERE expires_at <= 5 ORDER BY expires_at")
            .contains("session_by_expires_at")
    );
    for (column, index) in [("account_id", "account"), ("identity_id", "identity"), ("device_id", "device")] {
        let plan = plan(&format!("SELECT title FROM session WHERE {column} = x'00'"));
        assert!(plan.starts_with(&format!("SEARCH session USING INDEX session_by_{index}")), "{plan}");
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
    let sessions = store.session_page(None, 10).await.unwrap();
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
    assert_eq!(store.session_list_expired(at(8_999), 10).await, Ok(vec![]));
    assert_eq!(store.session_list_expired(at(9_000), 10).await, Ok(vec![expected]));
}
