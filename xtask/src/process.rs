//! Runs cargo and the programs of this workspace.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The error of a task that could not do its work: a message for the person who started it.
pub(crate) use openapi_drift::report::Failed;
use session_test_support::launcher::{LaunchError, Program, Server, key_create};

/// Returns the root folder of the workspace.
pub(crate) fn root() -> PathBuf {
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    xtask.parent().map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// Writes a line.
pub(crate) fn say(out: &mut dyn Write, text: &str) -> Result<(), Failed> {
    writeln!(out, "{text}").map_err(|error| Failed(format!("the output cannot be written: {error}")))
}

/// Returns a command that runs cargo in the workspace.
fn cargo_command() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // The tests and the demo connect to this machine only, which an HTTP proxy of the environment cannot reach.
    command.current_dir(root()).env("NO_PROXY", "127.0.0.1");
    command
}

/// All code of all packages. Cargo chooses features for a selection of packages: with one selection for everything, no
/// dependency is compiled twice.
pub(crate) const EVERYTHING: [&str; 2] = ["--workspace", "--all-features"];

/// Builds the programs of the workspace, and what else these arguments select, and returns the programs' folder.
pub(crate) fn programs(more: &[&str]) -> Result<PathBuf, Failed> {
    cargo_quiet(&[&["build", "--quiet", "--locked"], &EVERYTHING[..], &["--bins"], more].concat())?;
    Ok(target()?.join("debug"))
}

/// Builds these programs and examples as they are released, and returns their folder; examples are in `examples` below it.
pub(crate) fn release(programs: &[&str]) -> Result<PathBuf, Failed> {
    // One selection of packages, so that no dependency is compiled again for another program.
    let packages = ["--package=session-server", "--package=session-store", "--package=session-bench"];
    cargo(&[&["build", "--release", "--locked"], &packages[..], programs].concat())?;
    Ok(target()?.join("release"))
}

/// Runs cargo with these arguments; its output goes to ours. Fails if cargo fails.
pub(crate) fn cargo(arguments: &[&str]) -> Result<(), Failed> {
    if cargo_succeeds(arguments)? {
        Ok(())
    } else {
        Err(Failed(format!("cargo {} failed", arguments.join(" "))))
    }
}

/// As [`cargo`], without its standard output: ours is for the result of the task.
pub(crate) fn cargo_quiet(arguments: &[&str]) -> Result<(), Failed> {
    let mut command = cargo_command();
    command.args(arguments).stdout(Stdio::null());
    let status =
        command.status().map_err(|error| Failed(format!("{command:?} cannot be started: {error}")))?;
    if status.success() { Ok(()) } else { Err(Failed(format!("cargo {} failed", arguments.join(" ")))) }
}

