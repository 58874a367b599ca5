//! What is for people and generators: descriptions, examples, names, extensions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::context::{Comparison, SchemaPair};
use super::found::{Change, Direction, Found};
use super::members::{Member, members_of};
use super::sides::Sides;
use super::text::{brief, property_prefix};
use crate::extensions::{
    ERROR_CODES, EXTENSIONS, Extension, MAX_BODY_BYTES, REQUIRED_SCOPE, REQUIRED_SCOPE_FOR,
    REQUIRES_AUTHENTICATED_SESSION, SUNSET, date, is_valid,
};
use crate::fields::{Object, Shape, Treatment, fields};
use crate::finding::{Breaks, Effect};
use crate::node::Node;
use crate::normal::Schema;
use crate::rules::{of_field, rule};
use crate::value::same;

impl<'a> Comparison<'a> {
    /// Compares the fields of two objects that are not on the wire, and their extensions but for the known ones.
    pub(super) fn annotations(&mut self, object: Object, nodes: &Sides<Node<'a>>, site: &str) {
        for field in fields(object) {
            if !matches!(field.treatment, Treatment::Documentation | Treatment::GeneratedCode) {
                continue;
            }
            let found = nodes.get(field.name);
            let equal = match (&found.base, &found.revision) {
                (Some(before), Some(after)) => equal(field.shape, before, after),
                (None, None) => true,
                (Some(only), None) | (None, Some(only)) => {
                    *only.value == Value::Bool(false) || only.value.as_array().is_some_and(Vec::is_empty)
                }
            };
            if !equal {
                self.add(Found::field(object, field.name, nodes, site));
            }
        }
        let is_known = |name: &str| known(object).any(|extension| extension.name == name);
        let members = [&nodes.base, &nodes.revision].into_iter().flat_map(Node::members);
        let names: BTreeSet<&str> = members.map(|(name, _)| name).collect();
        for name in names.into_iter().filter(|name| object.extensible() && name.starts_with("x-")) {
            let values = nodes.values(name);
            if is_known(name) || both_same(values) {
                continue;
            }
            let day = |value: Option<&Value>| value.and_then(Value::as_str).and_then(date);
            let is_earlier = day(values.0).zip(day(values.1)).is_some_and(|(old, new)| new < old);
            let (rule, breaks) = if name == SUNSET && is_earlier {
                (rule!("sunset-moved-earlier"), Breaks::CLIENTS)
            } else {
                (rule!("extension-changed"), Breaks::NEITHER)
            };
            let found = Found::new(rule, nodes.field_pointers(name), site).values(values).went(name);
            self.add(found.breaks(Direction::Request, breaks));
        }
    }

    /// Reports another value of a field on the wire under the rule of that field.
    pub(super) fn wire_field(
        &mut self,
        object: Object,
        field: &str,
        nodes: &Sides<Node<'a>>,
        direction: Direction,
        site: &str,
    ) {
        self.add(Found::field(object, field, nodes, site).change(direction, Change::Other));
    }

    /// Compares the known extensions of two objects, whose values are sent in this direction.
    pub(super) fn known_extensions(
        &mut self,
        object: Object,
        nodes: &Sides<Node<'a>>,
        direction: Direction,
        site: &str,
    ) {
        let (narrower, wider) = (Change::Narrower.breaks(direction), Change::Wider.breaks(direction));
        for extension in known(object) {
            let name = extension.name;
            let values = nodes.values(name);
            let valid = [values.0, values.1].into_iter().flatten().all(|value| is_valid(extension, value));
            if both_same(values) {
                continue;
            }
            let (rule, breaks) = match (name, values) {
                // What a malformed value means is not known.
                _ if !valid => (rule!("extension-changed"), Breaks::NEITHER),
                (REQUIRED_SCOPE, (None, _)) => (rule!("required-scope-added"), Breaks::CLIENTS),
                (REQUIRED_SCOPE, (_, None)) => (rule!("required-scope-removed"), Breaks::SERVERS),
                (REQUIRED_SCOPE, _) => (rule!("required-scope-changed"), Breaks::BOTH),
                (REQUIRED_SCOPE_FOR, _) => {
                    self.scopes_of_properties(nodes, direction, site);
                    continue;
                }
                (REQUIRES_AUTHENTICATED_SESSION, (before, after)) => {
                    let required = |value: Option<&Value>| value == Some(&Value::Bool(true));
                    match (required(before), required(after)) {
                        (false, true) => (rule!("authenticated-session-required"), Breaks::CLIENTS),
                        (true, false) => (rule!("authenticated-session-not-required"), Breaks::SERVERS),
                        _ => (rule!("extension-changed"), Breaks::NEITHER),
                    }
                }
                (MAX_BODY_BYTES, (None, _)) => (rule!("max-body-bytes-added"), narrower),
                (MAX_BODY_BYTES, (_, None)) => (rule!("max-body-bytes-removed"), wider),
                (MAX_BODY_BYTES, (Some(before), Some(after))) if after.as_u64() < before.as_u64() => {
                    (rule!("max-body-bytes-decreased"), narrower)
                }
                (MAX_BODY_BYTES, _) => (rule!("max-body-bytes-increased"), wider),
                (ERROR_CODES, (Some(before), Some(after))) => {
                    self.error_codes((before, after), nodes, direction, site);
                    continue;
                }
                (ERROR_CODES, (None, _)) => (rule!("error-codes-added"), narrower),
                (ERROR_CODES, _) => (rule!("error-codes-removed"), wider),
                _ => (rule!("extension-changed"), Breaks::NEITHER),
            };
            // The base did not declare the fact, which may have held all the same: to declare it breaks nobody.
            let breaks = if values.0.is_none() { Breaks::NEITHER } else { breaks };
            let found = Found::new(rule, nodes.field_pointers(name), site).values(values).went(name);
            self.add(found.breaks(direction, breaks));
        }
    }

