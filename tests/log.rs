//! The log of `sessiond` while nobody reads it, while it cannot be written, and in a flood of requests.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use session_test_support::launcher::{Program, Server, WITHOUT_LIFETIMES, key_create};
use session_test_support::{binary, seed};

/// A flood of requests is this many, each with this much in its URL: more than may wait to be written.
const FLOOD: usize = 1_000;
const URL_BYTES: usize = 16 << 10;

/// As much as a pipe holds.
const CHUNK: usize = 64 << 10;

/// How long what takes moments may take on a busy machine; the server's own limits are shorter.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server whose standard error is this file, which stays open until the returned value is dropped.
fn start(folder: &std::path::Path, log: impl Into<OwnedFd>) -> Server {
    Program::at(binary()).log_to(File::from(log.into())).serve(folder, WITHOUT_LIFETIMES, &[]).unwrap()
}

/// Sends requests on one connection, many at a time, and returns how many got this status.
fn send(server: &Server, requests: &[String], status: &str) -> usize {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut received = Vec::new();
    for group in requests.chunks(20) {
        stream.write_all(group.concat().as_bytes()).unwrap();
        let from = received.len();
        while String::from_utf8_lossy(&received[from..]).matches("HTTP/1.1 ").count() < group.len() {
            let mut buffer = [0; 4_096];
            let count = stream.read(&mut buffer).unwrap();
            assert!(count > 0, "the server closed the connection");
            received.extend_from_slice(&buffer[..count]);
        }
    }
    String::from_utf8_lossy(&received).matches(&format!("HTTP/1.1 {status}")).count()
}

fn get(path: &str, token: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n")
}

fn post(path: &str, token: &str, body: &Value) -> String {
    let body = body.to_string();
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Sends a request and returns the body of the response.
fn answer(server: &Server, request: &str) -> Value {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// Has a replaced token used, of which the log has to warn.
fn use_replaced_token(server: &Server, key: &str) -> String {
    let created = answer(server, &post("/api/v1/session", key, &json!({ "session_type": "api" })));
    let id = created["session"]["summary"]["id"].as_str().unwrap().to_owned();
    let who = json!({ "account_id": seed::ACCOUNT_ID, "authenticated_identity_id": seed::IDENTITY_ID });
    let replaced = answer(server, &post(&format!("/api/v1/session/{id}/authenticate"), key, &who));
    assert!(replaced["authtoken"].is_string(), "{replaced}");
    assert_eq!(send(server, &[get("/api/v1/whoami", created["authtoken"].as_str().unwrap())], "401"), 1);
    format!("a replaced token of session {id} was used again")
}

fn key(server: &Server) -> String {
    let flags = ["--domain", seed::DOMAIN_ID, "--pool", seed::POOL_ID];
    server.command(&key_create(&flags, &["session:create", "session:authenticate"])).created_key().unwrap().1
}

fn flood(server: &Server) {
    let long = format!("/api/v1/whoami?{}", "x_".repeat(URL_BYTES / 2));
    assert_eq!(send(server, &vec![get(&long, "guess"); FLOOD], "401"), FLOOD);
}

async fn wait_until(what: &str, mut met: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !met().await {
        assert!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn end_of(server: &mut Server) -> i32 {
    let mut code = None;
    wait_until("it stops", async || {
        code = server.ended().unwrap();
        code.is_some()
    })
    .await;
    code.unwrap()
}

#[tokio::test]
async fn a_warning_in_a_flood_that_nobody_reads_is_the_first_that_is_read_and_every_line_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (mut reader, log) = std::io::pipe().unwrap();
    let mut server = start(folder.path(), log);
    let key = key(&server);
    flood(&server);
    let warning = use_replaced_token(&server, &key);
    flood(&server);
    let text = Arc::new(Mutex::new(String::new()));
    let read = Arc::clone(&text);
    let reading = std::thread::spawn(move || {
        let mut buffer = vec![0; CHUNK];
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            read.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    });
    // Ordinary lines are written in their order, so that everything before this one is written once it is.
    wait_until("the log is read", async || {
        send(&server, &[get("/api/v1/whoami?marker", "guess")], "401");
        text.lock().unwrap().contains("?marker")
    })
    .await;
    server.signal(Signal::TERM).unwrap();
    assert_eq!(end_of(&mut server).await, 0);
    drop(server);
    reading.join().unwrap();
    let text = text.lock().unwrap();
    let at = text.find(&warning).unwrap_or_else(|| panic!("no warning in {} bytes", text.len()));
    // The pipe was full, and so was the chunk that was being written to it.
    assert!(at < 256 << 10, "only after {at} bytes");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let logged = lines.iter().filter(|line| line["response_code"] == 401).count() as u64;
    let lost: u64 = lines.iter().filter_map(|line| line["queue_full"].as_u64()).sum();
    assert!(lost > 0, "the flood was too small");
    // Requests, connections and what else is logged at that level.
    assert!(logged + lost >= 2 * FLOOD as u64, "{logged} and {lost}: every line is there or counted");
}

#[tokio::test]
async fn a_log_that_nobody_reads_does_not_keep_it_from_stopping() {
    let folder = tempfile::tempdir().unwrap();
    let (reader, log) = std::io::pipe().unwrap();
    let mut server = start(folder.path(), log);
    flood(&server);
    server.signal(Signal::TERM).unwrap();
    assert_eq!(end_of(&mut server).await, 0);
    drop(reader);
}

#[tokio::test]
async fn a_log_that_cannot_be_written_stops_nothing_and_goes_on_when_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let open = || {
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        OpenOptions::new().read(true).custom_flags(nonblocking).open(&path).unwrap()
    };
    // What is read from the pipe is added to the text; an error says that there is nothing to read yet.
    let read = |pipe: &mut File, text: &mut String| {
        let mut buffer = vec![0; CHUNK];
        let count = pipe.read(&mut buffer).unwrap_or_default();
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
    };
    let mut first = open();
    let log = OpenOptions::new().write(true).open(&path).unwrap();
    let mut server = start(folder.path(), log);
    let key = key(&server);
    let mut text = String::new();
    wait_until("it is ready", async || {
        read(&mut first, &mut text);
        text.contains("internal_listen") && text.ends_with('\n')
    })
    .await;
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let internal = records.iter().find_map(|record| record["internal_listen"].as_str()).unwrap();
    drop(first);
    // Nobody has the pipe open for reading, so that each write fails.
    assert_eq!(send(&server, &vec![get("/api/v1/whoami", "guess"); 100], "401"), 100);
    wait_until("the metric has the lost lines", async || {
        let metrics = reqwest::get(format!("http://{internal}/metrics")).await.unwrap().text().await.unwrap();
        let counted = metrics.lines().find_map(|line| {
            line.strip_prefix(r#"sessiond_log_lines_dropped_total{reason="write_error"} "#)?.parse().ok()
        });
        counted.is_some_and(|count: u64| count >= 100)
    })
    .await;
    let mut second = open();
    let warning = use_replaced_token(&server, &key);
    let mut text = String::new();
    wait_until("it is written again", async || {
        read(&mut second, &mut text);
        text.contains(&warning) && text.contains("log lines were lost")
    })
    .await;
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let lost: u64 = lines.iter().filter_map(|line| line["write_error"].as_u64()).sum();
    assert!(lost >= 100, "{lost}");
    server.signal(Signal::TERM).unwrap();
    assert_eq!(end_of(&mut server).await, 0);
}
