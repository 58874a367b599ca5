//! The gate as a program: exit codes, forms of output, and the examples of the README.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn xtask(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask")).args(arguments).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The contract with a change, as a file.
fn changed(change: impl FnOnce(&mut Value)) -> (tempfile::TempDir, String) {
    let mut document: Value =
        serde_json::from_str(&std::fs::read_to_string(root().join("openapi.json")).unwrap()).unwrap();
    change(&mut document);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.json");
    std::fs::write(&path, serde_json::to_string_pretty(&document).unwrap()).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

#[test]
fn agreement_is_0_drift_is_1_and_a_tool_that_cannot_work_is_2() {
    let agreement = xtask(&["check", "--static"]);
    assert_eq!(agreement.status.code(), Some(0), "{agreement:?}");
    for leg in ["document: ", "server: ", "client: "] {
        assert!(text(&agreement).contains(leg), "{agreement:?}");
    }

    let (_folder, path) = changed(|document| {
        document["components"]["schemas"]["Session_Title"]["maxLength"] = json!(100);
    });
    let drift = xtask(&["check", "--static", "--spec", &path]);
    assert_eq!(drift.status.code(), Some(1), "{drift:?}");
    assert!(text(&drift).contains("#/components/schemas/Session_Title/maxLength: "), "{drift:?}");

    let (_folder, path) = changed(|document| document["openapi"] = json!("3.1.0"));
    let faulty = xtask(&["check", "--static", "--spec", &path]);
    assert_eq!(faulty.status.code(), Some(1), "a faulty document is drift: {faulty:?}");
    for leg in ["document: 1 finding", "server: 1 finding", "client: 1 finding"] {
        assert!(text(&faulty).contains(leg), "no leg may agree: {faulty:?}");
    }
    assert!(!text(&faulty).contains("stale"), "no other leg runs on a faulty document: {faulty:?}");

    for arguments in
        [&["check", "--static", "--spec", "/no/such/file"][..], &["breaking", "--base", "no-such-revision"]]
    {
        let failure = xtask(arguments);
        assert_eq!(failure.status.code(), Some(2), "{failure:?}");
        assert!(failure.stdout.is_empty() && !failure.stderr.is_empty(), "{failure:?}");
    }
}

/// A leg, what its line says, and the change of the contract.
type Case = (&'static str, &'static str, fn(&mut Value));

#[test]
fn each_leg_that_reads_finds_what_is_its_own_at_its_place() {
    let cases: [Case; 6] = [
        ("document: ", "#/components/responses/NotFound/content/application~1json/example: ", |document| {
            document["components"]["responses"]["NotFound"]["content"]["application/json"]["example"]["code"] =
                json!(1);
        }),
        ("document: ", "#/components/schemas/Spare: ", |document| {
            document["components"]["schemas"]["Spare"] = json!({ "type": "string" });
        }),
        ("server: ", "#/components/schemas/Session_Status/enum: ", |document| {
            document["components"]["schemas"]["Session_Status"]["enum"]
                .as_array_mut()
                .unwrap()
                .push(json!("asleep"));
        }),
        ("server: ", "#/paths/~1api~1v1~1whoami/get/parameters/0: ", |document| {
            document["paths"]["/api/v1/whoami"]["get"]["parameters"] =
                json!([{ "name": "full", "in": "query", "required": true, "schema": { "type": "boolean" } }]);
        }),
        ("client: ", "crates/session-client/src/generated.rs:", |document| {
            document["paths"]["/api/v1/whoami"]["get"]["summary"] = json!("Another summary");
        }),
        ("client: ", "no client can be generated", |document| {
            // Progenitor makes one variant of this and `not_found`.
            document["components"]["schemas"]["Error_Code"]["enum"]
                .as_array_mut()
                .unwrap()
                .push(json!("not-found"));
        }),
    ];
    for (leg, place, change) in cases {
        let (_folder, path) = changed(change);
        let output = xtask(&["check", "--static", "--spec", &path]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let found = text(&output).lines().any(|line| line.starts_with(leg) && line.contains(place));
        assert!(found, "{leg}{place} is not in {}", text(&output));
    }
}

#[test]
fn in_every_form_the_other_legs_report_that_they_did_not_run_when_the_document_leg_fails() {
    let (_folder, path) = changed(|document| {
        document["components"]["schemas"]["Spare"] = json!({ "type": "string" });
        // Found by the server leg and the client leg, if they ran.
        document["components"]["schemas"]["Session_Title"]["maxLength"] = json!(100);
    });
    for (form, of_leg) in [
        (
            "human",
            "LEG: FILE:1:1: #: this leg did not run because the document leg failed; fix that first [not-run]",
        ),
        ("json", r#""name": "LEG""#),
        ("github", "title=LEG%3A not-run::this leg did not run"),
        ("sarif", r#""ruleId": "LEG/not-run""#),
        ("junit", "not-run"),
    ] {
        for (arguments, legs) in
            [(&["--static"][..], &["server", "client"][..]), (&[], &["server", "client", "wire"])]
        {
            let output = xtask(&[&["check", "--spec", &path, "--format", form], arguments].concat());
            assert_eq!(output.status.code(), Some(1), "{output:?}");
            let text = text(&output);
            for leg in legs {
                let expected = of_leg.replace("LEG", leg).replace("FILE", &path);
                assert!(text.contains(&expected), "{form}: {expected} is not in {text}");
            }
            for leg in ["server", "client", "wire"].iter().filter(|leg| !legs.contains(leg)) {
                assert!(!text.contains(leg), "{form}: {text}");
            }
            assert!(!text.contains("schema-max-length-") && !text.contains("stale"), "{form}: {text}");
        }
    }
}

#[test]
fn every_form_is_the_same_in_every_run() {
    let (_folder, path) = changed(|document| {
        document["components"]["schemas"]["Session_Title"]["maxLength"] = json!(100);
        document["paths"]["/api/v1/whoami"]["get"]["responses"]["204"] = json!({ "description": "Nobody" });
    });
    for form in ["human", "json", "github", "sarif", "junit"] {
        let arguments = ["check", "--static", "--spec", &path, "--format", form];
        let (one, other) = (xtask(&arguments), xtask(&arguments));
        assert_eq!(one.status.code(), Some(1), "{one:?}");
        assert_eq!(text(&one), text(&other), "{form}");
        assert!(text(&one).contains("schema-max-length-"), "{form}: {one:?}");
        if form == "json" || form == "sarif" {
            serde_json::from_str::<Value>(&text(&one)).unwrap();
        }
    }
}

#[test]
fn breaking_tells_the_version_and_reads_acceptances_as_the_readme_shows_them() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let example = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert!(example.contains("[[accept]]"));
    let folder = tempfile::tempdir().unwrap();
    let allow = folder.path().join("drift-allow.toml");
    std::fs::write(&allow, example).unwrap();
    let contract = root().join("openapi.json");
    let base = contract.to_str().unwrap();
    let same = xtask(&["breaking", "--base", base, "--today", "2026-11-24"]);
    assert_eq!(same.status.code(), Some(0), "{same:?}");
    let unused =
        xtask(&["breaking", "--base", base, "--today", "2026-11-24", "--allow", allow.to_str().unwrap()]);
    assert_eq!(unused.status.code(), Some(1), "{unused:?}");
    assert!(text(&unused).contains("[acceptance-unused]"), "{unused:?}");
    let (_folder, path) =
        changed(|document| drop(document["paths"].as_object_mut().unwrap().remove("/api/v1/whoami")));
    let broken = xtask(&["breaking", "--base", base, "--revision", &path, "--format", "github"]);
    assert_eq!(broken.status.code(), Some(1), "{broken:?}");
    assert!(text(&broken).contains("::error file="), "{broken:?}");
    assert!(text(&broken).contains("must become 3.0.0 or above"), "{broken:?}");
}
