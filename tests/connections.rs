//! Connections that send nothing, half a request or half a body, and more connections than there are descriptors.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::Client;
use serde_json::Value;
use session_test_support::launcher::{Program, Server, WITHOUT_LIFETIMES, key_create};
use session_test_support::{Sessiond, binary, raise_file_limit, seed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// By when a connection without a request must be closed.
const CLOSED_WITHIN: Duration = Duration::from_secs(90);

/// The start of a connection in HTTP/2: the preface and empty settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

/// A request with the beginning of a body of 1,000 bytes.
fn half_a_body(authorization: &str) -> Vec<u8> {
    let head = "POST /api/v1/session HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n";
    format!("{head}{authorization}\r\n{{").into_bytes()
}

async fn connect(server: SocketAddr, first: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(first).await.unwrap();
    stream
}

/// Reads until the server closes the connection. Returns what it sent and how long it took.
async fn until_closed(mut stream: TcpStream) -> (String, Duration) {
    let (start, mut received) = (Instant::now(), Vec::new());
    let closed =
        tokio::time::timeout(CLOSED_WITHIN + Duration::from_secs(5), stream.read_to_end(&mut received));
    // A reset is an end as well.
    let _ = closed.await.expect("the server closes the connection");
    (String::from_utf8_lossy(&received).into_owned(), start.elapsed())
}

/// A request for the caller's session in HTTP/2, without credentials, as this stream of its connection.
fn http2_request(stream: u8) -> Vec<u8> {
    // Indexed fields and literals of HPACK: method GET, scheme http, path and authority.
    let mut fields = vec![0x82, 0x86, 0x04, 14];
    fields.extend(b"/api/v1/whoami");
    fields.extend([0x01, 1, b'x']);
    // HEADERS with END_STREAM and END_HEADERS.
    let mut frame = vec![0, 0, u8::try_from(fields.len()).unwrap(), 1, 5, 0, 0, 0, stream];
    frame.extend(fields);
    frame
}

#[tokio::test]
async fn silent_connections_of_each_kind_are_closed_and_one_that_sends_requests_is_not() {
    /// How many of each kind.
    const COUNT: usize = 24;
    let server = Sessiond::start().await;
    let direct = server.direct();
    let kinds: [(&str, Vec<u8>); 4] = [
        ("nothing", Vec::new()),
        ("half a preface of HTTP/2", b"PRI * HTTP/2.0\r\n".to_vec()),
        ("a preface of HTTP/2", PREFACE.to_vec()),
        ("half a body without credentials", half_a_body("")),
    ];
    let silent = join_all(kinds.iter().flat_map(|(kind, first)| {
        (0..COUNT).map(move |_| async move {
            let (received, after) = until_closed(connect(direct, first).await).await;
            assert!(after < CLOSED_WITHIN, "{kind}: {after:?}");
            let has_body = first.starts_with(b"POST");
            assert_eq!(received.starts_with("HTTP/1.1 401"), has_body, "{kind}: {received}");
        })
    }));
    let busy = async {
        let mut stream = connect(direct, PREFACE).await;
        // Acknowledges the server's settings, which it need not have sent yet.
        stream.write_all(b"\x00\x00\x00\x04\x01\x00\x00\x00\x00").await.unwrap();
        for number in (1..).step_by(2) {
            // 127 streams, one every two seconds: longer than the others are open.
            assert!(number < 255, "the silent connections are still open");
            stream.write_all(&http2_request(number)).await.unwrap();
            let mut received = [0; 16 * 1024];
            let count = stream.read(&mut received).await.unwrap();
            assert!(count > 0, "the server closed a connection that sends requests");
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    };
    tokio::select! {
        _ = silent => {}
        () = busy => {}
    }
}

#[tokio::test]
async fn a_body_is_awaited_for_callers_with_credentials_and_only_for_a_time() {
    let server = Sessiond::start().await;
    let key = server.key(&["session:create"]);
    let body = |response: &str| -> Value {
        serde_json::from_str(response.split_once("\r\n\r\n").unwrap().1).unwrap()
    };
    let stranger = async {
        let mut stream = connect(server.direct(), &half_a_body("")).await;
        let start = Instant::now();
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        // Half of the time that a body may take; the response takes milliseconds.
        assert!(start.elapsed() < Duration::from_millis(2_500), "{:?}", start.elapsed());
        assert_eq!(&first, b"HTTP/1.1 401");
        until_closed(stream).await;
    };
    let known = async {
        let first = half_a_body(&format!("authorization: Bearer {key}\r\n"));
        let (response, _) = until_closed(connect(server.direct(), &first).await).await;
        assert!(response.starts_with("HTTP/1.1 408"), "{response}");
        assert_eq!(body(&response)["code"], "bad_request", "{response}");
    };
    tokio::join!(stranger, known);
}

#[tokio::test]
async fn a_client_without_credentials_that_sends_all_of_its_body_gets_its_response_and_keeps_its_connection()
{
    let server = Sessiond::start().await;
    let mut stream = TcpStream::connect(server.direct()).await.unwrap();
    for length in [10, 100_000, 1_000_000] {
        let head = format!("POST /api/v1/session HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&vec![b' '; length]).await.unwrap();
        let mut response = [0; 4096];
        let count = stream.read(&mut response).await.unwrap();
        assert!(response[..count].starts_with(b"HTTP/1.1 401"), "{}", String::from_utf8_lossy(&response));
    }
}

/// A server whose process may have this many descriptors.
fn start_with_descriptors(folder: &std::path::Path, descriptors: u32) -> Server {
    let script = folder.join("sessiond");
    let text = format!("#!/bin/sh\nulimit -n {descriptors}\nexec {} \"$@\"\n", binary().display());
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
    Program::at(&script).serve(folder, WITHOUT_LIFETIMES, &[]).unwrap()
}

#[tokio::test]
async fn operators_and_new_clients_are_served_while_silent_connections_take_all_descriptors() {
    raise_file_limit();
    let folder = tempfile::tempdir().unwrap();
    let server = start_with_descriptors(folder.path(), 512);
    let address = server.address;
    let arguments = key_create(&["--domain", seed::DOMAIN_ID], &["session:read"]);
    let (id, key) = server.command(&arguments).created_key().unwrap();
    let internal = server.internal_address().unwrap();
    let client = Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(20))
        .pool_max_idle_per_host(0)
        .build()
        .unwrap();
    let list = async || {
        let request = client.get(format!("http://{address}/api/v1/session")).bearer_auth(&key);
        request.send().await.map(|response| response.status().as_u16())
    };
    let operators = async || {
        for path in ["/health", "/ready"] {
            let response = client.get(format!("http://{internal}{path}")).send().await;
            assert_eq!(response.unwrap().status(), 200, "{path}");
        }
    };

    let flood = tokio::spawn(join_all((0..8).map(|_| async move {
        let mut silent = Vec::new();
        for _ in 0..250 {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        silent
    })));
    while !flood.is_finished() {
        operators().await;
    }
    let silent = flood.await.unwrap();
    assert_eq!(silent.iter().map(Vec::len).sum::<usize>(), 2_000);
    operators().await;
    assert_eq!(list().await.unwrap(), 200);
    let revoked =
        tokio::task::spawn_blocking(move || (server.command(&["key", "revoke", &id]).run(), server));
    let (revoked, server) = revoked.await.unwrap();
    assert_eq!(revoked.code, 0, "{revoked:?}");
    assert_eq!(list().await.unwrap(), 401);
    assert!(server.log().contains("connections closed"), "{}", server.log());
}
