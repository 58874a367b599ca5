//! Findings in an order that is the same in every run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;

/// Rule, pointer and message of a finding.
type Finding = (&'static str, String, String);

#[derive(Debug, Default)]
struct Gathered {
    /// With each response or operation that shows it, such as `fetch_session 200`.
    findings: BTreeMap<Finding, BTreeSet<String>>,
    checks: u64,
    excused: BTreeSet<usize>,
}

/// The findings so far and the number of checks.
#[derive(Debug, Default)]
pub(crate) struct Report(Mutex<Gathered>);

impl Report {
    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a check.
    pub(crate) fn check(&self) {
        self.gathered().checks += 1;
    }

    /// Adds a finding. The pointer must resolve: see `Contract::nearest`.
    pub(crate) fn add(&self, rule: &'static str, pointer: String, place: &str, what: impl Into<String>) {
        self.gathered().findings.entry((rule, pointer, what.into())).or_default().insert(place.to_owned());
    }

    /// Notes that an entry of the tables of excuses, by its index, was needed.
    pub(crate) fn excuse(&self, place: usize) {
        self.gathered().excused.insert(place);
    }

    /// The excuses that were needed.
    pub(crate) fn excused(&self) -> BTreeSet<usize> {
        self.gathered().excused.clone()
    }

    /// The lines for standard output, and whether there is no finding.
    pub(crate) fn lines(&self) -> (String, bool) {
        let gathered = self.gathered();
        let mut lines: Vec<String> = gathered.findings.iter().map(line).collect();
        lines.sort();
        lines.push(json!({ "checks": gathered.checks }).to_string());
        (lines.join("\n") + "\n", gathered.findings.is_empty())
    }
}

/// Not by `serde_json`, which would sort the members.
fn line(((rule, pointer, what), places): (&Finding, &BTreeSet<String>)) -> String {
    let mut message = places.first().cloned().unwrap_or_default();
    if places.len() > 1 {
        // Writing to a string cannot fail.
        let _ = write!(message, " (and {} more)", places.len() - 1);
    }
    let _ = write!(message, ": {what}");
    format!(r#"{{"rule": {}, "pointer": {}, "message": {}}}"#, json!(rule), json!(pointer), json!(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_sorted_and_one_that_two_responses_show_is_one() {
        let report = Report::default();
        report.add("b", String::new(), "second", "it is wrong");
        report.add("b", String::new(), "first", "it is wrong");
        report.add("a", "/x".to_owned(), "first", "so is \"this\"");
        report.check();
        let (lines, clean) = report.lines();
        assert!(!clean);
        assert_eq!(
            lines,
            "{\"rule\": \"a\", \"pointer\": \"/x\", \"message\": \"first: so is \\\"this\\\"\"}\n\
             {\"rule\": \"b\", \"pointer\": \"\", \"message\": \"first (and 1 more): it is wrong\"}\n\
             {\"checks\":1}\n"
        );
    }
}
