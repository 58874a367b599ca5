//! Examples, defaults and allowed values, validated against their schemas.

use super::problems::Problems;
use crate::fields::Object;
use crate::node::Node;
use crate::pointer::push;
use crate::rules::rule;
use crate::walk::walk;

/// Reports each value that violates its schema, and each schema that cannot be compiled.
pub(super) fn check(problems: &mut Problems<'_>) {
    let root = problems.document.root();
    walk(root.value, &mut |object, pointer, value| {
        let node = root.with(pointer.to_owned(), value);
        if node.text("$ref").is_some() {
            return;
        }
        let schema = match object {
            Object::Schema => node.clone(),
            Object::MediaType | Object::Parameter | Object::Header => match node.get("schema") {
                Some(schema) => schema,
                None => return,
            },
            _ => return,
        };
        validate(problems, object, &node, &schema);
    });
}

fn validate(problems: &mut Problems<'_>, object: Object, node: &Node<'_>, schema: &Node<'_>) {
    let values = values(object, node);
    // Only a pattern can keep a schema from compiling.
    if values.is_empty() && schema.text("pattern").is_none() {
        return;
    }
    match problems.document.validator(&schema.pointer) {
        Ok(validator) => {
            for value in values {
                for error in validator.errors(value.value) {
                    let what = format!("the value violates #{}: {error}", error.keyword);
                    problems.report(&value.pointer, rule!("example-invalid"), what);
                }
            }
        }
        Err(error) => problems.report(&error.pointer, rule!("schema-invalid"), error.message),
    }
}

/// The values that an object gives for its schema.
fn values<'a>(object: Object, node: &Node<'a>) -> Vec<Node<'a>> {
    let mut values: Vec<Node<'a>> = node.get("example").into_iter().collect();
    if object == Object::Schema {
        values.extend(node.get("default"));
        values.extend(node.list("enum"));
    } else {
        for example in node.map("examples").into_values() {
            let value = example.resolve().ok().and_then(|example| example.get("value"));
            values.extend(value.map(|value| node.with(example.pointer, value.value)));
        }
    }
    values
}

/// Reports fields of an object that exclude each other.
pub(super) fn exclusive(problems: &mut Problems<'_>, node: &Node<'_>) {
    for (one, other) in [("example", "examples"), ("value", "externalValue")] {
        if node.get(one).is_some() && node.get(other).is_some() {
            let what = format!("{one} and {other} exclude each other; remove one of them");
            problems.report(&push(&node.pointer, other), rule!("two-examples"), what);
        }
    }
    let json = |pointer: &str| pointer.rsplit('/').next().is_some_and(|name| name.contains("json"));
    if node.pointer.contains("/content/") && json(&node.pointer) && node.get("schema").is_none() {
        let what = "a JSON body without a schema allows any value; add a schema";
        problems.report(&node.pointer, rule!("no-schema"), what);
    }
}
