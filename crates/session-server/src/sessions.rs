//! Sessions as they are now: as stored, with interactions that are not written yet and lifetimes that have passed.

use std::time::Duration;

use session_store::{Actor, Event, EventAction, EventId, LastSeen, StoredSession};
use session_types::{DomainId, InteractionDetails, PoolId, SessionId, SessionStatus, SessionType};
use slog::Logger;

use crate::error::Error;
use crate::lifecycle::last_seen::LastSeenBuffer;
use crate::lifecycle::lifetime::Lifetimes;
use crate::origin::Origin;
use crate::storage::Storage;

/// How often last interactions are written, at most.
pub const LAST_SEEN_INTERVAL: Duration = Duration::from_secs(5);

/// How long after the end of its lifetime a session is not marked as complete: until then an interaction from before
/// that end may not be written yet. Twice [`LAST_SEEN_INTERVAL`].
pub(crate) const LAST_SEEN_GRACE: Duration = Duration::from_secs(10);

/// How many last interactions one transaction writes.
const LAST_SEEN_BATCH: usize = 1_000;

/// The sessions of a server.
pub struct Sessions {
    storage: Storage,
    lifetimes: Lifetimes,
    last_seen: LastSeenBuffer,
}

impl Sessions {
    /// The sessions in this storage, with these lifetimes.
    pub fn new(storage: Storage, lifetimes: Lifetimes) -> Self {
        Self { storage, lifetimes, last_seen: LastSeenBuffer::default() }
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
    ///
    /// For an unknown ID it does the same work with a session that does not exist, so that the time does not reveal
    /// whether there is one to a caller who may not read it.
    pub async fn fetch(&self, id: SessionId) -> Result<Option<StoredSession>, Error> {
        let stored = self.storage.call(|store| store.session_fetch(id)).await?;
        let exists = stored.is_some();
        let no_session = || StoredSession::new(id, DomainId(id.0), PoolId(id.0), SessionType::Browser);
        let session = self.current(stored.unwrap_or_else(no_session));
        Ok(exists.then_some(session))
    }

    /// Returns a stored session as it is now: with an interaction that is not written yet, and complete if its lifetime
    /// has passed.
    pub fn current(&self, mut session: StoredSession) -> StoredSession {
        if session.status.is_final() {
            return session;
        }
        if let Some(buffered) = self.last_seen.get(session.id)
            && session.last_seen.as_ref().is_some_and(|last| last.at <= buffered.details.at)
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

    /// Buffers an interaction of now with a session.
    pub fn buffer_last_seen(&self, session: &StoredSession, origin: &Origin) {
        let details = InteractionDetails {
            at: self.storage.now(),
            remote_ip: Some(origin.address.into()),
            user_agent: origin.user_agent.clone(),
        };
        let after = StoredSession { last_seen: Some(details.clone()), ..session.clone() };
        let expires_at = self.lifetimes.expiry_of(&after).map(|(at, _)| at);
        self.last_seen.insert(LastSeen { session_id: session.id, details, expires_at });
    }

    /// Writes the buffered interactions. Those that cannot be written stay in the buffer.
    pub async fn write_last_seen(&self) -> Result<(), Error> {
        for batch in self.last_seen.waiting().chunks(LAST_SEEN_BATCH) {
            self.storage.call(|store| store.session_update_last_seen(batch.to_vec())).await?;
            self.last_seen.remove_written(batch);
        }
        Ok(())
    }

    /// Waits until the buffer of interactions is half full.
    pub async fn last_seen_filling(&self) {
        self.last_seen.filling().await;
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
