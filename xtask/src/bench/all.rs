//! `cargo xtask bench`: everything side by side in one go.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use super::cores::{Cores, Memory, raise_file_limit};
use super::load::machine;
use super::peers;
use super::report;
use super::results::{Measured, Results, bars, relate};
use super::scenario::{PICK, Round};
use super::servers::{Place, Servers};
use crate::install::{POSTGRES, provide};
use crate::process::{Failed, output, release, root, say, target};

/// The settings of `bench` without a command.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Settings {
    /// Sessions in each store
    #[arg(long, default_value_t = SESSIONS)]
    sessions: usize,
    /// Rounds, in each of which every row is measured once; the table has the medians
    #[arg(long, default_value_t = ROUNDS)]
    rounds: usize,
    /// Seconds of each measurement, after a second of warming up; with a session's own token twice as many
    #[arg(long, default_value_t = SECONDS)]
    seconds: u32,
    /// Measure only these rows, beside raw hyper and dropshot; several are separated by commas
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = NAMES)]
    only: Vec<String>,
    /// Also measure Redis, express-session with Redis, and better-auth; needs npm and its registry
    #[arg(long)]
    peers: bool,
    /// Use the programs `sessiond`, `baseline`, `fill` and `examples/select_rate` of this folder, instead of building them
    #[arg(long, value_name = "FOLDER")]
    pub(crate) programs: Option<PathBuf>,
}

/// The names of the rows, in their order.
const NAMES: [&str; 15] = [
    "hyper",
    "axum",
    "dropshot",
    "key-hot",
    "token-hot",
    "connections",
    "key-uniform",
    "token-uniform",
    "postgres-select",
    "postgres-pool",
    "postgres",
    "postgres-cache",
    "redis",
    "express",
    "better-auth",
];

const SESSIONS: usize = 1_000_000;
const ROUNDS: usize = 5;
const SECONDS: u32 = 5;

impl Settings {
    /// Whether a group with these rows is measured.
    fn includes(&self, names: &[&str]) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| names.contains(&only.as_str()))
    }

    /// Whether the figures are as good as those that are published: all rows, as many sessions, and enough time.
    fn is_whole(&self) -> bool {
        self.only.is_empty()
            && self.programs.is_none()
            && self.sessions >= SESSIONS
            && self.rounds >= ROUNDS
            && self.seconds >= SECONDS
    }
}

/// Measures all rows in interleaved rounds, so that a slow phase of the machine affects all of them. Prints the table, and
/// writes the results unless only a part was measured.
pub(crate) fn run(settings: &Settings, out: &mut dyn Write, progress: &mut dyn Write) -> Result<(), Failed> {
    provide("wrk", "--version", "wrk", progress)?;
    provide(POSTGRES, "--version", "postgresql", progress)?;
    let programs = if let Some(folder) = &settings.programs {
        folder.clone()
    } else {
        release(&["--bins", "--example=select_rate"])?
    };
    raise_file_limit()?;
    let cores = Cores::choose()?;
    // On the disk of the build, because a temporary folder may be in memory.
    let folder = tempfile::tempdir_in(target()?).map_err(|error| Failed(format!("no folder: {error}")))?;
    let script = folder.path().join("pick.lua");
    std::fs::write(&script, PICK).map_err(|error| Failed(format!("the load: {error}")))?;
    let mut notes = vec![pinning(cores)];
    let mut versions = versions()?;
    let place = Place {
        programs: &programs,
        folder: folder.path(),
        cores,
        sessions: settings.sessions,
        fill_seconds: 2 * settings.seconds,
        script: &script,
    };
    let mut servers = Servers::default();
    servers.start_baselines(&place)?;
    // One that cannot be measured is a note, and the others are measured.
    let mut try_to = |what: &str, outcome: Result<(), Failed>| {
        if let Err(Failed(error)) = outcome {
            notes.push(format!("{what} was not measured: {error}"));
        }
    };
    say(progress, "bench: filling the stores")?;
    if settings.includes(&["key-hot", "token-hot", "connections"]) {
        try_to("sessiond with the default cache", servers.start_embedded(&place));
    }
    if settings.includes(&["key-uniform", "token-uniform"]) {
        try_to("sessiond with a cache for a tenth", servers.start_embedded_tenth(&place));
    }
    if settings.includes(&["postgres", "postgres-cache", "postgres-select", "postgres-pool"]) {
        let version = servers.start_postgres(&place);
        try_to("PostgreSQL", version.map(|version| drop(versions.insert("PostgreSQL".to_owned(), version))));
    }
    if settings.peers {
        for (name, version) in peers::start(&mut servers, &place, progress) {
            match version {
                Ok(version) => drop(versions.insert(name.to_owned(), version)),
                Err(error) => try_to(name, Err(error)),
            }
        }
    }
    servers.scenarios.retain(|scenario| {
        ["hyper", "dropshot"].contains(&scenario.name) || settings.includes(&[scenario.name])
    });
    let scenarios = rounds(&servers, &place, settings, progress, &mut notes)?;
    // What is resident is that of a full cache; the 4,096 connections come later, and count for the most only.
    let last = servers.default_pid.and_then(|pid| Memory::of(pid).ok());
    let memory =
        servers.memory.map(|full| Memory { peak_mb: last.map_or(full.peak_mb, |last| last.peak_mb), ..full });
    let bars = bars(&scenarios, memory);
    let results = Results {
        date: line(Command::new("date").args(["-u", "+%F"]))?,
        commit: line(
            Command::new("git").args(["describe", "--always", "--dirty", "--exclude=*"]).current_dir(root()),
        )?,
        machine: machine(),
        versions,
        sessions: settings.sessions,
        rounds: settings.rounds,
        seconds: settings.seconds,
        scenarios,
        memory,
        bars,
        notes,
    };
    say(out, &report::text(&results))?;
    if settings.is_whole() {
        let file = report::write(&results, &root())?;
        say(out, &format!("written: {}, docs/performance.md and its plot", file.display()))
    } else {
        say(out, "nothing is written: this was a part of the measurement, or a short one")
    }
}

