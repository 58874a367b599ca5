//! Whose turn it is to use a connection of the pool.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use session_types::DomainId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::error::Result;
use crate::store::StoreError;

/// How long a transaction or a read of many rows waits for its turn.
const WAIT: Duration = Duration::from_secs(2);

/// How many may use connections and wait.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// How many connections are used at the same time.
    pub(super) all: usize,
    /// How many of them one domain uses.
    pub(super) of_domain: usize,
    /// How many of one domain wait or run.
    pub(super) waiting: usize,
    /// What they are, for messages.
    pub(super) what: &'static str,
}

/// The turns of one kind of work. A domain always leaves connections to others, however much of its work waits.
pub(super) struct Turns {
    bounds: Bounds,
    all: Arc<Semaphore>,
    /// Of the domains that have work.
    domains: Mutex<HashMap<DomainId, Arc<Semaphore>>>,
}

/// A turn, until it is dropped.
pub(super) struct Turn {
    /// When the work asked for it.
    pub(super) since: Instant,
    _of_all: OwnedSemaphorePermit,
    _of_domain: Option<OwnedSemaphorePermit>,
}

impl Turns {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, all: Arc::new(Semaphore::new(bounds.all)), domains: Mutex::default() }
    }

    /// Waits for a turn of a domain, or of the server itself. Fails if too much of the domain waits, or for too long.
    pub(super) async fn next(&self, domain_id: Option<DomainId>) -> Result<Turn> {
        let since = Instant::now();
        let of_domain = domain_id.map(|domain_id| self.of_domain(domain_id)).transpose()?;
        let acquire = async {
            let of_domain = match of_domain {
                Some(of_domain) => Some(of_domain.acquire_owned().await?),
                None => None,
            };
            Ok((Arc::clone(&self.all).acquire_owned().await?, of_domain))
        };
        let acquired: std::result::Result<std::result::Result<_, tokio::sync::AcquireError>, _> =
            timeout_at(since + WAIT, acquire).await;
        match acquired {
            Ok(Ok((of_all, of_domain))) => Ok(Turn { since, _of_all: of_all, _of_domain: of_domain }),
            Ok(Err(closed)) => Err(StoreError::Failed(closed.to_string())),
            Err(_) => {
                let what = self.bounds.what;
                Err(StoreError::Unavailable(format!("other {what} took longer than {WAIT:?}")))
            }
        }
    }

    fn of_domain(&self, domain_id: DomainId) -> Result<Arc<Semaphore>> {
        let Bounds { of_domain, waiting, what, .. } = self.bounds;
        let mut domains = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
        // All that wait or run have a reference.
        domains.retain(|_, of_domain| Arc::strong_count(of_domain) > 1);
        let of_domain = domains.entry(domain_id).or_insert_with(|| Arc::new(Semaphore::new(of_domain)));
        if Arc::strong_count(of_domain) > waiting {
            return Err(StoreError::Unavailable(format!("{waiting} {what} of the domain are waiting")));
        }
        Ok(Arc::clone(of_domain))
    }
}

#[cfg(test)]
mod tests {
    use session_types::Id;
    use tokio::time::timeout;

    use super::*;

    const WAITING: usize = 64;

    const fn domain(byte: u8) -> DomainId {
        DomainId(Id::from_bytes([byte; 20]))
    }

    #[tokio::test]
    async fn a_domain_whose_reads_wait_does_not_use_the_turns_of_others() {
        let bounds = Bounds { all: 4, of_domain: 2, waiting: WAITING, what: "lists" };
        let turns = Arc::new(Turns::new(bounds));
        let running =
            [turns.next(Some(domain(1))).await.unwrap(), turns.next(Some(domain(1))).await.unwrap()];
        let waiting: Vec<_> = (0..WAITING - 2)
            .map(|_| {
                let turns = Arc::clone(&turns);
                tokio::spawn(async move { turns.next(Some(domain(1))).await.map(drop) })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(waiting.iter().all(|read| !read.is_finished()));
        let refused = turns.next(Some(domain(1))).await.err();
        assert!(matches!(refused, Some(StoreError::Unavailable(_))), "{refused:?}");
        for of_other in [Some(domain(2)), None] {
            assert!(timeout(Duration::from_secs(5), turns.next(of_other)).await.is_ok());
        }
        drop(running);
        for read in waiting {
            assert_eq!(read.await.unwrap(), Ok(()));
        }
        assert!(turns.next(Some(domain(3))).await.is_ok());
        assert_eq!(turns.domains.lock().unwrap().len(), 1, "those without reads are forgotten");
    }

    #[tokio::test]
    async fn work_whose_turn_does_not_come_in_time_is_refused_and_leaves_its_place() {
        let turns = Turns::new(Bounds { all: 2, of_domain: 1, waiting: 2, what: "changes" });
        let running = turns.next(Some(domain(1))).await.unwrap();
        let refused = turns.next(Some(domain(1))).await.err();
        let text = "other changes took longer than 2s".to_owned();
        assert_eq!(refused, Some(StoreError::Unavailable(text)));
        drop(running);
        assert!(turns.next(Some(domain(1))).await.is_ok());
    }
}
