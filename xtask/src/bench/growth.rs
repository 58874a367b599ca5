//! `cargo xtask bench growth`: what an operation, the memory, the file and a start cost as the embedded store grows.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde::Serialize;
use session_test_support::launcher::{Program, STORE_FILE, Server, sqlite_url};
use session_test_support::seed::DOMAIN_ID;

use super::chart::chart;
use super::cores::{Memory, cpu_us};
use super::load::{Connection, machine};
use super::operation::{Operation, SCOPES, Sessions};
use super::record;
use crate::process::{Failed, key, launch, output, release, root, say, target};

/// The sizes of the store; the last one only if asked for.
const SIZES: [u64; 4] = [10_000, 100_000, 1_000_000, 10_000_000];

/// What is measured, on one connection, and how many times: a second or so each, because the operating system counts the
/// time on a processor in steps of 10 ms.
const MEASURED: [(Operation, usize); 5] = [
    (Operation::FetchHit, 10_000),
    (Operation::FetchMiss, 5_000),
    (Operation::ListOfTen, 2_000),
    (Operation::Create, 1_500),
    (Operation::Revoke, 1_500),
];

/// Requests before those that are measured.
const WARM_UP: usize = 200;

/// A prime number larger than a sample: as many steps of this length as it has places visit each of them once.
const STEP: usize = 1_000_003;

/// The share of sessions whose lifetime has passed when the server starts: 1 in this many.
const EXPIRED_ONE_IN: u64 = 100;

/// The settings of the server: the lifetimes are the default ones, by which `fill` stores sessions.
fn settings(sweep_interval: &str) -> String {
    format!("[sweep]\ninterval = '{sweep_interval}'\n")
}

/// How long the server that measures a sweep waits before it.
const SWEEP_AFTER: Duration = Duration::from_secs(2);

/// How long a new server needs at most to store by which lifetimes the sessions are: one report of its node, every 5 s.
const LIFETIMES_APPLIED: Duration = Duration::from_secs(6);

/// The bars of issue 13.
const BYTES_MAX: u64 = 700;
const START_MAX: Duration = Duration::from_secs(1);

/// The settings of `bench growth`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Settings {
    /// Measure 10,000,000 sessions as well: 8 GB on the disk
    #[arg(long)]
    huge: bool,
    /// Use the programs `sessiond` and `fill` of this folder, instead of building them
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,
}

/// What was measured at one size.
#[derive(Clone, Debug, Serialize)]
struct Point {
    sessions: u64,
    start_ms: u64,
    bytes_per_session: u64,
    /// Resident memory after the start, and after all operations.
    started_mb: f64,
    used_mb: f64,
    operations: Vec<Cost>,
    sweep: Sweep,
}

/// The cost of one operation.
#[derive(Clone, Debug, Serialize)]
struct Cost {
    operation: &'static str,
    p50_us: u64,
    p99_us: u64,
    /// Of the server, in user mode and in the kernel.
    cpu_us: f64,
}

/// The cost of marking the sessions whose lifetime has passed.
#[derive(Clone, Copy, Debug, Serialize)]
struct Sweep {
    expired: u64,
    elapsed_ms: u64,
    cpu_us_per_session: f64,
}

/// Measures every size, and writes the results, the table and the plot. Returns whether every bar is reached.
pub(crate) fn run(settings: &Settings, out: &mut dyn Write) -> Result<bool, Failed> {
    let target = target()?;
    let programs = if let Some(programs) = &settings.programs {
        programs.clone()
    } else {
        release(&["--bin=sessiond", "--bin=fill"])?
    };
    say(out, &format!("machine: {}", machine()))?;
    let sizes = if settings.huge { &SIZES[..] } else { &SIZES[..SIZES.len() - 1] };
    let mut points = Vec::new();
    for size in sizes {
        let began = Instant::now();
        let point = measure(&programs, &target, *size)?;
        say(
            out,
            &format!("{} sessions, in {} s: {}", thousands(*size), began.elapsed().as_secs(), row(&point)),
        )?;
        points.push(point);
    }
    let table = table(&points);
    say(out, &table)?;
    let bars = bars(&points);
    for (text, _) in &bars {
        say(out, text)?;
    }
    let file = record::store("growth", &points)?;
    let verdicts: Vec<String> = bars.iter().map(|(text, _)| format!("- {text}")).collect();
    let part = format!("{}.\n\n{table}\n{}\n\n![growth](growth.svg)\n", machine(), verdicts.join("\n"));
    record::document("docs/growth.md", "growth", &part)?;
    std::fs::write(root().join("docs/growth.svg"), plot(&points))
        .map_err(|error| Failed(format!("docs/growth.svg: {error}")))?;
    say(out, &format!("written: {file}, docs/growth.md and docs/growth.svg"))?;
    Ok(bars.iter().all(|(_, reached)| *reached))
}

