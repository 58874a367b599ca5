//! Any two texts are compared or rejected, in bounded time and without a panic.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use openapi_drift::{Document, Options, compare};
use proptest::prelude::*;
use serde_json::{Value, json};

const EVERY_FIELD: &str = include_str!("data/every-field.json");

/// Generates any JSON value; most of its names and texts are those of OpenAPI.
fn json_value() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "$ref",
        "allOf",
        "oneOf",
        "anyOf",
        "not",
        "type",
        "enum",
        "items",
        "properties",
        "required",
        "schema",
        "content",
        "headers",
        "parameters",
        "responses",
        "paths",
        "components",
        "schemas",
        "default",
        "in",
        "name",
        "x-a",
        "discriminator",
        "mapping",
        "additionalProperties",
        "minimum",
        "exclusiveMinimum",
        "security",
        "servers",
        "callbacks",
        "string",
        "integer",
        "",
        "#/components/schemas/Thing",
        "#/components/schemas/Cat",
        "#/paths/~1things",
        "#",
        "#/%zz",
        "#/a%2",
        "other.json#/a",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
        ".{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..4).prop_map(|members| members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

/// Appends the pointer of a value and of every value below it.
fn pointers(value: &Value, pointer: &str, found: &mut Vec<String>) {
    found.push(pointer.to_owned());
    let below = |key: &str| format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| pointers(member, &below(name), found));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(place, item)| pointers(item, &below(&place.to_string()), found));
        }
        _ => {}
    }
}

/// The document with values replaced at the selected places.
fn changed(changes: &[(usize, Value)]) -> Value {
    let mut document: Value = serde_json::from_str(EVERY_FIELD).unwrap();
    for (place, value) in changes {
        let mut all = Vec::new();
        pointers(&document, "", &mut all);
        *document.pointer_mut(&all[place % all.len()]).unwrap() = value.clone();
    }
    document
}

/// Compares two texts, if both are documents, and asserts that the findings are well formed.
fn check_comparison(base: &str, revision: &str) -> Result<(), TestCaseError> {
    let (Ok(base), Ok(revision)) = (Document::parse(base), Document::parse(revision)) else { return Ok(()) };
    for problem in base.problems() {
        prop_assert!(base.value().pointer(&problem.pointer).is_some());
    }
    for finding in compare(&base, &revision, Options::default()).unwrap() {
        prop_assert!(base.value().pointer(&finding.base.pointer).is_some(), "{:?}", finding);
        prop_assert!(revision.value().pointer(&finding.revision.pointer).is_some(), "{:?}", finding);
        prop_assert!(!finding.message.is_empty() && !finding.rule.is_empty());
        prop_assert_eq!(finding.fingerprint().len(), 16);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn documents_with_arbitrary_values_are_compared(
        base in prop::collection::vec((any::<usize>(), json_value()), 0..3),
        revision in prop::collection::vec((any::<usize>(), json_value()), 1..5),
    ) {
        check_comparison(&changed(&base).to_string(), &changed(&revision).to_string())?;
    }

    #[test]
    fn a_document_equals_itself(changes in prop::collection::vec((any::<usize>(), json_value()), 0..5)) {
        let text = changed(&changes).to_string();
        if let Ok(document) = Document::parse(&text) {
            prop_assert_eq!(compare(&document, &document, Options::default()).unwrap(), vec![]);
        }
    }

    #[test]
    fn any_text_is_parsed_or_rejected(text in ".{0,200}", cut in 0..6000_usize) {
        let _ = Document::parse(&text);
        let _ = Document::parse(EVERY_FIELD.get(..cut).unwrap_or_default());
        let _ = Document::parse(&format!("{{\"openapi\":\"3.0.3\",{text}}}"));
    }
}

/// A document with these schemas, whose only response refers to the schema `start`.
fn with_schemas(schemas: &Value, start: &str) -> Document {
    let document = json!({
        "openapi": "3.0.3", "info": { "title": "t", "version": "1" },
        "paths": { "/a": { "get": { "responses": { "200": { "description": "d", "content": { "application/json": {
            "schema": { "$ref": format!("#/components/schemas/{start}") } } } } } } } },
        "components": { "schemas": schemas },
    });
    Document::parse(&document.to_string()).unwrap()
}

#[test]
fn long_chains_and_cycles_of_references_are_compared() {
    let chain = |last: &str| {
        let mut schemas: serde_json::Map<String, Value> = (0..20_000)
            .map(|place| {
                let next = json!({ "$ref": format!("#/components/schemas/s{}", place + 1) });
                (format!("s{place}"), json!({ "type": "object", "properties": { "next": next } }))
            })
            .collect();
        schemas.insert("s20000".to_owned(), json!({ "type": last }));
        with_schemas(&Value::from(schemas), "s0")
    };
    let findings = compare(&chain("string"), &chain("integer"), Options::default()).unwrap();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].base.pointer, "/components/schemas/s20000/type");

    for cycle in [
        json!({ "A": { "$ref": "#/components/schemas/A" } }),
        json!({ "A": { "$ref": "#/components/schemas/B" }, "B": { "$ref": "#/components/schemas/A" } }),
        json!({ "A": { "allOf": [{ "$ref": "#/components/schemas/A" }] } }),
        json!({ "A": { "oneOf": [{ "$ref": "#/components/schemas/A" }, { "type": "array", "items": { "$ref": "#/components/schemas/A" } }] } }),
        json!({ "A": { "not": { "$ref": "#/components/schemas/A" } } }),
        json!({ "A": { "anyOf": [{ "anyOf": [{ "$ref": "#/components/schemas/A" }, {}] }, { "type": "string" }] } }),
    ] {
        let (one, other) =
            (with_schemas(&cycle, "A"), with_schemas(&json!({ "A": { "type": "string" } }), "A"));
        assert_eq!(compare(&one, &with_schemas(&cycle, "A"), Options::default()).unwrap(), []);
        assert!(!compare(&one, &other, Options::default()).unwrap().is_empty());
        assert!(!compare(&other, &one, Options::default()).unwrap().is_empty());
    }
}

