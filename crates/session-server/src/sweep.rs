//! What the server does in the background: writes last interactions and the sessions of pending revocations, marks sessions
//! whose lifetime has passed as complete, deletes what ended long ago, and applies changed lifetimes to stored times.
//!
//! Each node writes its own last interactions and repairs what its own clock has done. Everything else is done by one node
//! at a time, the one with the lease ([`node`](crate::node)).
//!
//! All of it runs in small batches by index, one after another, so that no request waits for it. Nothing is marked or
//! deleted after a jump of the wall clock, until it can be believed again ([`clock_watch`](crate::clock_watch)).

use std::sync::Arc;
use std::time::Duration;

use session_store::{Actor, Event, EventAction, Store, StoredSession};
use session_types::{SessionId, SessionStatus, Timestamp};
use slog::{Logger, info, warn};
use tokio::task::JoinHandle;

use crate::error::Error;
use crate::lifecycle::future::count_as_now;
use crate::node::{BEAT_INTERVAL, Node};
use crate::rules::repeatable::REPEATABLE_FOR;
use crate::sessions::{LAST_SEEN_GRACE, LAST_SEEN_INTERVAL, Sessions};
use crate::storage::StoreFuture;
use crate::stored_lifetimes::{self, Part};

/// How many rows one batch marks or deletes: a few milliseconds of the writer's time.
const BATCH: u32 = 200;

/// The pause between two batches, in which the writer serves requests.
const PAUSE: Duration = Duration::from_millis(5);

/// How often the server searches for pending revocations that it was not notified of: of another node, or after a failure.
const REVOCATION_INTERVAL: Duration = Duration::from_secs(10);

/// How long ended sessions and events are retained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Ended sessions, from their end; `None` is for ever.
    pub sessions: Option<Duration>,
    /// Events; `None` is for ever.
    pub events: Option<Duration>,
}

/// The counts of a sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Sessions whose lifetime had passed.
    pub expired: u64,
    /// Ended sessions that were deleted.
    pub deleted: u64,
    /// Events that were deleted.
    pub events_deleted: u64,
    /// Sessions with times in the future, which were set to the time of the sweep.
    pub repaired: u64,
}

