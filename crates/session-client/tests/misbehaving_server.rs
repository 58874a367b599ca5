//! Time-outs, retries and errors of the client when the server, or another program at its address, misbehaves. The
//! end-to-end tests cover the client with a real server.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::error::Error as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use session_client::types::{ErrorCode, SessionCreate, SessionType};
use session_client::{Client, Error, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};

const OWN: &str = r#"{"actions":{"revoke":true},"summary":{"domain_id":"013xrzp12g3nqk8n32sd3jyxq5a8ywe2","id":"013xrzp12g3nqk8nkv4y96wrbzje9dsr","pool_id":"013xrzp12g3nqk8ng09nmc8kwqzfafa2","session_type":"browser","status":"new","type":"session"}}"#;

fn response(head: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {head}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
}

fn error(status: &str, code: &str) -> String {
    response(status, &format!(r#"{{"code":"{code}","message":"why","status":"error"}}"#))
}

/// Starts a server that responds with each of these in turn and repeats the last one. An empty response closes the
/// connection, and `hang` never responds. Returns its address and the number of requests that it has received.
async fn server(responses: Vec<String>) -> (String, Arc<AtomicUsize>) {
    let (address, count, _) = recording_server(responses).await;
    (address, count)
}

/// As [`server`]; also returns the heads of the requests.
async fn recording_server(responses: Vec<String>) -> (String, Arc<AtomicUsize>, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let heads = Arc::new(Mutex::new(Vec::new()));
    let (requests, received) = (Arc::clone(&count), Arc::clone(&heads));
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            // The head, and the part of a body that arrives with it.
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                if stream.read_buf(&mut request).await.unwrap() == 0 {
                    break;
                }
            }
            received.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
            let index = requests.fetch_add(1, Ordering::SeqCst).min(responses.len() - 1);
            if responses[index] == "hang" {
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_mins(1)).await;
                    drop(stream);
                });
                continue;
            }
            let text = responses[index].replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (address, count, heads)
}

/// The idempotency key of each request.
fn keys(heads: &Mutex<Vec<String>>) -> Vec<Option<String>> {
    let key = |head: &String| {
        head.lines().find_map(|line| line.strip_prefix("idempotency-key: ")).map(str::to_owned)
    };
    heads.lock().unwrap().iter().map(key).collect()
}

fn client(address: &str, options: Options) -> Client {
    Client::connect_with(address, &"sst_token".parse().unwrap(), options).unwrap()
}

async fn fetch(address: &str) -> Result<(), Error> {
    client(address, Options::default()).fetch_own_session().send().await.map(drop).map_err(Error::from)
}

async fn create(address: &str) -> Result<(), Error> {
    let client = client(address, Options::default());
    let body = SessionCreate::builder().session_type(SessionType::Api);
    client.create_session().body(body).send().await.map(drop).map_err(Error::from)
}

async fn complete(address: &str) -> Result<(), Error> {
    let client = client(address, Options::default());
    let call = client.complete_session().session_id("013xrzp12g3nqk8nkv4y96wrbzje9dsr");
    call.send().await.map(drop).map_err(Error::from)
}