/// Fills a store and measures it.
fn measure(programs: &Path, target: &Path, size: u64) -> Result<Point, Failed> {
    let failed = |error: std::io::Error| Failed(format!("{size} sessions: {error}"));
    // On the disk of the build, because a temporary folder may be in memory.
    let folder = tempfile::tempdir_in(target).map_err(failed)?;
    let folder = folder.path();
    let serve = |interval: &str, level: &str| {
        let flags = ["--log-level", level];
        Program::at(&programs.join("sessiond")).serve(folder, &settings(interval), &flags).map_err(launch)
    };
    let mut server = serve("1h", "warn")?;
    let key = key(&server, &["--domain", DOMAIN_ID], &SCOPES)?;
    thread::sleep(LIFETIMES_APPLIED);
    stop(&mut server)?;

    let expired = size / EXPIRED_ONE_IN;
    let file = folder.join("sessions");
    let mut fill = Command::new(programs.join("fill"));
    output(fill.arg(sqlite_url(folder)).arg(size.to_string()).arg(&file).arg(expired.to_string()))?;
    let made = sample(&file, size, expired).map_err(failed)?;
    std::fs::remove_file(&file).map_err(failed)?;
    let bytes: u64 = [STORE_FILE.to_owned(), format!("{STORE_FILE}-wal")]
        .iter()
        .filter_map(|name| std::fs::metadata(folder.join(name)).ok())
        .map(|file| file.len())
        .sum();

    let began = Instant::now();
    let mut server = serve("1h", "info")?;
    let started = began.elapsed();
    let pid = server.pid();
    let started_mb = Memory::of(pid)?.resident_mb;
    let sessions = Sessions { key, made };
    let cost = |(operation, count)| cost(&server, &sessions, operation, count);
    let operations = MEASURED.into_iter().map(cost).collect::<Result<_, _>>()?;
    let used_mb = Memory::of(pid)?.resident_mb;
    stop(&mut server)?;
    let mut server = serve(&format!("{}s", SWEEP_AFTER.as_secs()), "info")?;
    let sweep = sweep(&server)?;
    stop(&mut server)?;
    Ok(Point {
        sessions: size,
        start_ms: u64::try_from(started.as_millis()).unwrap_or(u64::MAX),
        bytes_per_session: bytes / size,
        started_mb,
        used_mb,
        operations,
        sweep,
    })
}

/// Ends a server as an operator does, and waits until it has.
fn stop(server: &mut Server) -> Result<(), Failed> {
    server.signal(Signal::TERM).map_err(|error| Failed(format!("sessiond cannot be stopped: {error}")))?;
    server.wait();
    Ok(())
}

/// As many sessions as the operations need, from all parts of the store and in no order, and none of the expired ones, which
/// are the first. Each line of the file has the ID and the token of one.
fn sample(file: &Path, size: u64, expired: u64) -> std::io::Result<Vec<(String, String)>> {
    let needed =
        MEASURED.map(|(operation, count)| operation.sessions(WARM_UP + count)).into_iter().sum::<usize>();
    let live = size - expired;
    let step = (live / needed as u64).max(1);
    let mut made = Vec::with_capacity(needed);
    for (line, number) in BufReader::new(std::fs::File::open(file)?).lines().zip(0..) {
        if number >= expired && (number - expired).is_multiple_of(step) {
            let line = line?;
            made.extend(line.split_once(' ').map(|(id, token)| (id.to_owned(), token.to_owned())));
        }
    }
    Ok((0..made.len()).map(|place| made[place * STEP % made.len()].clone()).collect())
}

