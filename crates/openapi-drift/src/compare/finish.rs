//! Findings in order: those of one place under one rule become one.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::Value;

use super::found::{Direction, Found};
use super::sides::Sides;
use crate::document::Document;
use crate::finding::{Breaks, Effect, Finding, Location};
use crate::pointer::{push, unescape};

/// A pointer in which the items of lists go by their names, so that it does not depend on their order.
fn canonical(document: &Document, pointer: &str) -> String {
    let mut value = document.value();
    let mut text = String::new();
    for token in pointer.split('/').skip(1) {
        let key = unescape(token);
        match value {
            Value::Array(items) => {
                let item = key.parse().ok().and_then(|index: usize| items.get(index)).unwrap_or(&Value::Null);
                let name = match (item.get("$ref"), item.get("in"), item.get("name"), item) {
                    (Some(Value::String(reference)), ..) => reference.clone(),
                    (_, Some(Value::String(location)), Some(Value::String(name)), _) => {
                        format!("{location}:{name}")
                    }
                    (.., Value::String(text)) => text.clone(),
                    // A server goes by its address, a tag by its name.
                    _ => match item.get("url").or_else(|| item.get("name")) {
                        Some(Value::String(name)) => name.clone(),
                        _ => key,
                    },
                };
                text = push(&text, &name);
                value = item;
            }
            other => {
                text = push(&text, &key);
                value = other.get(&key).unwrap_or(&Value::Null);
            }
        }
    }
    text
}

/// Orders findings by place and rule; those of one place that concern both directions become one.
pub(super) fn finish(base: &Document, revision: &Document, found: Vec<Found>) -> Vec<Finding> {
    let mut findings: BTreeMap<(String, String, String, String, String), Finding> = BTreeMap::new();
    for one in found {
        let text = |value: &Option<Value>| value.as_ref().map_or_else(String::new, Value::to_string);
        let location = |document: &Document, pointer: &str| {
            let pointer = document.nearest(pointer).to_owned();
            Location { position: document.position(&pointer), pointer }
        };
        let at = Sides { base: location(base, &one.at.base), revision: location(revision, &one.at.revision) };
        let key = (
            at.base.pointer.clone(),
            at.revision.pointer.clone(),
            one.rule.id.to_owned(),
            text(&one.values.base),
            text(&one.values.revision),
        );
        let (request, response) = match (one.effect, one.direction) {
            (Effect::Documentation, _) | (_, Direction::Unused) => (None, None),
            (Effect::GeneratedCode, _) if one.breaks == Breaks::NEITHER => (None, None),
            (_, Direction::Request) => (Some(one.breaks), None),
            (_, Direction::Response) => (None, Some(one.breaks)),
        };
        let canonical = if one.values.base.is_none() && one.values.revision.is_some() {
            canonical(revision, &at.revision.pointer)
        } else {
            canonical(base, &at.base.pointer)
        };
        let both = |one: Option<Breaks>, other| one.into_iter().chain(other).reduce(Breaks::or);
        findings
            .entry(key)
            .and_modify(|merged| {
                // The sentence is that of the direction in which old clients break.
                let breaks = request.or(response).unwrap_or_default().old_clients;
                if one.effect < merged.effect
                    || one.effect == merged.effect && breaks && !merged.breaks().old_clients
                {
                    merged.message = format!("{}: {}{}", one.site, one.prefix, one.what);
                }
                // The graver effect decides who breaks: what a generated client refuses is no break on the wire.
                match one.effect.cmp(&merged.effect) {
                    Ordering::Less => (merged.request, merged.response) = (request, response),
                    Ordering::Greater => return,
                    Ordering::Equal => {
                        merged.request = both(merged.request, request);
                        merged.response = both(merged.response, response);
                    }
                }
                merged.effect = one.effect;
                merged.announced &= one.announced;
            })
            .or_insert_with(|| Finding {
                rule: one.rule.id,
                effect: one.effect,
                request,
                response,
                announced: one.announced,
                base: at.base,
                revision: at.revision,
                before: one.values.base,
                after: one.values.revision,
                canonical,
                message: format!("{}: {}{}", one.site, one.prefix, one.what),
            });
    }
    findings.into_values().collect()
}
