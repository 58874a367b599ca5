//! Narrower and wider changes are distinguished, in requests and in responses.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use openapi_drift::{Breaks, Document, Effect, Finding, Options, compare};
use serde_json::{Value, json};

use Way::{Neither, Other, Tighter, Wider};

/// What a change of a schema does to the set of its values.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Tighter,
    Wider,
    Other,
    Neither,
}

impl Way {
    fn in_request(self) -> Breaks {
        match self {
            Tighter => Breaks::CLIENTS,
            Wider => Breaks::SERVERS,
            Other => Breaks::BOTH,
            Neither => Breaks::NEITHER,
        }
    }

    fn in_response(self) -> Breaks {
        match self {
            Tighter => Breaks::SERVERS,
            Wider => Breaks::CLIENTS,
            Other => Breaks::BOTH,
            Neither => Breaks::NEITHER,
        }
    }

    fn back(self) -> Self {
        match self {
            Tighter => Wider,
            Wider => Tighter,
            other => other,
        }
    }
}

fn document(change: impl FnOnce(&mut Value)) -> Document {
    let mut value = json!({
        "openapi": "3.0.3",
        "info": { "title": "t", "version": "1.0.0" },
        "paths": { "/a": { "post": { "responses": { "200": { "description": "d" } } } } },
        "components": {
            "schemas": {
                "Cat": { "type": "object", "required": ["is"], "properties": { "is": { "type": "string", "enum": ["cat"] } } },
                "Dog": { "type": "object", "required": ["is"], "properties": { "is": { "type": "string", "enum": ["dog"] } } },
                "Any": { "type": "object", "properties": { "x": { "type": "string" } } },
            },
            "securitySchemes": {
                "key": { "type": "apiKey", "in": "header", "name": "X-Key" },
                "other": { "type": "http", "scheme": "bearer" },
                "oauth": { "type": "oauth2", "flows": { "password": { "tokenUrl": "https://a.example", "scopes": { "r": "", "w": "" } } } },
            },
        },
    });
    change(&mut value);
    Document::parse(&value.to_string()).unwrap()
}

fn found(base: &Document, revision: &Document) -> Vec<Finding> {
    compare(base, revision, Options::default()).unwrap()
}

fn operation(value: &mut Value) -> &mut Value {
    value.pointer_mut("/paths/~1a/post").unwrap()
}

