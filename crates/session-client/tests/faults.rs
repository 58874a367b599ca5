//! What the client does when the server, or what answers in its place, misbehaves: time-outs, retries and
//! errors. How it works with a server that behaves is in the end-to-end tests.
#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use session_client::types::{ErrorCode, SessionCreate, SessionType};
use session_client::{Client, Error, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};

const OWN: &str = r#"{"actions":{"revoke":true},"summary":{"domain_id":"013xrzp12g3nqk8n32sd3jyxq5a8ywe2","id":"013xrzp12g3nqk8nkv4y96wrbzje9dsr","pool_id":"013xrzp12g3nqk8ng09nmc8kwqzfafa2","session_type":"browser","status":"new","type":"session"}}"#;

fn answer(head: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {head}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
}

fn error(status: &str, code: &str) -> String {
    answer(status, &format!(r#"{{"code":"{code}","message":"why","status":"error"}}"#))
}

/// A peer that answers each request with the next of these, the last one over and over, and counts them. An
/// empty one closes the connection; `hang` never answers.
async fn peer(answers: Vec<String>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let requests = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            // The head, and of a body the part that came with it.
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                if stream.read_buf(&mut request).await.unwrap() == 0 {
                    break;
                }
            }
            let place = requests.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
            if answers[place] == "hang" {
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_mins(1)).await;
                    drop(stream);
                });
                continue;
            }
            let text = answers[place].replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (address, count)
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

#[tokio::test]
async fn a_read_is_tried_again_until_it_succeeds() {
    for fault in [error("503 Service Unavailable", "unknown"), answer("502 Bad Gateway", "no"), String::new()]
    {
        let (address, count) = peer(vec![fault.clone(), answer("200 OK", OWN)]).await;
        fetch(&address).await.unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 2, "{fault}");
    }
}

#[tokio::test]
async fn a_read_is_given_up_after_the_last_try_with_the_last_error() {
    let (address, count) = peer(vec![error("503 Service Unavailable", "unknown")]).await;
    assert_eq!(fetch(&address).await.unwrap_err().code(), Some(ErrorCode::Unknown));
    assert_eq!(count.load(Ordering::SeqCst), 1 + Options::default().retries);
}

#[tokio::test]
async fn a_change_whose_outcome_is_not_known_is_not_tried_again() {
    for fault in [error("503 Service Unavailable", "unknown"), answer("502 Bad Gateway", "no"), String::new()]
    {
        let (address, count) = peer(vec![fault.clone()]).await;
        create(&address).await.unwrap_err();
        assert_eq!(count.load(Ordering::SeqCst), 1, "{fault}");
    }
}

#[tokio::test]
async fn a_change_that_surely_was_not_made_is_tried_again() {
    let created = format!(r#"{{"authtoken":"sst_{}","session":{OWN}}}"#, "0".repeat(91));
    let (address, count) =
        peer(vec![error("429 Too Many Requests", "bad_request"), answer("201 Created", &created)]).await;
    create(&address).await.unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 2);

    // Taken, but nobody listens there: three tries of it take the waits between them.
    let taken = TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let free = taken.local_addr().unwrap();
    let began = std::time::Instant::now();
    let error = create(&format!("http://{free}")).await.unwrap_err();
    assert!(matches!(error, Error::NoAnswer(_)) && error.source().is_some(), "{error}");
    assert!(began.elapsed() >= Duration::from_millis(300), "100 ms and 200 ms, and jitter");
}

#[tokio::test]
async fn a_refusal_is_not_tried_again() {
    for (status, code) in [("401 Unauthorized", "bad_authtoken"), ("500 Internal Server Error", "unexpected")]
    {
        let (address, count) = peer(vec![error(status, code)]).await;
        fetch(&address).await.unwrap_err();
        assert_eq!(count.load(Ordering::SeqCst), 1, "{status}");
    }
}

