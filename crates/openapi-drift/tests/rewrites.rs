//! What says the same is no difference, however it is said.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod uses;

use openapi_drift::{Document, METHODS, Object, Options, compare, push, walk};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use uses::uses;

/// A rewrite that changes no meaning. Returns whether it found something to rewrite. The number chooses what.
type Rewrite = fn(&mut Value, usize) -> bool;

const REWRITES: [(&str, Rewrite); 18] = [
    ("wrap a schema in allOf, oneOf or anyOf of one", wrap),
    ("put what a reference means in its place", inline),
    ("name what has no name", extract),
    ("split an object into allOf of two", split),
    ("write an enumeration as oneOf of one value each", unfold),
    ("reverse a list whose order means nothing", reverse),
    ("say a default", say_default),
    ("say a default of a parameter", say_parameter_default),
    ("write whole numbers as decimals", decimals),
    ("write a header's name in another case", header_case),
    ("give a media type parameters, and another case", media_parameters),
    ("write a bound of whole numbers as an exclusive one", exclusive),
    ("give a path's parameters to its operations", push_parameters),
    ("take the parameters of a path's only operation to the path", pull_parameters),
    ("give the document's security to its operations", push_security),
    ("give the document's servers to a path", push_servers),
    ("end a server's address with a slash", slash),
    ("repeat a member of allOf", repeat),
];

fn objects(document: &Value, kind: Object) -> Vec<String> {
    let mut found = Vec::new();
    walk(document, &mut |object, pointer, _| {
        if object == kind {
            found.push(pointer.to_owned());
        }
    });
    found
}

/// The object of this kind that the number chooses among those that fit.
fn choose(
    document: &Value,
    kind: Object,
    number: usize,
    fits: impl Fn(&Map<String, Value>) -> bool,
) -> Option<String> {
    let all = objects(document, kind);
    let fitting: Vec<_> =
        all.iter().filter(|at| fits(document.pointer(at).unwrap().as_object().unwrap())).collect();
    fitting.get(number % fitting.len().max(1)).map(|at| (*at).clone())
}

fn is_reference(object: &Map<String, Value>) -> bool {
    object.contains_key("$ref")
}

fn wrap(document: &mut Value, number: usize) -> bool {
    let Some(at) = choose(document, Object::Schema, number, |_| true) else { return false };
    let place = document.pointer_mut(&at).unwrap();
    *place = json!({ ["allOf", "oneOf", "anyOf"][number % 3]: [place.take()] });
    true
}

fn inline(document: &mut Value, number: usize) -> bool {
    let kinds = [Object::Schema, Object::Response, Object::Parameter, Object::Header, Object::RequestBody];
    let Some(at) = choose(document, kinds[number % kinds.len()], number / kinds.len(), is_reference) else {
        return false;
    };
    let reference =
        document.pointer(&at).unwrap()["$ref"].as_str().unwrap().trim_start_matches('#').to_owned();
    let Some(target) = document.pointer(&reference).cloned() else { return false };
    // A component that was not there before, and now has no use, is a type more.
    if reference.contains("/Extracted") {
        return false;
    }
    // Alternatives are known by their names, and so are the values of a discriminator.
    if at.contains("/oneOf/") || at.contains("/anyOf/") || at.starts_with(&format!("{reference}/")) {
        return false;
    }
    *document.pointer_mut(&at).unwrap() = target;
    true
}

fn extract(document: &mut Value, number: usize) -> bool {
    let kinds = [(Object::Schema, "schemas"), (Object::Response, "responses"), (Object::Header, "headers")];
    let (kind, map) = kinds[number % kinds.len()];
    // What only wraps a reference has a name already, as a component has.
    let wraps = |object: &Map<String, Value>| object.len() == 1 && object.values().all(Value::is_array);
    let Some(at) = choose(document, kind, number, |object| !is_reference(object) && !wraps(object)) else {
        return false;
    };
    if at.split('/').count() == 4 && at.starts_with("/components/") {
        return false;
    }
    let components = document.as_object_mut().unwrap().entry("components").or_insert_with(|| json!({}));
    let parts = components.as_object_mut().unwrap().entry(map).or_insert_with(|| json!({}));
    let name = format!("Extracted{}", parts.as_object().unwrap().len());
    let value = std::mem::replace(
        document.pointer_mut(&at).unwrap(),
        json!({ "$ref": format!("#/components/{map}/{name}") }),
    );
    document["components"][map].as_object_mut().unwrap().insert(name, value);
    true
}

