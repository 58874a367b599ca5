//! Three nodes on PostgreSQL under mixed load, in rounds with a fault each.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use session_test_support::launcher::Program;
use session_test_support::postgres::Cluster;
use session_test_support::tcp_proxy::TcpProxy;
use tokio::task::block_in_place;
use tokio::time::sleep;

use crate::nodes::Nodes;
use crate::random::Random;
use crate::report::{Failed, Kind, Outcome};
use crate::rounds::{Rounds, create, under_load};
use crate::server::Target;
use crate::service::{Counts, now_ns};

/// The nodes of each store.
pub(crate) const NODES: usize = 3;

/// A pause that some requests outlast.
pub(crate) const A_WHILE: Duration = Duration::from_millis(1_500);

/// How long no statement must have run until all that was sent before counts as carried out or lost.
const SETTLED_AFTER: Duration = Duration::from_millis(400);

/// How long a node may need until it serves again after a fault.
const RECOVERS_WITHIN: Duration = Duration::from_secs(20);

/// A store on PostgreSQL, its nodes and the load.
pub(crate) struct Scene {
    pub(crate) cluster: Cluster,
    pub(crate) database: String,
    pub(crate) nodes: Nodes,
    pub(crate) rounds: Rounds,
    /// The faults so far.
    pub(crate) faults: u64,
}

impl Scene {
    /// Starts nodes on a new database of a cluster. `node` has the program and URL of each, for the URL of the database.
    pub(crate) async fn start(
        target: &Target,
        cluster: Cluster,
        database: String,
        nodes: Vec<(Program, String)>,
    ) -> Result<Self, Failed> {
        let nodes = Nodes::start(target, nodes).await?;
        let rounds = Rounds::new(nodes.any()?.key()?.1);
        Ok(Self { cluster, database, nodes, rounds, faults: 0 })
    }

    /// Starts nodes that connect to PostgreSQL directly, on a new cluster with these settings.
    pub(crate) async fn plain(target: &Target, settings: &[(&str, &str)]) -> Result<Self, Failed> {
        Self::on(target, launch(settings)?).await
    }

    /// Starts nodes that connect to PostgreSQL directly, on this cluster.
    pub(crate) async fn on(target: &Target, cluster: Cluster) -> Result<Self, Failed> {
        let database = block_in_place(|| cluster.create_database());
        let nodes = vec![(target.program(), cluster.url(&database)); NODES];
        Self::start(target, cluster, database, nodes).await
    }

    /// Runs the load until `fault` is over, which returns how many faults it injected, then waits until all nodes serve and
    /// compares the sessions.
    pub(crate) async fn round(
        &mut self,
        when: &str,
        random: &mut Random,
        fault: impl AsyncFnOnce(&mut Cluster, &mut Nodes, &mut Random) -> Result<u64, Failed>,
    ) -> Result<(), Failed> {
        let service = self.nodes.service(&self.rounds.counts)?;
        let load = self.rounds.load(service.clone());
        let mut choices = random.clone();
        let injected = fault(&mut self.cluster, &mut self.nodes, &mut choices);
        self.faults += under_load(&load, 0, random, injected).await?;
        self.recover(when).await?;
        let over_at = now_ns();
        self.rounds.check(&load, &service, over_at, when).await;
        Ok(())
    }

    /// Waits until every node serves, and until nothing is left of what was sent before.
    async fn recover(&mut self, when: &str) -> Result<(), Failed> {
        let counts = Arc::<Counts>::default();
        for node in 0..NODES {
            let service = self.nodes.service_of(node, &counts)?;
            let began = Instant::now();
            loop {
                let created = create(&service, &self.rounds.key).await;
                if matches!(created, Some((201, _))) {
                    break;
                }
                if began.elapsed() > RECOVERS_WITHIN {
                    let text = format!("{when}: node {node} does not serve again: {created:?}");
                    self.rounds.outcome.add(Kind::Other, text);
                    break;
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
        let mut quiet_since = Instant::now();
        while quiet_since.elapsed() < SETTLED_AFTER {
            let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                       AND pid <> pg_backend_pid() AND state <> 'idle'";
            if block_in_place(|| self.cluster.psql(&self.database, sql)) != "0" {
                quiet_since = Instant::now();
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Compares all sessions and events, and returns what was found in all rounds.
    pub(crate) async fn finish(self) -> Result<Outcome, Failed> {
        let service = self.nodes.service(&self.rounds.counts)?;
        let mut outcome = self.rounds.finish(&service, self.nodes.any()?).await?;
        outcome.faults += self.faults;
        Ok(outcome)
    }
}

/// Starts nodes of which the first connects to PostgreSQL by the proxy that is returned; the others too if `all`.
pub(crate) async fn behind_proxy(target: &Target, all: bool) -> Result<(Scene, TcpProxy), Failed> {
    let cluster = launch(&[])?;
    let database = block_in_place(|| cluster.create_database());
    let proxy = TcpProxy::start((Ipv4Addr::LOCALHOST, cluster.port()).into()).await?;
    let direct = cluster.url(&database);
    let by_proxy = direct.replace(&format!(":{}/", cluster.port()), &format!(":{}/", proxy.address().port()));
    let url = |node| if all || node == 0 { by_proxy.clone() } else { direct.clone() };
    let nodes = (0..NODES).map(|node| (target.program(), url(node))).collect();
    Ok((Scene::start(target, cluster, database, nodes).await?, proxy))
}

/// Starts a cluster.
pub(crate) fn launch(settings: &[(&str, &str)]) -> Result<Cluster, Failed> {
    Ok(block_in_place(|| Cluster::launch(settings))?)
}
