//! Connections to the file: one that writes and some that read.

use std::cell::Cell;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
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

/// Connections for reading. Each stays in the transaction of its last read, the snapshot, and reads in it again as long as
/// nothing was committed: to begin and end one for each read takes longer than the read. `docs/decisions/0033-reads-by-id.md`
/// has the reasons.
#[derive(Debug)]
pub(super) struct Readers {
    connections: Vec<Mutex<Reader>>,
    /// How many times the writer has committed, or failed to. The file has no other writer.
    commits: AtomicU64,
}

/// A connection for reading, and its snapshot.
#[derive(Debug)]
pub(super) struct Reader {
    connection: Connection,
    /// The value of [`Readers::commits`] when the transaction began that is open; the database was the same then or newer.
    snapshot: Option<u64>,
}

impl Reader {
    /// Ends the transaction, so that the next read begins another one.
    fn end(&mut self) -> rusqlite::Result<()> {
        if !self.connection.is_autocommit() {
            self.connection.prepare_cached("ROLLBACK")?.execute([])?;
        }
        self.snapshot = None;
        Ok(())
    }

    /// Begins a transaction that has at least `commits`.
    fn begin(&mut self, commits: u64) -> rusqlite::Result<()> {
        self.end()?;
        self.connection.prepare_cached("BEGIN")?.execute([])?;
        self.snapshot = Some(commits);
        Ok(())
    }
}

impl Readers {
    /// Opens `count` connections to an existing file.
    pub(super) fn open(path: &Path, count: usize) -> Result<Self> {
        let open = |_| Ok(Mutex::new(Reader { connection: open_reader(path)?, snapshot: None }));
        let connections = (0..count).map(open).collect::<Result<_>>()?;
        Ok(Self { connections, commits: AtomicU64::new(0) })
    }

    /// Reads on a connection, without waiting unless all are in use. What it reads is one snapshot, and has every change
    /// that was acknowledged before this call.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let mut reader = self.lock();
        // Before the transaction begins: with a commit in between, the snapshot is newer than this number, never older.
        let commits = self.commits.load(Ordering::Acquire);
        if reader.snapshot != Some(commits) {
            reader.begin(commits).map_err(failed)?;
        }
        read(&reader.connection)
    }

    /// Locks a connection that is free, the one that this thread had last if possible. If none is, waits for that one.
    fn lock(&self) -> MutexGuard<'_, Reader> {
        thread_local! {
            /// The position of the connection that this thread had last, of any store.
            static LAST: Cell<usize> = const { Cell::new(0) };
        }
        let (before, from) = self.connections.split_at(LAST.get() % self.connections.len());
        for (position, reader) in from.iter().chain(before).enumerate() {
            let locked = match reader.try_lock() {
                Ok(locked) => locked,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => continue,
            };
            if position > 0 {
                LAST.set(before.len() + position);
            }
            return locked;
        }
        from[0].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes every later read begin a new snapshot. The writer calls this after each commit, before it acknowledges the
    /// changes.
    pub(super) fn committed(&self) {
        self.commits.fetch_add(1, Ordering::Release);
    }

    /// Ends the snapshot of every connection, once the read in it has ended. Until then a checkpoint copies no page that is
    /// newer than the snapshot, and the write-ahead log does not begin again.
    pub(super) fn end_snapshots(&self) {
        for reader in &self.connections {
            // If it fails, the checkpoint copies less.
            let _ = reader.lock().unwrap_or_else(PoisonError::into_inner).end();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn value(connection: &Connection) -> Result<String> {
        let sql = "SELECT coalesce(max(value), 'none') FROM setting";
        connection.query_row(sql, [], |row| row.get(0)).map_err(failed)
    }

    #[test]
    fn reads_are_of_one_snapshot_until_a_commit_is_announced_or_snapshots_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.db");
        let writer = open_writer(&path).unwrap();
        let readers = Readers::open(&path, 1).unwrap();
        let set =
            |value: &str| writer.execute("INSERT INTO setting VALUES (:value, :value)", [value]).unwrap();
        assert_eq!(readers.read(value), Ok("none".to_owned()));
        set("a");
        assert_eq!(readers.read(value), Ok("none".to_owned()));
        readers.committed();
        assert_eq!(readers.read(value), Ok("a".to_owned()));
        set("b");
        readers.end_snapshots();
        assert_eq!(readers.read(value), Ok("b".to_owned()));
        assert!(readers.read(|connection| connection.execute_batch("no SQL").map_err(failed)).is_err());
        set("c");
        readers.committed();
        assert_eq!(readers.read(value), Ok("c".to_owned()));
    }

    #[test]
    fn threads_read_at_once_on_connections_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.db");
        drop(open_writer(&path).unwrap());
        let readers = Readers::open(&path, 3).unwrap();
        let readers = &readers;
        let (begin, begun) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                let (end, ended) = mpsc::channel::<()>();
                let begin = begin.clone();
                scope.spawn(move || {
                    readers.read(|_| {
                        begin.send(end).unwrap();
                        // Until the sender is dropped; not forever, so that a failure ends.
                        let _ = ended.recv_timeout(Duration::from_secs(30));
                        Ok(())
                    })
                });
            }
            let patience = Duration::from_secs(30);
            let reading: Vec<_> = (0..3).map_while(|_| begun.recv_timeout(patience).ok()).collect();
            assert_eq!(reading.len(), 3, "a thread waits for another one");
        });
    }
}