fn split(document: &mut Value, number: usize) -> bool {
    let open = |object: &Map<String, Value>| {
        object.get("properties").and_then(Value::as_object).is_some_and(|all| all.len() > 1)
            && !object.contains_key("additionalProperties")
    };
    let Some(at) = choose(document, Object::Schema, number, open) else { return false };
    let object = document.pointer_mut(&at).unwrap().as_object_mut().unwrap();
    let properties = object["properties"].as_object_mut().unwrap();
    let moved = properties.keys().next().unwrap().clone();
    let property = properties.remove(&moved).unwrap();
    let mut part = json!({ "type": "object", "properties": { moved.clone(): property } });
    if let Some(required) = object.get_mut("required").and_then(Value::as_array_mut)
        && let Some(place) = required.iter().position(|name| *name == *moved)
    {
        required.remove(place);
        part["required"] = json!([moved]);
    }
    match object.entry("allOf").or_insert_with(|| json!([])) {
        Value::Array(members) => members.push(part),
        _ => return false,
    }
    true
}

fn unfold(document: &mut Value, number: usize) -> bool {
    let plain = |object: &Map<String, Value>| {
        object.get("enum").and_then(Value::as_array).is_some_and(|values| values.len() > 1)
            && !object.contains_key("oneOf")
            && object.get("type").is_some_and(Value::is_string)
    };
    let Some(at) = choose(document, Object::Schema, number, plain) else { return false };
    let object = document.pointer_mut(&at).unwrap().as_object_mut().unwrap();
    let values = object.remove("enum").unwrap();
    let kind = object.remove("type").unwrap();
    let one = |value: &Value| json!({ "type": kind, "enum": [value], "description": "one of them" });
    object.insert("oneOf".to_owned(), values.as_array().unwrap().iter().map(one).collect());
    true
}

fn reverse(document: &mut Value, number: usize) -> bool {
    let lists = ["required", "enum", "oneOf", "anyOf", "allOf", "parameters", "security", "tags"];
    let chosen = uses(document)
        .into_iter()
        .filter(|used| lists.contains(&used.name) && used.object != Object::OpenApi);
    let mut found: Vec<_> = chosen.map(|used| used.pointer).collect();
    found.retain(|at| document.pointer(at).unwrap().is_array());
    let Some(at) = found.get(number % found.len().max(1)) else { return false };
    document.pointer_mut(at).unwrap().as_array_mut().unwrap().reverse();
    true
}

fn say_default(document: &mut Value, number: usize) -> bool {
    let defaults = [
        ("nullable", json!(false)),
        ("readOnly", json!(false)),
        ("writeOnly", json!(false)),
        ("deprecated", json!(false)),
        ("uniqueItems", json!(false)),
        ("exclusiveMinimum", json!(false)),
        ("exclusiveMaximum", json!(false)),
        ("minLength", json!(0)),
        ("minItems", json!(0)),
        ("minProperties", json!(0)),
        ("required", json!([])),
        ("additionalProperties", json!(true)),
        ("additionalProperties", json!({})),
        ("items", json!({})),
        ("pattern", json!("^(?:)$")),
    ];
    // An empty pattern is none; but it is another word of generators, so not among these.
    let (field, value) = &defaults[number % (defaults.len() - 1)];
    let lacks = |object: &Map<String, Value>| !is_reference(object) && !object.contains_key(*field);
    let Some(at) = choose(document, Object::Schema, number / defaults.len(), lacks) else { return false };
    document.pointer_mut(&at).unwrap()[*field] = value.clone();
    true
}

fn say_parameter_default(document: &mut Value, number: usize) -> bool {
    let lacks = |object: &Map<String, Value>| !is_reference(object) && !object.contains_key("style");
    let Some(at) = choose(document, Object::Parameter, number, lacks) else { return false };
    let parameter = document.pointer_mut(&at).unwrap();
    let style =
        if ["query", "cookie"].contains(&parameter["in"].as_str().unwrap()) { "form" } else { "simple" };
    parameter["style"] = json!(style);
    for (field, value) in [
        ("explode", style == "form"),
        ("required", false),
        ("allowReserved", false),
        ("allowEmptyValue", false),
        ("deprecated", false),
    ] {
        if parameter.get(field).is_none() {
            parameter[field] = json!(value);
        }
    }
    true
}

