//! `cargo xtask test`: runs every check of the repository, on a machine that has only Rust and a C compiler.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use openapi_drift::report::Format;
use session_test_support::launcher::STORE_VARIABLE;

use crate::bench::instructions;
use crate::check;
use crate::demo;
use crate::deny;
use crate::faults;
use crate::install::{POSTGRES, provide};
use crate::process::{
    Counts, EVERYTHING, Failed, cargo_output, cargo_succeeds, cargo_test, has_cargo, output, root, run_tests,
    say,
};
use crate::resilience;

/// The programs that the tests use, the argument with which each prints its version, and the Debian packages that contain
/// them.
const PROGRAMS: [(&str, &str, &str); 8] = [
    ("curl", "--version", "curl"),
    ("git", "--version", "git"),
    ("openssl", "version", "openssl"),
    ("nginx", "-v", "nginx-light"),
    ("caddy", "version", "caddy"),
    ("faketime", "--version", "faketime"),
    ("valgrind", "--version", "valgrind"),
    (POSTGRES, "--version", "postgresql"),
];

/// Runs the checks, the fastest first. Returns `false` after the first one that fails.
pub(crate) fn run(out: &mut dyn Write, progress: &mut dyn Write) -> Result<bool, Failed> {
    for (program, version, package) in PROGRAMS {
        provide(program, version, package, progress)?;
    }
    if component("fmt", progress)? && !cargo_succeeds(&["fmt", "--check"])? {
        say(out, "test: the code is not formatted; run `cargo fmt`")?;
        return Ok(false);
    }
    if !deny::run(out, progress)? || !check::run(None, true, Format::Human, out)? {
        return Ok(false);
    }
    if component("clippy", progress)? {
        for selection in selections()? {
            let selection: Vec<&str> = selection.iter().map(String::as_str).collect();
            let lint = [&["clippy", "--quiet", "--locked"], &*selection, &["--", "-Dwarnings"]];
            if !cargo_succeeds(&lint.concat())? {
                return Ok(false);
            }
        }
    }
    let (passed, counts) =
        cargo_test(&[&["test", "--locked", "--no-fail-fast"], &EVERYTHING[..]].concat(), out)?;
    let (passed_again, again) = end_to_end_on_postgres(&counts, out)?;
    let agree =
        passed && passed_again && check::run(None, false, Format::Human, out)? && faults::run(&[], out)?;
    let agree = agree && instructions::run(None, false, out)?;
    let withstands = agree && resilience::run(&resilience::Settings::default(), out)?;
    let demo = withstands && demo_is_as_the_readme_shows(out, progress)?;
    let (passed, failed) = (counts.passed + again.passed, counts.failed + again.failed);
    say(out, &format!("tests: {passed} passed, {failed} failed"))?;
    Ok(demo)
}

/// Runs the end-to-end tests, which include the wire leg, on PostgreSQL. `embedded` is how they ended on the embedded store.
/// Returns whether they all passed on both stores: no test may be left out on one of them.
fn end_to_end_on_postgres(embedded: &Counts, out: &mut dyn Write) -> Result<(bool, Counts), Failed> {
    /// The modules of the tests that are about one store alone.
    const OF_ONE_STORE: [&str; 2] = ["embedded::", "postgres::"];
    let program = end_to_end_program()?;
    let listed = output(Command::new(&program).arg("--list"))?;
    let names = listed.lines().filter_map(|line| line.strip_suffix(": test"));
    let of_both = |name: &&str| !OF_ONE_STORE.iter().any(|module| name.starts_with(module));
    let common: BTreeSet<String> = names.filter(of_both).map(str::to_owned).collect();
    let mut tests = Command::new(&program);
    tests.args(OF_ONE_STORE.into_iter().flat_map(|module| ["--skip", module]));
    // As cargo runs it.
    let package = root().join("tests");
    tests.env("CARGO_MANIFEST_DIR", &package).current_dir(package);
    tests.env(STORE_VARIABLE, "postgres").env("NO_PROXY", "127.0.0.1");
    let again = run_tests(&mut tests, out)?;
    let mut same = true;
    for (store, passed) in [("the embedded store", &embedded.names), ("PostgreSQL", &again.1.names)] {
        for name in common.difference(passed) {
            say(out, &format!("{name}: did not pass on {store}"))?;
            same = false;
        }
    }
    let count = common.len();
    if same {
        say(
            out,
            &format!("end-to-end tests: {count}, the same ones on the embedded store and on PostgreSQL"),
        )?;
    }
    Ok((again.0 && same && count > 0, again.1))
}

