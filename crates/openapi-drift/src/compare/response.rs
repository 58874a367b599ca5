//! Responses: statuses, and the parts of each response.

use std::collections::BTreeMap;

use super::context::{Comparison, Media, Use};
use super::found::{Direction, Found};
use super::members::{Lone, Member, members_of};
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
                let found = Found::new(rule!("response-status-generalized"), pair.pointers(), &site)
                    .changed(Sides { base: *status, revision: covering })
                    .what(format!("the status is now one of {covering}"));
                self.add(found.breaks(direction, Breaks::NEITHER));
                self.response(&pair, direction, &site);
            } else {
                // A client that expects the success has nothing to handle; an unknown error is handled as its class
                // (RFC 9110, 15).
                let breaks = if is_success(status) { Breaks::CLIENTS } else { Breaks::NEITHER };
                let lone = Lone { value: old.clone(), removed: true };
                self.add(lone_status(status, &lone, nodes, &site).breaks(direction, breaks));
            }
        }
        for (status, new) in &statuses.revision {
            if statuses.base.contains_key(status) || covering_statuses.contains(status) {
                continue;
            }
            let site = format!("{site}, response {status}");
            if let Some((covering, old)) = covering(&statuses.base, status) {
                let pair = Sides { base: old, revision: new.clone() };
                let found = Found::new(rule!("response-status-specialized"), pair.pointers(), &site)
                    .changed(Sides { base: covering, revision: *status })
                    .what(format!("the status was one of {covering}, and is now described by itself"));
                self.add(found.breaks(direction, Breaks::NEITHER));
                self.response(&pair, direction, &site);
                continue;
            }
            // Clients treat an unknown status as the x00 of its class (RFC 9110, 15).
            let lone = Lone { value: new.clone(), removed: false };
            self.add(lone_status(status, &lone, nodes, &site).breaks(direction, Breaks::NEITHER));
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

/// A status that one document has.
fn lone_status(status: &str, lone: &Lone<Node<'_>>, nodes: &Sides<Node<'_>>, site: &str) -> Found {
    let rules = if is_success(status) {
        [rule!("response-success-removed"), rule!("response-success-added")]
    } else {
        [rule!("response-error-removed"), rule!("response-error-added")]
    };
    Found::lone(rules, lone, nodes, site).what(format!("the status was {}", lone.verb()))
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