fn decimals(document: &mut Value, number: usize) -> bool {
    let fields = [
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "minItems",
        "maxItems",
        "multipleOf",
        "default",
        "example",
    ];
    let chosen = uses(document).into_iter().filter(|used| fields.contains(&used.name));
    let found: Vec<_> = chosen.map(|used| used.pointer).collect();
    let whole: Vec<_> = found.into_iter().filter(|at| document.pointer(at).unwrap().is_u64()).collect();
    let Some(at) = whole.get(number % whole.len().max(1)) else { return false };
    let place = document.pointer_mut(at).unwrap();
    *place = json!(place.as_f64().unwrap());
    true
}

fn header_case(document: &mut Value, number: usize) -> bool {
    let Some(at) = choose(document, Object::Response, number, |object| object.contains_key("headers")) else {
        return false;
    };
    let headers = document.pointer_mut(&format!("{at}/headers")).unwrap().as_object_mut().unwrap();
    let Some((name, value)) = headers.iter().next().map(|(name, value)| (name.clone(), value.clone())) else {
        return false;
    };
    headers.remove(&name);
    headers.insert(if number.is_multiple_of(2) { name.to_uppercase() } else { name.to_lowercase() }, value);
    true
}

fn media_parameters(document: &mut Value, number: usize) -> bool {
    let kind = if number.is_multiple_of(2) { Object::Response } else { Object::RequestBody };
    let Some(at) = choose(document, kind, number, |object| object.contains_key("content")) else {
        return false;
    };
    let content = document.pointer_mut(&format!("{at}/content")).unwrap().as_object_mut().unwrap();
    let Some(name) = content.keys().find(|name| !name.contains(';')).cloned() else { return false };
    let value = content.remove(&name).unwrap();
    content.insert(format!("{}; charset=utf-8", name.to_uppercase()), value);
    true
}

fn exclusive(document: &mut Value, number: usize) -> bool {
    let bounded = |object: &Map<String, Value>| {
        object.get("type") == Some(&json!("integer"))
            && object.get("minimum").is_some_and(Value::is_u64)
            && !object.contains_key("exclusiveMinimum")
    };
    let Some(at) = choose(document, Object::Schema, number, bounded) else { return false };
    let schema = document.pointer_mut(&at).unwrap();
    schema["minimum"] = json!(schema["minimum"].as_i64().unwrap() - 1);
    schema["exclusiveMinimum"] = json!(true);
    true
}

fn push_parameters(document: &mut Value, number: usize) -> bool {
    let Some(at) = choose(document, Object::PathItem, number, |item| item.contains_key("parameters")) else {
        return false;
    };
    let item = document.pointer_mut(&at).unwrap().as_object_mut().unwrap();
    let parameters = item.remove("parameters").unwrap();
    for method in METHODS {
        if let Some(operation) = item.get_mut(method) {
            let own = operation.as_object_mut().unwrap().entry("parameters").or_insert_with(|| json!([]));
            own.as_array_mut().unwrap().extend(parameters.as_array().unwrap().iter().cloned());
        }
    }
    true
}

fn pull_parameters(document: &mut Value, number: usize) -> bool {
    let lone = |item: &Map<String, Value>| {
        !item.contains_key("parameters")
            && METHODS.iter().filter(|method| item.contains_key(**method)).count() == 1
    };
    let Some(at) = choose(document, Object::PathItem, number, lone) else { return false };
    let item = document.pointer_mut(&at).unwrap().as_object_mut().unwrap();
    let method = METHODS.into_iter().find(|method| item.contains_key(*method)).unwrap();
    let Some(parameters) = item[method].as_object_mut().unwrap().remove("parameters") else { return false };
    item.insert("parameters".to_owned(), parameters);
    true
}

fn push_security(document: &mut Value, number: usize) -> bool {
    let security = document.get("security").cloned().unwrap_or_else(|| json!([]));
    let silent = |operation: &Map<String, Value>| !operation.contains_key("security");
    let Some(at) = choose(document, Object::Operation, number, silent) else { return false };
    // A callback inherits nothing.
    if at.contains("/callbacks/") {
        return false;
    }
    document.pointer_mut(&at).unwrap()["security"] = security;
    true
}

fn push_servers(document: &mut Value, number: usize) -> bool {
    let servers = document.get("servers").cloned().unwrap_or_else(|| json!([{ "url": "/" }]));
    let silent = |item: &Map<String, Value>| !item.contains_key("servers") && !item.contains_key("$ref");
    let Some(at) = choose(document, Object::PathItem, number, silent) else { return false };
    if at.contains("/callbacks/") {
        return false;
    }
    document.pointer_mut(&at).unwrap()["servers"] = servers;
    true
}

