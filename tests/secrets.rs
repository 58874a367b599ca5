//! A token occurs only in the response that issues it.

use std::path::Path;

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::json;
use session_test_support::launcher::{database_name, on_postgres};
use session_test_support::postgres::Cluster;
use session_test_support::{Contract, Sessiond, seed};

const SCOPES: [&str; 5] =
    ["session:create", "session:authenticate", "session:update", "session:read", "session:revoke"];

/// Every file below a folder.
fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.is_file() {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}

/// The files of the store in a folder, as the end of the server leaves them.
fn stored(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    if on_postgres() {
        let (cluster, name) = (Cluster::shared(), database_name(folder));
        // Until then, the newest rows are only in the memory of the cluster and in its write-ahead log.
        cluster.psql("postgres", "CHECKPOINT");
        let oid = cluster.psql("postgres", &format!("SELECT oid FROM pg_database WHERE datname = '{name}'"));
        files(&cluster.folder().join("data/base").join(oid), &mut found);
        found.push(("the log of PostgreSQL".to_owned(), cluster.log().into_bytes()));
    } else {
        files(folder, &mut found);
    }
    found
}

fn contains(text: &[u8], needle: &str) -> bool {
    text.windows(needle.len()).any(|window| window == needle.as_bytes())
}

#[tokio::test]
async fn a_search_for_known_tokens_over_everything_that_was_written_finds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Sessiond::start_on(folder, &["--log-level", "trace"]).await;
    let key = server.key(&SCOPES);
    let (session, first) = server
        .create(&key, json!({ "session_type": "browser", "interaction": {}, "title": "in the clear" }))
        .await;
    let id = session["summary"]["id"].as_str().unwrap();
    let second = server.authenticate(&key, id, seed::ACCOUNT_ID).await;
    let tokens = [key.clone(), first.clone(), second.clone()];
    let mut written: Vec<(String, Vec<u8>)> = Vec::new();
    let mut note = |name: &str, text: String| written.push((name.to_owned(), text.into_bytes()));

    // Every operation, with the key and with tokens of a session of its own: right, cut and with a letter too many.
    let mut secrets = vec![key.clone(), first.clone(), second.clone()];
    let mut succeeded = std::collections::BTreeSet::new();
    for operation in Contract::load().operations().iter().map(|operation| operation.id.clone()) {
        for kind in ["key", "new", "authenticated"] {
            let (session, mut token) =
                server.create(&key, json!({ "session_type": "api", "interaction": {} })).await;
            let id = session["summary"]["id"].as_str().unwrap();
            if kind == "authenticated" {
                secrets.push(token);
                token = server.authenticate(&key, id, seed::ACCOUNT_ID).await;
            }
            secrets.push(token.clone());
            let token = if kind == "key" { key.clone() } else { token };
            for sent in [token[..90].to_owned(), format!("{token}0"), token] {
                let answer = server.call(&operation, id, Some(&sent)).await;
                if answer.status.is_success() {
                    succeeded.insert((operation.clone(), kind));
                    secrets.extend(answer.body["authtoken"].as_str().map(str::to_owned));
                } else {
                    note("an error's body", format!("{} {:?}", answer.body, answer.headers));
                }
            }
        }
    }
    let by_token = succeeded.iter().filter(|(_, kind)| *kind == "authenticated").count();
    assert_eq!(by_token, 6, "fetch, whoami, list, complete, revoke and revocation: {succeeded:?}");
    for token in &tokens {
        let mut twice = HeaderMap::new();
        twice.append("authorization", format!("Bearer {token}").parse().unwrap());
        twice.append("authorization", format!("Basic {token}").parse().unwrap());
        let mut once = HeaderMap::new();
        once.insert("authorization", format!("Bearer {key}").parse().unwrap());
        once.insert("content-type", "application/json".parse().unwrap());
        for headers in [twice, once] {
            for (method, path, body) in [
                (Method::GET, format!("/api/v1/session/{token}"), String::new()),
                (Method::GET, format!("/api/v1/session?account_id={token}"), String::new()),
                (Method::GET, format!("/api/v1/session?{token}"), String::new()),
                (Method::GET, format!("/{token}"), String::new()),
                (Method::POST, "/api/v1/session".to_owned(), json!({ "session_type": token }).to_string()),
                (Method::POST, "/api/v1/session".to_owned(), token.clone()),
                (Method::POST, "/api/v1/revocation".to_owned(), json!({ token: 1 }).to_string()),
            ] {
                let answer = server.send(method, &path, headers.clone(), body).await;
                assert!(answer.status.is_client_error(), "{path}: {:?}", answer.body);
                // A message may repeat the caller's own values, but not tokens.
                note(&format!("the response to {path}"), format!("{} {:?}", answer.body, answer.headers));
            }
        }
    }
    for command in [&["key", "list"][..], &["key", "list", "--output", "json"], &["events"], &["export", "-"]]
    {
        let finished = server.command(command).run();
        note(&format!("{command:?}"), format!("{}{}", finished.stdout, finished.stderr));
    }
    note("metrics", server.internal("/metrics").await.1);
    let before = server.log().len();
    // The database with its log, as a crash leaves them.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    note("the log", server.log());
    note("standard output", server.stdout());
    let folder = server.kill();
    let database = stored(folder.path());

    assert!(before > 10_000, "a trace is long");
    let clear: Vec<_> = database.iter().filter(|(_, text)| contains(text, "in the clear")).collect();
    let expected = if on_postgres() { "/base/" } else { "sessions.db-wal" };
    assert!(clear.iter().any(|(name, _)| name.contains(expected)), "what is no secret is found: {clear:?}");
    written.extend(database);
    for (name, text) in &written {
        for token in &secrets {
            // The secret alone: the ID in a token is a name.
            assert!(!contains(text, &token[36..88]), "a token is in {name}");
        }
    }
}

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat()
}