/// Measures every scenario once in each round. One that fails is a note and is not measured again.
fn rounds(
    servers: &Servers,
    place: &Place,
    settings: &Settings,
    progress: &mut dyn Write,
    notes: &mut Vec<String>,
) -> Result<Vec<Measured>, Failed> {
    let mut measured: Vec<Result<Vec<Round>, ()>> =
        servers.scenarios.iter().map(|_| Ok(Vec::new())).collect();
    for number in 1..=settings.rounds {
        for (scenario, rounds) in servers.scenarios.iter().zip(&mut measured) {
            let Ok(so_far) = rounds else { continue };
            match scenario.measure(place.script, &place.cores, settings.seconds) {
                Ok(round) => {
                    let rate = round.requests_per_second;
                    say(progress, &format!("bench: round {number}, {}: {rate:.0}/s", scenario.name))?;
                    so_far.push(round);
                }
                Err(Failed(error)) => {
                    notes.push(format!("{} was not measured: {error}", scenario.what));
                    *rounds = Err(());
                }
            }
            for log in &servers.logs {
                log.set_len(0).map_err(|error| Failed(format!("a log cannot be emptied: {error}")))?;
            }
        }
    }
    let rows = servers.scenarios.iter().zip(&measured);
    let mut rows: Vec<Measured> = rows
        .filter_map(|(scenario, rounds)| {
            Some(Measured::of(scenario.name, &scenario.what, rounds.as_deref().ok()?))
        })
        .collect();
    relate(&mut rows);
    Ok(rows)
}

/// Which process runs where.
fn pinning(cores: Cores) -> String {
    if cores.server == cores.load {
        return "This machine has one core, which the server and the load share: only the time on the processor counts."
            .to_owned();
    }
    format!(
        "Each server runs on core {} alone and the load on core {}; PostgreSQL may use all cores. sessiond logs at level info \
         to a file. Fetches with a session's own token count the time to write last interactions within 6 s of their end.",
        cores.server, cores.load
    )
}

/// The versions of what takes part.
fn versions() -> Result<BTreeMap<String, String>, Failed> {
    let mut versions = BTreeMap::new();
    versions.insert("rustc".to_owned(), line(Command::new("rustc").arg("--version"))?.replace("rustc ", ""));
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    versions.insert("Linux".to_owned(), kernel.trim().to_owned());
    // wrk reports a failure with its version.
    let wrk =
        Command::new("wrk").arg("--version").output().map_err(|error| Failed(format!("wrk: {error}")))?;
    let wrk = String::from_utf8_lossy(&wrk.stdout).split_whitespace().nth(1).unwrap_or_default().to_owned();
    versions.insert("wrk".to_owned(), wrk);
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap_or_default();
    let lock: toml::Table = lock.parse().map_err(|error| Failed(format!("Cargo.lock: {error}")))?;
    for package in lock.get("package").and_then(toml::Value::as_array).into_iter().flatten() {
        if let (Some(name), Some(version)) = (package["name"].as_str(), package["version"].as_str())
            && ["axum", "dropshot", "hyper", "tokio"].contains(&name)
        {
            versions.insert(name.to_owned(), version.to_owned());
        }
    }
    Ok(versions)
}

/// The first line that a command prints.
fn line(command: &mut Command) -> Result<String, Failed> {
    Ok(output(command)?.lines().next().unwrap_or_default().to_owned())
}