fn slash(document: &mut Value, number: usize) -> bool {
    let Some(at) = choose(document, Object::Server, number, |_| true) else { return false };
    // A link's server is compared as it is written.
    if at.contains("/links/") {
        return false;
    }
    let url = format!("{}/", document.pointer(&at).unwrap()["url"].as_str().unwrap().trim_end_matches('/'));
    document.pointer_mut(&at).unwrap()["url"] = json!(url);
    true
}

fn repeat(document: &mut Value, number: usize) -> bool {
    let Some(at) = choose(document, Object::Schema, number, |object| object.contains_key("allOf")) else {
        return false;
    };
    let members = document.pointer_mut(&at).unwrap()["allOf"].as_array_mut().unwrap();
    let Some(member) = members.first().cloned() else { return false };
    members.push(member);
    true
}

/// The text of a value with its keys in another order, and other spaces.
fn write(value: &Value, number: usize, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            if number.is_multiple_of(2) {
                members.reverse();
            }
            text.push('{');
            for (place, (name, member)) in members.into_iter().enumerate() {
                text.push_str(if place == 0 { "\n" } else { ",\n" });
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push_str(" : ");
                write(member, number / 2, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (place, item) in items.iter().enumerate() {
                text.push_str(if place == 0 { " " } else { " , " });
                write(item, number / 2, text);
            }
            text.push(']');
        }
        other => text.push_str(&other.to_string()),
    }
}

const DOCUMENTS: [&str; 2] = [include_str!("data/every-field.json"), include_str!("../../../openapi.json")];

/// Applies the rewrites that the numbers choose to a document, and compares: no finding.
fn hold(document: &str, choices: &[(usize, usize)], layout: usize) -> Result<(), TestCaseError> {
    let base = Document::parse(document).unwrap();
    let mut value: Value = serde_json::from_str(document).unwrap();
    let mut applied = Vec::new();
    for (rewrite, number) in choices {
        let (name, apply) = REWRITES[rewrite % REWRITES.len()];
        if apply(&mut value, *number) {
            applied.push(name);
        }
    }
    let mut text = String::new();
    write(&value, layout, &mut text);
    let revision = Document::parse(&text).unwrap();
    prop_assert_eq!(revision.problems(), &[][..], "{:?}", &applied);
    for (one, other) in [(&base, &revision), (&revision, &base)] {
        let mut findings = compare(one, other, Options::default()).unwrap();
        // A schema that was put in place of its reference, and then named, has another name.
        if applied.contains(&"put what a reference means in its place")
            && applied.contains(&"name what has no name")
        {
            findings.retain(|finding| finding.rule != "schema-renamed");
        }
        prop_assert!(findings.is_empty(), "{:?}: {:#?}", applied, findings);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_thousand_compositions_of_rewrites_that_change_no_meaning_are_no_difference(
        document in 0..DOCUMENTS.len(),
        choices in prop::collection::vec((0..REWRITES.len(), 0..10_000_usize), 1..8),
        layout in any::<usize>(),
    ) {
        hold(DOCUMENTS[document], &choices, layout)?;
    }
}

#[test]
fn each_rewrite_finds_something_to_rewrite() {
    for (name, apply) in REWRITES {
        let done = DOCUMENTS.iter().any(|document| {
            (0..200).any(|number| {
                let mut value: Value = serde_json::from_str(document).unwrap();
                let before = value.clone();
                if name.starts_with("repeat") {
                    wrap(&mut value, 0);
                }
                apply(&mut value, number) && value != before
            })
        });
        assert!(done, "{name}");
    }
}

#[test]
fn a_component_that_nothing_uses_is_not_one_of_them() {
    let base = Document::parse(DOCUMENTS[0]).unwrap();
    let mut value: Value = serde_json::from_str(DOCUMENTS[0]).unwrap();
    let at = push("/components/schemas", "Another");
    value.pointer_mut("/components/schemas").unwrap()["Another"] = json!({ "type": "string" });
    let findings = compare(&base, &Document::parse(&value.to_string()).unwrap(), Options::default()).unwrap();
    assert_eq!((findings.len(), findings[0].revision.pointer.as_str()), (1, at.as_str()));
}
