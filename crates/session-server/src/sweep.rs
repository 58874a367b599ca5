//! What the server does by itself: writes what was seen, marks what has ended, and removes what ended long ago.
//!
//! All in small batches by index, one after another, so that no request waits for it: reads do not wait for the
//! writer, and a batch is one change among others to it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use session_api::{SessionStatus, Timestamp};
use session_store::{Actor, EventAction, StoredSession, Times};
use slog::{Logger, info, warn};
use tokio::task::JoinHandle;

use crate::error::Error;
use crate::rules::state;
use crate::service::{SEEN_GRACE, SEEN_INTERVAL, Service};

/// How many sessions one batch marks or removes: a few milliseconds of the writer's time.
const BATCH: u32 = 200;

/// The pause between two batches, in which the writer serves requests.
const PAUSE: Duration = Duration::from_millis(5);

/// How many sessions get new times in one transaction before the server listens.
const TIMES_BATCH: u32 = 1_000;

/// The name of the setting that says with which lifetimes the stored times were computed.
const LIFETIMES: &str = "lifetimes";

/// How long what has ended is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Sessions, from their end; `None` keeps them for ever.
    pub sessions: Option<Duration>,
    /// Events.
    pub events: Option<Duration>,
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Sessions whose lifetime had passed.
    pub expired: u64,
    /// Ended sessions that were removed.
    pub removed: u64,
    /// Events that were removed.
    pub events_removed: u64,
}

impl Service {
    /// Computes the times of every live session anew if the lifetimes are others than those with which they were
    /// computed. Answers how many sessions were looked at.
    pub async fn lifetimes_apply(&self) -> Result<Option<u64>, Error> {
        let wanted = self.lifetimes.fingerprint();
        if self.within(self.store.setting_fetch(LIFETIMES)).await?.as_ref() == Some(&wanted) {
            return Ok(None);
        }
        let (mut after, mut count) = (None, 0);
        loop {
            let page = self.within(self.store.session_page(after, TIMES_BATCH)).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.summary.id);
            count += page.len() as u64;
            let times =
                page.into_iter().map(|session| (times_of(&session), times_of(&self.settled(session))));
            let changed = times.filter(|(before, now)| before != now).map(|(_, now)| now).collect();
            self.within(self.store.session_times(changed)).await?;
        }
        self.within(self.store.setting_replace(LIFETIMES, wanted)).await?;
        Ok(Some(count))
    }

    /// Marks sessions whose lifetime has passed and removes what ended long ago.
    pub async fn sweep(&self, retention: Retention) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        loop {
            // Those whose lifetime passed just now may have been seen without it being written yet.
            let at = before(self.clock.now(), SEEN_GRACE);
            let overdue = self.within(self.store.session_overdue(at, BATCH)).await?;
            let expired = try_join_all(overdue.into_iter().map(|session| self.expire(session))).await?;
            let count = expired.into_iter().filter(|expired| *expired).count() as u64;
            swept.expired += count;
            if count == 0 {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        if let Some(retention) = retention.sessions {
            swept.removed = self
                .in_batches(|| self.store.session_remove_ended(before(self.clock.now(), retention), BATCH))
                .await?;
        }
        if let Some(retention) = retention.events {
            swept.events_removed = self
                .in_batches(|| self.store.event_remove(before(self.clock.now(), retention), BATCH))
                .await?;
        }
        Ok(swept)
    }

    async fn in_batches<F>(&self, remove: impl Fn() -> F) -> Result<u64, Error>
    where
        F: Future<Output = Result<u64, session_store::StoreError>>,
    {
        let mut all = 0;
        loop {
            let removed = self.within(remove()).await?;
            all += removed;
            if removed < u64::from(BATCH) {
                return Ok(all);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Marks one session, if its lifetime has passed and nothing else came first.
    async fn expire(&self, session: StoredSession) -> Result<bool, Error> {
        let live = !state::is_final(session.summary.status);
        let current = self.current(session);
        if !live || current.summary.status != SessionStatus::Complete {
            return Ok(false);
        }
        let reason = self.lifetimes.end_of(&current.summary).map(|(_, by)| by.as_str());
        let id = current.summary.id;
        let event = self.event(EventAction::Expired, id, Actor::Server, None, reason)?;
        self.within(self.store.session_replace(current, Some(event))).await
    }
}

const fn times_of(session: &StoredSession) -> Times {
    Times { session_id: session.summary.id, ends_at: session.ends_at, ended_at: session.ended_at }
}

fn before(now: Timestamp, time: Duration) -> Timestamp {
    let time_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_ms(now.as_ms().saturating_sub(time_ms)).unwrap_or(now)
}

/// Writes what was seen and sweeps, until the task is aborted.
pub(crate) fn start(
    service: Arc<Service>,
    interval: Duration,
    retention: Retention,
    log: Logger,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let writing = async {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(SEEN_INTERVAL) => {}
                    () = service.seen.filling.notified() => {}
                }
                if let Err(error) = service.seen_write().await {
                    warn!(log, "last-seen times were not written"; "cause" => error.cause.unwrap_or(error.message));
                }
            }
        };
        let sweeping = async {
            loop {
                tokio::time::sleep(interval).await;
                match service.sweep(retention).await {
                    Ok(swept) if swept == Swept::default() => {}
                    Ok(swept) => info!(log, "swept"; "expired" => swept.expired, "removed" => swept.removed,
                        "events_removed" => swept.events_removed),
                    Err(error) => {
                        warn!(log, "sweep broke off"; "cause" => error.cause.unwrap_or(error.message));
                    }
                }
            }
        };
        tokio::join!(writing, sweeping);
    })
}
