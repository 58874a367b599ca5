//! Regressions: changes that the comparison once missed, or reported as something else.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use openapi_drift::{Breaks, Document, Effect, Finding, Options, compare};
use serde_json::{Value, json};

/// A small document after a change.
fn document(change: impl FnOnce(&mut Value)) -> Document {
    let mut value = json!({
        "openapi": "3.0.3", "info": { "title": "t", "version": "1.0.0" },
        "paths": { "/a": { "post": { "responses": { "200": { "description": "d" } } } } },
        "components": { "schemas": {} },
    });
    change(&mut value);
    Document::parse(&value.to_string()).unwrap()
}

/// The operation of the document.
fn operation(value: &mut Value) -> &mut Value {
    &mut value["paths"]["/a"]["post"]
}

/// A document with this schema in a request body, and these components.
fn request(schema: &Value, schemas: &Value) -> Document {
    document(|value| {
        let content = json!({ "application/json": { "schema": schema } });
        operation(value)["requestBody"] = json!({ "required": true, "content": content });
        value["components"]["schemas"] = schemas.clone();
    })
}

/// A document with this schema in a response, and these components.
fn response(schema: &Value, schemas: &Value) -> Document {
    document(|value| {
        operation(value)["responses"]["200"]["content"] = json!({ "application/json": { "schema": schema } });
        value["components"]["schemas"] = schemas.clone();
    })
}

/// The findings of a comparison. Asserts that every pointer of a finding exists in its document.
fn findings_of(base: &Document, revision: &Document) -> Vec<Finding> {
    let findings = compare(base, revision, Options::default()).unwrap();
    for finding in &findings {
        assert!(base.value().pointer(&finding.base.pointer).is_some(), "{finding:?}");
        assert!(revision.value().pointer(&finding.revision.pointer).is_some(), "{finding:?}");
    }
    findings
}

/// The rule IDs of the findings of a comparison.
fn rules(base: &Document, revision: &Document) -> Vec<&'static str> {
    findings_of(base, revision).into_iter().map(|finding| finding.rule).collect()
}

/// No components.
fn no_components() -> Value {
    json!({})
}

#[test]
fn bounds_beyond_the_precision_of_a_double_are_compared_exactly() {
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
        let with = |value: &Value| request(&json!({ keyword: value }), &no_components());
        assert_eq!(rules(&with(&before), &with(&after)), [rule], "{before} {after}");
    }
    let with = |bound: Value| {
        let mut schema = json!({ "type": "integer" });
        schema.as_object_mut().unwrap().extend(bound.as_object().unwrap().clone());
        request(&schema, &no_components())
    };
    for (one, other) in [
        (json!({ "minimum": 1 }), json!({ "minimum": 0.5 })),
        (json!({ "minimum": -1 }), json!({ "minimum": -1.5 })),
        (json!({ "maximum": 1 }), json!({ "maximum": 1.5, "exclusiveMaximum": true })),
        (json!({ "maximum": 1 }), json!({ "maximum": 2, "exclusiveMaximum": true })),
        (json!({ "minimum": i64::MAX }), json!({ "minimum": i64::MAX - 1, "exclusiveMinimum": true })),
    ] {
        assert_eq!(findings_of(&with(one), &with(other)), []);
    }
}

#[test]
fn a_pattern_that_moves_out_of_all_of_is_unchanged() {
    let (both, first) =
        (json!({ "allOf": [{ "pattern": "a" }, { "pattern": "b" }] }), json!({ "pattern": "a" }));
    let findings = findings_of(&response(&both, &no_components()), &response(&first, &no_components()));
    assert_eq!(findings.len(), 1);
    assert!(!findings[0].is_breaking(), "{findings:?}");
}

#[test]
fn dangling_and_long_references_hide_no_other_change() {
    let with_dangling = |second: &str| {
        let to = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
        response(&json!({ "properties": { "a": to("absent"), "b": to(second) } }), &no_components())
    };
    assert_eq!(rules(&with_dangling("lost"), &with_dangling("gone")), ["reference-unresolved"]);

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
        let findings = findings_of(&chain("string", 60, wrap), &chain("integer", 60, wrap));
        assert!(findings[0].is_breaking(), "{findings:?}");
    }
    assert_eq!(chain("string", 70, bare).problems()[0].rule, "long-reference");
    assert!(compare(&chain("string", 70, all), &chain("integer", 70, all), Options::default()).is_err());
}

