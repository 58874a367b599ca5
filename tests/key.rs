//! `sessiond key`

use serde_json::{Value, json};
use session_test_support::{Sessiond, command, seed};

#[tokio::test]
async fn keys_are_made_listed_and_revoked_with_and_without_a_running_server() {
    let server = Sessiond::start().await;
    let made = server.key_with(&["--domain", seed::DOMAIN_ID], &["session:read", "session:read"]);
    let (id, key) = (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned());
    assert_eq!(server.fetch(seed::SESSION_ID, &key).await.outcome(), (404, "not_found"));
    let store = server.store().to_owned();
    let list = |expected: usize| {
        let finished = command(&["key", "list", "--output", "json", "--store", &store]).run();
        assert_eq!(finished.code, 0, "{finished:?}");
        let keys: Vec<Value> =
            finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(keys.len(), expected);
        keys
    };
    let listed = &list(1)[0];
    assert_eq!((&listed["id"], &listed["scopes"]), (&json!(id), &json!(["session:read"])));
    assert!(!listed.to_string().contains(&key[36..88]), "the secret is shown once");

    let folder = server.stop().await;
    let create =
        ["key", "create", "--name", "offline", "--domain", seed::DOMAIN_ID, "--scope", "session:read"];
    let finished = command(&[&create[..], &["--store", &store]].concat()).run();
    assert_eq!(finished.code, 0, "{finished:?}");
    assert!(finished.stdout.contains("ssk_"));
    assert_eq!(command(&["key", "revoke", &id, "--store", &store]).run().code, 0);
    assert_ne!(list(2)[0]["revoked_at"], Value::Null);

    let server = Sessiond::start_on(folder, &[]).await;
    assert_eq!(server.fetch(seed::SESSION_ID, &key).await.outcome(), (401, "bad_authtoken"));
}

#[tokio::test]
async fn a_wrong_command_changes_nothing_and_reports_the_reason() {
    let server = Sessiond::start().await;
    let create = |flags: &[&str]| {
        let all = [&["key", "create", "--domain", seed::DOMAIN_ID][..], flags].concat();
        server.command(&all).run()
    };
    for (flags, code, text) in [
        (&["--name", "x", "--scope", "session:everything"][..], 2, "session:read"),
        (&["--name", "x"], 2, "--scope"),
        (&["--name", "", "--scope", "session:read"], 1, "name"),
        (&["--name", "a\nb", "--scope", "session:read"], 1, "name"),
        (&["--name", "a\u{202e}b", "--scope", "session:read"], 1, "U+202E"),
        (&["--name", "x", "--pool", "pool", "--scope", "session:read"], 2, "32 characters"),
    ] {
        let finished = create(flags);
        assert_eq!(finished.code, code, "{finished:?}");
        assert!(finished.stderr.contains(text), "{finished:?}");
    }
    let unknown = server.command(&["key", "revoke", seed::SESSION_ID]).run();
    assert_eq!(unknown.code, 1);
    assert!(unknown.stderr.contains("there is no API key"), "{unknown:?}");
    assert_eq!(server.command(&["key", "list"]).run().stdout, "");
}
