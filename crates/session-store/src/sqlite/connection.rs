//! Connections to the file: one that writes and some that read.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::{Result, failed};
use super::migrations::migrate;
use crate::store::StoreError;

/// How long the writer waits for a lock of another process. Longer than a caller waits: the caller gets an error that
/// says that the outcome is unknown, and the change is still made if the lock is released soon after.
pub(super) const WRITER_BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a reader waits for a lock. In WAL mode a reader waits only for a process that has locked the whole file,
/// and a waiting reader blocks a thread of the runtime.
pub(super) const READER_BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// The page cache of each connection, in KiB (a negative number for SQLite). It has room for the inner pages of a
/// table of ten million sessions and for the leaves in use; the operating system caches the others.
const CACHE_KIB: i32 = -16 * 1024;

/// How many prepared statements a reader caches. Preparing the statement of a list takes longer than running it.
const STATEMENTS_MAX: usize = 128;

/// Opens the connection that writes. Creates the file, readable only by its owner, and migrates it.
pub(super) fn open_writer(path: &Path) -> Result<Connection> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| StoreError::Failed(error.to_string()))?;
    let mut connection =
        connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, WRITER_BUSY_TIMEOUT).map_err(failed)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
    // A commit is on the disk before it is acknowledged, also if the power fails.
    connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// Opens a connection that reads an existing file.
pub(super) fn open_reader(path: &Path) -> Result<Connection> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, READER_BUSY_TIMEOUT).map_err(failed)?;
    // One for each shape of a list: its filters, bound to a pool or not, with a place to go on from or not.
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(connection)
}

/// Opens a connection to an existing file.
pub(super) fn connect(
    path: &Path,
    access: OpenFlags,
    busy_timeout: Duration,
) -> rusqlite::Result<Connection> {
    // NO_MUTEX: a connection is only used by the thread that owns or has locked it.
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(busy_timeout)?;
    connection.pragma_update(None, "cache_size", CACHE_KIB)?;
    // No plan depends on the values of parameters. Otherwise SQLite prepares a statement anew whenever a parameter changes
    // that it has compared with the condition of a partial index: two thirds of the instructions of a list.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

/// Connections for reading.
#[derive(Debug)]
pub(super) struct Readers(Vec<Mutex<Connection>>);

impl Readers {
    /// Opens `count` connections to an existing file.
    pub(super) fn open(path: &Path, count: usize) -> Result<Self> {
        (0..count).map(|_| open_reader(path).map(Mutex::new)).collect::<Result<_>>().map(Self)
    }

    /// Locks a connection that is free. If none is, waits for the first one.
    pub(super) fn lock(&self) -> MutexGuard<'_, Connection> {
        for reader in &self.0 {
            match reader.try_lock() {
                Ok(connection) => return connection,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.0[0].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