fn created() -> String {
    response("201 Created", &format!(r#"{{"authtoken":"sst_{}","session":{OWN}}}"#, "0".repeat(91)))
}

#[tokio::test]
async fn a_read_is_retried_until_it_succeeds() {
    for failure in
        [error("503 Service Unavailable", "unknown"), response("502 Bad Gateway", "no"), String::new()]
    {
        let (address, count) = server(vec![failure.clone(), response("200 OK", OWN)]).await;
        fetch(&address).await.unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 2, "{failure}");
    }
}

#[tokio::test]
async fn a_read_fails_with_the_last_error_after_the_last_retry() {
    let (address, count) = server(vec![error("503 Service Unavailable", "unknown")]).await;
    assert_eq!(fetch(&address).await.unwrap_err().code(), Some(ErrorCode::Unknown));
    assert_eq!(count.load(Ordering::SeqCst), 1 + Options::default().retries);
}

#[tokio::test]
async fn a_change_whose_outcome_is_not_known_is_not_retried() {
    for failure in
        [error("503 Service Unavailable", "unknown"), response("502 Bad Gateway", "no"), String::new()]
    {
        let (address, count, heads) = recording_server(vec![failure.clone()]).await;
        complete(&address).await.unwrap_err();
        assert_eq!(count.load(Ordering::SeqCst), 1, "{failure}");
        assert_eq!(keys(&heads), [None], "it takes no key");
    }
}

#[tokio::test]
async fn a_creation_is_retried_with_the_same_key_and_another_call_has_another_key() {
    for failure in
        [error("503 Service Unavailable", "unknown"), response("502 Bad Gateway", "no"), String::new()]
    {
        let (address, _, heads) = recording_server(vec![failure.clone(), created()]).await;
        create(&address).await.unwrap();
        create(&address).await.unwrap();
        let [Some(first), Some(retry), Some(other)] = &keys(&heads)[..] else { panic!("{heads:?}") };
        assert!(first == retry && first != other, "{failure}: {heads:?}");
        assert!(first.len() == 32 && first.bytes().all(|byte| byte.is_ascii_hexdigit()), "{first}");
    }
    let (address, count) = server(vec![String::new()]).await;
    create(&address).await.unwrap_err();
    assert_eq!(count.load(Ordering::SeqCst), 1 + Options::default().retries, "retries are bounded");
}

#[tokio::test]
async fn a_key_of_the_callers_choice_is_sent_with_every_attempt() {
    let (address, _, heads) = recording_server(vec![String::new(), created()]).await;
    let body = SessionCreate::builder().session_type(SessionType::Api);
    let call = client(&address, Options::default());
    call.create_session().body(body).idempotency_key("own").send().await.unwrap();
    assert_eq!(keys(&heads), [Some("own".to_owned()), Some("own".to_owned())]);
}

#[tokio::test]
async fn a_refused_creation_is_not_retried() {
    for (status, code) in [("400 Bad Request", "invalid_value"), ("500 Internal Server Error", "unexpected")]
    {
        let (address, count) = server(vec![error(status, code)]).await;
        create(&address).await.unwrap_err();
        assert_eq!(count.load(Ordering::SeqCst), 1, "{status}");
    }
}

#[tokio::test]
async fn a_change_that_certainly_had_no_effect_is_retried() {
    let limited = error("429 Too Many Requests", "bad_request");
    let (address, count) = server(vec![limited, response("200 OK", OWN)]).await;
    complete(&address).await.unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 2);

    // A bound port on which nobody listens refuses connections: the time shows the two waits before the retries.
    let bound = TcpSocket::new_v4().unwrap();
    bound.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let refusing = bound.local_addr().unwrap();
    let began = std::time::Instant::now();
    let error = complete(&format!("http://{refusing}")).await.unwrap_err();
    assert!(matches!(error, Error::NoResponse(_)) && error.source().is_some(), "{error}");
    assert!(began.elapsed() >= Duration::from_millis(300), "100 ms and 200 ms, and jitter");
}

#[tokio::test]
async fn a_refusal_is_not_retried() {
    for (status, code) in [("401 Unauthorized", "bad_authtoken"), ("500 Internal Server Error", "unexpected")]
    {
        let (address, count) = server(vec![error(status, code)]).await;
        fetch(&address).await.unwrap_err();
        assert_eq!(count.load(Ordering::SeqCst), 1, "{status}");
    }
}

