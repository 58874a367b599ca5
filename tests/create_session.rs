//! `POST /api/v1/session`

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use session_test_support::{Response, Sessiond, seed};

async fn create(server: &Sessiond, token: &str, body: Value) -> Response {
    server.request(Method::POST, "/api/v1/session", Some(token), Some(body)).await
}

#[tokio::test]
async fn the_state_at_the_start_follows_from_what_is_given() {
    let server = Sessiond::start().await;
    let key = server.key(&["session:create", "session:authenticate"]);
    let (account, identity) = (seed::ACCOUNT_ID, seed::IDENTITY_ID);
    let table = [
        (json!({}), "new"),
        (json!({ "interaction": {} }), "unauthenticated"),
        (json!({ "account_id": account, "authenticated_identity_id": identity }), "authenticated"),
        (
            json!({ "interaction": {}, "account_id": account, "authenticated_identity_id": identity }),
            "authenticated",
        ),
    ];
    for (mut body, status) in table {
        body["session_type"] = json!("browser");
        let (session, token) = server.create(&key, body.clone()).await;
        let summary = &session["summary"];
        assert_eq!(summary["status"], status, "{body}");
        assert_eq!(summary["pool_id"], seed::POOL_ID);
        assert_eq!(summary["domain_id"], seed::DOMAIN_ID);
        assert_eq!(summary.get("first_seen"), summary.get("last_seen"));
        assert_eq!(summary.get("first_seen").is_some(), body.get("interaction").is_some());
        assert_eq!(server.fetch(summary["id"].as_str().unwrap(), &token).await.body["summary"], *summary);
    }
}

#[tokio::test]
async fn every_given_property_is_stored() {
    let server = Sessiond::start().await;
    let key = server.key(&["session:create", "session:authenticate"]);
    let (session, _) = server
        .create(
            &key,
            json!({
                "pool_id": seed::POOL_ID,
                "session_type": "browser",
                "device_id": seed::DEVICE_ID,
                "title": "😀 at home",
                "account_id": seed::ACCOUNT_ID,
                "authenticated_identity_id": seed::IDENTITY_ID,
                "interaction": { "remote_ip": "::ffff:127.0.0.1", "user_agent": seed::USER_AGENT },
            }),
        )
        .await;
    let summary = &session["summary"];
    assert_eq!(summary["device_id"], seed::DEVICE_ID);
    assert_eq!(summary["title"], "😀 at home");
    assert_eq!(summary["account_id"], seed::ACCOUNT_ID);
    assert_eq!(summary["authenticated_identity_id"], seed::IDENTITY_ID);
    assert_eq!(summary["first_seen"]["remote_ip"], "127.0.0.1", "an IPv4 address mapped into IPv6 is that");
    assert_eq!(summary["first_seen"]["user_agent"], seed::USER_AGENT);
}