#[test]
fn alternatives_are_identified_by_the_names_of_components_and_not_of_other_targets() {
    let schemas = json!({
        "A": { "properties": { "x": { "type": "string" } } },
        "B": { "properties": { "x": { "type": "integer" } } },
    });
    let one_of = |names: [&str; 2]| {
        let to = |name| json!({ "$ref": format!("#/components/schemas/{name}/properties/x") });
        response(&json!({ "oneOf": names.map(to) }), &schemas)
    };
    assert_eq!(findings_of(&one_of(["A", "B"]), &one_of(["B", "A"])), []);
}

#[test]
fn a_change_that_only_a_generated_client_rejects_does_not_break_clients_if_a_request_has_it_too() {
    let both = |schema: Value| {
        document(|value| {
            let content = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/S" } } });
            operation(value)["requestBody"] = json!({ "content": content });
            operation(value)["responses"]["200"]["content"] = content;
            value["components"]["schemas"]["S"] = schema;
        })
    };
    let findings =
        findings_of(&both(json!({ "type": "string", "pattern": "a" })), &both(json!({ "type": "string" })));
    assert_eq!((findings.len(), findings[0].breaks()), (1, Breaks::SERVERS));
}

#[test]
fn names_that_are_equivalent_do_not_hide_each_other() {
    let map = |field: &str, names: [&str; 2], kind: &str, wrap: fn(Value) -> Value| {
        document(|value| {
            let one = wrap(json!({ "schema": { "type": kind } }));
            let other = wrap(json!({ "schema": { "type": "string" } }));
            operation(value)["responses"]["200"][field] = json!({ names[0]: one, names[1]: other });
        })
    };
    for (field, names) in [("content", ["Application/JSON", "application/json"]), ("headers", ["X-A", "x-a"])]
    {
        let of = |kind| map(field, names, kind, |it| it);
        assert_eq!(rules(&of("string"), &of("boolean")).len(), 1, "{field}");
    }
    let server = |text: &str| {
        document(|value| {
            let one = json!({ "url": "https://a.example/", "description": text });
            value["servers"] = json!([one, { "url": "https://a.example" }]);
        })
    };
    assert_eq!(rules(&server("x"), &server("y")), ["server-description-changed"]);
    let path = |text: &str| {
        document(|value| {
            value["paths"]["/b/{x}"] = json!({ "summary": text });
            value["paths"]["/b/{}"] = json!({});
            value["paths"]["/b/{y}"] = json!({});
        })
    };
    assert_eq!(rules(&path("x"), &path("y")), ["path-item-summary-changed"]);
}

#[test]
fn a_path_item_with_a_reference_is_compared_with_its_sibling_fields() {
    let with = |item: Option<Value>| {
        document(|value| {
            if let Some(item) = item {
                value["paths"]["/b"] = item;
            }
        })
    };
    let get = |text: &str| json!({ "responses": { "200": { "description": text } } });
    let beside = |text: &str| with(Some(json!({ "$ref": "#/paths/~1a", "get": get(text) })));
    assert_eq!(rules(&beside("d"), &beside("e")), ["path-item-sibling-changed"]);
    assert_eq!(rules(&with(Some(json!({ "$ref": "#/absent" }))), &with(None)), ["path-removed"]);
}

#[test]
fn both_the_schema_and_the_content_of_a_parameter_are_compared() {
    let with = |kind: &str| {
        document(|value| {
            let parameter = json!({ "name": "a", "in": "query", "schema": { "type": kind }, "content": { "text/plain": {} } });
            operation(value)["parameters"] = json!([parameter]);
        })
    };
    assert_eq!(rules(&with("string"), &with("boolean")), ["schema-type-narrowed"]);
}

