//! The comparison of two documents: their operations, and the components that no operation uses.

mod alternatives;
mod annotation;
mod content;
mod context;
mod discriminator;
mod finish;
mod found;
mod keyword;
mod members;
mod object;
mod operation;
mod parameter;
mod response;
mod schema;
mod security;
mod servers;
mod sides;
mod text;

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use crate::document::Document;
use crate::fields::{Object, Shape, fields};
use crate::finding::{Breaks, Finding};
use crate::node::Node;
use crate::normal::{Schema, SchemaRef};
use crate::pointer::{of_reference, push};
use crate::rules::rule;
use annotation::both_same;
use context::{Comparison, MAX_STEPS, Media, ParameterPair, SchemaPair, Use, Work};
pub use context::{Options, TooComplex};
use found::{Direction, Found};
use members::{Member, members_of};
use sides::{Side, Sides};

/// Every difference between two documents, ordered by place and rule.
///
/// # Errors
///
/// [`TooComplex`], a limit that no real document reaches.
pub fn compare(base: &Document, revision: &Document, options: Options) -> Result<Vec<Finding>, TooComplex> {
    let mut comparison = Comparison::new(options, step);
    let roots = Sides { base: base.root(), revision: revision.root() };
    comparison.documents(&roots);
    comparison.work_off();
    comparison.unused_components(&roots);
    comparison.work_off();
    comparison.lone_components(&roots);
    comparison.not_inherited(&roots);
    comparison.faulty(base, revision);
    if comparison.steps > MAX_STEPS {
        return Err(TooComplex);
    }
    Ok(finish::finish(base, revision, comparison.found))
}

fn step<'a>(comparison: &mut Comparison<'a>, work: &Work<'a>) {
    match work {
        Work::Schema(pair) => comparison.schema(pair),
        Work::Operation(pair) => comparison.operation(pair),
        Work::Parameter(pair) => comparison.parameter(pair),
    }
}

impl<'a> Comparison<'a> {
    fn documents(&mut self, roots: &Sides<Node<'a>>) {
        self.annotations(Object::OpenApi, roots, "the document");
        for (field, object) in
            [("info", Object::Info), ("paths", Object::Paths), ("components", Object::Components)]
        {
            self.annotations(object, &roots.get_or_null(field), "the document");
        }
        self.paths(roots);
        self.security_schemes(roots);
    }

    /// Compares the document's servers and security if no operation inherits them: people read them nevertheless.
    fn not_inherited(&mut self, roots: &Sides<Node<'a>>) {
        for (field, rule) in
            [("servers", rule!("document-servers-changed")), ("security", rule!("document-security-changed"))]
        {
            let pointer = push("", field);
            let used = [Side::Base, Side::Revision].into_iter().any(|side| self.is_reached(side, &pointer));
            let values = roots.values(field);
            if !used && !both_same(values) {
                let found = Found::new(rule, roots.field_pointers(field), "the document").values(values);
                self.add(found.went(&format!("{field}, which no operation inherits,")));
            }
        }
    }

    /// Compares each value that is not OpenAPI 3.0.3 as a whole.
    fn faulty(&mut self, base: &Document, revision: &Document) {
        let problems = base.problems().iter().chain(revision.problems());
        for pointer in problems.map(|problem| &problem.pointer).collect::<BTreeSet<_>>() {
            let values = (base.value().pointer(pointer), revision.value().pointer(pointer));
            if !both_same(values) {
                let at = Sides { base: pointer.clone(), revision: pointer.clone() };
                let found = Found::new(rule!("faulty-place-changed"), at, pointer).values(values);
                let found = found.went("a value that is not OpenAPI 3.0.3");
                self.add(found.breaks(Direction::Request, Breaks::BOTH));
            }
        }
    }

