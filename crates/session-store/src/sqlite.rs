//! The embedded store: one SQLite file in WAL mode.
//!
//! One thread writes, in groups: it takes all waiting changes, commits them together and only then returns their
//! results, so that many callers share one sync of the disk. Readers have their own connections and do not wait for
//! the writer.

mod change;
mod checkpoint;
mod column;
mod connection;
mod directory;
mod error;
mod idempotency;
mod list;
mod maintenance;
mod migrations;
mod nodes;
mod pending;
mod reference;
mod revocation;
mod scanners;
#[cfg(test)]
mod steps;
mod table;
mod verify;
mod writer;

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{OptionalExtension, named_params};
use session_types::{DomainId, Id, PoolId, SessionId, Timestamp};

use self::column::Column;
use self::connection::Readers;
pub use self::directory::data_directory_prepare;
use self::directory::{Directory, refused};
pub use self::error::OpenError;
use self::error::{Result, failed, insert_failed};
pub use self::maintenance::{Restored, Summary};
use self::nodes::LiveNodes;
use self::scanners::{Owner, Scanners};
use self::table::Record;
use self::writer::Writer;
use crate::event::{Event, EventId};
use crate::idempotency::{IdempotencyRecord, RecordId};
use crate::key::{ApiKey, KeyId};
use crate::migrated::Migrated;
use crate::schema::LIVE;
use crate::store::{
    Events, Idempotency, Keys, LastSeen, NodeId, NodeReport, Nodes, Page, ReferenceKind, Revocation,
    Revocations, SessionFilter, Sessions, Settings, Store, StoreError, StoredSession, TokenGuard,
};

/// A store in one SQLite file, for one process.
#[derive(Debug)]
pub struct SqliteStore {
    /// For reads by key, on the threads of the runtime: such a read takes microseconds, less than moving it to another
    /// thread.
    readers: Arc<Readers>,
    /// For reads of many rows, on threads that may block, so that no fetch waits for a list.
    scanners: Scanners,
    writer: Writer,
    nodes: LiveNodes,
    is_new: bool,
    migrated: Migrated,
    /// Unlocked last, after every connection is closed.
    directory: Arc<Directory>,
}

impl SqliteStore {
    /// Opens the file, whose folder must exist, and locks it for this process. Creates it, readable only by its owner,
    /// and migrates it.
    ///
    /// Fails if another process has it open, if others than its owner may access one of its files, if commits were
    /// lost, if it cannot be opened, is not a session store, or was written by a newer program. Nothing is changed
    /// then.
    pub fn open(path: &Path) -> std::result::Result<Self, OpenError> {
        let directory = Arc::new(Directory::lock(path)?);
        let verified = verify::verify(&directory)?;
        let path = directory.database();
        let failed = |error: StoreError| refused(path, error);
        let from = if verified.is_new {
            0
        } else {
            connection::open_reader(path).and_then(|reader| migrations::version(&reader)).map_err(failed)?
        };
        let connection = connection::open_writer(path).map_err(failed)?;
        // One for each thread of the runtime.
        let readers = std::thread::available_parallelism().map_or(2, usize::from);
        let readers = Arc::new(Readers::open(path, readers).map_err(failed)?);
        let writer =
            Writer::start(connection, Arc::clone(&readers), Arc::clone(&directory), verified.checkpointed)
                .map_err(failed)?;
        Ok(Self {
            readers,
            scanners: Scanners::open(path).map_err(failed)?,
            writer,
            nodes: LiveNodes::default(),
            is_new: verified.is_new,
            migrated: Migrated { from, to: migrations::SCHEMA_VERSION },
            directory: Arc::clone(&directory),
        })
    }

    /// Returns whether [`SqliteStore::open`] created the store.
    pub const fn is_new(&self) -> bool {
        self.is_new
    }

    /// What [`SqliteStore::open`] did to the schema.
    pub const fn migrated(&self) -> Migrated {
        self.migrated
    }

    /// The folder of the database file.
    pub fn folder(&self) -> &Path {
        self.directory.folder()
    }

    /// The database file, without symbolic links.
    pub fn database(&self) -> &Path {
        self.directory.database()
    }
}

#[async_trait]
impl Sessions for SqliteStore {
    async fn session_fetch(&self, id: SessionId) -> Result<Option<StoredSession>> {
        self.readers.read(|connection| table::fetch(connection, id.0))
    }

    async fn session_create(
        &self,
        session: StoredSession,
        event: Event,
        record: Option<IdempotencyRecord>,
    ) -> Result<()> {
        self.writer
            .submit(move |connection| {
                idempotency::record_verify_in_txn(connection, record.as_ref())?;
                change::session_create_in_txn(connection, &session, &event)?;
                idempotency::record_insert_in_txn(connection, record.as_ref())
            })
            .await
    }

