//! Servers, each on a copy of the prepared store.

use std::any::Any;
use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use session_test_support::database::Database;
use session_test_support::fault_proxy::FaultProxy;
use session_test_support::launcher::{self, LaunchError, on_postgres, store_copy};
use tempfile::TempDir;

use crate::report::Failed;

/// The program under test.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// Its file.
    pub(crate) path: PathBuf,
    /// The proxy that makes each server of it look like one with a fault.
    pub(crate) proxy: Option<Arc<FaultProxy>>,
}

impl Program {
    /// The program for the launcher.
    pub(crate) fn launcher(&self) -> launcher::Program {
        launcher::Program::at(&self.path)
    }
}

impl From<LaunchError> for Failed {
    fn from(error: LaunchError) -> Self {
        Self(error.0)
    }
}

fn failed(what: &str, error: impl std::fmt::Display) -> Failed {
    Failed(format!("{what}: {error}"))
}

/// A running server on a store of its own. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Server {
    /// The address of its public listener, or of the proxy in front of it.
    pub(crate) address: SocketAddr,
    process: launcher::Server,
    folder: TempDir,
}

impl Server {
    /// Starts one on a copy of the store in a folder, with these settings.
    pub(crate) async fn start(program: &Program, prepared: &Path, settings: &str) -> Result<Self, Failed> {
        let io = |error| failed("a store cannot be prepared", error);
        let folder = tempfile::tempdir().map_err(io)?;
        let proxy = program.proxy.as_ref();
        let settings = proxy.map_or_else(|| settings.to_owned(), |proxy| proxy.settings(settings));
        let (program, from, path) = (program.launcher(), prepared.to_owned(), folder.path().to_owned());
        // The launcher waits for the process; the other servers start and respond meanwhile.
        let started = tokio::task::spawn_blocking(move || {
            store_copy(&from, &path);
            program.serve(&path, &settings, &["--log-level", "error"])
        });
        let process = started.await.map_err(|error| failed("sessiond", error))??;
        let address = match proxy {
            Some(proxy) => proxy.start(process.address).await.map_err(|error| failed("the proxy", error))?,
            None => process.address,
        };
        Ok(Self { address, process, folder })
    }

    /// The address of its public listener, without the proxy.
    pub(crate) fn direct(&self) -> SocketAddr {
        self.process.address
    }

    /// Renames the table of sessions, so that the store fails.
    pub(crate) fn break_store(&self) {
        Database::of(self.folder.path()).execute("ALTER TABLE session RENAME TO elsewhere");
    }

    /// Makes every reader of the store wait until the returned value is dropped.
    pub(crate) fn lock_store(&self) -> Result<Box<dyn Any>, Failed> {
        if on_postgres() {
            let mut holder = Database::of(self.folder.path());
            holder.execute("BEGIN; LOCK TABLE session IN ACCESS EXCLUSIVE MODE");
            return Ok(Box::new(holder));
        }
        Ok(Box::new(self.recover_embedded_store()?))
    }

    /// Makes every reader of the embedded store wait until the returned file is dropped. This process acts like one that
    /// recovers the write-ahead log after a crash: it invalidates the log's index and holds the locks of the recovery.
    fn recover_embedded_store(&self) -> Result<File, Failed> {
        /// The offset and number of the index's locks for writing, checkpoint and recovery.
        const LOCKS: (libc::off_t, libc::off_t) = (120, 3);
        /// In the second copy of the index's header: a reader notices that the copies differ.
        const CHANGE_COUNTER: u64 = 48 + 8;
        let what = "the readers of the store cannot be made to wait";
        let index = File::options().read(true).write(true).open(self.folder.path().join("sessions.db-shm"));
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
