//! The normal form of a schema: what it means, however it is written.
//!
//! Documents are not rewritten. A [`Schema`] is the meaning of a schema once its references are followed and its `allOf` is
//! merged; each part still has its own pointer.

mod expand;
mod schema_ref;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::node::Node;
use crate::pointer::push;
use crate::value::{Exact, kind, same};
pub(crate) use expand::{Group, Schema};
use expand::{Part, plain, silent};
pub(crate) use schema_ref::SchemaRef;

/// The schema of properties that are not listed.
#[derive(Clone, Debug)]
pub(crate) enum Additional<'a> {
    Refused,
    Allowed(SchemaRef<'a>),
}

/// The value of a keyword, and its pointer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KeywordValue {
    pub(crate) value: Value,
    pub(crate) at: String,
}

/// A number, whether it excludes itself, and where it is written.
pub(crate) type BoundValue = (Exact, bool, KeywordValue);

impl<'a> Schema<'a> {
    pub(crate) fn of(schema: &SchemaRef<'a>) -> Self {
        let mut whole = Self { at: schema.at.clone(), ..Self::default() };
        whole.nodes = schema.nodes.iter().filter_map(|node| whole.expand(node, 0)).collect();
        let Self { groups, enums, types, .. } = &mut whole;
        groups.sort_by(|one, other| one.field.cmp(other.field));
        // A whole number is a number.
        if types.contains_key("integer") {
            types.remove("number");
        }
        if types.is_empty()
            && let Some((values, at)) = enums.first()
        {
            let mut kinds: BTreeSet<_> = values.iter().map(|value| kind(value)).collect();
            if kinds.contains(&Some("number")) {
                kinds.remove(&Some("integer"));
            }
            if let (1, Some(Some(kind))) = (kinds.len(), kinds.first()) {
                types.insert((*kind).to_owned(), at.clone());
            }
        }
        if let [node] = &whole.nodes[..] {
            let mut node = node;
            while let ([member], true) =
                (&node.members[..], node.at.value.as_object().is_some_and(|it| it.len() == 1))
            {
                node = member;
            }
            whole.at = node.at.pointer.clone();
        }
        whole
    }

