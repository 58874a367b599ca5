//! The operations of every store.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use session_types::{
    AccountId, DeviceId, DomainId, Id, IdentityId, InteractionDetails, PoolId, SessionId, SessionStatus,
    SessionType, Timestamp, Title,
};

use crate::event::{Actor, Event, EventAction, EventId};
use crate::idempotency::{IdempotencyRecord, RecordId};
use crate::key::{ApiKey, KeyId, SecretHash};

/// A session as a store stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    /// The session's ID.
    pub id: SessionId,
    /// The domain that the session belongs to.
    pub domain_id: DomainId,
    /// The pool of the domain that the session belongs to. The same ID in another domain is another pool.
    pub pool_id: PoolId,
    /// What uses the session.
    pub session_type: SessionType,
    /// When it was created; the time in its ID unless the clock was wrong.
    pub created_at: Timestamp,
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
    /// How many times it was replaced; [`Sessions::session_replace`] compares it.
    pub revision: u64,
}

impl StoredSession {
    /// Applies a [`Revocation`] of this time.
    pub(crate) fn revoke(&mut self, at: Timestamp) {
        let expired_at = self.expires_at.filter(|expires_at| *expires_at <= at);
        self.status = Revocation::status(expired_at.is_some());
        self.token_hash = None;
        self.expires_at = None;
        self.ended_at = Some(expired_at.unwrap_or(at));
        self.revision += 1;
    }
}

impl StoredSession {
    /// A session that was created at the time in its ID, with nothing that is optional.
    pub fn new(id: SessionId, domain_id: DomainId, pool_id: PoolId, session_type: SessionType) -> Self {
        Self {
            id,
            domain_id,
            pool_id,
            session_type,
            created_at: id.0.created_at(),
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
    /// Complete, or with a lifetime that passes at or before this time.
    Complete(Timestamp),
}

/// A part of a list.
///
/// Reading it takes bounded work, so a page may have fewer items than were asked for, or none, although others follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// The ID from which the list goes on; `None` at its end.
    pub next: Option<Id>,
    /// The rows of this part that cannot be read and are not among the items.
    pub skipped: Vec<SkippedRow>,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { items: Vec::new(), next: None, skipped: Vec::new() }
    }
}

/// A row with a value that no version of this program writes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{table} {id} cannot be read and was skipped: {cause}")]
pub struct SkippedRow {
    /// The table.
    pub table: String,
    /// The ID in the row.
    pub id: String,
    /// The column and what is wrong with its value.
    pub cause: String,
}

/// The last interaction of a session that has had one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastSeen {
    /// The session.
    pub session_id: SessionId,
    /// When the first of the interactions was that are stored as one, this one being the last of them. It was before the
    /// end of the session's lifetime; each later one may have been after the end that is stored, because it was before
    /// the end that the former one has set.
    pub first_at: Timestamp,
    /// The interaction.
    pub details: InteractionDetails,
    /// When the session's lifetime passes after it.
    pub expires_at: Option<Timestamp>,
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

/// A revocation of many sessions: those that meet every condition that is given, and whose stored status is not final.
///
/// It ends all of them. One whose stored lifetime passes at or before the revocation's time becomes complete, at the end
/// of that lifetime; every other one becomes revoked, at the time of the revocation. So none escapes because of an
/// interaction that a server has not written yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
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
    /// Not this session.
    pub except: Option<SessionId>,
    /// When it is made.
    pub at: Timestamp,
    /// The ID of the first session's event. Those of the others are made of it with [`Id::with_number`], so that all have
    /// the time of the revocation.
    pub event_id: EventId,
    /// Who revokes, for the events of revoked sessions. Those of complete ones have [`Actor::Server`].
    pub actor: Actor,
    /// The reason, for the events of revoked sessions.
    pub reason: Option<String>,
    /// The ID of the request, for the events.
    pub request_id: Option<String>,
}

impl Revocation {
    /// The sessions that it is about, in any state and with the exception.
    pub(crate) const fn filter(&self) -> SessionFilter {
        SessionFilter {
            domain_id: self.domain_id,
            pool_id: self.pool_id,
            account_id: self.account_id,
            identity_id: self.identity_id,
            device_id: self.device_id,
            session_type: None,
            state: StateFilter::Any,
        }
    }

    /// The status after a revocation of a session whose lifetime `has_expired` by then, or not.
    pub(crate) const fn status(has_expired: bool) -> SessionStatus {
        if has_expired { SessionStatus::Complete } else { SessionStatus::Revoked }
    }

    /// The event of the session that is the `number`th which this revocation ends, counted from 0. If its lifetime
    /// `has_expired` by then, that is what happened to it.
    pub(crate) fn event(&self, session_id: SessionId, number: u64, has_expired: bool) -> Event {
        let (action, actor, reason) = if has_expired {
            (EventAction::Expired, Actor::Server, None)
        } else {
            (EventAction::Revoked, self.actor, self.reason.clone())
        };
        Event {
            id: EventId(self.event_id.0.with_number(number)),
            action,
            session_id,
            actor,
            reason,
            request_id: self.request_id.clone(),
        }
    }
}

