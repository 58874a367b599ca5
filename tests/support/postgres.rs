//! Private PostgreSQL clusters, made with PostgreSQL's own programs.
//!
//! A [`Cluster`] is a new folder below the folder for temporary files, a free port of 127.0.0.1 and the process `postgres`,
//! a child of this process. If this process is root, PostgreSQL's programs run as `nobody`, because they refuse root.
//!
//! A shell waits for the end of this process, however it ends (`kill -9` too), stops PostgreSQL then and removes the folder.
//! So nothing is left of a cluster in a static either, which is never dropped. The end of a thread does not matter:
//! `PR_SET_PDEATHSIG` would stop a shared cluster with the thread of the test that started it.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::launch_error::LaunchError;

/// How long to wait for what a cluster does within seconds.
const PATIENCE: Duration = Duration::from_mins(1);

/// The superuser of every cluster. It has no password.
const USER: &str = "postgres";

/// Where Debian has the programs, in a folder for each major version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The programs that a cluster and its tests need.
const PROGRAMS: [&str; 7] =
    ["initdb", "postgres", "pg_isready", "psql", "pg_basebackup", "pg_dump", "pg_restore"];

/// The settings of every cluster; those of a test follow and win.
const SETTINGS: [(&str, &str); 5] = [
    ("listen_addresses", "127.0.0.1"),
    // What a killed process has written stays in the kernel's page cache: only a crash of the machine needs the disk.
    ("fsync", "off"),
    ("full_page_writes", "off"),
    // Many servers use one cluster, each with a pool of connections.
    ("max_connections", "400"),
    ("log_min_messages", "warning"),
];

/// Waits for the end of its standard input, whose lines are the PID of the running `postgres` or empty if there is none.
/// Then stops that process at once, as SIGQUIT does, waits for it, and removes the folder.
const WATCHER: &str = r#"
pid=
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
    kill -QUIT "$pid" 2>/dev/null
    attempts=0
    while kill -0 "$pid" 2>/dev/null && [ $attempts -lt 200 ]; do sleep 0.05; attempts=$((attempts + 1)); done
    kill -KILL "$pid" 2>/dev/null
fi
attempts=0
while ! rm -rf "$1" 2>/dev/null && [ $attempts -lt 200 ]; do sleep 0.05; attempts=$((attempts + 1)); done
"#;

/// A PostgreSQL cluster. It is stopped and removed on drop, or when this process ends.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    settings: Vec<(String, String)>,
    port: u16,
    postgres: Option<Child>,
    watcher: Child,
    /// The standard input of `watcher`.
    watched: Option<ChildStdin>,
}

impl Cluster {
    /// Starts a new cluster.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a new cluster with these settings of `postgresql.conf`.
    pub fn start_with(settings: &[(&str, &str)]) -> Self {
        Self::launch(settings).unwrap()
    }

    /// The cluster that all tests of this process share, each with databases of its own. It must not be stopped.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// As [`Cluster::start_with`].
    ///
    /// # Errors
    ///
    /// The programs are missing, or one of them failed.
    pub fn launch(settings: &[(&str, &str)]) -> Result<Self, LaunchError> {
        Self::launch_with(settings, &[])
    }

    /// As [`Cluster::launch`], with more arguments for `initdb`.
    ///
    /// # Errors
    ///
    /// The programs are missing, or one of them failed.
    pub fn launch_with(settings: &[(&str, &str)], more: &[&str]) -> Result<Self, LaunchError> {
        let settings = SETTINGS.iter().chain(settings).map(|(name, value)| ((*name).into(), (*value).into()));
        Self::create(settings.collect(), |folder| {
            // C: the same order of texts everywhere. The folder is removed soon, so nothing has to reach the disk.
            let arguments =
                ["--auth=trust", "--no-sync", "--locale=C", "--encoding=UTF8", "--username", USER];
            let mut initdb = program("initdb", folder)?;
            initdb.args(arguments).args(more).arg("--pgdata").arg(folder.join("data"));
            run(&mut initdb).map(|_| ())
        })
    }

    /// Starts a standby of this cluster, with the same settings, that follows it by streaming replication.
    #[must_use]
    pub fn standby(&self) -> Self {
        let standby = Self::create(self.settings.clone(), |folder| {
            let mut backup = client("pg_basebackup", self.port, folder)?;
            backup.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--pgdata"]);
            run(backup.arg(folder.join("data"))).map(|_| ())
        });
        standby.unwrap()
    }

