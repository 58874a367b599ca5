//! `cargo xtask check`: the contract by itself, and server, client and wire against it.
//!
//! Four legs, each named in the output. Drift is an answer; an error is a tool that could not do its work, and never
//! agreement.

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
use crate::process::{Failed, cargo_output, cargo_quiet, root, say, target};

/// The programs of the legs that run something: package and name.
const PROGRAMS: [(&str, &str); 3] =
    [("session-server", "sessiond"), ("session-tests", "client-leg"), ("session-tests", "wire-leg")];

/// A contract, or a text that is none.
pub(crate) struct Contract {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// How it is named in the output.
    pub(crate) name: String,
    /// What it says.
    pub(crate) document: Result<Document, openapi_drift::Problem>,
}

impl Contract {
    /// Reads `openapi.json`, or another file in its place.
    pub(crate) fn read(spec: Option<&Path>) -> Result<Self, Failed> {
        let path = spec.map_or_else(|| root().join("openapi.json"), Path::to_owned);
        let name = spec.map_or_else(|| "openapi.json".to_owned(), |path| path.display().to_string());
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Failed(format!("{name} cannot be read: {error}")))?;
        Ok(Self { path, name, document: Document::parse(&text) })
    }

    /// An entry at a place of this document.
    fn entry(&self, pointer: &str, rule: &str, message: String) -> Entry {
        let position = match &self.document {
            Ok(document) => document.position(pointer),
            Err(fault) => fault.position,
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

/// Runs the legs, the static ones alone if that is asked, and writes what they found.
pub(crate) fn run(
    spec: Option<&Path>,
    static_only: bool,
    format: Format,
    out: &mut dyn Write,
) -> Result<bool, Failed> {
    let contract = Contract::read(spec)?;
    let mut legs = vec![document_leg(&contract), server_leg(&contract)?];
    let mut client = client_leg(&contract)?;
    if static_only {
        legs.push(client);
    } else if compile(&mut client.entries)? {
        let programs = programs()?;
        let checks = exercise(&contract, &programs, "client-leg", &[], &mut client.entries)?;
        client.agreement =
            format!("generated.rs is current, and keeps to {} in {checks} checks", contract.name);
        legs.push(client);
        legs.push(wire_leg(&contract, &programs)?);
    } else {
        legs.push(client);
        // What asks the server is built with the client.
        let entry = contract.entry("", "not-run", "the client does not compile; fix it first".to_owned());
        let (agreement, fix) = (String::new(), "see the client".to_owned());
        legs.push(Leg { name: "wire", entries: vec![entry], agreement, fix });
    }
    report::write(&legs, format, out)
}

/// The document by itself.
fn document_leg(contract: &Contract) -> Leg {
    let faults = match &contract.document {
        Ok(document) => document::problems(document),
        Err(fault) => vec![(fault.pointer.clone(), fault.rule.to_owned(), fault.message.clone())],
    };
    let entry = |(pointer, rule, message): document::Problem| contract.entry(&pointer, &rule, message);
    Leg {
        name: "document",
        entries: faults.into_iter().map(entry).collect(),
        agreement: format!(
            "{} is valid OpenAPI 3.0.3, its examples are what they say, nothing is unused",
            contract.name
        ),
        fix: format!("fix {}", contract.name),
    }
}

/// What the server describes, against the contract.
fn server_leg(contract: &Contract) -> Result<Leg, Failed> {
    let mut leg = Leg {
        name: "server",
        entries: Vec::new(),
        agreement: format!(
            "what it describes is what {} says, but for what {} lists",
            contract.name,
            ledger::PATH
        ),
        fix: format!("change {}, or make crates/session-api say the same", contract.name),
    };
    let Ok(document) = &contract.document else {
        leg.entries.push(contract.entry(
            "",
            "not-compared",
            "there is no document to compare it with".to_owned(),
        ));
        return Ok(leg);
    };
    let (left, faults) = Ledger::read()?.settle(server_findings(document)?);
    for finding in left {
        let mut entry = contract.entry(
            &finding.base.pointer,
            finding.rule,
            format!("{} (in what the server describes)", finding.message),
        );
        entry.more = details(&finding, "server");
        leg.entries.push(entry);
    }
    for message in faults {
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

/// Every difference between a contract and what the server describes.
pub(crate) fn server_findings(contract: &Document) -> Result<Vec<Finding>, Failed> {
    let derived = session_api::derived_openapi()
        .map_err(|error| Failed(format!("the server describes no document: {error}")))?;
    let derived = Document::parse(&derived.to_string())
        .map_err(|fault| Failed(format!("what the server describes is no document: {fault}")))?;
    openapi_drift::compare(contract, &derived, Options::default()).map_err(|error| Failed(error.to_string()))
}

/// The client's code, against the one that is generated from the contract.
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
                "this is not what is generated from {}; run `cargo xtask generate`",
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

/// Whether the client compiles; if not, adds why.
fn compile(entries: &mut Vec<Entry>) -> Result<bool, Failed> {
    let arguments =
        ["check", "--quiet", "--locked", "--package", "session-client", "--message-format", "json"];
    let (compiles, messages) = cargo_output(&arguments)?;
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
        let Some(span) = span.filter(|_| message["level"] == "error") else { continue };
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
        return Err(Failed(
            "cargo check of session-client failed, and named no error of its code".to_owned(),
        ));
    }
    Ok(false)
}

/// A running server, against the contract.
fn wire_leg(contract: &Contract, programs: &Path) -> Result<Leg, Failed> {
    let mut entries = Vec::new();
    let sessiond = programs.join("sessiond");
    let arguments = [Path::new("--sessiond"), &sessiond];
    let checks = exercise(contract, programs, "wire-leg", &arguments, &mut entries)?;
    Ok(Leg {
        name: "wire",
        entries,
        agreement: format!("sessiond keeps to {} in {checks} checks", contract.name),
        fix: format!("fix the server, or change {}", contract.name),
    })
}

/// Builds the programs that the legs run; answers the folder that they are in.
pub(crate) fn programs() -> Result<PathBuf, Failed> {
    for (package, name) in PROGRAMS {
        cargo_quiet(&["build", "--quiet", "--locked", "--package", package, "--bin", name])?;
    }
    Ok(target()?.join("debug"))
}

/// Runs `sessiond` with each of its seeded faults; answers whether the wire leg finds each of them.
pub(crate) fn faults(out: &mut dyn Write) -> Result<bool, Failed> {
    let programs = programs()?;
    let faulty = ["--package", "session-server", "--features", "seeded-faults", "--bin", "sessiond-faulty"];
    cargo_quiet(&[&["build", "--quiet", "--locked"][..], &faulty].concat())?;
    let mut command = Command::new(programs.join("wire-leg"));
    command.arg("--spec").arg(root().join("openapi.json"));
    command.arg("--prove").arg(programs.join("sessiond-faulty")).env("NO_PROXY", "127.0.0.1");
    let output = command.output().map_err(|error| Failed(format!("wire-leg cannot be started: {error}")))?;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        say(out, line)?;
    }
    match output.status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => Err(Failed(format!(
            "wire-leg could not do its work: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ))),
    }
}

/// Runs a program that holds something against the contract, and adds what it found. Answers how much it looked at.
fn exercise(
    contract: &Contract,
    programs: &Path,
    name: &str,
    arguments: &[&Path],
    entries: &mut Vec<Entry>,
) -> Result<u64, Failed> {
    if let Err(fault) = &contract.document {
        entries.push(contract.entry(
            "",
            "not-run",
            format!("there is no document to hold it against: {fault}"),
        ));
        return Ok(0);
    }
    let (findings, checks) = ask(programs, name, &contract.path, arguments)?;
    entries.extend(
        findings.into_iter().map(|(pointer, rule, message)| contract.entry(&pointer, &rule, message)),
    );
    Ok(checks)
}

/// What such a program found: pointer, rule and sentence of each finding, and how much it looked at.
pub(crate) fn ask(
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
        Failed(format!("{name} could not do its work: {}", reason.trim()))
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
    // An exit code that does not fit what was printed is a program that broke off.
    match (output.status.code(), checks) {
        (Some(0), Some(checks)) if findings.is_empty() => Ok((findings, checks)),
        (Some(1), Some(checks)) if !findings.is_empty() => Ok((findings, checks)),
        _ => Err(failed()),
    }
}
