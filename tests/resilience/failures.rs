//! What fails while three nodes work: a node, PostgreSQL, or the way between them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use session_test_support::postgres::Cluster;
use session_test_support::tcp_proxy::Mode;
use tokio::task::block_in_place;
use tokio::time::sleep;

use crate::clock;
use crate::nodes::Nodes;
use crate::random::Random;
use crate::report::{Failed, Kind, Outcome};
use crate::rounds::create;
use crate::scene::{A_WHILE, NODES, Scene, behind_proxy, launch};
use crate::server::Target;
use crate::service::Counts;

/// How often a node is killed in a round, and the pause before each kill, in milliseconds.
const KILLS_IN_A_ROUND: u64 = 6;
const KILL_AFTER_MS: (u64, u64) = (20, 500);

/// How long a fault lasts that a request does not outlast: longer than a node waits for its store, which is 5 s.
const UNBEARABLE: Duration = Duration::from_millis(6_500);

/// How late a database responds that is late, as issue 12 says.
const LATE: Duration = Duration::from_secs(30);

/// How long a request may take while its node waits for the database: 5 s, and what a busy machine adds.
const REFUSED_WITHIN: Duration = Duration::from_secs(8);

/// `kill -9` of nodes at this many random instants; the clock of the last node is 30 s ahead.
pub(crate) async fn nodes(target: &Target, kills: u64, seed: u64) -> Result<Outcome, Failed> {
    let cluster = launch(&[])?;
    let database = block_in_place(|| cluster.create_database());
    let mut nodes = vec![(target.program(), cluster.url(&database)); NODES];
    let skew = match (clock::library(), nodes.last_mut()) {
        (Some(library), Some((program, _))) => {
            *program = target
                .program()
                .env("LD_PRELOAD", &library.to_string_lossy())
                .env("FAKETIME", "+30s")
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
            "one clock 30 s ahead"
        }
        _ => "SKIPPED: no clock is ahead, as libfaketime is not installed",
    };
    let mut scene = Scene::start(target, cluster, database, nodes).await?;
    for round in 0..kills.div_ceil(KILLS_IN_A_ROUND) {
        let kills = KILLS_IN_A_ROUND.min(kills - round * KILLS_IN_A_ROUND);
        let random = &mut Random::new(seed, round);
        let when = format!("kill of nodes, round {round}");
        let fault = async |_: &mut Cluster, nodes: &mut Nodes, random: &mut Random| {
            for _ in 0..kills {
                let after = KILL_AFTER_MS.0 + random.below(KILL_AFTER_MS.1 - KILL_AFTER_MS.0);
                sleep(Duration::from_millis(after)).await;
                let node = usize::try_from(random.below(NODES as u64)).unwrap_or_default();
                nodes.kill(node);
                nodes.restart(node).await?;
            }
            Ok(kills)
        };
        scene.round(&when, random, fault).await?;
    }
    let mut outcome = scene.finish().await?;
    outcome.summary = format!("{kills} times kill -9 of one of {NODES} nodes, {skew}: {}", outcome.summary);
    Ok(outcome)
}

/// `kill -9` and restart of PostgreSQL, this many times.
///
/// With `forgetful`, it loses what is in its tables each time: so does a server that acknowledges before a commit.
pub(crate) async fn kill(target: &Target, kills: u64, forgetful: bool, seed: u64) -> Result<Outcome, Failed> {
    let mut scene = Scene::plain(target, &[]).await?;
    if forgetful {
        block_in_place(|| {
            scene.cluster.psql(&scene.database, "ALTER TABLE session SET UNLOGGED");
            scene.cluster.psql(&scene.database, "ALTER TABLE event SET UNLOGGED");
        });
    }
    for round in 0..kills {
        let fault = async |cluster: &mut Cluster, _: &mut Nodes, random: &mut Random| {
            sleep(Duration::from_millis(100 + random.below(1_000))).await;
            block_in_place(|| cluster.kill());
            sleep(Duration::from_millis(random.below(1_000))).await;
            block_in_place(|| cluster.restart());
            sleep(A_WHILE / 2).await;
            Ok(1)
        };
        let when = format!("kill of PostgreSQL, round {round}");
        scene.round(&when, &mut Random::new(seed, round), fault).await?;
    }
    let mut outcome = scene.finish().await?;
    outcome.summary = format!("{kills} times kill -9 and restart of PostgreSQL: {}", outcome.summary);
    Ok(outcome)
}

