//! What every store can do.

use async_trait::async_trait;
use session_api::{
    AccountId, DeviceId, DomainId, Id, IdentityId, InteractionDetails, PoolId, SessionId, SessionStatus,
    SessionSummary, SessionType, Timestamp,
};

use crate::event::{Event, EventId};
use crate::key::{ApiKey, KeyId, SecretHash};

/// A session as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    /// What the contract shows of it.
    pub summary: SessionSummary,
    /// The SHA-256 of its token's secret. An imported session has no token until it authenticates, one that has
    /// ended has none any more.
    pub token_hash: Option<SecretHash>,
    /// Those of tokens that were replaced, the newest last.
    pub replaced_token_hashes: Vec<SecretHash>,
    /// When its lifetime passes unless it is used again; `None` if it has none, or has ended.
    pub ends_at: Option<Timestamp>,
    /// When it ended, if it has.
    pub ended_at: Option<Timestamp>,
    /// How often it was replaced; [`Store::session_replace`] compares it.
    pub revision: u64,
}

/// Which sessions a list or a revocation is about; every condition that is given must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionFilter {
    /// Of this domain.
    pub domain_id: DomainId,
    /// Of this pool.
    pub pool_id: Option<PoolId>,
    /// Of this account.
    pub account_id: Option<AccountId>,
    /// In which this identity authenticated last.
    pub identity_id: Option<IdentityId>,
    /// Of this device.
    pub device_id: Option<DeviceId>,
    /// Of this type.
    pub session_type: Option<SessionType>,
    /// In this state.
    pub state: StateFilter,
}

/// The state of sessions, as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateFilter {
    /// Any.
    Any,
    /// This status.
    Status(SessionStatus),
    /// This status, and the lifetime does not pass before or at this time.
    StatusUntil(SessionStatus, Timestamp),
    /// Any, with a lifetime that passes before or at this time.
    EndsBy(Timestamp),
}

/// An interaction to keep as the last one of a session that was seen before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The session.
    pub session_id: SessionId,
    /// The interaction.
    pub details: InteractionDetails,
    /// When the session's lifetime passes after it.
    pub ends_at: Option<Timestamp>,
}

/// When a session's lifetime passes, and when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// The session.
    pub session_id: SessionId,
    /// As [`StoredSession::ends_at`].
    pub ends_at: Option<Timestamp>,
    /// As [`StoredSession::ended_at`].
    pub ended_at: Option<Timestamp>,
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

    /// Adds a session with its event, and its pool if this is the pool's first one.
    ///
    /// Fails with [`StoreError::AlreadyExists`] or [`StoreError::PoolOfOtherDomain`].
    async fn session_create(&self, session: StoredSession, event: Event) -> Result<(), StoreError>;

    /// Replaces the session of the same ID if its revision is still the one given, counts the revision up and adds
    /// the event. Answers whether it did. ID, domain, pool and type of a session never change.
    async fn session_replace(&self, session: StoredSession, event: Option<Event>)
    -> Result<bool, StoreError>;

    /// Adds sessions with their events, each or none as [`Store::session_create`] would; answers in their order.
    async fn session_import(
        &self,
        sessions: Vec<(StoredSession, Event)>,
    ) -> Result<Vec<Result<(), StoreError>>, StoreError>;

    /// At most `limit` sessions by ascending ID, from the first one after `after`.
    async fn session_page(
        &self,
        after: Option<SessionId>,
        limit: u32,
    ) -> Result<Vec<StoredSession>, StoreError>;

    /// At most `limit` sessions that pass the filter by descending ID, from the first one before `before`.
    async fn session_list(
        &self,
        filter: SessionFilter,
        before: Option<SessionId>,
        limit: u32,
    ) -> Result<Vec<StoredSession>, StoreError>;

    /// At most `limit` sessions whose lifetime passes before or at `at`, the first one first.
    async fn session_overdue(&self, at: Timestamp, limit: u32) -> Result<Vec<StoredSession>, StoreError>;

    /// Revokes, in one transaction, every session that passes the filter, is live at `at` and is not `except`, each
    /// with an event like this one of its own. Answers how many there were.
    async fn session_revoke_all(
        &self,
        filter: SessionFilter,
        except: Option<SessionId>,
        at: Timestamp,
        event: Event,
    ) -> Result<u64, StoreError>;

    /// Keeps interactions: of a live session that was seen before, as its last one, and never an earlier one than
    /// is kept, nor one at or after the end of its lifetime.
    async fn session_seen(&self, seen: Vec<Seen>) -> Result<(), StoreError>;

    /// Sets the times of sessions, for lifetimes that are others now.
    async fn session_times(&self, times: Vec<Times>) -> Result<(), StoreError>;

    /// Removes at most `limit` sessions that ended before or at `at`. Answers how many.
    async fn session_remove_ended(&self, at: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// At most `limit` events by ascending ID, from the first one after `after`.
    async fn event_page(&self, after: Option<EventId>, limit: u32) -> Result<Vec<Event>, StoreError>;

    /// Removes at most `limit` events from before `at`. Answers how many.
    async fn event_remove(&self, at: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// The setting that was kept under this name.
    async fn setting_fetch(&self, name: &'static str) -> Result<Option<String>, StoreError>;

    /// Keeps a setting under this name.
    async fn setting_replace(&self, name: &'static str, value: String) -> Result<(), StoreError>;

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
