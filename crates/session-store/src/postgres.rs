//! The PostgreSQL store: any number of nodes on one database.
//!
//! Reads by key run on a few connections that all requests share; everything else has a connection of its own for as long
//! as it runs. A transaction is sent without waiting in between.
//!
//! Changes of sessions take a lock of their domain that they share. A revocation of many takes it alone, for as long as it
//! adds its row: so each change sees it, or is one of those that it is about.

mod change;
mod column;
mod connection;
mod database;
mod error;
mod list;
mod migrations;
mod nodes;
mod options;
mod pending;
mod ranges;
mod records;
mod reference;
mod revocation;
mod shared;
mod table;
#[cfg(test)]
mod tests;
mod tls;
mod transaction;
mod turns;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use session_types::{DomainId, Id, PoolId, SessionId, Timestamp};

use self::database::Database;
pub use self::error::PostgresOpenError;
use self::error::Result;
pub use self::options::PostgresOptions;
use crate::event::{Event, EventId};
use crate::idempotency::{IdempotencyRecord, RecordId};
use crate::key::{ApiKey, KeyId};
use crate::migrated::Migrated;
use crate::store::{
    Events, Idempotency, Keys, LastSeen, NodeId, NodeReport, Nodes, Page, ReferenceKind, Revocation,
    Revocations, SessionFilter, Sessions, Settings, Store, StoredSession, TokenGuard,
};

/// A store in a PostgreSQL database, for any number of processes.
pub struct PostgresStore {
    database: Database,
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgresStore(..)")
    }
}

impl PostgresStore {
    /// Connects to the database, which must exist, and migrates it.
    ///
    /// Fails if it cannot be reached, or if a newer program has changed the schema so that this one does not work on it.
    pub async fn open(options: PostgresOptions) -> std::result::Result<Self, PostgresOpenError> {
        Database::connect(options).await.map(|database| Self { database })
    }

    /// What [`PostgresStore::open`] did to the schema.
    pub const fn migrated(&self) -> Migrated {
        self.database.migrated()
    }
}

#[async_trait]
impl Sessions for PostgresStore {
    async fn session_fetch(&self, id: SessionId) -> Result<Option<StoredSession>> {
        records::session_fetch(&self.database, id).await
    }

    async fn session_create(
        &self,
        session: StoredSession,
        event: Event,
        record: Option<IdempotencyRecord>,
    ) -> Result<()> {
        change::create(&self.database, session, event, record).await
    }

    async fn session_replace(
        &self,
        session: StoredSession,
        event: Option<Event>,
        token: Option<TokenGuard>,
        record: Option<IdempotencyRecord>,
    ) -> Result<bool> {
        change::replace_one(&self.database, session, event, token, record).await
    }

    async fn session_replace_many(&self, sessions: Vec<(StoredSession, Option<Event>)>) -> Result<Vec<bool>> {
        change::replace_many(&self.database, sessions).await
    }

    async fn session_import(&self, sessions: Vec<(StoredSession, Event)>) -> Result<Vec<Result<()>>> {
        change::import(&self.database, sessions).await
    }

    async fn session_page(&self, after: Option<SessionId>, limit: u32) -> Result<Page<StoredSession>> {
        records::session_page(&self.database, after, limit).await
    }

    async fn session_list(
        &self,
        filter: SessionFilter,
        before: Option<SessionId>,
        limit: u32,
    ) -> Result<Page<StoredSession>> {
        list::page(&self.database, filter, before, limit).await
    }

    async fn session_list_expired(&self, at: Timestamp, limit: u32) -> Result<Page<StoredSession>> {
        list::expired(&self.database, at, limit).await
    }

    async fn session_update_last_seen(&self, last_seen: Vec<LastSeen>) -> Result<()> {
        change::update_last_seen(&self.database, last_seen).await
    }

    async fn session_delete_ended(&self, at: Timestamp, limit: u32) -> Result<u64> {
        change::delete_ended(&self.database, at, limit).await
    }

    async fn reference_find(
        &self,
        id: Id,
        domain_id: DomainId,
        pool_id: Option<PoolId>,
    ) -> Result<Option<ReferenceKind>> {
        reference::reference_find(&self.database, id, domain_id, pool_id).await
    }
}

#[async_trait]
impl Revocations for PostgresStore {
    async fn session_revoke_many(&self, revocation: Revocation, token: Option<TokenGuard>) -> Result<u64> {
        revocation::revoke_many(&self.database, revocation, token).await
    }

    async fn revocation_write(&self, now: Timestamp) -> Result<bool> {
        revocation::write(&self.database, now).await
    }
}

#[async_trait]
impl Keys for PostgresStore {
    async fn key_fetch(&self, id: KeyId) -> Result<Option<ApiKey>> {
        records::key_fetch(&self.database, id).await
    }

    async fn key_and_session_fetch(
        &self,
        key: KeyId,
        session: SessionId,
    ) -> Result<(Option<ApiKey>, Result<Option<StoredSession>>)> {
        records::key_and_session_fetch(&self.database, key, session).await
    }

    async fn key_create(&self, key: ApiKey) -> Result<()> {
        records::key_create(&self.database, &key).await
    }

    async fn key_page(&self, after: Option<KeyId>, limit: u32) -> Result<Page<ApiKey>> {
        records::key_page(&self.database, after, limit).await
    }

    async fn key_revoke(&self, id: KeyId, at: Timestamp) -> Result<bool> {
        records::key_revoke(&self.database, id, at).await
    }
}

#[async_trait]
impl Events for PostgresStore {
    async fn event_page(&self, after: Option<EventId>, limit: u32) -> Result<Page<Event>> {
        records::event_page(&self.database, after, limit).await
    }

    async fn event_delete(&self, at: Timestamp, limit: u32) -> Result<u64> {
        records::event_delete(&self.database, at, limit).await
    }
}

#[async_trait]
impl Idempotency for PostgresStore {
    async fn record_fetch(&self, id: RecordId) -> Result<Option<IdempotencyRecord>> {
        records::record_fetch(&self.database, id).await
    }

    async fn record_delete(&self, at: Timestamp, limit: u32) -> Result<u64> {
        records::record_delete(&self.database, at, limit).await
    }
}

#[async_trait]
impl Nodes for PostgresStore {
    async fn node_report(&self, node: NodeId, settings: String, ttl: Duration) -> Result<Vec<NodeReport>> {
        nodes::report(&self.database, node, settings, ttl).await
    }

    async fn lease_acquire(&self, name: &'static str, holder: NodeId, duration: Duration) -> Result<bool> {
        nodes::lease_acquire(&self.database, name, holder, duration).await
    }
}

#[async_trait]
impl Settings for PostgresStore {
    async fn setting_fetch(&self, name: &'static str) -> Result<Option<String>> {
        records::setting_fetch(&self.database, name).await
    }

    async fn setting_replace(&self, name: &'static str, value: String) -> Result<()> {
        records::setting_replace(&self.database, name, value).await
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn ready(&self) -> Result<()> {
        records::ready(&self.database).await
    }
}