/// The primary is killed, a read-only standby is all that there is for a while, and then it is promoted.
pub(crate) async fn failover(target: &Target, seed: u64) -> Result<Outcome, Failed> {
    let primary = launch(&[])?;
    let database = block_in_place(|| primary.create_database());
    let mut standby = block_in_place(|| {
        let standby = primary.standby();
        // From now on, a commit is acknowledged when the standby has it as well.
        primary.psql("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'");
        primary.psql("postgres", "SELECT pg_reload_conf()");
        standby
    });
    let mut outcome = Outcome::default();
    let only_standby = Nodes::start_all(target, &standby.url(&database), 1).await;
    if only_standby.is_ok() {
        outcome.add(Kind::Other, "a node starts on a standby, which may show what was revoked");
    }
    // The standby first: a node must not stay with it.
    let url = format!(
        "postgres://postgres@127.0.0.1:{},127.0.0.1:{}/{database}?target_session_attrs=read-write",
        standby.port(),
        primary.port(),
    );
    let nodes = vec![(target.program(), url); NODES];
    let mut scene = Scene::start(target, primary, database, nodes).await?;
    let pids: Vec<_> = (0..NODES).map(|node| scene.nodes.pid(node)).collect();
    let fault = async |cluster: &mut Cluster, _: &mut Nodes, _: &mut Random| {
        sleep(A_WHILE).await;
        block_in_place(|| cluster.kill());
        sleep(A_WHILE).await;
        block_in_place(|| standby.promote());
        std::mem::swap(cluster, &mut standby);
        sleep(A_WHILE).await;
        Ok(2)
    };
    scene.round("failover", &mut Random::new(seed, 0), fault).await?;
    if pids != (0..NODES).map(|node| scene.nodes.pid(node)).collect::<Vec<_>>() {
        outcome.add(Kind::Other, "a node was started again for the failover");
    }
    let rounds = scene.finish().await?;
    let counted = rounds.summary.clone();
    outcome.extend(rounds);
    outcome.summary =
        format!("the primary killed, a read-only standby in its place for 1.5 s, then promoted: {counted}");
    Ok(outcome)
}

/// A database that accepts and never responds, responds late, and resets connections in the middle of a commit.
pub(crate) async fn proxy(target: &Target, seed: u64) -> Result<Outcome, Failed> {
    const RESET_ROUNDS: u64 = 6;
    let (mut scene, proxy) = behind_proxy(target, true).await?;
    for (number, (name, mode, lasts)) in [
        ("a silent database", Mode::Silent, UNBEARABLE),
        ("a late database", Mode::Delay(UNBEARABLE), UNBEARABLE),
        ("a slow database", Mode::Delay(Duration::from_millis(40)), A_WHILE),
        ("no database", Mode::Refuse, A_WHILE),
    ]
    .into_iter()
    .enumerate()
    {
        let fault = async |_: &mut Cluster, _: &mut Nodes, _: &mut Random| {
            sleep(A_WHILE / 2).await;
            proxy.set(mode);
            sleep(lasts).await;
            proxy.set(Mode::Pass);
            sleep(A_WHILE / 2).await;
            Ok(1)
        };
        scene.round(name, &mut Random::new(seed, number as u64), fault).await?;
    }
    let before = proxy.resets();
    for round in 0..RESET_ROUNDS {
        let fault = async |_: &mut Cluster, _: &mut Nodes, random: &mut Random| {
            for _ in 0..15 {
                let forwarded = random.percent(50);
                proxy.set(if random.percent(50) {
                    Mode::ResetAt { text: "COMMIT", forwarded }
                } else {
                    Mode::ResetAfter(usize::try_from(random.below(2_000)).unwrap_or_default())
                });
                sleep(Duration::from_millis(40)).await;
                proxy.set(Mode::Pass);
                sleep(Duration::from_millis(80)).await;
            }
            Ok(0)
        };
        let when = format!("resets, round {round}");
        scene.round(&when, &mut Random::new(seed, 100 + round), fault).await?;
    }
    let resets = proxy.resets() - before;
    scene.faults += resets;
    let mut outcome = scene.finish().await?;
    outcome.summary = format!(
        "a database that is silent, late, slow and refuses, and {resets} connections reset at a commit or in a response: {}",
        outcome.summary
    );
    Ok(outcome)
}

