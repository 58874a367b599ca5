//! `cargo xtask check`: checks the contract itself, and the server, the client and the wire against it.
//!
//! It has four legs, each named in the output. The document leg runs first. If it finds problems, the other legs do not run,
//! because their findings would be meaningless, and report so. Drift is a result (`Ok(false)`); an error means that a leg
//! could not run, and never counts as agreement.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use openapi_drift::breaking::details;
use openapi_drift::report::{self, Entry, Format, Leg, Level, Place};
use openapi_drift::{Document, Finding, Options, Position};
use serde_json::{Map, Value};

use crate::document;
use crate::generate;
use crate::ledger::{self, Ledger};
use crate::process::{EVERYTHING, Failed, cargo_output, programs, root};

/// A file with a contract, whether or not it can be parsed.
pub(crate) struct Contract {
    /// Its file.
    pub(crate) path: PathBuf,
    /// Its name in the output.
    pub(crate) name: String,
    /// The document, or the problem that prevents parsing.
    pub(crate) document: Result<Document, openapi_drift::Problem>,
}

impl Contract {
    /// Reads `openapi.json`, or the file at `spec` instead.
    pub(crate) fn read(spec: Option<&Path>) -> Result<Self, Failed> {
        let path = spec.map_or_else(|| root().join("openapi.json"), Path::to_owned);
        let name = spec.map_or_else(|| "openapi.json".to_owned(), |path| path.display().to_string());
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Failed(format!("{name} cannot be read: {error}")))?;
        Ok(Self { path, name, document: Document::parse(&text) })
    }

    /// An entry for the value at this pointer.
    fn entry(&self, pointer: &str, rule: &str, message: String) -> Entry {
        let position = match &self.document {
            Ok(document) => document.position(pointer),
            Err(problem) => problem.position,
        };
        Entry {
            level: Level::Error,
            rule: rule.to_owned(),
            message,
            place: Place { file: self.name.clone(), position, pointer: Some(pointer.to_owned()) },
            more: Map::new(),
        }
    }
}

/// Runs the legs, only the static ones if `static_only`, and writes their findings. Returns whether there are none.
pub(crate) fn run(
    spec: Option<&Path>,
    static_only: bool,
    format: Format,
    out: &mut dyn Write,
) -> Result<bool, Failed> {
    let contract = Contract::read(spec)?;
    let document_leg = document_leg(&contract);
    let document = match &contract.document {
        Ok(document) if document_leg.agrees() => document,
        _ => {
            let others: &[_] =
                if static_only { &["server", "client"] } else { &["server", "client", "wire"] };
            let others = others.iter().map(|name| not_run(&contract, name, "the document"));
            return report::write(&[document_leg].into_iter().chain(others).collect::<Vec<_>>(), format, out);
        }
    };
    let mut legs = vec![document_leg, server_leg(&contract, document)?];
    let mut client = client_leg(&contract)?;
    if static_only {
        legs.push(client);
    } else if compile(&mut client.entries)? {
        let programs = programs(&[])?;
        let checks = run_leg(&contract, &programs, "client-leg", &[], &mut client.entries)?;
        client.agreement =
            format!("generated.rs is current, and the client follows {} in {checks} checks", contract.name);
        legs.push(client);
        legs.push(wire_leg(&contract, &programs)?);
    } else {
        // The wire leg's package depends on the client.
        legs.extend([client, not_run(&contract, "wire", "the client")]);
    }
    report::write(&legs, format, out)
}

/// A leg that did not run because another one failed.
fn not_run(contract: &Contract, name: &'static str, failed: &str) -> Leg {
    let message = format!("this leg did not run because {failed} leg failed; fix that first");
    Leg {
        name,
        entries: vec![contract.entry("", "not-run", message)],
        agreement: String::new(),
        fix: format!("see {failed} leg"),
    }
}

/// The document leg: checks the document itself.
fn document_leg(contract: &Contract) -> Leg {
    let problems = match &contract.document {
        Ok(document) => document::problems(document),
        Err(problem) => vec![(problem.pointer.clone(), problem.rule.to_owned(), problem.message.clone())],
    };
    let entry = |(pointer, rule, message): document::Problem| contract.entry(&pointer, &rule, message);
    Leg {
        name: "document",
        entries: problems.into_iter().map(entry).collect(),
        agreement: format!(
            "{} is valid OpenAPI 3.0.3, its examples are valid, nothing is unused",
            contract.name
        ),
        fix: format!("fix {}", contract.name),
    }
}

/// The server leg: compares the contract with the description that the server derives from its types.
fn server_leg(contract: &Contract, document: &Document) -> Result<Leg, Failed> {
    let mut leg = Leg {
        name: "server",
        entries: Vec::new(),
        agreement: format!(
            "the derived description equals {}, except for the differences that {} lists",
            contract.name,
            ledger::PATH
        ),
        fix: format!("change {}, or the types and operations in crates/session-api", contract.name),
    };
    let (uncovered, problems) = Ledger::read()?.settle(server_findings(document)?);
    for finding in uncovered {
        let mut entry = contract.entry(
            &finding.base.pointer,
            finding.rule,
            format!("{} (in the description that the server derives)", finding.message),
        );
        entry.more = details(&finding, "server");
        leg.entries.push(entry);
    }
    for message in problems {
        let position = Position { line: 1, column: 1 };
        leg.entries.push(Entry {
            level: Level::Error,
            rule: "ledger".to_owned(),
            message,
            place: Place { file: ledger::PATH.to_owned(), position, pointer: None },
            more: Map::new(),
        });
    }
    Ok(leg)
}

