//! Components and tags that nothing uses.

use std::collections::BTreeSet;

use serde_json::Value;

use super::problems::Problems;
use crate::fields::{Object, fields};
use crate::pointer::{of_reference, push};
use crate::rules::rule;
use crate::walk::walk;

/// Reports each component and tag that nothing uses.
pub(super) fn check(problems: &mut Problems<'_>) {
    let root = problems.document.root();
    let (mut components, mut tags) = (BTreeSet::new(), BTreeSet::new());
    walk(root.value, &mut |object, _, value| {
        if let Some(pointer) = value.get("$ref").and_then(Value::as_str).and_then(of_reference) {
            components.insert(component(&pointer).to_owned());
        }
        match object {
            Object::SecurityRequirement => {
                let names = value.as_object().into_iter().flat_map(|members| members.keys());
                components.extend(names.map(|name| push("/components/securitySchemes", name)));
            }
            Object::Discriminator => {
                let targets = value.get("mapping").and_then(Value::as_object).into_iter().flatten();
                for target in targets.filter_map(|(_, target)| target.as_str()) {
                    components.insert(push("/components/schemas", target));
                    components.extend(of_reference(target));
                }
            }
            Object::Operation => {
                let own = value.get("tags").and_then(Value::as_array).into_iter().flatten();
                tags.extend(own.filter_map(Value::as_str));
            }
            _ => {}
        }
    });
    for field in fields(Object::Components) {
        let all = root.get("components").map(|components| components.map(field.name)).unwrap_or_default();
        for (name, node) in all.into_iter().filter(|(_, node)| !components.contains(&node.pointer)) {
            let what = format!("nothing uses the component {name}; remove it");
            problems.report(&node.pointer, rule!("unused"), what);
        }
    }
    for tag in root.list("tags") {
        let name = tag.text("name").unwrap_or_default();
        if !tags.contains(name) {
            let what = format!("no operation has the tag {name}; remove it");
            problems.report(&tag.pointer, rule!("unused"), what);
        }
    }
}

/// The pointer of the component that a pointer leads into: `/components/schemas/A` of `/components/schemas/A/items`.
fn component(pointer: &str) -> &str {
    let end = pointer.match_indices('/').nth(3).map_or(pointer.len(), |(end, _)| end);
    pointer.get(..end).unwrap_or(pointer)
}
