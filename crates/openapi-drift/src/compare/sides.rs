//! The two documents that are compared.

use serde_json::Value;

use crate::node::Node;
use crate::normal::Schema;

/// One of the two documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Side {
    Base,
    Revision,
}

/// Something of each document.
#[derive(Clone, Debug)]
pub(super) struct Sides<T> {
    pub(super) base: T,
    pub(super) revision: T,
}

impl<T> Sides<T> {
    pub(super) fn map<U>(&self, mut of: impl FnMut(&T) -> U) -> Sides<U> {
        Sides { base: of(&self.base), revision: of(&self.revision) }
    }

    /// A value of each document from this one and another.
    pub(super) fn zip<U, V>(&self, other: &Sides<U>, mut of: impl FnMut(&T, &U) -> V) -> Sides<V> {
        Sides { base: of(&self.base, &other.base), revision: of(&self.revision, &other.revision) }
    }
}

impl<T: Clone> Sides<Vec<T>> {
    /// The items of each index.
    pub(super) fn items(&self) -> impl Iterator<Item = Sides<Option<T>>> {
        let count = self.base.len().max(self.revision.len());
        (0..count).map(|index| self.map(|list| list.get(index).cloned()))
    }
}

impl Sides<Option<String>> {
    /// These pointers, or those where one is absent.
    pub(super) fn or(self, others: &Sides<String>) -> Sides<String> {
        self.zip(others, |own, other| own.clone().unwrap_or_else(|| other.clone()))
    }
}

impl Sides<Schema<'_>> {
    /// The pointers of the schemas.
    pub(super) fn schema_pointers(&self) -> Sides<String> {
        self.map(|schema| schema.at.clone())
    }
}

impl<T> Sides<Option<T>> {
    /// Both, if there are two.
    pub(super) fn both(self) -> Option<Sides<T>> {
        Some(Sides { base: self.base?, revision: self.revision? })
    }
}

impl<'a> Sides<Node<'a>> {
    pub(super) fn pointers(&self) -> Sides<String> {
        self.map(|node| node.pointer.clone())
    }

    /// The nodes of a field.
    pub(super) fn get(&self, field: &str) -> Sides<Option<Node<'a>>> {
        self.map(|node| node.get(field))
    }

    /// The nodes of a field; of an absent one, null.
    pub(super) fn get_or_null(&self, field: &str) -> Self {
        self.map(|node| node.get_or_null(field))
    }

    /// The values of a field.
    pub(super) fn values(&self, field: &str) -> (Option<&'a Value>, Option<&'a Value>) {
        (self.base.value.get(field), self.revision.value.get(field))
    }

    /// The pointers of a field, or of the object that does not have it.
    pub(super) fn field_pointers(&self, field: &str) -> Sides<String> {
        self.map(|node| node.get_or_null(field).pointer)
    }
}
