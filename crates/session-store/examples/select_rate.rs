//! How many rows per second one process reads from a PostgreSQL store by primary key. `cargo xtask bench fetch` runs it beside
//! `sessiond`.
//!
//! `select_rate select|store URL IDS CONCURRENCY SECONDS`: `select` sends bare statements on two connections that pipeline,
//! and looks at no column; `store` fetches through the store. IDS is a file with an ID in each line. Prints the number of
//! reads and their 50th and 99th percentile in microseconds.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program for measurements")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use session_store::{PostgresOptions, PostgresStore, Sessions};
use session_types::SessionId;
use tokio_postgres::{Client, NoTls, Statement};

/// As many as the store has.
const CONNECTIONS: usize = 2;

enum Reader {
    Select(Vec<(Client, Statement)>),
    Store(Box<PostgresStore>),
}

impl Reader {
    async fn read(&self, number: usize, id: SessionId) -> bool {
        match self {
            Self::Select(connections) => {
                let (client, statement) = &connections[number % CONNECTIONS];
                client.query_opt(statement, &[&&id.0.as_bytes()[..]]).await.unwrap().is_some()
            }
            Self::Store(store) => store.session_fetch(id).await.unwrap().is_some(),
        }
    }
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, what, url, ids, concurrency, seconds] = &arguments[..] else { panic!("see the source") };
    let ids = std::fs::read_to_string(ids).unwrap();
    let ids: Arc<Vec<SessionId>> = Arc::new(ids.lines().map(|id| id.parse().unwrap()).collect());
    let reader = if what == "store" {
        Reader::Store(Box::new(PostgresStore::open(PostgresOptions::parse(url).unwrap()).await.unwrap()))
    } else {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
            tokio::spawn(connection);
            let statement = client.prepare("SELECT * FROM session WHERE id = $1").await.unwrap();
            connections.push((client, statement));
        }
        Reader::Select(connections)
    };
    let reader = Arc::new(reader);
    let warm = Instant::now() + Duration::from_secs(1);
    let end = warm + Duration::from_secs_f64(seconds.parse().unwrap());
    let load = (0..concurrency.parse().unwrap()).map(|number: usize| {
        let (reader, ids) = (Arc::clone(&reader), Arc::clone(&ids));
        tokio::spawn(async move {
            // A xorshift generator with a fixed seed: the same sequence in every run.
            let mut random = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
            let mut latencies_us = Vec::new();
            loop {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let sent = Instant::now();
                if sent > end {
                    return latencies_us;
                }
                assert!(reader.read(number, ids[random % ids.len()]).await, "no such session");
                if sent > warm {
                    latencies_us.push(u32::try_from(sent.elapsed().as_micros()).unwrap());
                }
            }
        })
    });
    let mut latencies_us = Vec::new();
    for task in load.collect::<Vec<_>>() {
        latencies_us.extend(task.await.unwrap());
    }
    latencies_us.sort_unstable();
    let percentile =
        |percent: usize| latencies_us[(latencies_us.len() * percent / 100).min(latencies_us.len() - 1)];
    println!("{} {} {}", latencies_us.len(), percentile(50), percentile(99));
}
