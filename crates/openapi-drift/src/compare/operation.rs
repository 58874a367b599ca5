//! Paths, operations, request bodies and callbacks.

use std::collections::BTreeMap;

use super::annotation::both_same;
use super::context::{Comparison, Media, OperationPair, Use, Work};
use super::found::{Change, Direction, Found};
use super::members::{Lone, Member, keyed, members, members_of};
use super::parameter::lone_breaks;
use super::sides::Sides;
use crate::fields::{METHODS, Object};
use crate::finding::Breaks;
use crate::node::Node;
use crate::read::nameless;
use crate::rules::rule;

impl<'a> Comparison<'a> {
    /// Compares the paths of two documents.
    pub(super) fn paths(&mut self, roots: &Sides<Node<'a>>) {
        let owner = Sides { base: "/paths".to_owned(), revision: "/paths".to_owned() };
        for (_, member) in members(&roots.map(templates)) {
            match member {
                Member::Both(items) => {
                    let (path, nodes) = (items.map(|(path, _)| *path), items.map(|(_, node)| node.clone()));
                    self.path_items(&nodes, &path, roots, Direction::Request, "");
                }
                Member::Lone(Lone { value: (path, value), removed }) => {
                    self.lone_path(path, &Lone { value, removed }, &owner);
                }
            }
        }
    }

    /// Reports the operations of a path that one document has. Its servers and parameters count only in them.
    fn lone_path(&mut self, path: &str, lone: &Lone<Node<'a>>, owner: &Sides<String>) {
        let item = self.follow(lone.side(), &lone.value).unwrap_or_else(|| lone.value.clone());
        let at = |node: &Node<'a>| lone.at(&node.pointer, owner.clone());
        let mut operations = 0;
        for method in METHODS {
            let Some(value) = item.get(method) else { continue };
            operations += 1;
            let (site, at) = (format!("{} {path}", method.to_uppercase()), at(&value));
            self.lone_operation(&Lone { value, removed: lone.removed }, Direction::Request, at, &site);
        }
        if operations == 0 {
            let rule = lone.pick(rule!("path-removed"), rule!("path-added"));
            let what = format!("the path, which has no operation, was {}", lone.verb());
            self.add(Found::new(rule, at(&lone.value), path).what(what));
        }
    }

    fn lone_operation(&mut self, lone: &Lone<Node<'a>>, direction: Direction, at: Sides<String>, site: &str) {
        // A callback that is never called, or that a client does not know, is like one that was added or removed as a
        // whole.
        let breaks = match (direction, lone.removed) {
            (Direction::Unused, _) | (Direction::Response, false) => Breaks::NEITHER,
            (_, true) => Breaks::CLIENTS,
            (_, false) => Breaks::SERVERS,
        };
        let node = &lone.value;
        let id = node.value.get("operationId");
        let rule = lone.pick(rule!("operation-removed"), rule!("operation-added"));
        let found = Found::new(rule, at, site)
            .value_of(lone, id)
            .what(format!("the operation was {}", lone.verb()))
            .breaks(direction, breaks);
        let deprecated = lone.removed && node.flag("deprecated");
        self.add_removal(found, deprecated, node.value.get("x-sunset"));
    }

    fn path_items(
        &mut self,
        nodes: &Sides<Node<'a>>,
        path: &Sides<&'a str>,
        roots: &Sides<Node<'a>>,
        direction: Direction,
        prefix: &str,
    ) {
        let name = format!("{prefix}{}", path.revision);
        self.beside_reference(nodes, &name);
        let Some(item) = self.follow_both(nodes, &name) else { return };
        self.annotations(Object::PathItem, &item, &name);
        for method in METHODS {
            let site = format!("{prefix}{} {}", method.to_uppercase(), path.revision);
            let lone = match item.get(method).member() {
                None => continue,
                Some(Member::Both(operation)) => {
                    if self.first_time(operation.pointers(), Some(Use::new(direction, Media::Json))) {
                        let (item, path, roots) = (item.clone(), path.clone(), roots.clone());
                        let pair = OperationPair { operation, item, path, roots, direction, site };
                        self.push(Work::Operation(pair));
                    }
                    continue;
                }
                Some(Member::Lone(lone)) => lone,
            };
            self.lone_operation(&lone, direction, lone.pointers(&item), &site);
        }
    }

