//! `cargo xtask check`: client, server and wire against the contract.
//!
//! Each leg is named at the beginning of its lines. `Ok(false)` is drift; an error is a tool that could not do
//! its work, and never agreement.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::compare;
use crate::generate;
use crate::process::{Counts, Failed, cargo_test, root, say};

/// Documented answers that no test provokes, each with its reason.
const NOT_PROVOKED: [(&str, &str, &str); 3] = [
    ("fetch_session", "503", "a read of the embedded store waits for nobody, so it is never late"),
    ("fetch_own_session", "503", "as for fetch_session"),
    ("list_sessions", "503", "as for fetch_session"),
];

/// Compares documents and code: the client leg and the server leg.
pub(crate) fn static_legs(spec: Option<&Path>, out: &mut dyn Write) -> Result<bool, Failed> {
    let spec = spec_path(spec);
    let client = generate::check(&spec, out)?;
    let server = server_leg(&read(&spec)?, out)?;
    Ok(client && server)
}

/// The static legs, then the wire leg: the end-to-end tests, which hold each answer against the contract.
pub(crate) fn all_legs(spec: Option<&Path>, out: &mut dyn Write) -> Result<bool, Failed> {
    let still = static_legs(spec, out)?;
    let tests = ["test", "--quiet", "--locked", "--package", "session-tests"];
    let (wire, _) = wire_leg(&spec_path(spec), &tests, out)?;
    Ok(still && wire)
}

fn spec_path(spec: Option<&Path>) -> PathBuf {
    spec.map_or_else(|| root().join("openapi.json"), Path::to_owned)
}

fn read(spec: &Path) -> Result<Value, Failed> {
    let text = std::fs::read_to_string(spec)
        .map_err(|error| Failed(format!("{} cannot be read: {error}", spec.display())))?;
    // What is no JSON was already drift for the client leg; here it has nothing in it.
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

fn server_leg(contract: &Value, out: &mut dyn Write) -> Result<bool, Failed> {
    let server = session_api::derived_openapi()
        .map_err(|error| Failed(format!("the server describes no document: {error}")))?;
    let differences = compare::differences(contract, &server);
    for difference in &differences {
        say(
            out,
            &format!(
                "server: #{}: {} (server: #{})",
                difference.contract, difference.what, difference.server
            ),
        )?;
    }
    if differences.is_empty() {
        say(out, "server: what it describes is what openapi.json says")?;
    } else {
        say(out, "server: change openapi.json, or make crates/session-api say the same")?;
    }
    Ok(differences.is_empty())
}

/// Runs tests with cargo and these arguments; they hold each answer against the contract and note it. Then
/// every documented answer must have been provoked. Answers whether all that is so, and the count of tests.
pub(crate) fn wire_leg(
    spec: &Path,
    arguments: &[&str],
    out: &mut dyn Write,
) -> Result<(bool, Counts), Failed> {
    let contract = read(spec)?;
    let spec = spec.canonicalize().map_err(|error| Failed(format!("{}: {error}", spec.display())))?;
    let folder = tempfile::tempdir().map_err(|error| Failed(format!("no temporary folder: {error}")))?;
    let noted = folder.path().join("answers");
    let environment = [("SESSION_CONTRACT", spec.as_path()), ("SESSION_ANSWERS", noted.as_path())];
    let (passed, counts) = cargo_test(arguments, &environment, out)?;
    if !passed {
        say(out, "wire: a test failed, or an answer is not of openapi.json; the reason is above")?;
        return Ok((false, counts));
    }
    let noted = std::fs::read_to_string(&noted)
        .map_err(|error| Failed(format!("the tests noted no answer: {error}")))?;
    let provoked: BTreeSet<&str> = noted.lines().collect();
    let mut all = true;
    for (id, status, _) in NOT_PROVOKED {
        if !documented(&contract).iter().any(|(_, operation, code)| (*operation, *code) == (id, status)) {
            all = false;
            let what = "is excused, but openapi.json does not document it; take it out of NOT_PROVOKED";
            say(out, &format!("wire: the answer {status} of {id} {what}"))?;
        }
    }
    for (pointer, operation, status) in documented(&contract) {
        let excused = NOT_PROVOKED.iter().any(|(id, code, _)| (*id, *code) == (operation, status));
        let found = provoked.contains(pointer.as_str());
        if found == excused {
            all = false;
            let what = if found {
                "a test provokes it; take it out of NOT_PROVOKED in xtask/src/check.rs"
            } else {
                "no test provokes it; add one to tests/, or take the answer out of openapi.json"
            };
            say(out, &format!("wire: #{pointer}: {what}"))?;
        }
    }
    let codes = contract.pointer("/components/schemas/Error_Code/enum").and_then(Value::as_array);
    for code in codes.into_iter().flatten().filter_map(Value::as_str) {
        if !provoked.contains(code) {
            all = false;
            say(out, &format!("wire: no test provokes the code {code}; add one to tests/"))?;
        }
    }
    if all {
        let answers = documented(&contract).len() - NOT_PROVOKED.len();
        say(out, &format!("wire: {answers} documented answers provoked, each as openapi.json says"))?;
    }
    Ok((all, counts))
}

/// Pointer, operation ID and status of every documented answer.
fn documented(contract: &Value) -> Vec<(String, &str, &str)> {
    let mut answers = Vec::new();
    for (path, item) in contract["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            for status in operation["responses"].as_object().into_iter().flat_map(|statuses| statuses.keys())
            {
                let path = path.replace('~', "~0").replace('/', "~1");
                let pointer = format!("/paths/{path}/{method}/responses/{status}");
                answers.push((
                    pointer,
                    operation["operationId"].as_str().unwrap_or_default(),
                    status.as_str(),
                ));
            }
        }
    }
    answers
}
