//! The operations of every store.

use async_trait::async_trait;
use session_types::{
    AccountId, DeviceId, DomainId, Id, IdentityId, InteractionDetails, PoolId, SessionId, SessionStatus,
    SessionType, Timestamp, Title,
};

use crate::event::{Event, EventId};
use crate::key::{ApiKey, KeyId, SecretHash};

/// A session as a store stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    /// The session's ID.
    pub id: SessionId,
    /// The domain of the pool.
    pub domain_id: DomainId,
    /// The pool that the session belongs to.
    pub pool_id: PoolId,
    /// What uses the session.
    pub session_type: SessionType,
    /// The state as of the last change. A lifetime that has passed since then is not in it.
    pub status: SessionStatus,
    /// The account; `None` until an identity has authenticated.
    pub account_id: Option<AccountId>,
    /// The identity that authenticated last; `None` until one has.
    pub identity_id: Option<IdentityId>,
    /// The device, if known.
    pub device_id: Option<DeviceId>,
    /// A name for people, if known.
    pub title: Option<Title>,
    /// The first interaction; `None` until there was one.
    pub first_seen: Option<InteractionDetails>,
    /// The last interaction; `None` until there was one.
    pub last_seen: Option<InteractionDetails>,
    /// The SHA-256 of its token's secret. `None` for an imported session until it authenticates, and for one that has
    /// ended.
    pub token_hash: Option<SecretHash>,
    /// The hashes of tokens that were replaced, the newest last.
    pub replaced_token_hashes: Vec<SecretHash>,
    /// When its lifetime passes unless it is used again; `None` if it has no lifetime, or has ended.
    pub expires_at: Option<Timestamp>,
    /// When it ended; `None` while it is live.
    pub ended_at: Option<Timestamp>,
    /// How many times it was replaced; [`Store::session_replace`] compares it.
    pub revision: u64,
}

/// The fields of [`StoredSession`] for the macro `$callback`: in every store, each is a column or a group of columns.
macro_rules! session_fields {
    ($callback:ident) => {
        $callback! {
            id,
            domain_id,
            pool_id,
            session_type,
            status,
            account_id,
            identity_id,
            device_id,
            title,
            first_seen,
            last_seen,
            token_hash,
            replaced_token_hashes,
            expires_at,
            ended_at,
            revision,
        }
    };
}
pub(crate) use session_fields;

impl StoredSession {
    /// A new session, with nothing that is optional.
    pub const fn new(id: SessionId, domain_id: DomainId, pool_id: PoolId, session_type: SessionType) -> Self {
        Self {
            id,
            domain_id,
            pool_id,
            session_type,
            status: SessionStatus::New,
            account_id: None,
            identity_id: None,
            device_id: None,
            title: None,
            first_seen: None,
            last_seen: None,
            token_hash: None,
            replaced_token_hashes: Vec::new(),
            expires_at: None,
            ended_at: None,
            revision: 0,
        }
    }

    /// When the session was created: the time in its ID.
    pub fn created_at(&self) -> Timestamp {
        self.id.0.created_at()
    }
}

/// The sessions that a list or a revocation is about; every condition that is given must hold.
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

/// A condition on the stored state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateFilter {
    /// Any state.
    Any,
    /// This status.
    Status(SessionStatus),
    /// This status, and the lifetime passes after this time or never.
    Unexpired(SessionStatus, Timestamp),
    /// Live, and the lifetime passes at or before this time.
    Expired(Timestamp),
}

/// The last interaction of a session that has had one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastSeen {
    /// The session.
    pub session_id: SessionId,
    /// The interaction.
    pub details: InteractionDetails,
    /// When the session's lifetime passes after it.
    pub expires_at: Option<Timestamp>,
}

/// The times of a session that depend on the configured lifetimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimes {
    /// The session.
    pub session_id: SessionId,
    /// As [`StoredSession::expires_at`].
    pub expires_at: Option<Timestamp>,
    /// As [`StoredSession::ended_at`].
    pub ended_at: Option<Timestamp>,
}

/// The kind of an ID that is not a session's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferenceKind {
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

/// The store did not do what it was asked. Nothing was changed, except as [`StoreError::OutcomeUnknown`] says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A session or key with this ID exists.
    #[error("the ID is taken")]
    AlreadyExists,
    /// The pool belongs to another domain than the one given with it.
    #[error("the pool belongs to another domain")]
    PoolOfOtherDomain,
    /// The store failed. The text is for the log, never for a caller.
    #[error("{0}")]
    Failed(String),
    /// The store cannot make changes at the moment, or cannot be read, for a reason outside of it: a full disk, for
    /// example. The text is for the log, never for a caller.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// The store did not respond in time, and whether a change was made is not known. The text is for the log, never
    /// for a caller.
    #[error("the store did not respond: {0}")]
    OutcomeUnknown(String),
}