#[test]
fn a_media_type_beside_or_instead_of_its_range_is_compared_with_the_range() {
    let with = |content: Value| document(|value| operation(value)["responses"]["200"]["content"] = content);
    let of = |kind: &str| json!({ "schema": { "type": kind } });
    let range = |name: &str| with(json!({ name: of("string") }));
    let beside = |kind| with(json!({ "*/*": of("string"), "application/json": of(kind) }));
    assert_eq!(rules(&range("*/*"), &beside("string")), ["media-type-specialized"]);
    assert!(rules(&range("*/*"), &beside("integer")).contains(&"schema-type-changed"));
    let both = with(json!({ "application/*": of("string"), "application/json": of("string") }));
    assert_eq!(rules(&both, &with(json!({ "application/json": of("string") }))), ["media-type-removed"]);
    for name in ["*/*", "application/*"] {
        let findings = findings_of(&range(name), &with(json!({ "application/json": of("string") })));
        assert_eq!((findings.len(), findings[0].rule), (1, "media-type-specialized"), "{findings:?}");
        assert_eq!(findings[0].breaks(), Breaks::SERVERS);
    }
}

#[test]
fn in_a_callback_the_server_sends_the_request() {
    let operation_of = |parameters: Value, rest: Value| {
        let mut post = json!({ "parameters": parameters, "responses": { "200": { "description": "" } } });
        post.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        json!({ "made": { "{$url}": { "post": post } } })
    };
    let used = |callbacks: Value| document(|value| operation(value)["callbacks"] = callbacks);
    let unused = |callbacks: Value| document(|value| value["components"]["callbacks"] = callbacks);
    let parameter =
        |required: bool| json!([{ "name": "a", "in": "query", "required": required, "schema": {} }]);
    let nothing = || operation_of(json!([]), json!({}));
    let body = |required: bool| {
        operation_of(json!([]), json!({ "requestBody": { "required": required, "content": {} } }))
    };
    for (other, by_addition, by_removal) in [
        (operation_of(parameter(false), json!({})), Breaks::NEITHER, Breaks::CLIENTS),
        (operation_of(parameter(true), json!({})), Breaks::SERVERS, Breaks::CLIENTS),
        (body(false), Breaks::NEITHER, Breaks::CLIENTS),
        (body(true), Breaks::SERVERS, Breaks::CLIENTS),
    ] {
        let breaks = |base: &Document, revision: &Document| {
            let findings = findings_of(base, revision);
            assert_eq!(findings.len(), 1, "{findings:?}");
            findings[0].breaks()
        };
        assert_eq!(breaks(&used(nothing()), &used(other.clone())), by_addition, "{other}");
        assert_eq!(breaks(&used(other.clone()), &used(nothing())), by_removal, "{other}");
        for (base, revision) in [(nothing(), other.clone()), (other, nothing())] {
            let findings = findings_of(&unused(base), &unused(revision));
            assert!(findings.iter().all(|it| it.effect == Effect::GeneratedCode), "{findings:?}");
        }
    }
}

#[test]
fn a_schema_that_becomes_an_alternative_hides_no_other_change() {
    let property = |schema: Value| request(&json!({ "properties": { "p": schema } }), &no_components());
    let both = json!([{ "type": "string" }, { "type": "integer" }]);
    let plain = property(json!({ "type": "string" }));
    for (field, value, rule) in [
        ("default", json!(3), "schema-default-changed"),
        ("writeOnly", json!(true), "schema-write-only-changed"),
        ("discriminator", json!({ "propertyName": "x" }), "schema-discriminator-added"),
    ] {
        let wrapped = property(json!({ "oneOf": both, field: value }));
        assert!(rules(&plain, &wrapped).contains(&rule), "{field}");
    }
    let member = |text: &str| json!({ "properties": { "p": { "type": "string", "description": text } }, "type": "object" });
    let wrapped = json!({ "oneOf": [member("b"), { "type": "integer" }] });
    let rule_ids = rules(&request(&member("a"), &no_components()), &request(&wrapped, &no_components()));
    assert!(rule_ids.contains(&"schema-description-changed"), "{rule_ids:?}");
}

