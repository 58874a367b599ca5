//! Which parts of a schema a value shows, and which parts the requests of an operation must show.

use std::collections::BTreeSet;

use openapi_drift::pointer::unescape;
use openapi_drift::push;
use serde_json::Value;

use crate::contract::{Contract, Operation};

/// The bounds of a string and of a number.
const TEXT_BOUNDS: [&str; 2] = ["minLength", "maxLength"];
const NUMBER_BOUNDS: [&str; 2] = ["minimum", "maximum"];

/// The keywords that list schemas for the same value.
const PARTS: [&str; 3] = ["allOf", "oneOf", "anyOf"];

/// Goes through a value along its schema.
#[derive(Debug)]
pub struct Visit<'a> {
    /// The contract.
    pub contract: &'a Contract,
    /// The pointers of the properties, listed values, alternatives and bounds that the value shows.
    pub seen: BTreeSet<String>,
    /// The properties that no schema lists: where they would be listed, and their place in the value.
    pub unlisted: Vec<(String, String)>,
}

impl Visit<'_> {
    /// Notes what a value shows; `place` is its place in the whole.
    pub fn value(&mut self, schema: &str, value: &Value, place: &str) {
        let mut layers = Vec::new();
        self.layers(schema, value, &mut layers);
        for layer in &layers {
            self.keywords(layer, value);
        }
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    self.member(&layers, name, member, &format!("{place}/{name}"));
                }
            }
            Value::Array(items) => {
                for schema in layers.iter().map(|layer| push(layer, "items")) {
                    for (index, item) in items.iter().enumerate().filter(|_| self.contract.has(&schema)) {
                        self.value(&schema, item, &format!("{place}/{index}"));
                    }
                }
            }
            _ => {}
        }
    }

    /// The schemas that describe a value together: this one, and its alternatives that allow the value.
    fn layers(&mut self, schema: &str, value: &Value, found: &mut Vec<String>) {
        let at = self.contract.resolve(schema);
        if found.contains(&at) {
            return;
        }
        found.push(at.clone());
        for keyword in PARTS {
            let parts = self.contract.items(&push(&at, keyword));
            let only = parts.len() == 1;
            for part in parts {
                if keyword == "allOf" || only || self.contract.allows(&part, value) {
                    self.layers(&part, value, found);
                    self.seen.insert(part);
                }
            }
        }
    }

    fn keywords(&mut self, schema: &str, value: &Value) {
        for listed in self.contract.items(&push(schema, "enum")) {
            if self.contract.get(&listed) == value {
                self.seen.insert(listed);
            }
        }
        let (bounds, measure) = match value {
            Value::String(text) => (TEXT_BOUNDS, Value::from(text.chars().count()).as_f64()),
            Value::Number(number) => (NUMBER_BOUNDS, number.as_f64()),
            _ => return,
        };
        let bounds = bounds.map(|keyword| push(schema, keyword)).into_iter();
        self.seen
            .extend(bounds.filter(|bound| measure.is_some() && self.contract.get(bound).as_f64() == measure));
    }

    fn member(&mut self, layers: &[String], name: &str, member: &Value, place: &str) {
        let contract = self.contract;
        let mut known = false;
        for property in layers.iter().map(|layer| push(&push(layer, "properties"), name)) {
            if contract.has(&property) {
                known = true;
                self.value(&property, member, place);
                self.seen.insert(property);
            }
        }
        for more in layers.iter().map(|layer| push(layer, "additionalProperties")).filter(|_| !known) {
            if contract.get(&more).is_object() {
                self.value(&more, member, place);
            }
        }
        let open = |layer: &String| {
            let more = contract.get(&push(layer, "additionalProperties"));
            more == true || more.is_object()
        };
        if !known && !layers.iter().any(open) {
            let mut listing = layers.iter().map(|layer| push(layer, "properties"));
            let pointer = listing.find(|pointer| contract.has(pointer));
            let pointer = pointer.unwrap_or_else(|| layers.first().cloned().unwrap_or_default());
            self.unlisted.push((pointer, place.to_owned()));
        }
    }
}

