//! Which side a change breaks, clients or servers, when it narrows or widens a request or a response.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use openapi_drift::{Breaks, Document, Effect, Finding, Options, compare};
use serde_json::{Value, json};

use ValueSetChange::{Incomparable, Narrower, Same, Wider};

/// How a change of a schema changes the set of its valid values.
#[derive(Clone, Copy, Debug, PartialEq)]
enum ValueSetChange {
    /// Some values are no longer valid.
    Narrower,
    /// Further values are valid.
    Wider,
    /// Some values are no longer valid, and others become valid.
    Incomparable,
    /// The same values are valid.
    Same,
}

impl ValueSetChange {
    /// The sides that this change breaks in a request.
    fn in_request(self) -> Breaks {
        match self {
            Narrower => Breaks::CLIENTS,
            Wider => Breaks::SERVERS,
            Incomparable => Breaks::BOTH,
            Same => Breaks::NEITHER,
        }
    }

    /// The sides that this change breaks in a response.
    fn in_response(self) -> Breaks {
        match self {
            Narrower => Breaks::SERVERS,
            Wider => Breaks::CLIENTS,
            Incomparable => Breaks::BOTH,
            Same => Breaks::NEITHER,
        }
    }

    /// The reverse of the change.
    fn reversed(self) -> Self {
        match self {
            Narrower => Wider,
            Wider => Narrower,
            other => other,
        }
    }
}

/// A small document after a change.
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

/// The findings of a comparison.
fn findings_of(base: &Document, revision: &Document) -> Vec<Finding> {
    compare(base, revision, Options::default()).unwrap()
}

/// The operation of the document.
fn operation(value: &mut Value) -> &mut Value {
    value.pointer_mut("/paths/~1a/post").unwrap()
}

