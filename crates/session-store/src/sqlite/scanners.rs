//! Connections for reads of many rows, shared fairly between domains.
//!
//! Each domain has a queue of its own, and the queues take turns, so that a domain with many scans delays another one's
//! by no more than the scans that run already. A scan whose caller no longer waits for it is interrupted.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use session_types::DomainId;
use tokio::sync::oneshot;

use super::connection::open_reader;
use super::error::{Result, failed};
use crate::store::StoreError;

/// How many scans run at once. They share the processor with fetches, and one takes at most some 20 ms.
const SCANNERS: usize = 3;

/// How many scans of one domain run at once: never all, so that another domain's scan need not wait for them.
const RUNNING_MAX: usize = SCANNERS - 1;

/// How many scans of one domain may wait. More would take longer than their callers wait, which is a few seconds.
const WAITING_MAX: usize = 256;

/// After how many steps of SQLite's machine a scan checks whether its caller still waits: some 0.1 ms.
const STEPS_BETWEEN_CHECKS: i32 = 10_000;

/// On whose behalf a scan runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    /// A caller in this domain.
    Domain(DomainId),
    /// The server itself or its operator.
    Server,
}

/// The connections and the scans that wait for one.
#[derive(Clone, Debug)]
pub(super) struct Scanners(Arc<Mutex<Queues>>);

#[derive(Debug, Default)]
struct Queues {
    idle: Vec<Connection>,
    running: HashMap<Owner, usize>,
    waiting: HashMap<Owner, VecDeque<oneshot::Sender<Lease>>>,
    /// The owners with waiting scans. The first one whose scan may run has the next turn.
    turns: VecDeque<Owner>,
}

/// A connection for one scan. Dropping it gives it to the next one.
#[derive(Debug)]
struct Lease {
    connection: Option<Connection>,
    owner: Owner,
    scanners: Scanners,
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.scanners.put_back(self.owner, connection);
        }
    }
}

