//! `sessiond serve`: the reasons not to start on the embedded store, and how often it commits.

use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use futures::future::join_all;
use session_test_support::launcher::store_folder;
use session_test_support::{Finished, Sessiond, command};

/// Checks that it failed with one line that starts with the program's name and contains all of `texts`.
fn assert_one_line(finished: &Finished, texts: &[&str]) {
    assert_eq!(finished.code, 1, "{finished:?}");
    let lines: Vec<_> = finished.stderr.lines().filter(|line| !line.starts_with('{')).collect();
    assert!(lines.len() == 1 && lines[0].starts_with("sessiond: "), "{finished:?}");
    for text in texts {
        assert!(lines[0].contains(text), "{text}: {finished:?}");
    }
    assert!(!finished.stderr.contains("panicked"), "{finished:?}");
}

#[tokio::test]
async fn a_fault_at_start_is_printed_with_its_cause() {
    let folder = Sessiond::start().await.stop().await;
    let database = rusqlite::Connection::open(folder.path().join("sessions.db")).unwrap();
    database.execute("DROP TABLE setting", []).unwrap();
    drop(database);
    let store = format!("sqlite:{}/sessions.db", folder.path().display());
    let listen = ["--listen", "127.0.0.1:0", "--internal-listen", "127.0.0.1:0"];
    let finished = command(&[&["serve", "--store", &store][..], &listen].concat()).run();
    assert_one_line(&finished, &["setting"]);
    assert!(!finished.stderr.contains("its log"), "{finished:?}");
}

#[tokio::test]
async fn each_reason_not_to_start_is_one_line_that_says_how_to_fix_it() {
    let server = Sessiond::start().await;
    let taken = server.direct().to_string();
    let folder = store_folder().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("letter.db"), "This is not a database. ".repeat(100)).unwrap();
    std::fs::set_permissions(at("letter.db"), std::fs::Permissions::from_mode(0o600)).unwrap();
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
        [["--listen", "nowhere"], ["--store", "mysql://user:geheim@db/x"], ["--store", "sessions.db"]]
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

/// The number of commits of a server's store.
fn commits(server: &Sessiond) -> u64 {
    let checked = server.command(&["check"]).run();
    checked.stdout.lines().find_map(|line| line.strip_prefix("commits: ")).unwrap().parse().unwrap()
}

#[tokio::test]
async fn readiness_is_one_commit_a_second_however_often_it_is_asked_for() {
    let server = Sessiond::start().await;
    let before = commits(&server);
    let began = Instant::now();
    let asked = join_all((0..300).map(|_| server.internal("/ready"))).await;
    assert!(asked.iter().all(|(status, _)| *status == 200));
    let made = commits(&server) - before;
    assert!(made >= 1 && made <= began.elapsed().as_secs() + 1, "{made} in {:?}", began.elapsed());
}
