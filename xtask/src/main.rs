//! `cargo xtask`: the tasks of this repository, one file for each.

mod bench;
mod check;
mod demo;
mod document;
mod faults;
mod generate;
mod ledger;
mod mutants;
mod process;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use openapi_drift::breaking;
use openapi_drift::report::Format;

use crate::process::Failed;

/// Tasks of the Session Service.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Write the client, `crates/session-client/src/generated.rs`, from `openapi.json`
    Generate {
        /// Write nothing; fail if what is there is stale
        #[arg(long)]
        check: bool,
    },
    /// Hold `openapi.json` by itself, and server, client and wire against it
    Check {
        /// Run nothing: compare documents and code only
        #[arg(long = "static")]
        static_only: bool,
        /// A document to hold them against in place of `openapi.json`
        #[arg(long, value_name = "FILE")]
        spec: Option<PathBuf>,
        /// How to write what is found
        #[arg(long, value_enum, default_value = "human")]
        format: Format,
    },
    /// Hold `openapi.json` against an earlier one: what breaks, and what its version must become
    Breaking(breaking::Settings),
    /// Change `openapi.json` in every place, and see whether `check` notices
    Mutants(mutants::Settings),
    /// Seed faults by a proxy in front of `sessiond`, and report whether the wire leg finds each of them
    Faults {
        /// The faults to seed; all of them without a name
        names: Vec<String>,
    },
    /// Every check of the repository, on a machine that has only Rust
    Test,
    /// See a session created, authenticated and fetched over real HTTP
    Demo {
        /// Leave the server up until Ctrl-C
        #[arg(long)]
        keep: bool,
    },
    /// Take figures
    #[command(subcommand)]
    Bench(Bench),
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Fetch sessions out of a full store, beside a bare answer of the same HTTP stack
    Fetch(bench::Settings),
    /// Compare two documents of 500 KB, beside reading their JSON
    Compare,
}

/// 0 when all is well, 1 when something does not agree or a test failed, 2 when the tool could not do its work.
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (mut out, mut progress) = (std::io::stdout(), std::io::stderr());
    let outcome: Result<bool, Failed> = match arguments.task {
        Task::Generate { check: true } => generate::check(&process::root().join("openapi.json"), &mut out),
        Task::Generate { check: false } => generate::write(&mut out).map(|()| true),
        Task::Check { static_only, spec, format } => {
            check::run(spec.as_deref(), static_only, format, &mut out)
        }
        Task::Breaking(settings) => breaking::run(&settings, &process::root(), &mut out),
        Task::Mutants(settings) => mutants::run(&settings, &mut out, &mut progress),
        Task::Faults { names } => faults::run(&names, &mut out),
        Task::Test => test::run(&mut out, &mut progress),
        Task::Demo { keep } => demo::run(keep, &mut out, &mut progress).map(|()| true),
        Task::Bench(Bench::Compare) => bench::compare::run(&mut out).map(|()| true),
        Task::Bench(Bench::Fetch(settings)) => bench::fetch(settings, &mut out).map(|()| true),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the line that says why the task ended")]
            {
                eprintln!("xtask: {error}");
            }
            ExitCode::from(2)
        }
    }
}
