//! The requests that run on the public listener's connections.
//!
//! dropshot has no value for a connection that a request could count itself in, so requests find theirs by the address of the
//! peer.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The requests that run or have run on the public listener's connections, by the address of the peer.
pub struct Activity {
    /// By the peer's port, so that requests rarely wait for each other.
    shards: [Mutex<Peers>; SHARDS],
    /// Earlier than every request.
    start: Instant,
}

type Peers = HashMap<SocketAddr, Arc<Counted>>;

/// Many more than processors.
const SHARDS: usize = 32;

/// The requests of one connection, as they change.
#[derive(Default)]
struct Counted {
    /// How many run now; HTTP/2 has many at once. Only increased under the lock of the shard, so that a peer without one can be
    /// forgotten under it.
    running: AtomicU32,
    /// When the last one began or ended, in nanoseconds since the start.
    last_ns: AtomicU64,
}

/// The requests of one connection, as a scan finds them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Requests {
    /// How many run.
    pub(crate) running: u32,
    /// When the last one began or ended.
    pub(crate) last: Instant,
}

impl Default for Activity {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()), start: Instant::now() }
    }
}

impl Activity {
    /// Notes that a request of this peer runs, from `now` until the returned value is dropped.
    pub fn begin(&self, peer: SocketAddr, now: Instant) -> Running {
        let counted = {
            let mut peers = self.peers(peer);
            let counted = Arc::clone(peers.entry(peer).or_default());
            counted.running.fetch_add(1, Ordering::Relaxed);
            counted
        };
        let running = Running { counted, start: self.start };
        running.note(now);
        running
    }

    /// Returns the peers in the shard of this one.
    fn peers(&self, peer: SocketAddr) -> MutexGuard<'_, Peers> {
        lock(&self.shards[usize::from(peer.port()) % SHARDS])
    }

    fn requests(&self, counted: &Counted) -> Requests {
        // In this order: one that has ended has noted when.
        let running = counted.running.load(Ordering::Acquire);
        let last = self.start + Duration::from_nanos(counted.last_ns.load(Ordering::Relaxed));
        Requests { running, last }
    }

    /// Returns the requests of this peer.
    pub(crate) fn of(&self, peer: SocketAddr) -> Option<Requests> {
        self.peers(peer).get(&peer).map(|counted| self.requests(counted))
    }

    /// Forgets the peers without a running request for which `keep` returns false.
    pub(crate) fn retain(&self, keep: impl Fn(&SocketAddr, &Requests) -> bool) {
        for shard in &self.shards {
            lock(shard).retain(|peer, counted| {
                let requests = self.requests(counted);
                requests.running > 0 || keep(peer, &requests)
            });
        }
    }
}

fn lock(shard: &Mutex<Peers>) -> MutexGuard<'_, Peers> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request that runs.
pub struct Running {
    counted: Arc<Counted>,
    start: Instant,
}

impl Running {
    fn note(&self, now: Instant) {
        let since = now.saturating_duration_since(self.start).as_nanos();
        self.counted.last_ns.fetch_max(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.note(Instant::now());
        self.counted.running.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_one_connection_are_counted_until_the_last_one_ends() {
        let activity = Activity::default();
        let peer: SocketAddr = ([192, 0, 2, 1], 1).into();
        let running = || activity.of(peer).unwrap().running;
        let one = activity.begin(peer, Instant::now());
        let other = activity.begin(peer, Instant::now());
        assert_eq!(running(), 2);
        drop(one);
        assert_eq!(running(), 1);
        drop(other);
        assert_eq!(running(), 0);
    }

    #[test]
    fn a_peer_is_forgotten_unless_a_request_of_it_runs_or_it_is_kept() {
        let activity = Activity::default();
        let [runs, ended, kept]: [SocketAddr; 3] = [1, 2, 3].map(|port| ([192, 0, 2, 1], port).into());
        let _running = activity.begin(runs, Instant::now());
        drop(activity.begin(ended, Instant::now()));
        drop(activity.begin(kept, Instant::now()));
        activity.retain(|peer, _| *peer == kept);
        assert_eq!([runs, ended, kept].map(|peer| activity.of(peer).is_some()), [true, false, true]);
    }
}
