//! The nodes of one store on PostgreSQL: servers that are killed and started again, each at an address of its own.

use std::sync::Arc;

use session_test_support::launcher::{Program, WITHOUT_LIFETIMES};
use tempfile::TempDir;

use crate::report::Failed;
use crate::server::{Running, Target};
use crate::service::{Addresses, Counts, Service};

/// The servers of one store.
pub(crate) struct Nodes {
    target: Target,
    all: Vec<Node>,
    pub(crate) addresses: Arc<Addresses>,
}

struct Node {
    program: Program,
    /// The URL of the store, which may lead through a proxy.
    store: String,
    folder: TempDir,
    running: Option<Running>,
}

impl Nodes {
    /// Starts a node for each program and URL of the store.
    pub(crate) async fn start(target: &Target, nodes: Vec<(Program, String)>) -> Result<Self, Failed> {
        let mut started = Self { target: target.clone(), all: Vec::new(), addresses: Arc::default() };
        for (number, (program, store)) in nodes.into_iter().enumerate() {
            started.all.push(Node { program, store, folder: tempfile::tempdir()?, running: None });
            started.restart(number).await?;
        }
        Ok(started)
    }

    /// Starts this many nodes on the store at a URL.
    pub(crate) async fn start_all(target: &Target, store: &str, count: usize) -> Result<Self, Failed> {
        Self::start(target, vec![(target.program(), store.to_owned()); count]).await
    }

    /// Kills a node as `kill -9` does, if it runs.
    pub(crate) fn kill(&mut self, number: usize) {
        self.all[number].running = None;
    }

    /// Starts a node again, at another address.
    pub(crate) async fn restart(&mut self, number: usize) -> Result<(), Failed> {
        let Node { program, store, folder, running } = &mut self.all[number];
        // One at a time has the folder.
        *running = None;
        let flags = ["--store", store.as_str()];
        let started =
            self.target.try_start(program.clone(), folder.path(), WITHOUT_LIFETIMES, &flags).await?;
        let mut started = started.map_err(|error| Failed(format!("node {number}: {error}")))?;
        // Its commands go to the same store.
        started.server.store.clone_from(store);
        self.addresses.set(number, started.address);
        *running = Some(started);
        Ok(())
    }

    /// A node that runs.
    pub(crate) fn any(&self) -> Result<&Running, Failed> {
        let mut running = self.all.iter().filter_map(|node| node.running.as_ref());
        running.next().ok_or_else(|| Failed("no node runs".to_owned()))
    }

    /// The process of a node, if it runs.
    pub(crate) fn pid(&self, number: usize) -> Option<u32> {
        self.all[number].running.as_ref().map(|running| running.server.pid())
    }

    /// All nodes, behind a plain load balancer.
    pub(crate) fn service(&self, counts: &Arc<Counts>) -> Result<Service, Failed> {
        Ok(Service::of_nodes(&self.addresses, counts)?)
    }

    /// One node.
    pub(crate) fn service_of(&self, number: usize, counts: &Arc<Counts>) -> Result<Service, Failed> {
        let address = self.addresses.get(number).ok_or_else(|| Failed(format!("no node {number}")))?;
        Ok(Service::new(address, counts)?)
    }
}
