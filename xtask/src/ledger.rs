//! The ledger: what dropshot cannot describe of the contract, and the rules of the wire leg that cover it instead.

use std::path::PathBuf;

use openapi_drift::{Effect, Finding};
use serde::Deserialize;

use crate::process::{Failed, root};

/// The path of the ledger in the repository.
pub(crate) const PATH: &str = "xtask/ledger.toml";

/// A kind of difference between the contract and the server's description that is not drift.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Item {
    /// The rules of `openapi-drift` that report it.
    pub(crate) rules: Vec<String>,
    /// Why it is not drift.
    pub(crate) reason: String,
    /// The rules of the wire leg that find such a difference on a running server; required if it is on the wire.
    #[serde(default)]
    pub(crate) probes: Vec<String>,
}

/// All items.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ledger {
    /// The items, in the order of the file.
    pub(crate) item: Vec<Item>,
}

impl Ledger {
    /// Reads the ledger of this repository.
    pub(crate) fn read() -> Result<Self, Failed> {
        let path: PathBuf = root().join(PATH);
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failed(format!("{PATH} cannot be read: {error}")))?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, Failed> {
        toml::from_str(text).map_err(|error| Failed(format!("{PATH}: {error}")))
    }

    /// Returns the findings that the ledger does not cover, and the problems of the ledger itself.
    pub(crate) fn settle(&self, findings: Vec<Finding>) -> (Vec<Finding>, Vec<String>) {
        let covers = |finding: &Finding| {
            self.item.iter().any(|item| item.rules.iter().any(|rule| rule == finding.rule))
        };
        let mut problems = Vec::new();
        for item in &self.item {
            if item.reason.trim().is_empty() {
                problems.push(format!("the item of {} has no reason; add one", item.rules.join(", ")));
            }
            for rule in &item.rules {
                let mut found = findings.iter().filter(|finding| finding.rule == *rule).peekable();
                if found.peek().is_none() {
                    problems.push(format!("{rule} reports nothing any more; remove it from the ledger"));
                }
                if item.probes.is_empty() && found.any(|finding| finding.effect == Effect::Wire) {
                    problems.push(format!("{rule} is about the wire, but the item names no probe; add one"));
                }
            }
        }
        (findings.into_iter().filter(|finding| !covers(finding)).collect(), problems)
    }
}

#[cfg(test)]
mod tests {
    use openapi_drift::{Document, Options, compare};

    use super::*;

    fn findings() -> Vec<Finding> {
        let contract = include_str!("../../openapi.json");
        let server = session_api::derived_openapi().unwrap().to_string();
        let (contract, server) = (Document::parse(contract).unwrap(), Document::parse(&server).unwrap());
        compare(&contract, &server, Options::default()).unwrap()
    }

    #[test]
    fn the_ledger_covers_everything_that_dropshot_cannot_describe_and_no_more() {
        let (left, problems) = Ledger::read().unwrap().settle(findings());
        assert_eq!((left, problems), (vec![], vec![]));
    }

    #[test]
    fn the_wire_leg_has_every_probe_that_the_ledger_names() {
        let mut sources = String::new();
        for entry in std::fs::read_dir(root().join("tests/wire")).unwrap() {
            sources.push_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap());
        }
        for probe in Ledger::read().unwrap().item.iter().flat_map(|item| &item.probes) {
            assert!(sources.contains(&format!("\"{probe}\"")), "{probe}");
        }
    }

    #[test]
    fn an_item_without_a_use_a_reason_or_a_probe_is_a_problem() {
        let ledger = Ledger::parse(
            "[[item]]\nrules = ['schema-max-length-decreased', 'no-such-rule']\nreason = ''\n[[item]]\nrules = ['info-license-changed']\nreason = 'r'\n",
        )
        .unwrap();
        // A difference on the wire, which the server's description does not have.
        let contract = include_str!("../../openapi.json");
        let other = Document::parse(&contract.replace("\"maxLength\": 200", "\"maxLength\": 100")).unwrap();
        let on_wire = compare(&Document::parse(contract).unwrap(), &other, Options::default()).unwrap();
        let (left, problems) = ledger.settle([findings(), on_wire].concat());
        assert!(!left.is_empty());
        assert_eq!(
            problems,
            [
                "the item of schema-max-length-decreased, no-such-rule has no reason; add one",
                "schema-max-length-decreased is about the wire, but the item names no probe; add one",
                "no-such-rule reports nothing any more; remove it from the ledger",
            ]
        );
        assert!(Ledger::parse("[[item]]\nrules = []\nreason = 'r'\nrule = 'x'").is_err());
    }
}
