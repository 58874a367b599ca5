//! The responses when the store fails or is locked.

use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::Method;
use rusqlite::Connection;
use serde_json::json;
use session_test_support::{Contract, Sessiond};

const SCOPES: [&str; 5] =
    ["session:create", "session:authenticate", "session:update", "session:read", "session:revoke"];

/// How long to wait for what happens within seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// A second connection to the server's database.
fn database(server: &Sessiond) -> Connection {
    let connection = Connection::open(server.folder().join("sessions.db")).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection
}

/// Waits until `/ready` has this status: it reuses each result for a while.
pub(crate) async fn ready_is(server: &Sessiond, expected: u16) {
    let began = Instant::now();
    while server.internal("/ready").await.0 != expected {
        assert!(began.elapsed() < PATIENCE, "/ready is not {expected}: {}", server.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_failing_store_is_unexpected_with_its_cause_only_in_the_log_and_nothing_is_lost() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    let (session, token) = server.create(&key, json!({ "session_type": "api" })).await;
    let id = session["summary"]["id"].as_str().unwrap();
    database(&server).execute_batch("ALTER TABLE session RENAME TO elsewhere").unwrap();

    let contract = Contract::load();
    for operation in contract.operations().iter().map(|operation| &operation.id) {
        let caller = if operation == "fetch_own_session" { &token } else { &key };
        let answer = server.call(operation, id, Some(caller)).await;
        assert_eq!(answer.outcome(), (500, "unexpected"));
        assert!(!answer.message().contains("table"), "{}", answer.message());
        // The log has the cause under the ID of the request.
        let request = answer.headers["x-request-id"].to_str().unwrap();
        server.logged(request);
        let log = server.log();
        assert!(log.lines().any(|line| line.contains(request) && line.contains("no such table")), "{log}");
    }
    assert_eq!(server.internal("/ready").await.0, 503);

    database(&server).execute_batch("ALTER TABLE elsewhere RENAME TO session").unwrap();
    assert_eq!(server.fetch(id, &token).await.body["summary"], session["summary"]);
    ready_is(&server, 200).await;
}

#[tokio::test]
async fn a_locked_store_is_unknown_with_a_time_to_retry_and_reads_continue() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    let (session, token) = server.create(&key, json!({ "session_type": "api" })).await;
    let id = session["summary"]["id"].as_str().unwrap();
    let holder = database(&server);
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();

    let contract = Contract::load();
    let changes = contract.operations().iter().filter(|operation| !operation.reads());
    let changes: Vec<_> = changes.map(|operation| &operation.id).collect();
    let late = json!({ "session_type": "api", "title": "late" });
    let (answers, created, fetched) = tokio::join!(
        join_all(changes.iter().map(|operation| server.call(operation, id, Some(&key)))),
        server.request(Method::POST, "/api/v1/session", Some(&key), Some(late)),
        server.fetch(id, &token),
    );
    assert_eq!(fetched.status, 200);
    for answer in answers.into_iter().chain([created]) {
        assert_eq!(answer.outcome(), (503, "unknown"));
        assert_eq!(answer.headers["retry-after"], "1");
    }

    // The store makes the change later: the outcome was unknown.
    holder.execute_batch("ROLLBACK").unwrap();
    server.key(&["session:read"]);
    // Only the first change of the session is made: the others were based on its former state.
    assert_ne!(server.fetch(id, &key).await.body["summary"]["status"], "new");
    assert!(server.command(&["export", "-"]).run().stdout.contains("late"));
}
