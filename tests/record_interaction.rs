//! `POST /api/v1/session/{session_id}/interaction`

use reqwest::Method;
use serde_json::json;
use session_test_support::{Sessiond, seed};

#[tokio::test]
async fn the_first_interaction_changes_the_state_from_new_and_sets_the_title() {
    let server = Sessiond::start().await;
    let key = server.key(&["session:create", "session:update", "session:read"]);
    let (session, _) = server.create(&key, json!({ "session_type": "browser" })).await;
    let id = session["summary"]["id"].as_str().unwrap();
    assert_eq!(session["summary"].get("title"), None);
    let path = format!("/api/v1/session/{id}/interaction");
    let interaction = json!({ "remote_ip": "::ffff:203.0.113.7", "user_agent": seed::USER_AGENT });
    let answer = server.request(Method::POST, &path, Some(&key), Some(interaction)).await;
    let summary = &answer.body["summary"];
    assert_eq!(summary["status"], "unauthenticated", "{:?}", answer.body);
    assert_eq!(summary["title"], "Chrome 91 on macOS");
    assert_eq!(summary["first_seen"], summary["last_seen"]);
    assert_eq!(summary["last_seen"]["remote_ip"], "203.0.113.7");

    let again = server.request(Method::POST, &path, Some(&key), Some(json!({}))).await;
    let later = &again.body["summary"];
    assert_eq!((&later["status"], &later["first_seen"]), (&json!("unauthenticated"), &summary["first_seen"]));
    assert!(later["last_seen"]["at"].as_f64() >= summary["last_seen"]["at"].as_f64());
    assert_eq!(later["last_seen"].get("user_agent"), None, "what was not said this time is not known");
    assert_eq!(later["title"], "Chrome 91 on macOS");
    assert_eq!(server.fetch(id, &key).await.body["summary"], *later);
}

#[tokio::test]
async fn a_title_that_was_given_stays() {
    let server = Sessiond::start().await;
    let key = server.key(&["session:create", "session:update"]);
    let body = json!({
        "session_type": "browser",
        "title": "Kitchen",
        "interaction": { "user_agent": seed::USER_AGENT },
    });
    let (session, _) = server.create(&key, body).await;
    assert_eq!(session["summary"]["title"], "Kitchen");
    let body = json!({ "session_type": "browser", "interaction": { "user_agent": seed::USER_AGENT } });
    assert_eq!(server.create(&key, body).await.0["summary"]["title"], "Chrome 91 on macOS");
    let body = json!({ "session_type": "api", "interaction": { "user_agent": "my-program" } });
    assert_eq!(server.create(&key, body).await.0["summary"].get("title"), None);
}

#[tokio::test]
async fn an_authenticated_session_stays_authenticated_and_an_ended_one_is_refused() {
    let server = Sessiond::start().await;
    let key = server.key(&[
        "session:create",
        "session:authenticate",
        "session:update",
        "session:read",
        "session:revoke",
    ]);
    let (session, _) = server.create(&key, json!({ "session_type": "api" })).await;
    let id = session["summary"]["id"].as_str().unwrap();
    server.authenticate(&key, id, seed::ACCOUNT_ID).await;
    let answer = server.call("record_interaction", id, Some(&key)).await;
    assert_eq!(answer.body["summary"]["status"], "authenticated");
    server.call("revoke_session", id, Some(&key)).await;
    let refused = server.call("record_interaction", id, Some(&key)).await;
    assert_eq!(refused.outcome(), (409, "invalid_action"));
}