    /// Compares the scopes that properties of the body require. Without the field no property requires one, so that its first
    /// declaration is a change.
    fn scopes_of_properties(&mut self, nodes: &Sides<Node<'a>>, direction: Direction, site: &str) {
        let owner = nodes.get_or_null(REQUIRED_SCOPE_FOR);
        for (name, member) in members_of(nodes, REQUIRED_SCOPE_FOR) {
            let site = format!("{site}, property {name} of the body");
            match member {
                Member::Both(scopes) => {
                    let values = (Some(scopes.base.value), Some(scopes.revision.value));
                    if !both_same(values) {
                        let found = Found::new(rule!("property-scope-changed"), scopes.pointers(), &site);
                        let found = found.values(values).went("the required scope");
                        self.add(found.breaks(direction, Breaks::BOTH));
                    }
                }
                Member::Lone(scope) => {
                    let rules = [rule!("property-scope-removed"), rule!("property-scope-added")];
                    let what = format!("the required scope {} was {}", scope.value.value, scope.verb());
                    let found = Found::lone(rules, &scope, &owner, &site).what(what);
                    self.add(found.breaks(direction, scope.pick(Breaks::SERVERS, Breaks::CLIENTS)));
                }
            }
        }
    }

    /// Compares listed error codes like the values of an enumeration (decision 11).
    fn error_codes(
        &mut self,
        (before, after): (&Value, &Value),
        nodes: &Sides<Node<'a>>,
        direction: Direction,
        site: &str,
    ) {
        let codes = Sides { base: before, revision: after };
        let codes = codes.map(|codes| codes.as_array().cloned().unwrap_or_default());
        for code in super::members::lone_items(&codes, |one, other| one == other) {
            let rule = code.pick(rule!("error-code-removed"), rule!("error-code-added"));
            let change = code.pick(Change::Narrower, Change::Wider);
            let found = Found::new(rule, nodes.field_pointers(ERROR_CODES), site)
                .value_of(&code, Some(code.value))
                .what(format!("the error code {} was {}", code.value, code.verb()));
            self.add(found.change(direction, change));
        }
    }

