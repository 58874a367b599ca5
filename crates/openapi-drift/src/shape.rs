//! The shape of a document: whether the table has each of its fields, and whether each value is of the declared kind.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::fields::{Object, Shape, find};
use crate::node::{MAX_REFERENCE_CHAIN, Node, Unresolved};
use crate::pointer::{of_reference, push};
use crate::rules::{Rule, rule};

/// A violation: pointer, rule and message.
pub(crate) type Violation = (String, &'static Rule, String);

/// Every violation in a document.
pub(crate) fn check(root: &Value) -> Vec<Violation> {
    let mut check = Check { root, seen: HashSet::new(), pending: Vec::new(), found: Vec::new() };
    check.object(Object::OpenApi, "", root);
    while let Some((object, pointer)) = check.pending.pop() {
        if let Some(value) = root.pointer(&pointer) {
            check.object(object, &pointer, value);
        }
    }
    check.found
}

struct Check<'a> {
    root: &'a Value,
    seen: HashSet<(String, Object)>,
    /// The targets of references. They are not followed at once: a chain of them may be longer than the stack.
    pending: Vec<(Object, String)>,
    found: Vec<Violation>,
}

impl<'a> Check<'a> {
    fn report(&mut self, pointer: &str, rule: &'static Rule, message: String) {
        self.found.push((pointer.to_owned(), rule, message));
    }

    fn wrong(&mut self, pointer: &str, wanted: &str, value: &Value) {
        let found = match value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        self.report(pointer, rule!("wrong-kind"), format!("this must be {wanted}, and is {found}"));
    }

    fn members(&mut self, pointer: &str, wanted: &str, value: &'a Value) -> Option<&'a Map<String, Value>> {
        let members = value.as_object();
        if members.is_none() {
            self.wrong(pointer, wanted, value);
        }
        members
    }

    fn items(&mut self, pointer: &str, wanted: &str, value: &'a Value) -> &'a [Value] {
        if let Value::Array(items) = value {
            return items;
        }
        self.wrong(pointer, wanted, value);
        &[]
    }

    fn object(&mut self, object: Object, pointer: &str, value: &'a Value) {
        if !self.seen.insert((pointer.to_owned(), object)) {
            return;
        }
        let Some(members) = self.members(pointer, &format!("a {object} object"), value) else { return };
        if let Some(reference) = members.get("$ref")
            && (object.referable() || object == Object::PathItem)
        {
            let node = Node::root(self.root).with(pointer.to_owned(), value);
            self.reference(object, &push(pointer, "$ref"), &node, reference);
            if object.referable() {
                // Its other fields are ignored (3.0.3, Reference Object); `lint` reports them.
                return;
            }
        }
        for (name, member) in members {
            let below = push(pointer, name);
            if name.starts_with("x-") && object.extensible() {
                continue;
            }
            if let Some(field) = find(object, name) {
                self.shape(field.shape, &below, member);
                continue;
            }
            let named = match object {
                Object::Paths => name.starts_with('/'),
                Object::Responses => is_status(name),
                _ => true,
            };
            match object.names() {
                Some(shape) if named => self.shape(shape, &below, member),
                _ => self.report(
                    &below,
                    rule!("unknown-field"),
                    format!("OpenAPI 3.0.3 has no field {name:?} in a {object} object; remove it"),
                ),
            }
        }
    }

    fn reference(&mut self, object: Object, pointer: &str, node: &Node<'_>, reference: &Value) {
        let Some(text) = reference.as_str() else {
            return self.wrong(pointer, "a reference", reference);
        };
        let Some(target) = of_reference(text) else {
            let what =
                format!("{text:?} is not a reference into this document; move its target into the document");
            return self.report(pointer, rule!("external-reference"), what);
        };
        if node.resolve().is_err_and(|error| error == Unresolved::TooLong) {
            let what =
                format!("{text:?} leads over more than {MAX_REFERENCE_CHAIN} references; shorten the chain");
            return self.report(pointer, rule!("long-reference"), what);
        }
        self.pending.push((object, target));
    }

    fn shape(&mut self, shape: Shape, pointer: &str, value: &'a Value) {
        let mut scalar = |is_valid: bool, wanted: &str| {
            if !is_valid {
                self.wrong(pointer, wanted, value);
            }
        };
        let number = value.as_f64().unwrap_or(-1.0);
        match shape {
            Shape::Text => scalar(value.is_string(), "a string"),
            Shape::Flag => scalar(value.is_boolean(), "true or false"),
            Shape::Number => scalar(value.is_number(), "a number"),
            Shape::Positive => scalar(number > 0.0, "a number above 0"),
            Shape::Count => scalar(number >= 0.0 && number.fract() == 0.0, "a whole number, 0 or above"),
            Shape::Any => {}
            Shape::FlagOrSchema if value.is_boolean() => {}
            Shape::Word(words) => match value.as_str() {
                Some(word) if words.contains(&word) => {}
                Some(word) => {
                    let what = format!("{word:?} is none of {}", words.join(", "));
                    self.report(pointer, rule!("unknown-word"), what);
                }
                None => self.wrong(pointer, "a string", value),
            },
            Shape::Values => _ = self.items(pointer, "a list", value),
            Shape::Texts => {
                for (place, item) in self.items(pointer, "a list of strings", value).iter().enumerate() {
                    self.shape(Shape::Text, &push(pointer, &place.to_string()), item);
                }
            }
            Shape::AnyMap => _ = self.members(pointer, "an object", value),
            Shape::TextMap => {
                for (name, member) in self.members(pointer, "an object", value).into_iter().flatten() {
                    self.shape(Shape::Text, &push(pointer, name), member);
                }
            }
            Shape::One(object) => self.object(object, pointer, value),
            Shape::List(object) => {
                let items = self.items(pointer, &format!("a list of {object} objects"), value);
                for (place, item) in items.iter().enumerate() {
                    self.object(object, &push(pointer, &place.to_string()), item);
                }
            }
            Shape::Map(object) => {
                let members = self.members(pointer, &format!("a map of {object} objects"), value);
                for (name, member) in members.into_iter().flatten() {
                    self.object(object, &push(pointer, name), member);
                }
            }
            Shape::FlagOrSchema => self.object(Object::Schema, pointer, value),
        }
    }
}

/// Whether a key of a Responses Object is a status or a range of them.
fn is_status(key: &str) -> bool {
    let bytes = key.as_bytes();
    bytes.len() == 3
        && (b'1'..=b'5').contains(&bytes[0])
        && (bytes[1..] == *b"XX" || bytes[1..].iter().all(u8::is_ascii_digit))
}