/// The token that a change relies on: the caller's, of this or of another session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenGuard {
    /// The session of the token.
    pub session_id: SessionId,
    /// The SHA-256 of the token's secret.
    pub token_hash: SecretHash,
}

/// The store did not do what it was asked. Nothing was changed, except as [`StoreError::OutcomeUnknown`] says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A session or key with this ID exists.
    #[error("the ID is taken")]
    AlreadyExists,
    /// A record of the same request exists.
    #[error("the request was carried out before")]
    RequestRepeated,
    /// The session of the [`TokenGuard`] has another token, or none because it has ended.
    #[error("the token was replaced, or its session has ended")]
    TokenReplaced,
    /// The domain has as many pending revocations as it may.
    #[error("the domain has too many pending revocations")]
    TooManyRevocations,
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

/// Sessions with the events of their changes.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Returns the session, or `None` if there is none. One read by primary key.
    async fn session_fetch(&self, id: SessionId) -> Result<Option<StoredSession>, StoreError>;

    /// Adds a session with its event and the record of the request, if one is given.
    ///
    /// Fails with [`StoreError::RequestRepeated`] if the record's ID is taken, otherwise with
    /// [`StoreError::AlreadyExists`] if the session's is.
    async fn session_create(
        &self,
        session: StoredSession,
        event: Event,
        record: Option<IdempotencyRecord>,
    ) -> Result<(), StoreError>;

    /// Replaces the session of the same ID and adds the event and the record of the request, if the stored revision is
    /// the given one; increments the revision. Returns whether it did. ID, domain, pool, type and creation time of a
    /// session never change.
    ///
    /// Fails with [`StoreError::TokenReplaced`] unless the token of `token` is valid in the same transaction, and with
    /// [`StoreError::RequestRepeated`] if the record's ID is taken, whatever the revision is.
    async fn session_replace(
        &self,
        session: StoredSession,
        event: Option<Event>,
        token: Option<TokenGuard>,
        record: Option<IdempotencyRecord>,
    ) -> Result<bool, StoreError>;

    /// Replaces sessions and adds their events, each as [`Sessions::session_replace`] would without a token, in one
    /// transaction: one that has changed since it was read is left as it is. Returns for each, in order, whether it was
    /// replaced.
    async fn session_replace_many(
        &self,
        sessions: Vec<(StoredSession, Option<Event>)>,
    ) -> Result<Vec<bool>, StoreError>;

    /// Adds sessions with their events, each as [`Sessions::session_create`] would or not at all. Returns one result for
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
    ) -> Result<Page<StoredSession>, StoreError>;

    /// Returns at most `limit` sessions that match the filter and have an ID below `before`, by descending ID. Visits a
    /// bounded number of sessions, whether or not they match, and none of another domain, or of another pool than the
    /// filter's.
    async fn session_list(
        &self,
        filter: SessionFilter,
        before: Option<SessionId>,
        limit: u32,
    ) -> Result<Page<StoredSession>, StoreError>;

    /// Returns at most `limit` sessions whose lifetime passes at or before `at`: about as many of each domain that has
    /// such sessions, and of each the earliest first, to the minute. The page has no `next`: the list goes on once these have ended.
    async fn session_list_expired(
        &self,
        at: Timestamp,
        limit: u32,
    ) -> Result<Page<StoredSession>, StoreError>;

    /// Stores last interactions: of live sessions that have had one before, never an earlier one than is stored, and
    /// none whose `first_at` is at or after the end of the session's lifetime. Others are skipped.
    async fn session_update_last_seen(&self, last_seen: Vec<LastSeen>) -> Result<(), StoreError>;

    /// Deletes at most `limit` sessions that ended at or before `at`. Returns how many.
    async fn session_delete_ended(&self, at: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// Returns the kind of an ID that names no session, if a session of the domain and the pool refers to it, or an API
    /// key to the pool. A bounded number of index lookups; it finds nothing of other domains, and takes no longer for
    /// what they have.
    async fn reference_find(
        &self,
        id: Id,
        domain_id: DomainId,
        pool_id: Option<PoolId>,
    ) -> Result<Option<ReferenceKind>, StoreError>;
}

/// Revocations of many sessions.
#[async_trait]
pub trait Revocations: Send + Sync {
    /// Ends the sessions that a revocation is about, all of them or none, and returns the number of those that it revokes:
    /// those whose stored lifetime has passed by its time are complete instead, and not counted. When it returns, every
    /// read returns them like that, and no change of them is made any more, nor is an interaction stored, whenever it was.
    /// A session that is added or changed after that is not ended, even if it matches. Of several revocations, the first
    /// one decides how a session ends.
    ///
    /// If they are many, the revocation stays pending: [`Revocations::revocation_write`] writes the sessions and their
    /// events afterwards. If the number cannot be read then, the sessions have ended nevertheless.
    ///
    /// Fails with [`StoreError::TokenReplaced`] unless the token of `token` is valid in the same transaction, and with
    /// [`StoreError::TooManyRevocations`].
    async fn session_revoke_many(
        &self,
        revocation: Revocation,
        token: Option<TokenGuard>,
    ) -> Result<u64, StoreError>;

