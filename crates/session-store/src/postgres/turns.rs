//! Whose turn it is to read many rows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use session_types::DomainId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::error::Result;
use crate::store::StoreError;

/// How many connections read many rows at the same time: half of the pool, so that changes always have the others.
const SCANS: usize = 4;

/// How many of them one domain uses.
const SCANS_OF_DOMAIN: usize = 2;

/// How many reads of one domain wait or run. As many as the embedded store lets wait.
const WAITING_MAX: usize = 256;

/// The turns of reads of many rows. A domain has at most two reads that run or wait among those of others, so that another
/// domain's read waits for no more than two of each.
pub(super) struct Turns {
    all: Semaphore,
    /// Of the domains that have reads.
    domains: Mutex<HashMap<DomainId, Arc<Semaphore>>>,
}

/// A turn, until it is dropped.
pub(super) struct Turn<'a> {
    _of_all: SemaphorePermit<'a>,
    _of_domain: Option<OwnedSemaphorePermit>,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self { all: Semaphore::new(SCANS), domains: Mutex::default() }
    }

    /// Waits for a turn of a domain, or of the server itself. Fails if too many reads of the domain wait.
    pub(super) async fn next(&self, domain_id: Option<DomainId>) -> Result<Turn<'_>> {
        let closed = |_| StoreError::Failed("there are no turns any more".to_owned());
        let of_domain = match domain_id {
            Some(domain_id) => {
                let of_domain = self.of_domain(domain_id)?;
                Some(of_domain.acquire_owned().await.map_err(closed)?)
            }
            None => None,
        };
        Ok(Turn { _of_all: self.all.acquire().await.map_err(closed)?, _of_domain: of_domain })
    }

    fn of_domain(&self, domain_id: DomainId) -> Result<Arc<Semaphore>> {
        let mut domains = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
        // Each read that waits or runs has a reference.
        domains.retain(|_, of_domain| Arc::strong_count(of_domain) > 1);
        let of_domain = domains.entry(domain_id).or_insert_with(|| Arc::new(Semaphore::new(SCANS_OF_DOMAIN)));
        if Arc::strong_count(of_domain) > WAITING_MAX {
            let text = format!("{WAITING_MAX} lists of the domain are waiting");
            return Err(StoreError::Unavailable(text));
        }
        Ok(Arc::clone(of_domain))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use session_types::Id;
    use tokio::time::timeout;

    use super::*;

    const fn domain(byte: u8) -> DomainId {
        DomainId(Id::from_bytes([byte; 20]))
    }

    #[tokio::test]
    async fn a_domain_whose_reads_wait_does_not_use_the_turns_of_others() {
        let turns = Arc::new(Turns::new());
        let running =
            [turns.next(Some(domain(1))).await.unwrap(), turns.next(Some(domain(1))).await.unwrap()];
        let waiting: Vec<_> = (0..WAITING_MAX - SCANS_OF_DOMAIN)
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
}