#[tokio::test]
async fn a_value_at_its_bound_is_accepted_and_one_beyond_is_refused_by_name() {
    let server = Sessiond::start().await;
    let key = server.key(&["session:create", "session:authenticate"]);
    let body = |name: &str, value: Value| {
        let mut body = json!({ "session_type": "api" });
        match name.split_once('.') {
            Some((outer, inner)) => body[outer] = json!({ inner: value }),
            None => body[name] = value,
        }
        body
    };
    for (name, value) in [
        ("interaction.user_agent", json!("😀".repeat(1_024))),
        ("interaction.remote_ip", json!("2001:db8::1")),
        ("interaction.remote_ip", json!("255.255.255.255")),
        ("title", json!("é".repeat(200))),
    ] {
        let answer = create(&server, &key, body(name, value)).await;
        assert_eq!(answer.status, 201, "{name}: {:?}", answer.body);
    }
    for (name, value, code) in [
        ("interaction.user_agent", json!("x".repeat(1_025)), "invalid_value"),
        ("interaction.user_agent", json!(""), "invalid_value"),
        ("interaction.user_agent", json!("a\nb"), "invalid_value"),
        ("interaction.user_agent", json!("a\u{9b}b"), "invalid_value"),
        ("title", json!("exe.\u{202e}txt"), "invalid_value"),
        ("interaction.remote_ip", json!("256.1.1.1"), "invalid_value"),
        ("interaction.remote_ip", json!("1.2.3"), "invalid_value"),
        ("interaction.remote_ip", json!("1:2:3"), "invalid_value"),
        ("interaction.remote_ip", json!("localhost"), "invalid_value"),
        ("interaction.at", json!(1), "invalid_value"),
        ("title", json!("x".repeat(201)), "invalid_value"),
        ("title", Value::Null, "invalid_value"),
        ("session_type", json!("television"), "invalid_value"),
        ("session_type", Value::Null, "invalid_value"),
        ("device_id", json!("013xrzp12g3nqk8ncwfp3ra29yjzx1gS"), "invalid_value"),
        ("device_id", json!(7), "invalid_value"),
        ("status", json!("authenticated"), "invalid_value"),
        ("account_id", json!(seed::ACCOUNT_ID), "required_value"),
        ("authenticated_identity_id", json!(seed::IDENTITY_ID), "required_value"),
    ] {
        let answer = create(&server, &key, body(name, value)).await;
        assert_eq!(answer.outcome(), (400, code), "{name}: {:?}", answer.body);
        let named = match (name, code) {
            ("account_id", "required_value") => "authenticated_identity_id",
            ("authenticated_identity_id", "required_value") => "account_id",
            _ => name,
        };
        assert!(answer.message().contains(named), "{name}: {}", answer.message());
    }
    let answer = create(&server, &key, json!({})).await;
    assert_eq!(answer.outcome(), (400, "required_value"));
    assert!(answer.message().contains("session_type"));
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_a_bad_request() {
    let server = Sessiond::start().await;
    let key = server.key(&["session:create"]);
    let send = async |media_type: Option<&'static str>, body: Vec<u8>| {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {key}").parse().unwrap());
        if let Some(media_type) = media_type {
            headers.insert("content-type", HeaderValue::from_static(media_type));
        }
        server.send(Method::POST, "/api/v1/session", headers, body).await
    };
    let good = br#"{"session_type":"api"}"#.to_vec();
    assert_eq!(send(Some("application/json; charset=utf-8"), good.clone()).await.status, 201);
    for body in [&b"session"[..], b"", b"{", br#"{"session_type":"api"}}"#, b"\xff\xfe", &[b'['; 5_000]] {
        let answer = send(Some("application/json"), body.to_vec()).await;
        assert_eq!(answer.outcome(), (400, "bad_request"), "{:?}", answer.body);
    }
    for media_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
        assert_eq!(send(media_type, good.clone()).await.outcome(), (415, "bad_request"));
    }
    let large = |length: usize| {
        let mut body = good.clone();
        body.resize(length, b' ');
        body
    };
    assert_eq!(send(Some("application/json"), large(16 * 1024)).await.status, 201);
    for length in [16 * 1024 + 1, 2 * 1024 * 1024] {
        assert_eq!(send(Some("application/json"), large(length)).await.outcome(), (413, "bad_request"));
    }
}

#[tokio::test]
async fn only_a_key_with_the_scope_creates_and_only_in_its_own_pool() {
    let server = Sessiond::start().await;
    let key = server.key(&["session:create"]);
    let (_, token) = server.create(&key, json!({ "session_type": "api" })).await;
    let reader = server.key(&["session:read", "session:update", "session:revoke"]);
    let other_pool = "013xrzp12g3nqk8ng09nmc8kwqzfaf00";
    let body = |pool: Option<&str>| {
        let mut body = json!({ "session_type": "api" });
        if let Some(pool) = pool {
            body["pool_id"] = json!(pool);
        }
        body
    };
    for (caller, pool) in [(&token, None), (&reader, None), (&key, Some(other_pool))] {
        assert_eq!(create(&server, caller, body(pool)).await.outcome(), (403, "not_permitted"));
    }
    let unbound = server.key_with(&["--domain", seed::DOMAIN_ID], &["session:create"]);
    let unbound = unbound["key"].as_str().unwrap();
    assert_eq!(create(&server, unbound, body(Some(other_pool))).await.status, 201);
    let missing = create(&server, unbound, body(None)).await;
    assert_eq!(missing.outcome(), (400, "required_value"));
    assert!(missing.message().contains("pool_id"));
    let stranger = server.key_with(&["--domain", "013xrzp12g3nqk8n32sd3jyxq5a8yw00"], &["session:create"]);
    let elsewhere = create(&server, stranger["key"].as_str().unwrap(), body(Some(other_pool))).await;
    assert_eq!(elsewhere.status, 201, "the same ID in another domain is another pool");
}

#[tokio::test]
async fn without_a_token_the_response_says_nothing_about_the_body() {
    let server = Sessiond::start().await;
    let answer = server.request(Method::POST, "/api/v1/session", None, Some(json!({ "colour": 1 }))).await;
    assert_eq!(answer.outcome(), (401, "not_authenticated"));
    for (path, body) in
        [("/api/v1/session", "not JSON".repeat(10_000)), ("/api/v1/session/x/authenticate", String::new())]
    {
        let answer = server.send(Method::POST, path, HeaderMap::new(), body).await;
        assert_eq!(answer.outcome(), (401, "not_authenticated"), "{path}");
    }
}
