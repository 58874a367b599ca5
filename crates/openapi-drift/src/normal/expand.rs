//! The expansion of a schema: references followed, `allOf` included, alternatives collected.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value;

use super::schema_ref::SchemaRef;
use crate::node::{MAX_REFERENCE_CHAIN, Node};
use crate::pointer::push;
use crate::value::same;

/// Deeper nests of `allOf` are not followed: the comparison is refused.
const MAX_DEPTH: usize = 64;

/// A schema object and those in its `allOf`.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub(super) at: Node<'a>,
    pub(super) members: Vec<Part<'a>>,
}

/// The alternatives of a schema.
#[derive(Clone, Debug)]
pub(crate) struct Group<'a> {
    /// `oneOf` or `anyOf`.
    pub(crate) field: &'static str,
    pub(crate) members: Vec<SchemaRef<'a>>,
    pub(crate) at: String,
}

/// A schema in its normal form.
#[derive(Debug, Default)]
pub(crate) struct Schema<'a> {
    /// The pointer of its first part that is not only a wrapper.
    pub(crate) at: String,
    /// References that cannot be resolved.
    pub(crate) unresolved: BTreeSet<&'a str>,
    /// Whether it is nested deeper than the expansion follows.
    pub(crate) too_deep: bool,
    /// The pointers of the targets of its references.
    pub(crate) reached: Vec<String>,
    pub(super) nodes: Vec<Part<'a>>,
    pub(crate) groups: Vec<Group<'a>>,
    /// Each enumeration; a value must be in all of them.
    pub(super) enums: Vec<(Vec<&'a Value>, String)>,
    /// The alternatives that are equivalent to one enumeration.
    pub(crate) folded: Vec<Node<'a>>,
    pub(super) types: BTreeMap<String, String>,
    /// The pointers of the parts that are included.
    pub(super) seen: HashSet<String>,
}

impl<'a> Schema<'a> {
    /// Expands one schema object; `None` for one that is part of itself, or whose reference cannot be resolved.
    pub(super) fn expand(&mut self, node: &Node<'a>, depth: usize) -> Option<Part<'a>> {
        self.too_deep |= depth >= MAX_DEPTH;
        let Some(at) = node.resolve().ok().filter(|_| depth < MAX_DEPTH) else {
            self.unresolved.extend(node.text("$ref"));
            return None;
        };
        if at.pointer != node.pointer {
            self.reached.push(at.pointer.clone());
        }
        if !self.seen.insert(at.pointer.clone()) {
            // Including itself adds nothing.
            return None;
        }
        let mut members = Vec::new();
        for field in ["allOf", "oneOf", "anyOf"] {
            let items = at.list(field);
            if field == "allOf" || items.len() == 1 {
                members.extend(items.iter().filter_map(|item| self.expand(item, depth + 1)));
            } else if at.get(field).is_some() {
                self.group(&at, if field == "oneOf" { "oneOf" } else { "anyOf" }, items);
            }
        }
        if let Some(kind) = at.text("type") {
            self.types.insert(kind.to_owned(), push(&at.pointer, "type"));
        }
        if let Some(values) = at.value.get("enum").and_then(Value::as_array) {
            self.enums.push((values.iter().collect(), push(&at.pointer, "enum")));
        }
        Some(Part { at, members })
    }

    fn group(&mut self, at: &Node<'a>, field: &'static str, items: Vec<Node<'a>>) {
        let pointer = push(&at.pointer, field);
        if let Some((kind, values)) = folded(field, &items) {
            for item in &items {
                self.reached
                    .extend(item.resolve().ok().filter(|to| to.pointer != item.pointer).map(|to| to.pointer));
            }
            if let Some(kind) = kind {
                self.types.insert(kind.to_owned(), pointer.clone());
            }
            self.folded.extend(items.iter().filter_map(unwrapped));
            self.enums.push((values, pointer));
            return;
        }
        let equal = |group: &&Group<'a>| {
            let members: Vec<_> = group.members.iter().flat_map(|member| &member.nodes).map(plain).collect();
            let items: Vec<_> = items.iter().map(plain).collect();
            let all_in = |ours: &[Value], theirs: &[Value]| {
                ours.iter().all(|one| theirs.iter().any(|other| same(one, other)))
            };
            group.field == field
                && members.len() == items.len()
                && all_in(&members, &items)
                && all_in(&items, &members)
        };
        // A duplicate restricts nothing.
        if self.groups.iter().find(equal).is_some() {
            return;
        }
        self.groups.push(Group {
            field,
            members: items.into_iter().map(SchemaRef::of).collect(),
            at: pointer,
        });
    }
}

/// The schema without references and wrappers of one member.
fn unwrapped<'a>(node: &Node<'a>) -> Option<Node<'a>> {
    let mut node = node.resolve().ok()?;
    for _ in 0..MAX_REFERENCE_CHAIN {
        let effective = node.value.as_object()?.iter().filter(|(name, value)| !silent(name, value));
        let [(name, _)] = effective.collect::<Vec<_>>()[..] else { return Some(node) };
        let [inner, rest @ ..] = &node.list(name)[..] else { return Some(node) };
        // Several equal members are one.
        let one =
            rest.is_empty() || name == "allOf" && rest.iter().all(|other| same(other.value, inner.value));
        if !one || !matches!(name.as_str(), "allOf" | "oneOf" | "anyOf") {
            return Some(node);
        }
        node = inner.resolve().ok()?;
    }
    None
}

/// A schema without wrappers and without fields that have no effect.
pub(super) fn plain(node: &Node<'_>) -> Value {
    let value = unwrapped(node).map_or(node.value, |node| node.value);
    let Some(members) = value.as_object() else { return value.clone() };
    let effective = members.iter().filter(|(name, value)| !silent(name, value));
    effective.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Whether a field of a schema has the same effect as its absence (3.0.3, Schema Object; JSON Schema for the bounds).
pub(super) fn silent(name: &str, value: &Value) -> bool {
    match name {
        "nullable" | "readOnly" | "writeOnly" | "deprecated" | "uniqueItems" | "exclusiveMinimum"
        | "exclusiveMaximum" => *value == Value::Bool(false),
        "minLength" | "minItems" | "minProperties" => value.as_f64() == Some(0.0),
        "required" => value.as_array().is_some_and(Vec::is_empty),
        "additionalProperties" | "items" => {
            *value == Value::Bool(true) || value.as_object().is_some_and(serde_json::Map::is_empty)
        }
        _ => false,
    }
}

/// The type and values of the one enumeration that alternatives are equivalent to: if each is only an enumeration of the
/// same type, and, for `oneOf`, no two have a value in common.
fn folded<'a>(field: &str, items: &[Node<'a>]) -> Option<(Option<&'a str>, Vec<&'a Value>)> {
    let mut kinds = BTreeSet::new();
    let mut values: Vec<&Value> = Vec::new();
    for item in items {
        let item = unwrapped(item)?;
        let restricts = |(name, value): (&String, &Value)| {
            !matches!(name.as_str(), "type" | "enum" | "title" | "description" | "example" | "externalDocs")
                && !name.starts_with("x-")
                && !silent(name, value)
        };
        if item.value.as_object()?.iter().any(restricts) {
            return None;
        }
        kinds.insert(item.text("type"));
        for value in item.value.get("enum")?.as_array()? {
            if values.iter().any(|other| same(other, value)) {
                if field == "oneOf" {
                    return None;
                }
            } else {
                values.push(value);
            }
        }
    }
    (kinds.len() == 1 && !values.is_empty()).then(|| (kinds.into_iter().next().flatten(), values))
}
