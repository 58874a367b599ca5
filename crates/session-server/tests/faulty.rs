//! `sessiond-faulty` starts with a fault that it knows, and with nothing else.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use std::collections::BTreeSet;
use std::process::{Command, Output};

use session_server::fault;

fn run(fault: Option<&str>, argument: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sessiond-faulty"));
    command.env_remove("SESSIOND_FAULT").envs(fault.map(|fault| ("SESSIOND_FAULT", fault)));
    command.arg(argument).output().unwrap()
}

#[test]
fn it_lists_its_faults_each_once_and_starts_with_one_of_them_alone() {
    let listed = String::from_utf8(run(None, "--list-faults").stdout).unwrap();
    let names: BTreeSet<&str> = listed.lines().collect();
    assert_eq!(names.len(), fault::NAMES.len());
    for unknown in [None, Some(""), Some("no-such-fault")] {
        assert_eq!(run(unknown, "openapi").status.code(), Some(2), "{unknown:?}");
    }
    for known in [fault::NAMES[0], fault::CONTROL] {
        assert!(run(Some(known), "openapi").status.success(), "{known}");
    }
}
