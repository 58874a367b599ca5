//! `cargo xtask bench`: everything side by side in one go.

use std::io::Write;
use std::path::PathBuf;

use crate::process::Failed;

/// The settings of `bench` without a command.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Settings {
    /// Sessions in each store
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) sessions: usize,
    /// Use the programs `sessiond`, `baseline`, `fill` and `examples/select_rate` of this folder, instead of building them
    #[arg(long, value_name = "FOLDER")]
    pub(crate) programs: Option<PathBuf>,
}

/// Runs all scenarios in interleaved rounds.
pub(crate) fn run(_: &Settings, _: &mut dyn Write, _: &mut dyn Write) -> Result<(), Failed> {
    Err(Failed("not there yet".to_owned()))
}