#[tokio::test]
async fn retry_after_is_respected_and_if_it_is_too_long_the_call_fails() {
    let after = |seconds: u32| {
        error("503 Service Unavailable", "unknown")
            .replace("\r\n\r\n", &format!("\r\nretry-after: {seconds}\r\n\r\n"))
    };
    let (address, count) = server(vec![after(1), response("200 OK", OWN)]).await;
    let began = std::time::Instant::now();
    fetch(&address).await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(count.load(Ordering::SeqCst), 2);

    let (address, count) = server(vec![after(3600)]).await;
    assert_eq!(fetch(&address).await.unwrap_err().code(), Some(ErrorCode::Unknown));
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_call_to_a_server_that_hangs_times_out() {
    let (address, count) = server(vec!["hang".to_owned()]).await;
    let options = Options { request_timeout: Duration::from_secs(2), retries: 1, ..Options::default() };
    let error: Error = client(&address, options).fetch_own_session().send().await.unwrap_err().into();
    let Error::NoResponse(cause) = error else { panic!("{error}") };
    assert!(cause.is_timeout(), "{cause}");
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn every_code_of_the_contract_is_a_value_of_the_enum() {
    use ErrorCode as Code;
    for (code, word) in [
        (Code::BadRequest, "bad_request"),
        (Code::BadAuthtoken, "bad_authtoken"),
        (Code::NotAuthenticated, "not_authenticated"),
        (Code::NotPermitted, "not_permitted"),
        (Code::NotImplemented, "not_implemented"),
        (Code::Unknown, "unknown"),
        (Code::NotFound, "not_found"),
        (Code::UnexpectedRefType, "unexpected_ref_type"),
        (Code::Unexpected, "unexpected"),
        (Code::InvalidAction, "invalid_action"),
        (Code::InvalidValue, "invalid_value"),
        (Code::RequiredValue, "required_value"),
    ] {
        let refused = error("401 Unauthorized", word).replace("\r\n\r\n", "\r\nx-request-id: r1\r\n\r\n");
        let (address, _) = server(vec![refused]).await;
        let error = fetch(&address).await.unwrap_err();
        assert_eq!(error.to_string(), format!("{word}: why"));
        let Error::Refused { code: got, request_id, status, .. } = error else { panic!("{error}") };
        assert_eq!((got, request_id.as_deref(), status.as_u16()), (code, Some("r1"), 401));
    }
}

#[tokio::test]
async fn a_response_that_is_not_in_the_contract_is_an_error_without_its_tokens() {
    let token = "0".repeat(91);
    let newer = OWN.replace("\"new\"", "\"asleep\"");
    let created = format!(r#"{{"authtoken":"sst_{token}","session":{newer}}}"#);
    let (address, _) = server(vec![response("201 Created", &created)]).await;
    let client = client(&address, Options::default());
    let body = SessionCreate::builder().session_type(SessionType::Api);
    let raw = client.create_session().body(body).send().await.unwrap_err();
    let shown = format!("{raw} {raw:?} {:?}", raw.source());
    assert!(shown.contains("asleep") && !shown.contains(&token), "{shown}");
    let error = Error::from(raw);
    assert!(matches!(error, Error::UnexpectedResponse(_)));
    assert!(!format!("{error} {error:?}").contains(&token));

    // Another program at the server's address may echo the request.
    for status in ["200 OK", "401 Unauthorized"] {
        for echo in
            [format!("\"Bearer sst_{token}\""), format!("\"ssk_{token}\""), format!("<p>ssk_{token}</p>")]
        {
            let (address, _) = server(vec![response(status, &echo)]).await;
            let raw =
                self::client(&address, Options::default()).fetch_own_session().send().await.unwrap_err();
            let shown = format!("{raw} {raw:?} {:?}", raw.source());
            let shown = format!("{shown} {}", Error::from(raw));
            assert!(!shown.contains(&token), "{shown}");
        }
    }

    for text in [response("200 OK", "<html>"), response("302 Found", ""), response("200 OK", "{}")] {
        let (address, _) = server(vec![text.clone()]).await;
        let error = fetch(&address).await.unwrap_err();
        assert!(matches!(error, Error::UnexpectedResponse(_)), "{text}: {error}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_so_that_the_token_reaches_no_other_server() {
    let (elsewhere, count) = server(vec![response("200 OK", OWN)]).await;
    let redirect = response("307 Temporary Redirect", "")
        .replace("\r\n\r\n", &format!("\r\nlocation: {elsewhere}/api/v1/whoami\r\n\r\n"));
    let (address, _) = server(vec![redirect]).await;
    let error = fetch(&address).await.unwrap_err();
    assert!(matches!(&error, Error::UnexpectedResponse(reason) if reason.contains("307")), "{error}");
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_request_with_a_missing_or_invalid_value_is_not_sent() {
    let (address, count) = server(vec![response("200 OK", OWN)]).await;
    let client = client(&address, Options::default());
    let error: Error = client.create_session().send().await.unwrap_err().into();
    assert!(matches!(&error, Error::InvalidRequest(reason) if reason.contains("session_type")), "{error}");
    let error: Error = client.fetch_session().session_id("short").send().await.unwrap_err().into();
    assert!(matches!(&error, Error::InvalidRequest(reason) if reason.contains("session_id")), "{error}");
    assert_eq!(count.load(Ordering::SeqCst), 0);
}
