//! Rewrites of a document that preserve its meaning result in no finding.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod uses;

use openapi_drift::{Document, METHODS, Object, Options, compare, push, walk};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use uses::uses;

/// A rewrite that preserves the meaning of a document. The number selects the place. Returns false if there is none.
type Rewrite = fn(&mut Value, usize) -> bool;

const INLINE: &str = "replace a reference by its target";
const EXTRACT: &str = "replace an object by a reference to a new component";

const REWRITES: [(&str, Rewrite); 18] = [
    ("wrap a schema in allOf, oneOf or anyOf with one member", wrap_schema),
    (INLINE, inline_reference),
    (EXTRACT, extract_component),
    ("move a property into a new member of allOf", split_into_all_of),
    ("replace enum by oneOf with one value in each member", replace_enum_by_one_of),
    ("reverse a list whose order has no meaning", reverse_list),
    ("write out the default of a schema keyword", write_schema_default),
    ("write out the defaults of a parameter", write_parameter_defaults),
    ("write an integer as a decimal", write_as_decimal),
    ("change the case of a header's name", change_header_case),
    ("change the case of a media type and add a parameter", change_media_type),
    ("write the minimum of an integer as an exclusive one", make_minimum_exclusive),
    ("move a path's parameters to its operations", move_parameters_to_operations),
    ("move the parameters of a path's only operation to the path", move_parameters_to_path),
    ("copy the document's security to an operation", copy_security_to_operation),
    ("copy the document's servers to a path", copy_servers_to_path),
    ("end a server's URL with a slash", append_slash),
    ("repeat a member of allOf", repeat_member),
];

/// The pointers of all objects of this kind.
fn pointers_of(document: &Value, kind: Object) -> Vec<String> {
    let mut found = Vec::new();
    walk(document, &mut |object, pointer, _| {
        if object == kind {
            found.push(pointer.to_owned());
        }
    });
    found
}

/// The pointer of one object of this kind that satisfies the predicate. The number selects which.
fn choose_pointer(
    document: &Value,
    kind: Object,
    number: usize,
    is_suitable: impl Fn(&Map<String, Value>) -> bool,
) -> Option<String> {
    let all = pointers_of(document, kind);
    let suitable: Vec<_> =
        all.iter().filter(|at| is_suitable(document.pointer(at).unwrap().as_object().unwrap())).collect();
    suitable.get(number % suitable.len().max(1)).map(|at| (*at).clone())
}

fn is_reference(object: &Map<String, Value>) -> bool {
    object.contains_key("$ref")
}

fn wrap_schema(document: &mut Value, number: usize) -> bool {
    let Some(at) = choose_pointer(document, Object::Schema, number, |_| true) else { return false };
    let place = document.pointer_mut(&at).unwrap();
    *place = json!({ ["allOf", "oneOf", "anyOf"][number % 3]: [place.take()] });
    true
}

fn inline_reference(document: &mut Value, number: usize) -> bool {
    let kinds = [Object::Schema, Object::Response, Object::Parameter, Object::Header, Object::RequestBody];
    let Some(at) = choose_pointer(document, kinds[number % kinds.len()], number / kinds.len(), is_reference)
    else {
        return false;
    };
    let reference =
        document.pointer(&at).unwrap()["$ref"].as_str().unwrap().trim_start_matches('#').to_owned();
    let Some(target) = document.pointer(&reference).cloned() else { return false };
    // An extracted component that is no longer used would be reported as an added type.
    if reference.contains("/Extracted") {
        return false;
    }
    // Alternatives, and the values of a discriminator, are identified by the names of their components.
    if at.contains("/oneOf/") || at.contains("/anyOf/") || at.starts_with(&format!("{reference}/")) {
        return false;
    }
    *document.pointer_mut(&at).unwrap() = target;
    true
}

