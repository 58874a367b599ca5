//! Acknowledged changes survive the end of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
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
