//! `cargo xtask bench writes`: durable changes by 1 to 256 clients on both stores, beside one commit at a time with a sync of
//! the disk each.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde::Serialize;
use session_test_support::launcher::{Program, Server};
use session_test_support::postgres::Cluster;
use session_test_support::seed::DOMAIN_ID;

use super::cores::cpu_us;
use super::load::{Measured, machine, on_connections};
use super::operation::{Operation, SCOPES, create_sessions};
use super::record;
use crate::process::{Failed, key, launch, output, release, say, target};

/// The numbers of clients, each with a connection and one request at a time.
const CLIENTS: [usize; 4] = [1, 16, 64, 256];

/// The operations.
const OPERATIONS: [Operation; 2] = [Operation::Create, Operation::Interaction];

/// The sessions whose interactions are recorded: more than clients, so that few changes of one session wait for each other.
const SESSIONS: usize = 4_096;

/// The bars of issue 13, on the embedded store.
const BAR_CLIENTS: usize = 64;
const BAR_RATIO: f64 = 10.0;
const BAR_P99: Duration = Duration::from_millis(50);

/// The settings of `bench writes`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Settings {
    /// Use the programs `sessiond` and `examples/commit_rate` of this folder, instead of building them
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,
    /// Seconds of each measurement, after one of warming up
    #[arg(long, default_value_t = 10)]
    seconds: u32,
}

/// One row of the table.
#[derive(Clone, Debug, Serialize)]
struct Row {
    store: &'static str,
    operation: &'static str,
    clients: usize,
    per_second: f64,
    p50_us: u32,
    p99_us: u32,
    /// Of `sessiond` alone, in user mode and in the kernel.
    cpu_us: Option<f64>,
}

/// Measures, and writes the result. Returns whether both bars are reached.
pub(crate) fn run(settings: &Settings, out: &mut dyn Write) -> Result<bool, Failed> {
    let target = target()?;
    let programs = if let Some(programs) = &settings.programs {
        programs.clone()
    } else {
        release(&["--bin=sessiond", "--example=commit_rate"])?
    };
    let (sessiond, commit_rate) = (programs.join("sessiond"), programs.join("examples/commit_rate"));
    say(out, &format!("machine: {}", machine()))?;
    // On the disk of the build, because a temporary folder may be in memory.
    let folder = tempfile::tempdir_in(&target)
        .map_err(|error| Failed(format!("a folder for the stores cannot be created: {error}")))?;
    let mut rows = Vec::new();
    let mut add = |row: Row, out: &mut dyn Write| {
        say(out, &line(&row))?;
        rows.push(row);
        Ok::<_, Failed>(())
    };
    // Before and after, as the disk's speed may change meanwhile.
    add(commits(&commit_rate, &folder.path().join("before"), settings.seconds)?, out)?;
    let server = Program::at(&sessiond).serve(&new(folder.path(), "sqlite")?, "", &["--log-level", "warn"]);
    measure("sqlite", &server.map_err(launch)?, settings.seconds, &mut |row| add(row, out))?;
    add(commits(&commit_rate, &folder.path().join("after"), settings.seconds)?, out)?;
    // As an operator has it: the clusters of the tests do without.
    let cluster = Cluster::launch(&[("fsync", "on"), ("shared_buffers", "1GB")]).map_err(launch)?;
    let url = cluster.url(&cluster.create_database());
    let flags = ["--log-level", "warn", "--store", &url];
    let mut server =
        Program::at(&sessiond).serve(&new(folder.path(), "postgres")?, "", &flags).map_err(launch)?;
    server.store.clone_from(&url);
    measure("postgres", &server, settings.seconds, &mut |row| add(row, out))?;

    let bars = bars(&rows);
    for (text, _) in &bars {
        say(out, text)?;
    }
    let file = record::store("writes", &rows)?;
    say(out, &format!("written: {file}"))?;
    Ok(bars.iter().all(|(_, reached)| *reached))
}

/// A new folder in this one.
fn new(folder: &Path, name: &str) -> Result<PathBuf, Failed> {
    let path = folder.join(name);
    std::fs::create_dir(&path).map_err(|error| Failed(format!("{}: {error}", path.display())))?;
    Ok(path)
}

/// One client that commits and syncs each row on its own.
fn commits(program: &Path, folder: &Path, seconds: u32) -> Result<Row, Failed> {
    std::fs::create_dir(folder).map_err(|error| Failed(format!("{}: {error}", folder.display())))?;
    let printed = output(Command::new(program).arg(folder).arg(seconds.to_string()))?;
    let numbers: Vec<u32> = printed.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let [count, p50_us, p99_us] = numbers[..] else { return Err(Failed(format!("unexpected: {printed}"))) };
    let per_second = f64::from(count) / f64::from(seconds);
    Ok(Row {
        store: "one commit at a time",
        operation: "insert",
        clients: 1,
        per_second,
        p50_us,
        p99_us,
        cpu_us: None,
    })
}

