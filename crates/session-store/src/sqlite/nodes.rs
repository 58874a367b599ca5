//! The nodes of an embedded store, and their leases.
//!
//! They are in memory: no other process can open the store meanwhile, so what a former process has reported is void when
//! this one opens it, and an idle server need not write to the disk to remain the holder of a lease.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::store::{NodeId, NodeReport};

/// What nodes have reported, and the leases that they have taken.
#[derive(Debug, Default)]
pub(super) struct LiveNodes(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    settings: BTreeMap<NodeId, (String, Validity)>,
    holders: HashMap<&'static str, (NodeId, Validity)>,
}

/// By the monotonic clock, so that a jump of the wall clock neither ends nor extends anything.
#[derive(Debug)]
struct Validity {
    since: Instant,
    duration: Duration,
}

impl Validity {
    fn from_now(duration: Duration) -> Self {
        Self { since: Instant::now(), duration }
    }

    fn has_passed(&self) -> bool {
        self.since.elapsed() >= self.duration
    }
}

impl LiveNodes {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`crate::Nodes::node_report`].
    pub(super) fn report(&self, node: NodeId, settings: String, ttl: Duration) -> Vec<NodeReport> {
        let mut entries = self.lock();
        entries.settings.retain(|_, (_, validity)| !validity.has_passed());
        entries.settings.insert(node, (settings, Validity::from_now(ttl)));
        let others = entries.settings.iter().filter(|(other, _)| **other != node);
        others.map(|(node, (settings, _))| NodeReport { node: *node, settings: settings.clone() }).collect()
    }

    /// As [`crate::Nodes::lease_acquire`].
    pub(super) fn acquire(&self, name: &'static str, holder: NodeId, duration: Duration) -> bool {
        let mut entries = self.lock();
        let of_another = entries
            .holders
            .get(name)
            .is_some_and(|(current, validity)| *current != holder && !validity.has_passed());
        if !of_another {
            entries.holders.insert(name, (holder, Validity::from_now(duration)));
        }
        !of_another
    }
}
