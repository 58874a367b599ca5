//! Sessions as they are now: as stored, with interactions that are not written yet and lifetimes that have passed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::try_join_all;
use session_store::{Actor, Event, EventAction, EventId, LastSeen, StoredSession};
use session_types::{DomainId, PoolId, SessionId, SessionStatus, SessionType, Timestamp};
use slog::{Logger, info, warn};
use tokio::sync::Notify;

use crate::change_queue::{ChangeKind, ChangeQueues, Turn};
use crate::clock_watch::{Belief, CLOCK_JUMP_MIN, CLOCK_STEADY_FOR, ClockWatch, Notice};
use crate::error::Error;
use crate::lifecycle::future::{count_as_now, is_ahead};
use crate::lifecycle::last_seen::{Buffered, Interaction, LastSeenBuffer, Which};
use crate::lifecycle::lifetime::Lifetimes;
use crate::origin::Origin;
use crate::session_entry::{CurrentSession, SessionEntry};
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
    lifetimes_digest: String,
    last_seen: LastSeenBuffer,
    /// Held while one batch of the buffer is written, so that those who need it written do not write it twice.
    writing: tokio::sync::Mutex<()>,
    changes: ChangeQueues,
    revoked: Notify,
    clock_watch: Mutex<ClockWatch>,
    /// Whether a session may have a time in the future, which the next sweep is to look for.
    has_future_times: AtomicBool,
}