/// A document with this schema in a request body.
fn in_request(schema: &Value) -> Document {
    document(|value| {
        operation(value)["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    })
}

/// A document with this schema in a response.
fn in_response(schema: &Value) -> Document {
    document(|value| {
        operation(value)["responses"]["200"]["content"] = json!({ "application/json": { "schema": schema } });
    })
}

/// The sides that the findings on the wire break.
fn breaks(findings: &[Finding]) -> Breaks {
    let wire = findings.iter().filter(|finding| finding.effect == Effect::Wire);
    wire.fold(Breaks::NEITHER, |sum, finding| sum.or(finding.breaks()))
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_changed_keyword_breaks_clients_or_servers_depending_on_the_direction() {
    let cat = json!({ "$ref": "#/components/schemas/Cat" });
    let dog = json!({ "$ref": "#/components/schemas/Dog" });
    let any = json!({ "$ref": "#/components/schemas/Any" });
    let object = |rest: Value| {
        let mut schema = json!({ "type": "object", "properties": { "a": { "type": "string" } } });
        schema.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        schema
    };
    let table = [
        ("schema-type-added", json!({}), json!({ "type": "string" }), Narrower),
        ("schema-type-widened", json!({ "type": "integer" }), json!({ "type": "number" }), Wider),
        ("schema-type-changed", json!({ "type": "string" }), json!({ "type": "boolean" }), Incomparable),
        (
            "schema-format-added",
            json!({ "type": "string" }),
            json!({ "type": "string", "format": "uuid" }),
            Narrower,
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
            Incomparable,
        ),
        (
            "schema-became-not-nullable",
            json!({ "type": "string", "nullable": true }),
            json!({ "type": "string" }),
            Narrower,
        ),
        (
            "schema-enum-added",
            json!({ "type": "string" }),
            json!({ "type": "string", "enum": ["a"] }),
            Narrower,
        ),
        ("schema-enum-value-removed", json!({ "enum": ["a", "b"] }), json!({ "enum": ["a"] }), Narrower),
        (
            "schema-min-length-added",
            json!({ "type": "string" }),
            json!({ "type": "string", "minLength": 1 }),
            Narrower,
        ),
        ("schema-min-length-increased", json!({ "minLength": 1 }), json!({ "minLength": 2 }), Narrower),
        ("schema-max-length-decreased", json!({ "maxLength": 3 }), json!({ "maxLength": 2 }), Narrower),
        ("schema-min-items-increased", json!({ "minItems": 1 }), json!({ "minItems": 2 }), Narrower),
        ("schema-max-items-decreased", json!({ "maxItems": 3 }), json!({ "maxItems": 2 }), Narrower),
        (
            "schema-min-properties-increased",
            json!({ "minProperties": 1 }),
            json!({ "minProperties": 2 }),
            Narrower,
        ),
        (
            "schema-max-properties-decreased",
            json!({ "maxProperties": 3 }),
            json!({ "maxProperties": 2 }),
            Narrower,
        ),
        ("schema-minimum-increased", json!({ "minimum": 1 }), json!({ "minimum": 1.5 }), Narrower),
        (
            "schema-minimum-exclusive-changed",
            json!({ "minimum": 1 }),
            json!({ "minimum": 1, "exclusiveMinimum": true }),
            Narrower,
        ),
        (
            "schema-maximum-exclusive-changed",
            json!({ "maximum": 1 }),
            json!({ "maximum": 1, "exclusiveMaximum": true }),
            Narrower,
        ),
        ("schema-multiple-of-added", json!({}), json!({ "multipleOf": 2 }), Narrower),
        ("schema-multiple-of-changed", json!({ "multipleOf": 2 }), json!({ "multipleOf": 6 }), Narrower),
        ("schema-multiple-of-changed", json!({ "multipleOf": 2 }), json!({ "multipleOf": 3 }), Incomparable),
        (
            "schema-unique-items-added",
            json!({ "type": "array" }),
            json!({ "type": "array", "uniqueItems": true }),
            Narrower,
        ),
        ("schema-pattern-changed", json!({ "pattern": "^a$" }), json!({ "pattern": "^b$" }), Incomparable),
        ("property-became-required", object(json!({})), object(json!({ "required": ["a"] })), Narrower),
        ("schema-closed", object(json!({})), object(json!({ "additionalProperties": false })), Narrower),
        (
            "schema-type-added",
            object(json!({})),
            object(json!({ "additionalProperties": { "type": "string" } })),
            Narrower,
        ),
        (
            "schema-closed",
            object(json!({ "additionalProperties": { "type": "string" } })),
            object(json!({ "additionalProperties": false })),
            Narrower,
        ),
        (
            "schema-type-added",
            json!({ "type": "array", "items": {} }),
            json!({ "type": "array", "items": { "type": "string" } }),
            Narrower,
        ),
        ("schema-unwrapped-from-one-of", json!({ "oneOf": [cat, dog] }), json!({ "oneOf": [cat] }), Narrower),
        (
            "schema-any-of-member-removed",
            json!({ "anyOf": [cat, dog, any] }),
            json!({ "anyOf": [cat, any] }),
            Narrower,
        ),
        // A value that is both a Cat and an Any was invalid before and is valid now.
        (
            "schema-one-of-member-removed",
            json!({ "oneOf": [cat, dog, any] }),
            json!({ "oneOf": [cat, dog] }),
            Incomparable,
        ),
        (
            "schema-alternatives-changed",
            json!({ "anyOf": [any, cat] }),
            json!({ "oneOf": [any, cat] }),
            Narrower,
        ),
        ("schema-alternatives-changed", json!({ "anyOf": [dog, cat] }), json!({ "oneOf": [dog, cat] }), Same),
        (
            "schema-one-of-added",
            json!({ "type": "object" }),
            json!({ "type": "object", "oneOf": [dog, cat] }),
            Narrower,
        ),
        (
            "schema-unwrapped-from-one-of",
            json!({ "oneOf": [{ "type": "string" }, { "type": "boolean" }] }),
            json!({ "type": "string" }),
            Narrower,
        ),
        (
            "schema-unwrapped-from-one-of",
            json!({ "oneOf": [{ "type": "string" }, { "type": "boolean" }] }),
            json!({ "type": "integer" }),
            Incomparable,
        ),
        (
            "schema-max-length-added",
            json!({ "allOf": [{ "type": "string" }, { "minLength": 1 }] }),
            json!({ "allOf": [{ "type": "string" }, { "minLength": 1 }, { "maxLength": 3 }] }),
            Narrower,
        ),
        ("schema-not-added", json!({}), json!({ "not": { "type": "string" } }), Narrower),
        (
            "schema-type-removed",
            json!({ "not": { "type": "string" } }),
            json!({ "not": { "minLength": 0, "pattern": "" } }),
            Narrower,
        ),
        (
            "schema-discriminator-mapping-changed",
            json!({ "oneOf": [cat, dog], "discriminator": { "propertyName": "is", "mapping": { "a": "Cat", "b": "Dog" } } }),
            json!({ "oneOf": [cat, dog], "discriminator": { "propertyName": "is", "mapping": { "a": "Dog", "b": "Cat" } } }),
            Incomparable,
        ),
        (
            "schema-discriminator-mapping-removed",
            json!({ "oneOf": [cat, dog], "discriminator": { "propertyName": "is", "mapping": { "a": "Cat", "A": "Cat" } } }),
            json!({ "oneOf": [cat, dog], "discriminator": { "propertyName": "is", "mapping": { "a": "Cat" } } }),
            Narrower,
        ),
        (
            "schema-discriminator-property-changed",
            json!({ "oneOf": [cat, dog], "discriminator": { "propertyName": "is" } }),
            json!({ "oneOf": [cat, dog], "discriminator": { "propertyName": "kind" } }),
            Incomparable,
        ),
        (
            "schema-discriminator-added",
            json!({ "oneOf": [cat, dog] }),
            json!({ "oneOf": [cat, dog], "discriminator": { "propertyName": "is" } }),
            Narrower,
        ),
    ];
    for (rule, before, after, change) in table {
        for (one, other, change, rule) in
            [(&before, &after, change, Some(rule)), (&after, &before, change.reversed(), None)]
        {
            let findings = findings_of(&in_request(one), &in_request(other));
            assert_eq!(breaks(&findings), change.in_request(), "request: {one} to {other}: {findings:#?}");
            if let Some(rule) = rule {
                assert!(
                    findings.iter().any(|finding| finding.rule == rule),
                    "{rule} is not among {findings:#?}"
                );
            }
            let findings = findings_of(&in_response(one), &in_response(other));
            assert_eq!(breaks(&findings), change.in_response(), "response: {one} to {other}: {findings:#?}");
        }
    }
}

#[test]
fn each_changed_property_breaks_clients_or_servers_depending_on_the_direction() {
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
        let (request_findings, response_findings) = (
            findings_of(&in_request(&before), &in_request(&after)),
            findings_of(&in_response(&before), &in_response(&after)),
        );
        assert_eq!(breaks(&request_findings), request, "request: {rule}: {request_findings:#?}");
        assert_eq!(breaks(&response_findings), response, "response: {rule}: {response_findings:#?}");
        assert!(
            request_findings.iter().chain(&response_findings).any(|finding| finding.rule == rule),
            "{rule}: {request_findings:#?} {response_findings:#?}"
        );
    }
}

/// Each row: a part of an operation before and after a change, the sides that the change breaks, and those that its reverse
/// breaks.
#[test]
fn each_changed_part_of_an_operation_breaks_clients_or_servers() {
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
    let responses = |responses: Value| json!({ "responses": responses });
    let response = |rest: Value| {
        let mut response = json!({ "description": "d" });
        response.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        json!({ "responses": { "200": response } })
    };
    let header =
        |required: bool| response(json!({ "headers": { "X-A": { "required": required, "schema": {} } } }));
    let security = |list: Value| json!({ "security": list });
    let servers_of = |list: Value| json!({ "servers": list });
    let callback = |body: Value| {
        let operation = json!({ "requestBody": { "content": { "application/json": { "schema": body } } }, "responses": { "200": { "description": "" } } });
        json!({ "callbacks": { "made": { "{$url}": { "post": operation } } } })
    };
    let link = |id: &str| response(json!({ "links": { "next": { "operationId": id } } }));
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
            response(json!({ "content": { "application/json": {} } })),
            response(json!({ "content": { "application/json": {}, "text/plain": {} } })),
            servers,
            clients,
        ),
        (header(false), header(true), servers, clients),
        (response(json!({})), header(false), neither, clients),
        (response(json!({})), header(true), servers, clients),
        (
            responses(json!({ "200": { "description": "d" }, "201": { "description": "d" } })),
            response(json!({})),
            clients,
            neither,
        ),
        (
            responses(json!({ "200": { "description": "d" }, "404": { "description": "d" } })),
            response(json!({})),
            neither,
            neither,
        ),
        (
            responses(json!({ "200": { "description": "d" }, "404": { "description": "d" } })),
            responses(json!({ "200": { "description": "d" }, "4XX": { "description": "d" } })),
            neither,
            neither,
        ),
        (
            responses(
                json!({ "200": { "description": "d" }, "404": { "description": "d", "content": { "application/json": { "schema": { "type": "string" } } } } }),
            ),
            responses(
                json!({ "200": { "description": "d" }, "default": { "description": "d", "content": { "application/json": { "schema": { "type": "integer" } } } } }),
            ),
            both,
            both,
        ),
        (json!({}), security(json!([{ "key": [] }])), clients, servers),
        (
            security(json!([{ "key": [] }])),
            security(json!([{ "key": [] }, { "other": [] }])),
            servers,
            clients,
        ),
        (security(json!([{ "key": [] }])), security(json!([{ "key": [], "other": [] }])), clients, servers),
        (security(json!([{ "key": [] }])), security(json!([{ "other": [] }])), both, both),
        (security(json!([{ "oauth": ["r"] }])), security(json!([{ "oauth": ["r", "w"] }])), clients, servers),
        (security(json!([])), security(json!([{}])), neither, neither),
        (security(json!([{}])), security(json!([{}, { "key": [] }])), neither, neither),
        (json!({}), servers_of(json!([{ "url": "/v2" }])), clients, clients),
        (
            servers_of(json!([{ "url": "/" }])),
            servers_of(json!([{ "url": "/" }, { "url": "/v2" }])),
            neither,
            clients,
        ),
        (callback(json!({ "type": "string" })), callback(json!({})), clients, servers),
        (json!({}), callback(json!({})), neither, clients),
        (link("a"), link("b"), neither, neither),
    ];
    for (before, after, by_change, by_reverse) in table {
        let with = |part: &Value| {
            document(|value| {
                operation(value).as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
            })
        };
        let (one, other) = (with(&before), with(&after));
        let findings = findings_of(&one, &other);
        assert_eq!(breaks(&findings), by_change, "{before} to {after}: {findings:#?}");
        let findings = findings_of(&other, &one);
        assert_eq!(breaks(&findings), by_reverse, "{after} to {before}: {findings:#?}");
        // Both mean that no credential is needed, so they are equal.
        let without_security = [json!([]), json!([{}])].map(&security);
        let is_equal = without_security.contains(&before) && without_security.contains(&after);
        assert_eq!(findings.is_empty(), is_equal, "{after} to {before}");
    }
}

#[test]
fn removing_a_deprecated_operation_does_not_break_from_its_sunset_date_on() {
    let with_operation = |marks: Value| {
        document(|value| {
            let mut get = json!({ "responses": { "200": { "description": "d" } } });
            get.as_object_mut().unwrap().extend(marks.as_object().unwrap().clone());
            value["paths"]["/a"]["get"] = get;
        })
    };
    let without_operation = document(|_| {});
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
        let findings =
            compare(&with_operation(marks.clone()), &without_operation, Options { today }).unwrap();
        assert_eq!(findings.iter().any(Finding::is_breaking), breaking, "{marks} {today:?}");
    }
    let (late, early) = (
        with_operation(json!({ "deprecated": true, "x-sunset": "2027-01-01" })),
        with_operation(json!({ "deprecated": true, "x-sunset": "2026-12-01" })),
    );
    assert!(findings_of(&late, &early).iter().any(Finding::is_breaking));
    assert!(!findings_of(&early, &late).iter().any(Finding::is_breaking));
}

