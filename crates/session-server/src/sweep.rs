//! What the server does in the background: writes last interactions and the sessions of pending revocations, marks sessions
//! whose lifetime has passed as complete, and deletes what ended long ago.
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
use crate::rules::repeatable::REPEATABLE_FOR;
use crate::sessions::{LAST_SEEN_GRACE, LAST_SEEN_INTERVAL, Sessions};
use crate::storage::StoreFuture;

/// How many rows one batch marks or deletes: a few milliseconds of the writer's time.
const BATCH: u32 = 200;

/// The pause between two batches, in which the writer serves requests.
const PAUSE: Duration = Duration::from_millis(5);

/// How often the server searches for pending revocations that it was not notified of: of another node, or after a failure.
const REVOCATION_INTERVAL: Duration = Duration::from_secs(10);

/// How many sessions one transaction gives new times, before the server listens.
const TIMES_BATCH: u32 = 1_000;

/// The name of the stored setting that identifies the lifetimes with which the stored times were computed.
const LIFETIMES: &str = "lifetimes";

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

/// Computes the times of every live session again if the lifetimes differ from those with which they were computed.
/// Returns the number of sessions that were checked; `None` if the lifetimes are the same.
pub async fn apply_lifetimes(sessions: &Sessions) -> Result<Option<u64>, Error> {
    let storage = sessions.storage();
    let wanted = sessions.lifetimes().fingerprint();
    if storage.call(|store| store.setting_fetch(LIFETIMES)).await?.as_ref() == Some(&wanted) {
        return Ok(None);
    }
    let (mut after, mut count) = (None, 0);
    loop {
        let page = storage.page(|store| store.session_page(after, TIMES_BATCH)).await?;
        let checked = page.items.len() as u64;
        let changed = page.items.into_iter().filter_map(|session| {
            let replacement = sessions.with_times(session.clone());
            (replacement != session).then_some((replacement, None))
        });
        let changed: Vec<_> = changed.collect();
        let replaced = storage.call(|store| store.session_replace_many(changed)).await?;
        if replaced.contains(&false) {
            // Another node has changed a session meanwhile, perhaps with other lifetimes.
            continue;
        }
        after = page.next.map(SessionId);
        count += checked;
        if after.is_none() {
            break;
        }
    }
    storage.call(|store| store.setting_replace(LIFETIMES, wanted)).await?;
    Ok(Some(count))
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
        let marked: Vec<_> = expired
            .items
            .into_iter()
            .filter_map(|session| expire(sessions, session, now).transpose())
            .collect::<Result<_, _>>()?;
        // One that changes meanwhile is found again if its lifetime has passed nevertheless.
        let marked = storage.call(|store| store.session_replace_many(marked)).await?;
        let count = marked.into_iter().filter(|marked| *marked).count() as u64;
        swept.expired += count;
        if count == 0 {
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
        let replaced = storage.call(|store| store.session_replace_many(repaired)).await?;
        count += replaced.iter().filter(|replaced| **replaced).count() as u64;
        is_complete &= replaced.iter().all(|replaced| *replaced);
        if after.is_none() {
            return Ok((count, is_complete));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Returns the replacement that marks a session as complete, with its event; `None` unless its lifetime has passed.
fn expire(
    sessions: &Sessions,
    session: StoredSession,
    now: Timestamp,
) -> Result<Option<(StoredSession, Option<Event>)>, Error> {
    let was_live = !session.status.is_final();
    let current = sessions.current_at(session, now);
    if !was_live || current.status != SessionStatus::Complete {
        return Ok(None);
    }
    let reason = sessions.lifetimes().expiry_of(&current).map(|(_, reason)| reason);
    let reason = reason.as_ref().map(AsRef::as_ref);
    let event = sessions.new_event(EventAction::Expired, current.id, Actor::Server, None, reason)?;
    Ok(Some((current, Some(event))))
}

/// Starts a task that writes last interactions and pending revocations and sweeps, until it is aborted.
pub(crate) fn start(
    sessions: Arc<Sessions>,
    interval: Duration,
    retention: Retention,
    log: Logger,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let writing = async {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(LAST_SEEN_INTERVAL) => {}
                    () = sessions.last_seen_filling() => {}
                }
                if let Err(error) = sessions.write_last_seen().await {
                    warn!(log, "last interactions were not written"; "cause" => error.into_cause());
                }
            }
        };
        let sweeping = async {
            loop {
                tokio::time::sleep(interval).await;
                match sweep(&sessions, retention).await {
                    Ok(swept) if swept == Swept::default() => {}
                    Ok(swept) => info!(log, "swept"; "expired" => swept.expired, "deleted" => swept.deleted,
                        "events_deleted" => swept.events_deleted, "repaired" => swept.repaired),
                    Err(error) => warn!(log, "sweep failed"; "cause" => error.into_cause()),
                }
            }
        };
        let revoking = async {
            loop {
                match write_revocations(&sessions).await {
                    Ok(false) => {}
                    Ok(true) => info!(log, "pending revocations written"),
                    Err(error) => {
                        warn!(log, "pending revocations were not written"; "cause" => error.into_cause());
                    }
                }
                tokio::select! {
                    () = tokio::time::sleep(REVOCATION_INTERVAL) => {}
                    () = sessions.revocation_made() => {}
                }
            }
        };
        tokio::join!(writing, revoking, sweeping);
    })
}