    async fn session_replace(
        &self,
        session: StoredSession,
        event: Option<Event>,
        token: Option<TokenGuard>,
        record: Option<IdempotencyRecord>,
    ) -> Result<bool> {
        self.writer
            .submit(move |connection| {
                change::token_verify_in_txn(connection, token)?;
                idempotency::record_verify_in_txn(connection, record.as_ref())?;
                let replaced = change::session_replace_in_txn(connection, &session, event.as_ref())?;
                idempotency::record_insert_in_txn(connection, record.as_ref().filter(|_| replaced))?;
                Ok(replaced)
            })
            .await
    }

    async fn session_replace_many(&self, sessions: Vec<(StoredSession, Option<Event>)>) -> Result<Vec<bool>> {
        self.writer
            .submit(move |connection| {
                let replace = |(session, event): &(_, Option<_>)| {
                    change::session_replace_in_txn(connection, session, event.as_ref())
                };
                sessions.iter().map(replace).collect()
            })
            .await
    }

    async fn session_import(&self, sessions: Vec<(StoredSession, Event)>) -> Result<Vec<Result<()>>> {
        self.writer
            .submit(move |connection| {
                let import = |(session, event): &_| change::session_import_in_txn(connection, session, event);
                sessions.iter().map(import).collect()
            })
            .await
    }

    async fn session_page(&self, after: Option<SessionId>, limit: u32) -> Result<Page<StoredSession>> {
        self.scanners
            .scan(Owner::Server, move |connection| table::page(connection, after.map(|id| id.0), limit))
            .await
    }

    async fn session_list(
        &self,
        filter: SessionFilter,
        before: Option<SessionId>,
        limit: u32,
    ) -> Result<Page<StoredSession>> {
        let owner = Owner::Domain(filter.domain_id);
        self.scanners.scan(owner, move |connection| list::page(connection, &filter, before, limit)).await
    }

    async fn session_list_expired(&self, at: Timestamp, limit: u32) -> Result<Page<StoredSession>> {
        self.scanners.scan(Owner::Server, move |connection| list::expired(connection, at, limit)).await
    }

    async fn session_update_last_seen(&self, last_seen: Vec<LastSeen>) -> Result<()> {
        static UPDATE: LazyLock<String> = LazyLock::new(|| {
            let update = LastSeen::statements().session_update();
            format!(
                "{update} AND last_seen_at <= :last_seen_at AND ended_at IS NULL AND {LIVE} \
                 AND (expires_at IS NULL OR expires_at > :first_at)"
            )
        });
        self.writer
            .submit(move |connection| {
                last_seen.iter().try_for_each(|seen| {
                    table::execute_in_txn(connection, &UPDATE, &seen.parameters()[..]).map(drop)
                })
            })
            .await
    }

    async fn session_delete_ended(&self, at: Timestamp, limit: u32) -> Result<u64> {
        self.writer
            .submit(move |connection| {
                let sql = "DELETE FROM session WHERE id IN (SELECT id FROM session INDEXED BY session_by_ended_at \
                           WHERE ended_at <= :at ORDER BY ended_at LIMIT :limit)";
                let parameters = named_params! { ":at": at.to_column(), ":limit": limit };
                table::execute_in_txn(connection, sql, parameters)
            })
            .await
    }

    async fn reference_find(
        &self,
        id: Id,
        domain_id: DomainId,
        pool_id: Option<PoolId>,
    ) -> Result<Option<ReferenceKind>> {
        self.readers.read(|connection| reference::reference_find(connection, id, domain_id, pool_id))
    }
}

#[async_trait]
impl Revocations for SqliteStore {
    async fn session_revoke_many(&self, revocation: Revocation, token: Option<TokenGuard>) -> Result<u64> {
        let owner = Owner::Domain(revocation.domain_id);
        let outcome = self
            .writer
            .submit(move |connection| {
                change::token_verify_in_txn(connection, token)?;
                revocation::revoke_in_txn(connection, &revocation)
            })
            .await?;
        match outcome {
            revocation::Outcome::Made(revoked) => Ok(revoked),
            revocation::Outcome::Pending(number) => {
                self.scanners.scan(owner, move |connection| revocation::count(connection, number)).await
            }
        }
    }

