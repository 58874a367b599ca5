//! What PostgreSQL has too little of while three nodes work: connections, room on its disk, the right to write.

use std::fs::File;
use std::io::Read;
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use session_test_support::postgres::Cluster;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};

use crate::nodes::Nodes;
use crate::random::Random;
use crate::report::{Failed, Kind, Outcome};
use crate::rounds::create;
use crate::scene::{A_WHILE, NODES, Scene, behind_proxy, launch};
use crate::server::Target;
use crate::service::Counts;
use crate::stores::Disk;

/// How long a shortage lasts.
const SHORT_FOR: Duration = Duration::from_secs(3);

/// How long it may take until all connections are taken.
const TAKEN_WITHIN: Duration = Duration::from_secs(20);

/// The size of the disk of the tables, or of the log: an empty database has 7 MB, and so has the log of its creation.
const DISK: &str = "size=40m";

/// How long PostgreSQL may work on when the disk of its log is full: until it needs the next file.
const STOPS_WITHIN: Duration = Duration::from_secs(30);

/// All connections are taken by somebody else, and those of the nodes are ended.
pub(crate) async fn connections(target: &Target, seed: u64) -> Result<Outcome, Failed> {
    let settings = [("max_connections", "60"), ("superuser_reserved_connections", "0")];
    let mut scene = Scene::plain(target, &settings).await?;
    let database = scene.database.clone();
    let (mut most, mut refused) = (0, 0);
    let fault = async |cluster: &mut Cluster, _: &mut Nodes, _: &mut Random| {
        sleep(A_WHILE / 2).await;
        let (began, mut taken) = (Instant::now(), Vec::new());
        while began.elapsed() < SHORT_FOR || refused == 0 && began.elapsed() < TAKEN_WITHIN {
            if let Some(connection) = connect(cluster, &database).await {
                taken.push(connection);
                // The nodes lose their connections again and again, and have to find free ones.
                if taken.len() % 10 == 0 {
                    end_connections(cluster, &database);
                }
            } else {
                refused += 1;
                sleep(Duration::from_millis(20)).await;
            }
        }
        most = taken.len();
        Ok(1)
    };
    scene.round("no free connections", &mut Random::new(seed, 0), fault).await?;
    let mut outcome = scene.finish().await?;
    if refused == 0 {
        outcome.add(Kind::Other, format!("after {most} connections there were free ones still"));
    }
    outcome.summary = format!(
        "{most} of 60 connections taken by somebody else for 3 s, who was refused {refused} more: {}",
        outcome.summary
    );
    Ok(outcome)
}

/// Opens a connection as any client does; `None` if PostgreSQL refuses it.
async fn connect(cluster: &Cluster, database: &str) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", cluster.port())).await.ok()?;
    // The length, the version of the protocol, and the names and values of parameters.
    let parameters = format!("user\0postgres\0database\0{database}\0application_name\0taken\0\0");
    let length = u32::try_from(8 + parameters.len()).ok()?;
    let message = [&length.to_be_bytes(), &196_608_u32.to_be_bytes(), parameters.as_bytes()].concat();
    stream.write_all(&message).await.ok()?;
    // `R`: authenticated; `E`: an error.
    let kind = timeout(SHORT_FOR, stream.read_u8()).await.ok()?.ok()?;
    (kind == b'R').then_some(stream)
}

/// Ends the connections of the nodes to a database, if there is a free connection to do so.
fn end_connections(cluster: &Cluster, database: &str) {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
               AND pid <> pg_backend_pid() AND application_name <> 'taken'";
    let mut psql = cluster.command("psql");
    psql.args(["--no-psqlrc", "--dbname", database, "--command", sql]);
    // It may be refused as well.
    let _ = block_in_place(|| psql.stdout(Stdio::null()).stderr(Stdio::null()).status());
}

