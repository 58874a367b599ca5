//! What the rules work with.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use session_api::{InteractionDetails, SessionId, SessionStatus, SessionSummary};
use session_store::{Actor, Event, EventAction, EventId, SecretHash, Seen, Store, StoreError, StoredSession};

use crate::authorize::Action;
use crate::caller::Caller;
use crate::environment::{Clock, Random};
use crate::error::Error;
use crate::limits::{LimitSettings, Limits};
use crate::mint::Minter;
use crate::origin::Origin;
use crate::rules::lifetime::Lifetimes;
use crate::rules::seen::SeenBuffer;
use crate::rules::state;

/// How long an answer of the store is waited for. A gateway that fetches on every request gives up sooner; a
/// commit takes milliseconds, so whoever waited this long is better told that the outcome is not known.
pub const STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// How often what was seen is written, at the most.
pub const SEEN_INTERVAL: Duration = Duration::from_secs(5);

/// How long after the end of a lifetime a session is not looked at by a sweep, because it may have been seen before
/// that end without it being written yet: twice [`SEEN_INTERVAL`].
pub(crate) const SEEN_GRACE: Duration = Duration::from_secs(10);

/// How many interactions are written in one transaction.
const SEEN_BATCH: usize = 1_000;

/// How often a change is tried again because another one came first. Each loss is another caller's win, and so many
/// changes of one session at once are no login any more.
const ATTEMPTS_MAX: u32 = 16;

/// The store, the clock, the minter and the deployment's settings, which are all that the rules have.
pub struct Service {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) minter: Minter,
    pub(crate) limits: Limits,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) seen: SeenBuffer,
    store_timeout: Duration,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Service")
    }
}

impl Service {
    /// A service on these, that waits for the store for at most `store_timeout`.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        store_timeout: Duration,
        lifetimes: Lifetimes,
        limits: LimitSettings,
    ) -> Self {
        let minter = Minter::new(Arc::clone(&clock), random);
        let (limits, seen) = (Limits::new(limits), SeenBuffer::default());
        Self { store, clock, minter, limits, lifetimes, seen, store_timeout }
    }

    /// A session with these, and with the times that its lifetime and state give it.
    pub(crate) fn stored(&self, summary: SessionSummary, token_hash: Option<SecretHash>) -> StoredSession {
        let mut session = StoredSession {
            summary,
            token_hash,
            replaced_token_hashes: Vec::new(),
            ends_at: None,
            ended_at: None,
            revision: 0,
        };
        self.settle(&mut session);
        session
    }

    /// The session with the times that its lifetime and state give it.
    pub(crate) fn settled(&self, mut session: StoredSession) -> StoredSession {
        self.settle(&mut session);
        session
    }

    /// Sets what follows from the session's state: when its lifetime passes, or that it has ended and has no token.
    fn settle(&self, session: &mut StoredSession) {
        if state::is_final(session.summary.status) {
            session.token_hash = None;
            session.ends_at = None;
            session.ended_at.get_or_insert_with(|| self.clock.now());
        } else {
            session.ends_at = self.lifetimes.end_of(&session.summary).map(|(at, _)| at);
        }
    }

    /// A session as it is now: with the interaction that is not written yet, and complete if its lifetime has passed.
    pub(crate) fn current(&self, mut session: StoredSession) -> StoredSession {
        let summary = &mut session.summary;
        if state::is_final(summary.status) {
            return session;
        }
        if let Some(seen) = self.seen.get(summary.id)
            && summary.last_seen.as_ref().is_some_and(|last| last.at <= seen.details.at)
        {
            summary.last_seen = Some(seen.details);
        }
        if let Some((ends_at, _)) = self.lifetimes.end_of(summary)
            && ends_at <= self.clock.now()
        {
            summary.status = SessionStatus::Complete;
            session.ended_at = Some(ends_at);
            self.settle(&mut session);
        }
        session
    }

    /// Notes that a session was seen now from there.
    pub(crate) fn note_seen(&self, summary: &SessionSummary, origin: &Origin) {
        let details = InteractionDetails {
            at: self.clock.now(),
            remote_ip: Some(origin.address.into()),
            user_agent: origin.user_agent.clone(),
        };
        let after = SessionSummary { last_seen: Some(details.clone()), ..summary.clone() };
        let ends_at = self.lifetimes.end_of(&after).map(|(at, _)| at);
        self.seen.note(Seen { session_id: summary.id, details, ends_at });
    }

    /// Writes what was seen. What cannot be written stays noted.
    pub async fn seen_write(&self) -> Result<(), Error> {
        for batch in self.seen.waiting().chunks(SEEN_BATCH) {
            self.within(self.store.session_seen(batch.to_vec())).await?;
            self.seen.written(batch);
        }
        Ok(())
    }

    /// An event of now.
    pub(crate) fn event(
        &self,
        action: EventAction,
        session_id: SessionId,
        actor: Actor,
        origin: Option<&Origin>,
        reason: Option<&str>,
    ) -> Result<Event, Error> {
        Ok(Event {
            id: EventId(self.minter.id()?),
            action,
            session_id,
            actor,
            reason: reason.map(str::to_owned),
            request_id: origin.map(|origin| origin.request_id.clone()),
        })
    }

    /// Changes a session, if the caller may do the action to it: reads it as it is now, changes it, and replaces it if
    /// it is still the one that was read, else again. The change answers what it is called in an event, if its state
    /// is another one now.
    pub(crate) async fn session_change(
        &self,
        caller: &Caller,
        origin: &Origin,
        action: Action,
        id: SessionId,
        change: impl Fn(&mut StoredSession) -> Result<Option<EventAction>, Error> + Send,
    ) -> Result<StoredSession, Error> {
        for _ in 0..ATTEMPTS_MAX {
            let mut session = self.session_for(caller, action, id).await?;
            let told = change(&mut session)?;
            self.settle(&mut session);
            let event =
                told.map(|action| self.event(action, id, caller.actor(), Some(origin), None)).transpose()?;
            if self.within(self.store.session_replace(session.clone(), event)).await? {
                return Ok(session);
            }
        }
        Err(Error::unexpected(format!("{ATTEMPTS_MAX} changes of the session came first")))
    }

    /// What the store answers, or `unknown` if it takes too long.
    pub(crate) async fn within<T>(
        &self,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, Error> {
        Ok(self.answer_of(answer).await??)
    }

    /// As [`Service::within`], for rules that have words of their own for some answers.
    pub(crate) async fn answer_of<T>(
        &self,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<Result<T, StoreError>, Error> {
        tokio::time::timeout(self.store_timeout, answer)
            .await
            .map_err(|_| Error::unknown(format!("the store took longer than {:?}", self.store_timeout)))
    }
}
