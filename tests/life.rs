//! The lifetime of a session: idle and absolute lifetimes, sweeps, last interactions and events.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use session_test_support::{Sessiond, seed};

const SCOPES: [&str; 5] =
    ["session:create", "session:authenticate", "session:update", "session:read", "session:revoke"];

async fn eventually(what: &str, mut met: impl AsyncFnMut() -> bool) {
    for _ in 0..1_000 {
        if met().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("waited in vain until {what}");
}

async fn created(server: &Sessiond, key: &str, body: Value) -> (String, String) {
    let (session, token) = server.create(key, body).await;
    (session["summary"]["id"].as_str().unwrap().to_owned(), token)
}

#[tokio::test]
async fn a_session_that_is_not_used_is_complete_and_its_token_stops_before_any_sweep() {
    let server = Sessiond::start_with_settings(
        "[lifetime.browser]\nidle = '3s'\n[lifetime.api]\nidle = 'none'\nabsolute = 'none'\n[sweep]\ninterval = '1h'",
    )
    .await;
    let key = server.key(&SCOPES);
    let (idle, token) = created(&server, &key, json!({ "session_type": "browser" })).await;
    let (lasting, _) = created(&server, &key, json!({ "session_type": "api" })).await;
    let (used, used_token) =
        created(&server, &key, json!({ "session_type": "browser", "interaction": {} })).await;
    assert_eq!(server.fetch(&idle, &token).await.status, 200);
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(
            server.fetch(&used, &used_token).await.status,
            200,
            "each fetch begins its idle lifetime anew"
        );
    }
    assert_eq!(server.fetch(&idle, &token).await.outcome(), (401, "bad_authtoken"));
    let summary = server.fetch(&idle, &key).await.body;
    assert_eq!(summary["summary"]["status"], "complete");
    assert_eq!(summary["actions"]["revoke"], json!(false));
    for operation in ["revoke_session", "complete_session", "authenticate_session", "record_interaction"] {
        let refused = server.call(operation, &idle, Some(&key)).await;
        assert_eq!(refused.outcome(), (409, "invalid_action"), "{operation}");
    }
    for (status, expected) in
        [("complete", vec![&idle]), ("new", vec![&lasting]), ("unauthenticated", vec![&used])]
    {
        let path = format!("/api/v1/session?status={status}");
        let listed = server.request(Method::GET, &path, Some(&key), None).await;
        let ids: Vec<_> =
            listed.body["items"].as_array().unwrap().iter().map(|item| &item["summary"]["id"]).collect();
        assert_eq!(ids, expected, "{status}");
    }
    let exported = server.command(&["export", "-"]).run().stdout;
    assert!(exported.lines().any(|line| line.contains(&idle) && line.contains("\"complete\"")), "{exported}");
}

#[tokio::test]
async fn the_absolute_lifetime_counts_from_the_time_in_the_id_and_other_settings_are_in_force_at_once() {
    let long_ago = seed::summary();
    let server = Sessiond::start_with_settings("[lifetime.browser]\nidle = 'none'\nabsolute = '1h'").await;
    server.import(std::slice::from_ref(&long_ago));
    let key = server.key(&SCOPES);
    assert_eq!(server.fetch(seed::SESSION_ID, &key).await.body["summary"]["status"], "complete");
    let folder = server.stop().await;
    // Without lifetimes it is new again: nothing has marked it yet.
    let server = Sessiond::start_on(folder, &[]).await;
    assert_eq!(server.fetch(seed::SESSION_ID, &key).await.body["summary"]["status"], "new");
    let listed = server.request(Method::GET, "/api/v1/session?status=new", Some(&key), None).await;
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_sweep_marks_ended_sessions_records_the_reason_and_removes_them_after_the_retention() {
    let server = Sessiond::start_with_settings(
        "[lifetime.browser]\nidle = 'none'\nabsolute = '1h'\n[sweep]\ninterval = '200ms'\nsession_retention = '2s'",
    )
    .await;
    let key = server.key(&SCOPES);
    let mut sessions = Vec::new();
    for place in 0..500 {
        let mut session = seed::summary();
        session["id"] = json!(format!("013xrzp12g3nqk8nkv4y96wrbzje{place:04}"));
        sessions.push(session);
    }
    server.import(&sessions);
    let (live, token) = created(&server, &key, json!({ "session_type": "browser" })).await;
    eventually("all are marked", async || {
        server.events().iter().filter(|event| event["action"] == "expired").count() == 500
    })
    .await;
    let events = server.events();
    let expired: Vec<_> = events.iter().filter(|event| event["action"] == "expired").collect();
    assert!(expired.iter().all(|event| event["reason"] == "absolute"
        && event["actor"] == json!({ "type": "server" })
        && event.get("request_id").is_none()));
    eventually("they are removed", async || {
        server.command(&["export", "-"]).run().stdout.lines().count() == 1
    })
    .await;
    assert_eq!(server.fetch(&live, &token).await.status, 200);
    eventually("the log says what it did", async || {
        let log = server.log();
        let total = |name: &str| -> u64 {
            let records = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            records.filter(|record| record["msg"] == "swept").filter_map(|record| record[name].as_u64()).sum()
        };
        (total("expired"), total("deleted")) == (500, 500)
    })
    .await;
}

#[tokio::test]
async fn a_fetch_with_the_own_token_updates_last_seen_at_once_and_survives_a_stop() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    let (id, token) = created(&server, &key, json!({ "session_type": "browser", "interaction": {} })).await;
    let last_seen =
        async |server: &Sessiond| server.fetch(&id, &key).await.body["summary"]["last_seen"].clone();
    let first = last_seen(&server).await;
    let mut headers = reqwest::header::HeaderMap::new();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    headers.insert("user-agent", seed::USER_AGENT.parse().unwrap());
    let path = format!("/api/v1/session/{id}");
    let answer = server.send(Method::GET, &path, headers, "").await;
    assert_eq!(answer.body["summary"]["last_seen"], first, "the response shows what was seen before");
    let seen = last_seen(&server).await;
    assert!(seen["at"].as_f64() > first["at"].as_f64());
    assert_eq!((&seen["remote_ip"], &seen["user_agent"]), (&json!("127.0.0.1"), &json!(seed::USER_AGENT)));
    let summary = server.fetch(&id, &key).await.body["summary"].clone();
    assert_eq!(summary["first_seen"], first);
    assert_eq!(summary["status"], "unauthenticated", "it changes no state");
    let server = Sessiond::start_on(server.stop().await, &[]).await;
    assert_eq!(last_seen(&server).await, seen);
}

