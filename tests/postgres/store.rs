//! `sessiond` on a PostgreSQL database.

use session_test_support::launcher::{Program, WITHOUT_LIFETIMES, key_create};
use session_test_support::postgres::Cluster;
use session_test_support::{binary, command, seed};

/// The URL of a new database, with a password that no output may have.
fn url() -> String {
    let cluster = Cluster::shared();
    cluster.url(&cluster.create_database()).replace("postgres@", "postgres:geheim@")
}

#[test]
fn a_sample_is_served_from_an_empty_database_and_commands_act_beside_the_server() {
    let url = url();
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--store", &url, "--dev"];
    let mut server = Program::at(binary()).serve(folder.path(), WITHOUT_LIFETIMES, &flags).unwrap();
    let run = |arguments: &[&str]| command(&[arguments, &["--store", &url]].concat()).run();
    assert!(server.stdout().contains("# fetch the sample session"), "{}", server.stdout());
    let key = run(&key_create(&["--domain", seed::DOMAIN_ID], &["session:read"]));
    assert_eq!(key.code, 0, "{key:?}");
    assert_eq!(run(&["key", "list"]).stdout.lines().count(), 2);
    let exported = run(&["export", "-"]);
    assert_eq!((exported.code, exported.stdout.lines().count()), (0, 1), "{exported:?}");
    let imported = command(&["import", "-", "--store", &url]).input(exported.stdout).run();
    assert!(imported.code == 1 && imported.stderr.contains("line 1"), "{imported:?}");
    assert_eq!(run(&["events"]).stdout.lines().count(), 1);
    // Another server on the same database finds what the first has added.
    let other = tempfile::tempdir().unwrap();
    let second = Program::at(binary()).serve(other.path(), WITHOUT_LIFETIMES, &flags).unwrap();
    assert!(second.stdout().contains("the store is not empty"), "{}", second.stdout());
    assert!(server.log().contains("created a store") && !second.log().contains("created a store"));
    server.signal(rustix::process::Signal::TERM).unwrap();
    server.wait_for(|server| server.log().contains("stopped").then_some(())).unwrap();
    assert!(!(server.log() + &second.log()).contains("geheim"));
    // No data directory: the folder has the settings alone.
    assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    while server.ended().unwrap().is_none() {}
}

#[test]
fn migrate_prints_the_versions_of_the_schema_on_both_stores() {
    let folder = tempfile::tempdir().unwrap();
    for store in [url(), format!("sqlite:{}", folder.path().join("data/sessions.db").display())] {
        let migrate = || {
            let finished = command(&["migrate", "--store", &store]).run();
            assert_eq!((finished.code, finished.stderr.as_str()), (0, ""), "{store}");
            finished.stdout
        };
        let first = migrate();
        let version = first.strip_prefix("schema version: ").unwrap().strip_suffix(" (was 0)\n").unwrap();
        assert_ne!(version, "0");
        assert_eq!(migrate(), format!("schema version: {version} (was {version})\n"));
    }
}

#[test]
fn commands_for_the_files_of_an_embedded_store_refuse_a_database() {
    for arguments in [&["backup", "x"][..], &["restore", "x"], &["check"], &["check", "x"]] {
        let finished =
            command(&[arguments, &["--store", "postgres://u:geheim@127.0.0.1:1/x"]].concat()).run();
        assert_eq!(finished.code, 2, "{finished:?}");
        assert!(finished.stderr.contains("pg_dump") && finished.stderr.lines().count() == 1, "{finished:?}");
    }
}

#[test]
fn a_database_that_cannot_be_reached_is_an_error_with_the_host_and_the_cause() {
    for arguments in
        [&["serve", "--listen", "127.0.0.1:0", "--internal-listen", "127.0.0.1:0"][..], &["migrate"]]
    {
        let url = "postgres://u:geheim@127.0.0.1:1,localhost:2/x?sslmode=disable";
        let finished = command(&[arguments, &["--store", url]].concat()).run();
        let last = finished.stderr.lines().last().unwrap_or_default();
        assert_eq!(finished.code, 1, "{finished:?}");
        assert!(last.starts_with("sessiond: the database cannot be used: 127.0.0.1:1: "), "{finished:?}");
        assert!(last.contains("; localhost:2: ") && last.contains("Connection refused"), "{finished:?}");
        assert!(!finished.stderr.contains("geheim"), "{finished:?}");
    }
}
