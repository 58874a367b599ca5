//! Responses: statuses, and the parts of each response.

use std::collections::BTreeMap;

use serde_json::Value;

use super::context::{Comparison, Media, Use};
use super::found::{Direction, Found};
use super::members::{Member, members_of};
use super::sides::Sides;
use crate::fields::Object;
use crate::finding::Breaks;
use crate::node::Node;
use crate::rules::rule;

/// Responses by their statuses.
type Statuses<'a> = BTreeMap<&'a str, Node<'a>>;

impl<'a> Comparison<'a> {
    /// Compares the responses of two operations.
    pub(super) fn responses(&mut self, nodes: &Sides<Node<'a>>, direction: Direction, site: &str) {
        let statuses: Sides<Statuses<'a>> =
            nodes.map(|node| node.members().filter(|(name, _)| !name.starts_with("x-")).collect());
        let mut covering_statuses = Vec::new();
        for (status, old) in &statuses.base {
            let site = format!("{site}, response {status}");
            if let Some(new) = statuses.revision.get(status) {
                self.response(&Sides { base: old.clone(), revision: new.clone() }, direction, &site);
            } else if let Some((covering, new)) = covering(&statuses.revision, status) {
                covering_statuses.push(covering);
                let pair = Sides { base: old.clone(), revision: new };
                let names = (Value::from(*status), Value::from(covering));
                let found = Found::new(rule!("response-status-generalized"), pair.pointers(), &site)
                    .values((Some(&names.0), Some(&names.1)))
                    .what(format!("the status is now one of {covering}"));
                self.add(found.breaks(direction, Breaks::NEITHER));
                self.response(&pair, direction, &site);
            } else {
                // A client that expects the success has nothing to handle; an unknown error is handled as its class
                // (RFC 9110, 15).
                let (rule, breaks) = if is_success(status) {
                    (rule!("response-success-removed"), Breaks::CLIENTS)
                } else {
                    (rule!("response-error-removed"), Breaks::NEITHER)
                };
                let at = Sides { base: old.pointer.clone(), revision: nodes.revision.pointer.clone() };
                let found = Found::new(rule, at, &site).values((Some(old.value), None));
                self.add(found.what("the status was removed").breaks(direction, breaks));
            }
        }
        for (status, new) in &statuses.revision {
            if statuses.base.contains_key(status) || covering_statuses.contains(status) {
                continue;
            }
            let site = format!("{site}, response {status}");
            if let Some((covering, old)) = covering(&statuses.base, status) {
                let pair = Sides { base: old, revision: new.clone() };
                let names = (Value::from(covering), Value::from(*status));
                let found = Found::new(rule!("response-status-specialized"), pair.pointers(), &site)
                    .values((Some(&names.0), Some(&names.1)))
                    .what(format!("the status was one of {covering}, and is now described by itself"));
                self.add(found.breaks(direction, Breaks::NEITHER));
                self.response(&pair, direction, &site);
                continue;
            }
            let rule = if is_success(status) {
                rule!("response-success-added")
            } else {
                rule!("response-error-added")
            };
            // Clients treat an unknown status as the x00 of its class (RFC 9110, 15).
            let at = Sides { base: nodes.base.pointer.clone(), revision: new.pointer.clone() };
            let found = Found::new(rule, at, &site).values((None, Some(new.value)));
            self.add(found.what("the status was added").breaks(direction, Breaks::NEITHER));
        }
    }

    /// Compares two responses.
    pub(super) fn response(&mut self, nodes: &Sides<Node<'a>>, direction: Direction, site: &str) {
        let Some(nodes) = self.follow_both(nodes, site) else { return };
        if !self.first_time(nodes.pointers(), Some(Use::new(direction, Media::Json))) {
            return;
        }
        self.annotations(Object::Response, &nodes, site);
        self.known_extensions(Object::Response, &nodes, direction, site);
        self.contents(&nodes, direction, site);
        self.headers(&nodes, direction, site);
        for (name, member) in members_of(&nodes, "links") {
            let site = format!("{site}, link {name}");
            match member {
                Member::Both(links) => {
                    if let Some(links) = self.follow_both(&links, &site) {
                        self.annotations(Object::Link, &links, &site);
                    }
                }
                Member::Lone(lone) => {
                    let breaks = lone.pick(Breaks::CLIENTS, Breaks::NEITHER);
                    let found =
                        Found::lone([rule!("link-removed"), rule!("link-added")], &lone, &nodes, &site);
                    self.add(found.breaks(Direction::Request, breaks));
                }
            }
        }
    }
}

fn is_success(status: &str) -> bool {
    status.starts_with(['1', '2', '3'])
}

/// The response that describes a status beside others: that of its range, or the default.
fn covering<'a>(statuses: &Statuses<'a>, status: &str) -> Option<(&'a str, Node<'a>)> {
    if status == "default" {
        return None;
    }
    let range = format!("{}XX", status.get(..1).unwrap_or_default());
    let mut others = [range.as_str(), "default"].into_iter().filter(|name| *name != status);
    others.find_map(|name| statuses.get_key_value(name).map(|(name, node)| (*name, node.clone())))
}
