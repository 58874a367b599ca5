//! Settings of a deployment: limits, disabled operations, trusted proxies.

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::json;
use session_test_support::{Contract, Sessiond, seed};

const OTHER_DOMAIN: &str = "013xrzp12g3nqk8n32sd3jyxq5a8yw00";
const OTHER_POOL: &str = "013xrzp12g3nqk8ng09nmc8kwqzfaf11";
const SCOPES: [&str; 5] =
    ["session:create", "session:authenticate", "session:update", "session:read", "session:revoke"];

#[tokio::test]
async fn too_many_failed_authentications_of_an_address_are_refused_with_a_time_to_retry() {
    let server =
        Sessiond::start_with_settings("[limits]\ntrusted = []\nfailed_authentications_per_minute = 3").await;
    let key = server.key(&SCOPES);
    for _ in 0..3 {
        assert_eq!(server.fetch(seed::SESSION_ID, "sst_guess").await.outcome(), (401, "bad_authtoken"));
    }
    for operation in Contract::load().operations() {
        let answer = server.call(&operation.id, seed::SESSION_ID, Some("sst_guess")).await;
        assert_eq!(answer.outcome(), (429, "bad_request"), "{}", operation.id);
        let seconds: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=20).contains(&seconds), "{seconds}");
        assert!(answer.message().contains("try again in"), "{}", answer.message());
    }
    // A caller with a valid token is not affected by others behind the same address.
    assert_eq!(server.fetch(seed::SESSION_ID, &key).await.outcome(), (404, "not_found"));
    assert_eq!(
        server.request(Method::GET, "/api/v1/whoami", None, None).await.outcome(),
        (401, "not_authenticated")
    );
}

#[tokio::test]
async fn creations_are_limited_by_key_and_nothing_else_is() {
    let server = Sessiond::start_with_settings("[limits]\ntrusted = []\ncreations_per_minute = 2").await;
    let key = server.key(&SCOPES);
    for _ in 0..2 {
        server.create(&key, json!({ "session_type": "api" })).await;
    }
    let limited = server.call("create_session", "-", Some(&key)).await;
    assert_eq!(limited.outcome(), (429, "bad_request"));
    assert!(limited.headers.contains_key("retry-after"));
    assert_eq!(
        server.call("list_sessions", "-", Some(&key)).await.body["items"].as_array().unwrap().len(),
        2
    );
    // Another tenant behind the same address is not affected.
    let other = server.key_with(&["--domain", OTHER_DOMAIN, "--pool", OTHER_POOL], &SCOPES);
    server.create(other["key"].as_str().unwrap(), json!({ "session_type": "api" })).await;
}

#[tokio::test]
async fn no_network_is_without_limits_by_default() {
    let server = Sessiond::start_with_settings("[limits]").await;
    let mut limited = 0;
    for _ in 0..200 {
        limited += u32::from(server.fetch(seed::SESSION_ID, "sst_guess").await.status == 429);
    }
    assert!(limited > 0, "all of 200 failed authentications from the loopback were counted by no limit");
}

#[tokio::test]
async fn a_disabled_operation_is_refused_before_authentication() {
    let contract = Contract::load();
    let all: Vec<_> = contract.operations().iter().map(|operation| &operation.id).collect();
    let server = Sessiond::start_with_settings(&format!("disabled_operations = {all:?}")).await;
    for operation in all {
        for token in [None, Some("sst_guess")] {
            let answer = server.call(operation, seed::SESSION_ID, token).await;
            assert_eq!(answer.outcome(), (501, "not_implemented"), "{operation}");
            assert!(answer.message().contains(operation), "{}", answer.message());
        }
    }
    let server = Sessiond::start_with_settings("disabled_operations = ['revoke_sessions']").await;
    let key = server.key(&SCOPES);
    assert_eq!(server.call("revoke_sessions", "-", Some(&key)).await.outcome(), (501, "not_implemented"));
    assert_eq!(server.call("list_sessions", "-", Some(&key)).await.status, 200);
}

/// Uses a session with its own token and these headers, and returns the address of its interaction.
async fn noted_address(server: &Sessiond, forwarding: &[(&'static str, &str)]) -> String {
    let key = server.key(&SCOPES);
    let body = json!({ "session_type": "browser", "interaction": {} });
    let (session, token) = server.create(&key, body).await;
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    for (name, value) in forwarding {
        headers.append(*name, value.parse().unwrap());
    }
    assert_eq!(server.send(Method::GET, "/api/v1/whoami", headers, "").await.status, 200);
    let seen = server.fetch(session["summary"]["id"].as_str().unwrap(), &key).await;
    seen.body["summary"]["last_seen"]["remote_ip"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_callers_address_is_the_peers_unless_that_is_a_trusted_proxy() {
    let (x_forwarded_for, forwarded) = ("x-forwarded-for", "forwarded");
    let server = Sessiond::start().await;
    assert_eq!(noted_address(&server, &[(x_forwarded_for, "203.0.113.7")]).await, "127.0.0.1");
    let behind = async |header: &str| {
        let settings = "trusted_proxies = ['127.0.0.0/8', '10.0.0.0/8']";
        Sessiond::start_with_settings(&format!("{settings}\nclient_address_header = '{header}'")).await
    };
    let server = behind(x_forwarded_for).await;
    let hops = [(x_forwarded_for, "198.51.100.1, ::ffff:203.0.113.7, 10.0.0.2")];
    assert_eq!(noted_address(&server, &hops).await, "203.0.113.7");
    let server = behind(forwarded).await;
    let hops = [(forwarded, "for=\"[2001:db8::7]:4711\"")];
    assert_eq!(noted_address(&server, &hops).await, "2001:db8::7");
}

/// As nginx does: it appends its client to `X-Forwarded-For` and passes on the `Forwarded` that the client wrote.
#[tokio::test]
async fn the_callers_address_cannot_be_forged_in_a_header_that_the_proxy_passes_on() {
    let behind = "trusted_proxies = ['127.0.0.0/8']\nclient_address_header = 'x-forwarded-for'";
    let server = Sessiond::start_with_settings(behind).await;
    let headers = [("forwarded", "for=198.51.100.66"), ("x-forwarded-for", "198.51.100.67, 203.0.113.7")];
    assert_eq!(noted_address(&server, &headers).await, "203.0.113.7");
}
