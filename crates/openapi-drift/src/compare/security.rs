//! Who may call: requirements of operations, and the schemes that they name.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Comparison, Two, brief, went};
use crate::fields::Object;
use crate::finding::{Breaks, Effect};
use crate::node::Node;
use crate::normal::{Side, same};
use crate::read::{Requirement, requirements};

impl<'a> Comparison<'a> {
    /// The requirements that count for an operation: its own, or else the document's.
    pub(super) fn security_of(&mut self, operation: &Two<Node<'a>>, roots: &Two<Node<'a>>, site: &str) {
        let (base, base_at) = requirements(&[&operation.base, &roots.base]);
        let (revision, revision_at) = requirements(&[&operation.revision, &roots.revision]);
        self.reached.insert((Side::Base, base_at.clone()));
        self.reached.insert((Side::Revision, revision_at.clone()));
        let at = Two { base: base_at, revision: revision_at };
        // Whoever fulfils a requirement fulfils every one that asks for less.
        let fulfils = |one: &Requirement<'_>, less: &Requirement<'_>| {
            less.iter().all(|(name, scopes)| one.get(name).is_some_and(|held| scopes.is_subset(held)))
        };
        let mut told = false;
        for old in &base {
            if !revision.iter().any(|new| fulfils(old, new)) {
                told = true;
                let value = json(old);
                let what = format!("{} is no longer enough to call it", words(old));
                let rule = if revision.iter().any(|new| names(new) == names(old)) {
                    "security-scope-added"
                } else {
                    "security-requirement-removed"
                };
                let at = at.clone();
                self.tell(rule, Effect::Wire, Breaks::CLIENTS, at, Some(&value), None, site, what);
            }
        }
        for new in &revision {
            if !base.iter().any(|old| fulfils(new, old)) {
                told = true;
                let value = json(new);
                let what = format!("{} is now enough to call it", words(new));
                let rule = if base.iter().any(|old| names(old) == names(new)) {
                    "security-scope-removed"
                } else {
                    "security-requirement-added"
                };
                self.tell(rule, Effect::Wire, Breaks::SERVERS, at.clone(), None, Some(&value), site, what);
            }
        }
        // What is fulfilled both ways can still be another list, such as one with an alternative that asks for more.
        let lists =
            |all: &[Requirement<'_>]| all.iter().map(json).map(|it| it.to_string()).collect::<BTreeSet<_>>();
        if !told && lists(&base) != lists(&revision) {
            let value = |all: &[Requirement<'_>]| Value::from(all.iter().map(json).collect::<Vec<_>>());
            let (before, after) = (value(&base), value(&revision));
            let what = format!("security {}", went(Some(&before), Some(&after)));
            let (before, after) = (Some(&before), Some(&after));
            let effect = Effect::GeneratedCode;
            self.tell("security-reworded", effect, Breaks::NEITHER, at, before, after, site, what);
        }
    }

    pub(super) fn security_schemes(&mut self, roots: &Two<Node<'a>>) {
        let schemes = |root: &Node<'a>| {
            root.get("components").map(|all| all.map("securitySchemes")).unwrap_or_default()
        };
        let (base, revision) = (schemes(&roots.base), schemes(&roots.revision));
        let all: BTreeSet<&str> = base.keys().chain(revision.keys()).copied().collect();
        for name in all {
            let site = format!("security scheme {name}");
            match (base.get(name), revision.get(name)) {
                (Some(base), Some(revision)) => {
                    let pair = Two { base: base.clone(), revision: revision.clone() };
                    if let Some(pair) = self.follow_both(&pair, &site) {
                        self.scheme(&pair, &site);
                    }
                }
                (old, new) => {
                    let elsewhere = "/components/securitySchemes".to_owned();
                    let at = |found: Option<&Node<'a>>| {
                        found.map_or_else(|| elsewhere.clone(), |place| place.pointer.clone())
                    };
                    let at = Two { base: at(old), revision: at(new) };
                    let (before, after) = (old.map(|it| it.value), new.map(|it| it.value));
                    let verb = if old.is_some() { "removed" } else { "added" };
                    // Operations say whether they ask for it.
                    let (effect, rule) = (Effect::GeneratedCode, format!("security-scheme-{verb}"));
                    self.tell(rule, effect, Breaks::NEITHER, at, before, after, &site, format!("was {verb}"));
                }
            }
        }
    }

