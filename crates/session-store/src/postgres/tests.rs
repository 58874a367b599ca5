//! Statements and transactions against real clusters.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::join_all;
use session_test_support::postgres::Cluster;
use tokio::time::{sleep, timeout};

use super::database::{Database, TransactionError};
use super::options::PostgresOptions;
use super::turns::Turn;
use crate::store::StoreError;

/// A database with an empty table of numbers.
async fn database(cluster: &Cluster) -> (Arc<Database>, String) {
    let name = cluster.create_database();
    cluster.psql(&name, "CREATE TABLE number (n bigint PRIMARY KEY)");
    let options = PostgresOptions::parse(&cluster.url(&name)).unwrap();
    let database = Database::connect(options).await.unwrap();
    // Until both shared connections are there.
    let servers = async || {
        let reads = join_all((0..8).map(|_| database.read("SELECT pg_backend_pid()", &[]))).await;
        reads.into_iter().map(|rows| rows.unwrap()[0].get::<_, i32>(0)).collect::<BTreeSet<_>>().len()
    };
    while servers().await < 2 {
        sleep(Duration::from_millis(10)).await;
    }
    (Arc::new(database), name)
}

async fn turn(database: &Database) -> Turn {
    database.changes.next(None).await.unwrap()
}

/// Ends every connection to the database but its own.
fn terminate(cluster: &Cluster, name: &str) {
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert_ne!(cluster.psql(name, sql), "0");
}

const INSERT: &str = "INSERT INTO number VALUES ($1) RETURNING n";

#[tokio::test]
async fn all_reads_share_two_connections() {
    let cluster = Cluster::shared();
    let (database, name) = database(cluster).await;
    let reads = (0..600i64).map(|n| {
        let database = &database;
        async move { database.read("SELECT $1::bigint", &[&n]).await.unwrap()[0].get::<_, i64>(0) }
    });
    assert_eq!(join_all(reads).await, (0..600).collect::<Vec<i64>>());
    let count = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'");
    assert_eq!(cluster.psql("postgres", &count), "2");
}

#[tokio::test]
async fn a_connection_without_any_response_is_replaced() {
    let cluster = Cluster::shared();
    let (database, name) = database(cluster).await;
    let pids = cluster.psql(
        &name,
        "SELECT string_agg(pid::text, ' ') FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    let signal = |signal| {
        let sent = std::process::Command::new("kill").arg(signal).args(pids.split(' ')).status();
        assert!(sent.unwrap().success());
    };
    signal("-STOP");
    let failed = join_all((0..4).map(|_| database.read("SELECT 1", &[]))).await;
    let read = database.read("SELECT 1", &[]).await;
    signal("-CONT");
    assert!(failed.iter().any(|read| matches!(read, Err(StoreError::Unavailable(_)))), "{failed:?}");
    read.unwrap();
}

#[tokio::test]
async fn the_first_read_after_every_connection_was_lost_succeeds() {
    let cluster = Cluster::shared();
    let (database, name) = database(cluster).await;
    for _ in 0..10 {
        terminate(cluster, &name);
        database.read("SELECT 1", &[]).await.unwrap();
    }
}

#[tokio::test]
async fn the_first_change_after_every_connection_was_lost_succeeds_if_the_loss_was_noticed() {
    let cluster = Cluster::shared();
    let (database, name) = database(cluster).await;
    for n in 0..5i64 {
        terminate(cluster, &name);
        sleep(Duration::from_millis(100)).await;
        database.change(INSERT, &[&n]).await.unwrap();
        let inserted = database
            .transaction(turn(&database).await, (), move |client, ()| insert_in_txn(client, 100 + n).boxed())
            .await;
        inserted.unwrap();
    }
    assert_eq!(cluster.psql(&name, "SELECT count(*) FROM number"), "10");
}

async fn insert_in_txn(client: &super::connection::Connection, n: i64) -> Result<(), TransactionError> {
    let insert = client.prepare_cached(INSERT).await.map_err(TransactionError::NotSent)?;
    client.batch_execute("BEGIN").await?;
    client.query(&insert, &[&n]).await?;
    client.batch_execute("COMMIT").await.map_err(TransactionError::Commit)
}

