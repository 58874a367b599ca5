//! Compares our verdicts with oasdiff's, on the pairs of documents of its own test suite.
//!
//! The pairs are not part of this repository. If `../shared/gate/cases.json` is absent, the test reports that it was skipped.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use openapi_drift::{Document, Options, compare};
use serde_json::Value;

/// Pairs that oasdiff reports as ERR or WARN and we do not report as breaking, and why.
const ONLY_BREAKING_FOR_OASDIFF: [(&str, &str); 3] = [
    (
        "TestBreaking_AddPatternRecursive",
        "the property is readOnly, so no request contains it; an added pattern in a response breaks no client",
    ),
    (
        "TestBreaking_RequestPropertyAllOfAdded",
        "the schema that was added to allOf requires nothing that the other members do not require",
    ),
    (
        "TestBreaking_RequestPropertyAllOfRemoved",
        "the schema that was removed from allOf required nothing that the other members do not require",
    ),
];

/// Pairs that oasdiff does not report, or as INFO, and we report as breaking, and why.
const ONLY_BREAKING_FOR_US: [(&str, &str); 3] = [
    (
        "TestAPIGlobalSecurityScopeAdded",
        "a token without the added scope was accepted before and is rejected now",
    ),
    ("TestAPISecurityScopeAdded", "a token without the added scope was accepted before and is rejected now"),
    (
        "TestResponsePropertyPatternChanged",
        "a required property became writeOnly, so no response contains it; and the pattern of another one changed",
    ),
];

#[test]
fn at_least_95_percent_of_verdicts_equal_those_of_oasdiff_and_each_exception_is_listed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/gate/cases.json");
    let Ok(text) = std::fs::read_to_string(path) else {
        // Not with `eprintln!`, because its output is captured and not shown for a passing test.
        let line = "oasdiff: skipped, as there is no shared/gate/cases.json beside this repository\n";
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        return;
    };
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    let (mut breaking_cases, mut other_cases) = ((0, BTreeSet::new()), (0, BTreeSet::new()));
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let document = |side: &str| {
            Document::parse(&case[side].to_string()).unwrap_or_else(|error| panic!("{name}, {side}: {error}"))
        };
        let (base, revision) = (document("base"), document("revision"));
        let findings = compare(&base, &revision, Options::default()).unwrap();
        for finding in &findings {
            for (document, at) in [(&base, &finding.base), (&revision, &finding.revision)] {
                assert!(document.value().pointer(&at.pointer).is_some(), "{name}: {finding:?}");
            }
        }
        let breaking = findings.iter().any(openapi_drift::Finding::is_breaking);
        let breaks_for_oasdiff = ["ERR", "WARN"].contains(&case["level"].as_str().unwrap());
        let (count, disagree) = if breaks_for_oasdiff { &mut breaking_cases } else { &mut other_cases };
        *count += 1;
        if breaking != breaks_for_oasdiff {
            disagree.insert(name);
            println!("{} {name} {}", case["level"], case["rules"]);
            for finding in findings {
                println!("    {finding}");
            }
        }
    }
    println!(
        "verdicts that differ: {} of {} that break for oasdiff, {} of {} others",
        breaking_cases.1.len(),
        breaking_cases.0,
        other_cases.1.len(),
        other_cases.0
    );
    assert_eq!(breaking_cases.1, ONLY_BREAKING_FOR_OASDIFF.iter().map(|(name, _)| *name).collect());
    assert_eq!(other_cases.1, ONLY_BREAKING_FOR_US.iter().map(|(name, _)| *name).collect());
    assert!(breaking_cases.1.len() * 20 <= breaking_cases.0 && other_cases.1.len() * 20 <= other_cases.0);
}
