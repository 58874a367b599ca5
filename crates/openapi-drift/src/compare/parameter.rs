//! Parameters of operations, and the serialization of parameters and headers.

use std::collections::BTreeMap;

use serde_json::Value;

use super::annotation::both_same;
use super::context::{Comparison, Media, OperationPair, ParameterPair, Use, Work};
use super::found::{Change, Direction, Found};
use super::members::{Lone, Member, members};
use super::sides::{Side, Sides};
use crate::fields::Object;
use crate::finding::{Breaks, Effect};
use crate::node::Node;
use crate::normal::{Schema, SchemaRef};
use crate::read::template_names;
use crate::rules::{of_field, rule};

/// Header parameters that are ignored, because content and security describe them (3.0.3, Parameter Object).
const IGNORED: [&str; 3] = ["accept", "authorization", "content-type"];

/// A parameter where it is listed, and where its references lead.
#[derive(Clone)]
struct Listed<'a> {
    listed: Node<'a>,
    target: Node<'a>,
}

impl<'a> Comparison<'a> {
    /// Compares the parameters of two operations, those of their paths included.
    pub(super) fn parameters(&mut self, pair: &OperationPair<'a>) {
        let OperationPair { operation, item, path, direction, site, .. } = pair;
        let maps = Sides {
            base: self.effective(Side::Base, &item.base, &operation.base, path.base),
            revision: self.effective(Side::Revision, &item.revision, &operation.revision, path.revision),
        };
        for ((location, name), member) in members(&maps) {
            if location == "header" && IGNORED.contains(&name.as_str()) {
                self.ignored(&name, &member, operation, site);
                continue;
            }
            let titled = |parameter: &Listed<'a>| {
                let text = |field| parameter.target.text(field).unwrap_or_default();
                format!("{site}, {} parameter {}", text("in"), text("name"))
            };
            match member {
                Member::Both(parameters) => {
                    let site = titled(&parameters.revision);
                    let nodes = parameters.map(|parameter| parameter.target.clone());
                    let names = nodes.values("name");
                    if location == "path" && names.0 != names.1 {
                        let rule = rule!("path-parameter-renamed");
                        let found = Found::new(rule, nodes.field_pointers("name"), &site).values(names);
                        self.add(found.went("the name, which is not sent,"));
                    }
                    let (object, direction) = (Object::Parameter, *direction);
                    self.push(Work::Parameter(ParameterPair { object, nodes, direction, site }));
                }
                Member::Lone(lone) => self.lone_parameter(&lone, pair, &titled(&lone.value)),
            }
        }
    }

    fn lone_parameter(&mut self, lone: &Lone<Listed<'a>>, pair: &OperationPair<'a>, site: &str) {
        let target = &lone.value.target;
        let required = target.flag("required");
        let added =
            if required { rule!("required-parameter-added") } else { rule!("optional-parameter-added") };
        let listed = lone.with(lone.value.listed.clone());
        let found = Found::lone([rule!("parameter-removed"), added], &listed, &pair.operation, site)
            .value_of(lone, Some(target.value))
            .breaks(pair.direction, lone_breaks(pair.direction, lone.removed, required));
        let deprecated = lone.removed && target.flag("deprecated");
        self.add_removal(found, deprecated, target.value.get("x-sunset"));
    }

    fn ignored(&mut self, name: &str, member: &Member<Listed<'a>>, operation: &Sides<Node<'a>>, site: &str) {
        let (values, at) = match member {
            Member::Both(both) => (
                (Some(both.base.target.value), Some(both.revision.target.value)),
                both.map(|parameter| parameter.listed.pointer.clone()),
            ),
            Member::Lone(lone) => {
                let value = Some(lone.value.target.value);
                let at = lone.with(lone.value.listed.clone()).pointers(operation);
                (lone.pick((value, None), (None, value)), at)
            }
        };
        if !both_same(values) {
            let found = Found::new(rule!("ignored-parameter-changed"), at, site).values(values);
            self.add(found.went(&format!("the header parameter {name}, which is ignored,")));
        }
    }

    /// The parameters of an operation and of its path, by location and name. A path parameter is known by its position
    /// in the path, a header in lower case.
    fn effective(
        &mut self,
        side: Side,
        item: &Node<'a>,
        operation: &Node<'a>,
        path: &str,
    ) -> BTreeMap<(String, String), Listed<'a>> {
        let mut all = BTreeMap::new();
        for listed in item.list("parameters").into_iter().chain(operation.list("parameters")) {
            let Some(target) = self.follow(side, &listed) else {
                let key = ("unresolved".to_owned(), listed.text("$ref").unwrap_or_default().to_owned());
                all.insert(key, Listed { target: listed.clone(), listed });
                continue;
            };
            let (location, name) =
                (target.text("in").unwrap_or_default(), target.text("name").unwrap_or_default());
            let known = match location {
                "header" => name.to_ascii_lowercase(),
                "path" => {
                    let index = template_names(path).iter().position(|other| *other == name);
                    index.map_or_else(|| name.to_owned(), |index| index.to_string())
                }
                _ => name.to_owned(),
            };
            all.insert((location.to_owned(), known), Listed { listed, target });
        }
        all
    }

    /// Compares two parameters, or two headers of a response or of an encoding.
    pub(super) fn parameter(&mut self, pair: &ParameterPair<'a>) {
        let ParameterPair { object, nodes, direction, site } = pair;
        let (object, direction) = (*object, *direction);
        let Some(nodes) = self.follow_both(nodes, site) else { return };
        if !self.first_time(nodes.pointers(), Some(Use::new(direction, Media::Text))) {
            return;
        }
        self.annotations(object, &nodes, site);
        for field in ["in", "name"] {
            // Those of an operation were paired by these.
            let values = nodes.values(field);
            if direction == Direction::Unused && values.0 != values.1 {
                self.wire_field(object, field, &nodes, direction, site);
            }
        }
        self.flag(&nodes, (object, "required"), Change::Narrower, direction, site);
        self.flag(&nodes, (object, "allowEmptyValue"), Change::Wider, direction, site);
        self.flag(&nodes, (object, "allowReserved"), Change::Other, direction, site);
        let styles = nodes.map(|node| node.text("style").unwrap_or_else(|| default_style(node)));
        let explode = nodes.zip(&styles, |node, style| match node.value.get("explode") {
            Some(value) => *value == Value::Bool(true),
            None => *style == "form",
        });
        // There is nothing to explode in a single value (3.0.3, Parameter Object).
        let has_no_parts = is_single(&nodes.base) && is_single(&nodes.revision);
        for (field, values, is_sent) in [
            ("style", styles.map(|style| Value::from(*style)), true),
            ("explode", explode.map(|explode| Value::from(*explode)), !has_no_parts),
        ] {
            if values.base == values.revision {
                continue;
            }
            let found = Found::new(of_field(object, field), nodes.field_pointers(field), site);
            let found = found.changed(values).went(field);
            self.add(if is_sent {
                found.change(direction, Change::Other)
            } else {
                found.effect(Effect::GeneratedCode)
            });
        }
        self.serialization(object, &nodes, direction, site);
    }

    /// Compares `schema` and `content`, of which a parameter has one.
    fn serialization(&mut self, object: Object, nodes: &Sides<Node<'a>>, direction: Direction, site: &str) {
        let contents = nodes.get("content");
        if contents.base.is_some() && contents.revision.is_some() {
            self.contents(nodes, direction, site);
        }
        if contents.base.is_some() == contents.revision.is_some() {
            let schemas = nodes.map(|node| SchemaRef::field(node, "schema"));
            self.queue(schemas, Use::new(direction, Media::Text), site, "");
            return;
        }
        let schemas = nodes.get("schema");
        let said = contents.zip(&schemas, |content, schema| content.clone().or_else(|| schema.clone()));
        let at = said.map(|said| Some(said.as_ref()?.pointer.clone())).or(&nodes.pointers());
        let rule = match object {
            Object::Header => rule!("header-serialization-changed"),
            _ => rule!("parameter-serialization-changed"),
        };
        let values = (said.base.map(|it| it.value), said.revision.map(|it| it.value));
        let found = Found::new(rule, at, site).values(values);
        let what = "the serialization of the value changed between schema and content";
        self.add(found.what(what).change(direction, Change::Other));
    }
}

/// Who breaks by a parameter or a body that one document lacks. In a callback the client is the receiver: it ignores what
/// it does not know, like a property of a response (decision 11).
pub(super) const fn lone_breaks(direction: Direction, removed: bool, required: bool) -> Breaks {
    match (direction, removed) {
        (Direction::Unused, _) => Breaks::NEITHER,
        (Direction::Request, true) => Breaks { old_clients: true, old_servers: required },
        (Direction::Request, false) => Breaks { old_clients: required, old_servers: true },
        (Direction::Response, true) => Breaks::CLIENTS,
        (Direction::Response, false) => Breaks { old_clients: false, old_servers: required },
    }
}

/// Whether a parameter's value is surely a single one, neither a list nor an object.
fn is_single(parameter: &Node<'_>) -> bool {
    let schema = Schema::of(&SchemaRef::field(parameter, "schema"));
    matches!(schema.types()[..], ["string" | "integer" | "number" | "boolean"])
}

/// The style of a parameter or header that names none (3.0.3, Parameter Object).
fn default_style(node: &Node<'_>) -> &'static str {
    match node.text("in") {
        Some("query" | "cookie") => "form",
        _ => "simple",
    }
}