/// Measures every operation with every number of clients.
fn measure(
    store: &'static str,
    server: &Server,
    seconds: u32,
    add: &mut dyn FnMut(Row) -> Result<(), Failed>,
) -> Result<(), Failed> {
    let address = server.address.to_string();
    let key = key(server, &["--domain", DOMAIN_ID], &SCOPES)?;
    let sessions = create_sessions(&address, &key, SESSIONS)?;
    for operation in OPERATIONS {
        for clients in CLIENTS {
            let turn = Duration::from_secs(seconds.into());
            let warm = Instant::now() + Duration::from_secs(1);
            let end = warm + turn;
            let before = cpu_us(&[server.pid()])?;
            // Of each request whether it counts, and its time.
            let all = on_connections(&address, clients, |connection, client| {
                let mut latencies_us = Vec::new();
                let mut number = client;
                loop {
                    let request = operation.request(number, &sessions);
                    number += clients;
                    let sent = Instant::now();
                    if sent > end {
                        return Ok(latencies_us);
                    }
                    connection.send(&request, operation.status())?;
                    let elapsed = u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX);
                    latencies_us.push((sent > warm, elapsed));
                }
            })?;
            let used = cpu_us(&[server.pid()])?.saturating_sub(before);
            #[expect(clippy::cast_precision_loss, reason = "microseconds and a count, far below 2^52")]
            let cpu_us = used as f64 / all.len().max(1) as f64;
            let mut latencies_us: Vec<u32> =
                all.into_iter().filter_map(|(counts, elapsed)| counts.then_some(elapsed)).collect();
            latencies_us.sort_unstable();
            let measured = Measured { latencies_us, elapsed: turn };
            add(Row {
                store,
                operation: operation.name(),
                clients,
                per_second: measured.per_second().round(),
                p50_us: measured.percentile_us(50),
                p99_us: measured.percentile_us(99),
                cpu_us: Some((cpu_us * 10.0).round() / 10.0),
            })?;
        }
    }
    Ok(())
}

/// The row as text.
fn line(row: &Row) -> String {
    let cpu = row.cpu_us.map(|cpu_us| format!("  CPU {cpu_us:>5.0} µs each")).unwrap_or_default();
    format!(
        "{:<22} {:<12} {:>3} clients  {:>7.0}/s  p50 {:>6} µs  p99 {:>6} µs{cpu}",
        row.store, row.operation, row.clients, row.per_second, row.p50_us, row.p99_us
    )
}

/// A text for each bar of issue 13, and whether it is reached.
fn bars(rows: &[Row]) -> Vec<(String, bool)> {
    // The faster of the two measurements.
    let commits =
        rows.iter().filter(|row| row.operation == "insert").map(|row| row.per_second).fold(0.0, f64::max);
    let mut bars = Vec::new();
    for row in rows.iter().filter(|row| row.store == "sqlite" && row.clients == BAR_CLIENTS) {
        let word = |reached: bool| if reached { "reached" } else { "NOT reached" };
        let ratio = row.per_second / commits;
        let fast = ratio >= BAR_RATIO;
        bars.push((
            format!(
                "{} by {BAR_CLIENTS} clients: {ratio:.1} times the rate of one commit at a time, at least {BAR_RATIO}: {}",
                row.operation,
                word(fast)
            ),
            fast,
        ));
        let soon = Duration::from_micros(row.p99_us.into()) < BAR_P99;
        bars.push((
            format!(
                "{} by {BAR_CLIENTS} clients: p99 of {} ms, under {} ms: {}",
                row.operation,
                row.p99_us / 1000,
                BAR_P99.as_millis(),
                word(soon)
            ),
            soon,
        ));
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(
        store: &'static str,
        operation: &'static str,
        clients: usize,
        per_second: f64,
        p99_us: u32,
    ) -> Row {
        Row { store, operation, clients, per_second, p50_us: 1, p99_us, cpu_us: None }
    }

    #[test]
    fn the_bars_are_about_64_clients_of_the_embedded_store_and_the_faster_rate_of_commits() {
        let rows = [
            row("one commit at a time", "insert", 1, 500.0, 1),
            row("sqlite", "create", 16, 1.0, 90_000),
            row("sqlite", "create", 64, 6_000.0, 49_999),
            row("sqlite", "interaction", 64, 5_999.0, 50_000),
            row("one commit at a time", "insert", 1, 600.0, 1),
            row("postgres", "create", 64, 1.0, 90_000),
        ];
        let reached: Vec<bool> = bars(&rows).into_iter().map(|(_, reached)| reached).collect();
        assert_eq!(reached, [true, true, false, false]);
    }
}