    /// Compares the components that both documents have and that no operation uses: generators write types of them.
    fn unused_components(&mut self, roots: &Sides<Node<'a>>) {
        for Component { object, name, pointer, member } in components(roots) {
            let Member::Both(nodes) = member else { continue };
            let site = format!("component {name}");
            let is_used = self.is_reached(Side::Base, &pointer) && self.is_reached(Side::Revision, &pointer);
            if !is_used {
                self.component(object, nodes, site);
            } else if object == Object::Schema {
                // Where it is used, another description may precede its own. It still is that of a type.
                let schemas = nodes.map(|node| SchemaRef::of(node.clone()));
                let usage = Use::new(Direction::Unused, Media::Json);
                let expanded = schemas.map(Schema::of);
                let pair = SchemaPair { schemas, usage, site, path: String::new() };
                self.schema_annotations(&pair, &expanded);
                self.defaults(&pair, &expanded);
            }
        }
    }

    /// Reports the components that only one document has and that nothing uses.
    fn lone_components(&mut self, roots: &Sides<Node<'a>>) {
        let used = Sides {
            base: used(roots.base.value, roots.revision.value),
            revision: used(roots.revision.value, roots.base.value),
        };
        for Component { object, name, pointer, member } in components(roots) {
            let Member::Lone(lone) = member else { continue };
            if !lone.pick(&used.base, &used.revision).contains(&pointer) {
                let rules = [rule!("component-removed"), rule!("component-added")];
                let what = format!("the unused {object} was {}", lone.verb());
                self.add(Found::lone(rules, &lone, roots, &format!("component {name}")).what(what));
            }
        }
    }

    fn component(&mut self, object: Object, nodes: Sides<Node<'a>>, site: String) {
        let direction = Direction::Unused;
        match object {
            Object::Schema => {
                let schemas = nodes.map(|node| SchemaRef::of(node.clone()));
                self.queue(schemas, Use::new(direction, Media::Json), &site, "");
            }
            Object::Response => self.response(&nodes, direction, &site),
            Object::RequestBody => self.request_bodies(&nodes, direction, &site),
            Object::Header | Object::Parameter => {
                self.push(Work::Parameter(ParameterPair { object, nodes, direction, site }));
            }
            Object::Callback => self.callback(&nodes, direction, &site),
            _ => {
                if let Some(nodes) = self.follow_both(&nodes, &site) {
                    self.annotations(object, &nodes, &site);
                }
            }
        }
    }
}

/// A component of one document or of both.
struct Component<'a> {
    object: Object,
    name: &'a str,
    pointer: String,
    member: Member<Node<'a>>,
}

/// Every component but security schemes: operations say which of those they ask for.
fn components<'a>(roots: &Sides<Node<'a>>) -> Vec<Component<'a>> {
    let owners = roots.get_or_null("components");
    let mut all = Vec::new();
    for field in fields(Object::Components) {
        let Shape::Map(object) = field.shape else { continue };
        if object != Object::SecurityScheme {
            let pointer = push("/components", field.name);
            all.extend(members_of(&owners, field.name).into_iter().map(|(name, member)| Component {
                object,
                name,
                pointer: push(&pointer, name),
                member,
            }));
        }
    }
    all
}

/// The targets of the references of a document. Those of components that the other document does not have count only if
/// something else uses the component.
fn used(root: &Value, other: &Value) -> HashSet<String> {
    let is_lone = |pointer: &str| {
        pointer.starts_with("/components/")
            && pointer.split('/').count() == 4
            && other.pointer(pointer).is_none()
    };
    let (mut used, mut left) = (HashSet::new(), vec![(String::new(), root)]);
    while let Some((pointer, value)) = left.pop() {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    let below = push(&pointer, name);
                    match member.as_str().and_then(of_reference) {
                        Some(target) if name == "$ref" && used.insert(target.clone()) => {
                            left.extend(root.pointer(&target).map(|value| (target, value)));
                        }
                        _ if !is_lone(&below) => left.push((below, member)),
                        _ => {}
                    }
                }
            }
            Value::Array(items) => {
                left.extend(
                    items.iter().enumerate().map(|(index, item)| (format!("{pointer}/{index}"), item)),
                );
            }
            _ => {}
        }
    }
    used
}
