//! Requests with an `Idempotency-Key`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use session_client::types::{
    AccountId, IdentityId, SessionAuthenticate, SessionCreate, SessionId, SessionType,
};
use session_client::{Client, Options};
use session_test_support::{Response, Sessiond, seed};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

const SCOPES: [&str; 3] = ["session:create", "session:authenticate", "session:read"];

/// Sends a request with these values of the header.
async fn send(server: &Sessiond, path: &str, token: &str, keys: &[&[u8]], body: &str) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    headers.insert("content-type", "application/json".parse().unwrap());
    for key in keys {
        headers.append("idempotency-key", HeaderValue::from_bytes(key).unwrap());
    }
    server.send(Method::POST, path, headers, body.to_owned()).await
}

async fn create(server: &Sessiond, token: &str, key: &str, body: &str) -> Response {
    send(server, "/api/v1/session", token, &[key.as_bytes()], body).await
}

async fn authenticate(server: &Sessiond, token: &str, id: &str, key: &str) -> Response {
    let body = json!({ "account_id": seed::ACCOUNT_ID, "authenticated_identity_id": seed::IDENTITY_ID });
    let path = format!("/api/v1/session/{id}/authenticate");
    send(server, &path, token, &[key.as_bytes()], &body.to_string()).await
}

/// Returns the ID and token of a response.
fn id_and_token(response: &Response) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{:?}", response.body)).to_owned();
    (text(&response.body["session"]["summary"]["id"]), text(&response.body["authtoken"]))
}

