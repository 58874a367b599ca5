//! Objects: their properties, listed and not.

use std::collections::BTreeMap;

use serde_json::Value;

use super::context::{Comparison, SchemaPair, Use};
use super::found::{Change, Direction, Found};
use super::members::{Lone, Member, members};
use super::parameter::lone_breaks;
use super::sides::Sides;
use crate::finding::Breaks;
use crate::normal::{Additional, Schema, SchemaRef};
use crate::rules::rule;

/// The schema of a property, and where it is listed as required.
type Property<'a> = (SchemaRef<'a>, Option<String>);

impl<'a> Comparison<'a> {
    /// Compares the properties of two schemas.
    pub(super) fn properties(&mut self, pair: &SchemaPair<'a>, schemas: &Sides<Schema<'a>>) {
        let required = schemas.map(Schema::required);
        let additional = schemas.map(Schema::additional);
        let properties: Sides<BTreeMap<&'a str, Property<'a>>> =
            schemas.zip(&required, |schema, required| {
                let all = schema.properties().into_iter();
                all.map(|(name, schema)| (name, (schema, required.get(name).cloned()))).collect()
            });
        let path = |name: &str| {
            if pair.path.is_empty() { name.to_owned() } else { format!("{}.{name}", pair.path) }
        };
        for (name, member) in members(&properties) {
            let below = SchemaPair { path: path(name), ..pair.clone() };
            match member {
                Member::Both(both) => self.property(&below, schemas, &both),
                Member::Lone(lone) => self.lone_property(name, &below, schemas, &lone, &additional),
            }
        }
        let undeclared = required.map(|names| {
            let mut names = names.clone();
            let listed =
                |name: &str| properties.base.contains_key(name) || properties.revision.contains_key(name);
            names.retain(|name, _| !listed(name));
            names
        });
        for (name, member) in members(&undeclared) {
            let Member::Lone(lone) = member else { continue };
            let at = lone.at(&lone.value, schemas.schema_pointers());
            let (value, verb) = (Value::from(name), lone.pick("no longer", "now"));
            // No generator makes anything of it.
            let found = pair
                .found(rule!("required-name-undeclared"), Change::Same, at)
                .value_of(&lone, Some(&value))
                .what(format!("{name:?}, which is not a property, is {verb} required"));
            self.add(found);
        }
        let at = schemas.map(Schema::additional_at);
        let closed = Some(&Value::Bool(false));
        let (rule, change, values, verb) = match (additional.base, additional.revision) {
            (Additional::Refused, Additional::Refused) => return,
            (Additional::Allowed(base), Additional::Allowed(revision)) => {
                return self.queue(Sides { base, revision }, pair.usage, &pair.site, &path("*"));
            }
            (Additional::Allowed(_), Additional::Refused) => {
                (rule!("schema-closed"), Change::Narrower, (None, closed), "no longer")
            }
            (Additional::Refused, Additional::Allowed(_)) => {
                (rule!("schema-opened"), Change::Wider, (closed, None), "now")
            }
        };
        let found = pair.found(rule, change, at).values(values);
        self.add(found.what(format!("other properties are {verb} allowed")));
    }

    /// Compares a property that both documents list.
    fn property(
        &mut self,
        below: &SchemaPair<'a>,
        schemas: &Sides<Schema<'a>>,
        property: &Sides<Property<'a>>,
    ) {
        let hidden = property.map(|(schema, _)| is_hidden(schema, below.usage.direction));
        if hidden.base != hidden.revision {
            self.hiding(below, property, hidden.revision);
        }
        if hidden.base || hidden.revision {
            let usage = Use { direction: Direction::Unused, ..below.usage };
            return self.queue(property.map(|(schema, _)| schema.clone()), usage, &below.site, &below.path);
        }
        let required = property.map(|(_, required)| required.is_some());
        if required.base != required.revision {
            let (rule, change, what) = if required.revision {
                (rule!("property-became-required"), Change::Narrower, "became required")
            } else {
                (rule!("property-became-optional"), Change::Wider, "became optional")
            };
            let at = property.map(|(_, required)| required.clone()).or(&schemas.schema_pointers());
            self.add(below.found(rule, change, at).changed(required).what(what));
        }
        self.queue(property.map(|(schema, _)| schema.clone()), below.usage, &below.site, &below.path);
    }

