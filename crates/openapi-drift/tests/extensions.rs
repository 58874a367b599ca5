//! The known extension fields: which side each change of a value breaks, clients or servers.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use openapi_drift::{Breaks, Document, Effect, Options, compare};
use serde_json::{Value, json};

/// A small document after a change of its operation.
fn document(change: impl FnOnce(&mut Value)) -> Document {
    let content = json!({ "application/json": { "schema": { "type": "object" } } });
    let mut value = json!({
        "openapi": "3.0.3", "info": { "title": "t", "version": "1.0.0" },
        "paths": { "/a": { "post": {
            "requestBody": { "content": content },
            "responses": { "400": { "description": "Wrong", "content": content } },
        } } },
    });
    change(&mut value["paths"]["/a"]["post"]);
    Document::parse(&value.to_string()).unwrap()
}

/// The pointer of an extension, its values before and after, the rules of the findings, and the side that breaks.
type Case = (&'static str, Value, Value, &'static [&'static str], Breaks);

#[test]
fn each_change_of_a_scope_is_on_the_wire_and_breaks_the_expected_side() {
    let cases: [Case; 7] = [
        ("/x-required-scope", json!(null), json!("a:read"), &["required-scope-added"], Breaks::NEITHER),
        ("/x-required-scope", json!("a:read"), json!(null), &["required-scope-removed"], Breaks::SERVERS),
        ("/x-required-scope", json!("a:read"), json!("a:write"), &["required-scope-changed"], Breaks::BOTH),
        (
            "/x-required-scope-for",
            json!(null),
            json!({ "one": "a:write" }),
            &["property-scope-added"],
            Breaks::CLIENTS,
        ),
        (
            "/x-required-scope-for",
            json!({ "one": "a:write", "other": "a:write" }),
            json!({ "other": "a:write" }),
            &["property-scope-removed"],
            Breaks::SERVERS,
        ),
        (
            "/x-required-scope-for",
            json!({ "one": "a:write" }),
            json!(null),
            &["property-scope-removed"],
            Breaks::SERVERS,
        ),
        (
            "/x-required-scope-for",
            json!({ "one": "a:write" }),
            json!({ "one": "a:read" }),
            &["property-scope-changed"],
            Breaks::BOTH,
        ),
    ];
    check(cases);
}

#[test]
fn each_change_of_another_known_extension_is_on_the_wire_and_breaks_the_expected_side() {
    let cases: [Case; 11] = [
        (
            "/x-requires-authenticated-session",
            json!(false),
            json!(true),
            &["authenticated-session-required"],
            Breaks::CLIENTS,
        ),
        (
            "/x-requires-authenticated-session",
            json!(true),
            json!(null),
            &["authenticated-session-not-required"],
            Breaks::SERVERS,
        ),
        (
            "/x-requires-authenticated-session",
            json!(null),
            json!(true),
            &["authenticated-session-required"],
            Breaks::NEITHER,
        ),
        (
            "/requestBody/x-max-body-bytes",
            json!(10),
            json!(9),
            &["max-body-bytes-decreased"],
            Breaks::CLIENTS,
        ),
        (
            "/requestBody/x-max-body-bytes",
            json!(9),
            json!(10),
            &["max-body-bytes-increased"],
            Breaks::SERVERS,
        ),
        ("/requestBody/x-max-body-bytes", json!(null), json!(9), &["max-body-bytes-added"], Breaks::NEITHER),
        (
            "/requestBody/x-max-body-bytes",
            json!(9),
            json!(null),
            &["max-body-bytes-removed"],
            Breaks::SERVERS,
        ),
        (
            "/responses/400/x-error-codes",
            json!(["a"]),
            json!(["b", "a"]),
            &["error-code-added"],
            Breaks::CLIENTS,
        ),
        (
            "/responses/400/x-error-codes",
            json!(["a", "b"]),
            json!(["a"]),
            &["error-code-removed"],
            Breaks::SERVERS,
        ),
        ("/responses/400/x-error-codes", json!(null), json!(["a"]), &["error-codes-added"], Breaks::NEITHER),
        (
            "/responses/400/x-error-codes",
            json!(["a"]),
            json!(null),
            &["error-codes-removed"],
            Breaks::CLIENTS,
        ),
    ];
    check(cases);
}

/// Checks the findings of each case.
fn check(cases: impl IntoIterator<Item = Case>) {
    for (pointer, before, after, rules, breaks) in cases {
        let with = |extension: &Value| {
            document(|operation| {
                let (owner, name) = pointer.rsplit_once('/').unwrap();
                if !extension.is_null() {
                    operation.pointer_mut(owner).unwrap()[name] = extension.clone();
                }
            })
        };
        let findings = compare(&with(&before), &with(&after), Options::default()).unwrap();
        assert_eq!(findings.iter().map(|it| it.rule).collect::<Vec<_>>(), rules, "{findings:?}");
        assert_eq!((findings[0].effect, findings[0].breaks()), (Effect::Wire, breaks), "{findings:?}");
        assert_eq!(compare(&with(&before), &with(&before), Options::default()).unwrap(), []);
    }
}

#[test]
fn reordered_error_codes_and_a_removed_false_have_no_effect_on_the_wire() {
    let codes = |codes: Value| document(|operation| operation["responses"]["400"]["x-error-codes"] = codes);
    let reordered =
        compare(&codes(json!(["a", "b"])), &codes(json!(["b", "a"])), Options::default()).unwrap();
    assert_eq!(reordered, []);
    let explicit = document(|operation| operation["x-requires-authenticated-session"] = json!(false));
    let findings = compare(&explicit, &document(|_| {}), Options::default()).unwrap();
    assert!(findings.iter().all(|finding| finding.effect != Effect::Wire), "{findings:?}");
}

#[test]
fn a_malformed_value_is_a_problem_and_a_change_to_it_is_a_finding() {
    let with = |value: Value| document(|operation| operation["requestBody"]["x-max-body-bytes"] = value);
    let (valid, malformed) = (with(json!(10)), with(json!("10")));
    let findings = compare(&valid, &malformed, Options::default()).unwrap();
    assert_eq!(findings[0].rule, "extension-changed");
    let rules: Vec<_> = malformed.lint().iter().map(|problem| problem.rule).collect();
    assert!(rules.contains(&"malformed-extension"), "{rules:?}");
}