#[test]
fn keywords_that_several_members_of_all_of_have_are_each_compared() {
    let with = |name: &str| {
        let all = json!([{ "xml": { "name": "a" } }, { "xml": { "name": name } }]);
        document(|value| {
            let content = json!({ "application/xml": { "schema": { "allOf": all } } });
            operation(value)["responses"]["200"]["content"] = content;
        })
    };
    assert_eq!(rules(&with("b"), &with("c")), ["schema-xml-name-changed"]);
    let all = |parts: &[&Value]| request(&json!({ "allOf": parts, "type": "object" }), &no_components());
    let named = |name: &str| json!({ "discriminator": { "propertyName": name } });
    let rule_ids = rules(&all(&[&named("a"), &named("b")]), &all(&[&named("a"), &named("c")]));
    assert_eq!(rule_ids, ["schema-discriminator-property-changed"]);

    let part = |name: &str| json!({ "type": "object", "required": [name], "properties": { name: {} } });
    let one = |first: &str, second: &str| json!({ "oneOf": [part(first), part(second)] });
    let (ab, cd) = (one("a", "b"), one("c", "d"));
    assert_eq!(findings_of(&all(&[&ab, &cd]), &all(&[&cd, &ab])), []);
    let removed = findings_of(&all(&[&ab, &cd]), &all(&[&cd]));
    assert_eq!((removed.len(), removed[0].breaks()), (1, Breaks::SERVERS), "{removed:?}");

    let (a, b) = (json!({ "not": { "required": ["a"] } }), json!({ "not": { "required": ["b"] } }));
    assert_eq!(rules(&all(&[&a, &b]), &all(&[&b])), ["schema-not-removed"]);
}

#[test]
fn equivalent_schemas_and_encodings_result_in_no_finding() {
    let encoding = |encoding: Value| {
        document(|value| {
            let content = json!({ "multipart/form-data": { "encoding": encoding } });
            operation(value)["requestBody"] = json!({ "content": content });
        })
    };
    let schema = |schema: Value| response(&schema, &no_components());
    for (one, other) in [
        (schema(json!({ "enum": [1] })), schema(json!({ "enum": [1.0] }))),
        (schema(json!({ "enum": [1, 2.5] })), schema(json!({ "type": "number", "enum": [1, 2.5] }))),
        (
            schema(json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }] })),
            schema(json!({ "allOf": [
                { "anyOf": [{ "type": "string" }, { "type": "integer" }] },
                { "anyOf": [{ "type": "integer" }, { "allOf": [{ "type": "string" }] }] },
            ] })),
        ),
        (encoding(json!({})), encoding(json!({ "p": {} }))),
        (encoding(json!({ "p": { "style": "form" } })), encoding(json!({ "p": { "explode": true } }))),
    ] {
        assert_eq!(findings_of(&one, &other), []);
        assert_eq!(findings_of(&other, &one), []);
    }
    let object = |properties: Value| schema(json!({ "additionalProperties": {}, "properties": properties }));
    let added = findings_of(&object(no_components()), &object(json!({ "a": { "type": "string" } })));
    assert_eq!((added.len(), added[0].breaks()), (1, Breaks::NEITHER), "{added:?}");
}

#[test]
fn an_overridden_description_is_compared() {
    let component = |field: &str, text: &str| {
        let outer = json!({ "allOf": [{ "$ref": "#/components/schemas/A" }], field: "outer" });
        response(&outer, &json!({ "A": { "type": "string", field: text } }))
    };
    for field in ["description", "x-name", "default"] {
        let changed = findings_of(&component(field, "x"), &component(field, "y"));
        assert_eq!(changed.len(), 1, "{changed:?}");
        assert_eq!(changed[0].base.pointer, format!("/components/schemas/A/{field}"));
    }
    let alternatives = |text: &str| {
        let one = json!({ "type": "string", "enum": ["a"], "description": text });
        response(&json!({ "oneOf": [one, { "type": "string", "enum": ["b"] }] }), &no_components())
    };
    assert_eq!(rules(&alternatives("x"), &alternatives("y")), ["schema-description-changed"]);
}

#[test]
fn the_schemas_that_include_one_with_a_discriminator_are_its_alternatives() {
    let pet = json!({ "$ref": "#/components/schemas/Pet" });
    let with = |kind: &str, more: &[&str]| {
        let mut schemas = json!({
            "Pet": {
                "type": "object", "required": ["is"], "properties": { "is": { "type": "string" } },
                "discriminator": { "propertyName": "is" },
            },
            "Lion": { "allOf": [{ "$ref": "#/components/schemas/Cat" }, { "properties": { "x": { "type": kind } } }] },
            "Cat": { "allOf": [pet, { "properties": { "y": { "type": "string" } } }] },
        });
        for name in more {
            schemas[*name] = json!({ "allOf": [pet] });
        }
        response(&pet, &schemas)
    };
    let findings = findings_of(&with("string", &[]), &with("integer", &[]));
    assert!(findings.len() == 1 && findings[0].is_breaking(), "{findings:?}");
    let added = rules(&with("string", &[]), &with("string", &["Dog"]));
    assert!(added.contains(&"schema-discriminator-mapping-added"), "{added:?}");
}