    fn scheme(&mut self, pair: &Two<Node<'a>>, site: &str) {
        self.annotations(Object::SecurityScheme, pair, site);
        for field in ["type", "name", "in", "scheme", "openIdConnectUrl"] {
            let (before, after) = (pair.base.value.get(field), pair.revision.value.get(field));
            let caseless = |value: Option<&Value>| match (field, value.and_then(Value::as_str)) {
                // Schemes and header names have no case (RFC 9110, 11.1 and 5.1).
                ("scheme", Some(text)) => Some(text.to_ascii_lowercase()),
                ("name", Some(text)) if pair.base.text("in") == Some("header") => {
                    Some(text.to_ascii_lowercase())
                }
                (_, text) => text.map(str::to_owned),
            };
            if caseless(before) != caseless(after) {
                let (rule, at) =
                    (format!("security-scheme-{}-changed", super::kebab(field)), pair.field_at(field));
                let what = format!("{field} {}", went(before, after));
                self.tell(rule, Effect::Wire, Breaks::BOTH, at, before, after, site, what);
            }
        }
        let flows = Two { base: pair.base.get("flows"), revision: pair.revision.get("flows") };
        if let (Some(base), Some(revision)) = (&flows.base, &flows.revision) {
            self.annotations(
                Object::OAuthFlows,
                &Two { base: base.clone(), revision: revision.clone() },
                site,
            );
        }
        for name in ["implicit", "password", "clientCredentials", "authorizationCode"] {
            let of = |flows: &Option<Node<'a>>| flows.as_ref().and_then(|flows| flows.get(name));
            let site = format!("{site}, flow {name}");
            match (of(&flows.base), of(&flows.revision)) {
                (Some(base), Some(revision)) => self.flow(&Two { base, revision }, &site),
                (None, None) => {}
                (old, new) => {
                    let at = pair.either(old.as_ref(), new.as_ref());
                    let (rule, breaks, what) = if old.is_some() {
                        ("oauth-flow-removed", Breaks::CLIENTS, "was removed")
                    } else {
                        ("oauth-flow-added", Breaks::SERVERS, "was added")
                    };
                    let (before, after) = (old.map(|it| it.value), new.map(|it| it.value));
                    self.tell(rule, Effect::Wire, breaks, at, before, after, &site, what);
                }
            }
        }
    }

    fn flow(&mut self, pair: &Two<Node<'a>>, site: &str) {
        self.annotations(Object::OAuthFlow, pair, site);
        for field in ["authorizationUrl", "tokenUrl", "refreshUrl"] {
            let (before, after) = (pair.base.value.get(field), pair.revision.value.get(field));
            if before != after {
                let (rule, at) =
                    (format!("oauth-flow-{}-changed", super::kebab(field)), pair.field_at(field));
                let what = format!("{field} {}", went(before, after));
                self.tell(rule, Effect::Wire, Breaks::BOTH, at, before, after, site, what);
            }
        }
        let (base, revision) = (pair.base.map("scopes"), pair.revision.map("scopes"));
        let at = pair.field_at("scopes");
        for (name, old) in &base {
            match revision.get(name) {
                None => {
                    let (value, what) = (Value::from(*name), format!("scope {name} was removed"));
                    let (rule, at) = ("oauth-scope-removed", Two { base: old.pointer.clone(), ..at.clone() });
                    self.tell(rule, Effect::Wire, Breaks::CLIENTS, at, Some(&value), None, site, what);
                }
                Some(new) if !same(old.value, new.value) => {
                    let (before, after) = (Some(old.value), Some(new.value));
                    let what = format!("the description of scope {name} {}", went(before, after));
                    let at = Two { base: old.pointer.clone(), revision: new.pointer.clone() };
                    let effect = Effect::Documentation;
                    self.tell(
                        "oauth-scope-description-changed",
                        effect,
                        Breaks::NEITHER,
                        at,
                        before,
                        after,
                        site,
                        what,
                    );
                }
                Some(_) => {}
            }
        }
        for (name, new) in revision.iter().filter(|(name, _)| !base.contains_key(*name)) {
            let (value, what) = (Value::from(*name), format!("scope {name} was added"));
            let at = Two { revision: new.pointer.clone(), ..at.clone() };
            self.tell("oauth-scope-added", Effect::Wire, Breaks::SERVERS, at, None, Some(&value), site, what);
        }
    }
}

fn names<'r, 'a>(requirement: &'r Requirement<'a>) -> Vec<&'r &'a str> {
    requirement.keys().collect()
}

fn json(requirement: &Requirement<'_>) -> Value {
    let scopes = |scopes: &BTreeSet<&str>| scopes.iter().map(|scope| Value::from(*scope)).collect::<Vec<_>>();
    requirement.iter().map(|(name, all)| ((*name).to_owned(), Value::from(scopes(all)))).collect()
}

fn words(requirement: &Requirement<'_>) -> String {
    if requirement.is_empty() { "no credential".to_owned() } else { brief(&json(requirement)) }
}
