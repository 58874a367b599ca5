//! The comparison covers every field of OpenAPI 3.0.3: a change and the removal of each is reported.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod uses;

use std::collections::BTreeSet;

use openapi_drift::{Document, Effect, FIELDS, Finding, Object, Options, Shape, Treatment, compare, push};
use serde_json::{Value, json};
use uses::{Use, uses};

const EVERY_FIELD: &str = include_str!("data/every-field.json");

/// The document that has every field of OpenAPI 3.0.3, and its fields.
fn every_field() -> (Value, Vec<Use>) {
    let document: Value = serde_json::from_str(EVERY_FIELD).unwrap();
    let uses = uses(&document);
    (document, uses)
}

fn parse(value: &Value) -> Document {
    let document = Document::parse(&value.to_string()).unwrap();
    assert_eq!(document.problems(), []);
    document
}

/// The findings of a comparison. Asserts that every pointer of a finding exists in its document.
fn findings(base: &Document, revision: &Value) -> Vec<Finding> {
    let revision = Document::parse(&revision.to_string()).unwrap();
    let findings = compare(base, &revision, Options::default()).unwrap();
    for finding in &findings {
        assert!(base.value().pointer(&finding.base.pointer).is_some(), "{finding:?}");
        assert!(revision.value().pointer(&finding.revision.pointer).is_some(), "{finding:?}");
    }
    findings
}

/// The document without the value at the pointer.
fn without(document: &Value, pointer: &str) -> Value {
    let mut changed = document.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/").replace("~0", "~");
    match changed.pointer_mut(parent).unwrap() {
        Value::Object(members) => drop(members.remove(&key)),
        Value::Array(items) => drop(items.remove(key.parse().unwrap())),
        _ => unreachable!(),
    }
    changed
}

/// A different value of the same shape; `None` if there is none, or if the value has fields of its own.
fn different_value(shape: Shape, value: &Value) -> Option<Value> {
    Some(match shape {
        Shape::Text if value.as_str().unwrap().starts_with('#') => return None,
        Shape::Text if value == "3.0.3" => json!("3.0.2"),
        Shape::Text => json!(format!("{}z", value.as_str().unwrap())),
        Shape::Word(words) => json!(words.iter().find(|word| *word != value)?),
        Shape::Flag => json!(!value.as_bool().unwrap()),
        Shape::Number | Shape::Positive | Shape::Count => json!(value.as_f64().unwrap() + 1.0),
        Shape::Any => json!("something else"),
        Shape::Values | Shape::Texts => {
            let mut items = value.as_array().unwrap().clone();
            items.push(json!("one more"));
            Value::from(items)
        }
        Shape::TextMap | Shape::AnyMap => {
            let mut members = value.as_object().unwrap().clone();
            members.insert("one more".to_owned(), json!("x"));
            Value::from(members)
        }
        Shape::FlagOrSchema => json!(false),
        Shape::One(_) | Shape::List(_) | Shape::Map(_) => return None,
    })
}

#[test]
fn the_document_has_every_field_of_the_table() {
    let (_, uses) = every_field();
    let used: BTreeSet<_> = uses.iter().map(|used| (used.object, used.name)).collect();
    let absent: Vec<_> = FIELDS.iter().filter(|field| !used.contains(&(field.object, field.name))).collect();
    assert!(absent.is_empty(), "{absent:#?}");
}