/// The properties that a schema and its parts list.
pub fn listed<'a>(contract: &'a Contract, schema: &str) -> BTreeSet<&'a str> {
    fn collect<'a>(
        contract: &'a Contract,
        schema: &str,
        visited: &mut BTreeSet<String>,
        names: &mut BTreeSet<&'a str>,
    ) {
        let pointer = contract.resolve(schema);
        if !visited.insert(pointer.clone()) {
            return;
        }
        names.extend(contract.members(&push(&pointer, "properties")).into_iter().map(|(name, _)| name));
        for part in PARTS.iter().flat_map(|keyword| contract.items(&push(&pointer, keyword))) {
            collect(contract, &part, visited, names);
        }
    }
    let mut names = BTreeSet::new();
    collect(contract, schema, &mut BTreeSet::new(), &mut names);
    names
}

/// The properties that a schema lists anywhere within it.
pub fn all_listed(contract: &Contract, schema: &str) -> BTreeSet<String> {
    let mut parts = BTreeSet::new();
    collect(contract, schema, &mut BTreeSet::new(), &mut parts);
    let names = parts.iter().filter_map(|part| part.rsplit_once("/properties/"));
    names.map(|(_, name)| unescape(name)).collect()
}

/// What the requests of an operation must show: each parameter, property, listed value, alternative and bound.
pub fn wanted(contract: &Contract, operation: &Operation) -> BTreeSet<String> {
    let mut wanted = BTreeSet::new();
    let mut visited = BTreeSet::new();
    for parameter in &operation.parameters {
        wanted.insert(parameter.pointer.clone());
        collect(contract, &parameter.schema, &mut visited, &mut wanted);
    }
    if let Some(body) = contract.member(&operation.pointer, "requestBody") {
        for (_, media) in contract.members(&push(&body, "content")) {
            collect(contract, &push(&media, "schema"), &mut visited, &mut wanted);
            wanted.insert(media);
        }
        wanted.insert(body);
    }
    wanted
}

/// Collects the properties, listed values, alternatives and bounds of a schema and of those within it.
pub fn collect(
    contract: &Contract,
    schema: &str,
    visited: &mut BTreeSet<String>,
    found: &mut BTreeSet<String>,
) {
    let pointer = contract.resolve(schema);
    if !visited.insert(pointer.clone()) {
        return;
    }
    found.extend(contract.items(&push(&pointer, "enum")));
    let bounds = TEXT_BOUNDS.into_iter().chain(NUMBER_BOUNDS).map(|keyword| push(&pointer, keyword));
    found.extend(bounds.filter(|bound| contract.get(bound).is_number()));
    let properties = contract.members(&push(&pointer, "properties"));
    let mut parts: Vec<String> = properties.into_iter().map(|(_, property)| property).collect();
    for keyword in ["oneOf", "anyOf"] {
        parts.extend(contract.items(&push(&pointer, keyword)));
    }
    found.extend(parts.iter().cloned());
    parts.extend(contract.items(&push(&pointer, "allOf")));
    parts.extend(["items", "additionalProperties"].map(|keyword| push(&pointer, keyword)));
    for part in parts.iter().filter(|part| contract.get(part).is_object()) {
        collect(contract, part, visited, found);
    }
}

/// The pointer of the schema that describes the part of a value at a path, as far as the contract describes it.
pub fn schema_at(contract: &Contract, schema: &str, value: &Value, path: &[&str]) -> String {
    let pointer = contract.resolve(schema);
    let Some((first, rest)) = path.split_first() else { return pointer };
    let below = value.get(first).or_else(|| value.get(first.parse::<usize>().ok()?)).unwrap_or(&Value::Null);
    let property = push(&push(&pointer, "properties"), first);
    if contract.has(&property) {
        return schema_at(contract, &property, below, rest);
    }
    let items = push(&pointer, "items");
    if value.is_array() && contract.has(&items) {
        return schema_at(contract, &items, below, rest);
    }
    for keyword in PARTS {
        let parts = contract.items(&push(&pointer, keyword));
        let fits = |part: &&String| {
            listed(contract, part).contains(first)
                && (parts.len() == 1 || keyword == "allOf" || contract.allows(part, value))
        };
        if let Some(part) = parts.iter().find(fits) {
            return schema_at(contract, part, value, path);
        }
    }
    pointer
}
