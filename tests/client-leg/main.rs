//! `client-leg`: checks the generated client against the contract, from outside.
//!
//! Every operation is called through [`session_client::Client`] against a server whose responses this program chooses. The
//! requests must be those of the contract (`requests`), every response of the contract must be read (`responses`), and a
//! response that violates the contract must not be accepted (`deviations`). Each finding is a line of JSON on standard
//! output. The exit code is 0 without findings, 1 with some, and 2 if the program could not do its work.

mod calls;
mod deviations;
mod fake;
mod fields;
mod outcome;
mod report;
mod requests;
mod responses;
mod values;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use session_client::{Client, Inner, Options};
use session_test_support::samples::unsupported;
use session_test_support::{Contract, Operation};

use crate::calls::{Exercise, NEVER_SENT, exercises};
use crate::fake::Fake;
use crate::report::Report;
use crate::requests::Judge;
use crate::responses::Responses;

/// Check the generated client against an `OpenAPI` document.
#[derive(Debug, Parser)]
#[command(name = "client-leg")]
struct Arguments {
    /// The document, `openapi.json`.
    #[arg(long, value_name = "FILE")]
    spec: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // No document should cause a panic. If one does, it is not a finding, and the panic has printed its place.
    let outcome = std::panic::catch_unwind(|| run(&arguments.spec));
    match outcome.unwrap_or_else(|_| Err("it panicked".to_owned())) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(reason) => {
            // Standard output is for findings.
            let _ = writeln!(std::io::stderr(), "client-leg: {reason}");
            ExitCode::from(2)
        }
    }
}

/// Writes the findings and returns whether there are none.
fn run(spec: &Path) -> Result<bool, String> {
    let failed = |what: &str, error: &dyn std::fmt::Display| format!("{}: {what}: {error}", spec.display());
    let text = std::fs::read_to_string(spec).map_err(|error| failed("it cannot be read", &error))?;
    let contract = Contract::parse(&text)
        .map_err(|error| failed("it has problems; fix what `cargo xtask check --static` reports", &error))?;
    let (contract, report) = (Arc::new(contract), Arc::new(Report::default()));
    for (pointer, what) in unsupported(&contract) {
        report.add("unknown-keyword", pointer, "document", what);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed("no runtime", &error))?;
    runtime.block_on(exercise(&contract, &report)).map_err(|error| failed("not exercised", &error))?;
    let (lines, clean) = report.lines();
    std::io::stdout().write_all(lines.as_bytes()).map_err(|error| failed("standard output", &error))?;
    Ok(clean)
}

/// Exercises every operation, all of them concurrently.
async fn exercise(contract: &Arc<Contract>, report: &Arc<Report>) -> Result<(), String> {
    let mut exercises = exercises(contract);
    let mut tasks = Vec::new();
    for operation in contract.operations() {
        report.check();
        let pointer = contract.nearest(&format!("{}/operationId", operation.pointer));
        let Some(index) = exercises.iter().position(|exercise| exercise.operation_id == operation.id) else {
            let what = "tests/client-leg/calls.rs has no request of it";
            report.add("operation-not-exercised", pointer, &operation.id, what);
            continue;
        };
        let exercise = exercises.swap_remove(index);
        let (contract, report, operation) = (Arc::clone(contract), Arc::clone(report), operation.clone());
        tasks.push(tokio::spawn(async move { one(&contract, &report, &operation, &exercise).await }));
    }
    for exercise in exercises {
        report.check();
        let what = "tests/client-leg/calls.rs has requests of it, but the document does not have it";
        report.add("operation-not-exercised", contract.nearest("/paths"), exercise.operation_id, what);
    }
    for task in tasks {
        task.await.map_err(|error| error.to_string())??;
    }
    deviations::unused(contract, report);
    Ok(())
}

async fn one(
    contract: &Contract,
    report: &Report,
    operation: &Operation,
    exercise: &Exercise,
) -> Result<(), String> {
    let fake = Fake::start().await.map_err(|error| error.to_string())?;
    let token = token(operation);
    let client = client(&fake, &token)?;
    let mut judge =
        Judge { contract, report, operation, token: &token, sent: BTreeSet::new(), judged: false };
    for call in &exercise.calls {
        let outcome = call(client.clone()).await;
        let captured = fake.take();
        if captured.len() != 1 {
            let what = format!("a call made {} requests: {:?}", captured.len(), outcome.end);
            report.add("not-sent", operation.pointer.clone(), &operation.id, what);
        }
        for request in &captured {
            judge.judge(request);
        }
    }
    judge.finish(&NEVER_SENT);
    let Some(call) = exercise.calls.first() else { return Ok(()) };
    let responses = Responses { contract, report, operation, fake: &fake, client: &client, call };
    let documented = responses.documented();
    responses.give(&documented).await;
    deviations::give(&responses, &documented).await;
    Ok(())
}

/// A token of the first scheme that the operation accepts.
fn token(operation: &Operation) -> String {
    let first = operation.security.iter().flatten().next();
    let prefix = if first.is_some_and(|name| name == "api_key") { "ssk_" } else { "sst_" };
    format!("{prefix}{}", "0".repeat(91))
}

/// A client without retries, so that each response is seen once, and without the proxy of this machine.
fn client(fake: &Fake, token: &str) -> Result<Client, String> {
    let token = token.parse().map_err(|error: session_client::InvalidToken| error.to_string())?;
    let inner = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(10))
        .build()
        .map_err(|error| error.to_string())?;
    let options = Options { retries: 0, ..Options::default() };
    Ok(Client::new_with_client(&fake.address, inner, Inner::new(&token, options)))
}
