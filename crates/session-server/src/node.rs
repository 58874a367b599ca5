//! This process among those that share the store: whether others have other settings, and whether it is the one that sweeps.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::metrics::gauge::Gauge;
use session_store::NodeId;
use slog::{info, warn};

use crate::error::Error;
use crate::sessions::Sessions;
use crate::stored_lifetimes;

/// How often a node reports itself and renews its lease.
pub(crate) const BEAT_INTERVAL: Duration = Duration::from_secs(5);

/// How long a report and a lease are valid: three beats in a row may fail or be late before the other nodes take this one
/// for dead. It is also how long nobody sweeps after a node has died that did; sweeps are in no hurry.
const BEAT_VALID_FOR: Duration = Duration::from_secs(20);

/// The name of the lease of the node that sweeps.
const SWEEP_LEASE: &str = "sweep";

/// This process as a node.
pub struct Node {
    id: NodeId,
    sessions: Arc<Sessions>,
    nodes_with_other_settings: Gauge,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Until when this node holds the lease, by the monotonic clock.
    sweeps_until: Option<Instant>,
    /// The other nodes that have other settings.
    differing: Vec<NodeId>,
}

impl Node {
    /// A new node with a random ID. Fails if the random source does.
    pub fn new(sessions: Arc<Sessions>, nodes_with_other_settings: Gauge) -> Result<Self, Error> {
        let id = NodeId(sessions.storage().new_id()?);
        Ok(Self { id, sessions, nodes_with_other_settings, state: Mutex::default() })
    }

    /// The node's ID.
    pub const fn id(&self) -> NodeId {
        self.id
    }

    /// The sessions of the node.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports the node to the store, finds others with other settings, and takes or renews the lease of the node that
    /// sweeps, if no other node has it.
    pub async fn beat(&self) -> Result<(), Error> {
        let storage = self.sessions.storage();
        let own = self.sessions.lifetimes_digest();
        let settings = own.to_owned();
        let others = storage.call(|store| store.node_report(self.id, settings, BEAT_VALID_FOR)).await?;
        let differing = others.into_iter().filter(|other| other.settings != own).map(|other| other.node);
        self.compare(differing.collect());
        if !self.agrees() {
            stored_lifetimes::invalidate(&self.sessions).await?;
        }
        // Counted from before the call, so that this node stops before another one can begin.
        let until = storage.monotonic() + BEAT_VALID_FOR;
        let sweeps = storage.call(|store| store.lease_acquire(SWEEP_LEASE, self.id, BEAT_VALID_FOR)).await?;
        self.state().sweeps_until = sweeps.then_some(until);
        Ok(())
    }

    /// Lets the other nodes know that this one stops: it is alive no more, and another one may sweep.
    pub async fn leave(&self) -> Result<(), Error> {
        let storage = self.sessions.storage();
        let sweeps = self.sweeps();
        self.state().sweeps_until = None;
        let settings = self.sessions.lifetimes_digest().to_owned();
        storage.call(|store| store.node_report(self.id, settings, Duration::ZERO)).await?;
        if sweeps {
            storage.call(|store| store.lease_acquire(SWEEP_LEASE, self.id, Duration::ZERO)).await?;
        }
        Ok(())
    }

    /// Remembers which nodes have other settings, and logs it if they are others than before.
    fn compare(&self, differing: Vec<NodeId>) {
        let log = self.sessions.storage().log();
        let mut state = self.state();
        if state.differing == differing {
            return;
        }
        if differing.is_empty() {
            info!(log, "all nodes have the same lifetimes again"; "node" => %self.id);
        } else {
            let others: Vec<_> = differing.iter().map(NodeId::to_string).collect();
            warn!(
                log, "other nodes have other lifetimes: a session may end earlier on one node than on another; give all \
                nodes the same settings and restart those that differ";
                "node" => %self.id, "other_nodes" => others.join(" ")
            );
        }
        self.nodes_with_other_settings.set(i64::try_from(differing.len()).unwrap_or(i64::MAX));
        state.differing = differing;
    }

    /// Whether all other nodes have the same settings, as of the last beat.
    pub fn agrees(&self) -> bool {
        self.state().differing.is_empty()
    }

    /// Whether this is the node that sweeps.
    pub fn sweeps(&self) -> bool {
        self.sweeps_for().is_some()
    }

    /// How long this node will sweep, if it does and its lease is not renewed.
    fn sweeps_for(&self) -> Option<Duration> {
        let now = self.sessions.storage().monotonic();
        let until = self.state().sweeps_until?;
        until.checked_duration_since(now).filter(|remaining| !remaining.is_zero())
    }

    /// Does the work while this is the node that sweeps. Returns `None` once it is not, also in the middle of the work.
    pub async fn while_it_sweeps<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        loop {
            let remaining = self.sweeps_for()?;
            tokio::select! {
                done = &mut work => return Some(done),
                () = tokio::time::sleep(remaining) => {}
            }
        }
    }
}
