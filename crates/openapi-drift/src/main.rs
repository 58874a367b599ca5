//! `openapi-drift`: what breaks between two versions of an API's contract.

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use openapi_drift::breaking::{self, Settings};
use openapi_drift::report::{Failed, RulesFormat, write_rules};

/// Compares an OpenAPI 3.0 document with an earlier one: who breaks, and which version it must have.
///
/// The exit code is 0 if no old client breaks, 1 if one does or the version is too low, and 2 if the documents cannot be
/// compared.
#[derive(Debug, Parser)]
#[command(
    name = "openapi-drift",
    version,
    after_help = "`openapi-drift rules` lists every rule; see `openapi-drift rules --help`."
)]
struct Compare {
    #[command(flatten)]
    settings: Settings,
}

/// Lists every rule: its ID, what it is about, and what it reports.
#[derive(Debug, Parser)]
#[command(name = "openapi-drift rules", version)]
struct Rules {
    /// The output format
    #[arg(long, value_enum, default_value = "human")]
    format: RulesFormat,
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the reason why there is no result")]
            {
                eprintln!("openapi-drift: {error}");
            }
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool, Failed> {
    let out = &mut std::io::stdout();
    // The comparison has required options and no name of its own, which a subcommand of clap would need.
    if std::env::args_os().nth(1).as_deref() == Some(OsStr::new("rules")) {
        let rules = Rules::parse_from(std::env::args_os().skip(1));
        return write_rules(rules.format, out).map(|()| true);
    }
    breaking::run(&Compare::parse().settings, Path::new("."), out)
}
