//! The embedded store: one SQLite file in WAL mode.
//!
//! One thread writes, in groups: it takes every change that waits, commits them together and only then
//! answers each, so that many callers share one sync of the disk. Readers have connections of their own and
//! wait for nobody.

mod list;
mod migrations;
mod rows;
mod writer;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use session_api::{DomainId, Id, PoolId, SessionId, Timestamp};

use self::rows::{EVENT_COLUMNS, KEY_COLUMNS, SESSION_COLUMNS, event_of_row, key_of_row, session_of_row};
use self::writer::Writer;
use crate::event::{Event, EventId};
use crate::key::{ApiKey, KeyId};
use crate::store::{Reference, Seen, SessionFilter, Store, StoreError, StoredSession, Times};

/// How long the writer waits for a lock that another process holds. Longer than a caller waits: it is told that
/// the outcome is not known, and the change is still made when the lock is given back soon after.
const WRITER_BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a reader waits. In WAL mode only a process that has the file for itself keeps a reader waiting, and a
/// waiting reader occupies a thread of the runtime.
const READER_BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// Page cache of each connection, in KiB (negative for SQLite): the inner pages of a table of ten million
/// sessions and room for the leaves in use; the operating system caches the rest.
const CACHE_KIB: i32 = -16 * 1024;

/// How many pages of 4 KiB the write-ahead log has before they are moved into the database. SQLite's 1,000 are
/// reached several times a second when many sessions are created or seen, and each move syncs the disk twice and
/// writes a page again that is about to change again; 16,000 are 64 MiB beside the database.
const CHECKPOINT_PAGES: i32 = 16_000;

/// How many connections there are for reads of many rows.
const SCANNERS: usize = 2;

/// A store in one SQLite file, for one process.
#[derive(Debug)]
pub struct SqliteStore {
    /// For reads by key, on the threads of the runtime.
    readers: Readers,
    /// For reads of many rows, on threads that may block, so that no fetch waits for a list.
    scanners: Arc<Readers>,
    writer: Writer,
}

/// Connections for reading.
#[derive(Debug)]
struct Readers(Vec<Mutex<Connection>>);

impl Readers {
    fn open(path: &Path, count: usize) -> Result<Self, StoreError> {
        let connect = |_| connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, READER_BUSY_TIMEOUT);
        (0..count).map(connect).map(|reader| reader.map(Mutex::new)).collect::<Result<_, _>>().map(Self)
    }

    /// A connection that nobody uses, else the first that becomes free.
    fn lock(&self) -> MutexGuard<'_, Connection> {
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
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES).map_err(failed)?;
        migrations::migrate(&mut connection)?;
        // One for each thread of the runtime.
        let readers = std::thread::available_parallelism().map_or(2, usize::from);
        Ok(Self {
            readers: Readers::open(path, readers)?,
            scanners: Arc::new(Readers::open(path, SCANNERS)?),
            writer: Writer::start(connection)?,
        })
    }

    /// A connection for a read by key, which takes microseconds: less than handing it to another thread would.
    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.readers.lock()
    }

    /// Reads many rows, on a thread that may block.
    async fn scan<F, T>(&self, read: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let scanners = Arc::clone(&self.scanners);
        tokio::task::spawn_blocking(move || read(&scanners.lock()))
            .await
            .unwrap_or_else(|error| Err(StoreError::Failed(error.to_string())))
    }
}

