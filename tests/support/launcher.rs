//! Starts `sessiond` and runs its commands. The tests, the wire leg and xtask all use this one launcher.

use std::fs::{File, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

pub use crate::launch_error::LaunchError;
use crate::postgres::Cluster;

/// How long to wait for what a process does within milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// The file of a store in its folder.
pub const STORE_FILE: &str = "sessions.db";

/// Settings without lifetimes. The reference page's session is of 2009; with the default lifetimes it has ended.
pub const WITHOUT_LIFETIMES: &str = "[lifetime]\nbrowser = { idle = 'none', absolute = 'none' }\n\
                                     api = { idle = 'none', absolute = 'none' }\n";

/// Settings without rate limits for the loopback, from which tests send as many requests as they can.
const WITHOUT_LIMITS: &str = "limits.trusted = ['127.0.0.0/8', '::1/128']\n";

/// A new folder that only this user may access, as a data directory must be.
///
/// # Errors
///
/// It cannot be created.
pub fn store_folder() -> std::io::Result<TempDir> {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir()
}

/// The variable that selects the store of the servers under test: `postgres`, or without it the embedded one.
pub const STORE_VARIABLE: &str = "SESSION_TEST_STORE";

/// The file in a server's folder that has the URL of its store, unless that is the embedded store in the folder.
const URL_FILE: &str = "store-url";

/// Whether the store of the servers under test is PostgreSQL.
pub fn on_postgres() -> bool {
    match std::env::var(STORE_VARIABLE).as_deref() {
        Err(_) => false,
        Ok("postgres") => true,
        Ok(other) => panic!("{STORE_VARIABLE} is postgres or not set, not {other}"),
    }
}

/// The URL of the store that belongs to a folder: the embedded store in it, or a database, which is created in the cluster of
/// this process if the folder has none.
pub fn store_url(folder: &Path) -> String {
    if let Ok(url) = std::fs::read_to_string(folder.join(URL_FILE)) {
        return url;
    }
    if !on_postgres() {
        return sqlite_url(folder);
    }
    let cluster = Cluster::shared();
    store_set(folder, &cluster.url(&cluster.create_database()))
}

/// Makes the database at this URL the store that belongs to a folder. Returns the URL.
pub fn store_set(folder: &Path, url: &str) -> String {
    std::fs::write(folder.join(URL_FILE), url).unwrap();
    url.to_owned()
}

/// The URL of the embedded store in a folder.
pub fn sqlite_url(folder: &Path) -> String {
    format!("sqlite:{}", folder.join(STORE_FILE).display())
}

/// The name of the database that belongs to a folder.
pub fn database_name(folder: &Path) -> String {
    let url = store_url(folder);
    url.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Copies the store of a folder, which no process uses, to another folder.
pub fn store_copy(from: &Path, to: &Path) {
    if on_postgres() {
        let cluster = Cluster::shared();
        store_set(to, &cluster.url(&cluster.copy_database(&database_name(from))));
    } else {
        std::fs::copy(from.join(STORE_FILE), to.join(STORE_FILE)).unwrap();
    }
}

/// The program `sessiond`. Its processes inherit no `SESSIOND_*` variable.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    env: Vec<(String, String)>,
    log_on_stderr: bool,
    log_to: Option<Arc<File>>,
}

impl Program {
    /// The program in this file.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), env: Vec::new(), log_on_stderr: false, log_to: None }
    }

    /// Adds an environment variable for each of its processes.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Also copies the log of its servers to this process's standard error.
    #[must_use]
    pub fn log_on_stderr(mut self) -> Self {
        self.log_on_stderr = true;
        self
    }

    /// Makes this file the standard error of its servers; their log is then empty for [`Server::log`].
    #[must_use]
    pub fn log_to(mut self, file: File) -> Self {
        self.log_to = Some(Arc::new(file));
        self
    }

    /// A command with these arguments.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = std::process::Command::new(&self.path);
        let inherited = std::env::vars_os().map(|(name, _)| name);
        for name in inherited.filter(|name| name.to_string_lossy().starts_with("SESSIOND_")) {
            command.env_remove(name);
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Command { command, input: Vec::new() }
    }

    /// Starts a server on the store in a folder, on free ports, with these settings; without rate limits unless the
    /// settings have a section `[limits]`. Flags precede all of them. From then on, only this user may access the folder.
    ///
    /// # Errors
    ///
    /// The server did not print its address. The error contains its log.
    pub fn serve(&self, folder: &Path, settings: &str, flags: &[&str]) -> Result<Server, LaunchError> {
        let failed = |error: std::io::Error| LaunchError(format!("{}: {error}", self.path.display()));
        let config = folder.join("sessiond.toml");
        std::fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(failed)?;
        let limits = if settings.contains("[limits]") { "" } else { WITHOUT_LIMITS };
        std::fs::write(&config, format!("{limits}{settings}")).map_err(failed)?;
        let store = store_url(folder);
        let Command { mut command, .. } = self.command(&["serve"]);
        command.args(flags).stdin(Stdio::null());
        for (name, value) in [
            ("STORE", store.as_str()),
            ("LISTEN", "127.0.0.1:0"),
            ("INTERNAL_LISTEN", "127.0.0.1:0"),
            ("LOG_FORMAT", "json"),
        ] {
            command.env(format!("SESSIOND_{name}"), value);
        }
        if let Some(file) = &self.log_to {
            command.stderr(file.try_clone().map_err(failed)?);
        }
        let mut child = command.env("SESSIOND_CONFIG", &config).spawn().map_err(failed)?;
        let log = collect(child.stderr.take(), self.log_on_stderr);
        let stdout = collect(child.stdout.take(), false);
        let mut server = Server {
            program: self.clone(),
            child,
            address: ([0, 0, 0, 0], 0).into(),
            store,
            config,
            log,
            stdout,
        };
        let address = server.wait_for(|server| {
            server.stdout().lines().next()?.strip_prefix("listening on http://")?.parse().ok()
        });
        server.address =
            address.ok_or_else(|| LaunchError(format!("sessiond did not start: {}", server.log().trim())))?;
        Ok(server)
    }
}

