//! Who may call: requirements of operations, and the schemes that they name.

use std::collections::BTreeSet;

use serde_json::Value;

use super::annotation::both_same;
use super::context::{Comparison, OperationPair};
use super::found::{Direction, Found};
use super::members::{Member, lone_items, members_of};
use super::sides::{Side, Sides};
use super::text::brief;
use crate::fields::Object;
use crate::finding::Breaks;
use crate::node::Node;
use crate::read::{Requirement, requirements};
use crate::rules::rule;

impl<'a> Comparison<'a> {
    /// Compares the requirements of two operations: their own, or else those of the document.
    pub(super) fn security(&mut self, pair: &OperationPair<'a>) {
        let OperationPair { operation, roots, site, .. } = pair;
        let (base, base_at) = requirements(&[&operation.base, &roots.base]);
        let (revision, revision_at) = requirements(&[&operation.revision, &roots.revision]);
        self.reach(Side::Base, base_at.clone());
        self.reach(Side::Revision, revision_at.clone());
        let at = Sides { base: base_at, revision: revision_at };
        let lists = Sides { base, revision };
        let lone = lone_items(&lists, |other, one| fulfils(one, other));
        for lone in &lone {
            let others = lone.pick(&lists.revision, &lists.base);
            let same_schemes = others.iter().any(|other| other.keys().eq(lone.value.keys()));
            let rule = match (lone.removed, same_schemes) {
                (true, true) => rule!("security-scope-added"),
                (true, false) => rule!("security-requirement-removed"),
                (false, true) => rule!("security-scope-removed"),
                (false, false) => rule!("security-requirement-added"),
            };
            let value = json(lone.value);
            let verb = lone.pick("no longer", "now");
            let found = Found::new(rule, at.clone(), site)
                .value_of(lone, Some(&value))
                .what(format!("{} is {verb} sufficient to call it", words(lone.value)));
            self.add(found.breaks(Direction::Request, lone.pick(Breaks::CLIENTS, Breaks::SERVERS)));
        }
        // Lists that accept the same can differ, such as by an alternative that asks for more than another.
        let texts = lists.map(|all| all.iter().map(|one| json(one).to_string()).collect::<BTreeSet<_>>());
        if lone.is_empty() && texts.base != texts.revision {
            let values = lists.map(|all| all.iter().map(json).collect::<Vec<_>>());
            self.add(Found::new(rule!("security-reworded"), at, site).changed(values).went("security"));
        }
    }

    /// Compares the security schemes of two documents.
    pub(super) fn security_schemes(&mut self, roots: &Sides<Node<'a>>) {
        let components = roots.get_or_null("components");
        for (name, member) in members_of(&components, "securitySchemes") {
            let site = format!("security scheme {name}");
            match member {
                Member::Both(schemes) => {
                    if let Some(schemes) = self.follow_both(&schemes, &site) {
                        self.security_scheme(&schemes, &site);
                    }
                }
                // Operations say whether they ask for it.
                Member::Lone(lone) => {
                    let rules = [rule!("security-scheme-removed"), rule!("security-scheme-added")];
                    let owner = components.map(|it| it.get_or_null("securitySchemes"));
                    self.add(Found::lone(rules, &lone, &owner, &site));
                }
            }
        }
    }

    fn security_scheme(&mut self, nodes: &Sides<Node<'a>>, site: &str) {
        self.annotations(Object::SecurityScheme, nodes, site);
        for field in ["type", "name", "in", "scheme", "openIdConnectUrl"] {
            // Schemes and header names are case-insensitive (RFC 9110, 11.1 and 5.1).
            let caseless = field == "scheme" || field == "name" && nodes.base.text("in") == Some("header");
            let texts = nodes.map(|node| {
                node.text(field)
                    .map(|text| if caseless { text.to_ascii_lowercase() } else { text.to_owned() })
            });
            if texts.base != texts.revision {
                self.wire_field(Object::SecurityScheme, field, nodes, Direction::Request, site);
            }
        }
        let flows = nodes.get_or_null("flows");
        if flows.base.value.is_object() && flows.revision.value.is_object() {
            self.annotations(Object::OAuthFlows, &flows, site);
        }
        for (name, member) in members_of(nodes, "flows") {
            let site = format!("{site}, flow {name}");
            match member {
                _ if name.starts_with("x-") => {}
                Member::Both(flows) => self.flow(&flows, &site),
                Member::Lone(lone) => {
                    let rules = [rule!("oauth-flow-removed"), rule!("oauth-flow-added")];
                    let breaks = lone.pick(Breaks::CLIENTS, Breaks::SERVERS);
                    self.add(Found::lone(rules, &lone, nodes, &site).breaks(Direction::Request, breaks));
                }
            }
        }
    }

    fn flow(&mut self, nodes: &Sides<Node<'a>>, site: &str) {
        self.annotations(Object::OAuthFlow, nodes, site);
        for field in ["authorizationUrl", "tokenUrl", "refreshUrl"] {
            let values = nodes.values(field);
            if values.0 != values.1 {
                self.wire_field(Object::OAuthFlow, field, nodes, Direction::Request, site);
            }
        }
        let scopes = nodes.get_or_null("scopes");
        for (name, member) in members_of(nodes, "scopes") {
            match member {
                Member::Both(scope) => {
                    let values = (Some(scope.base.value), Some(scope.revision.value));
                    if !both_same(values) {
                        let rule = rule!("oauth-scope-description-changed");
                        let found = Found::new(rule, scope.pointers(), site).values(values);
                        self.add(found.went(&format!("the description of scope {name}")));
                    }
                }
                Member::Lone(lone) => {
                    let rules = [rule!("oauth-scope-removed"), rule!("oauth-scope-added")];
                    let value = Value::from(name);
                    let found = Found::lone(rules, &lone, &scopes, site)
                        .value_of(&lone, Some(&value))
                        .what(format!("scope {name} was {}", lone.verb()));
                    self.add(found.breaks(Direction::Request, lone.pick(Breaks::CLIENTS, Breaks::SERVERS)));
                }
            }
        }
    }
}

/// Whether a caller that satisfies the first requirement also satisfies the second.
fn fulfils(one: &Requirement<'_>, other: &Requirement<'_>) -> bool {
    other.iter().all(|(name, scopes)| one.get(name).is_some_and(|own| scopes.is_subset(own)))
}

fn json(requirement: &Requirement<'_>) -> Value {
    let scopes = |scopes: &BTreeSet<&str>| scopes.iter().map(|scope| Value::from(*scope)).collect::<Vec<_>>();
    requirement.iter().map(|(name, all)| ((*name).to_owned(), Value::from(scopes(all)))).collect()
}

fn words(requirement: &Requirement<'_>) -> String {
    if requirement.is_empty() { "no credential".to_owned() } else { brief(&json(requirement)) }
}
