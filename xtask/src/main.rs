//! `cargo xtask`: the tasks of this repository, each in its own file.

mod bench;
mod check;
mod demo;
mod deny;
mod document;
mod faults;
mod generate;
mod install;
mod ledger;
mod mutants;
mod process;
mod resilience;
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
        /// Write nothing; fail if the existing file is stale
        #[arg(long)]
        check: bool,
    },
    /// Check `openapi.json` itself, and the server, the client and the wire against it
    Check {
        /// Start no process: compare only documents and code
        #[arg(long = "static")]
        static_only: bool,
        /// The document to check, instead of `openapi.json`
        #[arg(long, value_name = "FILE")]
        spec: Option<PathBuf>,
        /// The format of the findings
        #[arg(long, value_enum, default_value = "human")]
        format: Format,
    },
    /// Compare `openapi.json` with an earlier version: what breaks, and which version it must have
    Breaking(breaking::Settings),
    /// Change `openapi.json` in every place, one change at a time, and report whether `check` notices
    Mutants(mutants::Settings),
    /// Seed faults with a proxy in front of `sessiond`, and report whether the wire leg finds each of them
    Faults {
        /// The faults to seed; without a name, all of them
        names: Vec<String>,
    },
    /// Run `sessiond` through crashes, races, damaged stores and jumps of the clock, and nodes on PostgreSQL through its faults
    Resilience(resilience::Settings),
    /// Check the licences and sources of the dependencies, and known vulnerabilities
    Deny,
    /// Run every check of the repository, on a machine that has only Rust and a C compiler
    Test,
    /// Create, authenticate and fetch a session over real HTTP
    Demo {
        /// Leave the server running until Ctrl-C
        #[arg(long)]
        keep: bool,
    },
    /// Measure performance; without a command, everything side by side in one go
    #[command(args_conflicts_with_subcommands = true)]
    Bench {
        #[command(subcommand)]
        part: Option<Bench>,
        #[command(flatten)]
        all: bench::all::Settings,
        /// Count instructions with valgrind instead, and compare them with `bench/instructions.json`
        #[arg(long)]
        instructions: bool,
        /// Write the counts to `bench/instructions.json` instead of comparing
        #[arg(long, requires = "instructions")]
        write: bool,
    },
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Fetch sessions from a full store, side by side with a bare response of the same HTTP stack
    Fetch(bench::Settings),
    /// Compare two documents of 500 KB, relative to the time to parse their JSON
    Compare,
    /// Measure operations, memory, file and start of the embedded store as it grows
    Growth(bench::growth::Settings),
    /// Measure durable changes by 1 to 256 clients on both stores, beside one commit at a time
    Writes(bench::writes::Settings),
}

/// Runs the task. The exit code is 0 for success, 1 for drift or a failed test, and 2 if the tool itself failed.
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
        Task::Resilience(settings) => resilience::run(&settings, &mut out),
        Task::Deny => deny::run(&mut out, &mut progress),
        Task::Test => test::run(&mut out, &mut progress),
        Task::Demo { keep } => demo::run(keep, &mut out, &mut progress).map(|()| true),
        Task::Bench { part: None, all, instructions: true, write } => {
            bench::instructions::run(all.programs.as_deref(), write, &mut out)
        }
        Task::Bench { part: None, all, .. } => bench::all::run(&all, &mut out, &mut progress).map(|()| true),
        Task::Bench { part: Some(part), .. } => match part {
            Bench::Compare => bench::compare::run(&mut out).map(|()| true),
            Bench::Fetch(settings) => bench::fetch(&settings, &mut out).map(|()| true),
            Bench::Growth(settings) => bench::growth::run(&settings, &mut out),
            Bench::Writes(settings) => bench::writes::run(&settings, &mut out),
        },
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the error of the program")]
            {
                eprintln!("xtask: {error}");
            }
            ExitCode::from(2)
        }
    }
}
