//! What is documented must come: every answer, every property that may be left out, and every listed value.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::spec::child;
use crate::suite::Suite;

/// What no request brings, by the end of its pointer, each with its reason.
const NEVER_SEEN: [(&str, &str); 0] = [];

/// Holds what was seen against what is documented.
pub(crate) fn check(suite: &Suite) {
    let mut expected = BTreeSet::new();
    let mut visited = BTreeSet::new();
    for operation in &suite.operations {
        let responses = child(&operation.pointer, "responses");
        for (status, _) in suite.spec.members(&responses) {
            let pointer = child(&responses, status);
            let seen = suite.seen.borrow().contains(&pointer);
            suite.check(seen, "status-not-provoked", &pointer, || {
                format!(
                    "{}: openapi.json documents an answer {status}, to which the suite finds no way",
                    operation.id
                )
            });
            let at = suite.spec.resolve(&pointer);
            let codes = child(&at, "x-error-codes");
            let count = suite.spec.get(&codes).as_array().map_or(0, Vec::len);
            let applies = status.starts_with(['4', '5']) || status == "default";
            suite.check(!applies || count > 0, "codes-not-named", &at, || {
                format!("{}: the response {status} has no x-error-codes; list its error codes", operation.id)
            });
            expected.extend((0..count).map(|position| child(&codes, &position.to_string())));
            for (media, _) in suite.spec.members(&child(&at, "content")) {
                let seen = !seen || suite.seen.borrow().contains(&format!("{pointer}{}", child("", media)));
                suite.check(seen, "media-type-not-provoked", &child(&child(&at, "content"), media), || {
                    format!(
                        "{}: openapi.json documents {media} for an answer {status}, which never came so",
                        operation.id
                    )
                });
                values(
                    suite,
                    &child(&child(&child(&at, "content"), media), "schema"),
                    &mut expected,
                    &mut visited,
                );
            }
            for (name, _) in suite.spec.members(&child(&at, "headers")) {
                let header = suite.spec.resolve(&child(&child(&at, "headers"), name));
                values(suite, &child(&header, "schema"), &mut expected, &mut visited);
            }
        }
    }
    let seen = suite.seen.borrow().clone();
    let mut excuses = NEVER_SEEN.to_vec();
    for pointer in expected {
        let excused = NEVER_SEEN.iter().find(|(end, _)| pointer.ends_with(end));
        excuses.retain(|excuse| Some(excuse) != excused || seen.contains(&pointer));
        suite.check(seen.contains(&pointer) || excused.is_some(), "never-seen", &pointer, || {
            let what = match suite.spec.get(&pointer) {
                Value::Object(_) => {
                    format!("the property {}", pointer.rsplit('/').next().unwrap_or_default())
                }
                value => format!("the value {value}"),
            };
            format!("openapi.json documents {what} for answers; no answer had it")
        });
    }
    for (end, reason) in excuses {
        suite.check(false, "excuse-unused", "/components", || {
            format!("the suite excuses {end} ({reason}), which came or is not documented")
        });
    }
}

/// Collects the pointers of properties that may be left out, and of listed values.
fn values(suite: &Suite, schema: &str, expected: &mut BTreeSet<String>, visited: &mut BTreeSet<String>) {
    let at = suite.spec.resolve(schema);
    if !visited.insert(at.clone()) {
        return;
    }
    for place in 0..suite.spec.get(&child(&at, "enum")).as_array().map_or(0, Vec::len) {
        expected.insert(child(&child(&at, "enum"), &place.to_string()));
    }
    let required = suite.spec.texts(&child(&at, "required"));
    for (name, _) in suite.spec.members(&child(&at, "properties")) {
        let property = child(&child(&at, "properties"), name);
        if !required.contains(&name) {
            expected.insert(property.clone());
        }
        values(suite, &property, expected, visited);
    }
    for keyword in ["allOf", "oneOf", "anyOf"] {
        let list = child(&at, keyword);
        for place in 0..suite.spec.get(&list).as_array().map_or(0, Vec::len) {
            values(suite, &child(&list, &place.to_string()), expected, visited);
        }
    }
    if suite.spec.get(&child(&at, "items")).is_object() {
        values(suite, &child(&at, "items"), expected, visited);
    }
}
