//! The responses when the store cannot be written: a full disk, a file that cannot grow, a file that cannot be changed.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::Method;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::json;
use session_test_support::launcher::STORE_FILE;
use session_test_support::{Contract, Sessiond, binary};
use tempfile::TempDir;

use super::store_files::sessions;
use crate::store_faults::ready_is;

const SCOPES: [&str; 5] =
    ["session:create", "session:authenticate", "session:update", "session:read", "session:revoke"];

/// Writes a shell script that ends as `sessiond`.
fn script(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("start.sh");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
    path
}

/// Starts a server that outlives the signal of a file that is too long. Returns the folder of the script as well, which
/// its commands also use.
async fn start_with_limit() -> (TempDir, Sessiond) {
    let folder = tempfile::tempdir().unwrap();
    let program = script(folder.path(), &format!("trap '' XFSZ\nexec {} \"$@\"", binary().display()));
    let server = Sessiond::start_through(&program, &[]).await;
    (folder, server)
}

/// Limits the size of the files that a process writes; `None` is unlimited.
fn limit_files(server: &Sessiond, bytes: Option<u64>) {
    let pid = Pid::from_raw(server.pid().try_into().unwrap());
    let maximum = getrlimit(Resource::Fsize).maximum;
    prlimit(pid, Resource::Fsize, Rlimit { current: bytes.or(maximum), maximum }).unwrap();
}

/// Checks that every change is refused as one that was not made, and that reads continue. `key` has every scope.
async fn only_reads_succeed(server: &Sessiond, key: &str) {
    let (session, token) = server.create(key, json!({ "session_type": "api" })).await;
    let id = session["summary"]["id"].as_str().unwrap().to_owned();
    let before = server.request(Method::GET, "/api/v1/session", Some(key), None).await.body;
    limit_files(server, Some(4_096));

    let contract = Contract::load();
    for operation in contract.operations() {
        let caller = if operation.id == "fetch_own_session" { &token } else { key };
        let answer = server.call(&operation.id, &id, Some(caller)).await;
        if operation.reads() {
            assert_eq!(answer.status, 200, "{}", operation.id);
            continue;
        }
        if answer.body["revoked"] == 0 {
            // No session is of the account in the request, so there is nothing to write.
            continue;
        }
        assert_eq!(answer.outcome(), (503, "unknown"), "{}", operation.id);
        assert!(answer.message().contains("nothing was changed"), "{}", answer.message());
        assert!(answer.headers.contains_key("retry-after"));
        let request = answer.headers["x-request-id"].to_str().unwrap();
        server.logged(request);
        let log = server.log();
        assert!(log.lines().any(|line| line.contains(request) && line.contains("I/O error")), "{log}");
    }
    ready_is(server, 503).await;
    assert_eq!(server.internal("/health").await.0, 200);
    let refused =
        server.command(&["key", "create", "--name", "n", "--domain", &id, "--scope", "session:read"]).run();
    assert!(refused.code == 1 && refused.stderr.contains("nothing was changed"), "{refused:?}");
    assert_eq!(server.command(&["export", "-"]).run().code, 0);
    assert_eq!(server.request(Method::GET, "/api/v1/session", Some(key), None).await.body, before);

    limit_files(server, None);
    ready_is(server, 200).await;
    server.create(key, json!({ "session_type": "api" })).await;
}

#[tokio::test]
async fn a_store_whose_files_cannot_grow_refuses_changes_as_not_made_and_reads_continue() {
    let (_folder, server) = start_with_limit().await;
    let key = server.key(&SCOPES);
    only_reads_succeed(&server, &key).await;
    // Nothing was lost: a server on the same files has what this one had.
    let sessions = server.request(Method::GET, "/api/v1/session", Some(&key), None).await.body;
    let server = Sessiond::start_on(server.kill(), &[]).await;
    assert_eq!(server.request(Method::GET, "/api/v1/session", Some(&key), None).await.body, sessions);
}