/// Measures one operation.
fn cost(server: &Server, sessions: &Sessions, operation: Operation, count: usize) -> Result<Cost, Failed> {
    let mut connection = Connection::open(&server.address.to_string())?;
    let mut send = |number| {
        let request = operation.request(number, sessions);
        let sent = Instant::now();
        connection.send(&request, operation.status())?;
        Ok(u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX))
    };
    (0..WARM_UP).try_for_each(|number| send(number).map(drop))?;
    let before = cpu_us(&[server.pid()])?;
    let mut latencies_us = (WARM_UP..WARM_UP + count).map(&mut send).collect::<Result<Vec<_>, Failed>>()?;
    let used = cpu_us(&[server.pid()])?.saturating_sub(before);
    latencies_us.sort_unstable();
    let percentile = |percent: usize| latencies_us.get(count * percent / 100).copied().unwrap_or_default();
    Ok(Cost {
        operation: operation.name(),
        p50_us: percentile(50),
        p99_us: percentile(99),
        cpu_us: per(used, count as u64),
    })
}

/// Waits for the first sweep that found something, and returns its cost.
fn sweep(server: &Server) -> Result<Sweep, Failed> {
    let before = cpu_us(&[server.pid()])?;
    let began = Instant::now();
    while began.elapsed() < Duration::from_mins(10) {
        let log = server.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let expired = lines.filter(|line| line["msg"] == "swept").find_map(|line| line["expired"].as_u64());
        if let Some(expired) = expired {
            let used = cpu_us(&[server.pid()])?.saturating_sub(before);
            let elapsed = began.elapsed().saturating_sub(SWEEP_AFTER);
            return Ok(Sweep {
                expired,
                elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
                cpu_us_per_session: per(used, expired),
            });
        }
        thread::sleep(Duration::from_millis(20));
    }
    Err(Failed("no sweep was logged within ten minutes".to_owned()))
}

/// A quotient with one decimal.
#[expect(clippy::cast_precision_loss, reason = "microseconds and counts of a measurement, far below 2^52")]
fn per(total: u64, count: u64) -> f64 {
    (total as f64 * 10.0 / count.max(1) as f64).round() / 10.0
}

/// The number with commas.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The table in Markdown.
fn table(points: &[Point]) -> String {
    let mut text = "| sessions |".to_owned();
    for (operation, _) in MEASURED {
        // Writing to a string cannot fail.
        let _ = write!(text, " {}, µs (CPU) |", operation.name().replace('_', " "));
    }
    text += " start, ms | bytes per session | memory at start, after use, MB | sweep of 1 %, s (CPU µs each) |\n|";
    text += &"--:|".repeat(MEASURED.len() + 5);
    text.push('\n');
    for point in points {
        text += &row(point);
        text.push('\n');
    }
    text
}

/// A row of the table.
fn row(point: &Point) -> String {
    let mut text = format!("| {} |", thousands(point.sessions));
    for cost in &point.operations {
        // Writing to a string cannot fail.
        let _ = write!(text, " {} ({:.0}) |", cost.p50_us, cost.cpu_us);
    }
    let sweep = point.sweep;
    let (seconds, tenths) = (sweep.elapsed_ms / 1000, sweep.elapsed_ms % 1000 / 100);
    let _ = write!(
        text,
        " {} | {} | {:.0}, {:.0} | {seconds}.{tenths} ({:.0}) |",
        point.start_ms, point.bytes_per_session, point.started_mb, point.used_mb, sweep.cpu_us_per_session
    );
    text
}

/// A text for each bar of issue 13, and whether it is reached.
fn bars(points: &[Point]) -> Vec<(String, bool)> {
    let mut bars = Vec::new();
    let mut add = |text: String, reached: bool| {
        bars.push((format!("{text}: {}", if reached { "reached" } else { "NOT reached" }), reached));
    };
    if let [first, .., last] = points {
        #[expect(clippy::cast_precision_loss, reason = "counts and microseconds, far below 2^52")]
        let ratio = |one: u64, other: u64| one as f64 / other.max(1) as f64;
        #[expect(clippy::cast_precision_loss, reason = "counts, far below 2^52")]
        let allowed = (last.sessions as f64).ln() / (first.sessions as f64).ln();
        for (before, after) in first.operations.iter().zip(&last.operations) {
            if ["fetch_hit", "fetch_miss", "list_of_ten"].contains(&after.operation) {
                let grown = ratio(after.p50_us, before.p50_us);
                add(
                    format!(
                        "{} at {} sessions takes {grown:.2} times as long as at {}, at most {allowed:.2}",
                        after.operation,
                        thousands(last.sessions),
                        thousands(first.sessions)
                    ),
                    // As printed: 1.5 is not a number of the processor's.
                    (grown * 100.0).round() <= (allowed * 100.0).round(),
                );
            }
        }
    }
    let start_ms = points.iter().map(|point| point.start_ms).max().unwrap_or_default();
    add(
        format!("a start takes {start_ms} ms, at most {} ms", START_MAX.as_millis()),
        u128::from(start_ms) <= START_MAX.as_millis(),
    );
    let bytes = points.iter().map(|point| point.bytes_per_session).max().unwrap_or_default();
    add(format!("a session takes {bytes} bytes on the disk, at most {BYTES_MAX}"), bytes <= BYTES_MAX);
    bars
}

