//! `cargo xtask bench`: everything side by side in one go.

use std::io::Write;

use crate::process::Failed;

/// The settings of `bench` without a command.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Settings {
    /// Sessions in each store
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) sessions: usize,
}

/// Runs all scenarios in interleaved rounds.
pub(crate) fn run(_: &Settings, _: &mut dyn Write, _: &mut dyn Write) -> Result<(), Failed> {
    Err(Failed("not there yet".to_owned()))
}
