//! The content of bodies: media types, their encodings, and headers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::context::{Comparison, Media, ParameterPair, Use, Work};
use super::found::{Change, Direction, Found};
use super::members::{Lone, Member, keyed, members, members_of};
use super::sides::Sides;
use crate::fields::Object;
use crate::finding::Breaks;
use crate::node::Node;
use crate::normal::SchemaRef;
use crate::rules::{of_field, rule};

impl<'a> Comparison<'a> {
    /// Compares the media types of two bodies.
    pub(super) fn contents(&mut self, owner: &Sides<Node<'a>>, direction: Direction, site: &str) {
        let types = owner.map(media_types);
        let (mut used, mut lone, mut specialized) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
        for (name, old) in &types.base {
            let mut counterparts = [name.clone()].into_iter().chain(ranges(name));
            let exact = counterparts.find(|candidate| types.revision.contains_key(candidate));
            let related = exact.or_else(|| {
                let new = |other: &&String| !types.base.contains_key(*other) && same_syntax(name, other);
                types.revision.keys().find(new).cloned()
            });
            let Some((other, new)) = related.and_then(|other| types.revision.get_key_value(&other)) else {
                lone.push((name, Lone { value: old.clone(), removed: true }));
                continue;
            };
            used.insert(other);
            let nodes = Sides { base: old.clone(), revision: new.clone() };
            if other != name {
                // `application/problem+json` is JSON, but not all JSON is that.
                let (rule, change) = if other.contains('*') || name.contains('+') {
                    (rule!("media-type-generalized"), Change::Wider)
                } else {
                    (rule!("media-type-specialized"), Change::Narrower)
                };
                let names = Sides { base: name.as_str(), revision: other };
                let found = Found::new(rule, nodes.pointers(), &format!("{site}, {name}")).changed(names);
                self.add(found.went("the media type").change(direction, change));
            }
            self.media_type(&nodes, name, direction, site);
        }
        for (name, new) in types.revision.iter().filter(|(name, _)| !used.contains(name)) {
            let range = ranges(name).into_iter().find_map(|range| types.base.get_key_value(&range));
            if let Some((range, old)) = range {
                specialized.insert(range);
                let nodes = Sides { base: old.clone(), revision: new.clone() };
                // If the range is still there, nothing is lost; otherwise its other media types are.
                let is_left = types.revision.contains_key(range);
                let change = if is_left { Change::Same } else { Change::Narrower };
                let names = Sides { base: range.as_str(), revision: name.trim_end() };
                let (rule, site_of_type) = (rule!("media-type-specialized"), format!("{site}, {name}"));
                let found = Found::new(rule, nodes.pointers(), &site_of_type).changed(names);
                self.add(found.went("the media type").change(direction, change));
                self.media_type(&nodes, name, direction, site);
                continue;
            }
            lone.push((name, Lone { value: new.clone(), removed: false }));
        }
        lone.retain(|(name, lone)| !lone.removed || !specialized.contains(*name));
        for (name, lone) in lone {
            let rules = [rule!("media-type-removed"), rule!("media-type-added")];
            let found = Found::lone(rules, &lone, owner, &format!("{site}, {name}"));
            // A client that does not know an added one need not use it.
            self.add(
                found
                    .what(format!("the media type was {}", lone.verb()))
                    .breaks(direction, lone.pick(Breaks::CLIENTS, Breaks::SERVERS)),
            );
        }
    }

    fn media_type(&mut self, nodes: &Sides<Node<'a>>, name: &str, direction: Direction, site: &str) {
        let site = format!("{site}, {name}");
        self.annotations(Object::MediaType, nodes, &site);
        let schemas = nodes.map(|node| SchemaRef::field(node, "schema"));
        self.queue(schemas, Use::new(direction, media(name)), &site, "");
        for (property, member) in members_of(nodes, "encoding") {
            let site = format!("{site}, encoding of {property}");
            match member {
                Member::Both(encodings) => self.encodings(&encodings, direction, &site),
                // An empty encoding has no effect.
                Member::Lone(lone) if *lone.value.value == json!({}) => {}
                Member::Lone(lone) => {
                    let rules = [rule!("encoding-changed"), rule!("encoding-changed")];
                    self.add(Found::lone(rules, &lone, nodes, &site).change(direction, Change::Other));
                }
            }
        }
    }

