//! The embedded store: one SQLite file in WAL mode.
//!
//! One thread writes, in groups: it takes every change that waits, commits them together and only then
//! answers each, so that many callers share one sync of the disk. Readers have connections of their own and
//! wait for nobody.

mod migrations;
mod rows;
mod writer;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use session_api::{DomainId, Id, PoolId, SessionId, SessionSummary, Timestamp};

use self::rows::{KEY_COLUMNS, SESSION_COLUMNS, key_of_row, session_of_row};
use self::writer::Writer;
use crate::key::{ApiKey, KeyId};
use crate::store::{Reference, Store, StoreError, StoredSession};

/// How long the writer waits for a lock that another process holds. Longer than a caller waits: it is told that
/// the outcome is not known, and the change is still made when the lock is given back soon after.
const WRITER_BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a reader waits. In WAL mode only a process that has the file for itself keeps a reader waiting, and a
/// waiting reader occupies a thread of the runtime.
const READER_BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// Page cache of each connection, in KiB (negative for SQLite): the inner pages of a table of ten million
/// sessions and room for the leaves in use; the operating system caches the rest.
const CACHE_KIB: i32 = -16 * 1024;

/// A store in one SQLite file, for one process.
#[derive(Debug)]
pub struct SqliteStore {
    readers: Vec<Mutex<Connection>>,
    writer: Writer,
}

/// The fault of a statement, with what SQLite says of it and none of its parameters.
fn failed(error: rusqlite::Error) -> StoreError {
    let busy = matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)
    );
    let text = match error {
        // The text of the statement says nothing to an operator and may reach a message.
        rusqlite::Error::SqlInputError { error, msg, .. } => format!("{error}: {msg}"),
        other => other.to_string(),
    };
    if busy { StoreError::Lost(text) } else { StoreError::Failed(text) }
}

