//! `cargo xtask bench fetch --store postgres`: fetches from a full PostgreSQL, side by side with bare statements.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use session_test_support::launcher::Program;
use session_test_support::postgres::Cluster;
use session_test_support::seed::{DOMAIN_ID, POOL_ID};
use session_types::SessionId;

use super::load::{Measured, ROUNDS, Settings, machine, measure, memory, request};
use crate::process::{Failed, cargo, key, launch, output, say, target};

/// What fills the database.
const FILL: &str = include_str!("fill.sql");

/// How many of the sessions are fetched, at random: so many that their pages do not stay in the processor's cache.
const FETCHED: usize = 200_000;

/// How fast a node must start, and at what share of the bare rate it must fetch: issue 12.
const STARTS_WITHIN: Duration = Duration::from_secs(2);
const SHARE_MIN: f64 = 0.6;

/// Fills a new cluster with sessions, and measures the start of a node and fetches from it.
pub(super) fn fetch(settings: &Settings, out: &mut dyn Write) -> Result<(), Failed> {
    let mut say = |text: String| say(out, &text);
    let target = target()?;
    let build = ["build", "--release", "--locked", "--package", "session-store", "--example", "select_rate"];
    let program = if let Some(program) = &settings.sessiond {
        cargo(&build)?;
        program.clone()
    } else {
        // In one command: each of its own would compile what they share with other features.
        cargo(&[&build[..], &["--package", "session-server", "--bin", "sessiond"]].concat())?;
        target.join("release/sessiond")
    };
    let select_rate = target.join("release/examples/select_rate");
    // The whole table fits, as it should where the rate of fetches matters.
    let cluster = Cluster::launch(&[("shared_buffers", "2GB"), ("max_wal_size", "8GB")]).map_err(launch)?;
    let database = cluster.create_database();
    let url = cluster.url(&database);
    let folder = tempfile::tempdir().map_err(|error| Failed(format!("no temporary folder: {error}")))?;
    let start = || {
        let began = Instant::now();
        let flags = ["--log-level", "warn", "--store", &url];
        let server = Program::at(&program).log_on_stderr().serve(folder.path(), "", &flags).map_err(launch);
        server.map(|mut server| {
            server.store.clone_from(&url);
            (server, began.elapsed())
        })
    };
    // It makes the tables.
    drop(start()?);

    say(format!("machine: {}", machine()))?;
    let began = Instant::now();
    fill(&cluster, &database, settings.sessions)?;
    let size = cluster.psql(&database, "SELECT pg_size_pretty(pg_database_size(current_database()))");
    say(format!("{} sessions in {} s, {size}", settings.sessions, began.elapsed().as_secs()))?;
    let (sessiond, started) = start()?;
    say(format!(
        "start of a node: {} ms, {} the bar of {STARTS_WITHIN:?}",
        started.as_millis(),
        if started <= STARTS_WITHIN { "within" } else { "NOT within" }
    ))?;
    let key = key(&sessiond, &["--domain", DOMAIN_ID], &["session:read"])?;
    let ids = ids(&cluster, &database)?;
    let file = folder.path().join("ids");
    std::fs::write(&file, ids.join("\n")).map_err(|error| Failed(format!("the IDs: {error}")))?;

    say(format!("{} at the same time, {} s each:", settings.connections, settings.seconds))?;
    let address = sessiond.address.to_string();
    let [mut bare, mut store, mut http] = [(); 3].map(|()| Measured::default());
    let (mut bare_p99_us, mut store_p99_us) = (0, 0);
    // In turns, so that a slow phase of the machine affects all of them.
    for _ in 0..ROUNDS {
        for (what, measured, p99_us) in
            [("select", &mut bare, &mut bare_p99_us), ("store", &mut store, &mut store_p99_us)]
        {
            let (more, p99) = select(&select_rate, what, &url, &file, settings)?;
            measured.add(more);
            *p99_us = p99.max(*p99_us);
        }
        http.add(measure(&address, settings, |random| {
            request(&format!("/api/v1/session/{}", ids[random % ids.len()]), &key)
        })?);
    }
    http.latencies_us.sort_unstable();
    let rate = |measured: &Measured| measured.per_second();
    say(format!(
        "{:<44} {:>7.0}/s  p99 {:>6} µs",
        "SELECT by primary key, two connections",
        rate(&bare),
        bare_p99_us
    ))?;
    say(format!(
        "{:<44} {:>7.0}/s  p99 {:>6} µs",
        "fetch of the store, by the session's ID",
        rate(&store),
        store_p99_us
    ))?;
    say(format!(
        "{:<44} {:>7.0}/s  p99 {:>6} µs",
        "GET of sessiond with an API key, over HTTP",
        rate(&http),
        http.percentile_us(99)
    ))?;
    for (name, measured) in [("the store", &store), ("sessiond", &http)] {
        let share = rate(measured) / rate(&bare);
        let bar = if share >= SHARE_MIN { "reached" } else { "NOT reached" };
        say(format!("relative to the SELECT: {share:.2} of {name}; the bar of {SHARE_MIN} is {bar}"))?;
    }
    say(memory(sessiond.pid()))
}