/// Every difference between a contract and the description that the server derives.
pub(crate) fn server_findings(contract: &Document) -> Result<Vec<Finding>, Failed> {
    let derived = session_api::derived_openapi()
        .map_err(|error| Failed(format!("the server cannot derive its description: {error}")))?;
    let derived = Document::parse(&derived.to_string()).map_err(|problem| {
        Failed(format!("the description that the server derives is not valid: {problem}"))
    })?;
    openapi_drift::compare(contract, &derived, Options::default()).map_err(|error| Failed(error.to_string()))
}

/// The static part of the client leg: compares the client's code with the code that is generated from the contract.
fn client_leg(contract: &Contract) -> Result<Leg, Failed> {
    let mut leg = Leg {
        name: "client",
        entries: Vec::new(),
        agreement: "generated.rs is current".to_owned(),
        fix: "run `cargo xtask generate`, or fix the document".to_owned(),
    };
    match generate::state(&contract.path)? {
        generate::State::Current => {}
        generate::State::Stale(line) => leg.entries.push(Entry {
            level: Level::Error,
            rule: "stale".to_owned(),
            message: format!(
                "this is not the code that is generated from {}; run `cargo xtask generate`",
                contract.name
            ),
            place: Place {
                file: generate::TARGET.to_owned(),
                position: Position { line, column: 1 },
                pointer: None,
            },
            more: Map::new(),
        }),
        generate::State::None(reason) => leg.entries.push(contract.entry("", "no-client", reason)),
    }
    Ok(leg)
}

/// Builds the programs. Returns whether the client compiles; adds the compiler's errors if it does not.
fn compile(entries: &mut Vec<Entry>) -> Result<bool, Failed> {
    let build = ["build", "--quiet", "--locked", "--bins", "--message-format", "json"];
    let (compiles, messages) = cargo_output(&[&build[..], &EVERYTHING[..]].concat())?;
    if compiles {
        return Ok(true);
    }
    let count = entries.len();
    for line in messages.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_default();
        let message = &line["message"];
        let span = message["spans"]
            .as_array()
            .and_then(|spans| spans.iter().find(|span| span["is_primary"] == true));
        let of_client = line["target"]["name"] == "session_client" && message["level"] == "error";
        let Some(span) = span.filter(|_| of_client) else { continue };
        let number = |field: &str| span[field].as_u64().and_then(|it| usize::try_from(it).ok()).unwrap_or(1);
        entries.push(Entry {
            level: Level::Error,
            rule: "does-not-compile".to_owned(),
            message: message["message"].as_str().unwrap_or_default().to_owned(),
            place: Place {
                file: span["file_name"].as_str().unwrap_or_default().to_owned(),
                position: Position { line: number("line_start"), column: number("column_start") },
                pointer: None,
            },
            more: Map::new(),
        });
    }
    if entries.len() == count {
        return Err(Failed("cargo build failed without an error in the code of session-client".to_owned()));
    }
    Ok(false)
}

/// The wire leg: checks a running server against the contract.
fn wire_leg(contract: &Contract, programs: &Path) -> Result<Leg, Failed> {
    let mut entries = Vec::new();
    let sessiond = programs.join("sessiond");
    let arguments = [Path::new("--sessiond"), &sessiond];
    let checks = run_leg(contract, programs, "wire-leg", &arguments, &mut entries)?;
    Ok(Leg {
        name: "wire",
        entries,
        agreement: format!("sessiond follows {} in {checks} checks", contract.name),
        fix: format!("fix the server, or change {}", contract.name),
    })
}

/// Runs the program of a leg, adds its findings to the entries, and returns the number of its checks.
fn run_leg(
    contract: &Contract,
    programs: &Path,
    name: &str,
    arguments: &[&Path],
    entries: &mut Vec<Entry>,
) -> Result<u64, Failed> {
    let (findings, checks) = run_leg_program(programs, name, &contract.path, arguments)?;
    entries.extend(
        findings.into_iter().map(|(pointer, rule, message)| contract.entry(&pointer, &rule, message)),
    );
    Ok(checks)
}

/// Runs the program of a leg on a document. Returns its findings and the number of its checks.
pub(crate) fn run_leg_program(
    programs: &Path,
    name: &str,
    spec: &Path,
    arguments: &[&Path],
) -> Result<(Vec<document::Problem>, u64), Failed> {
    let mut command = Command::new(programs.join(name));
    command.arg("--spec").arg(spec).args(arguments).env("NO_PROXY", "127.0.0.1").stdin(Stdio::null());
    let output = command.output().map_err(|error| Failed(format!("{name} cannot be started: {error}")))?;
    let failed = || {
        let reason = String::from_utf8_lossy(&output.stderr);
        Failed(format!("{name} could not run its checks: {}", reason.trim()))
    };
    let (mut findings, mut checks) = (Vec::new(), None);
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let line: Value = serde_json::from_str(line).map_err(|_| failed())?;
        let text = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
        match line["checks"].as_u64() {
            Some(count) => checks = Some(count),
            None => findings.push((text("pointer"), text("rule"), text("message"))),
        }
    }
    // An exit code that contradicts the output means that the program failed before its end.
    match (output.status.code(), checks) {
        (Some(0), Some(checks)) if findings.is_empty() => Ok((findings, checks)),
        (Some(1), Some(checks)) if !findings.is_empty() => Ok((findings, checks)),
        _ => Err(failed()),
    }
}