    /// Compares the annotations of two schemas, whose parts may be spread over `allOf`.
    pub(super) fn schema_annotations(&mut self, pair: &SchemaPair<'a>, schemas: &Sides<Schema<'a>>) {
        let documentation = fields(Object::Schema).filter(|it| it.treatment == Treatment::Documentation);
        let names = schemas.base.extensions().into_iter().chain(schemas.revision.extensions());
        let names: BTreeSet<&str> = names.collect();
        let rules = documentation.map(|field| (field.name, of_field(Object::Schema, field.name)));
        for (name, rule) in rules.chain(names.into_iter().map(|name| (name, rule!("extension-changed")))) {
            let said = schemas.map(|schema| schema.outermost(name));
            let no = |values: &[Node<'a>]| values.iter().all(|it| *it.value == Value::Bool(false));
            if all_same(&said) || no(&said.base) && no(&said.revision) {
                continue;
            }
            let found = Found::new(rule, first_pointers(&said, schemas), &pair.site);
            self.add(found.values(first_values(&said)).went(name));
        }
    }

    /// Compares the annotations of the alternatives that both documents use to write one enumeration.
    pub(super) fn folded_alternatives(&mut self, pair: &SchemaPair<'a>, schemas: &Sides<Schema<'a>>) {
        let listed = |node: &Node<'a>| node.value.get("enum").cloned().unwrap_or_default();
        for base in &schemas.base.folded {
            let values = listed(base);
            if let Some(revision) = schemas.revision.folded.iter().find(|it| same(&listed(it), &values)) {
                let site = format!("{}, {}{}", pair.site, property_prefix(&pair.path), brief(&values));
                let nodes = Sides { base: base.clone(), revision: revision.clone() };
                self.annotations(Object::Schema, &nodes, &site);
            }
        }
    }

    /// Compares defaults: what the absence of a value means to its receiver (3.0.3, Schema Object).
    pub(super) fn defaults(&mut self, pair: &SchemaPair<'a>, schemas: &Sides<Schema<'a>>) {
        let said = schemas.map(|schema| schema.outermost("default"));
        if all_same(&said) {
            return;
        }
        let (rule, at) = (of_field(Object::Schema, "default"), first_pointers(&said, schemas));
        let found = if pair.usage.direction == Direction::Request {
            pair.found(rule, Change::Other, at)
        } else {
            // The server sends nothing else; generated code fills in another value.
            pair.noted(rule, at).effect(Effect::GeneratedCode)
        };
        self.add(found.values(first_values(&said)).went("default"));
    }

    /// Compares `readOnly` and `writeOnly` themselves. Their effect is reported for the property that has them.
    pub(super) fn marks(&mut self, pair: &SchemaPair<'a>, schemas: &Sides<Schema<'a>>) {
        for mark in ["readOnly", "writeOnly"] {
            let at = schemas.map(|schema| schema.flag(mark));
            let set = at.map(Option::is_some);
            if set.base != set.revision {
                let at = at.or(&schemas.schema_pointers());
                self.add(pair.noted(of_field(Object::Schema, mark), at).changed(set).went(mark));
            }
        }
    }
}

/// The known extensions of an object that have rules of their own.
fn known(object: Object) -> impl Iterator<Item = &'static Extension> {
    EXTENSIONS.iter().filter(move |extension| extension.object == Some(object))
}

/// Whether a value is the same in both documents, or absent in both.
pub(super) fn both_same(values: (Option<&Value>, Option<&Value>)) -> bool {
    match values {
        (Some(before), Some(after)) => same(before, after),
        (before, after) => before == after,
    }
}

/// Whether two lists have the same values.
pub(super) fn all_same(said: &Sides<Vec<Node<'_>>>) -> bool {
    said.base.len() == said.revision.len()
        && said.base.iter().zip(&said.revision).all(|(before, after)| same(before.value, after.value))
}

/// The first value of each list.
fn first_values<'a>(said: &Sides<Vec<Node<'a>>>) -> (Option<&'a Value>, Option<&'a Value>) {
    (said.base.first().map(|it| it.value), said.revision.first().map(|it| it.value))
}

/// The pointer of the first value of each list, or of the schema.
fn first_pointers(said: &Sides<Vec<Node<'_>>>, schemas: &Sides<Schema<'_>>) -> Sides<String> {
    said.map(|said| Some(said.first()?.pointer.clone())).or(&schemas.schema_pointers())
}

/// Whether two values of a field have the same meaning.
fn equal(shape: Shape, before: &Node<'_>, after: &Node<'_>) -> bool {
    match shape {
        // The tags of an operation are a set.
        Shape::Texts => {
            let set = |node: &Node<'_>| {
                let items = node.value.as_array().into_iter().flatten();
                items.filter_map(Value::as_str).map(str::to_owned).collect::<BTreeSet<_>>()
            };
            set(before) == set(after)
        }
        Shape::Map(Object::Example | Object::Link) => {
            let (before, after) = (resolved(before), resolved(after));
            before.len() == after.len()
                && before.iter().all(|(name, one)| after.get(name).is_some_and(|other| same(one, other)))
        }
        _ => same(before.value, after.value),
    }
}

fn resolved<'a>(map: &Node<'a>) -> BTreeMap<&'a str, &'a Value> {
    let value = |node: &Node<'a>| node.resolve().map_or(node.value, |target| target.value);
    map.members().map(|(name, node)| (name, value(&node))).collect()
}
