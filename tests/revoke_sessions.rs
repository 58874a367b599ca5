//! `POST /api/v1/revocation`

use reqwest::Method;
use serde_json::{Value, json};
use session_test_support::{Response, Sessiond, seed};

const SCOPES: [&str; 5] =
    ["session:create", "session:authenticate", "session:update", "session:read", "session:revoke"];
const OTHER_ACCOUNT: &str = "013xrzp12g3nqk8n6cyr5x0k8yb10h00";

async fn revoke(server: &Sessiond, token: &str, body: Value) -> Response {
    server.request(Method::POST, "/api/v1/revocation", Some(token), Some(body)).await
}

/// An authenticated session: its ID and token.
async fn signed_in(server: &Sessiond, key: &str, account_id: &str, device_id: &str) -> (String, String) {
    let body = json!({
        "session_type": "browser",
        "account_id": account_id,
        "authenticated_identity_id": seed::IDENTITY_ID,
        "device_id": device_id,
    });
    let (session, token) = server.create(key, body).await;
    (session["summary"]["id"].as_str().unwrap().to_owned(), token)
}

#[tokio::test]
async fn a_person_signs_out_everywhere_else() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    let mut own = Vec::new();
    for _ in 0..4 {
        own.push(signed_in(&server, &key, seed::ACCOUNT_ID, seed::DEVICE_ID).await);
    }
    let (_, other) = signed_in(&server, &key, OTHER_ACCOUNT, seed::DEVICE_ID).await;
    let (here, token) = &own[2];
    let body = json!({ "account_id": seed::ACCOUNT_ID, "except_session_id": here });
    let answer = revoke(&server, token, body.clone()).await;
    assert_eq!((answer.status.as_u16(), &answer.body), (200, &json!({ "revoked": 3 })));
    for (id, token) in &own {
        let expected = if id == here { (200, "") } else { (401, "bad_authtoken") };
        assert_eq!(server.fetch(id, token).await.outcome(), expected);
    }
    assert_eq!(server.request(Method::GET, "/api/v1/whoami", Some(&other), None).await.status, 200);
    assert_eq!(revoke(&server, token, body).await.body, json!({ "revoked": 0 }));
    assert_eq!(
        revoke(&server, token, json!({ "account_id": seed::ACCOUNT_ID })).await.body,
        json!({ "revoked": 1 })
    );
    assert_eq!(server.fetch(here, token).await.outcome(), (401, "bad_authtoken"));
}

#[tokio::test]
async fn a_key_revokes_by_account_identity_device_or_pool_within_its_own() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    let other_pool = "013xrzp12g3nqk8ng09nmc8kwqzfaf00";
    let elsewhere = server.key_with(&["--domain", seed::DOMAIN_ID, "--pool", other_pool], &SCOPES);
    let elsewhere = elsewhere["key"].as_str().unwrap();
    for (name, value) in [
        ("account_id", seed::ACCOUNT_ID),
        ("authenticated_identity_id", seed::IDENTITY_ID),
        ("device_id", seed::DEVICE_ID),
        ("pool_id", seed::POOL_ID),
    ] {
        let (id, token) = signed_in(&server, &key, seed::ACCOUNT_ID, seed::DEVICE_ID).await;
        let (far, far_token) = signed_in(&server, elsewhere, seed::ACCOUNT_ID, seed::DEVICE_ID).await;
        let answer = revoke(&server, &key, json!({ name: value })).await;
        assert_eq!(answer.body, json!({ "revoked": 1 }), "{name}");
        assert_eq!(server.fetch(&id, &token).await.outcome(), (401, "bad_authtoken"), "{name}");
        assert_eq!(server.fetch(&far, &far_token).await.status, 200, "{name}: it is in another pool");
        server.call("revoke_session", &far, Some(elsewhere)).await;
    }
    let domain = server.key_with(&["--domain", seed::DOMAIN_ID], &["session:revoke"]);
    signed_in(&server, &key, seed::ACCOUNT_ID, seed::DEVICE_ID).await;
    signed_in(&server, elsewhere, seed::ACCOUNT_ID, seed::DEVICE_ID).await;
    let all =
        revoke(&server, domain["key"].as_str().unwrap(), json!({ "account_id": seed::ACCOUNT_ID })).await;
    assert_eq!(all.body, json!({ "revoked": 2 }), "a key without a pool reaches its whole domain");
}

#[tokio::test]
async fn exactly_one_target_is_named_and_it_must_be_the_callers_own() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    let (id, token) = signed_in(&server, &key, seed::ACCOUNT_ID, seed::DEVICE_ID).await;
    let (account, device) = (seed::ACCOUNT_ID, seed::DEVICE_ID);
    for (caller, body, outcome, named) in [
        (&key, json!({}), (400, "required_value"), "account_id"),
        (&key, json!({ "except_session_id": id }), (400, "required_value"), "account_id"),
        (&key, json!({ "account_id": account, "device_id": device }), (400, "invalid_value"), "device_id"),
        (&key, json!({ "account_id": "x" }), (400, "invalid_value"), "account_id"),
        (&key, json!({ "everyone": true }), (400, "invalid_value"), "everyone"),
        (&key, json!({ "pool_id": "013xrzp12g3nqk8ng09nmc8kwqzfaf00" }), (403, "not_permitted"), "pool_id"),
        (&token, json!({ "account_id": OTHER_ACCOUNT }), (403, "not_permitted"), "account_id"),
        (&token, json!({ "device_id": device }), (403, "not_permitted"), "device_id"),
        (&token, json!({ "pool_id": seed::POOL_ID }), (403, "not_permitted"), "pool_id"),
    ] {
        let answer = revoke(&server, caller, body.clone()).await;
        assert_eq!(answer.outcome(), outcome, "{body}: {:?}", answer.body);
        assert!(answer.message().contains(named), "{body}: {}", answer.message());
    }
    assert_eq!(server.fetch(&id, &token).await.status, 200, "nothing was revoked");
}

#[tokio::test]
async fn ten_thousand_sessions_of_an_account_are_revoked_in_one_request_with_the_exact_count() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    let sessions: Vec<_> = (0..10_000)
        .map(|place| {
            let mut session = seed::summary();
            // Digits are letters of the alphabet of IDs.
            session["id"] = json!(format!("013xrzp12g3nqk8nkv4y96wrbzj{place:05}"));
            session["status"] = json!("authenticated");
            session
        })
        .collect();
    server.import(&sessions);
    let (kept, _) = signed_in(&server, &key, seed::ACCOUNT_ID, seed::DEVICE_ID).await;
    let body = json!({ "account_id": seed::ACCOUNT_ID, "except_session_id": kept });
    assert_eq!(revoke(&server, &key, body).await.body, json!({ "revoked": 10_000 }));
    let live = server
        .request(Method::GET, "/api/v1/session?status=authenticated&limit=1000", Some(&key), None)
        .await;
    let live: Vec<_> =
        live.body["items"].as_array().unwrap().iter().map(|item| &item["summary"]["id"]).collect();
    assert_eq!(live, [&json!(kept)]);
}
