//! `GET /api/v1/whoami`

use reqwest::Method;
use serde_json::json;
use session_test_support::Sessiond;

#[tokio::test]
async fn it_returns_the_same_as_a_fetch_by_id_with_the_same_token() {
    let server = Sessiond::start().await;
    let key = server.key(&["session:create"]);
    let body = json!({ "session_type": "browser", "title": "Küche", "interaction": { "remote_ip": "::1" } });
    let (created, token) = server.create(&key, body).await;
    let own = server.request(Method::GET, "/api/v1/whoami", Some(&token), None).await;
    let mut fetched = server.fetch(created["summary"]["id"].as_str().unwrap(), &token).await;
    assert_eq!(own.body["summary"], created["summary"]);
    // The first of the two counts as an interaction.
    assert_ne!(fetched.body["summary"]["last_seen"], own.body["summary"]["last_seen"]);
    fetched.body["summary"]["last_seen"] = own.body["summary"]["last_seen"].clone();
    assert_eq!((own.status.as_u16(), &own.body), (200, &fetched.body));
    assert_eq!(own.body["actions"]["revoke"], json!(true), "everyone may end their own session");
}

#[tokio::test]
async fn an_api_key_has_no_own_session() {
    let server = Sessiond::start().await;
    let key = server.key(&["session:read"]);
    let answer = server.request(Method::GET, "/api/v1/whoami", Some(&key), None).await;
    assert_eq!(answer.outcome(), (403, "not_permitted"));
    let answer = server.request(Method::GET, "/api/v1/whoami", None, None).await;
    assert_eq!(answer.outcome(), (401, "not_authenticated"));
}
