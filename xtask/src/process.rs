//! Runs cargo and the programs of this workspace.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A command did not do its work.
pub(crate) use openapi_drift::report::Failed;
use rustix::process::{Pid, Signal, kill_process};

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    xtask.parent().map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// Writes a line.
pub(crate) fn say(out: &mut dyn Write, text: &str) -> Result<(), Failed> {
    writeln!(out, "{text}").map_err(|error| Failed(format!("the output cannot be written: {error}")))
}

/// Cargo, in the workspace.
fn cargo_command() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // The tests and the demo speak to this machine alone, also where the others are reached through a proxy.
    command.current_dir(root()).env("NO_PROXY", "127.0.0.1");
    command
}

/// Runs cargo with these arguments, its output on ours. Fails if it does.
pub(crate) fn cargo(arguments: &[&str]) -> Result<(), Failed> {
    if cargo_with(arguments, &[])? {
        Ok(())
    } else {
        Err(Failed(format!("cargo {} failed", arguments.join(" "))))
    }
}

/// As [`cargo`], with its standard output among its errors: ours is for what the task says.
pub(crate) fn cargo_quiet(arguments: &[&str]) -> Result<(), Failed> {
    let mut command = cargo_command();
    command.args(arguments).stdout(Stdio::null());
    let status =
        command.status().map_err(|error| Failed(format!("{command:?} cannot be started: {error}")))?;
    if status.success() { Ok(()) } else { Err(Failed(format!("cargo {} failed", arguments.join(" ")))) }
}

/// Runs cargo with these arguments; answers whether it succeeded, and its standard output.
pub(crate) fn cargo_output(arguments: &[&str]) -> Result<(bool, String), Failed> {
    let mut command = cargo_command();
    command.args(arguments).stderr(Stdio::inherit());
    let output =
        command.output().map_err(|error| Failed(format!("{command:?} cannot be started: {error}")))?;
    Ok((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// Runs cargo with these arguments and variables, its output on ours; answers whether it succeeded.
pub(crate) fn cargo_with(arguments: &[&str], environment: &[(&str, &Path)]) -> Result<bool, Failed> {
    let mut command = cargo_command();
    command.args(arguments).envs(environment.iter().copied());
    let status =
        command.status().map_err(|error| Failed(format!("{command:?} cannot be started: {error}")))?;
    Ok(status.success())
}

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Counts {
    /// Adds what a line of libtest says, such as `test result: ok. 3 passed; 0 failed; …`.
    fn add(&mut self, line: &str) {
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

/// As [`cargo_with`], for `cargo test`: passes its output on to `out` and counts the tests.
pub(crate) fn cargo_test(arguments: &[&str], out: &mut dyn Write) -> Result<(bool, Counts), Failed> {
    let mut command = cargo_command();
    command.args(arguments).stdout(Stdio::piped());
    let failed = |what: &str, error: std::io::Error| Failed(format!("cargo test {what}: {error}"));
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

/// Whether cargo has this subcommand; a minimal toolchain lacks some.
pub(crate) fn has_cargo(subcommand: &str) -> bool {
    let mut command = cargo_command();
    command.args([subcommand, "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The target folder of the workspace, which the environment or a setting may have put elsewhere.
pub(crate) fn target() -> Result<PathBuf, Failed> {
    let mut command = cargo_command();
    command.args(["metadata", "--no-deps", "--format-version", "1", "--offline"]);
    let output =
        command.output().map_err(|error| Failed(format!("{command:?} cannot be started: {error}")))?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| Failed(format!("{command:?} printed no JSON: {error}")))?;
    let target = metadata["target_directory"].as_str();
    target.map(PathBuf::from).ok_or_else(|| Failed(format!("{command:?} names no target folder")))
}

/// Runs a command to its end; answers its standard output. Its standard error goes to ours.
pub(crate) fn output(command: &mut Command) -> Result<String, Failed> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failed(format!("{command:?} cannot be started: {error}")))?;
    if !output.status.success() {
        return Err(Failed(format!("{command:?} failed: {}", output.status)));
    }
    String::from_utf8(output.stdout).map_err(|error| Failed(format!("{command:?} printed no text: {error}")))
}

/// The program, without the settings of whoever runs us.
fn sessiond(program: &Path) -> Command {
    let mut command = Command::new(program);
    let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SESSIOND_"));
    for (name, _) in ours {
        command.env_remove(name);
    }
    command
}

/// A running `sessiond`, stopped when it is dropped.
#[derive(Debug)]
pub(crate) struct Sessiond {
    program: PathBuf,
    store: String,
    child: Child,
    /// Its address, as `IP:PORT`.
    pub(crate) address: String,
}

impl Sessiond {
    /// Starts the program on the store in this folder with these settings, on free ports.
    pub(crate) fn start(
        program: &Path,
        folder: &Path,
        settings: &str,
        internal_listen: &str,
    ) -> Result<Self, Failed> {
        let store = format!("sqlite:{}", folder.join("sessions.db").display());
        let config = folder.join("sessiond.toml");
        std::fs::write(&config, settings)
            .map_err(|error| Failed(format!("{} cannot be written: {error}", config.display())))?;
        let mut child = Command::new(program)
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--internal-listen",
                internal_listen,
                "--store",
                &store,
            ])
            .args(["--log-level", "warn", "--config"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| Failed(format!("{} cannot be started: {error}", program.display())))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            // Without the line, there is none in `line` either.
            let _ = BufReader::new(stdout).read_line(&mut line);
        }
        let mut started = Self { program: program.to_owned(), store, child, address: String::new() };
        match line.trim_end().strip_prefix("listening on http://") {
            Some(address) => address.clone_into(&mut started.address),
            None => return Err(Failed("sessiond did not start; the reason is above".to_owned())),
        }
        Ok(started)
    }

    /// A command of `sessiond` on the same store.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = sessiond(&self.program);
        command.args(arguments).args(["--store", &self.store]);
        command
    }

    /// A new API key with these flags and scopes.
    pub(crate) fn key(&self, flags: &[&str], scopes: &[&str]) -> Result<String, Failed> {
        let mut arguments = vec!["key", "create", "--name", "xtask", "--output", "json"];
        arguments.extend(flags);
        for scope in scopes {
            arguments.extend(["--scope", scope]);
        }
        let printed = output(&mut self.command(&arguments))?;
        let key: serde_json::Value = serde_json::from_str(&printed)
            .map_err(|error| Failed(format!("sessiond key create printed no JSON: {error}")))?;
        key["key"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| Failed("sessiond key create printed no key".to_owned()))
    }

    /// Its process ID.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) {
        let _ = self.child.wait();
    }
}

impl Drop for Sessiond {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // By its own process ID; it drains and ends within seconds.
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_every_test_program_are_added_up() {
        let mut counts = Counts::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.02s",
            "test result: FAILED. 36 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 16.20s",
            "test it_says_that_test_result_is ... ok",
        ] {
            counts.add(line);
        }
        assert_eq!(counts, Counts { passed: 39, failed: 1 });
    }
}