/// The plot of the medians.
fn plot(points: &[Point]) -> String {
    #[expect(clippy::cast_precision_loss, reason = "microseconds, far below 2^52")]
    let line = |(place, (operation, _)): (usize, (Operation, usize))| {
        let values =
            points.iter().filter_map(|point| Some(point.operations.get(place)?.p50_us.max(1) as f64));
        (operation.name().replace('_', " "), values.collect())
    };
    let lines: Vec<_> = MEASURED.into_iter().enumerate().map(line).collect();
    let names: Vec<_> =
        points.iter().map(|point| format!("{} sessions", thousands(point.sessions))).collect();
    chart("Median time of a request, one at a time, in µs", &names, &lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(sessions: u64, p50_us: u64, start_ms: u64, bytes_per_session: u64) -> Point {
        let cost = |(operation, _): (Operation, usize)| Cost {
            operation: operation.name(),
            p50_us,
            p99_us: p50_us,
            cpu_us: 1.0,
        };
        Point {
            sessions,
            start_ms,
            bytes_per_session,
            started_mb: 20.0,
            used_mb: 30.0,
            operations: MEASURED.map(cost).to_vec(),
            sweep: Sweep { expired: 1, elapsed_ms: 1_250, cpu_us_per_session: 9.0 },
        }
    }

    #[test]
    fn growth_up_to_the_logarithm_a_start_of_a_second_and_700_bytes_reach_the_bars() {
        let reached = |points: &[Point]| bars(points).iter().filter(|(_, reached)| *reached).count();
        assert_eq!(reached(&[point(10_000, 100, 10, 600), point(1_000_000, 150, 1_000, 700)]), 5);
        assert_eq!(reached(&[point(10_000, 100, 10, 600), point(1_000_000, 151, 1_000, 700)]), 2);
        assert_eq!(reached(&[point(10_000, 100, 10, 600), point(1_000_000, 150, 1_001, 700)]), 4);
        assert_eq!(reached(&[point(10_000, 100, 10, 701), point(1_000_000, 150, 1_000, 700)]), 4);
    }

    #[test]
    fn the_table_has_a_row_for_each_size_and_a_cell_for_each_column() {
        let table = table(&[point(10_000, 100, 10, 600), point(1_000_000, 150, 1_000, 700)]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 4);
        let cells = |line: &str| line.matches('|').count();
        assert!(lines.iter().all(|line| cells(line) == cells(lines[0])), "{table}");
        assert!(
            lines[3].starts_with("| 1,000,000 | 150 (1) |") && lines[3].ends_with("| 1.2 (9) |"),
            "{table}"
        );
    }

    #[test]
    fn a_sample_has_enough_live_sessions_each_once() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let lines: Vec<String> = (0..10_000).map(|number| format!("{number} token")).collect();
        std::fs::write(file.path(), lines.join("\n")).unwrap();
        let made = sample(file.path(), 10_000, 100).unwrap();
        let numbers: std::collections::BTreeSet<u64> =
            made.iter().map(|(id, _)| id.parse().unwrap()).collect();
        assert_eq!(numbers.len(), made.len());
        assert!(numbers.first() >= Some(&100) && numbers.last() > Some(&9_000));
        for (operation, count) in MEASURED {
            assert!(made.len() >= operation.sessions(WARM_UP + count) + MEASURED[4].1 + WARM_UP);
        }
    }
}
