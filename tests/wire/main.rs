//! The wire leg of the contract gate: checks a running `sessiond` against everything that `openapi.json` documents.
//!
//! The requests are derived from the document. How to provoke a status and which rules no schema expresses is written in
//! `statuses.rs` and `rules.rs`. Standard output has a JSON object for each finding and a last line with the number of
//! checks. The exit code is 0 without findings, 1 with some, and 2 if the program could not do its work.

mod coverage;
mod faults;
mod probe;
mod report;
mod routes;
mod rules;
mod run;
mod schemas;
mod security;
mod server;
mod statuses;
mod suite;
mod values;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::report::Failed;
use crate::server::Program;

/// Check a running sessiond against openapi.json.
#[derive(Debug, Parser)]
#[command(name = "wire-leg", group = clap::ArgGroup::new("program").required(true))]
struct Arguments {
    /// The contract
    #[arg(long, value_name = "FILE")]
    spec: PathBuf,
    /// The program under test
    #[arg(long, value_name = "PROGRAM", group = "program")]
    sessiond: Option<PathBuf>,
    /// The program to seed faults in, one at a time, to report whether the suite finds each of them
    #[arg(long, value_name = "PROGRAM", group = "program")]
    seed_faults: Option<PathBuf>,
    /// With --seed-faults: a fault to seed; repeatable; without it, every fault is seeded
    #[arg(long, value_name = "NAME", requires = "seed_faults")]
    fault: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = std::io::stdout().lock();
    let outcome = match (&arguments.sessiond, &arguments.seed_faults) {
        (Some(path), _) => {
            let program = Program { path: path.clone(), proxy: None };
            run::run(&arguments.spec, &program).and_then(|report| {
                report.print(&mut out).map_err(|error| Failed(error.to_string()))?;
                Ok(report.findings.is_empty())
            })
        }
        (None, Some(path)) => faults::seed(&arguments.spec, path, &arguments.fault, &mut out),
        (None, None) => Err(Failed("name a program".to_owned())),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the one line that says why there is no result")]
            {
                eprintln!("wire-leg: {error}");
            }
            ExitCode::from(2)
        }
    }
}