    /// Compares the fields beside the `$ref` of a path item. What they mean is undefined (3.0.3, Path Item Object), so
    /// that each counts as a whole.
    fn beside_reference(&mut self, nodes: &Sides<Node<'a>>, site: &str) {
        let beside = nodes.map(|node| {
            let refers = node.text("$ref").is_some();
            node.members().filter(|(name, _)| refers && *name != "$ref").collect::<BTreeMap<_, _>>()
        });
        for (name, member) in members(&beside) {
            let (values, at) = match &member {
                Member::Both(both) => ((Some(both.base.value), Some(both.revision.value)), both.pointers()),
                Member::Lone(lone) => {
                    let value = Some(lone.value.value);
                    (lone.pick((value, None), (None, value)), lone.pointers(nodes))
                }
            };
            if !both_same(values) {
                let found = Found::new(rule!("path-item-sibling-changed"), at, site).values(values);
                let found = found.went(&format!("{name}, a field beside a $ref,"));
                self.add(found.breaks(Direction::Request, Breaks::BOTH));
            }
        }
    }

    /// Compares two operations.
    pub(super) fn operation(&mut self, pair: &OperationPair<'a>) {
        let OperationPair { operation, direction, site, .. } = pair;
        self.annotations(Object::Operation, operation, site);
        self.known_extensions(Object::Operation, operation, *direction, site);
        self.parameters(pair);
        self.servers(pair);
        self.security(pair);
        self.bodies(operation, *direction, site);
        let responses = operation.get_or_null("responses");
        self.annotations(Object::Responses, &responses, site);
        self.responses(&responses, direction.reversed(), site);
        for (name, member) in members_of(operation, "callbacks") {
            let site = format!("{site}, callback {name}");
            match member {
                Member::Both(callbacks) => self.callback(&callbacks, *direction, &site),
                Member::Lone(lone) => {
                    let rules = [rule!("callback-removed"), rule!("callback-added")];
                    let breaks = lone.pick(Breaks::CLIENTS, Breaks::NEITHER);
                    self.add(Found::lone(rules, &lone, operation, &site).breaks(*direction, breaks));
                }
            }
        }
    }

    /// Compares two callbacks of operations in this direction. In a callback, the server sends the requests.
    pub(super) fn callback(&mut self, nodes: &Sides<Node<'a>>, direction: Direction, site: &str) {
        let Some(nodes) = self.follow_both(nodes, site) else { return };
        self.annotations(Object::Callback, &nodes, site);
        let expressions: Sides<BTreeMap<&'a str, Node<'a>>> =
            nodes.map(|node| node.members().filter(|(name, _)| !name.starts_with("x-")).collect());
        for (name, member) in members(&expressions) {
            match member {
                Member::Both(items) => {
                    let path = Sides { base: name, revision: name };
                    // A callback inherits neither servers nor security nor parameters: it is its own root.
                    self.path_items(&items, &path, &items, direction.reversed(), &format!("{site}, "));
                }
                Member::Lone(lone) => {
                    let rules = [rule!("callback-expression-removed"), rule!("callback-expression-added")];
                    let found = Found::lone(rules, &lone, &nodes, site)
                        .values((None, None))
                        .what(format!("the expression {name} was {}", lone.verb()));
                    self.add(found.breaks(direction, lone.pick(Breaks::CLIENTS, Breaks::NEITHER)));
                }
            }
        }
    }

    fn bodies(&mut self, operation: &Sides<Node<'a>>, direction: Direction, site: &str) {
        let site = format!("{site}, request body");
        let lone = match operation.get("requestBody").member() {
            None => return,
            Some(Member::Both(bodies)) => return self.request_bodies(&bodies, direction, &site),
            Some(Member::Lone(lone)) => lone,
        };
        let body = self.follow(lone.side(), &lone.value);
        let required = body.as_ref().is_some_and(|body| body.flag("required"));
        let added = if required {
            rule!("required-request-body-added")
        } else {
            rule!("optional-request-body-added")
        };
        let value = body.as_ref().map(|body| body.value);
        let found = Found::lone([rule!("request-body-removed"), added], &lone, operation, &site);
        let found = found.value_of(&lone, value);
        self.add(found.breaks(direction, lone_breaks(direction, lone.removed, required)));
    }

    /// Compares two request bodies.
    pub(super) fn request_bodies(&mut self, nodes: &Sides<Node<'a>>, direction: Direction, site: &str) {
        let Some(nodes) = self.follow_both(nodes, site) else { return };
        if self.first_time(nodes.pointers(), Some(Use::new(direction, Media::Json))) {
            self.annotations(Object::RequestBody, &nodes, site);
            self.known_extensions(Object::RequestBody, &nodes, direction, site);
            self.flag(&nodes, (Object::RequestBody, "required"), Change::Narrower, direction, site);
            self.contents(&nodes, direction, site);
        }
    }
}

/// The path items of a document with their templates, by the templates without names of parameters.
fn templates<'a>(root: &Node<'a>) -> BTreeMap<String, (&'a str, Node<'a>)> {
    let paths = root.map("paths").into_iter().filter(|(path, _)| !path.starts_with("x-"));
    keyed(paths.map(|(path, item)| (nameless(path), (path, item))))
}
