//! The wire leg of the contract gate: checks a running `sessiond` against everything that `openapi.json` documents.
//!
//! The requests are derived from the document. How to provoke a status and which rules no schema expresses is written in
//! `statuses.rs` and `rules.rs`. Standard output has a JSON object for each finding and a last line with the number of
//! checks. The exit code is 0 without findings, 1 with some, and 2 if the program could not do its work.

mod coverage;
mod probe;
mod prove;
mod report;
mod routes;
mod rules;
mod schemas;
mod security;
mod server;
mod statuses;
mod suite;
mod values;
mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use session_test_support::Contract;
use session_test_support::launcher::WITHOUT_LIFETIMES;
use session_test_support::tokens;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::report::{Failed, Report};
use crate::server::{Program, Server};
use crate::suite::Suite;
use crate::world::World;

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
    /// The program in front of which faults are seeded, one after the other, to see whether each of them is found
    #[arg(long, value_name = "PROGRAM", group = "program")]
    prove: Option<PathBuf>,
    /// With --prove: a fault to seed; repeatable; without it, every fault is seeded
    #[arg(long, value_name = "NAME", requires = "prove")]
    fault: Vec<String>,
}

/// The contract in this file.
fn read(spec: &Path) -> Result<Arc<Contract>, Failed> {
    let text = std::fs::read_to_string(spec)
        .map_err(|error| Failed(format!("{} cannot be read: {error}", spec.display())))?;
    Contract::parse(&text).map(Arc::new).map_err(|error| {
        let advice = "fix what `cargo xtask check --static` reports";
        Failed(format!("{} has problems; {advice}: {error}", spec.display()))
    })
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
    schemas::check(&suite);
    let (prepared, world) = prepare(program)?;
    runtime()?.block_on(ask(&suite, &world, program, prepared.path()))?;
    coverage::check(&suite);
    Ok(suite.report.into_inner())
}

/// Sends the requests to servers of the program, each on a copy of the prepared store.
async fn ask(suite: &Suite, world: &World, program: &Program, prepared: &Path) -> Result<(), Failed> {
    for operation in suite.contract.operations() {
        suite.check(world.known.contains(&operation.id), "operation-unknown", &operation.pointer, || {
            format!("{}: sessiond has no operation of this ID", operation.id)
        });
    }
    for id in &world.known {
        suite.check(
            suite.contract.operations().iter().any(|operation| operation.id == *id),
            "operation-undocumented",
            "",
            || format!("{id}: sessiond has this operation, openapi.json does not"),
        );
    }
    // Each part has a server of its own: one with a fault may change more than it was asked to, and the findings would
    // depend on the order of the requests.
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
    let outcome = match (&arguments.sessiond, &arguments.prove) {
        (Some(path), _) => {
            let program = Program { path: path.clone(), proxy: None };
            run(&arguments.spec, &program).and_then(|report| {
                report.print(&mut out).map_err(|error| Failed(error.to_string()))?;
                Ok(report.findings.is_empty())
            })
        }
        (None, Some(path)) => prove::prove(&arguments.spec, path, &arguments.fault, &mut out),
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
