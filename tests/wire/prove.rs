//! Whether the suite catches what it is there for: one run for each fault that a program can have.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use crate::report::{Failed, Finding};
use crate::server::Program;

/// How many runs there are at once: each waits for a second or two for servers that wait.
const AT_ONCE: usize = 3;

/// The name that stands for no fault.
const CONTROL: &str = "none";

/// The finding that says most of a fault: what came comes before what did not.
fn most_direct(findings: BTreeSet<Finding>) -> Option<Finding> {
    let absent = |finding: &Finding| finding.rule.ends_with("-seen") || finding.rule.ends_with("-provoked");
    findings.into_iter().min_by_key(absent)
}

/// Runs the suite for each fault; answers whether each was caught.
pub(crate) fn prove(spec: &Path, program: &Path, out: &mut dyn Write) -> Result<bool, Failed> {
    let listed = std::process::Command::new(program).arg("--list-faults").output();
    let listed = listed.map_err(|error| Failed(format!("{}: {error}", program.display())))?;
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let mut waiting: Vec<String> = text.lines().map(str::to_owned).collect();
    if !listed.status.success() || waiting.is_empty() {
        return Err(Failed(format!("{} --list-faults printed no fault", program.display())));
    }
    let control = Program { path: program.to_owned(), fault: Some(CONTROL.to_owned()) };
    if let Some(Finding { rule, pointer, message }) = most_direct(super::run(spec, &control)?.findings) {
        return Err(Failed(format!(
            "the program has a finding without a fault: {rule} at {pointer}: {message}"
        )));
    }
    waiting.sort();
    waiting.reverse();
    let all = waiting.len();
    let waiting = Mutex::new(waiting);
    let done: Mutex<BTreeMap<String, Result<Option<Finding>, Failed>>> = Mutex::default();
    let work = || {
        while let Some(fault) = waiting.lock().ok().and_then(|mut waiting| waiting.pop()) {
            let program = Program { path: program.to_owned(), fault: Some(fault.clone()) };
            let first = super::run(spec, &program).map(|report| most_direct(report.findings));
            if let Ok(mut done) = done.lock() {
                done.insert(fault, first);
            }
        }
    };
    thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(work))));
    let mut caught = 0;
    let mut write = |line: String| writeln!(out, "{line}").map_err(|error| Failed(error.to_string()));
    for (fault, first) in done.into_inner().unwrap_or_default() {
        match first? {
            Some(Finding { rule, pointer, .. }) => {
                caught += 1;
                write(format!("fault {fault}: caught by {rule} at {pointer}"))?;
            }
            None => write(format!("fault {fault}: SURVIVED"))?,
        }
    }
    write(format!("{caught} of {all} faults caught"))?;
    Ok(caught == all)
}
