//! A node that answers reads from memory, beside one that does not.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use session_test_support::postgres::Cluster;
use session_test_support::{Sessiond, seed};

const STALENESS: Duration = Duration::from_secs(5);

/// A node with a cache and one without, on one database, and an API key.
async fn nodes() -> (Sessiond, Sessiond, String) {
    let cluster = Cluster::shared();
    let url = cluster.url(&cluster.create_database());
    let settings = format!("[read_cache]\nstaleness = '{}s'\n", STALENESS.as_secs());
    let caching = Sessiond::start_at(&url, &settings).await;
    let other = Sessiond::start_at(&url, "").await;
    let scopes = ["session:create", "session:authenticate", "session:read", "session:revoke"];
    let key = caching.key(&scopes);
    (caching, other, key)
}

async fn signed_in(node: &Sessiond, key: &str) -> (String, String) {
    let body = json!({
        "session_type": "browser", "account_id": seed::ACCOUNT_ID, "authenticated_identity_id": seed::IDENTITY_ID,
    });
    let (session, token) = node.create(key, body).await;
    (session["summary"]["id"].as_str().unwrap().to_owned(), token)
}

#[tokio::test]
async fn what_a_caching_node_revokes_or_replaces_counts_on_it_at_once() {
    let (caching, _other, key) = nodes().await;
    for _ in 0..50 {
        let (id, token) = signed_in(&caching, &key).await;
        assert_eq!(caching.fetch(&id, &token).await.status, 200);
        let newer = caching.authenticate(&key, &id, seed::ACCOUNT_ID).await;
        assert_eq!(caching.fetch(&id, &token).await.outcome(), (401, "bad_authtoken"));
        assert_eq!(caching.fetch(&id, &newer).await.status, 200);
        assert_eq!(caching.call("revoke_session", &id, Some(&newer)).await.status, 200);
        assert_eq!(caching.fetch(&id, &newer).await.outcome(), (401, "bad_authtoken"));
    }
    let (id, token) = signed_in(&caching, &key).await;
    assert_eq!(caching.fetch(&id, &token).await.status, 200);
    let body = json!({ "account_id": seed::ACCOUNT_ID });
    let revoked = caching.request(Method::POST, "/api/v1/revocation", Some(&key), Some(body)).await;
    assert_eq!(revoked.body, json!({ "revoked": 1 }));
    assert_eq!(caching.fetch(&id, &token).await.outcome(), (401, "bad_authtoken"));
}

#[tokio::test]
async fn what_another_node_revokes_counts_after_the_staleness_and_stays_so() {
    let (caching, other, key) = nodes().await;
    let (id, token) = signed_in(&other, &key).await;
    assert_eq!(caching.fetch(&id, &token).await.status, 200);
    assert_eq!(other.call("revoke_session", &id, Some(&key)).await.status, 200);
    let acknowledged = Instant::now();
    assert_eq!(other.fetch(&id, &token).await.outcome(), (401, "bad_authtoken"));
    // From memory: the cache is there.
    assert_eq!(caching.fetch(&id, &token).await.status, 200);
    tokio::time::sleep(STALENESS.saturating_sub(acknowledged.elapsed())).await;
    assert_eq!(caching.fetch(&id, &token).await.outcome(), (401, "bad_authtoken"));
}