#[test]
fn servers_and_security_of_the_document_are_compared_even_if_every_operation_overrides_them() {
    for (field, one, other) in [
        ("servers", json!([{ "url": "/a" }]), json!([{ "url": "/b" }])),
        ("security", json!([{ "key": [] }]), json!([{ "other": [] }])),
    ] {
        let with = |value: &Value| {
            document(|document| {
                document[field] = value.clone();
                operation(document)[field] =
                    if field == "servers" { json!([{ "url": "/" }]) } else { json!([]) };
            })
        };
        let findings = findings_of(&with(&one), &with(&other));
        assert_eq!((findings.len(), findings[0].effect), (1, Effect::Documentation), "{findings:?}");
    }
}

#[test]
fn the_fingerprint_of_a_server_does_not_depend_on_its_place_in_the_list() {
    let with = |text: &str, first: bool| {
        let (one, other) = (json!({ "url": "/a", "description": text }), json!({ "url": "/b" }));
        document(|value| value["servers"] = if first { json!([one, other]) } else { json!([other, one]) })
    };
    let fingerprint = |first| {
        let findings = findings_of(&with("x", first), &with("y", first));
        assert_eq!(findings.len(), 1);
        findings[0].fingerprint()
    };
    assert_eq!(fingerprint(true), fingerprint(false));
}

#[test]
fn fields_and_headers_without_effect_are_not_on_the_wire() {
    let with = |parameter: Value| document(|value| operation(value)["parameters"] = json!([parameter]));
    let query = |explode: bool, schema: Value| {
        with(json!({ "name": "q", "in": "query", "explode": explode, "schema": schema }))
    };
    let text = json!({ "type": "string" });
    let list = json!({ "type": "array", "items": { "type": "string" } });
    let findings = findings_of(&query(true, text.clone()), &query(false, text));
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].effect, Effect::GeneratedCode);
    let findings = findings_of(&query(true, list.clone()), &query(false, list));
    assert_eq!((findings[0].effect, findings[0].breaks()), (Effect::Wire, Breaks::BOTH));

    let header = |name: &str| json!({ "name": name, "in": "header", "required": true, "schema": {} });
    for name in ["Accept", "content-type", "AUTHORIZATION"] {
        let findings = findings_of(&document(|_| {}), &with(header(name)));
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].effect, findings[0].is_breaking()), (Effect::Documentation, false), "{name}");
    }
    assert!(findings_of(&document(|_| {}), &with(header("X-Other")))[0].is_breaking());
}

#[test]
fn a_pattern_removed_within_not_breaks_servers() {
    let rejecting = |pattern: &str| {
        response(&json!({ "not": { "type": "string", "pattern": pattern } }), &no_components())
    };
    let any = response(&json!({ "not": { "type": "string" } }), &no_components());
    let findings = findings_of(&rejecting("^a$"), &any);
    assert_eq!((findings.len(), findings[0].breaks()), (1, Breaks::SERVERS), "{findings:#?}");
}

#[test]
fn alternatives_that_share_some_members_with_others_are_distinguished() {
    let with = |other: &str| {
        let text = json!({ "type": "string" });
        let groups = json!([{ "oneOf": [text, text] }, { "oneOf": [text, { "type": other }] }]);
        request(&json!({ "allOf": groups }), &no_components())
    };
    assert!(!findings_of(&with("integer"), &with("boolean")).is_empty());
}

#[test]
fn an_added_or_removed_callback_that_no_operation_uses_is_not_on_the_wire() {
    let with = |callbacks: Value| {
        document(|value| {
            let operation = json!({ "responses": { "200": { "description": "d" } }, "callbacks": callbacks });
            value["components"]["callbacks"] = json!({ "unused": { "{$url}": { "post": operation } } });
        })
    };
    let findings = findings_of(&with(json!({ "inner": {} })), &with(json!({})));
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!((findings[0].effect, findings[0].breaks()), (Effect::GeneratedCode, Breaks::NEITHER));
}
