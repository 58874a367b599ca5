//! Single changes that a comparison once overlooked, or called something else than they are.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use openapi_drift::{Breaks, Document, Finding, Options, compare};
use serde_json::{Value, json};

fn document(change: impl FnOnce(&mut Value)) -> Document {
    let mut value = json!({
        "openapi": "3.0.3", "info": { "title": "t", "version": "1.0.0" },
        "paths": { "/a": { "post": { "responses": { "200": { "description": "d" } } } } },
        "components": { "schemas": {} },
    });
    change(&mut value);
    Document::parse(&value.to_string()).unwrap()
}

fn operation(value: &mut Value) -> &mut Value {
    &mut value["paths"]["/a"]["post"]
}

fn request(schema: &Value, schemas: &Value) -> Document {
    document(|value| {
        let content = json!({ "application/json": { "schema": schema } });
        operation(value)["requestBody"] = json!({ "required": true, "content": content });
        value["components"]["schemas"] = schemas.clone();
    })
}

fn response(schema: &Value, schemas: &Value) -> Document {
    document(|value| {
        operation(value)["responses"]["200"]["content"] = json!({ "application/json": { "schema": schema } });
        value["components"]["schemas"] = schemas.clone();
    })
}

fn found(base: &Document, revision: &Document) -> Vec<Finding> {
    let findings = compare(base, revision, Options::default()).unwrap();
    for finding in &findings {
        assert!(base.value().pointer(&finding.base.pointer).is_some(), "{finding:?}");
        assert!(revision.value().pointer(&finding.revision.pointer).is_some(), "{finding:?}");
    }
    findings
}

fn rules(base: &Document, revision: &Document) -> Vec<String> {
    found(base, revision).into_iter().map(|finding| finding.rule).collect()
}

fn none() -> Value {
    json!({})
}

#[test]
fn bounds_beyond_the_precision_of_a_double_are_told_apart() {
    for (keyword, before, after, rule) in [
        ("maximum", json!(i64::MAX), json!(i64::MAX - 1), "schema-maximum-decreased"),
        (
            "minimum",
            json!(9_007_199_254_740_992_u64),
            json!(9_007_199_254_740_993_u64),
            "schema-minimum-increased",
        ),
        ("maximum", json!(1e300), json!(1e301), "schema-maximum-increased"),
        ("minimum", json!(-1e300), json!(-1e301), "schema-minimum-decreased"),
        ("maxLength", json!(u64::MAX), json!(u64::MAX - 1), "schema-max-length-decreased"),
    ] {
        let with = |value: &Value| request(&json!({ keyword: value }), &none());
        assert_eq!(rules(&with(&before), &with(&after)), [rule], "{before} {after}");
    }
    let with = |bound: Value| {
        let mut schema = json!({ "type": "integer" });
        schema.as_object_mut().unwrap().extend(bound.as_object().unwrap().clone());
        request(&schema, &none())
    };
    for (one, other) in [
        (json!({ "minimum": 1 }), json!({ "minimum": 0.5 })),
        (json!({ "minimum": -1 }), json!({ "minimum": -1.5 })),
        (json!({ "maximum": 1 }), json!({ "maximum": 1.5, "exclusiveMaximum": true })),
        (json!({ "maximum": 1 }), json!({ "maximum": 2, "exclusiveMaximum": true })),
        (json!({ "minimum": i64::MAX }), json!({ "minimum": i64::MAX - 1, "exclusiveMinimum": true })),
    ] {
        assert_eq!(found(&with(one), &with(other)), []);
    }
}

#[test]
fn a_pattern_that_stays_is_the_same_wherever_it_stands() {
    let (two, one) =
        (json!({ "allOf": [{ "pattern": "a" }, { "pattern": "b" }] }), json!({ "pattern": "a" }));
    let findings = found(&response(&two, &none()), &response(&one, &none()));
    assert_eq!(findings.len(), 1);
    assert!(!findings[0].is_breaking(), "{findings:?}");
}

#[test]
fn references_that_lead_nowhere_or_far_hide_nothing() {
    let two = |second: &str| {
        let to = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
        response(&json!({ "properties": { "a": to("absent"), "b": to(second) } }), &none())
    };
    assert_eq!(rules(&two("lost"), &two("gone")), ["reference-unresolved"]);

    let beside = |kind: &str| {
        let all = json!([{ "$ref": "#/components/schemas/Absent" }, { "$ref": "#/components/schemas/A" }]);
        response(&json!({ "allOf": all }), &json!({ "A": { "type": kind } }))
    };
    assert_eq!(rules(&beside("string"), &beside("integer")), ["schema-type-changed"]);

    let chain = |kind: &str, length: usize, wrap: fn(Value) -> Value| {
        let to = |place: usize| json!({ "$ref": format!("#/components/schemas/s{place}") });
        let mut schemas: serde_json::Map<_, _> =
            (0..length).map(|place| (format!("s{place}"), wrap(to(place + 1)))).collect();
        schemas.insert(format!("s{length}"), json!({ "type": kind }));
        response(&to(0), &Value::from(schemas))
    };
    let bare = |reference| reference;
    let all = |reference| json!({ "allOf": [reference, { "title": "t" }] });
    for wrap in [bare, all] {
        let findings = found(&chain("string", 60, wrap), &chain("integer", 60, wrap));
        assert!(findings[0].is_breaking(), "{findings:?}");
    }
    assert_eq!(chain("string", 70, bare).faults()[0].rule, "long-reference");
    assert!(compare(&chain("string", 70, all), &chain("integer", 70, all), Options::default()).is_err());
}

#[test]
fn alternatives_go_by_the_names_of_components_alone() {
    let schemas = json!({
        "A": { "properties": { "x": { "type": "string" } } },
        "B": { "properties": { "x": { "type": "integer" } } },
    });
    let one_of = |names: [&str; 2]| {
        let to = |name| json!({ "$ref": format!("#/components/schemas/{name}/properties/x") });
        response(&json!({ "oneOf": names.map(to) }), &schemas)
    };
    assert_eq!(found(&one_of(["A", "B"]), &one_of(["B", "A"])), []);
}
