//! The order of the changes of one session on this node.
//!
//! A change reads the session, decides, and replaces the session if its revision is still the one that was read. Changes
//! that run at once would make each other start again, and with many of them some would never be made. So the changes of
//! one session queue in order of arrival. Interactions, which are many and matter least, queue among themselves first: at
//! most one of them is in the queue of all changes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use session_types::SessionId;
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

use crate::error::Error;
use crate::storage::STORE_TIMEOUT;

/// How many changes of one session and kind may be made or wait. Each waits for the commits of those before it, a few
/// milliseconds each, so that many are made in about a second; a later one would only wait until its caller has gone.
const WAITING_MAX: usize = 256;

/// The kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// An interaction.
    Interaction,
    /// Any other change.
    Other,
}

/// The queues of the sessions that are being changed.
#[derive(Debug, Default)]
pub(crate) struct ChangeQueues(Mutex<HashMap<SessionId, Queue>>);

/// The changes of one session.
#[derive(Debug, Default)]
struct Queue {
    locks: Arc<Locks>,
    interactions: usize,
    others: usize,
}

/// tokio's mutex is given to those who wait for it in order of arrival.
#[derive(Debug, Default)]
struct Locks {
    changes: Arc<tokio::sync::Mutex<()>>,
    interactions: Arc<tokio::sync::Mutex<()>>,
}

impl Queue {
    const fn count(&mut self, kind: ChangeKind) -> &mut usize {
        match kind {
            ChangeKind::Interaction => &mut self.interactions,
            ChangeKind::Other => &mut self.others,
        }
    }
}

/// The right to change a session, until it is dropped. The fields are dropped in this order, so that no interaction enters
/// the queue of all changes before the former one has left it.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    _change: OwnedMutexGuard<()>,
    _interaction: Option<OwnedMutexGuard<()>>,
    /// Whether others came first, so that the session may have changed.
    pub(crate) waited: bool,
    _place: Place<'a>,
}

/// A place in the queue of a session. The queue is removed with the last one.
#[derive(Debug)]
struct Place<'a> {
    queues: &'a ChangeQueues,
    id: SessionId,
    kind: ChangeKind,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut queues = self.queues.lock();
        if let Some(queue) = queues.get_mut(&self.id) {
            *queue.count(self.kind) -= 1;
            if (queue.interactions, queue.others) == (0, 0) {
                queues.remove(&self.id);
            }
        }
    }
}

impl ChangeQueues {
    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Queue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the changes of the session that arrived before.
    ///
    /// Fails with `unknown` if too many wait, or if it takes longer than a caller waits for the store.
    pub(crate) async fn turn(&self, id: SessionId, kind: ChangeKind) -> Result<Turn<'_>, Error> {
        let (place, locks, waited) = {
            let mut queues = self.lock();
            let queue = queues.entry(id).or_default();
            if *queue.count(kind) == WAITING_MAX {
                return Err(Error::unknown(format!("{WAITING_MAX} changes of the session wait already")));
            }
            let waited = queue.interactions + queue.others > 0;
            *queue.count(kind) += 1;
            (Place { queues: self, id, kind }, Arc::clone(&queue.locks), waited)
        };
        let acquire = async {
            let interaction = match kind {
                ChangeKind::Interaction => Some(Arc::clone(&locks.interactions).lock_owned().await),
                ChangeKind::Other => None,
            };
            (Arc::clone(&locks.changes).lock_owned().await, interaction)
        };
        let (change, interaction) = timeout(STORE_TIMEOUT, acquire).await.map_err(|_| {
            Error::unknown(format!("the changes before it took longer than {STORE_TIMEOUT:?}"))
        })?;
        Ok(Turn { _change: change, _interaction: interaction, waited, _place: place })
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use session_store::contract_suite::id;
    use session_types::ErrorCode;

    use super::ChangeKind::{Interaction, Other};
    use super::*;

    fn session(last: u64) -> SessionId {
        SessionId(id(1, last))
    }

    #[tokio::test]
    async fn changes_of_one_session_wait_in_order_and_those_of_others_do_not() {
        let queues = ChangeQueues::default();
        let first = queues.turn(session(1), Other).await.unwrap();
        assert!(!first.waited);
        let mut second = Box::pin(queues.turn(session(1), Other));
        let mut third = Box::pin(queues.turn(session(1), Other));
        assert!((&mut second).now_or_never().is_none() && (&mut third).now_or_never().is_none());
        assert!(!queues.turn(session(2), Other).now_or_never().unwrap().unwrap().waited);
        drop(first);
        assert!((&mut third).now_or_never().is_none());
        let second = second.now_or_never().unwrap().unwrap();
        assert!(second.waited);
        // One that no longer waits holds nobody off.
        let fourth = queues.turn(session(1), Other).now_or_never();
        assert!(fourth.is_none());
        drop(second);
        assert!(third.now_or_never().unwrap().unwrap().waited);
        assert_eq!(queues.lock().len(), 0, "the queues of sessions that nobody changes are removed");
    }

    #[tokio::test]
    async fn at_most_one_interaction_is_before_another_change() {
        let queues = ChangeQueues::default();
        let running = queues.turn(session(1), Interaction).await.unwrap();
        let mut interactions: Vec<_> =
            (0..9).map(|_| Box::pin(queues.turn(session(1), Interaction))).collect();
        assert!(interactions.iter_mut().all(|interaction| interaction.now_or_never().is_none()));
        let mut revoke = Box::pin(queues.turn(session(1), Other));
        assert!((&mut revoke).now_or_never().is_none());
        drop(running);
        assert!(interactions.iter_mut().all(|interaction| interaction.now_or_never().is_none()));
        assert!(revoke.now_or_never().is_some());
    }

    #[tokio::test]
    async fn more_changes_than_can_be_made_in_time_are_refused_at_once() {
        let queues = ChangeQueues::default();
        let mut interactions: Vec<_> =
            (0..WAITING_MAX).map(|_| Box::pin(queues.turn(session(1), Interaction))).collect();
        let turns: Vec<_> = interactions.iter_mut().filter_map(FutureExt::now_or_never).collect();
        assert_eq!(turns.len(), 1);
        let refused = queues.turn(session(1), Interaction).now_or_never().unwrap().unwrap_err();
        assert_eq!((refused.code, refused.retry_after_s), (ErrorCode::Unknown, Some(1)));
        // Interactions take no place of another change.
        let mut other = Box::pin(queues.turn(session(1), Other));
        assert!((&mut other).now_or_never().is_none());
        drop((turns, interactions));
        assert!(other.now_or_never().unwrap().is_ok());
        assert_eq!(queues.lock().len(), 0);
    }
}
