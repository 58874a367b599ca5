//! No field of OpenAPI 3.0.3 is skipped: each is changed and taken away, and found.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod uses;

use std::collections::BTreeSet;

use openapi_drift::{Document, Effect, FIELDS, Finding, Object, Options, Shape, Treatment, compare, push};
use serde_json::{Value, json};
use uses::{Use, uses};

const EVERY_FIELD: &str = include_str!("data/every-field.json");

fn every_use() -> (Value, Vec<Use>) {
    let document: Value = serde_json::from_str(EVERY_FIELD).unwrap();
    let uses = uses(&document);
    (document, uses)
}

fn parse(value: &Value) -> Document {
    let document = Document::parse(&value.to_string()).unwrap();
    assert_eq!(document.problems(), []);
    document
}

fn compared(base: &Document, revision: &Value) -> Vec<Finding> {
    let revision = Document::parse(&revision.to_string()).unwrap();
    let findings = compare(base, &revision, Options::default()).unwrap();
    for finding in &findings {
        assert!(base.value().pointer(&finding.base.pointer).is_some(), "{finding:?}");
        assert!(revision.value().pointer(&finding.revision.pointer).is_some(), "{finding:?}");
    }
    findings
}

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

/// Another value of the same shape.
fn other(shape: Shape, value: &Value) -> Option<Value> {
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
    let (_, uses) = every_use();
    let used: BTreeSet<_> = uses.iter().map(|used| (used.object, used.name)).collect();
    let absent: Vec<_> = FIELDS.iter().filter(|field| !used.contains(&(field.object, field.name))).collect();
    assert!(absent.is_empty(), "{absent:#?}");
}

#[test]
fn every_field_that_changes_or_goes_is_found_with_the_effect_that_the_table_declares() {
    let (document, uses) = every_use();
    let base = parse(&document);
    let (mut holes, mut wired, mut rules) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for used in &uses {
        let field =
            FIELDS.iter().find(|field| (field.object, field.name) == (used.object, used.name)).unwrap();
        let value = document.pointer(&used.pointer).unwrap();
        let mut changed = document.clone();
        let changes = other(field.shape, value).map(|new| {
            *changed.pointer_mut(&used.pointer).unwrap() = new;
            changed
        });
        for (how, revision) in [("changed", changes), ("removed", Some(without(&document, &used.pointer)))] {
            let Some(revision) = revision.filter(|revision| revision.get("openapi").is_some()) else {
                continue;
            };
            let findings = compared(&base, &revision);
            rules.extend(findings.iter().map(|finding| finding.rule));
            let gravest = findings.iter().map(|finding| finding.effect).min();
            let least = match field.treatment {
                Treatment::GeneratedCode => Effect::GeneratedCode,
                // What no operation uses is not on the wire.
                Treatment::Documentation | Treatment::Wire | Treatment::WhereUsed => Effect::Documentation,
            };
            if gravest == Some(Effect::Wire) {
                wired.insert((used.object, used.name));
            }
            let means_the_same =
                SAME_WHEN_GONE.iter().any(|(pointer, _)| *pointer == used.pointer) && how == "removed";
            if gravest.is_none_or(|gravest| gravest > least) != means_the_same {
                holes.push(format!("{} {how}: {findings:?}", used.pointer));
            }
        }
    }
    assert!(holes.is_empty(), "{holes:#?}");
    // Fingerprints and ledgers name them: a rule that is called otherwise is a break of this library.
    let known: BTreeSet<&str> = include_str!("data/rules.txt").lines().collect();
    assert_eq!(rules, known, "data/rules.txt lists the rules that this test provokes");
    let wire = FIELDS.iter().filter(|field| field.treatment == Treatment::Wire);
    let off: Vec<_> =
        wire.map(|field| (field.object, field.name)).filter(|field| !wired.contains(field)).collect();
    // A link is advice for the next request; a header's style has one value.
    assert_eq!(off, [(Object::Response, "links"), (Object::Header, "style")]);
}

/// Fields that mean the same when they are gone.
const SAME_WHEN_GONE: [(&str, &str); 6] = [
    ("/components/headers/rate/style", "a header has no other style"),
    ("/components/schemas/Thing/properties/kind/type", "the type of the allowed values"),
    ("/components/securitySchemes/oauth/flows/authorizationCode/scopes", "there was none"),
    ("/components/securitySchemes/oauth/flows/clientCredentials/scopes", "there was none"),
    ("/components/securitySchemes/oauth/flows/password/scopes", "there was none"),
    ("/paths/~1things~1{id}/get/parameters/0/explode", "what the style does anyway"),
];

#[test]
fn every_extension_that_changes_is_found() {
    let (document, _) = every_use();
    let base = parse(&document);
    let mut pointers = Vec::new();
    extensions("", &document, &mut pointers);
    assert_eq!(pointers.len(), 9);
    for pointer in pointers {
        let mut changed = document.clone();
        *changed.pointer_mut(&pointer).unwrap() = json!(2);
        let findings = compared(&base, &changed);
        // That of a contact is one of the contact, which only people read.
        assert!(
            findings.len() == 1 && findings[0].effect >= Effect::GeneratedCode,
            "{pointer}: {findings:?}"
        );
    }
}

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
    let (document, uses) = every_use();
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
        let known = ["/components/callbacks/made"].contains(&pointer.as_str());
        if !known {
            let problem = &parsed.problems()[0];
            assert_eq!(
                (problem.rule, problem.pointer.as_str()),
                ("unknown-field", push(&pointer, "strange").as_str())
            );
            assert!(!compared(&base, &changed).is_empty(), "{pointer}");
        }
    }
}