/// Says, once it is dropped, that nobody waits for the scan any more.
struct Waits(Arc<AtomicBool>);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Scanners {
    /// Opens the connections to an existing file.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let idle = (0..SCANNERS).map(|_| open_reader(path)).collect::<Result<_>>()?;
        Ok(Self(Arc::new(Mutex::new(Queues { idle, ..Queues::default() }))))
    }

    /// Reads many rows, on a thread that may block, once it is the owner's turn. Dropping the future interrupts it.
    ///
    /// Fails with [`StoreError::OutcomeUnknown`] if too many scans of the owner wait.
    pub(super) async fn scan<F, T>(&self, owner: Owner, read: F) -> Result<T>
    where
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let mut lease = self.lease(owner)?.await.map_err(|error| StoreError::Failed(error.to_string()))?;
        let is_abandoned = Arc::new(AtomicBool::new(false));
        let _waits = Waits(Arc::clone(&is_abandoned));
        let run = move || {
            let connection = lease
                .connection
                .as_mut()
                .ok_or_else(|| StoreError::Failed("a scan has no connection".to_owned()))?;
            // It replaces the one of the scan before.
            let check = move || is_abandoned.load(Ordering::Relaxed);
            connection.progress_handler(STEPS_BETWEEN_CHECKS, Some(check)).map_err(failed)?;
            read(connection)
        };
        tokio::task::spawn_blocking(run)
            .await
            .unwrap_or_else(|error| Err(StoreError::Failed(error.to_string())))
    }

    /// Returns where the connection arrives once it is the owner's turn.
    fn lease(&self, owner: Owner) -> Result<oneshot::Receiver<Lease>> {
        let mut queues = self.lock();
        let waiting = queues.waiting.entry(owner).or_default();
        if waiting.len() >= WAITING_MAX {
            waiting.retain(|scan| !scan.is_closed());
        }
        if waiting.len() >= WAITING_MAX {
            let text = format!("{WAITING_MAX} scans of this domain are waiting already");
            return Err(StoreError::OutcomeUnknown(text));
        }
        let (sender, receiver) = oneshot::channel();
        waiting.push_back(sender);
        if waiting.len() == 1 {
            queues.turns.push_back(owner);
        }
        self.start_next(&mut queues);
        Ok(receiver)
    }

    /// Takes a connection back from a scan that has ended.
    fn put_back(&self, owner: Owner, connection: Connection) {
        let mut queues = self.lock();
        queues.idle.push(connection);
        queues.stopped(owner);
        self.start_next(&mut queues);
    }

    /// Starts as many scans as there are idle connections.
    fn start_next(&self, queues: &mut Queues) {
        while let Some(connection) = queues.idle.pop() {
            let Some((owner, scan)) = queues.take_next() else {
                queues.idle.push(connection);
                return;
            };
            *queues.running.entry(owner).or_default() += 1;
            let lease = Lease { connection: Some(connection), owner, scanners: self.clone() };
            // It comes back if the caller has gone.
            if let Err(mut lease) = scan.send(lease) {
                queues.idle.extend(lease.connection.take());
                queues.stopped(owner);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queues {
    /// Removes the scan whose turn it is, if any may run. Its owner's next turn is after those of all others.
    fn take_next(&mut self) -> Option<(Owner, oneshot::Sender<Lease>)> {
        let may_run = |owner: &Owner| self.running.get(owner).is_none_or(|running| *running < RUNNING_MAX);
        let place = self.turns.iter().position(may_run)?;
        let owner = self.turns.remove(place)?;
        let waiting = self.waiting.get_mut(&owner)?;
        let scan = waiting.pop_front();
        if waiting.is_empty() {
            self.waiting.remove(&owner);
        } else {
            self.turns.push_back(owner);
        }
        scan.map(|scan| (owner, scan))
    }

    /// Counts one scan of the owner less.
    fn stopped(&mut self, owner: Owner) {
        if let Some(running) = self.running.get_mut(&owner) {
            *running -= 1;
            if *running == 0 {
                self.running.remove(&owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use session_types::Id;

    use super::*;
    use crate::sqlite::connection::open_writer;

    /// Longer than anything here takes on a loaded machine.
    const PATIENCE: Duration = Duration::from_mins(1);

    fn scanners() -> (tempfile::TempDir, Scanners) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.db");
        open_writer(&path).unwrap();
        let scanners = Scanners::open(&path).unwrap();
        (folder, scanners)
    }

    fn domain(byte: u8) -> Owner {
        Owner::Domain(DomainId(Id::from_bytes([byte; 20])))
    }

    /// Starts scans of an owner. Each reports that it runs, and goes on until it is told to end.
    fn start(
        scanners: &Scanners,
        owner: Owner,
        count: usize,
        started: &mpsc::Sender<Owner>,
        end: &Arc<Mutex<mpsc::Receiver<()>>>,
    ) {
        for _ in 0..count {
            let (scanners, started, end) = (scanners.clone(), started.clone(), Arc::clone(end));
            tokio::spawn(async move {
                let scan = scanners.scan(owner, move |_| {
                    started.send(owner).unwrap();
                    end.lock().unwrap().recv().unwrap();
                    Ok(())
                });
                scan.await.unwrap();
            });
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_domain_waits_for_at_most_one_scan_of_each_scanner_whatever_others_want() {
        let (_folder, scanners) = scanners();
        let (started, starts) = mpsc::channel();
        let (end_one, end) = mpsc::channel();
        let end = Arc::new(Mutex::new(end));
        let next = || starts.recv_timeout(PATIENCE).unwrap();
        start(&scanners, domain(1), 100, &started, &end);
        assert_eq!([next(), next()], [domain(1); RUNNING_MAX]);
        // One is free for others, however many scans of the first domain wait.
        start(&scanners, domain(2), 100, &started, &end);
        assert_eq!(next(), domain(2));
        // Now all are in use, and there are some 200 scans in front of this one.
        while scanners.lock().waiting.values().map(VecDeque::len).sum::<usize>() < 197 {
            tokio::task::yield_now().await;
        }
        start(&scanners, domain(3), 1, &started, &end);
        while !scanners.lock().waiting.contains_key(&domain(3)) {
            tokio::task::yield_now().await;
        }
        let mut ended = 0;
        loop {
            end_one.send(()).unwrap();
            ended += 1;
            if next() == domain(3) {
                break;
            }
        }
        assert!(ended <= SCANNERS, "{ended} scans ended first");
        for _ in ended..201 {
            end_one.send(()).unwrap();
        }
        while scanners.lock().idle.len() < SCANNERS {
            tokio::task::yield_now().await;
        }
        let queues = scanners.lock();
        assert!(queues.running.is_empty() && queues.waiting.is_empty() && queues.turns.is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn scans_beyond_the_bound_of_a_domain_are_refused_and_dropped_ones_make_room() {
        let (_folder, scanners) = scanners();
        let running: Vec<_> = (0..RUNNING_MAX).map(|_| scanners.lease(domain(1)).unwrap()).collect();
        let mut waiting: Vec<_> = (0..WAITING_MAX).map(|_| scanners.lease(domain(1)).unwrap()).collect();
        assert!(matches!(scanners.lease(domain(1)), Err(StoreError::OutcomeUnknown(_))));
        assert!(scanners.lease(domain(2)).is_ok());
        waiting.pop();
        waiting.push(scanners.lease(domain(1)).unwrap());
        drop((running, waiting));
        assert_eq!(scanners.scan(domain(1), |_| Ok(7)).await, Ok(7));
        assert_eq!(scanners.lock().idle.len(), SCANNERS, "those that nobody waited for came back");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_scan_stops_when_its_caller_no_longer_waits() {
        let (_folder, scanners) = scanners();
        let endless = |started: mpsc::Sender<Owner>| {
            scanners.scan(Owner::Server, move |connection| {
                started.send(Owner::Server).unwrap();
                let sql = "WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number) \
                           SELECT count(*) FROM number";
                connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(failed)
            })
        };
        for _ in 0..2 * SCANNERS {
            let (started, starts) = mpsc::channel();
            let mut scan = Box::pin(endless(started));
            assert!(tokio::time::timeout(Duration::from_millis(20), &mut scan).await.is_err());
            starts.recv_timeout(PATIENCE).unwrap();
            drop(scan);
        }
        let next = scanners.scan(Owner::Server, |connection| {
            connection.query_row("SELECT 7", [], |row| row.get::<_, i64>(0)).map_err(failed)
        });
        assert_eq!(tokio::time::timeout(PATIENCE, next).await, Ok(Ok(7)));
    }
}
