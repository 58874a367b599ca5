//! How many rows per second one process reads from a PostgreSQL store by primary key. `cargo xtask bench fetch` runs it beside
//! `sessiond`.
//!
//! `select_rate select|pool|store URL IDS CONCURRENCY SECONDS`: `select` sends bare statements on two connections that pipeline,
//! and looks at no column; `pool` sends the same ones, each on a connection that it takes from a pool of sixteen; `store`
//! fetches through the store. IDS is a file of which each line begins with an ID and a space. Prints the number of
//! reads and their 50th and 99th percentile in microseconds.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program for measurements")]

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool::managed::{Manager, Metrics, Pool, RecycleResult};
use futures::future::join_all;
use session_store::{PostgresOptions, PostgresStore, Sessions};
use session_types::SessionId;
use tokio_postgres::{Client, NoTls, Statement};

/// As many as the store has.
const CONNECTIONS: usize = 2;

/// As many as a common pool has that is made for two cores and some waiting.
const POOL_CONNECTIONS: usize = 16;

enum Reader {
    Select(Vec<(Client, Statement)>),
    Pool(Pool<Connect>),
    Store(Box<PostgresStore>),
}

impl Reader {
    async fn read(&self, number: usize, id: SessionId) -> bool {
        match self {
            Self::Select(connections) => {
                let (client, statement) = &connections[number % CONNECTIONS];
                client.query_opt(statement, &[&&id.0.as_bytes()[..]]).await.unwrap().is_some()
            }
            Self::Pool(pool) => {
                let connection = pool.get().await.unwrap();
                let (client, statement) = &*connection;
                client.query_opt(statement, &[&&id.0.as_bytes()[..]]).await.unwrap().is_some()
            }
            Self::Store(store) => store.session_fetch(id).await.unwrap().is_some(),
        }
    }
}

/// Returns a connection and the bare statement.
async fn connect(url: &str) -> (Client, Statement) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let statement = client.prepare("SELECT * FROM session WHERE id = $1").await.unwrap();
    (client, statement)
}

struct Connect {
    url: String,
}

impl Manager for Connect {
    type Type = (Client, Statement);
    type Error = Infallible;

    async fn create(&self) -> Result<(Client, Statement), Infallible> {
        Ok(connect(&self.url).await)
    }

    async fn recycle(&self, _: &mut (Client, Statement), _: &Metrics) -> RecycleResult<Infallible> {
        Ok(())
    }
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, what, url, ids, concurrency, seconds] = &arguments[..] else { panic!("see the source") };
    let ids = std::fs::read_to_string(ids).unwrap();
    let ids: Arc<Vec<SessionId>> =
        Arc::new(ids.lines().map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect());
    let reader = match &**what {
        "store" => {
            Reader::Store(Box::new(PostgresStore::open(PostgresOptions::parse(url).unwrap()).await.unwrap()))
        }
        "pool" => {
            let pool = Pool::builder(Connect { url: url.clone() }).max_size(POOL_CONNECTIONS);
            Reader::Pool(pool.build().unwrap())
        }
        _ => Reader::Select(join_all((0..CONNECTIONS).map(|_| connect(url))).await),
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