/// The disk of the tables is full; the log of PostgreSQL is elsewhere.
pub(crate) async fn disk(target: &Target, seed: u64) -> Result<Outcome, Failed> {
    let cluster = launch(&[])?;
    let owner = std::fs::metadata(cluster.folder())?;
    let options = format!("{DISK},mode=0700,uid={},gid={}", owner.uid(), owner.gid());
    let Some(disk) = Disk::mount(&options)? else {
        return Ok(Outcome::skipped("SKIPPED, no disk can be mounted".to_owned()));
    };
    let filler = disk.path().join("filler");
    block_in_place(|| {
        let tablespace = format!("CREATE TABLESPACE small LOCATION '{}'", disk.path().display());
        cluster.psql("postgres", &tablespace);
        cluster.psql("postgres", "CREATE DATABASE small TEMPLATE template0 TABLESPACE small");
    });
    let database = "small".to_owned();
    let nodes = vec![(target.program(), cluster.url(&database)); NODES];
    let mut scene = Scene::start(target, cluster, database, nodes).await?;
    let fault = async |_: &mut Cluster, _: &mut Nodes, _: &mut Random| {
        sleep(A_WHILE / 2).await;
        // It ends with the error that is wanted. What a table has room for already fills up.
        let _ = std::io::copy(&mut std::io::repeat(0).take(1 << 30), &mut File::create(&filler)?);
        sleep(SHORT_FOR).await;
        std::fs::remove_file(&filler)?;
        sleep(A_WHILE / 2).await;
        Ok(1)
    };
    scene.round("a full disk", &mut Random::new(seed, 0), fault).await?;
    let mut outcome = scene.finish().await?;
    outcome.summary = format!("a disk of PostgreSQL that is full for 3 s: {}", outcome.summary);
    Ok(outcome)
}

/// The disk of the write-ahead log is full: PostgreSQL panics and stops. It is started again when there is room.
///
/// With `forgetful`, it loses its sessions then: so does a server that acknowledges before a commit.
pub(crate) async fn log_disk(target: &Target, forgetful: bool, seed: u64) -> Result<Outcome, Failed> {
    // PostgreSQL's user makes its folder there.
    let Some(disk) = Disk::mount(&format!("{DISK},mode=0777"))? else {
        return Ok(Outcome::skipped("SKIPPED, no disk can be mounted".to_owned()));
    };
    let log = disk.path().join("log");
    // Small files, of which the next one is soon needed.
    let initdb = [&format!("--waldir={}", log.display()), "--wal-segsize=1"];
    let cluster = block_in_place(|| Cluster::launch_with(&[], &initdb))?;
    let mut scene = Scene::on(target, cluster).await?;
    if forgetful {
        block_in_place(|| scene.cluster.psql(&scene.database, "ALTER TABLE session SET UNLOGGED"));
    }
    let filler = disk.path().join("filler");
    let mut panics = 0;
    let fault = async |cluster: &mut Cluster, _: &mut Nodes, _: &mut Random| {
        sleep(A_WHILE / 2).await;
        let mut file = File::create(&filler)?;
        let began = Instant::now();
        while cluster.is_running() && began.elapsed() < STOPS_WITHIN {
            // Again and again: PostgreSQL removes files that it needs no more. It ends with the error that is wanted.
            let _ = block_in_place(|| std::io::copy(&mut std::io::repeat(0).take(1 << 30), &mut file));
            sleep(Duration::from_millis(20)).await;
        }
        panics = cluster.log().matches("PANIC:").count();
        sleep(A_WHILE).await;
        // A file that is open still has its room.
        drop(file);
        std::fs::remove_file(&filler)?;
        block_in_place(|| cluster.restart());
        sleep(A_WHILE / 2).await;
        Ok(1)
    };
    scene.round("a full disk of the log", &mut Random::new(seed, 0), fault).await?;
    let mut outcome = scene.finish().await?;
    if panics == 0 {
        outcome.add(Kind::Other, "PostgreSQL worked on although the disk of its log was full");
    }
    outcome.summary = format!(
        "a disk of PostgreSQL's log that is full until it stops, after {panics} panics, and is started again: {}",
        outcome.summary
    );
    Ok(outcome)
}