/// A token as it may be pasted or sent: as it is, in upper case, percent-encoded in part, and without its prefix.
fn written(token: &str) -> [String; 7] {
    [
        token.to_owned(),
        token.to_uppercase(),
        token.replacen('s', "%73", 1),
        token.replacen('_', "%5F", 1),
        percent_encoded(token),
        token[4..].to_owned(),
        token[36..88].to_owned(),
    ]
}

/// Whether the secret of a token is in the text, however it is written.
fn has_secret(text: &str, token: &str) -> bool {
    let secret = &token[36..88];
    let text = text.to_lowercase();
    text.contains(secret) || text.contains(&percent_encoded(secret))
}

#[tokio::test]
async fn a_token_in_a_url_is_not_in_the_log_however_it_is_written() {
    let server = Sessiond::start_with(&["--log-level", "trace"]).await;
    let key = server.key(&SCOPES);
    let (session, token) = server.create(&key, json!({ "session_type": "api" })).await;
    let id = session["summary"]["id"].as_str().unwrap();
    for token in [&key, &token] {
        for text in written(token) {
            for path in [format!("/api/v1/session/{text}"), format!("/api/v1/whoami?t={text}&id={id}")] {
                let answer = server.request(Method::GET, &path, None, None).await;
                server.logged(answer.headers["x-request-id"].to_str().unwrap());
                assert!(!has_secret(&server.log(), token), "{path}: {}", server.log());
                assert!(!has_secret(&answer.body.to_string(), token), "{path}: {:?}", answer.body);
            }
        }
    }
    assert!(server.log().contains(&format!("t=[REDACTED]&id={id}")), "IDs stay: {}", server.log());
}

#[tokio::test]
async fn a_token_in_a_title_a_user_agent_or_a_name_is_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    let server = Sessiond::start_on(folder, &[]).await;
    let key = server.key(&SCOPES);
    let (_, token) = server.create(&key, json!({ "session_type": "api" })).await;
    let mut shown = String::new();
    for text in written(&token).map(|text| text.chars().take(190).collect::<String>()) {
        let pasted = format!("my {text}");
        let body = json!({ "session_type": "api", "title": pasted, "interaction": { "user_agent": pasted } });
        let (session, own) = server.create(&key, body).await;
        let summary = &session["summary"];
        assert!(summary["title"].as_str().unwrap().starts_with("my [REDACTED]"), "{summary}");
        assert_eq!(summary["title"], summary["first_seen"]["user_agent"]);
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {own}").parse().unwrap());
        headers.insert("user-agent", pasted.parse().unwrap());
        let path = format!("/api/v1/session/{}", summary["id"].as_str().unwrap());
        server.send(Method::GET, &path, headers, "").await;
        shown.push_str(&server.fetch(summary["id"].as_str().unwrap(), &key).await.body.to_string());
        let create =
            ["key", "create", "--name", &pasted, "--domain", seed::DOMAIN_ID, "--scope", "session:read"];
        assert_eq!(server.command(&create).run().code, 0);
    }
    for command in [&["key", "list"][..], &["key", "list", "--output", "json"], &["export", "-"]] {
        shown.push_str(&server.command(command).run().stdout);
    }
    assert!(!has_secret(&shown, &token), "{shown}");
    for (name, text) in stored(server.stop().await.path()) {
        assert!(!has_secret(&String::from_utf8_lossy(&text), &token), "a token is in {name}");
    }
}