/// Fills the tables with sessions of the seed's pool.
fn fill(cluster: &Cluster, database: &str, sessions: usize) -> Result<(), Failed> {
    let bytes = |id: &str| {
        let id: SessionId = id.parse().map_err(|error| Failed(format!("{id}: {error}")))?;
        Ok(id.0.as_bytes().iter().fold("\\x".to_owned(), |text, byte| text + &format!("{byte:02x}")))
    };
    let mut psql = cluster.command("psql");
    psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", database]);
    psql.arg(format!("--set=sessions={sessions}")).arg(format!("--set=domain={}", bytes(DOMAIN_ID)?));
    psql.arg(format!("--set=pool={}", bytes(POOL_ID)?)).stdin(Stdio::piped()).stdout(Stdio::null());
    let failed = |error: std::io::Error| Failed(format!("psql: {error}"));
    let mut child = psql.spawn().map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(FILL.as_bytes()).map_err(failed)?;
        stdin.write_all(b"VACUUM ANALYZE session;\nVACUUM ANALYZE event;\n").map_err(failed)?;
    }
    let status = child.wait().map_err(failed)?;
    if status.success() {
        Ok(())
    } else {
        Err(Failed("the database cannot be filled; psql says why".to_owned()))
    }
}

/// The IDs of some sessions from all parts of the table.
fn ids(cluster: &Cluster, database: &str) -> Result<Vec<String>, Failed> {
    let sql = format!("SELECT encode(id, 'hex') FROM session TABLESAMPLE BERNOULLI (20) LIMIT {FETCHED}");
    let lines = cluster.psql(database, &sql);
    let id = |hex: &str| {
        let byte = |place: usize| u8::from_str_radix(hex.get(2 * place..2 * place + 2)?, 16).ok();
        let mut bytes = [0; 20];
        for (place, one) in bytes.iter_mut().enumerate() {
            *one = byte(place)?;
        }
        Some(session_types::Id::from_bytes(bytes).to_string())
    };
    lines.lines().map(|hex| id(hex).ok_or_else(|| Failed(format!("{hex} is no ID")))).collect()
}

/// One turn of bare statements, or of fetches of the store. Returns also the 99th percentile.
fn select(
    program: &Path,
    what: &str,
    url: &str,
    ids: &Path,
    settings: &Settings,
) -> Result<(Measured, u32), Failed> {
    let turn = Duration::from_secs(settings.seconds.into()) / ROUNDS;
    let mut command = Command::new(program);
    command.args([what, url]).arg(ids).arg(settings.connections.to_string());
    let printed = output(command.arg(turn.as_secs_f64().to_string()))?;
    let numbers: Vec<u32> = printed.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let [count, p50_us, p99_us] = numbers[..] else { return Err(Failed(format!("unexpected: {printed}"))) };
    let count = usize::try_from(count).unwrap_or_default();
    Ok((Measured { latencies_us: vec![p50_us; count], elapsed: turn }, p99_us))
}
