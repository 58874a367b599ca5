//! Backups by PostgreSQL's own programs, restored into a second cluster, have what was acknowledged.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use session_test_support::launcher::WITHOUT_LIFETIMES;
use session_test_support::postgres::Cluster;
use session_test_support::{Sessiond, seed};

const SCOPES: [&str; 4] = ["session:create", "session:authenticate", "session:read", "session:revoke"];

/// How long to wait for what a cluster does within seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// The lines of the sessions and of the events of a store. Each event is the acknowledged change of one session.
type Lines = BTreeSet<String>;

/// What the store of a server has, as `export`, `events` and `key list` print it.
fn lines(server: &Sessiond) -> Lines {
    let commands = [&["export", "-"][..], &["events"], &["key", "list", "--output", "json"]];
    commands
        .into_iter()
        .flat_map(|command| {
            let finished = server.command(command).run();
            assert_eq!(finished.code, 0, "{finished:?}");
            finished.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

/// What was acknowledged to a caller, which must be true of each restored store.
struct Acknowledged {
    key: String,
    id: String,
    /// The valid token of the session.
    token: String,
    /// Tokens that are replaced, and that of a session that was revoked.
    dead: Vec<String>,
}

/// Changes a store in every way.
async fn change(server: &Sessiond) -> Acknowledged {
    let key = server.key(&SCOPES);
    let mut dead = Vec::new();
    let body = || json!({ "session_type": "browser", "interaction": {} });
    for operation in ["complete_session", "revoke_session"] {
        let (session, first) = server.create(&key, body()).await;
        let id = session["summary"]["id"].as_str().unwrap();
        let token = server.authenticate(&key, id, seed::ACCOUNT_ID).await;
        assert_eq!(server.call(operation, id, Some(&token)).await.status, 200);
        dead.extend([first, token]);
    }
    let (session, first) = server.create(&key, body()).await;
    let id = session["summary"]["id"].as_str().unwrap().to_owned();
    let token = server.authenticate(&key, &id, seed::ACCOUNT_ID).await;
    dead.push(first);
    Acknowledged { key, id, token, dead }
}

/// Checks that a restored store accepts the valid token and the key, and no other token.
async fn check(server: &Sessiond, acknowledged: &Acknowledged) {
    let Acknowledged { key, id, token, dead } = acknowledged;
    for token in [key, token] {
        assert_eq!(server.fetch(id, token).await.body["summary"]["status"], "authenticated");
    }
    for token in dead {
        assert_eq!(server.fetch(id, token).await.status, 401);
    }
}

/// Creates sessions until it is cancelled.
async fn create_without_end(server: &Sessiond, key: &str) {
    loop {
        server.create(key, json!({ "session_type": "api" })).await;
    }
}

fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

#[tokio::test]
async fn a_dump_of_a_database_in_use_has_every_change_that_was_acknowledged_before_it() {
    let (cluster, second) = (Cluster::shared(), Cluster::start());
    let database = cluster.create_database();
    let server = Sessiond::start_at(&cluster.url(&database), WITHOUT_LIFETIMES).await;
    let acknowledged = change(&server).await;
    let before = lines(&server);

    let file = second.folder().join("sessions.dump");
    let (mut dump, target) = (cluster.command("pg_dump"), std::fs::File::create(&file).unwrap());
    dump.args(["--format=custom", &database]).stdout(target);
    let dumped = tokio::task::spawn_blocking(move || succeeds(&mut dump));
    tokio::select! {
        dumped = dumped => dumped.unwrap(),
        () = create_without_end(&server, &acknowledged.key) => {}
    }
    let after = lines(&server);

    let restored = second.create_database();
    let mut restore = second.command("pg_restore");
    restore.args(["--exit-on-error", "--single-transaction", "--dbname", &restored]).arg(&file);
    succeeds(&mut restore);
    let server = Sessiond::start_at(&second.url(&restored), WITHOUT_LIFETIMES).await;
    let found = lines(&server);
    assert_eq!(before.difference(&found).next(), None, "acknowledged before the dump");
    assert_eq!(found.difference(&after).next(), None, "what was never so");
    check(&server, &acknowledged).await;
}

/// Waits until the cluster has archived everything that was written so far.
fn archive(cluster: &Cluster) {
    let last = cluster.psql("postgres", "SELECT pg_walfile_name(pg_switch_wal())");
    let archived = format!("SELECT last_archived_wal >= '{last}' FROM pg_stat_archiver");
    let began = Instant::now();
    while cluster.psql("postgres", &archived) != "t" {
        assert!(began.elapsed() < PATIENCE, "{}", cluster.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A cluster that archives its write-ahead log in this folder.
fn archiving(folder: &Path) -> Cluster {
    let copy = format!("cp %p {}/%f", folder.display());
    Cluster::start_with(&[("archive_mode", "on"), ("archive_command", &copy)])
}

#[tokio::test]
async fn recovery_to_a_time_has_exactly_what_was_acknowledged_until_then() {
    // PostgreSQL's user writes there; nobody else uses this folder.
    let archived = tempfile::tempdir().unwrap();
    std::fs::set_permissions(archived.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let mut cluster = archiving(archived.path());
    let database = cluster.create_database();
    let server = Sessiond::start_at(&cluster.url(&database), WITHOUT_LIFETIMES).await;
    let mut acknowledged = vec![change(&server).await];
    let backup = cluster.base_backup("backup");
    // Changes after the base backup are in the archived files alone.
    acknowledged.push(change(&server).await);
    let expected = lines(&server);
    let time = cluster.psql("postgres", "SELECT clock_timestamp()");

    // A mistake: everything is revoked.
    let body = json!({ "pool_id": seed::POOL_ID });
    let answer =
        server.request(reqwest::Method::POST, "/api/v1/revocation", Some(&acknowledged[0].key), Some(body));
    assert_eq!(answer.await.status, 200);
    assert_eq!(server.fetch(&acknowledged[0].id, &acknowledged[0].token).await.status, 401);
    archive(&cluster);
    cluster.kill();
    drop(server);

    let restore = format!("cp {}/%f %p", archived.path().display());
    let recovered = Cluster::recover(
        &backup,
        &[
            ("restore_command", &restore),
            ("recovery_target_time", &time),
            ("recovery_target_action", "promote"),
        ],
    );
    let began = Instant::now();
    while recovered.psql("postgres", "SELECT pg_is_in_recovery()") == "t" {
        assert!(began.elapsed() < PATIENCE, "{}", recovered.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let server = Sessiond::start_at(&recovered.url(&database), WITHOUT_LIFETIMES).await;
    let found = lines(&server);
    assert_eq!(found, expected, "{:?}", found.symmetric_difference(&expected).collect::<Vec<_>>());
    for acknowledged in &acknowledged {
        check(&server, acknowledged).await;
    }
}