/// Runs cargo with these arguments and returns whether it succeeded, and its standard output.
pub(crate) fn cargo_output(arguments: &[&str]) -> Result<(bool, String), Failed> {
    let mut command = cargo_command();
    command.args(arguments).stderr(Stdio::inherit());
    let output =
        command.output().map_err(|error| Failed(format!("{command:?} cannot be started: {error}")))?;
    Ok((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// Runs cargo with these arguments and returns whether it succeeded. Its output goes to ours.
pub(crate) fn cargo_succeeds(arguments: &[&str]) -> Result<bool, Failed> {
    let mut command = cargo_command();
    command.args(arguments);
    let status =
        command.status().map_err(|error| Failed(format!("{command:?} cannot be started: {error}")))?;
    Ok(status.success())
}

/// How the tests of a run ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// The names of the tests that passed.
    pub(crate) names: BTreeSet<String>,
}

impl Counts {
    /// Adds a line of libtest: a test that passed, or the numbers of a test program, such as
    /// `test result: ok. 3 passed; 0 failed; …`.
    fn add(&mut self, line: &str) {
        if let Some(name) = line.strip_prefix("test ").and_then(|line| line.strip_suffix(" ... ok")) {
            self.names.insert(name.to_owned());
        }
        let Some((_, result)) = line.strip_prefix("test result: ").and_then(|line| line.split_once(". "))
        else {
            return;
        };
        let count = |word: &str| -> u64 {
            let parts = result.split("; ").find_map(|part| part.strip_suffix(word));
            parts.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
        };
        self.passed += count("passed");
        self.failed += count("failed");
    }
}

/// As [`cargo_succeeds`], for `cargo test`: copies its output to `out` and counts the tests.
pub(crate) fn cargo_test(arguments: &[&str], out: &mut dyn Write) -> Result<(bool, Counts), Failed> {
    let mut command = cargo_command();
    run_tests(command.args(arguments), out)
}

/// Runs tests: copies the output to `out` and counts them.
pub(crate) fn run_tests(command: &mut Command, out: &mut dyn Write) -> Result<(bool, Counts), Failed> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |what: &str, error: std::io::Error| Failed(format!("{program} {what}: {error}"));
    command.stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| failed("cannot be started", error))?;
    let mut counts = Counts::default();
    for line in child.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).lines()) {
        let line = line.map_err(|error| failed("cannot be read", error))?;
        counts.add(&line);
        say(out, &line)?;
    }
    let status = child.wait().map_err(|error| failed("cannot be waited for", error))?;
    Ok((status.success(), counts))
}

/// Returns whether cargo has this subcommand; a minimal toolchain lacks some.
pub(crate) fn has_cargo(subcommand: &str) -> bool {
    let mut command = cargo_command();
    command.args([subcommand, "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Returns the target folder of the workspace, which the environment or cargo's configuration may change.
pub(crate) fn target() -> Result<PathBuf, Failed> {
    let mut command = cargo_command();
    command.args(["metadata", "--no-deps", "--format-version", "1", "--offline"]);
    let output =
        command.output().map_err(|error| Failed(format!("{command:?} cannot be started: {error}")))?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| Failed(format!("{command:?} did not print JSON: {error}")))?;
    let target = metadata["target_directory"].as_str();
    target.map(PathBuf::from).ok_or_else(|| Failed(format!("{command:?} reported no target folder")))
}

/// Runs a command to its end and returns its standard output. Its standard error goes to ours.
pub(crate) fn output(command: &mut Command) -> Result<String, Failed> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failed(format!("{command:?} cannot be started: {error}")))?;
    if !output.status.success() {
        return Err(Failed(format!("{command:?} failed: {}", output.status)));
    }
    String::from_utf8(output.stdout)
        .map_err(|error| Failed(format!("{command:?} did not print UTF-8: {error}")))
}

/// Starts a server on the store in a folder, with its log on our standard error.
pub(crate) fn serve(program: &Path, folder: &Path, settings: &str, flags: &[&str]) -> Result<Server, Failed> {
    let flags = [&["--log-level", "warn"], flags].concat();
    Program::at(program).log_on_stderr().serve(folder, settings, &flags).map_err(launch)
}

/// Creates an API key with these flags and scopes and returns its text.
pub(crate) fn key(server: &Server, flags: &[&str], scopes: &[&str]) -> Result<String, Failed> {
    Ok(server.command(&key_create(flags, scopes)).created_key().map_err(launch)?.1)
}

/// Converts an error of the launcher into an error of the task.
pub(crate) fn launch(error: LaunchError) -> Failed {
    Failed(error.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_of_all_test_programs_are_added_up() {
        let mut counts = Counts::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.02s",
            "test result: FAILED. 36 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 16.20s",
            "test it_says_that_test_result_is ... ok",
            "test it_fails ... FAILED",
            "test it_does_not_run ... ignored, the reason",
        ] {
            counts.add(line);
        }
        assert_eq!((counts.passed, counts.failed), (39, 1));
        assert_eq!(counts.names, BTreeSet::from(["it_says_that_test_result_is".to_owned()]));
    }
}
