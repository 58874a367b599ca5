//! How many commits per second one client makes when each has its own sync of the disk: one row per transaction in a SQLite
//! database in WAL mode with `synchronous=FULL`. `cargo xtask bench writes` runs it beside `sessiond`.
//!
//! `commit_rate FOLDER SECONDS`: makes the database in the folder. Prints the number of commits and their 50th and 99th
//! percentile in microseconds.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program for measurements")]

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

/// The size of a row: about that of a session without its indexes.
const ROW_BYTES: usize = 500;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, seconds] = &arguments[..] else { panic!("see the source") };
    let connection = Connection::open(Path::new(folder).join("commits.db")).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection.pragma_update(None, "synchronous", "FULL").unwrap();
    connection.execute_batch("CREATE TABLE row (id INTEGER PRIMARY KEY, value BLOB NOT NULL)").unwrap();
    let mut insert = connection.prepare("INSERT INTO row (value) VALUES (?1)").unwrap();
    let value = vec![7_u8; ROW_BYTES];
    let end = Instant::now() + Duration::from_secs_f64(seconds.parse().unwrap());
    let mut latencies_us = Vec::new();
    loop {
        let began = Instant::now();
        if began > end {
            break;
        }
        insert.execute(params![value]).unwrap();
        latencies_us.push(u32::try_from(began.elapsed().as_micros()).unwrap());
    }
    latencies_us.sort_unstable();
    let percentile =
        |percent: usize| latencies_us[(latencies_us.len() * percent / 100).min(latencies_us.len() - 1)];
    println!("{} {} {}", latencies_us.len(), percentile(50), percentile(99));
}