impl SqliteStore {
    /// Opens the file, creating it readable by its owner alone, and migrates it.
    ///
    /// Fails if the file cannot be opened, is no database of ours, or was written by a newer program.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| StoreError::Failed(error.to_string()))?;
        let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, WRITER_BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        // A commit is on the disk before it is acknowledged, also if the power fails.
        connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
        connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
        migrations::migrate(&mut connection)?;
        // Reads run on the threads of the runtime, one for each processor, and one more for whole-table reads.
        let readers = std::thread::available_parallelism().map_or(2, usize::from) + 1;
        Ok(Self {
            readers: (0..readers)
                .map(|_| connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, READER_BUSY_TIMEOUT).map(Mutex::new))
                .collect::<Result<_, _>>()?,
            writer: Writer::start(connection)?,
        })
    }

    /// A connection that nobody uses, else the first that becomes free.
    ///
    /// Reads by primary key take microseconds, less than handing them to another thread would.
    fn reader(&self) -> MutexGuard<'_, Connection> {
        for reader in &self.readers {
            match reader.try_lock() {
                Ok(connection) => return connection,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.readers[0].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn connect(path: &Path, access: OpenFlags, busy_timeout: Duration) -> Result<Connection, StoreError> {
    // NO_MUTEX: a connection is only ever used under its own lock.
    let connection =
        Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(failed)?;
    connection.busy_timeout(busy_timeout).map_err(failed)?;
    connection.pragma_update(None, "cache_size", CACHE_KIB).map_err(failed)?;
    Ok(connection)
}

#[async_trait]
impl Store for SqliteStore {
    async fn session_fetch(&self, id: SessionId) -> Result<Option<StoredSession>, StoreError> {
        let connection = self.reader();
        let mut select = connection.prepare_cached(rows::SESSION_BY_ID).map_err(failed)?;
        select.query_row([id.0.as_bytes()], session_of_row).optional().map_err(failed)
    }

    async fn session_create(&self, session: StoredSession) -> Result<(), StoreError> {
        self.writer.submit(move |connection| rows::session_insert_in_txn(connection, &session)).await
    }

    async fn session_replace(&self, session: StoredSession) -> Result<bool, StoreError> {
        self.writer.submit(move |connection| rows::session_replace_in_txn(connection, &session)).await
    }

    async fn session_import(
        &self,
        sessions: Vec<SessionSummary>,
    ) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        self.writer
            .submit(move |connection| {
                sessions
                    .into_iter()
                    .map(|summary| {
                        let session = StoredSession { summary, token_hash: None, revision: 0 };
                        // Before the pool is claimed: what is refused here is not rolled back.
                        if rows::session_exists_in_txn(connection, session.summary.id)? {
                            return Ok(Err(StoreError::AlreadyExists));
                        }
                        match rows::session_insert_in_txn(connection, &session) {
                            Err(fault @ (StoreError::Failed(_) | StoreError::Lost(_))) => Err(fault),
                            outcome => Ok(outcome),
                        }
                    })
                    .collect()
            })
            .await
    }

    async fn session_page(
        &self,
        after: Option<SessionId>,
        limit: u32,
    ) -> Result<Vec<SessionSummary>, StoreError> {
        let connection = self.reader();
        let mut select = connection
            .prepare_cached(&format!(
                "SELECT {SESSION_COLUMNS} FROM session WHERE id > ?1 ORDER BY id LIMIT ?2"
            ))
            .map_err(failed)?;
        // No ID sorts below the empty blob.
        let after = after.map_or_else(Vec::new, |id| id.0.as_bytes().to_vec());
        let rows = select.query_map(params![after, limit], session_of_row).map_err(failed)?;
        rows.map(|row| row.map(|session| session.summary).map_err(failed)).collect()
    }

    async fn reference_find(
        &self,
        id: Id,
        domain_id: DomainId,
        pool_id: Option<PoolId>,
    ) -> Result<Option<Reference>, StoreError> {
        let connection = self.reader();
        let known = |condition: &str| -> Result<bool, StoreError> {
            let mut select = connection
                .prepare_cached(&format!(
                    "SELECT EXISTS (SELECT 1 FROM session WHERE {condition} AND domain_id = ?2 \
                     AND (?3 IS NULL OR pool_id = ?3))"
                ))
                .map_err(failed)?;
            let pool = pool_id.map(|pool| *pool.0.as_bytes());
            select
                .query_row(params![id.as_bytes(), domain_id.0.as_bytes(), pool], |row| row.get(0))
                .map_err(failed)
        };
        for (condition, reference) in [
            ("account_id = ?1", Reference::Account),
            ("identity_id = ?1", Reference::Identity),
            ("device_id = ?1", Reference::Device),
        ] {
            if known(condition)? {
                return Ok(Some(reference));
            }
        }
        if id == domain_id.0 {
            return Ok(Some(Reference::Domain));
        }
        if pool_id.is_some_and(|pool| pool.0 != id) {
            return Ok(None);
        }
        let mut select = connection
            .prepare_cached("SELECT 1 FROM pool WHERE id = ?1 AND domain_id = ?2")
            .map_err(failed)?;
        let pool = select.exists(params![id.as_bytes(), domain_id.0.as_bytes()]).map_err(failed)?;
        Ok(pool.then_some(Reference::Pool))
    }

    async fn key_fetch(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
        let connection = self.reader();
        let mut select = connection
            .prepare_cached(&format!("SELECT {KEY_COLUMNS} FROM api_key WHERE id = ?1"))
            .map_err(failed)?;
        select.query_row([id.0.as_bytes()], key_of_row).optional().map_err(failed)
    }

    async fn key_create(&self, key: ApiKey) -> Result<(), StoreError> {
        self.writer.submit(move |connection| rows::key_insert_in_txn(connection, &key)).await
    }

    async fn key_list(&self) -> Result<Vec<ApiKey>, StoreError> {
        let connection = self.reader();
        let mut select = connection
            .prepare_cached(&format!("SELECT {KEY_COLUMNS} FROM api_key ORDER BY id"))
            .map_err(failed)?;
        let rows = select.query_map([], key_of_row).map_err(failed)?;
        rows.map(|row| row.map_err(failed)).collect()
    }

    async fn key_revoke(&self, id: KeyId, at: Timestamp) -> Result<bool, StoreError> {
        self.writer
            .submit(move |connection| {
                let changed = connection
                    .execute(
                        "UPDATE api_key SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1",
                        params![id.0.as_bytes(), at.as_ms()],
                    )
                    .map_err(failed)?;
                Ok(changed > 0)
            })
            .await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        let connection = self.reader();
        connection
            .query_row("SELECT count(*) FROM (SELECT 1 FROM session LIMIT 1)", [], |_| Ok(()))
            .map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn a_database_that_another_process_holds_did_not_answer_and_any_other_fault_is_one() {
        let fault = |code| failed(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        for code in [ffi::SQLITE_BUSY, ffi::SQLITE_BUSY_SNAPSHOT, ffi::SQLITE_LOCKED] {
            assert!(matches!(fault(code), StoreError::Lost(_)), "{code}");
        }
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_FULL, ffi::SQLITE_IOERR, ffi::SQLITE_NOTADB] {
            assert!(matches!(fault(code), StoreError::Failed(_)), "{code}");
        }
    }
}
