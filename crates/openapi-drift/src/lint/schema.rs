//! Schemas that allow no value, contradict themselves, or are part of themselves.

use std::collections::HashSet;

use serde_json::Value;

use super::problems::Problems;
use crate::fields::Object;
use crate::node::Node;
use crate::pointer::{of_reference, push};
use crate::rules::rule;
use crate::validate::FORMATS;
use crate::value::same;
use crate::walk::walk;

/// Reports the problems of one schema object.
pub(super) fn check(problems: &mut Problems<'_>, node: &Node<'_>) {
    let at = &node.pointer;
    if node.text("type") == Some("array") && node.get("items").is_none() {
        let what = "an array must declare its items; add items";
        problems.report(at, rule!("array-without-items"), what);
    }
    for (least, most) in [
        ("minLength", "maxLength"),
        ("minItems", "maxItems"),
        ("minProperties", "maxProperties"),
        ("minimum", "maximum"),
    ] {
        let number = |field: &str| node.value.get(field).and_then(Value::as_f64);
        if let (Some(low), Some(high)) = (number(least), number(most))
            && low > high
        {
            let what = format!("{least} is above {most}: no value is allowed; change one of them");
            problems.report(&push(at, least), rule!("empty-range"), what);
        }
    }
    if node.flag("readOnly") && node.flag("writeOnly") {
        let what = "a property cannot be both readOnly and writeOnly; remove one of them";
        problems.report(at, rule!("read-and-write-only"), what);
    }
    lists(problems, node);
    format(problems, node);
    required(problems, node);
    for (name, value) in node.get("discriminator").map(|it| it.map("mapping")).unwrap_or_default() {
        let text = value.value.as_str().unwrap_or_default();
        let pointer = of_reference(text).unwrap_or_else(|| push("/components/schemas", text));
        if node.lookup(&pointer).is_none() {
            let what = format!("{name:?} is mapped to a schema that does not exist");
            problems.report(&value.pointer, rule!("unresolved-reference"), what);
        }
    }
}

fn lists(problems: &mut Problems<'_>, node: &Node<'_>) {
    for field in ["enum", "required", "allOf", "oneOf", "anyOf"] {
        let items = node.list(field);
        if items.is_empty() && node.value.get(field).is_some_and(Value::is_array) {
            let what = format!("{field} is empty; remove it");
            problems.report(&push(&node.pointer, field), rule!("empty-list"), what);
        }
        if matches!(field, "enum" | "required") {
            for (index, item) in items.iter().enumerate() {
                if items.iter().take(index).any(|other| same(other.value, item.value)) {
                    let what = format!("{} is a duplicate; remove it", item.value);
                    problems.report(&item.pointer, rule!("duplicate-item"), what);
                }
            }
        }
    }
}

fn format(problems: &mut Problems<'_>, node: &Node<'_>) {
    let Some(format) = node.text("format") else { return };
    let kind = node.text("type");
    if !FORMATS.iter().any(|(of, names)| names.contains(&format) && kind.is_none_or(|kind| kind == *of)) {
        let what = format!(
            "the format {format:?} of a {} is not one that values are validated against; remove it, or use a pattern",
            kind.unwrap_or("value")
        );
        problems.report(&push(&node.pointer, "format"), rule!("unknown-format"), what);
    }
}

fn required(problems: &mut Problems<'_>, node: &Node<'_>) {
    let composed = ["allOf", "oneOf", "anyOf", "$ref"].iter().any(|field| node.value.get(field).is_some());
    let properties = node.map("properties");
    for item in node.list("required") {
        let name = item.value.as_str().unwrap_or_default();
        if !composed && !properties.contains_key(name) {
            let what = format!("{name:?} is required, but is not a property; add it, or remove it here");
            problems.report(&item.pointer, rule!("required-undeclared"), what);
        }
    }
}

/// Reports each schema that is one of its own parts, without a step into the value: no validator of it ends. Returns
/// whether there is one.
pub(super) fn circular(problems: &mut Problems<'_>) -> bool {
    let root = problems.document.root();
    let mut circular = Vec::new();
    let (mut done, mut open) = (HashSet::new(), HashSet::new());
    walk(root.value, &mut |object, pointer, value| {
        if object != Object::Schema {
            return;
        }
        // Without recursion: a chain of components may be longer than the stack. `true` closes a schema.
        let mut stack = vec![(root.with(pointer.to_owned(), value), false)];
        while let Some((node, closes)) = stack.pop() {
            if closes {
                open.remove(&node.pointer);
                done.insert(node.pointer);
                continue;
            }
            let Ok(node) = node.resolve() else { continue };
            if done.contains(&node.pointer) {
                continue;
            }
            if !open.insert(node.pointer.clone()) {
                circular.push(node.pointer);
                continue;
            }
            stack.push((node.clone(), true));
            let parts = ["allOf", "oneOf", "anyOf"].into_iter().flat_map(|field| node.list(field));
            stack.extend(parts.chain(node.get("not")).map(|part| (part, false)));
        }
    });
    for pointer in &circular {
        let what = "the schema is part of itself, so that no value can be validated; remove the reference";
        problems.report(pointer, rule!("circular-schema"), what);
    }
    !circular.is_empty()
}
