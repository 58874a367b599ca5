//! What every store can do.

use async_trait::async_trait;
use session_api::{DomainId, Id, PoolId, SessionId, SessionSummary, Timestamp};

use crate::key::{ApiKey, KeyId, SecretHash};

/// A session as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    /// What the contract shows of it.
    pub summary: SessionSummary,
    /// The SHA-256 of its token's secret. An imported session has no token until it authenticates.
    pub token_hash: Option<SecretHash>,
    /// How often it was replaced; [`Store::session_replace`] compares it.
    pub revision: u64,
}

/// What an ID names, where it does not name a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// An account.
    Account,
    /// An identity.
    Identity,
    /// A device.
    Device,
    /// A pool.
    Pool,
    /// A domain.
    Domain,
}

/// Why a store did not do what it was asked. Nothing was changed, except as [`StoreError::Lost`] says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is a session or key with this ID.
    #[error("the ID is taken")]
    AlreadyExists,
    /// The pool belongs to another domain than the one given with it.
    #[error("the pool belongs to another domain")]
    PoolOfOtherDomain,
    /// The store is at fault; the text is for the log, never for a caller.
    #[error("{0}")]
    Failed(String),
    /// The store did not answer in time, and whether a change was made is not known; the text is for the log,
    /// never for a caller.
    #[error("the store did not answer: {0}")]
    Lost(String),
}

/// A durable place for sessions and API keys.
///
/// When a method that changes something returns `Ok`, the change survives the end of the process and of the
/// machine. A read sees every change that was acknowledged before it began. Dropping a future of a change
/// neither undoes nor stops it.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The session, or `None` if there is none; one read by primary key.
    async fn session_fetch(&self, id: SessionId) -> Result<Option<StoredSession>, StoreError>;

    /// Adds a session, and its pool if this is the pool's first one.
    ///
    /// Fails with [`StoreError::AlreadyExists`] or [`StoreError::PoolOfOtherDomain`].
    async fn session_create(&self, session: StoredSession) -> Result<(), StoreError>;

    /// Replaces the session of the same ID if its revision is still the one given, and counts the revision up.
    /// Answers whether it did. ID, domain, pool and type of a session never change.
    async fn session_replace(&self, session: StoredSession) -> Result<bool, StoreError>;

    /// Adds sessions without tokens, each or none as [`Store::session_create`] would; answers in their order.
    async fn session_import(
        &self,
        sessions: Vec<SessionSummary>,
    ) -> Result<Vec<Result<(), StoreError>>, StoreError>;

    /// At most `limit` sessions by ascending ID, from the first one after `after`.
    async fn session_page(
        &self,
        after: Option<SessionId>,
        limit: u32,
    ) -> Result<Vec<SessionSummary>, StoreError>;

    /// What the ID names, other than a session, among the sessions of a domain or of one of its pools.
    async fn reference_find(
        &self,
        id: Id,
        domain_id: DomainId,
        pool_id: Option<PoolId>,
    ) -> Result<Option<Reference>, StoreError>;

    /// The API key, or `None` if there is none.
    async fn key_fetch(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError>;

    /// Adds an API key, and its pool if it is bound to a new one.
    ///
    /// Fails with [`StoreError::AlreadyExists`] or [`StoreError::PoolOfOtherDomain`].
    async fn key_create(&self, key: ApiKey) -> Result<(), StoreError>;

    /// Every API key, by ascending ID.
    async fn key_list(&self) -> Result<Vec<ApiKey>, StoreError>;

    /// Revokes an API key; a key that is revoked already keeps its time. Answers whether there is such a key.
    async fn key_revoke(&self, id: KeyId, at: Timestamp) -> Result<bool, StoreError>;

    /// Succeeds if the store can be read.
    async fn ready(&self) -> Result<(), StoreError>;
}
