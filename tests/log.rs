//! The log of `sessiond` while nobody reads it, while it cannot be written, and in a flood of requests.

use std::collections::BTreeSet;
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

/// Sends requests on one connection, many at a time, and returns the responses.
fn exchange(server: &Server, requests: &[String]) -> String {
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
    String::from_utf8_lossy(&received).into_owned()
}

/// Sends requests on one connection, many at a time, and returns how many got this status.
fn send(server: &Server, requests: &[String], status: &str) -> usize {
    exchange(server, requests).matches(&format!("HTTP/1.1 {status}")).count()
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

/// A folder with a server that logs to a file in it, and the path of that file.
fn start_with_file(flags: &[&str]) -> (tempfile::TempDir, Server, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = File::create(&path).unwrap();
    let server = Program::at(binary()).log_to(log).serve(folder.path(), WITHOUT_LIFETIMES, flags).unwrap();
    (folder, server, path)
}

/// The status and the request ID of each response.
fn statuses_and_ids(responses: &str) -> Vec<(u64, String)> {
    let heads = responses.split("HTTP/1.1 ").skip(1);
    heads
        .map(|head| {
            let id = head.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap();
            (head[..3].parse().unwrap(), id.to_owned())
        })
        .collect()
}

#[tokio::test]
async fn every_request_has_exactly_one_line_with_its_fields_under_load_too() {
    /// How many times each of the requests is sent on each of the connections.
    const ROUNDS: usize = 50;
    const CONNECTIONS: usize = 8;
    const LEFT: usize = 20;
    let (_folder, mut server, path) = start_with_file(&[]);
    let key = key(&server);
    let id = seed::SESSION_ID;
    let requests = [
        get("/api/v1/whoami", &key),
        get(&format!("/api/v1/session/{id}?a=\\"), &key),
        get("/api/v1/session/short", &key),
        get("/api/v1/whoami", "guess"),
        // dropshot refuses these.
        get("/api/v2/whoami", &key),
        get("/?x", &key),
        get("/api/v1/whoami", &key).replacen("GET", "PUT", 1),
    ];
    let rounds = vec![requests.clone(); ROUNDS].concat();
    let mut answered = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(|| exchange(&server, &rounds))).collect();
        threads.into_iter().flat_map(|one| statuses_and_ids(&one.join().unwrap())).collect::<Vec<_>>()
    });
    // These are cancelled while they wait for the end of their body. A request whose client is gone before it is looked at does
    // not begin, and has no line.
    let create = post("/api/v1/session", &key, &json!({ "session_type": "api" }));
    let begin = |_| {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(&create.as_bytes()[..create.len() - 1]).unwrap();
        stream
    };
    let left: Vec<TcpStream> = (0..LEFT).map(begin).collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    drop(left);
    let count = answered.len() + LEFT;
    // While it runs, so that they are not written because it ends.
    wait_until("all lines are written", async || {
        let text = std::fs::read_to_string(&path).unwrap();
        text.matches("\"req_id\"").count() >= count && text.ends_with('\n')
    })
    .await;
    server.signal(Signal::TERM).unwrap();
    assert_eq!(end_of(&mut server).await, 0);
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let lines: Vec<&Value> = lines.iter().filter(|line| line["req_id"].is_string()).collect();
    assert_eq!(lines.len(), count);
    let (left, lines): (Vec<&Value>, Vec<&Value>) =
        lines.into_iter().partition(|line| line["method"] == "POST");
    let mut logged: Vec<(u64, String)> = lines
        .iter()
        .map(|line| (line["response_code"].as_u64().unwrap(), line["req_id"].as_str().unwrap().to_owned()))
        .collect();
    logged.sort_unstable();
    answered.sort_unstable();
    assert_eq!(logged.len(), requests.len() * ROUNDS * CONNECTIONS);
    assert_eq!(logged, answered);
    let left: BTreeSet<&str> = left.iter().map(|line| line["req_id"].as_str().unwrap()).collect();
    assert_eq!(left.len(), LEFT);
    for line in lines {
        for field in ["ts", "level", "msg", "listener", "remote_addr", "method", "uri"] {
            assert!(line[field].is_string(), "{field}: {line}");
        }
        assert_eq!((&line["level"], &line["listener"]), (&json!("INFO"), &json!("contract")), "{line}");
        assert!(line["latency_us"].is_u64(), "{line}");
        let is_of_dropshot =
            matches!(line["response_code"].as_u64(), Some(404 | 405)) && line["code"].is_null();
        assert_eq!(line["operation"].is_null(), is_of_dropshot, "{line}");
        assert_eq!(line["error_message_external"].is_null(), !is_of_dropshot, "{line}");
    }
}

#[tokio::test]
async fn for_people_each_request_is_one_line_and_at_warn_there_is_none_but_the_warnings() {
    for (flags, expected) in [(["--log-format", "human"], 20), (["--log-level", "warn"], 0)] {
        let (_folder, mut server, path) = start_with_file(&flags);
        let key = key(&server);
        let warning = use_replaced_token(&server, &key);
        let requests = vec![get("/api/v1/whoami?marker", "guess"); 20];
        let answered = statuses_and_ids(&exchange(&server, &requests));
        wait_until("the warning is written", async || {
            std::fs::read_to_string(&path).unwrap().contains(&warning)
        })
        .await;
        server.signal(Signal::TERM).unwrap();
        assert_eq!(end_of(&mut server).await, 0);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().filter(|line| line.contains("?marker")).count(), expected, "{text}");
        for (_, id) in answered {
            assert_eq!(text.lines().filter(|line| line.contains(&id)).count(), expected / 20, "{text}");
        }
        // It names the request that it is about, which has no other line at warn.
        let warned = text.lines().find(|line| line.contains(&warning)).unwrap();
        assert!(warned.contains("req_id"), "{warned}");
    }
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
