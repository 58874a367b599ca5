//! A value of a document together with its pointer, and the one resolver of references.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::pointer::{of_reference, push, unescape};

/// The longest chain of references that is followed. A longer one is a problem of the document (`long-reference`).
pub const MAX_REFERENCE_CHAIN: usize = 64;

/// A value of a document, with its pointer.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    root: &'a Value,
    /// JSON pointer from the document's root.
    pub pointer: String,
    /// The value.
    pub value: &'a Value,
}

/// Why a reference cannot be resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// It names another document, or is not a valid reference.
    #[error("the reference does not point into this document")]
    External,
    /// The document has no value at its pointer.
    #[error("the reference is dangling: the document has no such value")]
    Dangling,
    /// It leads back to itself.
    #[error("the reference is circular")]
    Circular,
    /// It leads over more than [`MAX_REFERENCE_CHAIN`] references.
    #[error("the reference leads over too many others")]
    TooLong,
}

impl<'a> Node<'a> {
    /// The document itself.
    pub const fn root(root: &'a Value) -> Self {
        Self { root, pointer: String::new(), value: root }
    }

    /// Another value of this document.
    pub(crate) const fn with(&self, pointer: String, value: &'a Value) -> Self {
        Self { root: self.root, pointer, value }
    }

    /// The value at another pointer of this document.
    pub fn lookup(&self, pointer: &str) -> Option<Self> {
        Some(self.with(pointer.to_owned(), self.root.pointer(pointer)?))
    }

    /// The value of a field.
    pub fn get(&self, field: &str) -> Option<Self> {
        Some(self.with(push(&self.pointer, field), self.value.get(field)?))
    }

    /// The value of a field; of an absent one, null at this node's own pointer.
    pub(crate) fn get_or_null(&self, field: &str) -> Self {
        self.get(field).unwrap_or_else(|| self.with(self.pointer.clone(), &Value::Null))
    }

    /// The members of an object, extensions included; none of another value.
    pub fn members(&self) -> impl Iterator<Item = (&'a str, Self)> {
        let members = self.value.as_object().into_iter().flatten();
        members.map(|(name, value)| (name.as_str(), self.with(push(&self.pointer, name), value)))
    }

    /// The members of the object in a field.
    pub fn map(&self, field: &str) -> BTreeMap<&'a str, Self> {
        self.get(field).map(|map| map.members().collect()).unwrap_or_default()
    }

    /// The items of the list in a field.
    pub fn list(&self, field: &str) -> Vec<Self> {
        let Some(list) = self.get(field) else { return Vec::new() };
        let items = list.value.as_array().into_iter().flatten().enumerate();
        items.map(|(index, value)| list.with(format!("{}/{index}", list.pointer), value)).collect()
    }

    /// The string in a field.
    pub fn text(&self, field: &str) -> Option<&'a str> {
        self.value.get(field)?.as_str()
    }

    /// Whether a field is `true`.
    pub fn flag(&self, field: &str) -> bool {
        self.value.get(field) == Some(&Value::Bool(true))
    }

    /// The node that the references lead to, starting with this node's own `$ref`; the node itself if it has none.
    pub fn resolve(&self) -> Result<Self, Unresolved> {
        let mut node = self.clone();
        let mut seen = Vec::new();
        while let Some(target) = node.target() {
            if seen.contains(&node.pointer) {
                return Err(Unresolved::Circular);
            }
            if seen.len() == MAX_REFERENCE_CHAIN {
                return Err(Unresolved::TooLong);
            }
            seen.push(std::mem::replace(&mut node, target?).pointer);
        }
        Ok(node)
    }

    /// The node that this node's own `$ref` names; `None` if it has none.
    fn target(&self) -> Option<Result<Self, Unresolved>> {
        let reference = self.text("$ref")?;
        let Some(pointer) = of_reference(reference) else { return Some(Err(Unresolved::External)) };
        Some(self.lookup(&pointer).ok_or(Unresolved::Dangling))
    }

    /// The name of the first component schema that the references lead over, if there is one.
    pub(crate) fn schema_name(&self) -> Option<&'a str> {
        let mut node = self.clone();
        for _ in 0..=MAX_REFERENCE_CHAIN {
            let pointer = of_reference(node.text("$ref")?)?;
            let name = pointer.strip_prefix("/components/schemas/").filter(|name| !name.contains('/'));
            let schemas = self.root.pointer("/components/schemas").and_then(Value::as_object);
            if let (Some(name), Some(schemas)) = (name, schemas)
                && let Some((name, _)) = schemas.get_key_value(&unescape(name))
            {
                return Some(name);
            }
            node = node.lookup(&pointer)?;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_are_followed_and_each_way_to_fail_is_named() {
        let document = json!({
            "value": 1, "one": { "$ref": "#/two" }, "two": { "$ref": "#/value" },
            "circle": { "$ref": "#/back" }, "back": { "$ref": "#/circle" },
            "dangling": { "$ref": "#/absent" }, "external": { "$ref": "other.json#/a" },
        });
        let root = Node::root(&document);
        let resolved = |name: &str| root.get(name).unwrap().resolve().map(|node| node.pointer);
        assert_eq!(resolved("one").as_deref(), Ok("/value"));
        assert_eq!(resolved("value").as_deref(), Ok("/value"));
        assert_eq!(resolved("circle"), Err(Unresolved::Circular));
        assert_eq!(resolved("dangling"), Err(Unresolved::Dangling));
        assert_eq!(resolved("external"), Err(Unresolved::External));
        let chain = |length: usize| {
            let mut document = json!({ format!("n{length}"): 1 });
            for index in 0..length {
                document[format!("n{index}")] = json!({ "$ref": format!("#/n{}", index + 1) });
            }
            Node::root(&document).get("n0").unwrap().resolve().map(|node| node.pointer)
        };
        assert_eq!(chain(MAX_REFERENCE_CHAIN), Ok(format!("/n{MAX_REFERENCE_CHAIN}")));
        assert_eq!(chain(MAX_REFERENCE_CHAIN + 1), Err(Unresolved::TooLong));
    }
}
