//! `client-leg`: holds the generated client against the document, from outside.
//!
//! Every operation is called through [`session_client::Client`] against a server that answers whatever it is told to.
//! The requests must be those of the document (`requests`), every answer of the document must be understood
//! (`answers`), and an answer that is not of the document must not pass for one (`deviations`). Each finding is a line of
//! JSON on standard output. The exit code is 0 for none, 1 for some, and 2 if the program could not do its work.

mod answers;
mod calls;
mod coverage;
mod deviations;
mod document;
mod fake;
mod fields;
mod lint;
mod outcome;
mod pattern;
mod report;
mod requests;
mod samples;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use session_client::{Client, Inner, Options};

use crate::answers::Answers;
use crate::calls::{Exercise, NEVER_SENT, exercises};
use crate::document::{Document, Operation};
use crate::fake::Fake;
use crate::report::Report;
use crate::requests::Judge;

/// Holds the generated client against an `OpenAPI` document.
#[derive(Debug, Parser)]
#[command(name = "client-leg")]
struct Arguments {
    /// The document, `openapi.json`.
    #[arg(long, value_name = "FILE")]
    spec: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // No document should make it panic; if one does, that is no finding, and the panic has said where.
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

/// Writes the findings; answers whether there are none.
fn run(spec: &Path) -> Result<bool, String> {
    let failed = |what: &str, error: &dyn std::fmt::Display| format!("{}: {what}: {error}", spec.display());
    let text = std::fs::read_to_string(spec).map_err(|error| failed("it cannot be read", &error))?;
    let root = serde_json::from_str(&text).map_err(|error| failed("it is not JSON", &error))?;
    let document = Arc::new(Document::new(root, lint::is_known));
    let report = Arc::new(Report::default());
    if lint::lint(&document, &report) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| failed("no runtime", &error))?;
        runtime.block_on(exercise(&document, &report)).map_err(|error| failed("not exercised", &error))?;
    }
    let (lines, clean) = report.lines();
    std::io::stdout().write_all(lines.as_bytes()).map_err(|error| failed("standard output", &error))?;
    Ok(clean)
}

/// Exercises every operation, all at once.
async fn exercise(document: &Arc<Document>, report: &Arc<Report>) -> Result<(), String> {
    let mut exercises = exercises();
    let mut tasks = Vec::new();
    let mut ids = BTreeSet::new();
    for operation in document.operations() {
        let pointer = document.nearest(&format!("{}/operationId", operation.pointer));
        if !ids.insert(operation.id.clone()) {
            report.add("malformed", pointer, &operation.id, "another operation has the same operationId");
            continue;
        }
        let Some(place) = exercises.iter().position(|exercise| exercise.operation_id == operation.id) else {
            let what = "tests/client-leg/calls.rs has no request of it";
            report.add("operation-not-exercised", pointer, &operation.id, what);
            continue;
        };
        let exercise = exercises.swap_remove(place);
        let (document, report) = (Arc::clone(document), Arc::clone(report));
        tasks.push(tokio::spawn(async move { one(&document, &report, &operation, &exercise).await }));
    }
    for exercise in exercises {
        let what = "tests/client-leg/calls.rs has requests of it, but the document does not have it";
        report.add("operation-not-exercised", document.nearest("/paths"), exercise.operation_id, what);
    }
    for task in tasks {
        task.await.map_err(|error| error.to_string())??;
    }
    deviations::unused(document, report);
    Ok(())
}

async fn one(
    document: &Document,
    report: &Report,
    operation: &Operation,
    exercise: &Exercise,
) -> Result<(), String> {
    let fake = Fake::start().await.map_err(|error| error.to_string())?;
    let token = token(document, operation);
    let client = client(&fake, &token)?;
    let mut judge =
        Judge { document, report, operation, token: &token, sent: BTreeSet::new(), judged: false };
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
    let answers = Answers { document, report, operation, fake: &fake, client: &client, call };
    let documented = answers.documented();
    answers.give(&documented).await;
    deviations::give(&answers, &documented).await;
    Ok(())
}

/// A token of the first kind that the operation takes.
fn token(document: &Document, operation: &Operation) -> String {
    let first = document.members(&format!("{}/security/0", operation.pointer)).next();
    let prefix = if first.is_some_and(|(name, _)| name == "api_key") { "ssk_" } else { "sst_" };
    format!("{prefix}{}", "0".repeat(91))
}

/// A client without retries, so that each answer is seen once, and without the proxy of this machine.
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
