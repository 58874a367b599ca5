//! The ledger: what dropshot cannot say of the contract, with the probe of the wire that covers it instead.

use std::path::PathBuf;

use openapi_drift::{Effect, Finding};
use serde::Deserialize;

use crate::process::{Failed, root};

/// Where it is.
pub(crate) const PATH: &str = "xtask/ledger.toml";

/// A kind of difference between the contract and what the server describes that is no drift.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Item {
    /// The rules of `openapi-drift` that find it.
    pub(crate) rules: Vec<String>,
    /// Why it is none.
    pub(crate) reason: String,
    /// The rules of the wire leg that find it instead. Only what is not on the wire needs none.
    #[serde(default)]
    pub(crate) probes: Vec<String>,
}

/// All of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ledger {
    /// In the file's order.
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

    /// Takes out what the ledger covers; answers the rest, and what is wrong with the ledger itself.
    pub(crate) fn settle(&self, findings: Vec<Finding>) -> (Vec<Finding>, Vec<String>) {
        let covers = |finding: &Finding| self.item.iter().any(|item| item.rules.contains(&finding.rule));
        let mut faults = Vec::new();
        for item in &self.item {
            if item.reason.trim().is_empty() {
                faults.push(format!("the item of {} has no reason; write one", item.rules.join(", ")));
            }
            for rule in &item.rules {
                let mut found = findings.iter().filter(|finding| finding.rule == *rule).peekable();
                if found.peek().is_none() {
                    faults.push(format!("nothing is found by {rule} any more; take it out"));
                }
                if item.probes.is_empty() && found.any(|finding| finding.effect == Effect::Wire) {
                    faults.push(format!("{rule} is about the wire, but no probe covers it; name one"));
                }
            }
        }
        (findings.into_iter().filter(|finding| !covers(finding)).collect(), faults)
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
    fn the_ledger_covers_all_that_dropshot_cannot_say_and_no_more() {
        let (left, faults) = Ledger::read().unwrap().settle(findings());
        assert_eq!((left, faults), (vec![], vec![]));
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
    fn an_item_that_nothing_uses_or_that_has_no_reason_or_probe_is_a_fault() {
        let ledger = Ledger::parse(
            "[[item]]\nrules = ['schema-max-length-decreased', 'no-such-rule']\nreason = ''\n[[item]]\nrules = ['info-license-changed']\nreason = 'r'\n",
        )
        .unwrap();
        // A difference on the wire, which the server's description does not have.
        let contract = include_str!("../../openapi.json");
        let other = Document::parse(&contract.replace("\"maxLength\": 200", "\"maxLength\": 100")).unwrap();
        let on_wire = compare(&Document::parse(contract).unwrap(), &other, Options::default()).unwrap();
        let (left, faults) = ledger.settle([findings(), on_wire].concat());
        assert!(!left.is_empty());
        assert_eq!(
            faults,
            [
                "the item of schema-max-length-decreased, no-such-rule has no reason; write one",
                "schema-max-length-decreased is about the wire, but no probe covers it; name one",
                "nothing is found by no-such-rule any more; take it out",
            ]
        );
        assert!(Ledger::parse("[[item]]\nrules = []\nreason = 'r'\nrule = 'x'").is_err());
    }
}