/// The primary is gone, and its address leads to a streaming standby, which accepts reads only; then the primary is back.
///
/// With `forgetful`, the standby accepts changes, which the primary knows nothing of afterwards.
pub(crate) async fn standby(target: &Target, forgetful: bool, seed: u64) -> Result<Outcome, Failed> {
    let (mut scene, proxy) = behind_proxy(target, true).await?;
    let standby = block_in_place(|| scene.cluster.standby());
    let (counts, key) = (Arc::<Counts>::default(), scene.rounds.key.clone());
    let pids: Vec<_> = (0..NODES).map(|node| scene.nodes.pid(node)).collect();
    let mut probes = Vec::new();
    let address = |cluster: &Cluster| (Ipv4Addr::LOCALHOST, cluster.port()).into();
    let fault = async |cluster: &mut Cluster, nodes: &mut Nodes, _: &mut Random| {
        // What ends from now on is live on the standby: a node that reads there accepts dead tokens.
        block_in_place(|| standby.psql("postgres", "SELECT pg_wal_replay_pause()"));
        sleep(A_WHILE).await;
        block_in_place(|| {
            cluster.kill();
            if forgetful {
                standby.promote();
            }
        });
        proxy.lead_to(address(&standby));
        let began = Instant::now();
        while began.elapsed() < SHORT_FOR {
            for node in 0..NODES {
                probes.push(create(&nodes.service_of(node, &counts)?, &key).await);
            }
        }
        block_in_place(|| cluster.restart());
        proxy.lead_to(address(cluster));
        sleep(A_WHILE / 2).await;
        Ok(1)
    };
    scene.round("a standby in the place of the primary", &mut Random::new(seed, 0), fault).await?;
    let restarted = pids != (0..NODES).map(|node| scene.nodes.pid(node)).collect::<Vec<_>>();
    let sql = format!("SELECT sessions FROM pg_stat_database WHERE datname = '{}'", scene.database);
    let connections = block_in_place(|| standby.psql("postgres", &sql));
    let mut outcome = scene.finish().await?;
    if restarted {
        outcome.add(Kind::Other, "a node was started again because of a standby");
    }
    if connections == "0" {
        outcome.add(Kind::Other, "no node connected to the standby");
    }
    let unknown = Some((503, "unknown".to_owned()));
    for created in probes.iter().filter(|created| **created != unknown) {
        outcome.add(Kind::Other, format!("on a standby, a creation returned {created:?}"));
    }
    outcome.summary = format!(
        "a standby in the place of the primary for 3 s, which was asked {connections} times and refused all {} creations: {}",
        probes.len(),
        outcome.summary
    );
    Ok(outcome)
}

/// PostgreSQL becomes read-only, as a standby is.
pub(crate) async fn read_only(target: &Target, seed: u64) -> Result<Outcome, Failed> {
    let mut scene = Scene::plain(target, &[]).await?;
    let database = scene.database.clone();
    let fault = async |cluster: &mut Cluster, _: &mut Nodes, _: &mut Random| {
        sleep(A_WHILE / 2).await;
        let set = |value: &str| {
            let sql = format!("ALTER DATABASE {database} SET default_transaction_read_only = {value}");
            block_in_place(|| cluster.psql("postgres", &sql));
            end_connections(cluster, &database);
        };
        set("on");
        sleep(SHORT_FOR).await;
        set("off");
        sleep(A_WHILE / 2).await;
        Ok(1)
    };
    scene.round("read-only", &mut Random::new(seed, 0), fault).await?;
    let mut outcome = scene.finish().await?;
    outcome.summary = format!("a database that is read-only for 3 s: {}", outcome.summary);
    Ok(outcome)
}
