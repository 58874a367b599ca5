//! Our verdicts beside oasdiff's, on the pairs of documents of its own test suite.
//!
//! The pairs are not ours to commit: where `../shared/gate/cases.json` is absent, the test says that it was skipped.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use openapi_drift::{Document, Options, compare};
use serde_json::Value;

/// Pairs that oasdiff calls ERR or WARN, and we do not call breaking.
const WE_SEE_NO_BREAK: [(&str, &str); 3] = [
    (
        "TestBreaking_AddPatternRecursive",
        "the property is readOnly, so no request has it; in responses a pattern more is a promise more",
    ),
    (
        "TestBreaking_RequestPropertyAllOfAdded",
        "the schema that was added to allOf asks for nothing that the others did not ask for already",
    ),
    ("TestBreaking_RequestPropertyAllOfRemoved", "the same the other way round"),
];

/// Pairs that oasdiff calls INFO or nothing, and we call breaking.
const WE_SEE_A_BREAK: [(&str, &str); 3] = [
    ("TestAPIGlobalSecurityScopeAdded", "a token that was enough yesterday lacks the scope today"),
    ("TestAPISecurityScopeAdded", "a token that was enough yesterday lacks the scope today"),
    (
        "TestResponsePropertyPatternChanged",
        "a required property became writeOnly, so that no response has it any more; and another one has another form",
    ),
];

#[test]
fn at_least_19_of_20_verdicts_are_those_of_oasdiff_and_each_other_one_has_its_reason() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/gate/cases.json");
    let Ok(text) = std::fs::read_to_string(path) else {
        // Not by a macro: the output of a passing test is captured.
        let line = "oasdiff: skipped, as there is no shared/gate/cases.json beside this repository\n";
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        return;
    };
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    let (mut graves, mut others) = ((0, BTreeSet::new()), (0, BTreeSet::new()));
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
        let grave = ["ERR", "WARN"].contains(&case["level"].as_str().unwrap());
        let (count, disagree) = if grave { &mut graves } else { &mut others };
        *count += 1;
        if breaking != grave {
            disagree.insert(name);
            println!("{} {name} {}", case["level"], case["rules"]);
            for finding in findings {
                println!("    {finding}");
            }
        }
    }
    println!("{} of {} graves, {} of {} others", graves.1.len(), graves.0, others.1.len(), others.0);
    assert_eq!(graves.1, WE_SEE_NO_BREAK.iter().map(|(name, _)| *name).collect());
    assert_eq!(others.1, WE_SEE_A_BREAK.iter().map(|(name, _)| *name).collect());
    assert!(graves.1.len() * 20 <= graves.0 && others.1.len() * 20 <= others.0);
}
