//! Programs that a task runs and a machine may lack.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use session_test_support::postgres;

use crate::process::{Failed, say};

/// PostgreSQL's server, which Debian does not have in the path. The tests start clusters of their own.
pub(crate) const POSTGRES: &str = "postgres";

/// Where Debian's packages of PostgreSQL read whether they create a cluster and start it when they are installed.
const CLUSTERS: &str = "/etc/postgresql-common/createcluster.d";

/// Installs a program if it is missing and this is Debian, as root. Elsewhere, fails and names what to install.
pub(crate) fn provide(
    program: &str,
    version: &str,
    package: &str,
    progress: &mut dyn Write,
) -> Result<(), Failed> {
    let ended = |program: &str, arguments: &[&str]| {
        let folder = if program == POSTGRES { postgres::programs().ok() } else { None };
        let mut command = Command::new(folder.unwrap_or_default().join(program));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.env("DEBIAN_FRONTEND", "noninteractive").status()
    };
    // How it ends does not matter: wrk reports a failure with its version.
    let exists = || ended(program, &[version]).is_ok();
    let succeeds = |arguments: &[&str]| ended("apt-get", arguments).is_ok_and(|status| status.success());
    if exists() {
        return Ok(());
    }
    let missing = || {
        Failed(format!("this task needs {program}; install it, on Debian with `apt-get install {package}`"))
    };
    if !Path::new("/etc/debian_version").exists() || !rustix::process::geteuid().is_root() {
        return Err(missing());
    }
    say(progress, &format!("xtask: installing {package}"))?;
    let without_cluster =
        if program == POSTGRES { Some(without_cluster(Path::new(CLUSTERS))?) } else { None };
    let installed = succeeds(&["update"])
        && succeeds(&["install", "--yes", "--no-install-recommends", package])
        && exists();
    drop(without_cluster);
    if installed { Ok(()) } else { Err(missing()) }
}

/// Has Debian's packages of PostgreSQL create and start no cluster until the returned file is dropped.
fn without_cluster(folder: &Path) -> Result<tempfile::NamedTempFile, Failed> {
    let file = std::fs::create_dir_all(folder).and_then(|()| {
        let mut file = tempfile::Builder::new().prefix("session-").suffix(".conf").tempfile_in(folder)?;
        file.write_all(b"create_main_cluster = false\n").map(|()| file)
    });
    file.map_err(|error| Failed(format!("{}: {error}", folder.display())))
}