    async fn revocation_write(&self, now: Timestamp) -> Result<bool> {
        let (first, has_finished) = self.readers.read(|connection| {
            Ok((revocation::first_of_each_domain(connection)?, revocation::has_finished(connection)?))
        })?;
        for number in first {
            let write = move |connection: &_| revocation::write_batch_in_txn(connection, number, now);
            self.writer.submit(write).await?;
        }
        if has_finished {
            self.writer.submit(move |connection| revocation::remove_finished_in_txn(connection, now)).await?;
        }
        Ok(!self.readers.read(revocation::first_of_each_domain)?.is_empty())
    }
}

#[async_trait]
impl Keys for SqliteStore {
    async fn key_fetch(&self, id: KeyId) -> Result<Option<ApiKey>> {
        self.readers.read(|connection| table::fetch(connection, id.0))
    }

    async fn key_and_session_fetch(
        &self,
        key: KeyId,
        session: SessionId,
    ) -> Result<(Option<ApiKey>, Result<Option<StoredSession>>)> {
        self.readers
            .read(|connection| Ok((table::fetch(connection, key.0)?, table::fetch(connection, session.0))))
    }

    async fn key_create(&self, key: ApiKey) -> Result<()> {
        self.writer
            .submit(move |connection| table::insert_in_txn(connection, &key).map_err(insert_failed))
            .await
    }

    async fn key_page(&self, after: Option<KeyId>, limit: u32) -> Result<Page<ApiKey>> {
        self.scanners
            .scan(Owner::Server, move |connection| table::page(connection, after.map(|id| id.0), limit))
            .await
    }

    async fn key_revoke(&self, id: KeyId, at: Timestamp) -> Result<bool> {
        self.writer
            .submit(move |connection| {
                let sql = "UPDATE api_key SET revoked_at = coalesce(revoked_at, :at) WHERE id = :id";
                let parameters = named_params! { ":id": id.to_column(), ":at": at.to_column() };
                Ok(table::execute_in_txn(connection, sql, parameters)? > 0)
            })
            .await
    }
}

#[async_trait]
impl Events for SqliteStore {
    async fn event_page(&self, after: Option<EventId>, limit: u32) -> Result<Page<Event>> {
        self.scanners
            .scan(Owner::Server, move |connection| table::page(connection, after.map(|id| id.0), limit))
            .await
    }

    async fn event_delete(&self, at: Timestamp, limit: u32) -> Result<u64> {
        let before = Id::compose(at.as_ms(), 0, [0; 10]);
        self.writer
            .submit(move |connection| {
                let sql = "DELETE FROM event WHERE id IN \
                           (SELECT id FROM event WHERE id < :before ORDER BY id LIMIT :limit)";
                let parameters = named_params! { ":before": before.to_column(), ":limit": limit };
                table::execute_in_txn(connection, sql, parameters)
            })
            .await
    }
}

#[async_trait]
impl Idempotency for SqliteStore {
    async fn record_fetch(&self, id: RecordId) -> Result<Option<IdempotencyRecord>> {
        self.readers.read(|connection| idempotency::record_fetch(connection, id))
    }

    async fn record_delete(&self, at: Timestamp, limit: u32) -> Result<u64> {
        self.writer.submit(move |connection| idempotency::record_delete_in_txn(connection, at, limit)).await
    }
}

#[async_trait]
impl Settings for SqliteStore {
    async fn setting_fetch(&self, name: &'static str) -> Result<Option<String>> {
        let sql = "SELECT value FROM setting WHERE name = :name";
        self.readers.read(|connection| {
            let parameters = named_params! { ":name": name };
            connection.query_row(sql, parameters, table::read_value).optional().map_err(failed)
        })
    }

    async fn setting_replace(&self, name: &'static str, value: String) -> Result<()> {
        self.writer
            .submit(move |connection| {
                let sql = "INSERT OR REPLACE INTO setting (name, value) VALUES (:name, :value)";
                let parameters = named_params! { ":name": name, ":value": value };
                table::execute_in_txn(connection, sql, parameters).map(drop)
            })
            .await
    }
}

#[async_trait]
impl Nodes for SqliteStore {
    async fn node_report(&self, node: NodeId, settings: String, ttl: Duration) -> Result<Vec<NodeReport>> {
        Ok(self.nodes.report(node, settings, ttl))
    }

    async fn lease_acquire(&self, name: &'static str, holder: NodeId, duration: Duration) -> Result<bool> {
        Ok(self.nodes.acquire(name, holder, duration))
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn ready(&self) -> Result<()> {
        let sql = "SELECT count(*) FROM (SELECT 1 FROM session LIMIT 1)";
        self.readers.read(|connection| connection.query_row(sql, [], |_| Ok(())).map_err(failed))?;
        // The writer counts the commit in that row.
        let sql = "UPDATE store_state SET commits = commits";
        self.writer.submit(move |connection| table::execute_in_txn(connection, sql, []).map(drop)).await
    }
}
