//! `openapi-drift` as a program.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use std::process::{Command, Output};

const BASE: &str = r#"{
  "openapi": "3.0.3",
  "info": { "title": "Things", "version": "1.0.0" },
  "paths": { "/thing": { "get": { "responses": { "200": { "description": "A thing" } } } } }
}"#;

fn run(revision: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("base.json"), BASE).unwrap();
    std::fs::write(folder.path().join("openapi.json"), revision).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_openapi-drift"));
    command.current_dir(folder.path()).args(["--base", "base.json"]).args(arguments);
    command.output().unwrap()
}

#[test]
fn nobody_breaks_is_0_somebody_breaks_is_1_and_what_cannot_be_compared_is_2() {
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
