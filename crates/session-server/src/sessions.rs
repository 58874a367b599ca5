//! Sessions as they are now: as stored, with interactions that are not written yet and lifetimes that have passed.

use std::time::Duration;

use session_store::{Actor, Event, EventAction, EventId, LastSeen, StoredSession};
use session_types::{DomainId, InteractionDetails, SessionId, SessionStatus, Timestamp};
use slog::Logger;
use tokio::sync::Notify;

use crate::change_queue::{ChangeKind, ChangeQueues, Turn};
use crate::error::Error;
use crate::lifecycle::last_seen::{self, LastSeenBuffer, Which};
use crate::lifecycle::lifetime::Lifetimes;
use crate::origin::Origin;
use crate::storage::Storage;

/// How often last interactions are written, at most.
pub const LAST_SEEN_INTERVAL: Duration = Duration::from_secs(5);

/// How long after the end of its lifetime a session is not marked as complete: until then an interaction from before
/// that end may not be written yet. Twice [`LAST_SEEN_INTERVAL`].
pub(crate) const LAST_SEEN_GRACE: Duration = Duration::from_secs(10);

/// How many last interactions one transaction writes: some ten milliseconds of the writer's time.
const LAST_SEEN_BATCH: usize = 1_000;

/// The sessions of a server.
pub struct Sessions {
    storage: Storage,
    lifetimes: Lifetimes,
    last_seen: LastSeenBuffer,
    /// Held while one batch of the buffer is written, so that those who need it written do not write it twice.
    writing: tokio::sync::Mutex<()>,
    changes: ChangeQueues,
    revoked: Notify,
}

impl Sessions {
    /// The sessions in this storage, with these lifetimes.
    pub fn new(storage: Storage, lifetimes: Lifetimes) -> Self {
        Self {
            storage,
            lifetimes,
            last_seen: LastSeenBuffer::default(),
            writing: tokio::sync::Mutex::default(),
            changes: ChangeQueues::default(),
            revoked: Notify::new(),
        }
    }

    /// The storage.
    pub const fn storage(&self) -> &Storage {
        &self.storage
    }

    /// As [`Storage::log_to`].
    pub fn log_to(&mut self, log: Logger) {
        self.storage.log_to(log);
    }

    /// The configured lifetimes.
    pub const fn lifetimes(&self) -> &Lifetimes {
        &self.lifetimes
    }

    /// Returns the session as it is now, or `None` if there is none. One read by primary key.
    pub async fn fetch(&self, id: SessionId) -> Result<Option<StoredSession>, Error> {
        let session = self.storage.call(|store| store.session_fetch(id)).await?;
        Ok(session.map(|session| self.current(session)))
    }

    /// Returns a stored session as it is now: with an interaction that is not written yet, and complete if its lifetime
    /// has passed.
    pub fn current(&self, mut session: StoredSession) -> StoredSession {
        if session.status.is_final() {
            return session;
        }
        if let Some(buffered) = self.last_seen.get(session.id)
            && session.last_seen.as_ref().is_some_and(|last| last.at <= buffered.details.at)
            // Otherwise the session had ended before the interaction.
            && self.lifetimes.expiry_of(&session).is_none_or(|(expires_at, _)| buffered.first_at < expires_at)
        {
            session.last_seen = Some(buffered.details);
        }
        if let Some((expires_at, _)) = self.lifetimes.expiry_of(&session)
            && expires_at <= self.storage.now()
        {
            session.status = SessionStatus::Complete;
            session.ended_at = Some(expires_at);
            return self.with_times(session);
        }
        session
    }

    /// Returns a session with what follows from its status and the configured lifetimes: when its lifetime passes, or
    /// when it ended and no token.
    pub fn with_times(&self, mut session: StoredSession) -> StoredSession {
        if session.status.is_final() {
            session.token_hash = None;
            session.expires_at = None;
            session.ended_at.get_or_insert_with(|| self.storage.now());
        } else {
            session.expires_at = self.lifetimes.expiry_of(&session).map(|(at, _)| at);
        }
        session
    }

    /// Waits for the changes of the session that arrived before on this node, as [`ChangeQueues::turn`] does.
    pub(crate) async fn change_turn(&self, id: SessionId, kind: ChangeKind) -> Result<Turn<'_>, Error> {
        self.changes.turn(id, kind).await
    }

    /// Buffers an interaction of now with a session, as [`Sessions::fetch`] returned it; nothing if its lifetime has passed
    /// since.
    pub fn buffer_last_seen(&self, session: &StoredSession, origin: &Origin) {
        let at = self.storage.now();
        let expires_at = |session: &_| self.lifetimes.expiry_of(session).map(|(expires_at, _)| expires_at);
        if session.status.is_final() || expires_at(session).is_some_and(|expires_at| expires_at <= at) {
            return;
        }
        let details = InteractionDetails {
            at,
            remote_ip: Some(origin.address.into()),
            user_agent: origin.user_agent.clone(),
        };
        let after = StoredSession { last_seen: Some(details.clone()), ..session.clone() };
        let expires_at = expires_at(&after);
        self.last_seen
            .insert(session, LastSeen { session_id: session.id, first_at: at, details, expires_at });
    }

    /// Writes the buffered interactions. Those that cannot be written stay in the buffer.
    pub async fn write_last_seen(&self) -> Result<(), Error> {
        self.write_selected(Which::Before(self.last_seen.position())).await
    }

    /// Writes the buffered interactions without which sessions of the domain would have expired at `at`: normally none,
    /// because a session is rarely used right before the end of its lifetime.
    pub async fn write_reviving(&self, domain_id: DomainId, at: Timestamp) -> Result<(), Error> {
        self.write_selected(Which::Reviving(domain_id, at)).await
    }

    async fn write_selected(&self, which: Which) -> Result<(), Error> {
        for shard in 0..last_seen::SHARDS {
            loop {
                // An interaction stays in the buffer while it is written, so one that another task writes is seen here.
                if self.last_seen.select(shard, which, 1).is_empty() {
                    break;
                }
                let _writing = self.writing.lock().await;
                let batch = self.last_seen.select(shard, which, LAST_SEEN_BATCH);
                let seen = batch.iter().map(|buffered| buffered.seen.clone()).collect();
                self.storage.call(|store| store.session_update_last_seen(seen)).await?;
                self.last_seen.remove_written(&batch);
            }
        }
        Ok(())
    }

    /// Waits until the buffer of interactions is half full.
    pub async fn last_seen_filling(&self) {
        self.last_seen.filling().await;
    }

    /// Notifies the task that writes pending revocations.
    pub(crate) fn revocation_was_made(&self) {
        self.revoked.notify_one();
    }

    /// Waits until there may be a pending revocation.
    pub(crate) async fn revocation_made(&self) {
        self.revoked.notified().await;
    }

    /// Creates an event of now. `request` is `None` for an event that no request caused.
    pub fn new_event(
        &self,
        action: EventAction,
        session_id: SessionId,
        actor: Actor,
        request: Option<&Origin>,
        reason: Option<&str>,
    ) -> Result<Event, Error> {
        Ok(Event {
            id: EventId(self.storage.new_id()?),
            action,
            session_id,
            actor,
            reason: reason.map(str::to_owned),
            request_id: request.map(|origin| origin.request_id.clone()),
        })
    }
}