fn extract_component(document: &mut Value, number: usize) -> bool {
    let kinds = [(Object::Schema, "schemas"), (Object::Response, "responses"), (Object::Header, "headers")];
    let (kind, map) = kinds[number % kinds.len()];
    // A schema that only wraps references is named after them.
    let is_wrapper = |object: &Map<String, Value>| object.len() == 1 && object.values().all(Value::is_array);
    let Some(at) =
        choose_pointer(document, kind, number, |object| !is_reference(object) && !is_wrapper(object))
    else {
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

fn split_into_all_of(document: &mut Value, number: usize) -> bool {
    let is_splittable = |object: &Map<String, Value>| {
        object.get("properties").and_then(Value::as_object).is_some_and(|all| all.len() > 1)
            && !object.contains_key("additionalProperties")
    };
    let Some(at) = choose_pointer(document, Object::Schema, number, is_splittable) else { return false };
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

fn replace_enum_by_one_of(document: &mut Value, number: usize) -> bool {
    let is_plain_enum = |object: &Map<String, Value>| {
        object.get("enum").and_then(Value::as_array).is_some_and(|values| values.len() > 1)
            && !object.contains_key("oneOf")
            && object.get("type").is_some_and(Value::is_string)
    };
    let Some(at) = choose_pointer(document, Object::Schema, number, is_plain_enum) else { return false };
    let object = document.pointer_mut(&at).unwrap().as_object_mut().unwrap();
    let values = object.remove("enum").unwrap();
    let kind = object.remove("type").unwrap();
    let one = |value: &Value| json!({ "type": kind, "enum": [value], "description": "one of the values" });
    object.insert("oneOf".to_owned(), values.as_array().unwrap().iter().map(one).collect());
    true
}

fn reverse_list(document: &mut Value, number: usize) -> bool {
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

fn write_schema_default(document: &mut Value, number: usize) -> bool {
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
    ];
    // Not a pattern that every string matches: generators write one into the generated code.
    let (field, value) = &defaults[number % defaults.len()];
    let is_absent = |object: &Map<String, Value>| !is_reference(object) && !object.contains_key(*field);
    let Some(at) = choose_pointer(document, Object::Schema, number / defaults.len(), is_absent) else {
        return false;
    };
    document.pointer_mut(&at).unwrap()[*field] = value.clone();
    true
}

fn write_parameter_defaults(document: &mut Value, number: usize) -> bool {
    let is_absent = |object: &Map<String, Value>| !is_reference(object) && !object.contains_key("style");
    let Some(at) = choose_pointer(document, Object::Parameter, number, is_absent) else { return false };
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

fn write_as_decimal(document: &mut Value, number: usize) -> bool {
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

fn change_header_case(document: &mut Value, number: usize) -> bool {
    let Some(at) =
        choose_pointer(document, Object::Response, number, |object| object.contains_key("headers"))
    else {
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

fn change_media_type(document: &mut Value, number: usize) -> bool {
    let kind = if number.is_multiple_of(2) { Object::Response } else { Object::RequestBody };
    let Some(at) = choose_pointer(document, kind, number, |object| object.contains_key("content")) else {
        return false;
    };
    let content = document.pointer_mut(&format!("{at}/content")).unwrap().as_object_mut().unwrap();
    let Some(name) = content.keys().find(|name| !name.contains(';')).cloned() else { return false };
    let value = content.remove(&name).unwrap();
    content.insert(format!("{}; charset=utf-8", name.to_uppercase()), value);
    true
}

fn make_minimum_exclusive(document: &mut Value, number: usize) -> bool {
    let bounded = |object: &Map<String, Value>| {
        object.get("type") == Some(&json!("integer"))
            && object.get("minimum").is_some_and(Value::is_u64)
            && !object.contains_key("exclusiveMinimum")
    };
    let Some(at) = choose_pointer(document, Object::Schema, number, bounded) else { return false };
    let schema = document.pointer_mut(&at).unwrap();
    schema["minimum"] = json!(schema["minimum"].as_i64().unwrap() - 1);
    schema["exclusiveMinimum"] = json!(true);
    true
}

fn move_parameters_to_operations(document: &mut Value, number: usize) -> bool {
    let Some(at) = choose_pointer(document, Object::PathItem, number, |item| item.contains_key("parameters"))
    else {
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

fn move_parameters_to_path(document: &mut Value, number: usize) -> bool {
    let has_one_operation = |item: &Map<String, Value>| {
        !item.contains_key("parameters")
            && METHODS.iter().filter(|method| item.contains_key(**method)).count() == 1
    };
    let Some(at) = choose_pointer(document, Object::PathItem, number, has_one_operation) else {
        return false;
    };
    let item = document.pointer_mut(&at).unwrap().as_object_mut().unwrap();
    let method = METHODS.into_iter().find(|method| item.contains_key(*method)).unwrap();
    let Some(parameters) = item[method].as_object_mut().unwrap().remove("parameters") else { return false };
    item.insert("parameters".to_owned(), parameters);
    true
}

fn copy_security_to_operation(document: &mut Value, number: usize) -> bool {
    let security = document.get("security").cloned().unwrap_or_else(|| json!([]));
    let inherits = |operation: &Map<String, Value>| !operation.contains_key("security");
    let Some(at) = choose_pointer(document, Object::Operation, number, inherits) else { return false };
    // The operations of a callback do not inherit the security of the document.
    if at.contains("/callbacks/") {
        return false;
    }
    document.pointer_mut(&at).unwrap()["security"] = security;
    true
}

fn copy_servers_to_path(document: &mut Value, number: usize) -> bool {
    let servers = document.get("servers").cloned().unwrap_or_else(|| json!([{ "url": "/" }]));
    let inherits = |item: &Map<String, Value>| !item.contains_key("servers") && !item.contains_key("$ref");
    let Some(at) = choose_pointer(document, Object::PathItem, number, inherits) else { return false };
    if at.contains("/callbacks/") {
        return false;
    }
    document.pointer_mut(&at).unwrap()["servers"] = servers;
    true
}

fn append_slash(document: &mut Value, number: usize) -> bool {
    let Some(at) = choose_pointer(document, Object::Server, number, |_| true) else { return false };
    // The URL of a link's server is compared literally.
    if at.contains("/links/") {
        return false;
    }
    let url = format!("{}/", document.pointer(&at).unwrap()["url"].as_str().unwrap().trim_end_matches('/'));
    document.pointer_mut(&at).unwrap()["url"] = json!(url);
    true
}

fn repeat_member(document: &mut Value, number: usize) -> bool {
    let Some(at) = choose_pointer(document, Object::Schema, number, |object| object.contains_key("allOf"))
    else {
        return false;
    };
    let members = document.pointer_mut(&at).unwrap()["allOf"].as_array_mut().unwrap();
    let Some(member) = members.first().cloned() else { return false };
    members.push(member);
    true
}

/// Appends the text of a value. The layout selects the order of the keys of each object; the spacing is unusual.
fn write_json(value: &Value, layout: usize, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            if layout.is_multiple_of(2) {
                members.reverse();
            }
            text.push('{');
            for (place, (name, member)) in members.into_iter().enumerate() {
                text.push_str(if place == 0 { "\n" } else { ",\n" });
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push_str(" : ");
                write_json(member, layout / 2, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (place, item) in items.iter().enumerate() {
                text.push_str(if place == 0 { " " } else { " , " });
                write_json(item, layout / 2, text);
            }
            text.push(']');
        }
        other => text.push_str(&other.to_string()),
    }
}

const DOCUMENTS: [&str; 2] = [include_str!("data/every-field.json"), include_str!("../../../openapi.json")];

/// Applies rewrites to a document and asserts that the comparison of both, in both directions, has no finding.
fn check_rewrites(document: &str, choices: &[(usize, usize)], layout: usize) -> Result<(), TestCaseError> {
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
    write_json(&value, layout, &mut text);
    let revision = Document::parse(&text).unwrap();
    prop_assert_eq!(revision.problems(), &[][..], "{:?}", &applied);
    for (one, other) in [(&base, &revision), (&revision, &base)] {
        let mut findings = compare(one, other, Options::default()).unwrap();
        // A schema that was inlined and then extracted is a component with another name.
        if applied.contains(&INLINE) && applied.contains(&EXTRACT) {
            findings.retain(|finding| finding.rule != "schema-renamed");
        }
        prop_assert!(findings.is_empty(), "{:?}: {:#?}", applied, findings);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_thousand_sequences_of_rewrites_result_in_no_finding(
        document in 0..DOCUMENTS.len(),
        choices in prop::collection::vec((0..REWRITES.len(), 0..10_000_usize), 1..8),
        layout in any::<usize>(),
    ) {
        check_rewrites(DOCUMENTS[document], &choices, layout)?;
    }
}

#[test]
fn each_rewrite_changes_at_least_one_document() {
    for (name, apply) in REWRITES {
        let is_applicable = DOCUMENTS.iter().any(|document| {
            (0..200).any(|number| {
                let mut value: Value = serde_json::from_str(document).unwrap();
                let before = value.clone();
                apply(&mut value, number) && value != before
            })
        });
        assert!(is_applicable, "{name}");
    }
}

#[test]
fn an_added_component_that_is_not_used_is_a_finding() {
    let base = Document::parse(DOCUMENTS[0]).unwrap();
    let mut value: Value = serde_json::from_str(DOCUMENTS[0]).unwrap();
    let at = push("/components/schemas", "Another");
    value.pointer_mut("/components/schemas").unwrap()["Another"] = json!({ "type": "string" });
    let findings = compare(&base, &Document::parse(&value.to_string()).unwrap(), Options::default()).unwrap();
    assert_eq!((findings.len(), findings[0].revision.pointer.as_str()), (1, at.as_str()));
}
