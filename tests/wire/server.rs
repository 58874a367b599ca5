//! `sessiond` as a process that may fail, each on a copy of one prepared store.

use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use rusqlite::Connection;
use session_tests::fault_proxy::FaultProxy;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use crate::report::Failed;

/// How long a process may take for what takes it milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// The file of a store in its folder.
const STORE: &str = "sessions.db";

/// The program under test.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// The proxy that makes each server of it look like one with a fault.
    pub(crate) proxy: Option<Arc<FaultProxy>>,
}

fn failed(what: &str, error: impl std::fmt::Display) -> Failed {
    Failed(format!("{what}: {error}"))
}

fn store_of(folder: &Path) -> String {
    format!("sqlite:{}", folder.join(STORE).display())
}

impl Program {
    /// It, without the settings of whoever runs the suite.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.path);
        for name in ["CONFIG", "STORE", "LISTEN", "INTERNAL_LISTEN", "LOG_FORMAT", "LOG_LEVEL"] {
            command.env_remove(format!("SESSIOND_{name}"));
        }
        command.args(arguments).kill_on_drop(true);
        command
    }

    /// Runs a command of it to its end; answers what it printed.
    pub(crate) async fn run(&self, arguments: &[&str], input: String) -> Result<String, Failed> {
        let what = format!("{} {}", self.path.display(), arguments.first().unwrap_or(&""));
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(&what, error))?;
        let mut stdin = child.stdin.take();
        let feeding = async move {
            if let Some(stdin) = &mut stdin {
                // It may end without reading all of it.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
        };
        let both = async { tokio::join!(feeding, child.wait_with_output()).1 };
        let output =
            tokio::time::timeout(PATIENCE, both).await.map_err(|_| failed(&what, "it did not end"))?;
        let output = output.map_err(|error| failed(&what, error))?;
        if !output.status.success() {
            return Err(failed(&what, String::from_utf8_lossy(&output.stderr).trim()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs a command on the store in a folder.
    pub(crate) async fn run_on(
        &self,
        folder: &Path,
        arguments: &[&str],
        input: String,
    ) -> Result<String, Failed> {
        let store = store_of(folder);
        self.run(&[arguments, &["--store", &store, "--config", "/dev/null"]].concat(), input).await
    }
}

/// A running server on a store of its own; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    folder: TempDir,
    _child: Child,
}

impl Server {
    /// Starts one on a copy of the store in this folder, with these settings.
    pub(crate) async fn start(program: &Program, prepared: &Path, settings: &str) -> Result<Self, Failed> {
        let io = |error| failed("a store cannot be prepared", error);
        let folder = tempfile::tempdir().map_err(io)?;
        std::fs::copy(prepared.join(STORE), folder.path().join(STORE)).map_err(io)?;
        let config = folder.path().join("sessiond.toml");
        let settings =
            program.proxy.as_ref().map_or_else(|| settings.to_owned(), |proxy| proxy.settings(settings));
        std::fs::write(&config, settings).map_err(io)?;
        let log = folder.path().join("log");
        let stderr = File::create(&log).map_err(io)?;
        let mut child = program
            .command(&["serve", "--listen", "127.0.0.1:0", "--internal-listen", "127.0.0.1:0"])
            .args(["--log-format", "json", "--log-level", "error", "--store", &store_of(folder.path())])
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .map_err(|error| failed(&program.path.display().to_string(), error))?;
        let stdout = child.stdout.take().ok_or_else(|| failed("sessiond", "it has no standard output"))?;
        let mut lines = BufReader::new(stdout).lines();
        let line =
            tokio::time::timeout(PATIENCE, lines.next_line()).await.ok().and_then(Result::ok).flatten();
        let address = line.as_deref().and_then(|line| line.strip_prefix("listening on http://"));
        let address = address.and_then(|address| address.parse().ok()).ok_or_else(|| {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            failed("sessiond did not start", said.trim())
        })?;
        let address = match &program.proxy {
            Some(proxy) => proxy.start(address).await.map_err(|error| failed("no proxy", error))?,
            None => address,
        };
        Ok(Self { address, folder, _child: child })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Takes the table of sessions away, so that the store fails.
    pub(crate) fn break_store(&self) -> Result<(), Failed> {
        let broken = Connection::open(self.file(STORE)).and_then(|connection| {
            connection.busy_timeout(PATIENCE)?;
            connection.execute_batch("ALTER TABLE session RENAME TO elsewhere")
        });
        broken.map_err(|error| failed("the store cannot be broken", error))
    }

    /// Keeps every reader of the store waiting until what is returned is dropped: this process then stands where one
    /// stands that is putting the write-ahead log in order after a crash. Its index is invalid, and this process has
    /// the locks of who makes it anew.
    pub(crate) fn recover_store(&self) -> Result<File, Failed> {
        /// Where the locks of the index begin, and that it is those of writing, checkpoint and recovery.
        const LOCKS: (libc::off_t, libc::off_t) = (120, 3);
        /// In the second copy of the index's header: a reader sees that it is not the first.
        const CHANGE_COUNTER: u64 = 48 + 8;
        let what = "the store's readers cannot be kept waiting";
        let index = File::options().read(true).write(true).open(self.file("sessions.db-shm"));
        let index = index.map_err(|error| failed(what, error))?;
        #[expect(clippy::cast_possible_truncation, reason = "the constants are small; their types are not")]
        let lock = libc::flock {
            l_type: libc::F_WRLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: LOCKS.0,
            l_len: LOCKS.1,
            l_pid: 0,
        };
        fcntl(&index, FcntlArg::F_SETLKW(&lock)).map_err(|error| failed(what, error))?;
        let mut counter = [0; 4];
        index.read_exact_at(&mut counter, CHANGE_COUNTER).map_err(|error| failed(what, error))?;
        let changed = counter.map(|byte| !byte);
        index.write_all_at(&changed, CHANGE_COUNTER).map_err(|error| failed(what, error))?;
        Ok(index)
    }
}
