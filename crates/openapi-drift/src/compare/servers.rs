//! Where an API is served.

use std::collections::BTreeMap;

use serde_json::Value;

use super::context::{Comparison, OperationPair};
use super::found::{Direction, Found};
use super::members::{Member, keyed, lone_items, members, members_of};
use super::sides::{Side, Sides};
use crate::fields::Object;
use crate::finding::Breaks;
use crate::node::Node;
use crate::pointer::push;
use crate::rules::rule;

impl<'a> Comparison<'a> {
    /// Compares the servers of two operations: their own, or else those of their path, or else those of the document.
    pub(super) fn servers(&mut self, pair: &OperationPair<'a>) {
        let OperationPair { operation, item, roots, site, .. } = pair;
        let base = self.effective_servers(Side::Base, [&operation.base, &item.base, &roots.base]);
        let revision =
            self.effective_servers(Side::Revision, [&operation.revision, &item.revision, &roots.revision]);
        for (url, member) in members(&Sides { base, revision }) {
            let lone = match member {
                Member::Both(servers) => {
                    if let Some(servers) = servers.both() {
                        self.server(&servers);
                    }
                    continue;
                }
                Member::Lone(lone) => lone,
            };
            let elsewhere = Sides { base: "/servers".to_owned(), revision: "/servers".to_owned() };
            let pointer = lone.value.as_ref().map_or("/servers", |node| node.pointer.as_str());
            let at = lone.at(pointer, elsewhere);
            let url = Value::from(url.trim_end());
            let rule = lone.pick(rule!("server-removed"), rule!("server-added"));
            let found = Found::new(rule, at, site).value_of(&lone, Some(&url)).went("server");
            self.add(found.breaks(Direction::Request, lone.pick(Breaks::CLIENTS, Breaks::NEITHER)));
        }
    }

    /// The servers of the first owner that has any, by URL. Without any, the root of the host (3.0.3, OpenAPI Object).
    fn effective_servers(
        &mut self,
        side: Side,
        owners: [&Node<'a>; 3],
    ) -> BTreeMap<String, Option<Node<'a>>> {
        let lists = owners.map(|owner| owner.list("servers"));
        if lists[..2].iter().all(Vec::is_empty) {
            self.reach(side, push(&owners[2].pointer, "servers"));
        }
        let Some(servers) = lists.into_iter().find(|list| !list.is_empty()) else {
            return BTreeMap::from([(String::new(), None)]);
        };
        let url = |node: &Node<'a>| node.text("url").unwrap_or_default().trim_end_matches('/').to_owned();
        keyed(servers.into_iter().map(|node| (url(&node), Some(node))))
    }

    fn server(&mut self, nodes: &Sides<Node<'a>>) {
        if !self.first_time(nodes.pointers(), None) {
            return;
        }
        let site = format!("server {}", nodes.base.text("url").unwrap_or_default());
        self.annotations(Object::Server, nodes, &site);
        for (name, member) in members_of(nodes, "variables") {
            let site = format!("{site}, variable {name}");
            match member {
                Member::Both(variables) => self.server_variable(&variables, &site),
                Member::Lone(lone) => {
                    let rules = [rule!("server-variable-changed"), rule!("server-variable-changed")];
                    let found = Found::lone(rules, &lone, nodes, &site);
                    self.add(found.breaks(Direction::Request, Breaks::BOTH));
                }
            }
        }
    }

    fn server_variable(&mut self, nodes: &Sides<Node<'a>>, site: &str) {
        self.annotations(Object::ServerVariable, nodes, site);
        let values = nodes.values("default");
        if values.0 != values.1 {
            let found =
                Found::new(rule!("server-variable-default-changed"), nodes.field_pointers("default"), site);
            let found = found.values(values).went("default");
            self.add(found.breaks(Direction::Request, Breaks::BOTH));
        }
        let (values, at) = (nodes.values("enum"), nodes.field_pointers("enum"));
        let lists = nodes.map(|node| node.value.get("enum").and_then(Value::as_array).cloned());
        let is_listed = lists.map(Option::is_some);
        if is_listed.base == is_listed.revision {
            let lists = lists.map(|list| list.clone().unwrap_or_default());
            for lone in lone_items(&lists, |one, other| one == other) {
                let rules = (rule!("server-variable-value-removed"), rule!("server-variable-value-added"));
                let found = Found::new(lone.pick(rules.0, rules.1), at.clone(), site);
                let found = found.value_of(&lone, Some(lone.value)).went("value");
                self.add(found.breaks(Direction::Request, lone.pick(Breaks::CLIENTS, Breaks::SERVERS)));
            }
            return;
        }
        let (breaks, what) = if is_listed.revision {
            (Breaks::CLIENTS, "the values are now listed")
        } else {
            (Breaks::SERVERS, "the values are no longer listed")
        };
        let found = Found::new(rule!("server-variable-enum-changed"), at, site).values(values).what(what);
        self.add(found.breaks(Direction::Request, breaks));
    }
}
