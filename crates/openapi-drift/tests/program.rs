//! The program `openapi-drift`: its exit codes and its list of rules.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use std::process::{Command, Output};

const BASE: &str = r#"{
  "openapi": "3.0.3",
  "info": { "title": "Things", "version": "1.0.0" },
  "paths": { "/thing": { "get": { "responses": { "200": { "description": "A thing" } } } } }
}"#;

/// Runs the program on `BASE` and a revision.
fn run(revision: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("base.json"), BASE).unwrap();
    std::fs::write(folder.path().join("openapi.json"), revision).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_openapi-drift"));
    command.current_dir(folder.path()).args(["--base", "base.json"]).args(arguments);
    command.output().unwrap()
}

#[test]
fn the_exit_code_is_0_if_nothing_breaks_1_if_something_does_and_2_if_documents_cannot_be_compared() {
    let same = run(BASE, &[]);
    assert_eq!(same.status.code(), Some(0), "{same:?}");
    let renamed = run(&BASE.replace("/thing\"", "/things\""), &["--format", "github"]);
    assert_eq!(renamed.status.code(), Some(1), "{renamed:?}");
    let text = String::from_utf8(renamed.stdout).unwrap();
    assert!(text.contains("::error file=openapi.json,line=4,"), "{text}");
    for unreadable in ["", "{}", "{\"openapi\": \"3.1.0\"}", &BASE.replace("responses", "answers")] {
        let output = run(unreadable, &[]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{output:?}");
    }
    assert_eq!(run(BASE, &["--today", "tomorrow"]).status.code(), Some(2));
}

#[test]
fn every_rule_is_listed_and_the_table_of_rules_is_current() {
    let rules = |format: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_openapi-drift"));
        let output = command.args(["rules", "--format", format]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let json: Vec<serde_json::Value> = serde_json::from_str(&rules("json")).unwrap();
    assert_eq!(json.len(), openapi_drift::rules::RULES.len());
    assert!(json.iter().any(|rule| rule["id"] == "operation-removed" && rule["kind"] == "wire"));
    assert_eq!(rules("human").lines().count(), json.len());
    let table = include_str!("../RULES.md");
    let (_, current) = table.split_once("\n\n").unwrap();
    let fix = "run `cargo run -p openapi-drift --features cli -- rules --format markdown` and paste it into RULES.md";
    assert_eq!(current, rules("markdown"), "{fix}");
}
