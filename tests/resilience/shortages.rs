//! What PostgreSQL has too little of while three nodes work: connections, room on its disk, the right to write.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use session_test_support::postgres::Cluster;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};

use crate::nodes::Nodes;
use crate::random::Random;
use crate::report::{Failed, Kind, Outcome};
use crate::scene::{A_WHILE, NODES, Scene, launch};
use crate::server::Target;
use crate::stores::Disk;

/// How long a shortage lasts.
const SHORT_FOR: Duration = Duration::from_secs(3);

/// How long it may take until all connections are taken.
const TAKEN_WITHIN: Duration = Duration::from_secs(20);

/// The size of the disk of the tables: an empty database has 7 MB.
const DISK: &str = "size=40m,mode=0700";

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
    let options = format!("{DISK},uid={},gid={}", owner.uid(), owner.gid());
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
