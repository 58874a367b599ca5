//! `cargo xtask bench fetch --store postgres`: fetches from a full PostgreSQL, side by side with bare statements.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use session_test_support::launcher::Program;
use session_test_support::postgres::Cluster;
use session_test_support::seed::{DOMAIN_ID, POOL_ID};
use session_types::SessionId;

use super::cores::Memory;
use super::load::{ROUNDS, Settings, machine};
use super::operation::create_sessions;
use super::scenario::{PICK, Report, Requests, select_rate, wrk};
use crate::install::provide;
use crate::process::{Failed, key, launch, release, say};

/// What fills the database.
const FILL: &str = include_str!("fill.sql");

/// How many of the sessions are fetched, at random: so many that their pages do not stay in the processor's cache.
const FETCHED: usize = 200_000;

/// How many sessions are created, to be fetched with their own tokens.
const CREATED: usize = 20_000;

/// How fast a node must start, and at what share of the bare rate it must fetch: issue 12.
const STARTS_WITHIN: Duration = Duration::from_secs(2);
const SHARE_MIN: f64 = 0.6;

/// How much faster the store must be than a pool of connections: issue 13.
const POOL_FACTOR_MIN: f64 = 1.4;

/// Fills a new cluster with sessions, and measures the start of a node and fetches from it.
pub(super) fn fetch(settings: &Settings, out: &mut dyn Write) -> Result<(), Failed> {
    provide("wrk", "--version", "wrk", out)?;
    let mut say = |text: String| say(out, &text);
    let programs = release(&["--bin=sessiond", "--example=select_rate"])?;
    let program = settings.sessiond.clone().unwrap_or_else(|| programs.join("sessiond"));
    let select = programs.join("examples/select_rate");
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
    let key = key(&sessiond, &["--domain", DOMAIN_ID], &["session:read", "session:create"])?;
    let address = sessiond.address.to_string();
    let ids = ids(&cluster, &database)?;
    let ids_file = write(folder.path(), "ids", &ids.join("\n"))?;
    let own = create_sessions(&address, &key, CREATED)?.made;
    let requests = |name: &str, fetches: Vec<(String, &str)>| {
        let fetch = |(id, token): (String, &str)| {
            (format!("/api/v1/session/{id}"), format!("authorization: Bearer {token}"))
        };
        let fetches: Vec<_> = fetches.into_iter().map(fetch).collect();
        let lines = fetches.iter().map(|(path, header)| (path.as_str(), header.as_str()));
        Requests::write(folder.path().join(name), lines)
    };
    let by_key = requests("by-key", ids.into_iter().map(|id| (id, key.as_str())).collect())?;
    let own = requests("own", own.iter().map(|(id, token)| (id.clone(), token.as_str())).collect())?;
    let script = write(folder.path(), "pick.lua", PICK)?;

    say(format!("{} at the same time, {} s each:", settings.connections, settings.seconds))?;
    let seconds = (settings.seconds / ROUNDS).max(1);
    let [mut bare, mut pool, mut store, mut http, mut http_own] = [(); 5].map(|()| Turns::default());
    // In turns, so that a slow phase of the machine affects all of them.
    for _ in 0..ROUNDS {
        for (what, turns) in [("select", &mut bare), ("pool", &mut pool), ("store", &mut store)] {
            turns.add(select_rate(&select, what, &url, &ids_file, settings.connections, seconds)?)?;
        }
        for (requests, turns) in [(&by_key, &mut http), (&own, &mut http_own)] {
            let load = |seconds| wrk(&script, &address, requests, settings.connections, seconds);
            // To warm up.
            load(1)?;
            turns.add(load(seconds)?)?;
        }
    }
    for (name, turns) in [
        ("SELECT by primary key, two connections", &bare),
        ("the same SELECT, a pool of sixteen", &pool),
        ("fetch of the store, by the session's ID", &store),
        ("GET of sessiond with an API key, over HTTP", &http),
        ("the same with the session's own token", &http_own),
    ] {
        say(format!("{name:<44} {:>7.0}/s  p99 {:>6.0} µs", turns.per_second(), turns.p99_us))?;
    }
    for (name, turns, to, minimum) in [
        ("the store, relative to the SELECT", &store, &bare, SHARE_MIN),
        ("sessiond with an API key, relative to the SELECT", &http, &bare, SHARE_MIN),
        ("sessiond with own tokens, relative to the SELECT", &http_own, &bare, SHARE_MIN),
        ("the store, relative to the pool", &store, &pool, POOL_FACTOR_MIN),
    ] {
        let share = turns.per_second() / to.per_second();
        let bar = if share >= minimum { "reached" } else { "NOT reached" };
        say(format!("{name}: {share:.2}; the bar of {minimum} is {bar}"))?;
    }
    say(Memory::describe(sessiond.pid())?)
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

/// What the turns of a measurement have measured.
#[derive(Default)]
struct Turns {
    requests: f64,
    seconds: f64,
    /// Of the slowest turn.
    p99_us: f64,
}

impl Turns {
    fn add(&mut self, turn: Report) -> Result<(), Failed> {
        if turn.errors > 0 {
            return Err(Failed(format!("{} requests failed", turn.errors)));
        }
        self.requests += turn.requests;
        self.seconds += turn.seconds;
        self.p99_us = self.p99_us.max(turn.p99_us);
        Ok(())
    }

    fn per_second(&self) -> f64 {
        self.requests / self.seconds
    }
}

fn write(folder: &Path, name: &str, text: &str) -> Result<PathBuf, Failed> {
    let file = folder.join(name);
    std::fs::write(&file, text).map_err(|error| Failed(format!("{name}: {error}")))?;
    Ok(file)
}
