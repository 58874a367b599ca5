//! The responses when the store fails or is locked.

use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::Method;
use serde_json::json;
use session_test_support::database::Database;
use session_test_support::launcher::on_postgres;
use session_test_support::{Contract, Sessiond, seed};

const SCOPES: [&str; 5] =
    ["session:create", "session:authenticate", "session:update", "session:read", "session:revoke"];

/// How long to wait for what happens within seconds.
const PATIENCE: Duration = Duration::from_secs(30);

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
    let mut database = Database::of(server.folder());
    database.execute("ALTER TABLE session RENAME TO elsewhere");
    let cause = if on_postgres() { "relation \\\"session\\\" does not exist" } else { "no such table" };

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
        assert!(log.lines().any(|line| line.contains(request) && line.contains(cause)), "{log}");
    }
    assert_eq!(server.internal("/ready").await.0, 503);

    database.execute("ALTER TABLE elsewhere RENAME TO session");
    assert_eq!(server.fetch(id, &token).await.body["summary"], session["summary"]);
    ready_is(&server, 200).await;
}

#[tokio::test]
async fn a_locked_store_is_unknown_with_a_time_to_retry_and_reads_continue() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    let (session, token) = server.create(&key, json!({ "session_type": "api" })).await;
    let id = session["summary"]["id"].as_str().unwrap();
    // For the revocation: without a session that it ends, it has nothing to write.
    server.import(&[seed::summary()]);
    let mut holder = Database::of(server.folder());
    let lock = if on_postgres() { "BEGIN; LOCK TABLE session IN EXCLUSIVE MODE" } else { "BEGIN IMMEDIATE" };
    holder.execute(lock);

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
    // PostgreSQL withdraws a change that waits too long for a lock: nothing was changed.
    let seconds: &[_] = if on_postgres() { &["1", "5"] } else { &["1"] };
    for answer in answers.into_iter().chain([created]) {
        assert_eq!(answer.outcome(), (503, "unknown"));
        assert!(seconds.contains(&answer.headers["retry-after"].to_str().unwrap()), "{answer:?}");
    }

    holder.execute("ROLLBACK");
    server.key(&["session:read"]);
    let changed = server.fetch(id, &key).await.body["summary"]["status"] != "new";
    let created = server.command(&["export", "-"]).run().stdout.contains("late");
    if on_postgres() {
        assert!(!changed && !created);
    } else {
        // The store makes the change later: the outcome was unknown. Of the session's changes it makes only the first:
        // the others were based on its former state.
        assert!(changed && created);
    }
}