#[tokio::test]
async fn a_crash_loses_no_interaction_of_a_session_that_was_used_a_step_after_its_stored_one() {
    // An eighth of it, 2 s, is a step.
    let server = Sessiond::start_with_settings("[lifetime.browser]\nidle = '16s'").await;
    let key = server.key(&SCOPES);
    let (id, token) = created(&server, &key, json!({ "session_type": "browser", "interaction": {} })).await;
    let last_seen =
        async |server: &Sessiond| server.fetch(&id, &key).await.body["summary"]["last_seen"].clone();
    assert_eq!(server.fetch(&id, &token).await.status, 200);
    let seen = last_seen(&server).await;
    // Then it is written at the next interval of 5 s.
    tokio::time::sleep(Duration::from_secs(8)).await;
    let server = Sessiond::start_on(server.kill(), &[]).await;
    assert_eq!(last_seen(&server).await, seen);
}

#[tokio::test]
async fn a_session_that_was_never_seen_stays_new_however_often_it_fetches_itself() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    let (id, token) = created(&server, &key, json!({ "session_type": "api" })).await;
    for _ in 0..3 {
        server.fetch(&id, &token).await;
        server.request(Method::GET, "/api/v1/whoami", Some(&token), None).await;
    }
    let summary = server.fetch(&id, &key).await.body["summary"].clone();
    assert_eq!(summary["status"], "new");
    assert_eq!((summary.get("first_seen"), summary.get("last_seen")), (None, None));
}

#[tokio::test]
async fn each_change_of_state_is_an_event_with_its_caller_and_request() {
    let server = Sessiond::start().await;
    let made = server.key_with(&["--domain", seed::DOMAIN_ID, "--pool", seed::POOL_ID], &SCOPES);
    let (key_id, key) = (&made["id"], made["key"].as_str().unwrap());
    server.import(&[seed::summary()]);
    let (id, token) = created(&server, key, json!({ "session_type": "browser" })).await;
    let mut requests = Vec::new();
    let mut note = |answer: session_test_support::Response| {
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        requests.push(json!(answer.headers["x-request-id"].to_str().unwrap()));
        answer
    };
    note(server.call("record_interaction", &id, Some(key)).await);
    // The second one changes no state.
    server.call("record_interaction", &id, Some(key)).await;
    let answer = note(server.call("authenticate_session", &id, Some(key)).await);
    let own = answer.body["authtoken"].as_str().unwrap().to_owned();
    note(server.call("complete_session", &id, Some(&own)).await);
    // Refused, so not an event.
    assert_eq!(server.call("revoke_session", &id, Some(key)).await.status, 409);
    let (other, other_token) = created(&server, key, json!({ "session_type": "browser" })).await;
    note(server.call("revoke_session", &other, Some(&other_token)).await);
    let body = json!({ "pool_id": seed::POOL_ID });
    note(server.request(Method::POST, "/api/v1/revocation", Some(key), Some(body)).await);

    let events = server.events();
    let by_key = json!({ "type": "key", "id": key_id });
    let expected = [
        (seed::SESSION_ID, "imported", json!({ "type": "operator" }), None, None),
        (&id, "created", by_key.clone(), None, None),
        (&id, "seen", by_key.clone(), None, Some(&requests[0])),
        (&id, "authenticated", by_key.clone(), None, Some(&requests[1])),
        (&id, "completed", json!({ "type": "session", "id": id }), None, Some(&requests[2])),
        (&other, "created", by_key.clone(), None, None),
        (&other, "revoked", json!({ "type": "session", "id": other }), None, Some(&requests[3])),
        (seed::SESSION_ID, "revoked", by_key, Some("pool_id"), Some(&requests[4])),
    ];
    assert_eq!(events.len(), expected.len(), "{events:#?}");
    for (event, (session, action, actor, reason, request)) in events.iter().zip(expected) {
        assert_eq!((&event["session_id"], &event["action"]), (&json!(session), &json!(action)));
        assert_eq!(event["actor"], actor, "{event}");
        assert_eq!(event["reason"].as_str(), reason, "{event}");
        if let Some(request) = request {
            assert_eq!(event["request_id"], *request, "{event}");
        }
    }
    assert!(!format!("{events:?}").contains(&token[36..88]));

    let at = |event: &Value| event["at"].as_f64().unwrap();
    let since = |text: &str| server.command(&["events", "--since", text]).run();
    assert_eq!(since("1h").stdout.lines().count(), 8);
    assert_eq!(since("2099-01-01T00:00:00Z").stdout, "");
    let whole = format!("{:.0}", at(&events[0]).floor());
    assert_eq!(since(&whole).stdout.lines().count(), 8);
    let wrong = since("yesterday");
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("2026-11-24T08:00:00Z"), "{wrong:?}");
}
