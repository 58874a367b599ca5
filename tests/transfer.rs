//! `sessiond import` and `sessiond export`

use serde_json::{Value, json};
use session_test_support::database::Database;
use session_test_support::launcher::{WITHOUT_LIFETIMES, store_folder, store_url};
use session_test_support::{Sessiond, command, seed};

#[tokio::test]
async fn exported_sessions_are_imported_elsewhere_unchanged() {
    let server = Sessiond::start().await;
    let key = server.key(&["session:create"]);
    let mut lines = vec![seed::summary().to_string()];
    for place in 0..30 {
        let body = json!({ "session_type": "api", "title": format!("№ {place}"), "interaction": {} });
        lines.push(server.create(&key, body).await.0["summary"].to_string());
    }
    assert_eq!(server.command(&["import", "-"]).input(lines[0].clone()).run().code, 0);
    let file = server.folder().join("sessions.jsonl");
    let file = file.to_str().unwrap();
    assert_eq!(server.command(&["export", file]).run().code, 0);
    let again = server.command(&["export", file]).run();
    assert_eq!(again.code, 1, "an export replaces nothing: {again:?}");
    let exported = std::fs::read_to_string(file).unwrap();
    let values = |text: &str| {
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(values(&exported), values(&lines.join("\n")));
    assert!(!exported.contains("sst_"));

    let other = tempfile_store();
    let on_other = |arguments: [&str; 2]| {
        command(&arguments).env("SESSIOND_STORE", &other.1).env("SESSIOND_CONFIG", &other.2)
    };
    let imported = on_other(["import", file]).run();
    assert_eq!(imported.code, 0, "{imported:?}");
    assert!(imported.stderr.contains("imported 31, refused 0"), "{imported:?}");
    assert_eq!(on_other(["export", "-"]).run().stdout, exported);
}

/// A folder, the URL of a store in it, and settings without lifetimes.
fn tempfile_store() -> (tempfile::TempDir, String, String) {
    let folder = store_folder().unwrap();
    let settings = folder.path().join("sessiond.toml");
    std::fs::write(&settings, WITHOUT_LIFETIMES).unwrap();
    let store = store_url(folder.path());
    let settings = settings.to_str().unwrap().to_owned();
    (folder, store, settings)
}

#[tokio::test]
async fn invalid_and_existing_sessions_are_reported_by_line_and_the_rest_is_imported() {
    let server = Sessiond::start().await;
    let with = |name: &str, value: Value| {
        let mut session = seed::summary();
        session["id"] = json!("013xrzp12g3nqk8nkv4y96wrbzje9d00");
        session[name] = value;
        session.to_string()
    };
    let mut half = seed::summary();
    half.as_object_mut().unwrap().remove("authenticated_identity_id");
    let lines = [
        seed::summary().to_string(),
        seed::summary().to_string(),
        "not JSON".to_owned(),
        with("status", json!("asleep")),
        with("colour", json!("red")),
        with("title", Value::Null),
        with("first_seen", json!({ "at": 1_234_567_890.123_4 })),
        half.to_string(),
        "x".repeat(100_000),
        String::new(),
        with("title", json!("the last one")),
    ];
    let finished = server.command(&["import", "-"]).input(lines.join("\n")).run();
    assert_eq!(finished.code, 1);
    for (line, text) in [
        (2, "exists"),
        (3, "not JSON"),
        (4, "status"),
        (5, "colour"),
        (6, "title"),
        (7, "timestamp"),
        (8, "authenticated_identity_id"),
        (9, "longer than"),
    ] {
        let report = finished.stderr.lines().find(|report| report.contains(&format!("line {line}: ")));
        assert!(report.is_some_and(|report| report.contains(text)), "line {line}: {finished:?}");
    }
    assert!(finished.stderr.contains("imported 2, refused 8"), "{finished:?}");
    let exported = server.command(&["export", "-"]).run().stdout;
    assert_eq!(exported.lines().count(), 2);
    assert!(exported.contains("the last one"));
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_skipped_and_named_and_all_others_are_returned() {
    let server = Sessiond::start().await;
    let key = server.key(&["session:read"]);
    let sessions: Vec<_> = (0..5)
        .map(|place| {
            let mut session = seed::summary();
            session["id"] = json!(format!("013xrzp12g3nqk8nkv4y96wrbzje9d0{place}"));
            session["title"] = json!(format!("number {place}"));
            session
        })
        .collect();
    server.import(&sessions);
    // Values that no version of the program writes.
    let mut database = Database::of(server.folder());
    let too_long = "replace('0000000000', '0', '000000000000000000000000000000')";
    database.execute(&format!("UPDATE session SET title = {too_long} WHERE title = 'number 2'"));
    database.execute(
        "UPDATE event SET action = 'exploded' WHERE id = (SELECT id FROM event ORDER BY id LIMIT 1)",
    );
    let id = sessions[2]["id"].as_str().unwrap();

    let exported = server.command(&["export", "-"]).run();
    assert_eq!((exported.code, exported.stdout.lines().count()), (1, 4), "{exported:?}");
    assert!(exported.stderr.contains(&format!("session {id} cannot be read")), "{exported:?}");
    assert!(exported.stderr.contains("title"), "{exported:?}");
    let events = server.command(&["events", "--since", "0"]).run();
    assert_eq!((events.code, events.stdout.lines().count()), (1, 4), "{events:?}");
    assert!(events.stderr.contains("event "), "{events:?}");

    let listed = server.request(reqwest::Method::GET, "/api/v1/session", Some(&key), None).await;
    assert_eq!(
        (listed.status.as_u16(), listed.body["items"].as_array().map(Vec::len)),
        (200, Some(4)),
        "{listed:?}"
    );
    server.logged(id);
    let fetched = server.fetch(id, &key).await;
    assert_eq!(fetched.outcome(), (500, "unexpected"), "alone, it is a fault");
    for other in [0, 1, 3, 4] {
        assert_eq!(server.fetch(sessions[other]["id"].as_str().unwrap(), &key).await.status, 200);
    }

    database.execute("UPDATE api_key SET scopes = 'session:explode'");
    let keys = server.command(&["key", "list"]).run();
    assert_eq!((keys.code, keys.stdout.as_str()), (1, ""), "{keys:?}");
    assert!(keys.stderr.contains("api_key "), "{keys:?}");
}
