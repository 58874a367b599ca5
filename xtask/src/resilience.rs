//! `cargo xtask resilience`: runs `sessiond` through crashes, races, damaged stores, jumps of the clock and silent
//! connections, and three nodes on PostgreSQL through all that may fail between them. The program that does it is in
//! `tests/resilience`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use crate::process::{Failed, programs, say};

/// How long and how often.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Settings {
    /// A part to run, such as `nodes`; repeatable; without it, every part runs
    #[arg(long = "part", value_name = "PART")]
    parts: Vec<String>,
    /// How often the server on the embedded store is killed under load
    #[arg(long, value_name = "N", default_value_t = Self::default().kills)]
    kills: u64,
    /// How often one of the nodes on PostgreSQL is killed under load
    #[arg(long, value_name = "N", default_value_t = Self::default().node_kills)]
    node_kills: u64,
    /// How many sessions are revoked on one node and read on another
    #[arg(long, value_name = "N", default_value_t = Self::default().revocations)]
    revocations: u64,
    /// How long clients race, in seconds; at least one race is run
    #[arg(long, value_name = "N", default_value_t = Self::default().seconds)]
    seconds: u64,
    /// The seed of all random choices, as a former run printed it; without it, one of the current time
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

impl Default for Settings {
    /// At most ten minutes on two cores.
    fn default() -> Self {
        Self { parts: Vec::new(), kills: 50, node_kills: 200, revocations: 10_000, seconds: 30, seed: None }
    }
}

/// Runs it and returns whether it found nothing. Its output is copied to `out` as it comes.
pub(crate) fn run(settings: &Settings, out: &mut dyn Write) -> Result<bool, Failed> {
    let programs = programs(&[])?;
    let mut command = Command::new(programs.join("resilience"));
    command.arg("--sessiond").arg(programs.join("sessiond")).env("NO_PROXY", "127.0.0.1");
    for (name, value) in [
        ("--kills", settings.kills),
        ("--node-kills", settings.node_kills),
        ("--revocations", settings.revocations),
        ("--seconds", settings.seconds),
    ] {
        command.args([name, &value.to_string()]);
    }
    command.args(settings.parts.iter().flat_map(|part| ["--part", part]));
    command.args(settings.seed.iter().flat_map(|seed| ["--seed".to_owned(), seed.to_string()]));
    let failed = |error: std::io::Error| Failed(format!("resilience could not run: {error}"));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(failed)?;
    for line in child.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).lines()) {
        say(out, &line.map_err(failed)?)?;
    }
    match child.wait().map_err(failed)?.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => Err(Failed("resilience could not do its work; the reason is above".to_owned())),
    }
}