/// A command of `sessiond` that has not run yet.
#[derive(Debug)]
pub struct Command {
    command: std::process::Command,
    input: Vec<u8>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; -1 if a signal ended it.
    pub code: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Command {
    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it in this folder.
    #[must_use]
    pub fn folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Sets its standard input.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Runs it to its end.
    ///
    /// # Errors
    ///
    /// It cannot be started. How it ended is not an error.
    pub fn try_run(mut self) -> Result<Finished, LaunchError> {
        let name = self.command.get_program().display().to_string();
        let failed = |error: std::io::Error| LaunchError(format!("{name}: {error}"));
        let mut child = self.command.spawn().map_err(failed)?;
        let (stdin, input) = (child.stdin.take(), std::mem::take(&mut self.input));
        // It may end without reading all of its input.
        let writing = thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&input)));
        let output = child.wait_with_output().map_err(failed)?;
        let _ = writing.join();
        Ok(Finished {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// As [`Command::try_run`]. Panics if it cannot be started.
    pub fn run(self) -> Finished {
        self.try_run().unwrap()
    }

    /// Runs it to its end and returns its standard output.
    ///
    /// # Errors
    ///
    /// It cannot be started, or its exit code is not 0. The error contains its standard error.
    pub fn output(self) -> Result<String, LaunchError> {
        let name = format!("{:?}", self.command);
        let finished = self.try_run()?;
        if finished.code == 0 {
            return Ok(finished.stdout);
        }
        Err(LaunchError(format!("{name} ended with {}: {}", finished.code, finished.stderr.trim())))
    }

    /// Runs `key create` and returns the new key's ID and the key.
    ///
    /// # Errors
    ///
    /// The command failed or printed no key.
    pub fn created_key(self) -> Result<(String, String), LaunchError> {
        let printed = self.output()?;
        let made: Value = serde_json::from_str(&printed).unwrap_or_default();
        match (made["id"].as_str(), made["key"].as_str()) {
            (Some(id), Some(key)) => Ok((id.to_owned(), key.to_owned())),
            _ => Err(LaunchError(format!("`sessiond key create` printed no key: {printed}"))),
        }
    }
}

/// The arguments of `key create` with these flags and scopes.
pub fn key_create<'a>(flags: &[&'a str], scopes: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["key", "create", "--name", "test", "--output", "json"];
    arguments.extend(flags);
    arguments.extend(scopes.iter().flat_map(|scope| ["--scope", *scope]));
    arguments
}

/// A running server. Dropping it kills the process.
#[derive(Debug)]
pub struct Server {
    program: Program,
    child: Child,
    /// The address of its public listener.
    pub address: SocketAddr,
    /// The URL of its store.
    pub store: String,
    config: PathBuf,
    log: Arc<Mutex<String>>,
    stdout: Arc<Mutex<String>>,
}

impl Server {
    /// What it has logged so far.
    pub fn log(&self) -> String {
        lock(&self.log).clone()
    }

    /// What it has printed so far.
    pub fn stdout(&self) -> String {
        lock(&self.stdout).clone()
    }

    /// A command on its store, with its settings.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let config = self.config.to_string_lossy();
        self.program.command(&[arguments, &["--store", &self.store, "--config", &config]].concat())
    }

    /// The address of its internal listener, once it is in the log.
    pub fn internal_address(&self) -> Option<String> {
        self.wait_for(|server| {
            server.log().lines().find_map(|line| {
                let record: Value = serde_json::from_str(line).ok()?;
                record["internal_listen"].as_str().map(str::to_owned)
            })
        })
    }

    /// Waits until this is found, but not forever.
    pub fn wait_for<T>(&self, mut found: impl FnMut(&Self) -> Option<T>) -> Option<T> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(value) = found(self) {
                return Some(value);
            }
            if self.has_closed_output() {
                return found(self);
            }
            thread::sleep(Duration::from_millis(5));
        }
        None
    }

    /// Whether it will neither log nor print any more.
    fn has_closed_output(&self) -> bool {
        Arc::strong_count(&self.log) == 1 && Arc::strong_count(&self.stdout) == 1
    }

    /// Its process ID.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal. Fails if it has ended.
    pub fn signal(&self, signal: Signal) -> std::io::Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// Its exit code if it has ended and its log is complete; -1 if a signal ended it.
    pub fn ended(&mut self) -> std::io::Result<Option<i32>> {
        let status = self.child.try_wait()?.filter(|_| self.has_closed_output());
        Ok(status.map(|status| status.code().unwrap_or(-1)))
    }

    /// Waits for its end.
    pub fn wait(&mut self) {
        let _ = self.child.wait();
    }

    /// Kills it as `kill -9` does and waits for its end.
    pub fn kill(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn lock(text: &Mutex<String>) -> MutexGuard<'_, String> {
    text.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Collects the lines of a stream in a text that can be read meanwhile. At the stream's end, the returned reference is the
/// only one.
fn collect(stream: Option<impl Read + Send + 'static>, copy: bool) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let Some(stream) = stream else { return text };
    let collected = Arc::clone(&text);
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if copy {
                let _ = writeln!(std::io::stderr(), "{line}");
            }
            let mut text = lock(&collected);
            text.push_str(&line);
            text.push('\n');
        }
    });
    text
}