    fn atoms(&self) -> Vec<&Node<'a>> {
        fn add<'n, 'a>(nodes: &'n [Part<'a>], atoms: &mut Vec<&'n Node<'a>>) {
            for node in nodes {
                atoms.push(&node.at);
                add(&node.members, atoms);
            }
        }
        let mut atoms = Vec::new();
        add(&self.nodes, &mut atoms);
        atoms
    }

    /// The values of a field that applies to the whole: the outermost, or else those of the schemas in `allOf`.
    pub(crate) fn outermost(&self, field: &str) -> Vec<Node<'a>> {
        fn gather<'a>(nodes: &[Part<'a>], field: &str, found: &mut Vec<Node<'a>>) {
            for node in nodes {
                match node.at.get(field) {
                    Some(value) => found.push(value),
                    None => gather(&node.members, field, found),
                }
            }
        }
        let mut found = Vec::new();
        gather(&self.nodes, field, &mut found);
        found.sort_by_cached_key(|node| node.value.to_string());
        found.dedup_by(|one, other| same(one.value, other.value));
        found
    }

    /// The names of its extensions.
    pub(crate) fn extensions(&self) -> BTreeSet<&'a str> {
        let atoms = self.atoms();
        let names = atoms.iter().filter_map(|atom| atom.value.as_object()).flat_map(|members| members.keys());
        names.map(String::as_str).filter(|name| name.starts_with("x-")).collect()
    }

    /// Its type; more than one is a contradiction.
    pub(crate) fn types(&self) -> Vec<&str> {
        self.types.keys().map(String::as_str).collect()
    }

    pub(crate) fn type_at(&self) -> &str {
        self.types.values().next().unwrap_or(&self.at)
    }

    /// Whether `null` is allowed; `None` without a type, where it is.
    pub(crate) fn nullable(&self) -> Option<bool> {
        fn of(node: &Part<'_>) -> Option<bool> {
            if node.at.flag("nullable") {
                return Some(true);
            }
            let own = node.at.value.get("type").map(|_| false);
            node.members.iter().map(of).chain([own]).flatten().min()
        }
        self.nodes.iter().filter_map(of).min()
    }

    /// Its allowed values; `None` for any.
    pub(crate) fn allowed(&self) -> Option<(Vec<&'a Value>, &str)> {
        let (first, rest) = self.enums.split_first()?;
        let in_all =
            |value: &&Value| rest.iter().all(|(values, _)| values.iter().any(|other| same(other, value)));
        Some((first.0.iter().copied().filter(in_all).collect(), &first.1))
    }

    /// The strictest of a keyword's numbers: the greatest lower bound, or the smallest upper one.
    pub(crate) fn count(&self, keyword: &str, lower: bool) -> Option<BoundValue> {
        let strictest = self.strictest(keyword, lower, |_, number| (number, false));
        // A lower bound of 0 allows every length.
        strictest.filter(|(.., known)| !(lower && known.value.as_f64() == Some(0.0)))
    }

    /// The strictest bound of a number, and whether it excludes itself.
    pub(crate) fn bound(&self, lower: bool) -> Option<BoundValue> {
        let (keyword, exclusive) =
            if lower { ("minimum", "exclusiveMinimum") } else { ("maximum", "exclusiveMaximum") };
        let is_whole = self.types.contains_key("integer");
        self.strictest(keyword, lower, |atom, number| match atom.flag(exclusive) {
            // Among whole numbers, above 0 is from 1 on.
            excludes if is_whole => (number.whole(lower, excludes), false),
            excludes => (number, excludes),
        })
    }

    fn strictest(
        &self,
        keyword: &str,
        lower: bool,
        limit: impl Fn(&Node<'a>, Exact) -> (Exact, bool),
    ) -> Option<BoundValue> {
        let mut strictest: Option<BoundValue> = None;
        for atom in self.atoms() {
            let Some(value) = atom.value.get(keyword) else { continue };
            let (number, excludes) = limit(atom, Exact::of(value));
            let stricter = strictest.as_ref().is_none_or(|(known, known_excludes, _)| {
                let order = if lower { number.cmp(known) } else { known.cmp(&number) };
                order.is_gt() || order.is_eq() && excludes && !known_excludes
            });
            if stricter {
                let said = KeywordValue { value: value.clone(), at: push(&atom.pointer, keyword) };
                strictest = Some((number, excludes, said));
            }
        }
        strictest
    }

    /// Every value of a keyword of which all apply, such as `pattern`.
    pub(crate) fn all(&self, keyword: &str) -> Vec<KeywordValue> {
        let said = |atom: &&Node<'a>| {
            Some(KeywordValue { value: atom.value.get(keyword)?.clone(), at: push(&atom.pointer, keyword) })
        };
        let mut all: Vec<KeywordValue> = self.atoms().iter().filter_map(said).collect();
        all.sort_by_cached_key(|said| said.value.to_string());
        all.dedup_by(|one, other| same(&one.value, &other.value));
        all
    }

    /// Where a flag is set, if it is.
    pub(crate) fn flag(&self, keyword: &str) -> Option<String> {
        self.atoms().iter().find(|atom| atom.flag(keyword)).map(|atom| push(&atom.pointer, keyword))
    }

    /// The names of the required properties.
    pub(crate) fn required(&self) -> BTreeMap<&'a str, String> {
        let mut names = BTreeMap::new();
        for atom in self.atoms() {
            for item in atom.list("required") {
                if let Some(name) = item.value.as_str() {
                    names.entry(name).or_insert(item.pointer);
                }
            }
        }
        names
    }

    /// The properties that are listed and allowed.
    pub(crate) fn properties(&self) -> BTreeMap<&'a str, SchemaRef<'a>> {
        let atoms = self.atoms();
        let listed: Vec<_> = atoms.iter().map(|atom| (atom.map("properties"), additional(atom))).collect();
        let names: BTreeSet<&str> = listed.iter().flat_map(|(names, _)| names.keys().copied()).collect();
        let mut properties = BTreeMap::new();
        for name in names {
            let mut nodes = Vec::new();
            let mut refused = false;
            for (own, rest) in &listed {
                match (own.get(name), rest) {
                    (Some(node), _) => nodes.push(node.clone()),
                    (None, Additional::Refused) => refused = true,
                    (None, Additional::Allowed(schema)) => nodes.extend(schema.nodes.iter().cloned()),
                }
            }
            if !refused && let Some(at) = nodes.first().map(|node| node.pointer.clone()) {
                properties.insert(name, SchemaRef { nodes, at });
            }
        }
        properties
    }

    /// The schema of the other properties.
    pub(crate) fn additional(&self) -> Additional<'a> {
        let mut nodes = Vec::new();
        for atom in self.atoms() {
            match additional(atom) {
                Additional::Refused => return Additional::Refused,
                Additional::Allowed(schema) => nodes.extend(schema.nodes),
            }
        }
        Additional::Allowed(SchemaRef::all(nodes, &self.at))
    }

    /// The pointer of `additionalProperties`.
    pub(crate) fn additional_at(&self) -> String {
        let field = "additionalProperties";
        let atoms = self.atoms();
        let found = atoms.iter().find(|atom| atom.value.get(field).is_some());
        found.map_or_else(|| self.at.clone(), |atom| push(&atom.pointer, field))
    }

    /// The schema of each item.
    pub(crate) fn items(&self) -> SchemaRef<'a> {
        SchemaRef::all(self.atoms().iter().filter_map(|atom| atom.get("items")).collect(), &self.at)
    }

    /// The schemas that no value may satisfy.
    pub(crate) fn nots(&self) -> Vec<SchemaRef<'a>> {
        let mut all: Vec<Node<'a>> = self.atoms().iter().filter_map(|atom| atom.get("not")).collect();
        all.sort_by_cached_key(|node| plain(node).to_string());
        all.dedup_by(|one, other| same(&plain(one), &plain(other)));
        all.into_iter().map(SchemaRef::of).collect()
    }

    /// Whether its alternatives alone restrict values.
    pub(crate) fn is_bare(&self) -> bool {
        let restricts = |(name, value): (&String, &Value)| {
            !UNRESTRICTIVE.contains(&name.as_str()) && !name.starts_with("x-") && !silent(name, value)
        };
        let atoms = self.atoms();
        let mut members = atoms.iter().filter_map(|atom| atom.value.as_object()).flatten();
        self.enums.is_empty() && !members.any(restricts)
    }
}

/// The fields of a schema that restrict no value, and those that contain alternatives.
#[rustfmt::skip]
const UNRESTRICTIVE: [&str; 14] = [
    "allOf", "oneOf", "anyOf", "title", "description", "example", "externalDocs", "deprecated", "discriminator",
    "default", "readOnly", "writeOnly", "xml", "nullable",
];

fn additional<'a>(atom: &Node<'a>) -> Additional<'a> {
    match atom.get("additionalProperties") {
        Some(node) if *node.value == Value::Bool(false) => Additional::Refused,
        Some(node) if node.value.as_object().is_some_and(|it| !it.is_empty()) => {
            Additional::Allowed(SchemaRef::of(node))
        }
        _ => Additional::Allowed(SchemaRef::anything(atom.pointer.clone())),
    }
}
