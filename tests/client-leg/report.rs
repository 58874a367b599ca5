//! What was found, gathered so that it reads the same from run to run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;

/// What a finding is about: rule, pointer and what is wrong there.
type Fault = (&'static str, String, String);

#[derive(Debug, Default)]
struct Gathered {
    /// With every place at which it shows, such as `fetch_session 200`: a fault of a shared schema shows at many.
    faults: BTreeMap<Fault, BTreeSet<String>>,
    checks: u64,
    excused: BTreeSet<usize>,
}

/// The findings so far and the count of checks.
#[derive(Debug, Default)]
pub(crate) struct Report(Mutex<Gathered>);

impl Report {
    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a check, whatever comes of it.
    pub(crate) fn check(&self) {
        self.gathered().checks += 1;
    }

    /// Adds a finding. The pointer must resolve: see `Document::nearest`.
    pub(crate) fn add(&self, rule: &'static str, pointer: String, place: &str, what: impl Into<String>) {
        self.gathered().faults.entry((rule, pointer, what.into())).or_default().insert(place.to_owned());
    }

    /// Notes that an excuse, by its place in its table, was needed.
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
        let mut lines: Vec<String> = gathered.faults.iter().map(line).collect();
        lines.sort();
        lines.push(json!({ "checks": gathered.checks }).to_string());
        (lines.join("\n") + "\n", gathered.faults.is_empty())
    }
}

/// Written by hand for the order of the members.
fn line(((rule, pointer, what), places): (&Fault, &BTreeSet<String>)) -> String {
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
    fn findings_are_sorted_and_a_fault_that_shows_twice_is_one() {
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
