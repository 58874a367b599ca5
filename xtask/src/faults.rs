//! `cargo xtask faults`: runs the wire leg once for each seeded fault and reports whether it finds each of them.

use std::io::Write;
use std::process::Command;

use crate::process::{Failed, programs, root, say};

/// Seeds the faults of these names, or every fault; returns whether the wire leg finds each of them.
pub(crate) fn run(names: &[String], out: &mut dyn Write) -> Result<bool, Failed> {
    let programs = programs(&[])?;
    let mut command = Command::new(programs.join("wire-leg"));
    command
        .arg("--spec")
        .arg(root().join("openapi.json"))
        .arg("--seed-faults")
        .arg(programs.join("sessiond"));
    command.args(names.iter().flat_map(|name| ["--fault", name])).env("NO_PROXY", "127.0.0.1");
    let output = command.output().map_err(|error| Failed(format!("wire-leg cannot be started: {error}")))?;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        say(out, line)?;
    }
    match output.status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => Err(Failed(format!(
            "wire-leg could not seed the faults: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ))),
    }
}
