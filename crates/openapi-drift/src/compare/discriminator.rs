//! Discriminators: which schema a value of a property means.

use std::collections::BTreeMap;

use serde_json::Value;

use super::context::{Comparison, SchemaPair};
use super::found::Change;
use super::members::{Member, members};
use super::sides::Sides;
use crate::node::Node;
use crate::normal::{Schema, SchemaRef};
use crate::rules::rule;

/// The schemas that include another one, by their names.
type Heirs<'a> = BTreeMap<&'a str, Node<'a>>;

impl<'a> Comparison<'a> {
    /// Compares the discriminators of two schemas.
    pub(super) fn discriminators(&mut self, pair: &SchemaPair<'a>, schemas: &Sides<Schema<'a>>) {
        let said = schemas.map(|schema| schema.outermost("discriminator"));
        for one in said.items() {
            if let Some(discriminators) = one.clone().both() {
                self.discriminator(pair, schemas, &discriminators);
                continue;
            }
            let (rule, change, what) = if one.base.is_some() {
                (rule!("schema-discriminator-removed"), Change::Wider, "the discriminator was removed")
            } else {
                (rule!("schema-discriminator-added"), Change::Narrower, "a discriminator was added")
            };
            let at = one.map(|node| Some(node.as_ref()?.pointer.clone())).or(&schemas.schema_pointers());
            let values = one.map(|node| node.as_ref().map(|node| node.value));
            self.add(pair.found(rule, change, at).values((values.base, values.revision)).what(what));
        }
    }

    fn discriminator(&mut self, pair: &SchemaPair<'a>, schemas: &Sides<Schema<'a>>, nodes: &Sides<Node<'a>>) {
        let (names, at) = (nodes.values("propertyName"), nodes.pointers());
        if names.0 != names.1 {
            let found = pair.found(rule!("schema-discriminator-property-changed"), Change::Other, at.clone());
            let found = found.values(names).went("the property of the discriminator");
            self.add(found);
        }
        // Without alternatives, a value may be of any schema that includes this one.
        let heirs_of = |node: &Node<'a>, schema: &Schema<'a>| {
            let owner = node.pointer.strip_suffix("/discriminator").unwrap_or_default();
            let is_own = schema.at == owner && schema.groups.is_empty();
            // Whether two alternatives agree must not depend on it; where they are compared it counts.
            if is_own && !self.trial { node.heirs(owner) } else { BTreeMap::new() }
        };
        let heirs = nodes.zip(schemas, heirs_of);
        let mappings = Sides {
            base: mapping(&nodes.base, &schemas.base, &heirs.base),
            revision: mapping(&nodes.revision, &schemas.revision, &heirs.revision),
        };
        for (value, member) in members(&mappings) {
            let (rule, change, targets, what) = match member {
                Member::Both(targets) if targets.base == targets.revision => continue,
                Member::Both(targets) => (
                    rule!("schema-discriminator-mapping-changed"),
                    Change::Other,
                    targets.map(|target| Some(target.clone())),
                    None,
                ),
                Member::Lone(lone) => {
                    let (rule, change) = lone.pick(
                        (rule!("schema-discriminator-mapping-removed"), Change::Narrower),
                        (rule!("schema-discriminator-mapping-added"), Change::Wider),
                    );
                    (rule, change, lone.beside(Some(lone.value.clone()), None), Some(lone.verb()))
                }
            };
            let targets = targets.map(|target| target.as_deref().map(Value::from));
            let found = pair.found(rule, change, at.clone());
            let found = found.values((targets.base.as_ref(), targets.revision.as_ref()));
            let found = match what {
                Some(verb) => found.what(format!("the value {value} of the discriminator was {verb}")),
                None => found.went(&format!("the schema of the value {value} of the discriminator")),
            };
            self.add(found);
        }
        for (name, member) in members(&heirs) {
            if let Member::Both(nodes) = member {
                let schemas = nodes.map(|node| SchemaRef::of(node.clone()));
                self.queue(schemas, pair.usage, &pair.site, &format!("{}<{name}>", pair.path));
            }
        }
    }
}

/// The names of the schemas that the values of a discriminator mean. The name of each alternative is a value itself,
/// unless the mapping has another one for it.
fn mapping<'a>(node: &Node<'a>, schema: &Schema<'a>, heirs: &Heirs<'a>) -> BTreeMap<String, String> {
    let alternatives = schema.groups.iter().flat_map(|group| &group.members).filter_map(SchemaRef::name);
    let target = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        text.rsplit('/').next().unwrap_or_default().to_owned()
    };
    let explicit = node.map("mapping").into_iter();
    let mut all: BTreeMap<String, String> =
        explicit.map(|(name, node)| (name.to_owned(), target(node.value))).collect();
    for name in alternatives.chain(heirs.keys().copied()) {
        if !all.values().any(|target| target == name) {
            all.insert(name.to_owned(), name.to_owned());
        }
    }
    all
}