    /// Copies the data of this cluster, while it runs, to a new folder inside of its own.
    pub fn base_backup(&self, name: &str) -> PathBuf {
        let backup = self.folder.join(name);
        let mut program = self.command("pg_basebackup");
        run(program.args(["--checkpoint=fast", "--no-sync", "--pgdata"]).arg(&backup)).unwrap();
        backup
    }

    /// Starts a new cluster on a base backup, with these settings, which say how it recovers from archived files.
    pub fn recover(backup: &Path, settings: &[(&str, &str)]) -> Self {
        let settings = SETTINGS.iter().chain(settings).map(|(name, value)| ((*name).into(), (*value).into()));
        let recovered = Self::create(settings.collect(), |folder| {
            let mut copy = unprivileged_command("cp".as_ref(), folder)?;
            run(copy.arg("-a").arg(backup).arg(folder.join("data")))?;
            let signal = File::create(folder.join("data/recovery.signal"));
            signal.map(drop).map_err(|error| LaunchError(format!("recovery.signal: {error}")))
        });
        recovered.unwrap()
    }

    /// Has a standby become a primary, and waits until it has.
    pub fn promote(&self) {
        assert_eq!(self.psql("postgres", "SELECT pg_promote(true, 60)"), "t");
    }

    /// The port of 127.0.0.1 that it listens on. It stays the same when the cluster is restarted.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the cluster: its data in `data`, its log in `log`, and what a test puts there.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The URL of one of its databases.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// Creates an empty database and returns its name, which no other database of this process has.
    pub fn create_database(&self) -> String {
        // Nobody connects to template0, so that tests that create databases do not wait for each other.
        self.copy_database("template0")
    }

