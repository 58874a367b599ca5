//! The files of the store: lost commits, backups, permissions.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use serde_json::{Value, json};
use session_test_support::launcher::{Finished, Program, STORE_FILE, sqlite_url, store_folder};
use session_test_support::{Sessiond, binary, command, seed};

/// The number of sessions that were in the write-ahead log alone when it was lost without a word.
const SESSIONS: usize = 3_000;

/// Sessions with different IDs, as lines.
pub(crate) fn sessions(count: usize) -> Vec<Value> {
    let digit = |number: usize| char::from(b"0123456789abcdefghjkmnpqrstvwxyz"[number % 32]);
    let session = |number: usize| {
        let mut session = seed::summary();
        let end: String = [number / 1024, number / 32, number].map(digit).iter().collect();
        session["id"] = json!(format!("{}{end}", &seed::SESSION_ID[..29]));
        session
    };
    (0..count).map(session).collect()
}

/// Tries to serve a store that cannot be served. Returns how it ended: with 124 if it was served after all.
fn serve(store: &str) -> Finished {
    let program = binary().to_str().unwrap();
    let flags = ["--listen", "127.0.0.1:0", "--internal-listen", "127.0.0.1:0", "--store", store];
    Program::at(Path::new("timeout")).command(&[&["20", program, "serve"], &flags[..]].concat()).run()
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn lost_commits_are_refused_by_the_server_and_every_command_until_a_backup_is_restored() {
    let server = Sessiond::start().await;
    server.logged("created a store");
    let key = server.key(&["session:read"]);
    server.import(&sessions(SESSIONS));
    let backup = server.folder().join("backup.db");
    let backup = backup.to_str().unwrap();
    assert_eq!(server.command(&["backup", backup]).run().code, 0);
    assert_eq!(mode(Path::new(backup)), 0o600);
    let later = server.key(&["session:read"]);
    let folder = server.kill();
    let log = folder.path().join("sessions.db-wal");
    assert!(log.metadata().unwrap().len() > 1_000_000, "the sessions are in the write-ahead log");

    let store = sqlite_url(folder.path());
    let on_store = |arguments: &[&str]| command(&[arguments, &["--store", &store]].concat()).run();
    let whole = fs::read(&log).unwrap();
    let database = folder.path().join(STORE_FILE);
    let whole_database = fs::read(&database).unwrap();
    let create = ["key", "create", "--name", "n", "--domain", seed::DOMAIN_ID, "--scope", "session:read"];
    for (lost, damage) in [
        ("sessions.db-wal does not exist", (&log, None)),
        ("sessions.db-wal is empty", (&log, Some(vec![]))),
        ("sessions.db-wal is damaged", (&log, Some(vec![0; whole.len()]))),
        ("are lost", (&log, Some(whole[..whole.len() / 2].to_vec()))),
        ("sessions.db: it does not exist", (&database, None)),
        ("sessions.db: it is empty", (&database, Some(vec![]))),
        (
            "sessions.db: it is damaged",
            (&database, Some(whole_database[..whole_database.len() / 2].to_vec())),
        ),
    ] {
        let (path, bytes) = damage;
        fs::remove_file(path).unwrap();
        if let Some(bytes) = &bytes {
            fs::write(path, bytes).unwrap();
            fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
        }
        for arguments in [
            &["serve", "--listen", "127.0.0.1:0", "--internal-listen", "127.0.0.1:0"][..],
            &["key", "list"],
            &create,
            &["export", "-"],
            &["events"],
            &["check"],
            &["backup", "/nowhere/backup.db"],
        ] {
            let finished = on_store(arguments);
            assert_eq!(
                (finished.code, finished.stdout.as_str()),
                (1, ""),
                "{lost}: {arguments:?}: {finished:?}"
            );
            // What only reads says that a missing database does not exist, and nothing of its log.
            assert!(finished.stderr.contains(lost) || !database.exists(), "{lost}: {finished:?}");
            assert_eq!(fs::read(path).ok(), bytes, "{lost}: {arguments:?}");
        }
        let whole = if path == &log { &whole } else { &whole_database };
        fs::write(path, whole).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    }

    // With whole files, nothing is lost; with a lost log, the backup has what was acknowledged before it.
    let checked = on_store(&["check"]);
    assert!(checked.stdout.contains(&format!("sessions: {SESSIONS} new\n")), "{checked:?}");
    assert!(checked.stdout.contains("keys: 2\n"), "{checked:?}");
    fs::remove_file(&log).unwrap();
    assert_eq!(on_store(&["check"]).code, 1);
    let restored = on_store(&["restore", backup]);
    assert_eq!(restored.code, 0, "{restored:?}");
    assert!(restored.stderr.contains("sessions.db.replaced-"), "{restored:?}");
    assert_eq!(on_store(&["check", backup]).stdout, restored.stdout);
    let server = Sessiond::start_on(folder, &[]).await;
    assert!(!server.log().contains("created a store"));
    let last = &sessions(SESSIONS)[SESSIONS - 1];
    assert_eq!(server.fetch(last["id"].as_str().unwrap(), &key).await.body["summary"]["id"], last["id"]);
    assert_eq!(
        server.fetch(seed::SESSION_ID, &later).await.status,
        401,
        "the key is younger than the backup"
    );
    assert_eq!(server.command(&["export", "-"]).run().stdout.lines().count(), SESSIONS);

    let refused = server.command(&["restore", backup]).run();
    assert!(refused.code == 1 && refused.stderr.contains("stop that one"), "{refused:?}");
    // Without its lock file, whatever is left is the store.
    let folder = server.kill();
    fs::remove_file(folder.path().join("sessiond.lock")).unwrap();
    assert_eq!(on_store(&["key", "list"]).code, 0);
}

#[tokio::test]
async fn a_command_that_creates_a_store_says_so() {
    let folder = store_folder().unwrap();
    let store = sqlite_url(folder.path());
    let list = || command(&["key", "list", "--store", &store]).run();
    let first = list();
    assert!(first.code == 0 && first.stderr.contains("created a store"), "{first:?}");
    assert_eq!(list().stderr, "");
    let missing = format!("sqlite:{}", folder.path().join("other/sessions.db").display());
    for arguments in [["check", "--store", &missing], ["export", "--store", &missing]] {
        command(&arguments).run();
    }
    assert!(!folder.path().join("other").exists(), "a check creates nothing");
}

#[tokio::test]
async fn a_data_directory_or_file_that_others_may_access_is_refused_with_the_command_that_fixes_it() {
    let server = Sessiond::start().await;
    let folder = server.stop().await;
    let store = sqlite_url(folder.path());
    for (name, wrong, right) in [
        (".", 0o755, "chmod 700 "),
        (STORE_FILE, 0o644, "chmod 600 "),
        ("sessiond.lock", 0o644, "chmod 600 "),
    ] {
        let path = folder.path().join(name);
        let before = mode(&path);
        fs::set_permissions(&path, Permissions::from_mode(wrong)).unwrap();
        for finished in [serve(&store), command(&["key", "list", "--store", &store]).run()] {
            assert_eq!(finished.code, 1, "{name}: {finished:?}");
            let text = finished.stderr.split_once("run `").unwrap().1;
            assert!(text.starts_with(right), "{name}: {finished:?}");
            let fix = text.split_once('`').unwrap().0;
            assert!(std::process::Command::new("sh").args(["-c", fix]).status().unwrap().success());
            assert_eq!(mode(&path), before, "{name}");
            fs::set_permissions(&path, Permissions::from_mode(wrong)).unwrap();
        }
        fs::set_permissions(&path, Permissions::from_mode(before)).unwrap();
    }
    Sessiond::start_on(folder, &[]).await;
}

#[tokio::test]
async fn symbolic_links_in_the_data_directory_are_refused_and_their_targets_unchanged() {
    let elsewhere = tempfile::tempdir().unwrap();
    fs::set_permissions(elsewhere.path(), Permissions::from_mode(0o755)).unwrap();
    let target = elsewhere.path().join("precious");
    fs::write(&target, "precious").unwrap();
    fs::set_permissions(&target, Permissions::from_mode(0o644)).unwrap();
    for (name, target) in [
        ("sessiond.lock", target.as_path()),
        ("sessions.db-wal", &target),
        ("admin", elsewhere.path()),
        ("admin/sessiond.sock", &target),
    ] {
        let folder = store_folder().unwrap();
        let link = folder.path().join(name);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(target, &link).unwrap();
        let store = sqlite_url(folder.path());
        let finished = serve(&store);
        assert_eq!(finished.code, 1, "{name}: {finished:?}");
        let last = finished.stderr.lines().last().unwrap();
        assert!(last.contains(link.file_name().unwrap().to_str().unwrap()), "{name}: {finished:?}");
        assert!(last.contains("remove"), "{name}: {finished:?}");
        assert!(link.is_symlink(), "{name}");
    }
    assert_eq!(fs::read(&target).unwrap(), b"precious");
    assert_eq!((mode(&target), mode(elsewhere.path())), (0o644, 0o755));
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn one_database_has_one_server_and_its_commands_reach_it_by_whatever_path() {
    let server = Sessiond::start().await;
    let elsewhere = store_folder().unwrap();
    symlink(server.folder(), elsewhere.path().join("folder")).unwrap();
    symlink(server.folder().join(STORE_FILE), elsewhere.path().join("link.db")).unwrap();
    for path in ["folder/sessions.db", "link.db"] {
        let store = format!("sqlite:{}", elsewhere.path().join(path).display());
        let second = serve(&store);
        assert!(second.code == 1 && second.stderr.contains("another sessiond"), "{path}: {second:?}");
        let created = command(&[
            "key",
            "create",
            "--name",
            "n",
            "--domain",
            seed::DOMAIN_ID,
            "--scope",
            "session:read",
            "--store",
            &store,
        ])
        .run();
        assert_eq!(created.code, 0, "{path}: {created:?}");
    }
    assert_eq!(server.command(&["key", "list"]).run().stdout.lines().count(), 2);
}

#[tokio::test]
async fn an_export_and_a_backup_are_readable_by_their_owner_only() {
    let server = Sessiond::start().await;
    server.import(&[seed::summary()]);
    for name in ["export", "backup"] {
        let path = server.folder().join(name);
        assert_eq!(server.command(&[name, path.to_str().unwrap()]).run().code, 0);
        assert_eq!(mode(&path), 0o600, "{name}");
    }
    assert_eq!(mode(&server.folder().join("admin")), 0o700);
    assert_eq!(mode(&server.folder().join("admin/sessiond.sock")), 0o600);
}