#[test]
fn a_fingerprint_depends_on_the_changed_values_and_not_on_the_order_of_parameters() {
    let parameters = |list: Value| document(|value| operation(value)["parameters"] = list);
    let limit = |maximum: u32| json!({ "name": "limit", "in": "query", "schema": { "type": "integer", "maximum": maximum } });
    let other = json!({ "name": "other", "in": "query", "schema": {} });
    let fingerprint = |base: &Document, revision: &Document| {
        let findings = findings_of(base, revision);
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(findings[0].canonical, "/paths/~1a/post/parameters/query:limit/schema/maximum");
        findings[0].fingerprint()
    };
    let only_parameter = fingerprint(&parameters(json!([limit(10)])), &parameters(json!([limit(5)])));
    let second_parameter =
        fingerprint(&parameters(json!([other, limit(10)])), &parameters(json!([limit(5), other])));
    assert_eq!(only_parameter, second_parameter);
    assert_ne!(only_parameter, fingerprint(&parameters(json!([limit(10)])), &parameters(json!([limit(4)]))));
}

#[test]
fn a_schema_in_a_request_and_a_response_is_one_finding_that_names_the_use_that_breaks_clients() {
    let in_both = |max_length: u32| {
        document(|value| {
            let schema = json!({ "$ref": "#/components/schemas/Text" });
            let content = json!({ "application/json": { "schema": schema } });
            value["components"]["schemas"]["Text"] = json!({ "type": "string", "maxLength": max_length });
            operation(value)["requestBody"] = json!({ "content": content });
            operation(value)["responses"]["200"]["content"] = content;
        })
    };
    for (before, after, part) in [(9, 5, "request body"), (5, 9, "response 200")] {
        let findings = findings_of(&in_both(before), &in_both(after));
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(findings[0].breaks(), Breaks::BOTH);
        assert!(findings[0].message.contains(part), "{}", findings[0].message);
    }
}
