//! Findings, and the number of checks.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Write;

use serde_json::json;

/// A difference between the contract and the server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// The kind of difference; stable.
    pub(crate) rule: &'static str,
    /// The place in the contract: a JSON pointer that resolves.
    pub(crate) pointer: String,
    /// One sentence for people, the same in every run.
    pub(crate) message: String,
}

/// The program could not do its work.
#[derive(Debug)]
pub(crate) struct Failed(pub(crate) String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}

/// Collects findings and counts checks.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// In the order in which they are printed.
    pub(crate) findings: BTreeSet<Finding>,
    checks: u64,
}

impl Report {
    /// Counts a check, and adds a finding if it failed.
    pub(crate) fn check(
        &mut self,
        holds: bool,
        rule: &'static str,
        pointer: &str,
        message: impl FnOnce() -> String,
    ) {
        self.checks += 1;
        self.note(holds, rule, pointer, message);
    }

    /// As [`Report::check`], without counting: for a part of a check, whose number may differ from run to run.
    pub(crate) fn note(
        &mut self,
        holds: bool,
        rule: &'static str,
        pointer: &str,
        message: impl FnOnce() -> String,
    ) {
        if !holds {
            self.findings.insert(Finding { rule, pointer: pointer.to_owned(), message: message() });
        }
    }

    /// Writes a line for each finding, and the number of checks.
    pub(crate) fn print(&self, out: &mut dyn Write) -> std::io::Result<()> {
        for Finding { rule, pointer, message } in &self.findings {
            // Not by serde_json, which would sort the members.
            writeln!(
                out,
                r#"{{"rule": {}, "pointer": {}, "message": {}}}"#,
                json!(rule),
                json!(pointer),
                json!(message)
            )?;
        }
        writeln!(out, r#"{{"checks": {}}}"#, self.checks)?;
        out.flush()
    }
}