/// Returns the number of sessions that a key may list.
async fn count(server: &Sessiond, token: &str) -> usize {
    let page = server.request(Method::GET, "/api/v1/session", Some(token), None).await;
    page.body["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn the_same_key_with_the_same_body_returns_the_same_session_and_token() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    let first = create(&server, &key, "one", r#"{"session_type":"browser","title":"A"}"#).await;
    assert_eq!(first.status, 201);
    // The same body, written differently.
    let again = create(&server, &key, "one", r#"{ "title": "\u0041", "session_type": "browser" }"#).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(count(&server, &key).await, 1);
    assert_eq!(server.events().len(), 1, "{:?}", server.events());
    let (id, token) = id_and_token(&first);
    assert_eq!(server.fetch(&id, &token).await.status, 200);

    // Without a key, and with another one, it is another session.
    let none = send(&server, "/api/v1/session", &key, &[], r#"{"session_type":"browser","title":"A"}"#).await;
    let other = create(&server, &key, "two", r#"{"session_type":"browser","title":"A"}"#).await;
    assert_ne!(id_and_token(&none), id_and_token(&other));
    assert_eq!(count(&server, &key).await, 3);
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused_by_the_name_of_the_header() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    assert_eq!(create(&server, &key, "one", r#"{"session_type":"browser"}"#).await.status, 201);
    let other = create(&server, &key, "one", r#"{"session_type":"api"}"#).await;
    assert_eq!(other.outcome(), (400, "invalid_value"));
    assert!(other.message().starts_with("Idempotency-Key: "), "{}", other.message());
    assert_eq!(count(&server, &key).await, 1);
}

#[tokio::test]
async fn a_key_that_is_not_allowed_is_refused_by_the_name_of_the_header() {
    let server = Sessiond::start().await;
    let token = server.key(&SCOPES);
    let (longest, longer) = ("k".repeat(255), "k".repeat(256));
    let refused: [&[&[u8]]; 7] = [
        &[b""],
        &[b"a b"],
        &[b"a\tb"],
        &["é".as_bytes()],
        &[b"\xff"],
        &[longer.as_bytes()],
        &[b"one", b"one"],
    ];
    for keys in refused {
        let response = send(&server, "/api/v1/session", &token, keys, r#"{"session_type":"api"}"#).await;
        assert_eq!(response.outcome(), (400, "invalid_value"), "{keys:?}");
        assert!(response.message().starts_with("Idempotency-Key: "), "{}", response.message());
    }
    assert_eq!(count(&server, &token).await, 0);
    for key in [&longest[..], "!", "\"a,b\""] {
        assert_eq!(create(&server, &token, key, r#"{"session_type":"api"}"#).await.status, 201, "{key}");
    }
    // Only once the caller is known.
    let unknown = send(&server, "/api/v1/session", "sst_x", &[b"a b"], "{}").await;
    assert_eq!(unknown.outcome(), (401, "bad_authtoken"));
}

#[tokio::test]
async fn fifty_concurrent_requests_with_one_key_create_one_session() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    let requests = (0..50).map(|_| create(&server, &key, "one", r#"{"session_type":"api"}"#));
    let responses = futures::future::join_all(requests).await;
    for response in &responses {
        assert_eq!((response.status, &response.body), (responses[0].status, &responses[0].body));
    }
    assert_eq!(responses[0].status, 201);
    assert_eq!(count(&server, &key).await, 1);

    let (id, _) = id_and_token(&responses[0]);
    let requests = (0..50).map(|_| authenticate(&server, &key, &id, "one"));
    let responses = futures::future::join_all(requests).await;
    for response in &responses {
        assert_eq!((response.status, &response.body), (responses[0].status, &responses[0].body));
    }
    let (id, token) = id_and_token(&responses[0]);
    assert_eq!(server.fetch(&id, &token).await.status, 200);
    assert_eq!(server.events().len(), 2, "one creation, one authentication");
}

#[tokio::test]
async fn the_same_key_with_another_api_key_is_another_request() {
    let server = Sessiond::start().await;
    let [one, two] = [server.key(&SCOPES), server.key(&SCOPES)];
    let of_one = create(&server, &one, "one", r#"{"session_type":"api"}"#).await;
    let of_two = create(&server, &two, "one", r#"{"session_type":"browser"}"#).await;
    assert_eq!([of_one.status, of_two.status], [201, 201]);
    let (of_one, of_two) = (id_and_token(&of_one), id_and_token(&of_two));
    assert!(of_one.0 != of_two.0 && of_one.1 != of_two.1);
    assert_eq!(count(&server, &one).await, 2);
}

#[tokio::test]
async fn a_repeated_authentication_returns_the_token_which_is_not_replaced() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    let (id, old) = id_and_token(&create(&server, &key, "one", r#"{"session_type":"api"}"#).await);
    // The key was used for a creation, which is another operation.
    let first = authenticate(&server, &key, &id, "one").await;
    assert_eq!(first.status, 200, "{:?}", first.body);
    let again = authenticate(&server, &key, &id, "one").await;
    assert_eq!(again.body, first.body);
    let (_, token) = id_and_token(&again);
    assert_eq!(server.fetch(&id, &token).await.status, 200);
    assert_eq!(server.fetch(&id, &old).await.outcome(), (401, "bad_authtoken"));

    // Authenticated again with another key: the response shows the session as it is, and its token is an old one.
    let (_, newer) = id_and_token(&authenticate(&server, &key, &id, "two").await);
    let again = authenticate(&server, &key, &id, "one").await;
    assert_eq!(id_and_token(&again).1, token);
    assert_eq!(server.fetch(&id, &token).await.outcome(), (401, "bad_authtoken"));
    assert_eq!(server.fetch(&id, &newer).await.status, 200);

    let path = format!("/api/v1/session/{id}/authenticate");
    let body = json!({ "account_id": seed::ACCOUNT_ID, "authenticated_identity_id": seed::ACCOUNT_ID });
    let other = send(&server, &path, &key, &[b"one"], &body.to_string()).await;
    assert_eq!(other.outcome(), (400, "invalid_value"));
    assert!(other.message().starts_with("Idempotency-Key: "), "{}", other.message());
}

#[tokio::test]
async fn a_request_may_be_repeated_after_a_crash_of_the_server() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    let first = create(&server, &key, "one", r#"{"session_type":"api"}"#).await;
    let restarted = Sessiond::start_on(server.kill(), &[]).await;
    let again = create(&restarted, &key, "one", r#"{"session_type":"api"}"#).await;
    assert_eq!(again.body, first.body);
    assert_eq!(count(&restarted, &key).await, 1);
}

/// Starts a relay to a server that passes on every request, but loses the first `lost` responses: it closes the connection
/// when they arrive. Returns its address and the number of responses that it has lost.
async fn losing_responses(server: SocketAddr, lost: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let losses = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut upstream = TcpStream::connect(server).await.unwrap();
            let losses = Arc::clone(&losses);
            tokio::spawn(async move {
                if losses.load(Ordering::SeqCst) >= lost {
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
                    return;
                }
                let (mut from_client, _to_client) = client.split();
                let (from_upstream, mut to_upstream) = upstream.split();
                tokio::select! {
                    _ = tokio::io::copy(&mut from_client, &mut to_upstream) => {}
                    _ = from_upstream.readable() => {}
                }
                losses.fetch_add(1, Ordering::SeqCst);
                let _ = client.shutdown().await;
            });
        }
    });
    (address, count)
}

#[tokio::test]
async fn a_lost_response_leaves_one_session_and_the_client_gets_its_token() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    let (address, lost) = losing_responses(server.direct(), 2).await;
    let client = Client::connect_with(&address, &key.parse().unwrap(), Options::default()).unwrap();
    let body = SessionCreate::builder().session_type(SessionType::Browser);
    let created = client.create_session().body(body).send().await.unwrap().into_inner();
    assert_eq!(lost.load(Ordering::SeqCst), 2);
    assert_eq!(count(&server, &key).await, 1);
    assert_eq!(server.events().len(), 1);
    let id: SessionId = created.session.summary.id;
    assert_eq!(server.fetch(id.as_str(), created.authtoken.expose_secret()).await.status, 200);

    let (address, lost) = losing_responses(server.direct(), 2).await;
    let client = Client::connect_with(&address, &key.parse().unwrap(), Options::default()).unwrap();
    let body = SessionAuthenticate::builder()
        .account_id(seed::ACCOUNT_ID.parse::<AccountId>().unwrap())
        .authenticated_identity_id(seed::IDENTITY_ID.parse::<IdentityId>().unwrap());
    let sent = client.authenticate_session().session_id(id.clone()).body(body).send().await;
    let authenticated = sent.unwrap().into_inner();
    assert_eq!(lost.load(Ordering::SeqCst), 2);
    assert_eq!(server.events().len(), 2, "it was authenticated once");
    let token = authenticated.authtoken;
    assert_eq!(server.fetch(id.as_str(), token.expose_secret()).await.status, 200);
}