    /// Reports a property that one document lists. In the other document, the schema of additional properties applies to
    /// it.
    fn lone_property(
        &mut self,
        name: &str,
        below: &SchemaPair<'a>,
        schemas: &Sides<Schema<'a>>,
        lone: &Lone<Property<'a>>,
        additional: &Sides<Additional<'a>>,
    ) {
        let (schema, required) = &lone.value;
        let elsewhere = lone.pick(&additional.revision, &additional.base);
        let hidden = is_hidden(schema, below.usage.direction);
        let required = required.is_some() && !hidden;
        let closed = matches!(elsewhere, Additional::Refused);
        let direction = below.usage.direction;
        let direction = if below.usage.inverted { direction.reversed() } else { direction };
        let breaks = match (direction, lone.removed) {
            _ if hidden => Breaks::NEITHER,
            // A client may miss what it knows. It ignores what it does not know, unless the object is closed.
            (Direction::Response, true) => Breaks { old_clients: true, old_servers: closed },
            (Direction::Response, false) => Breaks { old_clients: closed, old_servers: required },
            // A server ignores or refuses a property that it does not know: either way it does not do what was asked.
            (direction, removed) => lone_breaks(direction, removed, required),
        };
        let rule = match (required, lone.removed) {
            (true, true) => rule!("required-property-removed"),
            (true, false) => rule!("required-property-added"),
            (false, true) => rule!("optional-property-removed"),
            (false, false) => rule!("optional-property-added"),
        };
        let at = lone.at(&schema.at, schemas.schema_pointers());
        let found = Found::new(rule, at, &below.site)
            .value_of(lone, schema.value())
            .what(format!("property {name} was {}", lone.verb()))
            .of_property(&below.path)
            .breaks(below.usage.direction, breaks);
        let own = Schema::of(schema);
        let deprecated =
            lone.removed && own.outermost("deprecated").iter().any(|it| *it.value == Value::Bool(true));
        self.add_removal(found, deprecated, own.outermost("x-sunset").first().map(|it| it.value));
        if let Additional::Allowed(rest) = elsewhere
            && !rest.nodes.is_empty()
        {
            let pair = lone.beside(schema.clone(), rest.clone());
            self.queue(pair, below.usage, &below.site, &below.path);
        }
    }

    /// Reports a property that is no longer sent in this direction, or now is.
    fn hiding(&mut self, below: &SchemaPair<'a>, property: &Sides<Property<'a>>, is_hidden: bool) {
        let of = if is_hidden { &property.base } else { &property.revision };
        let required = of.1.is_some();
        let (rule, breaks, what) = match (is_hidden, below.usage.direction == Direction::Request) {
            // Old clients may still send it, as a server ignores it; an old server misses it if it is required.
            (true, true) => (
                rule!("property-became-read-only"),
                Breaks { old_clients: false, old_servers: required },
                "is no longer sent in requests",
            ),
            (true, false) => (
                rule!("property-became-write-only"),
                Breaks { old_clients: required, old_servers: false },
                "is no longer in responses",
            ),
            (false, true) => (
                rule!("property-became-not-read-only"),
                Breaks { old_clients: required, old_servers: true },
                "is now sent in requests",
            ),
            // A value that was never to be shown, such as a password, now is: clients may log it.
            (false, false) => (
                rule!("property-became-not-write-only"),
                Breaks { old_clients: true, old_servers: required },
                "is now in responses, where it was never to be",
            ),
        };
        let found = Found::new(rule, property.map(|(schema, _)| schema.at.clone()), &below.site)
            .changed(Sides { base: !is_hidden, revision: is_hidden })
            .what(what)
            .of_property(&below.path);
        self.add(found.breaks(below.usage.direction, breaks));
    }
}

/// Whether a property is not sent in this direction (3.0.3, `readOnly` and `writeOnly` of the Schema Object).
fn is_hidden(schema: &SchemaRef<'_>, direction: Direction) -> bool {
    let mark = match direction {
        Direction::Request => "readOnly",
        Direction::Response => "writeOnly",
        Direction::Unused => return false,
    };
    Schema::of(schema).flag(mark).is_some()
}