#[tokio::test]
async fn a_checkpoint_that_was_cut_off_by_the_end_of_the_process_loses_nothing() {
    let (_folder, server) = start_with_limit().await;
    let key = server.key(&SCOPES);
    server.import(&sessions(3_000));
    let length = |name: &str| server.folder().join(name).metadata().unwrap().len();
    let (database, log) = (length(STORE_FILE), length("sessions.db-wal"));
    let limit = u64::midpoint(database, log);
    // The commit fails and a checkpoint follows, which fails as well, after the first pages. After the checkpoint of the
    // start there is none for a second.
    limit_files(&server, Some(limit));
    let give_up = Instant::now() + Duration::from_secs(30);
    while length(STORE_FILE) == database && Instant::now() < give_up {
        assert_eq!(server.call("create_session", "-", Some(&key)).await.outcome(), (503, "unknown"));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ready_is(&server, 503).await;
    assert!(length(STORE_FILE) > database && length(STORE_FILE) <= limit, "{}", length(STORE_FILE));
    assert_eq!(length("sessions.db-wal"), log);

    let server = Sessiond::start_on(server.kill(), &[]).await;
    let checked = server.command(&["check"]).run();
    assert!(checked.stdout.contains("sessions: 3000 new\n"), "{checked:?}");
    server.create(&key, json!({ "session_type": "api" })).await;
}

/// The arguments of `unshare` with which this user may mount a file system that only the process sees.
fn unshare() -> Option<&'static str> {
    ["--mount", "--user --map-root-user --mount"].into_iter().find(|arguments| {
        let mount = format!("unshare {arguments} sh -c 'mount -t tmpfs none /tmp'");
        Command::new("sh").args(["-c", &mount]).output().is_ok_and(|output| output.status.success())
    })
}

#[tokio::test]
async fn a_full_disk_refuses_changes_as_not_made_and_loses_none_that_was_acknowledged() {
    let Some(unshare) = unshare() else {
        eprintln!("skipped: this user may not mount a file system with `unshare`");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let program = script(
        folder.path(),
        &format!(
            "export folder=${{SESSIOND_CONFIG%/*}} settings=\"$(cat $SESSIOND_CONFIG)\"\n\
             exec unshare {unshare} sh -c 'mount -t tmpfs -o size=3m,mode=700 none $folder && \
             echo \"$settings\" > $SESSIOND_CONFIG && exec {} \"$@\"' sh \"$@\"",
            binary().display()
        ),
    );
    let server = Sessiond::start_through(&program, &["--dev"]).await;
    let key = server.stdout().split("Bearer ").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    let disk = PathBuf::from(format!("/proc/{}/root{}", server.pid(), server.folder().display()));
    let filler = disk.join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while file.write_all(&[1; 4_096]).is_ok() {}
    drop(file);

    let mut acknowledged = Vec::new();
    let mut outcomes = BTreeMap::new();
    for _ in 0..300 {
        let body = json!({ "session_type": "api", "title": "t".repeat(200) });
        let answer = server.request(Method::POST, "/api/v1/session", Some(&key), Some(body)).await;
        *outcomes.entry(answer.status.as_u16()).or_insert(0) += 1;
        if answer.status == 201 {
            acknowledged.push(answer.body["session"]["summary"]["id"].as_str().unwrap().to_owned());
        } else {
            assert_eq!(answer.outcome(), (503, "unknown"));
            assert!(answer.message().contains("nothing was changed"), "{}", answer.message());
        }
        assert_eq!(server.call("list_sessions", "-", Some(&key)).await.status, 200, "reads continue");
    }
    println!("on a full disk: {outcomes:?}");
    assert!(outcomes.keys().all(|status| [201, 503].contains(status)), "{outcomes:?}");
    assert!(outcomes[&503] > 0, "{outcomes:?}");
    server.logged("full");

    fs::remove_file(filler).unwrap();
    ready_is(&server, 200).await;
    let body = json!({ "session_type": "api", "title": "t".repeat(200) });
    acknowledged.push(server.create(&key, body).await.0["summary"]["id"].as_str().unwrap().to_owned());
    for id in acknowledged {
        assert_eq!(server.fetch(&id, &key).await.status, 200, "{id}");
    }
}

#[tokio::test]
async fn a_write_ahead_log_that_cannot_be_changed_refuses_changes_as_not_made() {
    let server = Sessiond::start().await;
    let key = server.key(&SCOPES);
    let (session, token) = server.create(&key, json!({ "session_type": "api" })).await;
    let id = session["summary"]["id"].as_str().unwrap();
    let log = server.folder().join("sessions.db-wal");
    let immutable = |flag: &str| {
        let output = Command::new("chattr").arg(flag).arg(&log).output();
        output.is_ok_and(|output| output.status.success())
    };
    if !immutable("+i") {
        eprintln!("skipped: this user or this file system cannot make a file immutable with `chattr`");
        return;
    }
    let answer = server.call("revoke_session", id, Some(&key)).await;
    let fetched = server.fetch(id, &token).await;
    ready_is(&server, 503).await;
    assert!(immutable("-i"));
    assert_eq!(answer.outcome(), (503, "unknown"));
    assert!(answer.message().contains("nothing was changed"), "{}", answer.message());
    assert_eq!((fetched.status.as_u16(), &fetched.body["summary"]), (200, &session["summary"]));
    ready_is(&server, 200).await;
    assert_eq!(server.call("revoke_session", id, Some(&key)).await.status, 200);
}
