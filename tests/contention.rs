//! Many callers at once: of one session, and of revocations.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use futures::{StreamExt, stream};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use session_test_support::{Sessiond, raise_file_limit, seed};

const SCOPES: [&str; 5] =
    ["session:create", "session:authenticate", "session:update", "session:read", "session:revoke"];

/// How many sessions were just seen when the revocations arrive.
const SESSIONS: usize = 20_000;

/// How many revocations arrive at once.
const REVOCATIONS: usize = 400;

/// By how much the server's memory may grow with [`REVOCATIONS`], in KiB.
const GROWTH_MAX_KIB: u64 = 50 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn of_64_concurrent_changes_of_one_session_all_get_their_true_response() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    let (session, _) = server.create(&key, json!({ "session_type": "browser" })).await;
    let id = session["summary"]["id"].as_str().unwrap();
    for _ in 0..5 {
        let changes = (0..64).map(|place| {
            let operation = if place % 2 == 0 { "record_interaction" } else { "authenticate_session" };
            server.call(operation, id, Some(&key))
        });
        let responses = join_all(changes).await;
        let made = responses.iter().filter(|response| response.status == 200).count();
        assert_eq!(made, 64);
        // Each was made after the other: one token is valid, that of the authentication which was made last.
        let tokens = responses.iter().filter_map(|response| response.body["authtoken"].as_str());
        let valid = join_all(tokens.map(|token| server.fetch(id, token))).await;
        assert_eq!(valid.iter().filter(|response| response.status == 200).count(), 1);
    }
    let ends = (0..64).map(|place| {
        let operation = if place % 2 == 0 { "complete_session" } else { "revoke_session" };
        server.call(operation, id, Some(&key))
    });
    let mut outcomes = BTreeMap::new();
    for response in join_all(ends).await {
        let (status, code) = response.outcome();
        *outcomes.entry((status, code.to_owned())).or_insert(0) += 1;
    }
    let expected = [((200, String::new()), 1), ((409, "invalid_action".to_owned()), 63)];
    assert_eq!(outcomes, BTreeMap::from(expected));
}

/// Sends a request, and returns the status and how long the response took.
async fn timed(request: RequestBuilder) -> (u16, Duration) {
    let began = Instant::now();
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    response.bytes().await.unwrap();
    (status, began.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn revocations_by_one_token_neither_fill_the_memory_nor_hold_off_others() {
    raise_file_limit();
    let server = Sessiond::start_with_settings("[limits]\ncreations_per_minute = 1000000").await;
    let (key, other_key) = (server.key(&SCOPES), server.key(&SCOPES));
    let url = format!("http://{}/api/v1", server.direct());
    let client = Client::builder().no_proxy().build().unwrap();
    let create = |key: &str, body: &Value| {
        let request = client.post(format!("{url}/session")).bearer_auth(key);
        request.header("content-type", "application/json").body(body.to_string())
    };
    let body = json!({
        "session_type": "browser",
        "account_id": seed::ACCOUNT_ID,
        "authenticated_identity_id": seed::IDENTITY_ID,
    });
    let (own, token) = server.create(&key, body).await;
    let body = json!({ "session_type": "browser", "interaction": { "user_agent": "x".repeat(200) } });
    let seen = stream::iter(0..SESSIONS).map(|_| async {
        let created = create(&key, &body).send().await.unwrap().bytes().await.unwrap();
        let created: Value = serde_json::from_slice(&created).unwrap();
        let token = created["authtoken"].as_str().unwrap().to_owned();
        let whoami = client.get(format!("{url}/whoami")).bearer_auth(token);
        assert_eq!(timed(whoami).await.0, 200);
    });
    seen.buffer_unordered(64).collect::<Vec<_>>().await;

    let before_kib = server.resident_kib();
    let done = Arc::new(AtomicBool::new(false));
    let creations = (0..4).map(|_| {
        let (done, request) = (Arc::clone(&done), create(&other_key, &json!({ "session_type": "api" })));
        tokio::spawn(async move {
            let mut responses = Vec::new();
            // Enough for a percentile, also if the revocations take no time.
            while !done.load(Ordering::SeqCst) || responses.len() < 100 {
                responses.push(timed(request.try_clone().unwrap()).await);
            }
            responses
        })
    });
    let creations: Vec<_> = creations.collect();
    let revocation = json!({ "account_id": seed::ACCOUNT_ID, "except_session_id": own["summary"]["id"] });
    let revocations = (0..REVOCATIONS).map(|_| {
        let request = client.request(Method::POST, format!("{url}/revocation")).bearer_auth(&token);
        timed(request.header("content-type", "application/json").body(revocation.to_string()))
    });
    let peak = async {
        let mut peak_kib = before_kib;
        while !done.load(Ordering::SeqCst) {
            peak_kib = peak_kib.max(server.resident_kib());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        peak_kib
    };
    let flood = async {
        let responses = join_all(revocations).await;
        done.store(true, Ordering::SeqCst);
        responses
    };
    let (responses, peak_kib) = tokio::join!(flood, peak);
    let mut latencies = Vec::new();
    for creations in join_all(creations).await {
        for (status, latency) in creations.unwrap() {
            assert_eq!(status, 201);
            latencies.push(latency);
        }
    }
    latencies.sort_unstable();
    let p99 = latencies[latencies.len() * 99 / 100];
    let slowest = responses.iter().map(|(_, latency)| *latency).max().unwrap();
    println!(
        "{REVOCATIONS} revocations within {slowest:?}; {} creations by others, p99 {p99:?}; memory grew by {} KiB",
        latencies.len(),
        peak_kib - before_kib,
    );
    assert!(responses.iter().all(|(status, _)| [200, 429].contains(status)), "{responses:?}");
    assert!(responses.iter().any(|(status, _)| *status == 200));
    assert!(peak_kib - before_kib < GROWTH_MAX_KIB, "from {before_kib} KiB to {peak_kib} KiB");
}
