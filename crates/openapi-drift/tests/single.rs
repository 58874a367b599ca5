//! Single changes that a comparison once overlooked, or called something else than they are.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use openapi_drift::{Breaks, Document, Effect, Finding, Options, compare};
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

fn rules(base: &Document, revision: &Document) -> Vec<&'static str> {
    found(base, revision).into_iter().map(|finding| finding.rule).collect()
}

fn none() -> Value {
    json!({})
}

#[test]
fn bounds_beyond_the_precision_of_a_double_are_distinguished() {
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
fn a_pattern_that_stays_is_the_same_in_another_place() {
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
    assert_eq!(chain("string", 70, bare).problems()[0].rule, "long-reference");
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

#[test]
fn what_only_a_generated_client_refuses_is_no_break_though_a_request_has_it_too() {
    let both = |schema: Value| {
        document(|value| {
            let content = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/S" } } });
            operation(value)["requestBody"] = json!({ "content": content });
            operation(value)["responses"]["200"]["content"] = content;
            value["components"]["schemas"]["S"] = schema;
        })
    };
    let findings =
        found(&both(json!({ "type": "string", "pattern": "a" })), &both(json!({ "type": "string" })));
    assert_eq!((findings.len(), findings[0].breaks()), (1, Breaks::SERVERS));
}

#[test]
fn names_that_differ_in_what_does_not_count_do_not_hide_each_other() {
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
fn a_path_item_that_refers_hides_neither_itself_nor_what_stands_beside() {
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
fn a_parameter_with_a_schema_and_content_is_compared_in_both() {
    let with = |kind: &str| {
        document(|value| {
            let parameter = json!({ "name": "a", "in": "query", "schema": { "type": kind }, "content": { "text/plain": {} } });
            operation(value)["parameters"] = json!([parameter]);
        })
    };
    assert_eq!(rules(&with("string"), &with("boolean")), ["schema-type-narrowed"]);
}

#[test]
fn a_media_type_beside_or_instead_of_its_range_is_held_against_it() {
    let with = |content: Value| document(|value| operation(value)["responses"]["200"]["content"] = content);
    let of = |kind: &str| json!({ "schema": { "type": kind } });
    let range = |name: &str| with(json!({ name: of("string") }));
    let beside = |kind| with(json!({ "*/*": of("string"), "application/json": of(kind) }));
    assert_eq!(rules(&range("*/*"), &beside("string")), ["media-type-specialized"]);
    assert!(rules(&range("*/*"), &beside("integer")).contains(&"schema-type-changed"));
    let both = with(json!({ "application/*": of("string"), "application/json": of("string") }));
    assert_eq!(rules(&both, &with(json!({ "application/json": of("string") }))), ["media-type-removed"]);
    for name in ["*/*", "application/*"] {
        let findings = found(&range(name), &with(json!({ "application/json": of("string") })));
        assert_eq!((findings.len(), findings[0].rule), (1, "media-type-specialized"), "{findings:?}");
        assert_eq!(findings[0].breaks(), Breaks::SERVERS);
    }
}

#[test]
fn in_a_callback_the_server_is_the_one_that_sends() {
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
    for (other, forth, back) in [
        (operation_of(parameter(false), json!({})), Breaks::NEITHER, Breaks::CLIENTS),
        (operation_of(parameter(true), json!({})), Breaks::SERVERS, Breaks::CLIENTS),
        (body(false), Breaks::NEITHER, Breaks::CLIENTS),
        (body(true), Breaks::SERVERS, Breaks::CLIENTS),
    ] {
        let breaks = |base: &Document, revision: &Document| {
            let findings = found(base, revision);
            assert_eq!(findings.len(), 1, "{findings:?}");
            findings[0].breaks()
        };
        assert_eq!(breaks(&used(nothing()), &used(other.clone())), forth, "{other}");
        assert_eq!(breaks(&used(other.clone()), &used(nothing())), back, "{other}");
        for (base, revision) in [(nothing(), other.clone()), (other, nothing())] {
            let findings = found(&unused(base), &unused(revision));
            assert!(findings.iter().all(|it| it.effect == Effect::GeneratedCode), "{findings:?}");
        }
    }
}

#[test]
fn what_became_one_of_several_hides_nothing_else() {
    let property = |schema: Value| request(&json!({ "properties": { "p": schema } }), &none());
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
    let found = rules(&request(&member("a"), &none()), &request(&wrapped, &none()));
    assert!(found.contains(&"schema-description-changed"), "{found:?}");
}

#[test]
fn of_several_at_once_each_is_compared_and_none_shifts_the_others() {
    let with = |name: &str| {
        let all = json!([{ "xml": { "name": "a" } }, { "xml": { "name": name } }]);
        document(|value| {
            let content = json!({ "application/xml": { "schema": { "allOf": all } } });
            operation(value)["responses"]["200"]["content"] = content;
        })
    };
    assert_eq!(rules(&with("b"), &with("c")), ["schema-xml-name-changed"]);
    let all = |parts: &[&Value]| request(&json!({ "allOf": parts, "type": "object" }), &none());
    let named = |name: &str| json!({ "discriminator": { "propertyName": name } });
    let found_rules = rules(&all(&[&named("a"), &named("b")]), &all(&[&named("a"), &named("c")]));
    assert_eq!(found_rules, ["schema-discriminator-property-changed"]);

    let part = |name: &str| json!({ "type": "object", "required": [name], "properties": { name: {} } });
    let one = |first: &str, second: &str| json!({ "oneOf": [part(first), part(second)] });
    let (ab, cd) = (one("a", "b"), one("c", "d"));
    assert_eq!(found(&all(&[&ab, &cd]), &all(&[&cd, &ab])), []);
    let gone = found(&all(&[&ab, &cd]), &all(&[&cd]));
    assert_eq!((gone.len(), gone[0].breaks()), (1, Breaks::SERVERS), "{gone:?}");

    let (a, b) = (json!({ "not": { "required": ["a"] } }), json!({ "not": { "required": ["b"] } }));
    assert_eq!(rules(&all(&[&a, &b]), &all(&[&b])), ["schema-not-removed"]);
}

#[test]
fn what_says_the_same_in_other_words_is_no_difference() {
    let encoding = |encoding: Value| {
        document(|value| {
            let content = json!({ "multipart/form-data": { "encoding": encoding } });
            operation(value)["requestBody"] = json!({ "content": content });
        })
    };
    let schema = |schema: Value| response(&schema, &none());
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
        assert_eq!(found(&one, &other), []);
        assert_eq!(found(&other, &one), []);
    }
    let object = |properties: Value| schema(json!({ "additionalProperties": {}, "properties": properties }));
    let added = found(&object(none()), &object(json!({ "a": { "type": "string" } })));
    assert_eq!((added.len(), added[0].breaks()), (1, Breaks::NEITHER), "{added:?}");
}

#[test]
fn a_description_is_compared_though_another_stands_before_it() {
    let component = |field: &str, text: &str| {
        let outer = json!({ "allOf": [{ "$ref": "#/components/schemas/A" }], field: "outer" });
        response(&outer, &json!({ "A": { "type": "string", field: text } }))
    };
    for field in ["description", "x-name", "default"] {
        let changed = found(&component(field, "x"), &component(field, "y"));
        assert_eq!(changed.len(), 1, "{changed:?}");
        assert_eq!(changed[0].base.pointer, format!("/components/schemas/A/{field}"));
    }
    let alternatives = |text: &str| {
        let one = json!({ "type": "string", "enum": ["a"], "description": text });
        response(&json!({ "oneOf": [one, { "type": "string", "enum": ["b"] }] }), &none())
    };
    assert_eq!(rules(&alternatives("x"), &alternatives("y")), ["schema-description-changed"]);
}

#[test]
fn a_schema_with_a_discriminator_may_be_whatever_includes_it() {
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
    let findings = found(&with("string", &[]), &with("integer", &[]));
    assert!(findings.len() == 1 && findings[0].is_breaking(), "{findings:?}");
    let added = rules(&with("string", &[]), &with("string", &["Dog"]));
    assert!(added.contains(&"schema-discriminator-mapping-added"), "{added:?}");
}

#[test]
fn servers_and_security_of_the_document_are_compared_though_no_operation_is_under_them() {
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
        let findings = found(&with(&one), &with(&other));
        assert_eq!((findings.len(), findings[0].effect), (1, Effect::Documentation), "{findings:?}");
    }
}

#[test]
fn a_server_keeps_its_fingerprint_wherever_it_stands_in_the_list() {
    let with = |text: &str, first: bool| {
        let (one, other) = (json!({ "url": "/a", "description": text }), json!({ "url": "/b" }));
        document(|value| value["servers"] = if first { json!([one, other]) } else { json!([other, one]) })
    };
    let print = |first| {
        let findings = found(&with("x", first), &with("y", first));
        assert_eq!(findings.len(), 1);
        findings[0].fingerprint()
    };
    assert_eq!(print(true), print(false));
}

#[test]
fn what_a_parameter_says_without_effect_is_not_on_the_wire() {
    let with = |parameter: Value| document(|value| operation(value)["parameters"] = json!([parameter]));
    let query = |explode: bool, schema: Value| {
        with(json!({ "name": "q", "in": "query", "explode": explode, "schema": schema }))
    };
    let text = json!({ "type": "string" });
    let list = json!({ "type": "array", "items": { "type": "string" } });
    let findings = found(&query(true, text.clone()), &query(false, text));
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].effect, Effect::GeneratedCode);
    let findings = found(&query(true, list.clone()), &query(false, list));
    assert_eq!((findings[0].effect, findings[0].breaks()), (Effect::Wire, Breaks::BOTH));

    let header = |name: &str| json!({ "name": name, "in": "header", "required": true, "schema": {} });
    for name in ["Accept", "content-type", "AUTHORIZATION"] {
        let findings = found(&document(|_| {}), &with(header(name)));
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].effect, findings[0].is_breaking()), (Effect::Documentation, false), "{name}");
    }
    assert!(found(&document(|_| {}), &with(header("X-Other")))[0].is_breaking());
}

