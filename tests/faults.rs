//! `wire-leg --seed-faults`: reports the seeded faults that the wire leg finds, and those that it does not.

use std::process::{Command, Output};

use serde_json::{Value, json};
use session_test_support::{Contract, binary};

fn seed(document: &Value, faults: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let spec = folder.path().join("openapi.json");
    std::fs::write(&spec, document.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_wire-leg"));
    command.arg("--spec").arg(spec).arg("--seed-faults").arg(binary());
    command.args(faults.iter().flat_map(|fault| ["--fault", fault])).output().unwrap()
}

#[test]
fn a_fault_that_no_rule_of_the_wire_leg_is_about_survives() {
    let mut document = Contract::load().document().clone();
    // Without this, no rule is about the header in responses that are errors.
    for (_, response) in document["components"]["responses"].as_object_mut().unwrap() {
        let header = &mut response["headers"]["Cache-Control"];
        *header = json!({ "schema": { "type": "string" } });
    }
    let output = seed(&document, &["no-cache-control-of-errors", "created-as-200"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("fault no-cache-control-of-errors: SURVIVED\n"), "{text}");
    assert!(text.contains("fault created-as-200: caught by status-undocumented at /paths/"), "{text}");
    assert!(text.ends_with("1 of 2 faults caught\n"), "{text}");
}

#[test]
fn what_a_fault_does_is_not_said_of_a_server_that_differs_from_the_contract_without_it() {
    let mut document = Contract::load().document().clone();
    document["paths"].as_object_mut().unwrap().remove("/api/v1/whoami");
    let output = seed(&document, &["created-as-200"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("there is a finding without a fault: operation-undocumented"), "{error}");
}

#[test]
fn a_fault_that_is_none_is_named() {
    let output = seed(Contract::load().document(), &["no-such-fault"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("no-such-fault"));
}
