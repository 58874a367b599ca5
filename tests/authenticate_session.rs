//! `POST /api/v1/session/{session_id}/authenticate`

use std::sync::Arc;

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use session_test_support::{Response, Sessiond, seed};

const SCOPES: [&str; 3] = ["session:create", "session:authenticate", "session:read"];

fn who(account_id: &str) -> Value {
    json!({ "account_id": account_id, "authenticated_identity_id": seed::IDENTITY_ID })
}

async fn authenticate(server: &Sessiond, token: &str, id: &str, body: Value) -> Response {
    let path = format!("/api/v1/session/{id}/authenticate");
    server.request(Method::POST, &path, Some(token), Some(body)).await
}

async fn created(server: &Sessiond, key: &str) -> (String, String) {
    let (session, token) = server.create(key, json!({ "session_type": "browser" })).await;
    (session["summary"]["id"].as_str().unwrap().to_owned(), token)
}

#[tokio::test]
async fn it_authenticates_the_session_and_replaces_its_token() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    let (id, old) = created(&server, &key).await;
    let mut body = who(seed::ACCOUNT_ID);
    body["interaction"] = json!({ "remote_ip": "127.0.0.1", "user_agent": seed::USER_AGENT });
    let answer = authenticate(&server, &key, &id, body).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let summary = &answer.body["session"]["summary"];
    assert_eq!(summary["status"], "authenticated");
    assert_eq!(summary["account_id"], seed::ACCOUNT_ID);
    assert_eq!(summary["authenticated_identity_id"], seed::IDENTITY_ID);
    assert_eq!(summary["last_seen"]["user_agent"], seed::USER_AGENT);
    let new = answer.body["authtoken"].as_str().unwrap();
    assert_eq!(server.fetch(&id, &old).await.outcome(), (401, "bad_authtoken"));
    assert_eq!(server.fetch(&id, new).await.body["summary"], *summary);
}

#[tokio::test]
async fn it_may_be_repeated_with_the_same_account_and_not_with_another() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    let (id, _) = created(&server, &key).await;
    let first = server.authenticate(&key, &id, seed::ACCOUNT_ID).await;
    let second = server.authenticate(&key, &id, seed::ACCOUNT_ID).await;
    assert_eq!(server.fetch(&id, &first).await.outcome(), (401, "bad_authtoken"));
    let other = authenticate(&server, &key, &id, who("013xrzp12g3nqk8n6cyr5x0k8yb10h00")).await;
    assert_eq!(other.outcome(), (400, "invalid_value"));
    assert!(other.message().contains("account_id"));
    assert_eq!(server.fetch(&id, &second).await.status, 200, "a refusal changes nothing");
}

#[tokio::test]
async fn a_session_that_has_ended_is_not_authenticated() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    for status in ["complete", "revoked"] {
        let (id, _) = created(&server, &key).await;
        let mut ended = seed::summary();
        ended["status"] = json!(status);
        // Another ID of the same form.
        let ended_id = format!("{}{}", &id[..31], if id.ends_with('0') { '1' } else { '0' });
        ended["id"] = json!(ended_id);
        assert_eq!(server.command(&["import", "-"]).input(ended.to_string()).run().code, 0);
        let answer = authenticate(&server, &key, &ended_id, who(seed::ACCOUNT_ID)).await;
        assert_eq!(answer.outcome(), (409, "invalid_action"), "{status}");
        assert!(answer.message().contains(status));
    }
}

#[tokio::test]
async fn only_a_key_with_the_scope_authenticates() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    let (id, token) = created(&server, &key).await;
    let reader = server.key(&["session:read"]);
    let creator = server.key(&["session:create"]);
    let body = || who(seed::ACCOUNT_ID);
    assert_eq!(authenticate(&server, &token, &id, body()).await.outcome(), (403, "not_permitted"));
    assert_eq!(authenticate(&server, &reader, &id, body()).await.outcome(), (403, "not_permitted"));
    assert_eq!(authenticate(&server, &creator, &id, body()).await.outcome(), (404, "not_found"));
    let missing = "013xrzp12g3nqk8nkv4y96wrbzje9dss";
    assert_eq!(authenticate(&server, &key, missing, body()).await.outcome(), (404, "not_found"));
    assert_eq!(authenticate(&server, &reader, missing, body()).await.outcome(), (404, "not_found"));
    let answer = authenticate(&server, &key, &id, json!({ "account_id": seed::ACCOUNT_ID })).await;
    assert_eq!(answer.outcome(), (400, "required_value"));
    assert!(answer.message().contains("authenticated_identity_id"));
}

#[tokio::test]
async fn a_body_that_is_too_long_or_not_declared_as_json_is_refused_and_changes_nothing() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    let (id, token) = created(&server, &key).await;
    let send = async |media_type: &'static str, body: String| {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {key}").parse().unwrap());
        headers.insert("content-type", HeaderValue::from_static(media_type));
        server.send(Method::POST, &format!("/api/v1/session/{id}/authenticate"), headers, body).await
    };
    let good = who(seed::ACCOUNT_ID).to_string();
    assert_eq!(send("text/plain", good.clone()).await.outcome(), (415, "bad_request"));
    let long = format!("{good}{}", " ".repeat(2 * 1024 * 1024));
    assert_eq!(send("application/json", long).await.outcome(), (413, "bad_request"));
    assert_eq!(send("application/json", good[1..].to_owned()).await.outcome(), (400, "bad_request"));
    assert_eq!(server.fetch(&id, &token).await.body["summary"]["status"], "new");
}

#[tokio::test]
async fn concurrent_authentications_all_succeed_and_exactly_one_token_is_valid_after() {
    let server = Arc::new(Sessiond::start().await);
    let key = server.key(&SCOPES);
    let (id, _) = created(&server, &key).await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (server, key, id) = (Arc::clone(&server), key.clone(), id.clone());
            tokio::spawn(async move { server.authenticate(&key, &id, seed::ACCOUNT_ID).await })
        })
        .collect();
    let mut working = 0;
    let mut tokens = Vec::new();
    for task in tasks {
        tokens.push(task.await.unwrap());
    }
    for token in tokens {
        working += u32::from(server.fetch(&id, &token).await.status == 200);
    }
    assert_eq!(working, 1);
}