fn in_request(schema: &Value) -> Document {
    document(|value| {
        operation(value)["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    })
}

fn in_response(schema: &Value) -> Document {
    document(|value| {
        operation(value)["responses"]["200"]["content"] = json!({ "application/json": { "schema": schema } });
    })
}

/// Who breaks, of all findings on the wire.
fn breaks(findings: &[Finding]) -> Breaks {
    let wire = findings.iter().filter(|finding| finding.effect == Effect::Wire);
    wire.fold(Breaks::NEITHER, |sum, finding| sum.or(finding.breaks()))
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_keyword_of_a_schema_is_judged_in_both_directions() {
    let cat = json!({ "$ref": "#/components/schemas/Cat" });
    let dog = json!({ "$ref": "#/components/schemas/Dog" });
    let any = json!({ "$ref": "#/components/schemas/Any" });
    let object = |rest: Value| {
        let mut schema = json!({ "type": "object", "properties": { "a": { "type": "string" } } });
        schema.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        schema
    };
    let table = [
        ("schema-type-added", json!({}), json!({ "type": "string" }), Tighter),
        ("schema-type-widened", json!({ "type": "integer" }), json!({ "type": "number" }), Wider),
        ("schema-type-changed", json!({ "type": "string" }), json!({ "type": "boolean" }), Other),
        (
            "schema-format-added",
            json!({ "type": "string" }),
            json!({ "type": "string", "format": "uuid" }),
            Tighter,
        ),
        (
            "schema-format-changed",
            json!({ "type": "integer", "format": "int32" }),
            json!({ "type": "integer", "format": "int64" }),
            Wider,
        ),
        (
            "schema-format-changed",
            json!({ "type": "number", "format": "float" }),
            json!({ "type": "number", "format": "double" }),
            Wider,
        ),
        (
            "schema-format-changed",
            json!({ "type": "string", "format": "date" }),
            json!({ "type": "string", "format": "date-time" }),
            Other,
        ),
        (
            "schema-became-not-nullable",
            json!({ "type": "string", "nullable": true }),
            json!({ "type": "string" }),
            Tighter,
        ),
        (
            "schema-enum-added",
            json!({ "type": "string" }),
            json!({ "type": "string", "enum": ["a"] }),
            Tighter,
        ),
        ("schema-enum-value-removed", json!({ "enum": ["a", "b"] }), json!({ "enum": ["a"] }), Tighter),
        (
            "schema-min-length-added",
            json!({ "type": "string" }),
            json!({ "type": "string", "minLength": 1 }),
            Tighter,
        ),
        ("schema-min-length-increased", json!({ "minLength": 1 }), json!({ "minLength": 2 }), Tighter),
        ("schema-max-length-decreased", json!({ "maxLength": 3 }), json!({ "maxLength": 2 }), Tighter),
        ("schema-min-items-increased", json!({ "minItems": 1 }), json!({ "minItems": 2 }), Tighter),
        ("schema-max-items-decreased", json!({ "maxItems": 3 }), json!({ "maxItems": 2 }), Tighter),
        (
            "schema-min-properties-increased",
            json!({ "minProperties": 1 }),
            json!({ "minProperties": 2 }),
            Tighter,
        ),
        (
            "schema-max-properties-decreased",
            json!({ "maxProperties": 3 }),
            json!({ "maxProperties": 2 }),
            Tighter,
        ),
        ("schema-minimum-increased", json!({ "minimum": 1 }), json!({ "minimum": 1.5 }), Tighter),
        (
            "schema-minimum-exclusive-changed",
            json!({ "minimum": 1 }),
            json!({ "minimum": 1, "exclusiveMinimum": true }),
            Tighter,
        ),
        (
            "schema-maximum-exclusive-changed",
            json!({ "maximum": 1 }),
            json!({ "maximum": 1, "exclusiveMaximum": true }),
            Tighter,
        ),
        ("schema-multiple-of-added", json!({}), json!({ "multipleOf": 2 }), Tighter),
        ("schema-multiple-of-changed", json!({ "multipleOf": 2 }), json!({ "multipleOf": 6 }), Tighter),
        ("schema-multiple-of-changed", json!({ "multipleOf": 2 }), json!({ "multipleOf": 3 }), Other),
        (
            "schema-unique-items-added",
            json!({ "type": "array" }),
            json!({ "type": "array", "uniqueItems": true }),
            Tighter,
        ),
        ("schema-pattern-changed", json!({ "pattern": "^a$" }), json!({ "pattern": "^b$" }), Other),
        ("property-became-required", object(json!({})), object(json!({ "required": ["a"] })), Tighter),
        ("schema-closed", object(json!({})), object(json!({ "additionalProperties": false })), Tighter),
        (
            "schema-type-added",
            object(json!({})),
            object(json!({ "additionalProperties": { "type": "string" } })),
            Tighter,
        ),
        (
            "schema-closed",
            object(json!({ "additionalProperties": { "type": "string" } })),
            object(json!({ "additionalProperties": false })),
            Tighter,
        ),
        (
            "schema-type-added",
            json!({ "type": "array", "items": {} }),
            json!({ "type": "array", "items": { "type": "string" } }),
            Tighter,
        ),
        ("schema-unwrapped-from-one-of", json!({ "oneOf": [cat, dog] }), json!({ "oneOf": [cat] }), Tighter),
        (
            "schema-any-of-member-removed",
            json!({ "anyOf": [cat, dog, any] }),
            json!({ "anyOf": [cat, any] }),
            Tighter,
        ),
        // What is both a Cat and an Any was refused before, and is taken now.
        (
            "schema-one-of-member-removed",
            json!({ "oneOf": [cat, dog, any] }),
            json!({ "oneOf": [cat, dog] }),
            Other,
        ),
        (
            "schema-alternatives-changed",
            json!({ "anyOf": [any, cat] }),
            json!({ "oneOf": [any, cat] }),
            Tighter,
        ),
        (
            "schema-alternatives-changed",
            json!({ "anyOf": [dog, cat] }),
            json!({ "oneOf": [dog, cat] }),
            Neither,
        ),
        (
            "schema-one-of-added",
            json!({ "type": "object" }),
            json!({ "type": "object", "oneOf": [dog, cat] }),
            Tighter,
        ),
        (
            "schema-unwrapped-from-one-of",
            json!({ "oneOf": [{ "type": "string" }, { "type": "boolean" }] }),
            json!({ "type": "string" }),
            Tighter,
        ),
        (
            "schema-unwrapped-from-one-of",
            json!({ "oneOf": [{ "type": "string" }, { "type": "boolean" }] }),
            json!({ "type": "integer" }),
            Other,
        ),
        (
            "schema-max-length-added",
            json!({ "allOf": [{ "type": "string" }, { "minLength": 1 }] }),
            json!({ "allOf": [{ "type": "string" }, { "minLength": 1 }, { "maxLength": 3 }] }),
            Tighter,
        ),
        ("schema-not-added", json!({}), json!({ "not": { "type": "string" } }), Tighter),
        (
            "schema-type-removed",
            json!({ "not": { "type": "string" } }),
            json!({ "not": { "minLength": 0, "pattern": "" } }),
            Tighter,
        ),
        (
            "schema-discriminator-mapping-changed",
            json!({ "oneOf": [cat, dog], "discriminator": { "propertyName": "is", "mapping": { "a": "Cat", "b": "Dog" } } }),
            json!({ "oneOf": [cat, dog], "discriminator": { "propertyName": "is", "mapping": { "a": "Dog", "b": "Cat" } } }),
            Other,
        ),
        (
            "schema-discriminator-mapping-removed",
            json!({ "oneOf": [cat, dog], "discriminator": { "propertyName": "is", "mapping": { "a": "Cat", "A": "Cat" } } }),
            json!({ "oneOf": [cat, dog], "discriminator": { "propertyName": "is", "mapping": { "a": "Cat" } } }),
            Tighter,
        ),
        (
            "schema-discriminator-property-changed",
            json!({ "oneOf": [cat, dog], "discriminator": { "propertyName": "is" } }),
            json!({ "oneOf": [cat, dog], "discriminator": { "propertyName": "kind" } }),
            Other,
        ),
        (
            "schema-discriminator-added",
            json!({ "oneOf": [cat, dog] }),
            json!({ "oneOf": [cat, dog], "discriminator": { "propertyName": "is" } }),
            Tighter,
        ),
    ];
    for (rule, before, after, way) in table {
        for (one, other, way, rule) in
            [(&before, &after, way, Some(rule)), (&after, &before, way.back(), None)]
        {
            let findings = found(&in_request(one), &in_request(other));
            assert_eq!(breaks(&findings), way.in_request(), "request: {one} to {other}: {findings:#?}");
            if let Some(rule) = rule {
                assert!(
                    findings.iter().any(|finding| finding.rule == rule),
                    "{rule} is not among {findings:#?}"
                );
            }
            let findings = found(&in_response(one), &in_response(other));
            assert_eq!(breaks(&findings), way.in_response(), "response: {one} to {other}: {findings:#?}");
        }
    }
}

#[test]
fn added_and_removed_properties_are_judged_in_both_directions() {
    let object = |properties: Value, required: Value, rest: Value| {
        let mut schema = json!({ "type": "object", "properties": properties, "required": required });
        schema.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        schema
    };
    let (a, both) = (json!({ "a": {} }), json!({ "a": {}, "b": {} }));
    let closed = json!({ "additionalProperties": false });
    let clients = Breaks::CLIENTS;
    let servers = Breaks::SERVERS;
    let table = [
        (
            "optional-property-added",
            object(a.clone(), json!([]), json!({})),
            object(both.clone(), json!([]), json!({})),
            servers,
            Breaks::NEITHER,
        ),
        (
            "required-property-added",
            object(a.clone(), json!([]), json!({})),
            object(both.clone(), json!(["b"]), json!({})),
            Breaks::BOTH,
            servers,
        ),
        (
            "optional-property-added",
            object(a.clone(), json!([]), closed.clone()),
            object(both.clone(), json!([]), closed.clone()),
            servers,
            clients,
        ),
        (
            "optional-property-removed",
            object(both.clone(), json!([]), json!({})),
            object(a.clone(), json!([]), json!({})),
            clients,
            clients,
        ),
        (
            "required-property-removed",
            object(both, json!(["b"]), json!({})),
            object(a, json!([]), json!({})),
            Breaks::BOTH,
            clients,
        ),
        (
            "property-became-read-only",
            object(json!({ "a": {} }), json!(["a"]), json!({})),
            object(json!({ "a": { "readOnly": true } }), json!(["a"]), json!({})),
            servers,
            Breaks::NEITHER,
        ),
        (
            "property-became-not-read-only",
            object(json!({ "a": { "readOnly": true } }), json!(["a"]), json!({})),
            object(json!({ "a": {} }), json!(["a"]), json!({})),
            Breaks::BOTH,
            Breaks::NEITHER,
        ),
        (
            "property-became-write-only",
            object(json!({ "a": {} }), json!(["a"]), json!({})),
            object(json!({ "a": { "writeOnly": true } }), json!(["a"]), json!({})),
            Breaks::NEITHER,
            clients,
        ),
        (
            "property-became-not-write-only",
            object(json!({ "a": { "writeOnly": true } }), json!([]), json!({})),
            object(json!({ "a": {} }), json!([]), json!({})),
            Breaks::NEITHER,
            clients,
        ),
        (
            "schema-default-changed",
            object(json!({ "a": { "default": 1 } }), json!([]), json!({})),
            object(json!({ "a": { "default": 2 } }), json!([]), json!({})),
            Breaks::BOTH,
            Breaks::NEITHER,
        ),
    ];
    for (rule, before, after, request, response) in table {
        let (sent, answered) = (
            found(&in_request(&before), &in_request(&after)),
            found(&in_response(&before), &in_response(&after)),
        );
        assert_eq!(breaks(&sent), request, "request: {rule}: {sent:#?}");
        assert_eq!(breaks(&answered), response, "response: {rule}: {answered:#?}");
        assert!(
            sent.iter().chain(&answered).any(|finding| finding.rule == rule),
            "{rule}: {sent:#?} {answered:#?}"
        );
    }
}

/// A part of an operation before and after, and who breaks; the other way round, the second.
#[test]
fn parts_of_an_operation_are_judged_in_both_directions() {
    let parameter = |rest: Value| {
        let mut parameter = json!({ "name": "q", "in": "query", "schema": { "type": "array", "items": { "type": "string" } } });
        parameter.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        json!({ "parameters": [parameter] })
    };
    let body = |required: bool, types: &[&str]| {
        let content: serde_json::Map<String, Value> =
            types.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
        json!({ "requestBody": { "required": required, "content": content } })
    };
    let answers = |responses: Value| json!({ "responses": responses });
    let answer = |rest: Value| {
        let mut response = json!({ "description": "d" });
        response.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        json!({ "responses": { "200": response } })
    };
    let header =
        |required: bool| answer(json!({ "headers": { "X-A": { "required": required, "schema": {} } } }));
    let secured = |list: Value| json!({ "security": list });
    let served = |list: Value| json!({ "servers": list });
    let called = |body: Value| {
        let operation = json!({ "requestBody": { "content": { "application/json": { "schema": body } } }, "responses": { "200": { "description": "" } } });
        json!({ "callbacks": { "made": { "{$url}": { "post": operation } } } })
    };
    let link = |id: &str| answer(json!({ "links": { "next": { "operationId": id } } }));
    let (clients, servers, both, neither) = (Breaks::CLIENTS, Breaks::SERVERS, Breaks::BOTH, Breaks::NEITHER);
    let table = [
        (json!({}), parameter(json!({})), servers, clients),
        (json!({}), parameter(json!({ "required": true })), both, both),
        (parameter(json!({})), parameter(json!({ "required": true })), clients, servers),
        (parameter(json!({})), parameter(json!({ "style": "spaceDelimited" })), both, both),
        (parameter(json!({})), parameter(json!({ "explode": false })), both, both),
        (parameter(json!({})), parameter(json!({ "allowReserved": true })), both, both),
        (parameter(json!({})), parameter(json!({ "allowEmptyValue": true })), servers, clients),
        (json!({}), body(false, &["application/json"]), servers, clients),
        (json!({}), body(true, &["application/json"]), both, both),
        (body(false, &["application/json"]), body(true, &["application/json"]), clients, servers),
        (
            body(true, &["application/json"]),
            body(true, &["application/json", "text/plain"]),
            servers,
            clients,
        ),
        (body(true, &["application/json"]), body(true, &["application/*"]), servers, clients),
        (body(true, &["application/json"]), body(true, &["application/problem+json"]), clients, servers),
        (
            answer(json!({ "content": { "application/json": {} } })),
            answer(json!({ "content": { "application/json": {}, "text/plain": {} } })),
            servers,
            clients,
        ),
        (header(false), header(true), servers, clients),
        (answer(json!({})), header(false), neither, clients),
        (answer(json!({})), header(true), servers, clients),
        (
            answers(json!({ "200": { "description": "d" }, "201": { "description": "d" } })),
            answer(json!({})),
            clients,
            neither,
        ),
        (
            answers(json!({ "200": { "description": "d" }, "404": { "description": "d" } })),
            answer(json!({})),
            neither,
            neither,
        ),
        (
            answers(json!({ "200": { "description": "d" }, "404": { "description": "d" } })),
            answers(json!({ "200": { "description": "d" }, "4XX": { "description": "d" } })),
            neither,
            neither,
        ),
        (
            answers(
                json!({ "200": { "description": "d" }, "404": { "description": "d", "content": { "application/json": { "schema": { "type": "string" } } } } }),
            ),
            answers(
                json!({ "200": { "description": "d" }, "default": { "description": "d", "content": { "application/json": { "schema": { "type": "integer" } } } } }),
            ),
            both,
            both,
        ),
        (json!({}), secured(json!([{ "key": [] }])), clients, servers),
        (secured(json!([{ "key": [] }])), secured(json!([{ "key": [] }, { "other": [] }])), servers, clients),
        (secured(json!([{ "key": [] }])), secured(json!([{ "key": [], "other": [] }])), clients, servers),
        (secured(json!([{ "key": [] }])), secured(json!([{ "other": [] }])), both, both),
        (secured(json!([{ "oauth": ["r"] }])), secured(json!([{ "oauth": ["r", "w"] }])), clients, servers),
        (secured(json!([])), secured(json!([{}])), neither, neither),
        (secured(json!([{}])), secured(json!([{}, { "key": [] }])), neither, neither),
        (json!({}), served(json!([{ "url": "/v2" }])), clients, clients),
        (
            served(json!([{ "url": "/" }])),
            served(json!([{ "url": "/" }, { "url": "/v2" }])),
            neither,
            clients,
        ),
        (called(json!({ "type": "string" })), called(json!({})), clients, servers),
        (json!({}), called(json!({})), neither, clients),
        (link("a"), link("b"), neither, neither),
    ];
    for (before, after, forth, back) in table {
        let with = |part: &Value| {
            document(|value| {
                operation(value).as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
            })
        };
        let (one, other) = (with(&before), with(&after));
        let findings = found(&one, &other);
        assert_eq!(breaks(&findings), forth, "{before} to {after}: {findings:#?}");
        let findings = found(&other, &one);
        assert_eq!(breaks(&findings), back, "{after} to {before}: {findings:#?}");
        let silent = [json!([]), json!([{}])].map(&secured);
        let known = silent.contains(&before) && silent.contains(&after);
        assert_eq!(findings.is_empty(), known, "{after} to {before}");
    }
}

#[test]
fn a_removal_is_no_break_once_it_was_announced_and_its_day_has_come() {
    let old = |marks: Value| {
        document(|value| {
            let mut get = json!({ "responses": { "200": { "description": "d" } } });
            get.as_object_mut().unwrap().extend(marks.as_object().unwrap().clone());
            value["paths"]["/a"]["get"] = get;
        })
    };
    let gone = document(|_| {});
    for (marks, today, breaking) in [
        (json!({}), None, true),
        (json!({ "deprecated": true }), None, false),
        (json!({ "deprecated": true, "x-sunset": "2026-11-24" }), None, true),
        (json!({ "deprecated": true, "x-sunset": "2026-11-24" }), Some("2026-11-23"), true),
        (json!({ "deprecated": true, "x-sunset": "2026-11-24" }), Some("2026-11-24"), false),
        (json!({ "deprecated": true, "x-sunset": "some day" }), Some("2026-11-24"), true),
        (json!({ "x-sunset": "2026-11-24" }), Some("2026-11-24"), true),
    ] {
        let today = today.map(|day: &str| openapi_drift::extensions::date(day).unwrap());
        let findings = compare(&old(marks.clone()), &gone, Options { today }).unwrap();
        assert_eq!(findings.iter().any(Finding::is_breaking), breaking, "{marks} {today:?}");
    }
    let (late, early) = (
        old(json!({ "deprecated": true, "x-sunset": "2027-01-01" })),
        old(json!({ "deprecated": true, "x-sunset": "2026-12-01" })),
    );
    assert!(found(&late, &early).iter().any(Finding::is_breaking));
    assert!(!found(&early, &late).iter().any(Finding::is_breaking));
}

#[test]
fn a_fingerprint_stays_however_a_document_is_laid_out_and_tells_values_apart() {
    let parameters = |list: Value| document(|value| operation(value)["parameters"] = list);
    let limit = |most: u32| json!({ "name": "limit", "in": "query", "schema": { "type": "integer", "maximum": most } });
    let other = json!({ "name": "other", "in": "query", "schema": {} });
    let print = |base: &Document, revision: &Document| {
        let findings = found(base, revision);
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(findings[0].canonical, "/paths/~1a/post/parameters/query:limit/schema/maximum");
        findings[0].fingerprint()
    };
    let alone = print(&parameters(json!([limit(10)])), &parameters(json!([limit(5)])));
    let second = print(&parameters(json!([other, limit(10)])), &parameters(json!([limit(5), other])));
    assert_eq!(alone, second);
    assert_ne!(alone, print(&parameters(json!([limit(10)])), &parameters(json!([limit(4)]))));
}

#[test]
fn a_schema_that_goes_both_ways_is_one_finding_that_tells_of_the_way_on_which_clients_break() {
    let both = |most: u32| {
        document(|value| {
            let schema = json!({ "$ref": "#/components/schemas/Text" });
            let content = json!({ "application/json": { "schema": schema } });
            value["components"]["schemas"]["Text"] = json!({ "type": "string", "maxLength": most });
            operation(value)["requestBody"] = json!({ "content": content });
            operation(value)["responses"]["200"]["content"] = content;
        })
    };
    for (before, after, part) in [(9, 5, "request body"), (5, 9, "response 200")] {
        let findings = found(&both(before), &both(after));
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(findings[0].breaks(), Breaks::BOTH);
        assert!(findings[0].message.contains(part), "{}", findings[0].message);
    }
}