#[tokio::test]
async fn a_change_whose_connection_is_lost_while_it_runs_is_not_repeated() {
    let mut cluster = Cluster::start();
    let (database, name) = database(&cluster).await;
    let change = {
        let database = Arc::clone(&database);
        tokio::spawn(async move {
            database.change("INSERT INTO number SELECT 1 FROM pg_sleep(2) RETURNING n", &[]).await
        })
    };
    let running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'INSERT%' AND state = 'active'";
    while cluster.psql(&name, running) == "0" {
        sleep(Duration::from_millis(10)).await;
    }
    cluster.kill();
    let error = change.await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::OutcomeUnknown(_)), "{error:?}");
    cluster.restart();
    assert!(database.read("SELECT n FROM number", &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_change_whose_future_is_dropped_is_made() {
    let (database, _) = database(Cluster::shared()).await;
    let slow = "INSERT INTO number SELECT 1 FROM pg_sleep(0.3) RETURNING n";
    let dropped = timeout(Duration::from_millis(200), database.change(slow, &[])).await;
    assert!(dropped.is_err());
    let transaction = database.transaction(turn(&database).await, (), |client, ()| {
        async move {
            sleep(Duration::from_millis(100)).await;
            insert_in_txn(client, 2).await
        }
        .boxed()
    });
    assert!(timeout(Duration::from_millis(10), transaction).await.is_err());
    let began = Instant::now();
    while database.read("SELECT n FROM number", &[]).await.unwrap().len() < 2 {
        assert!(began.elapsed() < Duration::from_secs(10));
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_ended_by_the_server_and_others_are_served_meanwhile() {
    let (database, _) = database(Cluster::shared()).await;
    // On one of the two connections.
    let slow = {
        let database = Arc::clone(&database);
        tokio::spawn(async move { database.change("SELECT FROM pg_sleep(60)", &[]).await })
    };
    sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    for _ in 0..20 {
        database.read("SELECT 1", &[]).await.unwrap();
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    let error = slow.await.unwrap().unwrap_err();
    assert_eq!(
        error,
        StoreError::Unavailable("canceling statement due to statement timeout (SQLSTATE 57014)".into())
    );
}

#[tokio::test]
async fn a_transaction_that_loses_against_another_is_started_again() {
    let (database, _) = database(Cluster::shared()).await;
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&attempts);
    let done = database.transaction(turn(&database).await, (), move |client, ()| {
        let counted = Arc::clone(&counted);
        async move {
            client.batch_execute("BEGIN").await?;
            client.batch_execute("INSERT INTO number VALUES (1)").await?;
            if counted.fetch_add(1, Ordering::Relaxed) < 2 {
                client.batch_execute("DO $$BEGIN RAISE SQLSTATE '40P01'; END$$").await?;
            }
            client.batch_execute("COMMIT").await.map_err(TransactionError::Commit)
        }
        .boxed()
    });
    done.await.unwrap();
    assert_eq!(attempts.load(Ordering::Relaxed), 3);
    assert_eq!(database.read("SELECT n FROM number", &[]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_transaction_that_always_loses_changes_nothing_and_says_so() {
    let (database, _) = database(Cluster::shared()).await;
    let error = database.transaction(turn(&database).await, (), |client, ()| {
        async move {
            client.batch_execute("BEGIN; INSERT INTO number VALUES (1)").await?;
            client.batch_execute("DO $$BEGIN RAISE SQLSTATE '40001'; END$$").await?;
            Ok(())
        }
        .boxed()
    });
    assert!(matches!(error.await, Err(StoreError::Unavailable(_))));
    assert!(database.read("SELECT n FROM number", &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_statement_is_prepared_again_after_the_schema_has_changed() {
    let cluster = Cluster::shared();
    let (database, name) = database(cluster).await;
    for _ in 0..20 {
        database.read("SELECT * FROM number", &[]).await.unwrap();
    }
    cluster.psql(&name, "ALTER TABLE number ADD COLUMN m bigint");
    for _ in 0..20 {
        let reads = (0..4).map(|_| database.read("SELECT * FROM number", &[]));
        join_all(reads).await.into_iter().for_each(|read| drop(read.unwrap()));
    }
}

#[tokio::test]
async fn a_server_that_has_become_read_only_is_left() {
    let cluster = Cluster::start();
    let (database, name) = database(&cluster).await;
    let sql = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    cluster.psql("postgres", &sql);
    // As on the connections to a former primary.
    let read_only = "SELECT set_config('default_transaction_read_only', 'on', false)";
    join_all((0..8).map(|_| database.change(read_only, &[]))).await;
    let began = Instant::now();
    for expected in ["SQLSTATE 25006", "SQLSTATE 25006", "does not allow writes"] {
        let error = database.change(INSERT, &[&1i64]).await.unwrap_err();
        assert!(matches!(&error, StoreError::Unavailable(text) if text.contains(expected)), "{error:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(4));
    let sql = format!("ALTER DATABASE {name} RESET default_transaction_read_only");
    cluster.psql("postgres", &sql);
    database.change(INSERT, &[&1i64]).await.unwrap();
}

#[tokio::test]
async fn commits_wait_for_the_disk_even_if_the_database_is_set_not_to() {
    let cluster = Cluster::shared();
    let name = cluster.create_database();
    cluster.psql("postgres", &format!("ALTER DATABASE {name} SET synchronous_commit = off"));
    let database = Database::connect(PostgresOptions::parse(&cluster.url(&name)).unwrap()).await.unwrap();
    let row = &database.read("SHOW synchronous_commit", &[]).await.unwrap()[0];
    assert_eq!(row.get::<_, &str>(0), "on");
}