    fn encodings(&mut self, nodes: &Sides<Node<'a>>, direction: Direction, site: &str) {
        self.annotations(Object::Encoding, nodes, site);
        for field in ["contentType", "style", "explode", "allowReserved"] {
            let value = nodes.map(|node| {
                let style = node.text("style").unwrap_or("form");
                match (field, node.value.get(field)) {
                    ("style", None) => Value::from("form"),
                    ("allowReserved", None) => Value::from(false),
                    ("explode", None) => Value::from(style == "form"),
                    (_, value) => value.cloned().unwrap_or_default(),
                }
            });
            if value.base != value.revision {
                self.wire_field(Object::Encoding, field, nodes, direction, site);
            }
        }
        self.headers(nodes, direction, site);
    }

    /// Compares the headers of two responses or encodings.
    pub(super) fn headers(&mut self, owner: &Sides<Node<'a>>, direction: Direction, site: &str) {
        let lower = |(name, node): (&str, Node<'a>)| (name.to_ascii_lowercase(), node);
        let maps = owner.map(|owner| keyed(owner.map("headers").into_iter().map(lower)));
        for (name, member) in members(&maps) {
            let site = format!("{site}, header {name}");
            let lone = match member {
                Member::Both(nodes) => {
                    let object = Object::Header;
                    self.push(Work::Parameter(ParameterPair { object, nodes, direction, site }));
                    continue;
                }
                Member::Lone(lone) => lone,
            };
            let header = self.follow(lone.side(), &lone.value);
            let required = header.as_ref().is_some_and(|header| header.flag("required"));
            let (added, change) = if required {
                (rule!("required-header-added"), Change::Narrower)
            } else {
                (rule!("optional-header-added"), Change::Same)
            };
            let found = Found::lone([rule!("header-removed"), added], &lone, owner, &site);
            if lone.removed {
                let (deprecated, sunset) =
                    header.map_or((false, None), |it| (it.flag("deprecated"), it.value.get("x-sunset")));
                self.add_removal(found.breaks(direction, Breaks::CLIENTS), deprecated, sunset);
            } else {
                self.add(found.change(direction, change));
            }
        }
    }

    /// Compares a flag that is `false` where it is absent.
    pub(super) fn flag(
        &mut self,
        nodes: &Sides<Node<'a>>,
        (object, field): (Object, &str),
        when_set: Change,
        direction: Direction,
        site: &str,
    ) {
        let set = nodes.map(|node| node.flag(field));
        if set.base == set.revision {
            return;
        }
        let change = if set.revision { when_set } else { when_set.inverted() };
        let rule = match (field, object, set.revision) {
            ("required", Object::Parameter, true) => rule!("parameter-became-required"),
            ("required", Object::Parameter, false) => rule!("parameter-became-optional"),
            ("required", Object::Header, true) => rule!("header-became-required"),
            ("required", Object::Header, false) => rule!("header-became-optional"),
            ("required", _, true) => rule!("request-body-became-required"),
            ("required", _, false) => rule!("request-body-became-optional"),
            _ => of_field(object, field),
        };
        let found = Found::new(rule, nodes.field_pointers(field), site).changed(set).went(field);
        self.add(found.change(direction, change));
    }
}

/// How the values of a media type are serialized.
fn media(name: &str) -> Media {
    let name = name.trim_end();
    if name.ends_with("json") || name.starts_with("*/") || name == "application/*" {
        Media::Json
    } else if name.ends_with("xml") {
        Media::Xml
    } else {
        Media::Text
    }
}

/// The media types of an object's `content`, without their parameters and in lower case.
fn media_types<'a>(owner: &Node<'a>) -> BTreeMap<String, Node<'a>> {
    let plain = |name: &str| name.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    keyed(owner.map("content").into_iter().map(|(name, node)| (plain(name), node)))
}

/// The ranges that include a media type: `application/*` and `*/*` of `application/json`.
fn ranges(name: &str) -> Vec<String> {
    let own = name.split_once('/').map(|(kind, _)| format!("{kind}/*"));
    let all = own.into_iter().chain(["*/*".to_owned()]);
    all.filter(|range| range != name).collect()
}

/// Whether one of two media types is the other with a structured syntax suffix (RFC 6838, 4.2.8).
fn same_syntax(one: &str, other: &str) -> bool {
    let plain = |name: &str| match (name.split_once('/'), name.rsplit_once('+')) {
        (Some((kind, _)), Some((_, suffix))) => format!("{kind}/{suffix}"),
        _ => name.to_owned(),
    };
    one.contains('+') != other.contains('+') && plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_structured_syntax_is_its_syntax() {
        assert!(same_syntax("application/problem+json", "application/json"));
        assert!(!same_syntax("application/problem+json", "application/xml"));
    }
}