/// Durable storage for sessions, API keys and events.
///
/// When a method that changes something returns `Ok`, the change survives the end of the process and of the
/// machine. A read sees every change that was acknowledged before it began. Dropping the future of a change
/// neither undoes nor stops it.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Returns the session, or `None` if there is none. One read by primary key.
    async fn session_fetch(&self, id: SessionId) -> Result<Option<StoredSession>, StoreError>;

    /// Adds a session with its event, and its pool if this is the pool's first session.
    ///
    /// Fails with [`StoreError::AlreadyExists`] or [`StoreError::PoolOfOtherDomain`].
    async fn session_create(&self, session: StoredSession, event: Event) -> Result<(), StoreError>;

    /// Replaces the session of the same ID and adds the event, if the stored revision is the given one; increments the
    /// revision. Returns whether it did. ID, domain, pool and type of a session never change.
    async fn session_replace(&self, session: StoredSession, event: Option<Event>)
    -> Result<bool, StoreError>;

    /// Adds sessions with their events, each as [`Store::session_create`] would or not at all. Returns one result for
    /// each, in order.
    async fn session_import(
        &self,
        sessions: Vec<(StoredSession, Event)>,
    ) -> Result<Vec<Result<(), StoreError>>, StoreError>;

    /// Returns at most `limit` sessions with an ID above `after`, by ascending ID.
    async fn session_page(
        &self,
        after: Option<SessionId>,
        limit: u32,
    ) -> Result<Vec<StoredSession>, StoreError>;

    /// Returns at most `limit` sessions that match the filter and have an ID below `before`, by descending ID.
    async fn session_list(
        &self,
        filter: SessionFilter,
        before: Option<SessionId>,
        limit: u32,
    ) -> Result<Vec<StoredSession>, StoreError>;

    /// Returns at most `limit` sessions of every domain whose lifetime passes at or before `at`, the earliest first.
    async fn session_list_expired(&self, at: Timestamp, limit: u32)
    -> Result<Vec<StoredSession>, StoreError>;

    /// Revokes, in one transaction, every session that matches the filter, is live at `at` and is not `except`. Adds
    /// an event like the given one for each, with its own ID and session. Returns the number of sessions.
    async fn session_revoke_many(
        &self,
        filter: SessionFilter,
        except: Option<SessionId>,
        at: Timestamp,
        event: Event,
    ) -> Result<u64, StoreError>;

    /// Stores last interactions: of live sessions that have had one before, never an earlier one than is stored, and
    /// none at or after the end of the session's lifetime. Others are skipped.
    async fn session_update_last_seen(&self, last_seen: Vec<LastSeen>) -> Result<(), StoreError>;

    /// Sets the times of sessions, after the configured lifetimes have changed.
    async fn session_update_times(&self, times: Vec<SessionTimes>) -> Result<(), StoreError>;

    /// Deletes at most `limit` sessions that ended at or before `at`. Returns how many.
    async fn session_delete_ended(&self, at: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// Returns at most `limit` events with an ID above `after`, by ascending ID.
    async fn event_page(&self, after: Option<EventId>, limit: u32) -> Result<Vec<Event>, StoreError>;

    /// Deletes at most `limit` events from before `at`. Returns how many.
    async fn event_delete(&self, at: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// Returns the setting stored under this name.
    async fn setting_fetch(&self, name: &'static str) -> Result<Option<String>, StoreError>;

    /// Stores a setting under this name.
    async fn setting_replace(&self, name: &'static str, value: String) -> Result<(), StoreError>;

    /// Returns the kind of an ID that names no session, if a session of the domain, or of one of its pools, refers to it.
    async fn reference_find(
        &self,
        id: Id,
        domain_id: DomainId,
        pool_id: Option<PoolId>,
    ) -> Result<Option<ReferenceKind>, StoreError>;

    /// Returns the API key, or `None` if there is none. One read by primary key.
    async fn key_fetch(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError>;

    /// Adds an API key, and its pool if it is bound to a new one.
    ///
    /// Fails with [`StoreError::AlreadyExists`] or [`StoreError::PoolOfOtherDomain`].
    async fn key_create(&self, key: ApiKey) -> Result<(), StoreError>;

    /// Returns every API key, by ascending ID.
    async fn key_list(&self) -> Result<Vec<ApiKey>, StoreError>;

    /// Revokes an API key; the time of a key that is already revoked stays. Returns whether the key exists.
    async fn key_revoke(&self, id: KeyId, at: Timestamp) -> Result<bool, StoreError>;

    /// Succeeds if the store can be read, and commits a change that affects no record.
    async fn ready(&self) -> Result<(), StoreError>;
}