    /// Writes a batch of the sessions of each domain's first pending revocation, with their events. Takes bounded work
    /// for each domain. Returns whether revocations are pending after that.
    async fn revocation_write(&self, now: Timestamp) -> Result<bool, StoreError>;
}

/// API keys.
#[async_trait]
pub trait Keys: Send + Sync {
    /// Returns the API key, or `None` if there is none. One read by primary key.
    async fn key_fetch(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError>;

    /// Returns the API key of a request and the session that its path names: each as [`Keys::key_fetch`] and
    /// [`Sessions::session_fetch`] return it, in one round trip to the store.
    ///
    /// Fails if the key cannot be read. That the session cannot be read is a result of its own, so that what is said about
    /// the key does not depend on the session.
    async fn key_and_session_fetch(
        &self,
        key: KeyId,
        session: SessionId,
    ) -> Result<(Option<ApiKey>, Result<Option<StoredSession>, StoreError>), StoreError>;

    /// Adds an API key.
    ///
    /// Fails with [`StoreError::AlreadyExists`].
    async fn key_create(&self, key: ApiKey) -> Result<(), StoreError>;

    /// Returns at most `limit` API keys with an ID above `after`, by ascending ID.
    async fn key_page(&self, after: Option<KeyId>, limit: u32) -> Result<Page<ApiKey>, StoreError>;

    /// Revokes an API key; the time of a key that is already revoked stays. Returns whether the key exists.
    async fn key_revoke(&self, id: KeyId, at: Timestamp) -> Result<bool, StoreError>;
}

/// The history of sessions; each event is added by the change that it is about.
#[async_trait]
pub trait Events: Send + Sync {
    /// Returns at most `limit` events with an ID above `after`, by ascending ID.
    async fn event_page(&self, after: Option<EventId>, limit: u32) -> Result<Page<Event>, StoreError>;

    /// Deletes at most `limit` events from before `at`. Returns how many.
    async fn event_delete(&self, at: Timestamp, limit: u32) -> Result<u64, StoreError>;
}

/// The records of requests that may be repeated; each is added by the change that it is about.
#[async_trait]
pub trait Idempotency: Send + Sync {
    /// Returns the record, or `None` if there is none. One read by primary key.
    async fn record_fetch(&self, id: RecordId) -> Result<Option<IdempotencyRecord>, StoreError>;

    /// Deletes at most `limit` records created before `at`, the oldest first. Returns how many.
    async fn record_delete(&self, at: Timestamp, limit: u32) -> Result<u64, StoreError>;
}

/// Settings with which stored values were computed, such as the lifetimes.
#[async_trait]
pub trait Settings: Send + Sync {
    /// Returns the setting stored under this name.
    async fn setting_fetch(&self, name: &'static str) -> Result<Option<String>, StoreError>;

    /// Stores a setting under this name.
    async fn setting_replace(&self, name: &'static str, value: String) -> Result<(), StoreError>;
}

/// A process of `sessiond`: a random ID, minted when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub Id);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What a node has reported about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeReport {
    /// The node.
    pub node: NodeId,
    /// A text that is the same for the same settings.
    pub settings: String,
}

/// The nodes that share the store, and which of them does the work that only one may do at a time. Times are by the
/// store's clock, so that the clocks of the nodes need not agree.
#[async_trait]
pub trait Nodes: Send + Sync {
    /// Stores that `node` is alive, with these settings, until `ttl` from now. Returns the other nodes that are alive, by
    /// ascending ID. Deletes the reports that have expired.
    async fn node_report(
        &self,
        node: NodeId,
        settings: String,
        ttl: Duration,
    ) -> Result<Vec<NodeReport>, StoreError>;

    /// Takes or renews the lease `name` until `duration` from now, if it is free, has expired, or is held by `holder`.
    /// Returns whether `holder` has it.
    async fn lease_acquire(
        &self,
        name: &'static str,
        holder: NodeId,
        duration: Duration,
    ) -> Result<bool, StoreError>;
}

/// Durable storage for sessions, API keys, events and records of requests.
///
/// When a method that changes something returns `Ok`, the change survives the end of the process and of the
/// machine; only reports of nodes and leases need not survive the end of the last process. A read sees every change that was acknowledged before it began. A change whose future is dropped is made
/// completely or not at all, perhaps after that.
#[async_trait]
pub trait Store: Sessions + Revocations + Keys + Events + Idempotency + Settings + Nodes + 'static {
    /// Succeeds if the store can be read, and commits a change that affects no record.
    async fn ready(&self) -> Result<(), StoreError>;
}
