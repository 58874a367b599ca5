//! What was found and how much was looked at.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Write;

use serde_json::json;

/// Something that the contract says and the server does not do, or the other way round.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// The kind of disagreement; stable.
    pub(crate) rule: &'static str,
    /// The place in the contract, a JSON pointer that leads somewhere.
    pub(crate) pointer: String,
    /// One sentence for people, the same in every run.
    pub(crate) message: String,
}

/// The tool could not do its work.
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
    /// Notes a check, and a finding if it did not hold.
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

    /// Notes a finding if something does not hold, without counting it: for what is a part of a check, and may be more
    /// or less from run to run.
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

    /// Writes a line for each finding, and the count of checks.
    pub(crate) fn print(&self, out: &mut dyn Write) -> std::io::Result<()> {
        for Finding { rule, pointer, message } in &self.findings {
            // By hand, for the members to stand in the order in which they are read.
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
