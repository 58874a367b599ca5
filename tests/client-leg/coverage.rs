//! Which parts of the schemas a value touches, and which parts the requests of an operation must touch.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::document::{Document, Operation, escaped, same};

/// The bounds of a text and of a number.
const TEXT_BOUNDS: [&str; 2] = ["minLength", "maxLength"];
const NUMBER_BOUNDS: [&str; 2] = ["minimum", "maximum"];

/// Goes through a value along its schema.
pub(crate) struct Visit<'a> {
    pub(crate) document: &'a Document,
    /// The pointers of the properties, enum values, alternatives and bounds that the value touches.
    pub(crate) sent: &'a mut BTreeSet<String>,
    /// The properties that no schema lists: the schema of their object, and their place in the value.
    pub(crate) unlisted: Vec<(String, String)>,
}

impl Visit<'_> {
    /// Notes what the value touches; `path` is its place.
    pub(crate) fn value(&mut self, schema: &str, value: &Value, path: &str) {
        if let Value::Object(members) = value {
            let listed = listed(self.document, schema, 0);
            let is_map = self.document.get(&self.document.child(schema, "additionalProperties")).is_object();
            for name in members.keys().filter(|name| !is_map && !listed.contains(name.as_str())) {
                let pointer = self.document.resolve(schema).unwrap_or_default();
                self.unlisted.push((pointer, format!("{path}/{name}")));
            }
        }
        self.part(schema, value, path);
    }

    fn part(&mut self, schema: &str, value: &Value, path: &str) {
        let document = self.document;
        let Some(pointer) = document.resolve(schema) else { return };
        for place in document.items(&format!("{pointer}/enum")) {
            if same(document.get(&place), value) {
                self.sent.insert(place);
            }
        }
        for keyword in TEXT_BOUNDS.into_iter().chain(NUMBER_BOUNDS) {
            let bound = format!("{pointer}/{keyword}");
            let measured = match value {
                Value::String(text) if TEXT_BOUNDS.contains(&keyword) => Value::from(text.chars().count()),
                Value::Number(_) if NUMBER_BOUNDS.contains(&keyword) => value.clone(),
                _ => continue,
            };
            if same(document.get(&bound), &measured) {
                self.sent.insert(bound);
            }
        }
        for part in document.items(&format!("{pointer}/allOf")) {
            self.part(&part, value, path);
        }
        for keyword in ["oneOf", "anyOf"] {
            for alternative in document.items(&format!("{pointer}/{keyword}")) {
                if document.allows(&alternative, value) {
                    self.part(&alternative, value, path);
                    self.sent.insert(alternative);
                }
            }
        }
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    let property = format!("{pointer}/properties/{}", escaped(name));
                    let more = format!("{pointer}/additionalProperties");
                    let below = format!("{path}/{name}");
                    if !document.get(&property).is_null() {
                        self.value(&property, value, &below);
                        self.sent.insert(property);
                    } else if document.get(&more).is_object() {
                        self.value(&more, value, &below);
                    }
                }
            }
            Value::Array(items) => {
                for (place, item) in items.iter().enumerate() {
                    self.value(&format!("{pointer}/items"), item, &format!("{path}/{place}"));
                }
            }
            _ => {}
        }
    }
}

/// The properties that a schema and its parts list.
pub(crate) fn listed<'a>(document: &'a Document, schema: &str, depth: usize) -> BTreeSet<&'a str> {
    let Some(pointer) = document.resolve(schema).filter(|_| depth < 32) else { return BTreeSet::new() };
    let mut names: BTreeSet<&str> =
        document.members(&format!("{pointer}/properties")).map(|(name, _)| name).collect();
    for keyword in ["allOf", "oneOf", "anyOf"] {
        for part in document.items(&format!("{pointer}/{keyword}")) {
            names.extend(listed(document, &part, depth + 1));
        }
    }
    names
}

/// The properties that a schema lists anywhere within it.
pub(crate) fn all_listed(document: &Document, schema: &str) -> BTreeSet<String> {
    let mut parts = BTreeSet::new();
    want(document, schema, &mut BTreeSet::new(), &mut parts);
    let names = parts.iter().filter_map(|part| part.rsplit_once("/properties/"));
    names.map(|(_, name)| name.replace("~1", "/").replace("~0", "~")).collect()
}

/// What the requests of an operation must send: each parameter, property, enum value, alternative and bound.
pub(crate) fn wanted(document: &Document, operation: &Operation) -> BTreeSet<String> {
    let mut wanted = BTreeSet::new();
    let mut been = BTreeSet::new();
    for parameter in &operation.parameters {
        wanted.insert(parameter.pointer.clone());
        want(document, &document.child(&parameter.pointer, "schema"), &mut been, &mut wanted);
    }
    let body = format!("{}/requestBody", operation.pointer);
    if let Some(body) = document.resolve(&body) {
        for (media, _) in document.members(&format!("{body}/content")) {
            let content = document.child(&format!("{body}/content"), media);
            want(document, &document.child(&content, "schema"), &mut been, &mut wanted);
            wanted.insert(content);
        }
        wanted.insert(body);
    }
    wanted
}

fn want(document: &Document, schema: &str, been: &mut BTreeSet<String>, wanted: &mut BTreeSet<String>) {
    let Some(pointer) = document.resolve(schema) else { return };
    // A schema within itself is gone through once.
    if !been.insert(pointer.clone()) {
        return;
    }
    wanted.extend(document.items(&format!("{pointer}/enum")));
    for keyword in TEXT_BOUNDS.into_iter().chain(NUMBER_BOUNDS) {
        let bound = format!("{pointer}/{keyword}");
        if document.get(&bound).is_number() {
            wanted.insert(bound);
        }
    }
    let mut parts = document.items(&format!("{pointer}/allOf"));
    let properties = document.members(&format!("{pointer}/properties"));
    let mut named: Vec<String> =
        properties.map(|(name, _)| format!("{pointer}/properties/{}", escaped(name))).collect();
    for keyword in ["oneOf", "anyOf"] {
        named.extend(document.items(&format!("{pointer}/{keyword}")));
    }
    wanted.extend(named.iter().cloned());
    parts.extend(named);
    for keyword in ["items", "additionalProperties"] {
        parts.push(format!("{pointer}/{keyword}"));
    }
    for part in parts.iter().filter(|part| document.get(part).is_object()) {
        want(document, part, been, wanted);
    }
}

/// The schema of what stands at a place in a value, as far as the document has one.
pub(crate) fn schema_at(document: &Document, schema: &str, value: &Value, path: &[&str]) -> String {
    let Some(pointer) = document.resolve(schema) else { return schema.to_owned() };
    let Some((first, rest)) = path.split_first() else {
        return pointer;
    };
    let empty = Value::Null;
    let below = value.get(first).or_else(|| value.get(first.parse::<usize>().ok()?)).unwrap_or(&empty);
    let property = format!("{pointer}/properties/{}", escaped(first));
    if !document.get(&property).is_null() {
        return schema_at(document, &property, below, rest);
    }
    let items = format!("{pointer}/items");
    if value.is_array() && !document.get(&items).is_null() {
        return schema_at(document, &items, below, rest);
    }
    for keyword in ["allOf", "oneOf", "anyOf"] {
        let parts = document.items(&format!("{pointer}/{keyword}"));
        for part in &parts {
            if listed(document, part, 0).contains(first)
                && (parts.len() == 1 || keyword == "allOf" || document.allows(part, value))
            {
                return schema_at(document, part, value, path);
            }
        }
    }
    pointer
}