/// The program of the end-to-end tests, as the run of all tests has built it: for `--test e2e`, cargo selects other features
/// and compiles again.
fn end_to_end_program() -> Result<PathBuf, Failed> {
    let build = ["test", "--quiet", "--locked", "--no-run", "--message-format", "json"];
    let (_, messages) = cargo_output(&[&build[..], &EVERYTHING[..]].concat())?;
    let program = messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let found = message["target"]["name"] == "e2e" && message["profile"]["test"] == true;
        found.then(|| message["executable"].as_str().map(PathBuf::from))?
    });
    program.ok_or_else(|| Failed("the end-to-end tests cannot be built".to_owned()))
}

/// The arguments for each selection of code that is linted: everything, and the library of each package that has
/// features without them.
fn selections() -> Result<Vec<Vec<String>>, Failed> {
    let everything = [&EVERYTHING[..], &["--all-targets"]].concat();
    let mut all = vec![everything.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for package in packages_with_features()? {
        all.push(["--package", &package, "--lib", "--no-default-features"].map(str::to_owned).to_vec());
    }
    Ok(all)
}

/// The names of the packages of the workspace that have features.
fn packages_with_features() -> Result<Vec<String>, Failed> {
    let failed = |error: &dyn std::fmt::Display| Failed(format!("the manifests cannot be read: {error}"));
    let read = |path: &Path| -> Result<toml::Table, Failed> {
        let text = std::fs::read_to_string(path.join("Cargo.toml")).map_err(|error| failed(&error))?;
        text.parse().map_err(|error| failed(&error))
    };
    let members = read(&root())?["workspace"]["members"].clone();
    let mut found = Vec::new();
    for member in members.as_array().into_iter().flatten().filter_map(toml::Value::as_str) {
        let manifest = read(&root().join(member))?;
        if manifest.contains_key("features") {
            found.push(manifest["package"]["name"].as_str().unwrap_or(member).to_owned());
        }
    }
    Ok(found)
}

/// Runs the demo and returns whether it prints what the README shows.
fn demo_is_as_the_readme_shows(out: &mut dyn Write, progress: &mut dyn Write) -> Result<bool, Failed> {
    let readme = std::fs::read_to_string(root().join("README.md"))
        .map_err(|error| Failed(format!("README.md cannot be read: {error}")))?;
    let shown = readme.split("```json\n").nth(1).and_then(|rest| rest.split("```").next());
    let mut printed = Vec::new();
    demo::run(false, &mut printed, progress)?;
    let printed = String::from_utf8_lossy(&printed);
    let same = shown == Some(&*printed);
    if same {
        say(out, "demo: prints what the README shows")?;
    } else {
        say(
            out,
            &format!("demo: the output differs from README.md; copy it there if it is right:\n{printed}"),
        )?;
    }
    Ok(same)
}

/// Returns whether the toolchain has this component. If not, writes that its check is skipped.
fn component(name: &str, progress: &mut dyn Write) -> Result<bool, Failed> {
    let exists = has_cargo(name);
    if !exists {
        say(progress, &format!("test: skipped `cargo {name}`, which this toolchain does not have"))?;
    }
    Ok(exists)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_behind_a_feature_is_linted_with_it_and_without_it_and_tested() {
        assert!(EVERYTHING.contains(&"--workspace") && EVERYTHING.contains(&"--all-features"));
        let selections = selections().unwrap();
        assert_eq!(selections[0], ["--workspace", "--all-features", "--all-targets"]);
        for package in ["openapi-drift", "session-client", "session-store"] {
            assert!(selections.contains(
                &["--package", package, "--lib", "--no-default-features"].map(str::to_owned).to_vec()
            ));
        }
    }
}
