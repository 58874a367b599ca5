//! `sessiond serve`: start, stop, and the reasons not to start.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use session_test_support::{Sessiond, command, seed};

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

/// Checks that it failed with one line that starts with the program's name and contains all of `texts`.
fn assert_one_line(finished: &session_test_support::Finished, texts: &[&str]) {
    assert_eq!(finished.code, 1, "{finished:?}");
    let lines: Vec<_> = finished.stderr.lines().filter(|line| !line.starts_with('{')).collect();
    assert!(lines.len() == 1 && lines[0].starts_with("sessiond: "), "{finished:?}");
    for text in texts {
        assert!(lines[0].contains(text), "{text}: {finished:?}");
    }
    assert!(!finished.stderr.contains("panicked"), "{finished:?}");
}

#[tokio::test]
async fn each_reason_not_to_start_is_one_line_that_says_how_to_fix_it() {
    let server = Sessiond::start().await;
    let taken = server.direct().to_string();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("letter.db"), "This is not a database. ".repeat(100)).unwrap();
    std::fs::write(at("typo.toml"), "lisen = '127.0.0.1:0'\n").unwrap();
    std::fs::write(at("file"), "").unwrap();
    let serve = |flags: &[&str]| {
        command(&[&["serve", "--internal-listen", "127.0.0.1:0"][..], flags].concat())
            .folder(folder.path())
            .run()
    };
    let fresh = format!("sqlite:{}", at("fresh/sessions.db"));
    assert_one_line(
        &serve(&["--listen", &taken, "--store", &fresh]),
        &[&taken, "cannot listen", "free that address"],
    );
    let letter = format!("sqlite:{}", at("letter.db"));
    assert_one_line(
        &serve(&["--listen", "127.0.0.1:0", "--store", &letter]),
        &["letter.db", "not a database"],
    );
    let under_a_file = format!("sqlite:{}", at("file/sessions.db"));
    assert_one_line(
        &serve(&["--listen", "127.0.0.1:0", "--store", &under_a_file]),
        &["data directory", "--store"],
    );
    assert_one_line(&serve(&["--listen", "127.0.0.1:0", "--store", server.store()]), &["another sessiond"]);
    assert_one_line(&serve(&["--config", &at("typo.toml")]), &["typo.toml", "line 1", "lisen", "listen"]);
    assert_one_line(&serve(&["--config", &at("missing.toml")]), &["missing.toml"]);

    for flags in
        [["--listen", "nowhere"], ["--store", "postgres://user:geheim@db/x"], ["--store", "sessions.db"]]
    {
        let finished = serve(&flags);
        assert_eq!(finished.code, 2, "{finished:?}");
        assert!(finished.stderr.contains(flags[0]), "{finished:?}");
    }
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused() {
    let server = Sessiond::start().await;
    let folder = server.stop().await;
    let path = folder.path().join("sessions.db");
    // `user_version` is the big-endian number at offset 60 of a SQLite file.
    let mut file = std::fs::read(&path).unwrap();
    file[60..64].copy_from_slice(&4711_u32.to_be_bytes());
    std::fs::write(&path, file).unwrap();
    let store = format!("sqlite:{}", path.display());
    let finished = command(&["serve", "--listen", "127.0.0.1:0", "--store", &store]).run();
    assert_one_line(&finished, &["4711", "newer"]);
}

#[tokio::test]
async fn flags_override_the_environment_and_the_environment_overrides_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("sessiond.toml"), format!("store = 'sqlite:{}'\n", path("file/s.db"))).unwrap();
    let list = || command(&["key", "list"]).env("SESSIOND_CONFIG", &path("sessiond.toml"));
    assert_eq!(list().run().code, 0);
    assert!(folder.path().join("file/s.db").exists());
    let by_env = format!("sqlite:{}", path("env/s.db"));
    assert_eq!(list().env("SESSIOND_STORE", &by_env).run().code, 0);
    assert!(folder.path().join("env/s.db").exists());
    let by_flag = format!("sqlite:{}", path("flag/s.db"));
    let flags = command(&["key", "list", "--store", &by_flag]).env("SESSIOND_STORE", &by_env);
    assert_eq!(flags.run().code, 0);
    assert!(folder.path().join("flag/s.db").exists());
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
}