#[tokio::test]
async fn a_wait_that_the_server_asks_for_is_kept_and_one_that_is_too_long_ends_the_call() {
    let after = |seconds: u32| {
        error("503 Service Unavailable", "unknown")
            .replace("\r\n\r\n", &format!("\r\nretry-after: {seconds}\r\n\r\n"))
    };
    let (address, count) = peer(vec![after(1), answer("200 OK", OWN)]).await;
    let began = std::time::Instant::now();
    fetch(&address).await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(count.load(Ordering::SeqCst), 2);

    let (address, count) = peer(vec![after(3600)]).await;
    assert_eq!(fetch(&address).await.unwrap_err().code(), Some(ErrorCode::Unknown));
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_server_that_hangs_is_left_after_the_time_out() {
    let (address, count) = peer(vec!["hang".to_owned()]).await;
    let options = Options { request_timeout: Duration::from_secs(2), retries: 1, ..Options::default() };
    let error: Error = client(&address, options).fetch_own_session().send().await.unwrap_err().into();
    let Error::NoAnswer(cause) = error else { panic!("{error}") };
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
        let (address, _) = peer(vec![refused]).await;
        let error = fetch(&address).await.unwrap_err();
        assert_eq!(error.to_string(), format!("{word}: why"));
        let Error::Refused { code: got, request_id, status, .. } = error else { panic!("{error}") };
        assert_eq!((got, request_id.as_deref(), status.as_u16()), (code, Some("r1"), 401));
    }
}

#[tokio::test]
async fn an_answer_that_is_not_of_the_contract_is_an_error_that_shows_no_token() {
    let token = "0".repeat(91);
    let newer = OWN.replace("\"new\"", "\"asleep\"");
    let created = format!(r#"{{"authtoken":"sst_{token}","session":{newer}}}"#);
    let (address, _) = peer(vec![answer("201 Created", &created)]).await;
    let client = client(&address, Options::default());
    let body = SessionCreate::builder().session_type(SessionType::Api);
    let raw = client.create_session().body(body).send().await.unwrap_err();
    let shown = format!("{raw} {raw:?} {:?}", raw.source());
    assert!(shown.contains("asleep") && !shown.contains(&token), "{shown}");
    let error = Error::from(raw);
    assert!(matches!(error, Error::UnexpectedAnswer(_)));
    assert!(!format!("{error} {error:?}").contains(&token));

    // What answers in the server's place may echo what it was sent.
    for status in ["200 OK", "401 Unauthorized"] {
        for echo in
            [format!("\"Bearer sst_{token}\""), format!("\"ssk_{token}\""), format!("<p>ssk_{token}</p>")]
        {
            let (address, _) = peer(vec![answer(status, &echo)]).await;
            let raw =
                self::client(&address, Options::default()).fetch_own_session().send().await.unwrap_err();
            let shown = format!("{raw} {raw:?} {:?}", raw.source());
            let shown = format!("{shown} {}", Error::from(raw));
            assert!(!shown.contains(&token), "{shown}");
        }
    }

    for text in [answer("200 OK", "<html>"), answer("302 Found", ""), answer("200 OK", "{}")] {
        let (address, _) = peer(vec![text.clone()]).await;
        let error = fetch(&address).await.unwrap_err();
        assert!(matches!(error, Error::UnexpectedAnswer(_)), "{text}: {error}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_for_the_token_is_for_the_server_that_was_named() {
    let (elsewhere, count) = peer(vec![answer("200 OK", OWN)]).await;
    let redirect = answer("307 Temporary Redirect", "")
        .replace("\r\n\r\n", &format!("\r\nlocation: {elsewhere}/api/v1/whoami\r\n\r\n"));
    let (address, _) = peer(vec![redirect]).await;
    let error = fetch(&address).await.unwrap_err();
    assert!(matches!(&error, Error::UnexpectedAnswer(reason) if reason.contains("307")), "{error}");
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_request_that_lacks_a_value_is_not_sent() {
    let (address, count) = peer(vec![answer("200 OK", OWN)]).await;
    let client = client(&address, Options::default());
    let error: Error = client.create_session().send().await.unwrap_err().into();
    assert!(matches!(&error, Error::InvalidRequest(reason) if reason.contains("session_type")), "{error}");
    let error: Error = client.fetch_session().session_id("short").send().await.unwrap_err().into();
    assert!(matches!(&error, Error::InvalidRequest(reason) if reason.contains("session_id")), "{error}");
    assert_eq!(count.load(Ordering::SeqCst), 0);
}
