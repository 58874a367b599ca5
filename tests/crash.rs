//! Acknowledged changes survive the end of the process.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use session_test_support::{Sessiond, raise_file_limit, seed};
use tokio::sync::Notify;
use tokio::task::JoinSet;

const ROUNDS: u32 = 10;
const CALLS: usize = 2_000;

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_session_and_its_token_survive_kill_9_amid_2000_concurrent_creates() {
    raise_file_limit();
    let mut folder = tempfile::tempdir().unwrap();
    for round in 0..ROUNDS {
        let server = Sessiond::start_on(folder, &["--log-level", "warn"]).await;
        let key = server.key(&["session:create"]);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://{}/api/v1/session", server.direct());
        let acknowledged = Arc::new(AtomicUsize::new(0));
        // Each round ends at another point, early enough that calls are still in flight when the signal arrives.
        let place = CALLS * (round as usize + 1) / 40;
        let reached = Arc::new(Notify::new());
        let mut calls = JoinSet::new();
        for _ in 0..CALLS {
            let request = client
                .post(&url)
                .bearer_auth(&key)
                .header("content-type", "application/json")
                .body(r#"{"session_type":"api"}"#);
            let (acknowledged, reached) = (Arc::clone(&acknowledged), Arc::clone(&reached));
            calls.spawn(async move {
                let answer = request.send().await.ok()?;
                assert_eq!(answer.status(), 201);
                let body: Value = serde_json::from_slice(&answer.bytes().await.ok()?).unwrap();
                if acknowledged.fetch_add(1, Ordering::SeqCst) + 1 == place {
                    reached.notify_one();
                }
                Some((body["session"].clone(), body["authtoken"].as_str().unwrap().to_owned()))
            });
        }
        tokio::time::timeout(Duration::from_mins(1), reached.notified()).await.unwrap();
        folder = server.kill();
        let mut made = Vec::new();
        while let Some(call) = calls.join_next().await {
            made.extend(call.unwrap());
        }
        assert!(made.len() >= place && made.len() < CALLS, "round {round}: {} were acknowledged", made.len());

        let server = Sessiond::start_on(folder, &["--log-level", "warn"]).await;
        let mut fetches = JoinSet::new();
        for (session, token) in made {
            let id = session["summary"]["id"].as_str().unwrap().to_owned();
            let request =
                client.get(format!("http://{}/api/v1/session/{id}", server.direct())).bearer_auth(token);
            fetches.spawn(async move {
                let answer = request.send().await.unwrap();
                assert_eq!(answer.status(), 200, "{id}");
                let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
                assert_eq!(body["summary"], session["summary"]);
                assert_eq!(body["summary"]["pool_id"], seed::POOL_ID);
            });
        }
        while let Some(fetch) = fetches.join_next().await {
            fetch.unwrap();
        }
        folder = server.kill();
    }
}

/// The account of this number.
fn account(number: usize) -> String {
    format!("013xrzp12g3nqk8n6cyr5x0k8yb1{number:04}")
}

/// Imports authenticated sessions, so many of each of these accounts.
fn import(server: &Sessiond, accounts: usize, of_each: usize) {
    let sessions: Vec<_> = (0..accounts * of_each)
        .map(|place| {
            let mut session = seed::summary();
            // Digits are letters of the alphabet of IDs.
            session["id"] = json!(format!("013xrzp12g3nqk8nkv4y96wrbz{place:06}"));
            session["status"] = json!("authenticated");
            session["account_id"] = json!(account(place % accounts));
            session
        })
        .collect();
    server.import(&sessions);
}

/// How many sessions of an account have this status, by the pages of its list.
async fn count(server: &Sessiond, key: &str, account_id: &str, status: &str) -> usize {
    let mut path = format!("/api/v1/session?account_id={account_id}&status={status}&limit=1000");
    let mut total = 0;
    loop {
        let page = server.request(Method::GET, &path, Some(key), None).await.body;
        total += page["items"].as_array().unwrap().len();
        let Some(next) = page["next_page"].as_str() else { return total };
        path = format!("/api/v1/session?limit=1000&page_token={next}");
    }
}

/// The sessions of the events `revoked`, of which each session has at most one.
fn revoked(server: &Sessiond) -> BTreeSet<String> {
    let mut sessions = BTreeSet::new();
    for event in server.events().iter().filter(|event| event["action"] == "revoked") {
        assert!(sessions.insert(event["session_id"].to_string()), "{event}");
    }
    sessions
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_of_many_sessions_survives_kill_9_after_the_response_and_while_it_is_written() {
    const SESSIONS: usize = 20_000;
    let server = Sessiond::start().await;
    import(&server, 1, SESSIONS);
    let key = server.key(&["session:read", "session:revoke"]);
    let body = json!({ "pool_id": seed::POOL_ID });
    let answer = server.request(Method::POST, "/api/v1/revocation", Some(&key), Some(body)).await;
    assert_eq!(answer.body, json!({ "revoked": SESSIONS }));
    let mut folder = server.kill();
    let mut written = 0;
    let mut rounds = 0;
    while written < SESSIONS {
        let server = Sessiond::start_on(folder, &["--log-level", "warn"]).await;
        assert_eq!(count(&server, &key, &account(0), "authenticated").await, 0);
        if rounds == 1 {
            assert_eq!(count(&server, &key, &account(0), "revoked").await, SESSIONS);
        }
        // Each run writes more of the events, and is killed in between.
        let before = written;
        for _ in 0..1_000 {
            written = revoked(&server).len();
            if written > before {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(written > before, "{written} events after {rounds} runs");
        rounds += 1;
        folder = server.kill();
    }
    assert_eq!(written, SESSIONS);
    println!("{rounds} runs wrote {written} events");
    let server = Sessiond::start_on(folder, &["--log-level", "warn"]).await;
    assert_eq!(count(&server, &key, &account(0), "revoked").await, SESSIONS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_of_many_sessions_is_made_or_not_whenever_the_process_is_killed() {
    const ROUNDS: usize = 10;
    const SESSIONS: usize = 600;
    let mut server = Sessiond::start().await;
    import(&server, ROUNDS, SESSIONS);
    let key = server.key(&["session:read", "session:revoke"]);
    let mut made = 0;
    for round in 0..ROUNDS {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client
            .post(format!("http://{}/api/v1/revocation", server.direct()))
            .bearer_auth(&key)
            .header("content-type", "application/json")
            .body(json!({ "account_id": account(round) }).to_string());
        let call = tokio::spawn(async move { request.send().await.map(|response| response.status()) });
        // From before the request arrives to after its response.
        tokio::time::sleep(Duration::from_millis(2 * round as u64)).await;
        let folder = server.kill();
        let acknowledged = call.await.unwrap().is_ok_and(|status| status == 200);
        server = Sessiond::start_on(folder, &["--log-level", "warn"]).await;
        let live = count(&server, &key, &account(round), "authenticated").await;
        assert!([0, SESSIONS].contains(&live), "round {round}: {live} of {SESSIONS} are live");
        assert!(!acknowledged || live == 0, "round {round}: an acknowledged revocation is lost");
        made += usize::from(live == 0);
    }
    println!("{made} of {ROUNDS} revocations were made");
    for _ in 0..1_000 {
        if revoked(&server).len() == made * SESSIONS {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{} of {} events", revoked(&server).len(), made * SESSIONS);
}