impl Sessions {
    /// The sessions in this storage, with these lifetimes.
    pub fn new(storage: Storage, lifetimes: Lifetimes) -> Self {
        let clock_watch = Mutex::new(ClockWatch::new(storage.now(), storage.monotonic()));
        Self {
            clock_watch,
            has_future_times: AtomicBool::new(false),
            storage,
            lifetimes_digest: lifetimes.digest(),
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

    /// As [`Lifetimes::digest`] of the configured lifetimes.
    pub fn lifetimes_digest(&self) -> &str {
        &self.lifetimes_digest
    }

    /// Returns the session as it is now, given as it is stored, or `None` if there is none.
    ///
    /// For an unknown ID it does the same work with a session that does not exist, so that the time does not reveal
    /// whether there is one to a caller who may not read it.
    pub(crate) fn fetched(&self, id: SessionId, stored: Option<Arc<SessionEntry>>) -> Option<CurrentSession> {
        let exists = stored.is_some();
        let no_session = || {
            Arc::new(SessionEntry::new(StoredSession {
                // The time in an ID that a caller made up says nothing about the clock.
                created_at: self.storage.now(),
                ..StoredSession::new(id, DomainId(id.0), PoolId(id.0), SessionType::Browser)
            }))
        };
        let session = self.current_of(stored.unwrap_or_else(no_session));
        exists.then_some(session)
    }

    /// As [`Sessions::current`]. The session is copied only if it differs from what is stored.
    pub(crate) fn current_of(&self, entry: Arc<SessionEntry>) -> CurrentSession {
        let (stored, now) = (entry.stored(), self.storage.now());
        let is_ahead = is_ahead(stored, now);
        let buffered = self.buffered(stored, now);
        let has_expired =
            || self.lifetimes.expiry_of(stored).is_some_and(|(expires_at, _)| expires_at <= now);
        if !is_ahead && (stored.status.is_final() || (buffered.is_none() && !has_expired())) {
            return CurrentSession::as_stored(entry);
        }
        let current = self.current_with(stored.clone(), now, buffered);
        if !is_ahead && current.status == stored.status {
            CurrentSession::with_last_seen(entry, current)
        } else {
            CurrentSession::changed(entry, current)
        }
    }

    /// Returns a stored session as it is now: with an interaction that is not written yet, complete if its lifetime has
    /// passed, and with now in place of a time in the future.
    pub fn current(&self, session: StoredSession) -> StoredSession {
        self.current_at(session, self.storage.now())
    }

    /// As [`Sessions::current`], at a time that was read before.
    pub(crate) fn current_at(&self, session: StoredSession, now: Timestamp) -> StoredSession {
        let buffered = self.buffered(&session, now);
        self.current_with(session, now, buffered)
    }

    /// Returns the interaction of a live session that is not written yet, with now in place of a time in the future.
    fn buffered(&self, session: &StoredSession, now: Timestamp) -> Option<LastSeen> {
        if session.status.is_final() {
            return None;
        }
        self.last_seen.get(session.id).map(|mut seen| {
            (seen.first_at, seen.details.at) = (seen.first_at.min(now), seen.details.at.min(now));
            seen
        })
    }

    fn current_with(
        &self,
        mut session: StoredSession,
        now: Timestamp,
        buffered: Option<LastSeen>,
    ) -> StoredSession {
        if count_as_now(&mut session, now) > CLOCK_JUMP_MIN {
            self.expect_future_times();
        }
        if session.status.is_final() {
            return session;
        }
        if let Some(buffered) = buffered
            && session.last_seen.as_ref().is_some_and(|last| last.at <= buffered.details.at)
            // Otherwise the session had ended before the interaction.
            && self.lifetimes.expiry_of(&session).is_none_or(|(expires_at, _)| buffered.first_at < expires_at)
        {
            session.last_seen = Some(buffered.details);
        }
        if let Some((expires_at, _)) = self.lifetimes.expiry_of(&session)
            && expires_at <= now
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

    /// As [`Sessions::with_times`]; `None` if that is the session as it is stored.
    pub(crate) fn with_new_times(&self, stored: &StoredSession) -> Option<StoredSession> {
        let replacement = self.with_times(stored.clone());
        (replacement != *stored).then_some(replacement)
    }

    /// Reads the wall clock. Returns its time and whether it can be believed, and logs it if that has changed.
    fn watch_clock(&self) -> (Timestamp, Belief) {
        let mut watch = self.clock_watch.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.storage.now();
        let (belief, notice) = watch.observe(now, self.storage.monotonic());
        let log = self.storage.log();
        match notice {
            None => {}
            Some(Notice::Jumped(by_ms)) => warn!(
                log, "the wall clock jumped; no session is marked or deleted until it is back or steady";
                "by_s" => by_ms / 1_000, "steady_for_s" => CLOCK_STEADY_FOR.as_secs()
            ),
            Some(Notice::Returned) => info!(log, "the wall clock jumped back; sweeps continue"),
            Some(Notice::Believed) => warn!(log, "the wall clock is steady since its jump; sweeps continue"),
        }
        if matches!(notice, Some(Notice::Returned | Notice::Believed)) {
            self.expect_future_times();
        }
        (now, belief)
    }

    /// Returns the time of the wall clock, right or wrong, for a new session: even a jump that is over before the next sweep
    /// is noticed if a session was created meanwhile.
    pub(crate) fn creation_time(&self) -> Timestamp {
        self.watch_clock().0
    }

    /// Returns the time of a revocation of many sessions: the earlier one if the wall clock jumped, so that a session which
    /// only a wrong clock has ended is revoked rather than complete.
    pub(crate) fn revocation_time(&self) -> Timestamp {
        let (now, _) = self.watch_clock();
        let watch = self.clock_watch.lock().unwrap_or_else(PoisonError::into_inner);
        watch.time_without_jump(self.storage.monotonic()).map_or(now, |time| time.min(now))
    }

    /// Returns the time of the wall clock, unless it has jumped.
    pub(crate) fn believed_now(&self) -> Option<Timestamp> {
        let (now, belief) = self.watch_clock();
        (belief != Belief::None).then_some(now)
    }

    /// Returns the time of the wall clock, unless it has jumped or may have been wrong at the start.
    pub(crate) fn confirmed_now(&self) -> Option<Timestamp> {
        let (now, belief) = self.watch_clock();
        (belief == Belief::Confirmed).then_some(now)
    }

    /// Lets the next sweep for which the clock is confirmed look for times in the future.
    pub(crate) fn expect_future_times(&self) {
        self.has_future_times.store(true, Ordering::Relaxed);
    }

    /// Whether a session may have a time in the future; then not again until one may have again.
    pub(crate) fn take_future_times(&self) -> bool {
        self.has_future_times.swap(false, Ordering::Relaxed)
    }

    /// Waits for the changes of the session that arrived before on this node, as [`ChangeQueues::turn`] does.
    pub(crate) async fn change_turn(&self, id: SessionId, kind: ChangeKind) -> Result<Turn<'_>, Error> {
        self.changes.turn(id, kind).await
    }

    /// Buffers an interaction of now with a session, as it is now; nothing if its lifetime has passed
    /// since.
    pub fn buffer_last_seen(&self, session: &StoredSession, origin: &Origin) {
        let at = self.storage.now();
        let has_expired = self.lifetimes.expiry_of(session).is_some_and(|(expires_at, _)| expires_at <= at);
        if session.status.is_final() || has_expired {
            return;
        }
        let expires_at = self.lifetimes.expiry_if_used(session, at).map(|(expires_at, _)| expires_at);
        let user_agent = origin.user_agent();
        self.last_seen.insert(
            session,
            &Interaction { at, address: origin.address, user_agent: user_agent.as_ref(), expires_at },
        );
    }

    /// Writes all buffered interactions. Those that cannot be written stay in the buffer.
    pub async fn write_last_seen(&self) -> Result<(), Error> {
        self.write_selected(Which::All).await
    }

    /// Writes the buffered interactions that are due, and those of the next shard of the buffer. Those that cannot be written
    /// stay in the buffer.
    pub async fn write_due_last_seen(&self) -> Result<(), Error> {
        self.write_selected(Which::Due(self.storage.now())).await
    }

    async fn write_selected(&self, which: Which) -> Result<(), Error> {
        for ids in self.last_seen.sessions(which, usize::MAX).chunks(LAST_SEEN_BATCH) {
            self.write_buffered(ids).await?;
        }
        Ok(())
    }

    /// Writes the buffered interactions without which sessions would have expired at `at`: normally none, because a session
    /// is rarely used right before the end of its lifetime.
    pub async fn write_reviving(&self, at: Timestamp) -> Result<(), Error> {
        loop {
            // An interaction stays in the buffer while it is written, so one that another task writes is waited for.
            let ids = self.last_seen.sessions(Which::Reviving(at), LAST_SEEN_BATCH);
            if ids.is_empty() {
                return Ok(());
            }
            self.write_buffered(&ids).await?;
        }
    }

    async fn write_buffered(&self, ids: &[SessionId]) -> Result<(), Error> {
        let _writing = self.writing.lock().await;
        let batch = self.last_seen.of_sessions(ids);
        if batch.is_empty() {
            return Ok(());
        }
        self.renew_stored_ends(&batch).await?;
        let seen = batch.iter().map(|(id, buffered)| buffered.last_seen(*id)).collect();
        self.storage.session_update_last_seen(seen).await?;
        self.last_seen.remove_written(&batch);
        Ok(())
    }

    /// Computes the end of the lifetime again of those sessions whose stored end was before their interaction. It is by
    /// other lifetimes than this node's then, and the store would skip the interaction.
    async fn renew_stored_ends(&self, batch: &[(SessionId, Buffered)]) -> Result<(), Error> {
        let late = batch.iter().filter(|(_, buffered)| buffered.is_after_stored_end());
        let fetches = late.map(|(id, _)| self.storage.session_fetch_current(*id));
        let stored = try_join_all(fetches).await?;
        let renewed = stored.into_iter().flatten().filter_map(|session| self.with_new_times(&session));
        let renewed: Vec<_> = renewed.map(|session| (session, None)).collect();
        if !renewed.is_empty() {
            // One that changes meanwhile has the end that its change has set.
            self.storage.session_replace_many(renewed).await?;
        }
        Ok(())
    }

    /// Waits until the buffer of interactions is nearly full.
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