/// Writes every pending revocation of many sessions, in batches. Returns whether there was one.
pub async fn write_revocations(sessions: &Sessions) -> Result<bool, Error> {
    let storage = sessions.storage();
    let mut found = false;
    while storage.call(|store| store.revocation_write(storage.now())).await? {
        found = true;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(found)
}

/// Marks sessions whose lifetime has passed, and deletes sessions and events whose retention has. Before, after a jump of
/// the clock, sets times in the future to now.
pub async fn sweep(sessions: &Sessions, retention: Retention) -> Result<Swept, Error> {
    let storage = sessions.storage();
    let mut swept = Swept { repaired: repair_future_times(sessions).await?, ..Swept::default() };
    while let Some(now) = sessions.believed_now() {
        // An interaction from before the end of the lifetime may not be written yet.
        let at = now.saturating_sub(LAST_SEEN_GRACE);
        let expired = storage.page(|store| store.session_list_expired(at, BATCH)).await?;
        let replacements: Vec<_> = expired
            .items
            .iter()
            .filter_map(|session| expire(sessions, session, now).transpose())
            .collect::<Result<_, _>>()?;
        let are_marked: Vec<_> = replacements.iter().map(|(_, event)| event.is_some()).collect();
        // One that changes meanwhile is found again if its lifetime has passed nevertheless.
        let replaced = storage.session_replace_many(replacements).await?;
        let marked = replaced.iter().zip(are_marked).filter(|(replaced, is_marked)| **replaced && *is_marked);
        swept.expired += marked.count() as u64;
        if !replaced.contains(&true) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    if let Some(retention) = retention.sessions {
        swept.deleted =
            in_batches(sessions, retention, |store, before| store.session_delete_ended(before, BATCH))
                .await?;
    }
    if let Some(retention) = retention.events {
        swept.events_deleted =
            in_batches(sessions, retention, |store, before| store.event_delete(before, BATCH)).await?;
    }
    in_batches(sessions, REPEATABLE_FOR, |store, before| store.record_delete(before, BATCH)).await?;
    Ok(swept)
}

/// Repeats a deletion of what is older than the retention, until it deletes less than a whole batch or the clock jumps.
/// Returns the number of deleted rows.
async fn in_batches(
    sessions: &Sessions,
    retention: Duration,
    delete: impl for<'a> Fn(&'a dyn Store, Timestamp) -> StoreFuture<'a, u64>,
) -> Result<u64, Error> {
    let mut total = 0;
    while let Some(now) = sessions.believed_now() {
        let before = now.saturating_sub(retention);
        let deleted = sessions.storage().call(|store| delete(store, before)).await?;
        total += deleted;
        if deleted < u64::from(BATCH) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(total)
}

/// Sets times in the future, which a wrong clock left, to now, so that lifetimes and retention count from here and not from
/// every read anew. Reads all sessions, but only if there may be such times and the clock is confirmed: if it were behind,
/// it would make every session old. Returns the number of sessions that it changed.
async fn repair_future_times(sessions: &Sessions) -> Result<u64, Error> {
    if sessions.confirmed_now().is_none() || !sessions.take_future_times() {
        return Ok(0);
    }
    let repaired = repair_all(sessions).await;
    if !matches!(repaired, Ok((_, true))) {
        sessions.expect_future_times();
    }
    repaired.map(|(count, _)| count)
}

/// Returns how many sessions were changed, and whether no other change came first and the clock did not jump.
async fn repair_all(sessions: &Sessions) -> Result<(u64, bool), Error> {
    let storage = sessions.storage();
    let (mut after, mut count, mut is_complete) = (None, 0, true);
    loop {
        let page = storage.page(|store| store.session_page(after, BATCH)).await?;
        after = page.next.map(SessionId);
        let Some(now) = sessions.confirmed_now() else { return Ok((count, false)) };
        let repair = |session: StoredSession| {
            let mut repaired = session.clone();
            count_as_now(&mut repaired, now);
            (repaired != session).then(|| (sessions.with_times(repaired), None))
        };
        let repaired: Vec<_> = page.items.into_iter().filter_map(repair).collect();
        // A live one may change meanwhile, and then has the time of that change.
        let replaced = storage.session_replace_many(repaired).await?;
        count += replaced.iter().filter(|replaced| **replaced).count() as u64;
        is_complete &= replaced.iter().all(|replaced| *replaced);
        if after.is_none() {
            return Ok((count, is_complete));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Returns the replacement that marks a session as complete, with its event, if its lifetime has passed. If it has not, and
/// its stored times are by other lifetimes, returns the replacement that corrects them: otherwise such sessions would be
/// found by each scan in place of others.
fn expire(
    sessions: &Sessions,
    session: &StoredSession,
    now: Timestamp,
) -> Result<Option<(StoredSession, Option<Event>)>, Error> {
    let was_live = !session.status.is_final();
    let current = sessions.current_at(session.clone(), now);
    if !was_live || current.status != SessionStatus::Complete {
        return Ok(sessions.with_new_times(session).map(|corrected| (corrected, None)));
    }
    let reason = sessions.lifetimes().expiry_of(&current).map(|(_, reason)| reason);
    let reason = reason.as_ref().map(AsRef::as_ref);
    let event = sessions.new_event(EventAction::Expired, current.id, Actor::Server, None, reason)?;
    Ok(Some((current, Some(event))))
}

/// Starts a task that reports the node, writes its last interactions, and sweeps while it is the node that does, until it
/// is aborted.
pub fn start(node: Arc<Node>, interval: Duration, retention: Retention, log: Logger) -> JoinHandle<()> {
    tokio::spawn(async move {
        tokio::join!(
            beat(&node, &log),
            write_last_seen(node.sessions(), &log),
            write_revocations_repeatedly(&node, &log),
            apply_lifetimes(&node, &log),
            sweep_repeatedly(&node, interval, retention, &log),
        );
    })
}

async fn beat(node: &Node, log: &Logger) {
    loop {
        tokio::time::sleep(BEAT_INTERVAL).await;
        if let Err(error) = node.beat().await {
            warn!(log, "the node was not reported to the store"; "cause" => error.into_cause());
        }
    }
}

async fn write_last_seen(sessions: &Sessions, log: &Logger) {
    loop {
        let written = tokio::select! {
            () = tokio::time::sleep(LAST_SEEN_INTERVAL) => sessions.write_due_last_seen().await,
            () = sessions.last_seen_filling() => sessions.write_last_seen().await,
        };
        if let Err(error) = written {
            warn!(log, "last interactions were not written"; "cause" => error.into_cause());
        }
    }
}

async fn write_revocations_repeatedly(node: &Node, log: &Logger) {
    let sessions = node.sessions();
    loop {
        match node.while_it_sweeps(write_revocations(sessions)).await {
            None | Some(Ok(false)) => {}
            Some(Ok(true)) => info!(log, "pending revocations written"),
            Some(Err(error)) => {
                warn!(log, "pending revocations were not written"; "cause" => error.into_cause());
            }
        }
        tokio::select! {
            () = tokio::time::sleep(REVOCATION_INTERVAL) => {}
            () = sessions.revocation_made() => {}
        }
    }
}

async fn apply_lifetimes(node: &Node, log: &Logger) {
    let mut checked = 0;
    loop {
        let part = if node.sweeps() && node.agrees() {
            stored_lifetimes::apply_part(node.sessions(), || node.sweeps() && node.agrees()).await
        } else {
            Ok(Part::default())
        };
        match part {
            Ok(part) => {
                checked += part.checked;
                if part.is_last && checked > 0 {
                    info!(log, "lifetimes applied"; "sessions" => checked);
                    checked = 0;
                }
                if part.checked > 0 && !part.is_last {
                    continue;
                }
            }
            Err(error) => warn!(log, "lifetimes were not applied"; "cause" => error.into_cause()),
        }
        tokio::time::sleep(BEAT_INTERVAL).await;
    }
}

async fn sweep_repeatedly(node: &Node, interval: Duration, retention: Retention, log: &Logger) {
    let sessions = node.sessions();
    loop {
        tokio::time::sleep(interval).await;
        let did_sweep = node.sweeps();
        let swept = if let Some(swept) = node.while_it_sweeps(sweep(sessions, retention)).await {
            swept
        } else {
            if did_sweep {
                // The sweep may have ended in the middle of repairing them.
                sessions.expect_future_times();
            }
            // Each node knows only of the jumps of its own clock.
            repair_future_times(sessions).await.map(|repaired| Swept { repaired, ..Swept::default() })
        };
        match swept {
            Ok(swept) if swept == Swept::default() => {}
            Ok(swept) => info!(log, "swept"; "expired" => swept.expired, "deleted" => swept.deleted,
                "events_deleted" => swept.events_deleted, "repaired" => swept.repaired),
            Err(error) => warn!(log, "sweep failed"; "cause" => error.into_cause()),
        }
    }
}