#[test]
fn nested_alternatives_are_compared_in_bounded_time() {
    let nested = |kind: &str, reversed: bool| {
        let schemas: serde_json::Map<String, Value> = (0..30)
            .map(|place| {
                let member = |which: usize| {
                    json!({ "type": "object", "properties": { format!("p{which}"): { "$ref": format!("#/components/schemas/s{}", place + 1) } } })
                };
                let mut members: Vec<_> = (0..4).map(member).collect();
                if reversed {
                    members.reverse();
                }
                (format!("s{place}"), json!({ "oneOf": members }))
            })
            .chain([("s30".to_owned(), json!({ "type": kind }))])
            .collect();
        with_schemas(&Value::from(schemas), "s0")
    };
    let findings = compare(&nested("string", false), &nested("string", true), Options::default()).unwrap();
    assert_eq!(findings, []);
    let findings = compare(&nested("string", false), &nested("integer", true), Options::default()).unwrap();
    assert!(!findings.is_empty());
}

#[test]
fn comparing_hundreds_of_alternatives_takes_less_than_quadratic_time() {
    let one_of = |prefix: &str, named: bool| {
        let member = |place: usize| json!({ "type": "object", "required": ["k"], "properties": { "k": { "type": "string", "enum": [format!("{prefix}{place}")] } } });
        let name = |place: usize| format!("{prefix}{place}");
        let reference = |place: usize| json!({ "$ref": format!("#/components/schemas/{}", name(place)) });
        let members: Vec<_> =
            (0..600).map(|place| if named { reference(place) } else { member(place) }).collect();
        let mut schemas: serde_json::Map<_, _> = (0..600).map(|place| (name(place), member(place))).collect();
        schemas.insert("All".to_owned(), json!({ "oneOf": members }));
        with_schemas(&Value::from(schemas), "All")
    };
    let start = std::time::Instant::now();
    for named in [false, true] {
        let findings = compare(&one_of("a", named), &one_of("b", named), Options::default()).unwrap();
        assert!(findings.len() >= 600);
    }
    // Without optimization it takes about a second; comparing every pair of alternatives took minutes.
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}