/// Runs a statement of sessions and reads them.
fn sessions(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<StoredSession>, StoreError> {
    let mut select = connection.prepare_cached(sql).map_err(failed)?;
    let rows = select.query_map(parameters, session_of_row).map_err(failed)?;
    rows.map(|row| row.map_err(failed)).collect()
}

/// Deletes with this statement and these parameters; answers how many rows.
fn delete(connection: &Connection, sql: &str, parameters: impl rusqlite::Params) -> Result<u64, StoreError> {
    let deleted = connection.prepare_cached(sql).and_then(|mut delete| delete.execute(parameters));
    deleted.map(|count| count as u64).map_err(failed)
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

    async fn session_create(&self, session: StoredSession, event: Event) -> Result<(), StoreError> {
        self.writer
            .submit(move |connection| {
                rows::session_insert_in_txn(connection, &session)?;
                rows::event_insert_in_txn(connection, &event)
            })
            .await
    }

    async fn session_replace(
        &self,
        session: StoredSession,
        event: Option<Event>,
    ) -> Result<bool, StoreError> {
        self.writer
            .submit(move |connection| {
                let replaced = rows::session_replace_in_txn(connection, &session)?;
                if let Some(event) = event.filter(|_| replaced) {
                    rows::event_insert_in_txn(connection, &event)?;
                }
                Ok(replaced)
            })
            .await
    }

    async fn session_import(
        &self,
        sessions: Vec<(StoredSession, Event)>,
    ) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        self.writer
            .submit(move |connection| {
                sessions
                    .into_iter()
                    .map(|(session, event)| {
                        // Before the pool is claimed: what is refused here is not rolled back.
                        if rows::session_exists_in_txn(connection, session.summary.id)? {
                            return Ok(Err(StoreError::AlreadyExists));
                        }
                        match rows::session_insert_in_txn(connection, &session) {
                            Err(fault @ (StoreError::Failed(_) | StoreError::Lost(_))) => Err(fault),
                            Ok(()) => rows::event_insert_in_txn(connection, &event).map(Ok),
                            refused => Ok(refused),
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
    ) -> Result<Vec<StoredSession>, StoreError> {
        // No ID sorts below the empty blob.
        let after = after.map_or_else(Vec::new, |id| id.0.as_bytes().to_vec());
        self.scan(move |connection| {
            let sql = format!("SELECT {SESSION_COLUMNS} FROM session WHERE id > ?1 ORDER BY id LIMIT ?2");
            sessions(connection, &sql, params![after, limit])
        })
        .await
    }

    async fn session_list(
        &self,
        filter: SessionFilter,
        before: Option<SessionId>,
        limit: u32,
    ) -> Result<Vec<StoredSession>, StoreError> {
        self.scan(move |connection| list::session_list(connection, &filter, before, limit)).await
    }

    async fn session_overdue(&self, at: Timestamp, limit: u32) -> Result<Vec<StoredSession>, StoreError> {
        self.scan(move |connection| {
            let sql = format!(
                "SELECT {SESSION_COLUMNS} FROM session INDEXED BY session_by_ends_at WHERE ends_at <= ?1 \
                 ORDER BY ends_at LIMIT ?2"
            );
            sessions(connection, &sql, params![at.as_ms(), limit])
        })
        .await
    }

    async fn session_revoke_all(
        &self,
        filter: SessionFilter,
        except: Option<SessionId>,
        at: Timestamp,
        event: Event,
    ) -> Result<u64, StoreError> {
        self.writer
            .submit(move |connection| {
                list::session_revoke_all_in_txn(connection, &filter, except, at, &event)
            })
            .await
    }

    async fn session_seen(&self, seen: Vec<Seen>) -> Result<(), StoreError> {
        self.writer
            .submit(move |connection| {
                seen.iter().try_for_each(|seen| rows::session_seen_in_txn(connection, seen))
            })
            .await
    }

    async fn session_times(&self, times: Vec<Times>) -> Result<(), StoreError> {
        self.writer
            .submit(move |connection| {
                let mut update = connection
                    .prepare_cached(
                        "UPDATE session SET ends_at = ?2, ended_at = ?3, revision = revision + 1 WHERE id = ?1",
                    )
                    .map_err(failed)?;
                for Times { session_id, ends_at, ended_at } in times {
                    let (ends_at, ended_at) = (ends_at.map(Timestamp::as_ms), ended_at.map(Timestamp::as_ms));
                    update
                        .execute(params![session_id.0.as_bytes(), ends_at, ended_at])
                        .map_err(failed)?;
                }
                Ok(())
            })
            .await
    }

    async fn session_remove_ended(&self, at: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.writer
            .submit(move |connection| {
                let sql = "DELETE FROM session WHERE id IN (SELECT id FROM session INDEXED BY session_by_ended_at \
                           WHERE ended_at <= ?1 ORDER BY ended_at LIMIT ?2)";
                delete(connection, sql, params![at.as_ms(), limit])
            })
            .await
    }

    async fn event_page(&self, after: Option<EventId>, limit: u32) -> Result<Vec<Event>, StoreError> {
        let after = after.map_or_else(Vec::new, |id| id.0.as_bytes().to_vec());
        self.scan(move |connection| {
            let sql = format!("SELECT {EVENT_COLUMNS} FROM event WHERE id > ?1 ORDER BY id LIMIT ?2");
            let mut select = connection.prepare_cached(&sql).map_err(failed)?;
            let rows = select.query_map(params![after, limit], event_of_row).map_err(failed)?;
            rows.map(|row| row.map_err(failed)).collect()
        })
        .await
    }

    async fn event_remove(&self, at: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let before = Id::compose(at.as_ms(), 0, [0; 10]);
        self.writer
            .submit(move |connection| {
                let sql =
                    "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE id < ?1 ORDER BY id LIMIT ?2)";
                delete(connection, sql, params![before.as_bytes(), limit])
            })
            .await
    }

    async fn setting_fetch(&self, name: &'static str) -> Result<Option<String>, StoreError> {
        let connection = self.reader();
        connection
            .query_row("SELECT value FROM setting WHERE name = ?1", [name], |row| row.get(0))
            .optional()
            .map_err(failed)
    }

    async fn setting_replace(&self, name: &'static str, value: String) -> Result<(), StoreError> {
        self.writer
            .submit(move |connection| {
                connection
                    .execute("INSERT OR REPLACE INTO setting (name, value) VALUES (?1, ?2)", [name, &value])
                    .map(drop)
                    .map_err(failed)
            })
            .await
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
