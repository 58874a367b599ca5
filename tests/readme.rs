//! The README's commands, as a newcomer would type them, and the links of every document.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use session_test_support::launcher::key_create;
use session_test_support::postgres::Cluster;
use session_test_support::{Sessiond, binary, command, seed};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

#[tokio::test]
async fn the_shell_commands_of_the_readme_create_authenticate_and_fetch_a_session() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (command, script) = readme
        .split_once("$ sessiond serve --listen 127.0.0.1:8080 --store sqlite:sessiond-data/sessions.db\n")
        .and_then(|(_, rest)| rest.split_once("```sh\n"))
        .unwrap();
    assert_eq!(command, "```\n\n", "the script must directly follow the command that starts the server");
    let script = script.split("```").next().unwrap();

    // Port 8080 and the folder are whatever is free here.
    let server = Sessiond::start().await;
    let address = server.url();
    let script = script
        .replace("http://127.0.0.1:8080", &address)
        .replace("sqlite:sessiond-data/sessions.db", server.store());
    let folder = tempfile::tempdir().unwrap();
    let path = format!("{}:{}", binary().parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-euc", &script]).current_dir(folder.path()).env("PATH", path);
    let output = tokio::task::spawn_blocking(move || shell.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{output:?}");
    let fetched: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(fetched["summary"]["status"], "authenticated");
    assert_eq!(fetched["summary"]["first_seen"]["remote_ip"], "203.0.113.7");
}

#[tokio::test]
async fn two_nodes_that_run_the_readmes_command_for_postgresql_share_their_sessions() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (_, section) = readme.split_once("## Outgrow one machine\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    assert!(section.trim().lines().count() <= 10, "{section}");
    let (_, command_line) = section.split_once("$ sessiond serve ").unwrap();

    // The database and the port are whatever is free here.
    let cluster = Cluster::shared();
    let url = cluster.url(&cluster.create_database());
    let flags = command_line.lines().next().unwrap();
    let flags = flags
        .replace("127.0.0.1:8080", "127.0.0.1:0")
        .replace("postgres://sessiond@db.example/sessions", &url);
    let flags: Vec<&str> = flags.split(' ').collect();
    let (one, other) = tokio::join!(Sessiond::start_with(&flags), Sessiond::start_with(&flags));
    let scopes = ["session:create", "session:read"];
    let create = key_create(&["--domain", seed::DOMAIN_ID, "--pool", seed::POOL_ID], &scopes);
    let key = command(&create).env("SESSIOND_STORE", &url).created_key().unwrap().1;
    let (session, token) = one.create(&key, json!({ "session_type": "api" })).await;
    let id = session["summary"]["id"].as_str().unwrap();
    assert_eq!(other.fetch(id, &token).await.body["summary"], session["summary"]);
}

/// Every document of the repository.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn every_link_of_every_document_and_every_file_that_one_names_exists() {
    let mut seen = 0;
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let target = document.parent().unwrap().join(link.split('#').next().unwrap());
            assert!(target.exists(), "{}: {link}", document.display());
            seen += 1;
        }
        // `crates/session-api/src/types.rs`, but neither `crates/…` nor a command.
        let names = text.split('`').skip(1).step_by(2);
        let folders = ["crates/", "tests/", "docs/", "xtask/", ".ci/"];
        for name in names.filter(|name| folders.iter().any(|folder| name.starts_with(folder))) {
            if name.chars().all(|character| character.is_ascii_alphanumeric() || "/-_.".contains(character)) {
                assert!(root().join(name).exists(), "{}: {name}", document.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 20, "{seen} links and names were looked at");
}