/// A database that responds 30 s late: what a node asked of it in the first moments is answered before the delay ends.
pub(crate) async fn late(target: &Target, seed: u64) -> Result<Outcome, Failed> {
    let (mut scene, proxy) = behind_proxy(target, true).await?;
    let (counts, key) = (Arc::<Counts>::default(), scene.rounds.key.clone());
    let mut probes = Vec::new();
    let fault = async |_: &mut Cluster, nodes: &mut Nodes, _: &mut Random| {
        // Until there are many sessions: of one that hundreds of unanswered requests name, no order can be found.
        sleep(A_WHILE * 4).await;
        proxy.set(Mode::Delay(LATE));
        let began = Instant::now();
        while began.elapsed() < LATE + A_WHILE {
            for node in 0..NODES {
                let (service, sent_at) = (nodes.service_of(node, &counts)?, Instant::now());
                let created = create(&service, &key).await;
                probes.push((created, sent_at.elapsed()));
            }
        }
        proxy.set(Mode::Pass);
        sleep(A_WHILE / 2).await;
        Ok(1)
    };
    scene.round("a database that responds 30 s late", &mut Random::new(seed, 0), fault).await?;
    let mut outcome = scene.finish().await?;
    let unknown = Some((503, "unknown".to_owned()));
    for (created, took) in &probes {
        if *created != unknown || *took > REFUSED_WITHIN {
            let text =
                format!("of a database that responds 30 s late, a node made {created:?} after {took:?}");
            outcome.add(Kind::Other, text);
        }
    }
    let slowest = probes.iter().map(|(_, took)| *took).max().unwrap_or_default();
    outcome.summary = format!(
        "a database that responds 30 s late: {} creations refused with `unknown` after at most {:.1} s: {}",
        probes.len(),
        slowest.as_secs_f64(),
        outcome.summary
    );
    Ok(outcome)
}

/// One node is cut off from the database, while the others work.
pub(crate) async fn cut_off(target: &Target, seed: u64) -> Result<Outcome, Failed> {
    let (mut scene, proxy) = behind_proxy(target, false).await?;
    let (counts, key) = (Arc::<Counts>::default(), scene.rounds.key.clone());
    let mut statuses = Vec::new();
    let fault = async |_: &mut Cluster, nodes: &mut Nodes, _: &mut Random| {
        sleep(A_WHILE / 2).await;
        proxy.set(Mode::Cut);
        sleep(UNBEARABLE).await;
        for node in 0..NODES {
            let created = create(&nodes.service_of(node, &counts)?, &key).await;
            statuses.push(created.map(|(status, _)| status));
        }
        proxy.set(Mode::Pass);
        sleep(A_WHILE / 2).await;
        Ok(1)
    };
    scene.round("one node cut off", &mut Random::new(seed, 0), fault).await?;
    let mut outcome = scene.finish().await?;
    if statuses != [Some(503), Some(201), Some(201)] {
        outcome
            .add(Kind::Other, format!("while the first node was cut off, the nodes returned {statuses:?}"));
    }
    outcome.summary = format!("one of {NODES} nodes cut off for 6.5 s: {}", outcome.summary);
    Ok(outcome)
}
