//! A schema as it is referred to: an object of the document, or several of which all apply.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::node::Node;

/// The schema that is the combination of several: a value must satisfy all of them. Without any, every value does.
#[derive(Clone, Debug)]
pub(crate) struct SchemaRef<'a> {
    pub(crate) nodes: Vec<Node<'a>>,
    /// The pointer of the first of them, or of the object that has none.
    pub(crate) at: String,
}

impl<'a> SchemaRef<'a> {
    /// The schema in a field of an object; every value satisfies an absent one.
    pub(crate) fn field(node: &Node<'a>, field: &str) -> Self {
        Self { nodes: node.get(field).into_iter().collect(), at: node.pointer.clone() }
    }

    /// The schema that is all of these nodes; without any, that of the object at a pointer.
    pub(crate) fn all(nodes: Vec<Node<'a>>, owner: &str) -> Self {
        Self { at: nodes.first().map_or_else(|| owner.to_owned(), |node| node.pointer.clone()), nodes }
    }

    /// The schema of one node.
    pub(crate) fn of(node: Node<'a>) -> Self {
        Self { at: node.pointer.clone(), nodes: vec![node] }
    }

    /// The schema that every value satisfies.
    pub(crate) const fn anything(at: String) -> Self {
        Self { nodes: Vec::new(), at }
    }

    /// A text that is the same for the same schema, whichever reference leads to it.
    pub(crate) fn identity(&self) -> String {
        if self.nodes.is_empty() {
            // No pointer is this.
            return "anything".to_owned();
        }
        let pointers: BTreeSet<String> = self
            .nodes
            .iter()
            .map(|node| node.resolve().map_or_else(|_| node.pointer.clone(), |target| target.pointer))
            .collect();
        pointers.into_iter().collect::<Vec<_>>().join(" ")
    }

    /// The value of the first schema.
    pub(crate) fn value(&self) -> Option<&'a Value> {
        self.nodes.first().map(|node| node.value)
    }

    /// The name of the component, if it is one.
    pub(crate) fn name(&self) -> Option<&'a str> {
        match &self.nodes[..] {
            [node] => node.schema_name(),
            _ => None,
        }
    }
}

impl<'a> Node<'a> {
    /// Whether the document has a schema of this name.
    pub(crate) fn has_schema(&self, name: &str) -> bool {
        self.lookup("/components/schemas").is_some_and(|schemas| schemas.value.get(name).is_some())
    }

    /// The component schemas that include the one at a pointer in their `allOf`, directly or not. If it has a
    /// discriminator, a value may be of any of them (3.0.3, Discriminator Object).
    pub(crate) fn heirs(&self, owner: &str) -> BTreeMap<&'a str, Self> {
        let all = self.lookup("/components").map(|components| components.map("schemas")).unwrap_or_default();
        let mut heirs = BTreeMap::new();
        let mut owners = BTreeSet::from([owner.to_owned()]);
        loop {
            let before = owners.len();
            for (name, node) in &all {
                let includes = |item: &Self| item.resolve().is_ok_and(|at| owners.contains(&at.pointer));
                if !owners.contains(&node.pointer) && node.list("allOf").iter().any(includes) {
                    owners.insert(node.pointer.clone());
                    heirs.insert(*name, node.clone());
                }
            }
            if owners.len() == before {
                return heirs;
            }
        }
    }
}
