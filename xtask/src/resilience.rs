//! `cargo xtask resilience`: runs `sessiond` through crashes, races, damaged stores, jumps of the clock and silent
//! connections. The program that does it is in `tests/resilience`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use crate::check::programs;
use crate::process::{Failed, cargo_quiet, say};

/// How long and how often.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Settings {
    /// How often the server is killed under load
    #[arg(long, value_name = "N", default_value_t = Self::default().kills)]
    kills: u64,
    /// How long clients race
    #[arg(long, value_name = "N", default_value_t = Self::default().seconds)]
    seconds: u64,
    /// The seed of all random choices, as a former run printed it; without it, one of the current time
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

impl Default for Settings {
    /// About three minutes on two cores.
    fn default() -> Self {
        Self { kills: 50, seconds: 30, seed: None }
    }
}

/// Runs it and returns whether it found nothing. Its output is copied to `out` as it comes.
pub(crate) fn run(settings: Settings, out: &mut dyn Write) -> Result<bool, Failed> {
    let programs = programs()?;
    cargo_quiet(&["build", "--quiet", "--locked", "--package", "session-tests", "--bin", "resilience"])?;
    let mut command = Command::new(programs.join("resilience"));
    command.arg("--sessiond").arg(programs.join("sessiond")).env("NO_PROXY", "127.0.0.1");
    command.args(["--kills", &settings.kills.to_string(), "--seconds", &settings.seconds.to_string()]);
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
