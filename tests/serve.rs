//! `sessiond serve`: start and stop.

use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use session_test_support::{Sessiond, binary, seed};

#[tokio::test]
async fn both_signals_stop_it_and_acknowledged_sessions_survive() {
    let server = Sessiond::start().await;
    let key = server.key(&["session:create"]);
    let mut made = Vec::new();
    let mut folder = None;
    let mut server = Some(server);
    for signal in [Signal::TERM, Signal::INT] {
        let mut running = match server.take() {
            Some(server) => server,
            None => Sessiond::start_on(folder.take().unwrap(), &[]).await,
        };
        made.push(running.create(&key, json!({ "session_type": "api" })).await);
        running.signal(signal);
        assert_eq!(running.ended().await, Some(0), "{}", running.log());
        assert!(running.log().contains("stopped"), "{}", running.log());
        folder = Some(running.kill());
    }
    let server = Sessiond::start_on(folder.unwrap(), &[]).await;
    for (session, token) in made {
        let id = session["summary"]["id"].as_str().unwrap();
        assert_eq!(server.fetch(id, &token).await.body["summary"], session["summary"]);
    }
}

#[tokio::test]
async fn a_request_in_flight_is_finished_after_the_signal() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut server = Sessiond::start().await;
    let key = server.key(&["session:create"]);
    let body = r#"{"session_type":"api"}"#;
    let head = format!(
        "POST /api/v1/session HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(server.direct()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body.as_bytes()[..5]).await.unwrap();
    server.logged(&stream.local_addr().unwrap().to_string());
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.signal(Signal::TERM);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut late = tokio::net::TcpStream::connect(server.direct()).await.unwrap();
    late.write_all(b"GET /api/v1/whoami HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    stream.write_all(&body.as_bytes()[5..]).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let mut late_answer = Vec::new();
    // The kernel accepted the connection. The server did not, and its end resets it.
    assert!(late.read_to_end(&mut late_answer).await.is_err() || late_answer.is_empty());
    assert_eq!(server.ended().await, Some(0));
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_keep_it_from_stopping() {
    use tokio::io::AsyncWriteExt;
    let mut server = Sessiond::start().await;
    let mut stream = tokio::net::TcpStream::connect(server.direct()).await.unwrap();
    stream
        .write_all(b"POST /api/v1/session HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.signal(Signal::TERM);
    assert_eq!(server.ended().await, Some(0), "{}", server.log());
}

/// A session that was fetched with its own token, of which no write to the store is due yet: its ID and last interaction.
async fn with_buffered_interaction(server: &Sessiond, key: &str) -> (String, Value) {
    let (session, token) = server.create(key, json!({ "session_type": "browser", "interaction": {} })).await;
    let id = session["summary"]["id"].as_str().unwrap().to_owned();
    assert_eq!(server.fetch(&id, &token).await.status, 200);
    let seen = last_seen(server, key, &id).await;
    assert_ne!(seen, session["summary"]["last_seen"]);
    (id, seen)
}

async fn last_seen(server: &Sessiond, key: &str, id: &str) -> Value {
    server.fetch(id, key).await.body["summary"]["last_seen"].clone()
}

#[tokio::test]
async fn every_signal_stops_it_after_writing_last_interactions_or_is_logged_and_ignored() {
    let mut server = Sessiond::start().await;
    let key = server.key(&["session:create", "session:read"]);
    for (signal, name, stops) in [
        (Signal::TERM, "SIGTERM", true),
        (Signal::INT, "SIGINT", true),
        (Signal::QUIT, "SIGQUIT", true),
        (Signal::HUP, "SIGHUP", false),
        (Signal::USR1, "SIGUSR1", false),
        (Signal::USR2, "SIGUSR2", false),
    ] {
        let (id, seen) = with_buffered_interaction(&server, &key).await;
        server.signal(signal);
        server.logged(&format!(r#""signal":"{name}""#));
        if !stops {
            assert_eq!(server.internal("/health").await.0, 200, "{name}");
            server.signal(Signal::TERM);
        }
        assert_eq!(server.ended().await, Some(0), "{name}: {}", server.log());
        server = Sessiond::start_on(server.kill(), &[]).await;
        assert_eq!(last_seen(&server, &key, &id).await, seen, "{name}");
    }
}

#[tokio::test]
async fn without_its_terminal_it_stops() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let stdin = std::fs::File::open(name.to_str().unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new(binary())
        .args(["serve", "--listen", "127.0.0.1:0", "--internal-listen", "127.0.0.1:0", "--store"])
        .arg(format!("sqlite:{}/data/sessions.db", folder.path().display()))
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = [0; 9];
    child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    assert_eq!(&ready, b"listening");
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), Signal::HUP).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(String::from_utf8_lossy(&ended.stderr).contains("SIGHUP"), "{ended:?}");
}

#[tokio::test]
async fn a_second_signal_does_not_wait_for_requests_but_writes_last_interactions() {
    use tokio::io::AsyncWriteExt;
    let mut server = Sessiond::start().await;
    let key = server.key(&["session:create", "session:read"]);
    let (id, seen) = with_buffered_interaction(&server, &key).await;
    let mut stream = tokio::net::TcpStream::connect(server.direct()).await.unwrap();
    let head = format!(
        "POST /api/v1/session HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: 10\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    server.logged(&stream.local_addr().unwrap().to_string());
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.signal(Signal::TERM);
    server.logged("drain_timeout_s");
    server.signal(Signal::TERM);
    assert_eq!(server.ended().await, Some(0), "{}", server.log());
    assert!(server.log().contains("a second signal"), "{}", server.log());
    assert!(!server.log().contains("longer than the drain timeout"), "{}", server.log());
    let server = Sessiond::start_on(server.kill(), &[]).await;
    assert_eq!(last_seen(&server, &key, &id).await, seen);
}

#[tokio::test]
async fn a_silent_connection_in_http2_does_not_delay_the_stop() {
    use tokio::io::AsyncWriteExt;
    let mut server = Sessiond::start().await;
    let mut stream = tokio::net::TcpStream::connect(server.direct()).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00").await.unwrap();
    server.logged(&stream.local_addr().unwrap().to_string());
    server.signal(Signal::TERM);
    assert_eq!(server.ended().await, Some(0), "{}", server.log());
    assert!(!server.log().contains("drain timeout and"), "{}", server.log());
}

#[tokio::test]
async fn dev_prepares_an_empty_store_and_prints_lines_that_work() {
    let server = Sessiond::start_with(&["--dev"]).await;
    let printed = server.stdout();
    let commands: Vec<_> = printed.lines().filter(|line| line.starts_with("curl ")).collect();
    assert_eq!(commands.len(), 3, "{printed}");
    for command in commands {
        let output =
            std::process::Command::new("sh").args(["-c", &format!("{command} --silent --fail")]).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
        let body: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(body["summary"].is_object() || body["session"].is_object(), "{body}");
    }
    let folder = server.stop().await;
    let again = Sessiond::start_on(folder, &["--dev"]).await;
    assert!(again.stdout().contains("is not empty"), "{}", again.stdout());
    assert!(!again.stdout().contains("curl"), "{}", again.stdout());
}

#[tokio::test]
async fn the_internal_listener_serves_health_readiness_and_metrics() {
    let server = Sessiond::start().await;
    let key = server.key(&["session:read"]);
    server.fetch(seed::SESSION_ID, &key).await;
    assert_eq!(server.internal("/health").await, (200, "ok\n".to_owned()));
    assert_eq!(server.internal("/ready").await, (200, "ready\n".to_owned()));
    let (status, metrics) = server.internal("/metrics").await;
    assert_eq!(status, 200);
    let line = r#"sessiond_requests_total{operation="fetch_session",status="404"} 1"#;
    assert!(metrics.lines().any(|found| found == line), "{metrics}");
    assert!(metrics.lines().any(|found| found == "sessiond_nodes_with_other_settings 0"), "{metrics}");
}
