//! `GET /api/v1/session/{session_id}`

use reqwest::Method;
use serde_json::{Value, json};
use session_test_support::{Sessiond, seed};

/// A server that holds the seed's session, and a key that may read it.
async fn with_seed() -> (Sessiond, String) {
    let server = Sessiond::start().await;
    let imported = server.command(&["import", "-"]).input(seed::summary().to_string()).run();
    assert_eq!(imported.code, 0, "{imported:?}");
    let key = server.key(&["session:read"]);
    (server, key)
}

#[tokio::test]
async fn the_response_is_the_reference_page_to_the_letter() {
    let (server, key) = with_seed().await;
    let answer = server.fetch(seed::SESSION_ID, &key).await;
    assert_eq!(answer.body, json!({ "actions": { "revoke": false }, "summary": seed::summary() }));
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["content-type"], "application/json");
}

#[tokio::test]
async fn a_malformed_id_is_an_invalid_value_that_names_the_parameter() {
    let (server, key) = with_seed().await;
    for id in [
        "013xrzp12g3nqk8nkv4y96wrbzje9ds",
        "013xrzp12g3nqk8nkv4y96wrbzje9dsrr",
        "013XRZP12G3NQK8NKV4Y96WRBZJE9DSR",
        "013xrzp12g3nqk8nkv4y96wrbzje9dsu",
        "x",
        "%00%00",
        "013xrzp12g3nqk8nkv4y96wrbzje9d%C3%A9",
        "';DROP TABLE session;--",
    ] {
        let answer = server.fetch(id, &key).await;
        assert_eq!(answer.outcome(), (400, "invalid_value"), "{id}: {:?}", answer.body);
        assert!(answer.message().contains("session_id"), "{id}: {}", answer.message());
    }
}

#[tokio::test]
async fn an_id_of_another_kind_is_reported_only_to_a_caller_that_may_read_its_pool() {
    let (server, key) = with_seed().await;
    for (id, kind) in [
        (seed::ACCOUNT_ID, "an account"),
        (seed::IDENTITY_ID, "an identity"),
        (seed::DEVICE_ID, "a device"),
        (seed::DOMAIN_ID, "a domain"),
        (seed::POOL_ID, "a pool"),
    ] {
        let answer = server.fetch(id, &key).await;
        assert_eq!(answer.outcome(), (400, "unexpected_ref_type"));
        assert!(answer.message().contains(kind), "{}", answer.message());
    }
    let stranger = server.key_with(&["--domain", "013xrzp12g3nqk8n32sd3jyxq5a8yw00"], &["session:read"]);
    let writer = server.key(&["session:create"]);
    for key in [stranger["key"].as_str().unwrap(), &writer] {
        for id in [seed::ACCOUNT_ID, seed::POOL_ID, seed::SESSION_ID, "013xrzp12g3nqk8nkv4y96wrbzje9dss"] {
            assert_eq!(server.fetch(id, key).await.outcome(), (404, "not_found"), "{id}");
        }
    }
}

#[tokio::test]
async fn an_existing_and_a_missing_session_have_equal_responses_for_a_caller_that_may_not_read() {
    let (server, _) = with_seed().await;
    let create = server.key(&["session:create", "session:authenticate", "session:update"]);
    let (session, own) = server.create(&create, json!({ "session_type": "api" })).await;
    let id = session["summary"]["id"].as_str().unwrap();
    let stranger = server.key_with(&["--domain", "013xrzp12g3nqk8n32sd3jyxq5a8yw00"], &["session:read"]);
    let authenticated = server.authenticate(&create, id, "013xrzp12g3nqk8n6cyr5x0k8yb10h00").await;
    let (_, unauthenticated) = server.create(&create, json!({ "session_type": "api" })).await;
    for (token, outcome) in [
        (stranger["key"].as_str().unwrap(), (404, "not_found")),
        (&authenticated, (404, "not_found")),
        (&unauthenticated, (401, "not_authenticated")),
        (&own, (401, "bad_authtoken")),
    ] {
        let existing = server.fetch(seed::SESSION_ID, token).await;
        let missing = server.fetch("013xrzp12g3nqk8nkv4y96wrbzje9dss", token).await;
        assert_eq!(existing.outcome(), outcome);
        assert_eq!((existing.status, &existing.body), (missing.status, &missing.body));
        let headers = |answer: &session_test_support::Response| {
            let mut headers = answer.headers.clone();
            headers.remove("x-request-id");
            headers.remove("date");
            headers
        };
        assert_eq!(headers(&existing), headers(&missing));
    }
}

#[tokio::test]
async fn a_session_reads_itself_and_when_authenticated_the_others_of_its_account() {
    let server = Sessiond::start().await;
    let key = server.key(&[
        "session:create",
        "session:authenticate",
        "session:update",
        "session:read",
        "session:revoke",
    ]);
    let account = |last: &str| format!("013xrzp12g3nqk8n6cyr5x0k8yb10h{last}");
    let mut made = Vec::new();
    for owner in ["aa", "aa", "bb"] {
        let (session, _) = server.create(&key, json!({ "session_type": "api" })).await;
        let id = session["summary"]["id"].as_str().unwrap().to_owned();
        let token = server.authenticate(&key, &id, &account(owner)).await;
        made.push((id, token));
    }
    for (reader, (_, token)) in made.iter().enumerate() {
        for (read, (id, _)) in made.iter().enumerate() {
            let same_account = (reader < 2) == (read < 2);
            let answer = server.fetch(id, token).await;
            if same_account {
                assert_eq!(answer.status, 200, "{reader} reads {read}");
                assert_eq!(answer.body["actions"]["revoke"], json!(true));
            } else {
                assert_eq!(answer.outcome(), (404, "not_found"), "{reader} reads {read}");
            }
        }
    }
    assert_eq!(server.fetch(&made[0].0, &key).await.body["actions"]["revoke"], json!(true));
}

#[tokio::test]
async fn every_invalid_credential_has_the_same_response() {
    let (server, key) = with_seed().await;
    let create = server.key(&["session:create"]);
    let (session, token) = server.create(&create, json!({ "session_type": "api" })).await;
    let id = session["summary"]["id"].as_str().unwrap();
    assert_eq!(server.fetch(id, &token).await.status, 200);

    let path = format!("/api/v1/session/{id}");
    let none = server.request(Method::GET, &path, None, None).await;
    assert_eq!(none.outcome(), (401, "not_authenticated"));
    assert_eq!(none.headers["www-authenticate"], "Bearer");

    let last = token.chars().last().unwrap();
    let wrong_checksum = format!("{}{}", &token[..94], if last == '0' { '8' } else { '0' });
    // A key's ID with a session's prefix: the checksum no longer fits.
    let other_kind = format!("sst_{}", &key[4..]);
    let revoked = server.key_with(&["--domain", seed::DOMAIN_ID, "--pool", seed::POOL_ID], &["session:read"]);
    let revoked_key = revoked["key"].as_str().unwrap();
    assert_eq!(server.fetch(seed::SESSION_ID, revoked_key).await.status, 200);
    let revoke = server.command(&["key", "revoke", revoked["id"].as_str().unwrap()]).run();
    assert_eq!(revoke.code, 0, "{revoke:?}");

    let mut bodies = Vec::<Value>::new();
    for bad in [&token[..50], &wrong_checksum, &other_kind, revoked_key, "sst_", "ssk_x", "\u{e9}"] {
        let answer = server.fetch(id, bad).await;
        assert_eq!(answer.outcome(), (401, "bad_authtoken"), "{bad}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer error=\"invalid_token\"");
        bodies.push(answer.body);
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
}
