//! Checks that apply to every request.

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::json;
use session_test_support::{Contract, Sessiond, call, seed};

#[tokio::test]
async fn a_path_or_method_that_the_contract_does_not_have_is_refused() {
    let server = Sessiond::start().await;
    for (method, path, status) in [
        (Method::DELETE, "/api/v1/session/013xrzp12g3nqk8nkv4y96wrbzje9dsr", 405),
        (Method::PUT, "/api/v1/session", 405),
        (Method::PUT, "/api/v1/whoami", 405),
        (Method::GET, "/", 404),
        (Method::GET, "/api/v2/whoami", 404),
        (Method::GET, "/metrics", 404),
    ] {
        let answer = server.request(method.clone(), path, None, None).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}");
        assert!(answer.body["message"].is_string(), "{method} {path}: {:?}", answer.body);
    }
}

#[tokio::test]
async fn every_operation_refuses_a_malformed_id_and_an_unreadable_body() {
    let server = Sessiond::start().await;
    let key = server.key(&[
        "session:create",
        "session:authenticate",
        "session:update",
        "session:read",
        "session:revoke",
    ]);
    let contract = Contract::load();
    for operation in contract.operations() {
        let request = call(&contract, &operation.id, "SHORT");
        let (method, body): (Method, _) = (request.method.parse().unwrap(), request.body);
        let (names_session, operation) = (operation.path_parameter().is_some(), &operation.id);
        if names_session {
            let answer = server.request(method.clone(), &request.target, Some(&key), body.clone()).await;
            assert_eq!(answer.outcome(), (400, "invalid_value"), "{operation}");
            assert!(answer.message().contains("session_id"), "{}", answer.message());
        }
        let Some(body) = body else { continue };
        let path = call(&contract, operation, seed::SESSION_ID).target;
        let send = async |media_type: &str, body: String| {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", format!("Bearer {key}").parse().unwrap());
            headers.insert("content-type", media_type.parse().unwrap());
            server.send(method.clone(), &path, headers, body).await
        };
        assert_eq!(send("text/plain", body.to_string()).await.outcome(), (415, "bad_request"), "{operation}");
        let long = format!("{body}{}", " ".repeat(2 * 1024 * 1024));
        assert_eq!(send("application/json", long).await.outcome(), (413, "bad_request"), "{operation}");
        let cut = body.to_string()[1..].to_owned();
        assert_eq!(send("application/json", cut).await.outcome(), (400, "bad_request"), "{operation}");
        let unknown = r#"{"colour":"red"}"#.to_owned();
        let answer = send("application/json", unknown).await;
        assert_eq!(answer.outcome(), (400, "invalid_value"), "{operation}");
        assert!(answer.message().contains("colour"), "{operation}: {}", answer.message());
    }
}

/// Sends a request with exactly these bytes before `connection: close`, and returns the response.
async fn raw(server: &Sessiond, head: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(server.direct()).await.unwrap();
    stream.write_all(format!("{head}connection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_request_without_one_valid_host_or_with_an_empty_segment_in_its_path_is_refused_before_authentication()
 {
    let server = Sessiond::start().await;
    for (head, word) in [
        ("GET /api/v1/whoami HTTP/1.1\r\n", "Host"),
        ("GET /api/v1/whoami HTTP/1.1\r\nhost: x\r\nhost: x\r\n", "Host"),
        ("GET /api/v1/whoami HTTP/1.1\r\nhost: a/b\r\n", "Host"),
        ("GET //api/v1/whoami HTTP/1.1\r\nhost: x\r\n", "slash"),
        ("GET /api/v1//whoami HTTP/1.1\r\nhost: x\r\n", "slash"),
        ("GET /api/v1/whoami/ HTTP/1.1\r\nhost: x\r\n", "slash"),
    ] {
        let answer = raw(&server, head).await;
        let expected = answer.starts_with("HTTP/1.1 400") && answer.contains("\"bad_request\"");
        assert!(expected && answer.contains(word), "{head}: {answer}");
    }
    for head in ["GET /api/v1/whoami HTTP/1.1\r\nhost: [::1]:80\r\n", "GET /api/v1/whoami HTTP/1.0\r\n"] {
        let answer = raw(&server, head).await;
        assert!(answer.contains("401 Unauthorized"), "{head}: {answer}");
    }
}

#[tokio::test]
async fn a_path_that_cannot_be_decoded_is_refused_by_the_router() {
    let server = Sessiond::start().await;
    for path in ["/api/v1/session/%FF", "/api/v1/session/.."] {
        let answer = raw(&server, &format!("GET {path} HTTP/1.1\r\nhost: x\r\n")).await;
        // The body is the one that `docs/errors.md` shows.
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("\"message\""), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_token_in_a_url_is_redacted_in_the_log() {
    let server = Sessiond::start_with(&["--log-level", "trace"]).await;
    let key = server.key(&["session:create"]);
    for path in
        [format!("/api/v1/session/{key}"), format!("/api/v1/whoami?access_token={key}"), format!("/{key}")]
    {
        let answer = server.request(Method::GET, &path, None, None).await;
        server.logged(answer.headers["x-request-id"].to_str().unwrap());
        assert!(!answer.body.to_string().contains(&key[36..88]));
    }
    let log = server.log();
    assert!(log.contains("[REDACTED]"), "{log}");
    assert!(!log.contains(&key[36..88]), "{log}");
}

#[tokio::test]
async fn no_response_and_no_log_line_contains_a_token_a_path_or_sql() {
    let server = Sessiond::start_with(&["--log-level", "trace"]).await;
    let key = server.key(&["session:create", "session:authenticate"]);
    let (session, token) = server.create(&key, json!({ "session_type": "api", "title": "needle" })).await;
    let id = session["summary"]["id"].as_str().unwrap();
    let new = server.authenticate(&key, id, seed::ACCOUNT_ID).await;
    // That a store was created is reported with its path, to the operator who named it.
    let log = || {
        let log = server.log();
        log.lines().filter(|line| !line.contains("created a store")).collect::<Vec<_>>().join("\n")
    };
    let mut texts = vec![log()];
    for token in [&key, &token, &new, &token[..60], "'; SELECT 1"] {
        for (method, path) in [
            (Method::GET, format!("/api/v1/session/{id}")),
            (Method::GET, "/api/v1/session/';SELECT".to_owned()),
            (Method::POST, "/api/v1/session".to_owned()),
            (Method::POST, format!("/api/v1/session/{id}/authenticate")),
        ] {
            let answer = server.request(method, &path, Some(token), Some(json!({ "title": token }))).await;
            if !answer.status.is_success() {
                texts.push(answer.body.to_string());
            }
        }
    }
    let stranger = server.send(Method::GET, "/api/v1/whoami", HeaderMap::new(), "").await;
    texts.push(stranger.body.to_string());
    texts.push(server.internal("/metrics").await.1);
    let folder = server.folder().display().to_string();
    texts.push(log());
    for text in texts {
        for secret in [&key[36..88], &token[36..88], &new[36..88], &folder, "INSERT", "needle"] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }
}