#[test]
fn a_pattern_that_a_response_no_longer_refuses_is_reported_the_other_way_round() {
    let refused =
        |pattern: &str| response(&json!({ "not": { "type": "string", "pattern": pattern } }), &none());
    let any = response(&json!({ "not": { "type": "string" } }), &none());
    let findings = found(&refused("^a$"), &any);
    assert_eq!((findings.len(), findings[0].breaks()), (1, Breaks::SERVERS), "{findings:#?}");
}

#[test]
fn alternatives_that_share_some_members_with_others_are_not_taken_for_them() {
    let with = |other: &str| {
        let text = json!({ "type": "string" });
        let groups = json!([{ "oneOf": [text, text] }, { "oneOf": [text, { "type": other }] }]);
        request(&json!({ "allOf": groups }), &none())
    };
    assert!(!found(&with("integer"), &with("boolean")).is_empty());
}

#[test]
fn a_callback_that_comes_or_goes_where_no_operation_uses_it_is_not_on_the_wire() {
    let with = |callbacks: Value| {
        document(|value| {
            let operation = json!({ "responses": { "200": { "description": "d" } }, "callbacks": callbacks });
            value["components"]["callbacks"] = json!({ "unused": { "{$url}": { "post": operation } } });
        })
    };
    let findings = found(&with(json!({ "inner": {} })), &with(json!({})));
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!((findings[0].effect, findings[0].breaks()), (Effect::GeneratedCode, Breaks::NEITHER));
}
