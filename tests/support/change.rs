//! Changed contracts, for tests of the legs.

use openapi_drift::Document;
use serde_json::Value;

/// Removes what a change left invalid or unused: examples, components and tags. The document must be one otherwise.
pub fn make_consistent(document: &mut Value) {
    loop {
        let parsed = Document::parse(&document.to_string()).unwrap();
        let problems = parsed.problems().iter().cloned().chain(parsed.lint());
        let removable = problems.map(|problem| (problem.rule, problem.pointer)).filter(|(rule, pointer)| {
            *rule == "unused" || *rule == "example-invalid" && pointer.contains("/example")
        });
        let mut pointers: Vec<String> = removable.map(|(_, pointer)| pointer).collect();
        if pointers.is_empty() {
            return;
        }
        // Of a list, the last item first: the others keep their index.
        pointers.sort();
        pointers.dedup();
        for pointer in pointers.iter().rev() {
            remove(document, pointer);
        }
    }
}

/// Removes the value at a pointer.
pub fn remove(document: &mut Value, pointer: &str) {
    let (holder, name) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(holder) {
        Some(Value::Object(members)) => {
            let name = openapi_drift::pointer::unescape(name);
            assert!(members.remove(&name).is_some(), "there is no {pointer}");
        }
        Some(Value::Array(items)) => drop(items.remove(name.parse().unwrap())),
        _ => panic!("there is no {pointer}"),
    }
}
