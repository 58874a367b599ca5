//! Where an API is served.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Comparison, Two, free, went};
use crate::fields::Object;
use crate::finding::{Breaks, Effect};
use crate::node::Node;
use crate::normal::Side;
use crate::pointer::push;

impl<'a> Comparison<'a> {
    /// The servers that count for an operation: its own, or else its path's, or else the document's.
    pub(super) fn servers_of(
        &mut self,
        operation: &Two<Node<'a>>,
        item: &Two<Node<'a>>,
        roots: &Two<Node<'a>>,
        site: &str,
    ) {
        for (side, root, owners) in [
            (Side::Base, &roots.base, [&operation.base, &item.base]),
            (Side::Revision, &roots.revision, [&operation.revision, &item.revision]),
        ] {
            if owners.iter().all(|owner| owner.list("servers").is_empty()) {
                self.reached.insert((side, push(&root.pointer, "servers")));
            }
        }
        let effective = |operation: &Node<'a>, item: &Node<'a>, root: &Node<'a>| {
            [operation, item, root].into_iter().find_map(|owner| {
                let servers = owner.list("servers");
                (!servers.is_empty()).then_some(servers)
            })
        };
        let base = effective(&operation.base, &item.base, &roots.base);
        let revision = effective(&operation.revision, &item.revision, &roots.revision);
        let owners = Two { base: "/servers".to_owned(), revision: "/servers".to_owned() };
        let (base, revision) = (by_url(base), by_url(revision));
        for (url, old) in &base {
            match (old, revision.get(url)) {
                (Some(old), Some(Some(new))) => {
                    self.server(&Two { base: old.clone(), revision: new.clone() });
                }
                (_, Some(_)) => {}
                (old, None) => {
                    let at = Two {
                        base: old.as_ref().map_or_else(|| owners.base.clone(), |old| old.pointer.clone()),
                        revision: owners.revision.clone(),
                    };
                    let url = Value::from(url.trim_end());
                    let what = format!("server {}", went(Some(&url), None));
                    self.tell(
                        "server-removed",
                        Effect::Wire,
                        Breaks::CLIENTS,
                        at,
                        Some(&url),
                        None,
                        site,
                        what,
                    );
                }
            }
        }
        for (url, new) in revision.iter().filter(|(url, _)| !base.contains_key(*url)) {
            let at = Two {
                base: owners.base.clone(),
                revision: new.as_ref().map_or_else(|| owners.revision.clone(), |new| new.pointer.clone()),
            };
            let url = Value::from(url.trim_end());
            let what = format!("server {}", went(None, Some(&url)));
            self.tell("server-added", Effect::Wire, Breaks::NEITHER, at, None, Some(&url), site, what);
        }
    }

    fn server(&mut self, pair: &Two<Node<'a>>) {
        if !self.seen.insert((pair.base.pointer.clone(), pair.revision.pointer.clone(), None)) {
            return;
        }
        let site = format!("server {}", pair.base.text("url").unwrap_or_default());
        self.annotations(Object::Server, pair, &site);
        let (base, revision) = (pair.base.map("variables"), pair.revision.map("variables"));
        for name in base.keys().chain(revision.keys().filter(|name| !base.contains_key(*name))) {
            let site = format!("{site}, variable {name}");
            let (Some(old), Some(new)) = (base.get(name), revision.get(name)) else {
                let (before, after) = (base.get(name), revision.get(name));
                let at = pair.either(before, after);
                let (before, after) = (before.map(|it| it.value), after.map(|it| it.value));
                let what = if before.is_some() { "was removed" } else { "was added" };
                self.tell(
                    "server-variable-changed",
                    Effect::Wire,
                    Breaks::BOTH,
                    at,
                    before,
                    after,
                    &site,
                    what,
                );
                continue;
            };
            let variable = Two { base: old.clone(), revision: new.clone() };
            self.annotations(Object::ServerVariable, &variable, &site);
            let (before, after) = (old.value.get("default"), new.value.get("default"));
            if before != after {
                let what = format!("default {}", went(before, after));
                let (rule, at) = ("server-variable-default-changed", variable.field_at("default"));
                self.tell(rule, Effect::Wire, Breaks::BOTH, at, before, after, &site, what);
            }
            self.variable_values(&variable, &site);
        }
    }

    fn variable_values(&mut self, variable: &Two<Node<'a>>, site: &str) {
        let values = |place: &Node<'a>| place.value.get("enum").and_then(Value::as_array).cloned();
        let (base, revision) = (values(&variable.base), values(&variable.revision));
        let lacks = |list: &Option<Vec<Value>>, value: &Value| {
            list.as_ref().is_some_and(|list| !list.contains(value))
        };
        let at = variable.field_at("enum");
        for value in base.iter().flatten().filter(|value| lacks(&revision, value)) {
            let what = format!("value {}", went(Some(value), None));
            let rule = "server-variable-value-removed";
            self.tell(rule, Effect::Wire, Breaks::CLIENTS, at.clone(), Some(value), None, site, what);
        }
        for value in revision.iter().flatten().filter(|value| lacks(&base, value)) {
            let what = format!("value {}", went(None, Some(value)));
            let rule = "server-variable-value-added";
            self.tell(rule, Effect::Wire, Breaks::SERVERS, at.clone(), None, Some(value), site, what);
        }
        if base.is_some() != revision.is_some() {
            let breaks = if revision.is_some() { Breaks::CLIENTS } else { Breaks::SERVERS };
            let what = if revision.is_some() {
                "its values are now listed"
            } else {
                "its values are no longer listed"
            };
            let (before, after) = (variable.base.value.get("enum"), variable.revision.value.get("enum"));
            self.tell("server-variable-enum-changed", Effect::Wire, breaks, at, before, after, site, what);
        }
    }
}

/// Servers by their address, which is the root of the host where none is named (3.0.3, `OpenAPI` Object).
fn by_url<'a>(servers: Option<Vec<Node<'a>>>) -> BTreeMap<String, Option<Node<'a>>> {
    let Some(servers) = servers else { return BTreeMap::from([(String::new(), None)]) };
    let url = |place: &Node<'a>| place.text("url").unwrap_or_default().trim_end_matches('/').to_owned();
    let mut found = BTreeMap::new();
    for place in servers {
        found.insert(free(&found, url(&place)), Some(place));
    }
    found
}