    /// As [`Cluster::create_database`], with all that is in another database, which nobody may be connected to.
    pub fn copy_database(&self, template: &str) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.psql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {template}"));
        name
    }

    /// Runs SQL in a database with the program `psql`. Returns the rows as lines, their columns separated by `|`.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let arguments = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"];
        let mut psql = self.command("psql");
        psql.args(arguments).args(["--dbname", database, "--command", sql]);
        let output = run(&mut psql).unwrap();
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// A command of one of PostgreSQL's client programs that connects to this cluster, in the cluster's folder.
    pub fn command(&self, name: &str) -> Command {
        client(name, self.port, &self.folder).unwrap()
    }

    /// The log of PostgreSQL.
    pub fn log(&self) -> String {
        let text = std::fs::read(self.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&text).trim().to_owned()
    }

    /// Whether the process `postgres` runs; it may end by itself, for example when the disk of its log is full.
    pub fn is_running(&mut self) -> bool {
        self.postgres.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Kills the process `postgres` as `kill -9` does; its children end by themselves. [`Cluster::restart`] starts it
    /// again.
    pub fn kill(&mut self) {
        self.end(Signal::KILL);
    }

    /// Stops it as for a planned restart: open transactions are aborted and a checkpoint is written.
    pub fn stop(&mut self) {
        self.end(Signal::INT);
    }

    /// Starts it again, on the same port, and waits until it accepts connections. Stops it first if it runs.
    pub fn restart(&mut self) {
        self.stop();
        let began = Instant::now();
        // The port may be that of somebody's outgoing connection, and the children of a killed process take a moment.
        while let Err(error) = self.run_postgres() {
            assert!(began.elapsed() < PATIENCE, "{error}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Makes a folder, has `fill` make the data directory in it, and starts `postgres` on a free port.
    fn create(
        settings: Vec<(String, String)>,
        fill: impl FnOnce(&Path) -> Result<(), LaunchError>,
    ) -> Result<Self, LaunchError> {
        let failed = |error: io::Error| LaunchError(format!("a cluster cannot be created: {error}"));
        let folder = tempfile::Builder::new().prefix("postgres-").tempdir().map_err(failed)?.keep();
        let mut watcher = Command::new("sh");
        watcher.args(["-c", WATCHER, "watcher"]).arg(&folder).stdin(Stdio::piped());
        // A process group of its own: Ctrl-C must not reach it. It does not keep our output open either.
        watcher.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let mut watcher = watcher.spawn().map_err(failed)?;
        let watched = watcher.stdin.take();
        let mut cluster = Self { folder, settings, port: 0, postgres: None, watcher, watched };
        if let Some((user, group)) = unprivileged()? {
            chown(&cluster.folder, Some(user), Some(group)).map_err(failed)?;
        }
        std::fs::set_permissions(&cluster.folder, Permissions::from_mode(0o700)).map_err(failed)?;
        fill(&cluster.folder)?;
        let began = Instant::now();
        loop {
            let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
            cluster.port = free.map_err(failed)?.port();
            match cluster.run_postgres() {
                // Somebody else took the port since.
                Err(error) if error.0.contains("could not bind") && began.elapsed() < PATIENCE => {}
                outcome => return outcome.map(|()| cluster),
            }
        }
    }

    /// Starts the process `postgres` and waits until it accepts connections.
    fn run_postgres(&mut self) -> Result<(), LaunchError> {
        let failed = |error: io::Error| LaunchError(format!("postgres: {error}"));
        let log_file = File::create(self.folder.join("log")).map_err(failed)?;
        let mut command = program("postgres", &self.folder)?;
        command.arg("-D").arg(self.folder.join("data")).arg("-k").arg(&self.folder);
        command.args(["-p", &self.port.to_string()]);
        for (name, value) in &self.settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command.stdin(Stdio::null()).stderr(log_file.try_clone().map_err(failed)?).stdout(log_file);
        let child = command.spawn().map_err(failed)?;
        self.watch(&child.id().to_string());
        let child = self.postgres.insert(child);
        let began = Instant::now();
        while child.try_wait().map_err(failed)?.is_none() && began.elapsed() < PATIENCE {
            let mut ready = client("pg_isready", self.port, &self.folder)?;
            // Its own socket: whoever else has the port does not matter.
            ready.args(["--quiet", "--host"]).arg(&self.folder);
            if ready.status().map_err(failed)?.success() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.end(Signal::KILL);
        Err(LaunchError(format!("postgres did not start: {}", self.log())))
    }

    /// Ends the process `postgres` with a signal, if it runs, and waits for it.
    fn end(&mut self, signal: Signal) {
        // It may have ended by itself; its ID may be that of another process then.
        let running = self.is_running();
        if let Some(mut child) = self.postgres.take() {
            if running {
                let pid = Pid::from_raw(child.id().cast_signed()).unwrap();
                let _ = kill_process(pid, signal);
            }
            let _ = child.wait();
            self.watch("");
        }
    }

    /// Tells the watcher which process to stop: a PID, or nothing.
    fn watch(&mut self, pid: &str) {
        if let Some(watched) = &mut self.watched {
            writeln!(watched, "{pid}").unwrap();
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.end(Signal::QUIT);
        drop(self.watched.take());
        let _ = self.watcher.wait();
    }
}

/// The folder of PostgreSQL's programs: that of the path that has `initdb`, else Debian's of the newest version.
///
/// # Errors
///
/// They are not installed.
pub fn programs() -> Result<PathBuf, LaunchError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<(u32, PathBuf)> = std::fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .collect();
    debian.sort();
    let debian = debian.into_iter().rev().map(|(_, folder)| folder.join("bin"));
    // A link in the path to one of the programs: the others are where it points to.
    let linked = |folder: PathBuf| Some(folder.join("initdb").canonicalize().ok()?.parent()?.to_owned());
    let mut folders = std::env::split_paths(&path).chain(debian).filter_map(linked);
    let complete = |folder: &PathBuf| PROGRAMS.iter().all(|name| folder.join(name).exists());
    folders.find(complete).ok_or_else(|| {
        LaunchError(
            "PostgreSQL is not installed: install it, on Debian with `apt-get install postgresql`".into(),
        )
    })
}

/// A command of a client program in this folder that connects to the server on this port.
fn client(name: &str, port: u16, folder: &Path) -> Result<Command, LaunchError> {
    let mut command = program(name, folder)?;
    for (variable, value) in [("PGHOST", "127.0.0.1"), ("PGPORT", &port.to_string()), ("PGUSER", USER)] {
        command.env(variable, value);
    }
    command.stdin(Stdio::null());
    Ok(command)
}

/// A command of one of PostgreSQL's programs in this folder, as an unprivileged user.
fn program(name: &str, folder: &Path) -> Result<Command, LaunchError> {
    unprivileged_command(&programs()?.join(name), folder)
}

/// A command of this program in this folder, as an unprivileged user, without the variables `PG*`.
fn unprivileged_command(program: &Path, folder: &Path) -> Result<Command, LaunchError> {
    let mut command = Command::new(program);
    let inherited = std::env::vars_os().map(|(name, _)| name);
    for name in inherited.filter(|name| name.to_string_lossy().starts_with("PG")) {
        command.env_remove(name);
    }
    if let Some((user, group)) = unprivileged()? {
        command.uid(user).gid(group);
    }
    command.current_dir(folder).env("LC_ALL", "C").env("TZ", "UTC");
    Ok(command)
}

/// The IDs of the user `nobody` and its group if this process is root. PostgreSQL needs a user that has a name.
fn unprivileged() -> Result<Option<(u32, u32)>, LaunchError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let nobody = users.lines().find_map(|line| {
        let mut fields = line.strip_prefix("nobody:")?.split(':').skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    nobody.map(Some).ok_or_else(|| LaunchError("PostgreSQL refuses root, and there is no user nobody".into()))
}

/// Runs a program to its end, which must be a success.
fn run(command: &mut Command) -> Result<Output, LaunchError> {
    let output = command.output().map_err(|error| LaunchError(format!("{command:?}: {error}")))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(LaunchError(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(pid: u32) -> bool {
        !Path::new(&format!("/proc/{pid}")).exists()
    }

    #[test]
    fn a_cluster_survives_kill_9_and_a_restart_and_leaves_nothing_behind() {
        let mut cluster = Cluster::start();
        let database = cluster.create_database();
        assert_ne!(database, cluster.create_database());
        cluster.psql(&database, "CREATE TABLE t AS SELECT 7 AS n");
        let (port, pid) = (cluster.port(), cluster.postgres.as_ref().unwrap().id());
        cluster.kill();
        assert!(gone(pid));
        cluster.restart();
        assert_eq!(cluster.psql(&database, "SELECT n FROM t"), "7");
        assert_eq!(cluster.port(), port);
        let (folder, pid) = (cluster.folder().to_owned(), cluster.postgres.as_ref().unwrap().id());
        drop(cluster);
        assert!(gone(pid) && !folder.exists());
    }

    #[test]
    fn a_standby_follows_and_is_promoted_when_its_primary_was_killed() {
        let mut primary = Cluster::start_with(&[("synchronous_commit", "remote_apply")]);
        let standby = primary.standby();
        // remote_apply waits for the standby only if it is named.
        primary.psql("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'");
        primary.psql("postgres", "SELECT pg_reload_conf()");
        primary.psql("postgres", "CREATE TABLE t AS SELECT 7 AS n");
        assert_eq!(standby.psql("postgres", "SELECT pg_is_in_recovery()"), "t");
        primary.kill();
        standby.psql("postgres", "SELECT 1");
        standby.promote();
        assert_eq!(standby.psql("postgres", "SELECT n, pg_is_in_recovery() FROM t"), "7|f");
    }

    /// Runs in a process of its own, which the next test kills.
    #[test]
    #[ignore = "the next test runs it"]
    fn part_a_shared_cluster_is_printed() {
        let cluster = Cluster::shared();
        println!("{} {}", cluster.postgres.as_ref().unwrap().id(), cluster.folder().display());
        if std::env::var_os("CLUSTER_TEST_WAITS").is_some() {
            thread::sleep(PATIENCE);
        }
    }

    #[test]
    fn nothing_is_left_of_a_shared_cluster_when_its_process_ends_or_is_killed() {
        for killed in [false, true] {
            let mut process = Command::new(std::env::current_exe().unwrap());
            process.args(["--ignored", "--exact", "--nocapture"]);
            process.arg("postgres::tests::part_a_shared_cluster_is_printed").stdout(Stdio::piped());
            if killed {
                process.env("CLUSTER_TEST_WAITS", "1");
            }
            let mut process = process.spawn().unwrap();
            let lines = io::BufRead::lines(io::BufReader::new(process.stdout.take().unwrap()));
            let mut lines = lines.map(Result::unwrap);
            let printed = lines.find_map(|line| {
                let (pid, folder) = line.split_once(' ')?;
                Some((pid.parse().ok()?, PathBuf::from(folder)))
            });
            let (pid, folder) = printed.unwrap();
            if killed {
                assert!(!gone(pid) && folder.exists());
                process.kill().unwrap();
            }
            lines.for_each(drop);
            process.wait().unwrap();
            let began = Instant::now();
            while !gone(pid) || folder.exists() {
                assert!(began.elapsed() < PATIENCE, "left behind: {pid}, {}", folder.display());
                thread::sleep(Duration::from_millis(10));
            }
        }
    }
}
