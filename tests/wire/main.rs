//! The wire leg of the contract gate: asks a running `sessiond` everything that `openapi.json` says of it.
//!
//! The requests are derived from the document; what it cannot say stands in the tables of `world.rs`, `statuses.rs` and
//! `rules.rs`. Standard output has a JSON object for each finding and a last line with the count of checks. The exit code
//! is 0 without findings, 1 with some, and 2 if the tool could not do its work.

mod coverage;
mod faults;
mod probe;
mod report;
mod routes;
mod rules;
mod security;
mod server;
mod spec;
mod statuses;
mod suite;
mod values;
mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use serde_json::Value;
use session_test_support::launcher::WITHOUT_LIFETIMES;
use session_test_support::tokens;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::report::{Failed, Report};
use crate::server::{Program, Server};
use crate::suite::Suite;
use crate::world::World;

/// Hold a running sessiond against openapi.json.
#[derive(Debug, Parser)]
#[command(name = "wire-leg", group = clap::ArgGroup::new("program").required(true))]
struct Arguments {
    /// The contract
    #[arg(long, value_name = "FILE")]
    spec: PathBuf,
    /// The program that is to keep it
    #[arg(long, value_name = "PROGRAM", group = "program")]
    sessiond: Option<PathBuf>,
    /// The program to seed faults in, one at a time, to report whether the suite finds each of them
    #[arg(long, value_name = "PROGRAM", group = "program")]
    seed_faults: Option<PathBuf>,
    /// With --seed-faults: a fault to seed; repeatable; without it, every fault is seeded
    #[arg(long, value_name = "NAME", requires = "seed_faults")]
    fault: Vec<String>,
}

/// The contract in this file.
fn read(spec: &Path) -> Result<Value, Failed> {
    let text = std::fs::read_to_string(spec)
        .map_err(|error| Failed(format!("{} cannot be read: {error}", spec.display())))?;
    serde_json::from_str(&text).map_err(|error| Failed(format!("{} is not JSON: {error}", spec.display())))
}

/// A runtime for one run of the suite.
fn runtime() -> Result<Runtime, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failed(format!("no runtime: {error}")))
}

/// A store with what the requests are about, in a folder of its own.
fn prepare(program: &Program) -> Result<(TempDir, World), Failed> {
    let folder = || tempfile::tempdir().map_err(|error| Failed(format!("no temporary folder: {error}")));
    let (prepared, elsewhere) = (folder()?, folder()?);
    let world = World::prepare(program, prepared.path(), elsewhere.path())?;
    Ok((prepared, world))
}

/// Runs the suite on a runtime of its own.
fn run(spec: &Path, program: &Program) -> Result<Report, Failed> {
    let suite = Suite::new(read(spec)?)?;
    spec::examine(&suite.spec, &mut suite.report.borrow_mut());
    let (prepared, world) = prepare(program)?;
    runtime()?.block_on(ask(&suite, &world, program, prepared.path()))?;
    coverage::check(&suite);
    Ok(suite.report.into_inner())
}

/// Asks servers of the program, each on a copy of the prepared store.
async fn ask(suite: &Suite, world: &World, program: &Program, prepared: &Path) -> Result<(), Failed> {
    for operation in &suite.operations {
        suite.check(world.known.contains(&operation.id), "operation-unknown", &operation.pointer, || {
            format!("{}: sessiond has no operation of this ID", operation.id)
        });
    }
    for id in &world.known {
        suite.check(
            suite.operations.iter().any(|operation| operation.id == *id),
            "operation-undocumented",
            "",
            || format!("{id}: sessiond has this operation, and openapi.json has not"),
        );
    }
    // Each on a server of its own: a server with a fault may change more than it was asked to, and then what came first
    // would decide what is found.
    let start = || Server::start(program, prepared, WITHOUT_LIFETIMES);
    let values = async {
        let server = start().await?;
        values::check(suite, world, server.address).await;
        Ok(())
    };
    let security = async {
        let server = start().await?;
        security::check(suite, world, server.address).await;
        Ok(())
    };
    let statuses = async {
        let server = start().await?;
        statuses::ordinary(suite, world, server.address).await;
        Ok(())
    };
    let rules = async {
        let server = start().await?;
        rules::check(suite, world, server.address).await;
        routes::check(suite, server.address).await;
        Ok(())
    };
    tokio::try_join!(
        values,
        security,
        statuses,
        rules,
        statuses::limited(suite, world, program, prepared),
        statuses::disabled(suite, world, program, prepared),
        statuses::broken(suite, world, program, prepared),
        statuses::waiting(suite, world, program, prepared),
        statuses::expired(suite, world, program, prepared),
    )?;
    world.suffice()
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = std::io::stdout().lock();
    let outcome = match (&arguments.sessiond, &arguments.seed_faults) {
        (Some(path), _) => {
            let program = Program { path: path.clone(), proxy: None };
            run(&arguments.spec, &program).and_then(|report| {
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
