//! `cargo xtask test`: every check of the repository, on a machine that has only Rust.

use std::io::Write;

use crate::check;
use crate::demo;
use crate::process::{Failed, cargo_with, has_cargo, root, say};

/// Runs them in the order in which a failure is cheapest; the first one that fails ends it with `Ok(false)`.
pub(crate) fn run(out: &mut dyn Write, progress: &mut dyn Write) -> Result<bool, Failed> {
    if component("fmt", progress)? && !cargo_with(&["fmt", "--check"], &[])? {
        say(out, "test: run `cargo fmt`")?;
        return Ok(false);
    }
    if !check::static_legs(None, out)? {
        return Ok(false);
    }
    let tests = ["test", "--workspace", "--locked", "--no-fail-fast"];
    if !check::wire_leg(&root().join("openapi.json"), &tests, out)? {
        return Ok(false);
    }
    let clippy =
        ["clippy", "--quiet", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"];
    if component("clippy", progress)? && !cargo_with(&clippy, &[])? {
        return Ok(false);
    }
    // As the README has it, with what it prints on our output.
    demo::run(false, out, progress)?;
    Ok(true)
}

/// Whether the toolchain has this component. A check that is left out must be seen.
fn component(name: &str, progress: &mut dyn Write) -> Result<bool, Failed> {
    let there = has_cargo(name);
    if !there {
        say(progress, &format!("test: this toolchain has no cargo {name}: skipped"))?;
    }
    Ok(there)
}