#[test]
fn each_changed_or_removed_field_is_reported_with_the_effect_that_the_table_declares() {
    let (document, uses) = every_field();
    let base = parse(&document);
    let (mut failures, mut wired, mut rules) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for used in &uses {
        let field =
            FIELDS.iter().find(|field| (field.object, field.name) == (used.object, used.name)).unwrap();
        let value = document.pointer(&used.pointer).unwrap();
        let mut changed = document.clone();
        let changes = different_value(field.shape, value).map(|new| {
            *changed.pointer_mut(&used.pointer).unwrap() = new;
            changed
        });
        for (how, revision) in [("changed", changes), ("removed", Some(without(&document, &used.pointer)))] {
            let Some(revision) = revision.filter(|revision| revision.get("openapi").is_some()) else {
                continue;
            };
            let findings = findings(&base, &revision);
            rules.extend(findings.iter().map(|finding| finding.rule));
            let gravest = findings.iter().map(|finding| finding.effect).min();
            let weakest_allowed = match field.treatment {
                Treatment::GeneratedCode => Effect::GeneratedCode,
                // A component that no operation uses has no effect on the wire.
                Treatment::Documentation | Treatment::Wire | Treatment::WhereUsed => Effect::Documentation,
            };
            if gravest == Some(Effect::Wire) {
                wired.insert((used.object, used.name));
            }
            let is_equivalent =
                EQUIVALENT_IF_REMOVED.iter().any(|(pointer, _)| *pointer == used.pointer) && how == "removed";
            if gravest.is_none_or(|gravest| gravest > weakest_allowed) != is_equivalent {
                failures.push(format!("{} {how}: {findings:?}", used.pointer));
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
    // Fingerprints and ledgers contain rule IDs, so renaming a rule is a breaking change of this library.
    let known: BTreeSet<&str> = include_str!("data/rules.txt").lines().collect();
    assert_eq!(rules, known, "data/rules.txt lists the rules that this test provokes");
    let wire = FIELDS.iter().filter(|field| field.treatment == Treatment::Wire);
    let not_on_wire: Vec<_> =
        wire.map(|field| (field.object, field.name)).filter(|field| !wired.contains(field)).collect();
    // A link is only a hint for the next request; a header's style has only one value.
    assert_eq!(not_on_wire, [(Object::Response, "links"), (Object::Header, "style")]);
}

/// Fields whose removal does not change the meaning of the document, and why.
const EQUIVALENT_IF_REMOVED: [(&str, &str); 6] = [
    ("/components/headers/rate/style", "it is the only style of a header"),
    ("/components/schemas/Thing/properties/kind/type", "the values of enum have this type"),
    ("/components/securitySchemes/oauth/flows/authorizationCode/scopes", "the list of scopes is empty"),
    ("/components/securitySchemes/oauth/flows/clientCredentials/scopes", "the list of scopes is empty"),
    ("/components/securitySchemes/oauth/flows/password/scopes", "the list of scopes is empty"),
    ("/paths/~1things~1{id}/get/parameters/0/explode", "it is the default of the style"),
];

#[test]
fn each_changed_extension_is_reported() {
    let (document, _) = every_field();
    let base = parse(&document);
    let mut pointers = Vec::new();
    extensions("", &document, &mut pointers);
    assert_eq!(pointers.len(), 9);
    for pointer in pointers {
        let mut changed = document.clone();
        *changed.pointer_mut(&pointer).unwrap() = json!(2);
        let findings = findings(&base, &changed);
        // An extension of `info.contact` is documentation.
        assert!(
            findings.len() == 1 && findings[0].effect >= Effect::GeneratedCode,
            "{pointer}: {findings:?}"
        );
    }
}

/// Appends the pointers of the extension fields of a value and of its members.
fn extensions(pointer: &str, value: &Value, found: &mut Vec<String>) {
    for (name, member) in value.as_object().into_iter().flatten() {
        let below = push(pointer, name);
        if name.starts_with("x-") {
            found.push(below);
        } else {
            extensions(&below, member, found);
        }
    }
}

#[test]
fn a_field_that_the_specification_does_not_have_is_a_problem_in_every_object() {
    let (document, uses) = every_field();
    let mut objects: BTreeSet<String> =
        uses.iter().map(|used| used.pointer.rsplit_once('/').unwrap().0.to_owned()).collect();
    objects.insert(String::new());
    assert!(objects.len() > 100);
    let base = parse(&document);
    for pointer in objects {
        let mut changed = document.clone();
        changed
            .pointer_mut(&pointer)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .insert("strange".to_owned(), json!(1));
        let parsed = Document::parse(&changed.to_string()).unwrap();
        let accepts_any_name = ["/components/callbacks/made"].contains(&pointer.as_str());
        if !accepts_any_name {
            let problem = &parsed.problems()[0];
            assert_eq!(
                (problem.rule, problem.pointer.as_str()),
                ("unknown-field", push(&pointer, "strange").as_str())
            );
            assert!(!findings(&base, &changed).is_empty(), "{pointer}");
        }
    }
}
