//! Enumerates single changes of a document: those of every field of every object.

use openapi_drift::{METHODS, Object, Shape, find, push, walk};
use serde_json::{Map, Value, json};

/// A changed contract.
pub(super) struct Mutant {
    /// The kind of the change, named after the field that it changes.
    pub(super) kind: &'static str,
    /// The pointer to the changed value.
    pub(super) pointer: String,
    /// The contract with the change.
    pub(super) document: Value,
}

/// Every change of the document, in the order of the document.
pub(super) fn all(document: &Value) -> Vec<Mutant> {
    let mut changes = Changes { document, found: Vec::new() };
    walk(document, &mut |object, pointer, value| changes.object(object, pointer, value));
    changes.found
}

/// The changes of a document that are enumerated so far.
struct Changes<'a> {
    document: &'a Value,
    found: Vec<Mutant>,
}

impl Changes<'_> {
    /// Adds a change of the value at the pointer or, if there is none, of the closest value above it. A change without effect
    /// is left out.
    fn add(&mut self, kind: &'static str, pointer: &str, change: impl FnOnce(&mut Value)) {
        let (mut document, mut owner) = (self.document.clone(), pointer);
        while document.pointer(owner).is_none() {
            owner = owner.rsplit_once('/').map_or("", |(owner, _)| owner);
        }
        if let Some(place) = document.pointer_mut(owner) {
            change(place);
        }
        if document != *self.document {
            self.found.push(Mutant { kind, pointer: pointer.to_owned(), document });
        }
    }

    /// Adds the change that sets a field of an object to a value.
    fn set(&mut self, kind: &'static str, owner: &str, field: &str, value: Value) {
        let pointer = push(owner, field);
        let exists = self.document.pointer(&pointer).is_some();
        self.add(kind, &pointer, |place| {
            if exists {
                *place = value;
            } else if let Some(members) = place.as_object_mut() {
                members.insert(field.to_owned(), value);
            }
        });
    }

    /// Adds the removal of a member of an object, or of an item of a list.
    fn remove(&mut self, kind: &'static str, owner: &str, key: &str) {
        let pointer = push(owner, key);
        let (mut document, key) = (self.document.clone(), key.to_owned());
        match document.pointer_mut(owner) {
            Some(Value::Object(members)) => drop(members.remove(&key)),
            Some(Value::Array(items)) => {
                if let Some(place) = key.parse().ok().filter(|place| *place < items.len()) {
                    items.remove(place);
                }
            }
            _ => {}
        }
        if document != *self.document {
            self.found.push(Mutant { kind, pointer, document });
        }
    }

    /// Adds the change of a key of an object.
    fn rename(&mut self, kind: &'static str, owner: &str, from: &str, to: &str) {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.add(kind, owner, |place| {
            if let Some(members) = place.as_object_mut()
                && let Some(value) = members.remove(&from)
            {
                members.insert(to, value);
            }
        });
    }

    /// Adds every change of an object.
    fn object(&mut self, object: Object, pointer: &str, value: &Value) {
        let Some(members) = value.as_object() else { return };
        if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
            self.reference(pointer, reference);
            return;
        }
        for (name, member) in members {
            let below = push(pointer, name);
            let shape = match (find(object, name), object.names()) {
                _ if name.starts_with("x-") => {
                    self.remove("extension removed", pointer, name);
                    self.set("extension changed", pointer, name, json!("another"));
                    match member {
                        Value::Bool(_) => Shape::Flag,
                        Value::Number(_) => Shape::Count,
                        Value::Array(_) => Shape::Texts,
                        Value::Object(_) => Shape::TextMap,
                        _ => continue,
                    }
                }
                (Some(field), _) => {
                    self.remove("field removed", pointer, name);
                    field.shape
                }
                (None, Some(shape)) => {
                    self.remove("map entry removed", pointer, name);
                    shape
                }
                _ => continue,
            };
            self.value(shape, pointer, name, member);
            match shape {
                Shape::Map(_) | Shape::TextMap => {
                    for key in member.as_object().into_iter().flat_map(Map::keys) {
                        self.remove("map entry removed", &below, key);
                        self.rename("map key changed", &below, key, &format!("{key}x"));
                    }
                }
                Shape::List(_) | Shape::Texts | Shape::Values => {
                    for place in 0..member.as_array().map_or(0, Vec::len) {
                        self.remove("list item removed", &below, &place.to_string());
                    }
                }
                _ => {}
            }
        }
        match object {
            Object::OpenApi => self.root(),
            Object::PathItem => self.path_item(pointer, members),
            Object::Operation => self.operation(pointer, members),
            Object::Parameter | Object::Header => self.parameter(object, pointer, members),
            Object::RequestBody | Object::Response => self.content(pointer, members),
            Object::Schema => self.schema(pointer, members),
            Object::SecurityScheme => self.set("security scheme changed", pointer, "scheme", json!("basic")),
            _ => {}
        }
    }

    /// Adds the changes of a field to other values of the shape that OpenAPI declares for it.
    fn value(&mut self, shape: Shape, owner: &str, name: &str, value: &Value) {
        let pointer = push(owner, name);
        match shape {
            Shape::Text => {
                let text = value.as_str().unwrap_or_default();
                self.set("text changed", owner, name, json!(format!("{text}x")));
            }
            Shape::Word(words) => {
                for word in words.iter().filter(|word| *word != value) {
                    self.set("enumerated value changed", owner, name, json!(word));
                }
            }
            Shape::Flag | Shape::FlagOrSchema if value.is_boolean() => {
                self.set("boolean changed", owner, name, json!(value == false));
            }
            Shape::Number | Shape::Positive | Shape::Count => {
                for by in [-1.0, 1.0] {
                    let number = value.as_f64().unwrap_or_default() + by;
                    self.set("number changed", owner, name, json_number(number));
                }
            }
            Shape::Any => self.set("value changed", owner, name, json!({ "strange": true })),
            Shape::Values | Shape::Texts => {
                self.add("list item added", &pointer, |place| {
                    if let Some(items) = place.as_array_mut() {
                        items.push(json!("strange"));
                    }
                });
                for place in 0..value.as_array().map_or(0, Vec::len) {
                    self.add("list item changed", &push(&pointer, &place.to_string()), |place| {
                        *place = json!("strange");
                    });
                }
            }
            _ => {}
        }
    }

    /// Adds the changes of a reference.
    fn reference(&mut self, pointer: &str, reference: &str) {
        self.set("$ref dangling", pointer, "$ref", json!(format!("{reference}x")));
        // To the next component of the same kind.
        let Some((map, name)) = reference.trim_start_matches('#').rsplit_once('/') else { return };
        let names: Vec<&String> =
            self.document.pointer(map).and_then(Value::as_object).into_iter().flat_map(Map::keys).collect();
        let place = names.iter().position(|other| *other == name).unwrap_or(0);
        if let Some(other) = names.get((place + 1) % names.len().max(1)) {
            self.set("$ref to another component", pointer, "$ref", json!(format!("#{map}/{other}")));
        }
        if pointer.contains("/schema") || pointer.contains("/properties/") {
            self.add("$ref replaced by the empty schema", pointer, |place| *place = json!({}));
        }
    }

    /// Adds the changes of the document itself.
    fn root(&mut self) {
        self.set("servers", "", "servers", json!([{ "url": "/v2" }]));
        self.set("security of the document", "", "security", json!([{ "api_key": [] }]));
        self.set(
            "path added",
            "/paths",
            "/api/v1/more",
            json!({ "get": {
            "operationId": "fetch_more", "summary": "More", "tags": ["session"],
            "responses": {
                "200": { "description": "More" },
                "400": { "$ref": "#/components/responses/BadRequest" },
                "500": { "$ref": "#/components/responses/InternalServerError" },
            },
        } }),
        );
    }

    /// Adds the changes of a path and of its methods.
    fn path_item(&mut self, pointer: &str, members: &Map<String, Value>) {
        if let Some((paths, token)) = pointer.rsplit_once('/') {
            let path = token.replace("~1", "/").replace("~0", "~");
            self.rename("path changed", paths, &path, &format!("{path}x"));
        }
        for method in METHODS.into_iter().filter(|method| members.contains_key(*method)) {
            let other = if method == "get" { "post" } else { "put" };
            self.rename(
                "method changed",
                pointer,
                method,
                if members.contains_key(other) { "patch" } else { other },
            );
        }
    }

    /// Adds the changes of the parameters, the body, the responses and the security of an operation.
    fn operation(&mut self, pointer: &str, members: &Map<String, Value>) {
        let parameter = |kind: &str, required: bool| json!({ "name": "strange", "in": kind, "required": required, "schema": { "type": "string" } });
        let with = |more: Value| {
            let mut list = members.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
            list.push(more);
            Value::from(list)
        };
        for kind in ["query", "header", "cookie"] {
            self.set("optional parameter added", pointer, "parameters", with(parameter(kind, false)));
        }
        self.set("required parameter added", pointer, "parameters", with(parameter("query", true)));
        if !members.contains_key("requestBody") {
            let body = json!({ "content": { "application/json": { "schema": { "type": "object" } } } });
            self.set("requestBody added", pointer, "requestBody", body);
        }
        let error = json!({ "$ref": "#/components/responses/BadRequest" });
        for status in ["202", "204", "302", "402", "418", "502", "4XX", "5XX", "default"] {
            self.set("response added", &push(pointer, "responses"), status, error.clone());
        }
        for status in members.get("responses").and_then(Value::as_object).into_iter().flat_map(Map::keys) {
            let other = if status.starts_with('2') { "203" } else { "499" };
            self.rename("status changed", &push(pointer, "responses"), status, other);
        }
        for (kind, security) in [
            ("security: none", json!([])),
            ("security: api_key", json!([{ "api_key": [] }])),
            ("security: session_token", json!([{ "session_token": [] }])),
            ("security: api_key or session_token", json!([{ "api_key": [] }, { "session_token": [] }])),
            ("security: api_key and session_token", json!([{ "api_key": [], "session_token": [] }])),
            ("security: api_key or none", json!([{ "api_key": [] }, {}])),
        ] {
            self.set(kind, pointer, "security", security);
        }
        self.set("deprecated", pointer, "deprecated", json!(true));
    }

    /// Adds the changes of a parameter or a header.
    fn parameter(&mut self, object: Object, pointer: &str, members: &Map<String, Value>) {
        let required = members.get("required") == Some(&json!(true));
        self.set("required changed", pointer, "required", json!(!required));
        if object == Object::Parameter {
            self.set("style", pointer, "style", json!("pipeDelimited"));
            self.set(
                "parameter schema",
                pointer,
                "schema",
                json!({ "type": "array", "items": { "type": "string" } }),
            );
        } else {
            self.set("header schema", pointer, "schema", json!({ "type": "boolean" }));
        }
        if let Some(schema) = members.get("schema") {
            self.add("content instead of schema", pointer, |place| {
                if let Some(members) = place.as_object_mut() {
                    members.remove("schema");
                    members.insert("content".to_owned(), json!({ "application/json": { "schema": schema } }));
                }
            });
        }
    }

    /// Adds the changes of the media types of a body or response, and of the headers of a response.
    fn content(&mut self, pointer: &str, members: &Map<String, Value>) {
        let content = push(pointer, "content");
        if let Some(json) = members.get("content").and_then(|content| content.get("application/json")) {
            self.set("media type added", &content, "application/xml", json.clone());
            self.rename("media type changed", &content, "application/json", "text/plain");
            self.rename("media type changed", &content, "application/json", "application/problem+json");
        }
        if members.contains_key("description") {
            for (kind, required) in [("optional header added", false), ("required header added", true)] {
                let header =
                    json!({ "description": "Strange", "required": required, "schema": { "type": "string" } });
                let mut headers = members.get("headers").cloned().unwrap_or_else(|| json!({}));
                headers["X-Strange"] = header;
                self.set(kind, pointer, "headers", headers);
            }
        }
    }

    /// Adds the changes of the keywords of a schema.
    fn schema(&mut self, pointer: &str, members: &Map<String, Value>) {
        let kind = members.get("type").and_then(Value::as_str);
        let has = |name: &str| members.contains_key(name);
        self.set("nullable", pointer, "nullable", json!(true));
        self.set("readOnly", pointer, "readOnly", json!(true));
        self.set("writeOnly", pointer, "writeOnly", json!(true));
        self.set("not", pointer, "not", json!({ "type": "boolean", "enum": [true] }));
        self.set(
            "oneOf",
            pointer,
            "oneOf",
            json!([{ "maxLength": 7, "maximum": 7 }, { "minLength": 9, "minimum": 9 }]),
        );
        self.set("allOf", pointer, "allOf", json!([{ "maxLength": 7, "maximum": 7, "maxProperties": 1 }]));
        if !has("enum") && kind == Some("string") {
            self.set("enum added", pointer, "enum", json!(["strange"]));
        }
        match kind {
            Some("string") => {
                for (field, value) in [
                    ("maxLength", json!(7)),
                    ("minLength", json!(1)),
                    ("pattern", json!("^x+$")),
                    ("format", json!("date-time")),
                    ("default", json!("strange")),
                ] {
                    if !has(field) {
                        self.set("keyword added", pointer, field, value);
                    }
                }
            }
            Some("integer" | "number") => {
                for (field, value) in [
                    ("maximum", json!(7)),
                    ("minimum", json!(5)),
                    ("multipleOf", json!(7)),
                    ("exclusiveMinimum", json!(true)),
                    ("exclusiveMaximum", json!(true)),
                    ("format", json!("int32")),
                    ("default", json!(1)),
                ] {
                    if !has(field) {
                        self.set("keyword added", pointer, field, value);
                    }
                }
            }
            Some("array") => {
                for (field, value) in
                    [("maxItems", json!(1)), ("minItems", json!(1)), ("uniqueItems", json!(true))]
                {
                    self.set("keyword added", pointer, field, value);
                }
            }
            Some("object") => self.properties(pointer, members),
            _ => {}
        }
    }

    /// Adds the changes of the properties of an object schema.
    fn properties(&mut self, pointer: &str, members: &Map<String, Value>) {
        self.set("keyword added", pointer, "maxProperties", json!(1));
        self.set("keyword added", pointer, "minProperties", json!(3));
        let strange = json!({ "type": "string" });
        let properties = push(pointer, "properties");
        self.set("optional property added", &properties, "strange", strange.clone());
        let required: Vec<Value> =
            members.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
        let names: Vec<String> = members
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(Map::keys)
            .cloned()
            .collect();
        for name in names.iter().filter(|name| !required.contains(&json!(name))) {
            let mut more = required.clone();
            more.push(json!(name));
            self.set("required list", pointer, "required", Value::from(more));
        }
        self.add("required property added", pointer, |place| {
            place["properties"]["strange"] = strange;
            let mut more = required.clone();
            more.push(json!("strange"));
            place["required"] = Value::from(more);
        });
        let closed = members.get("additionalProperties") == Some(&json!(false));
        let opposite = if closed { json!(true) } else { json!(false) };
        self.set("additionalProperties", pointer, "additionalProperties", opposite);
        self.set("additionalProperties", pointer, "additionalProperties", json!({ "type": "integer" }));
    }
}

/// A JSON number, as an integer if it is one.
#[expect(clippy::cast_possible_truncation, reason = "it has no fraction and an `f64` represents it exactly")]
fn json_number(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < 9e15 { json!(number as i64) } else { json!(number) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use openapi_drift::extensions::{
        ERROR_CODES, MAX_BODY_BYTES, REQUIRED_SCOPE, REQUIRED_SCOPE_FOR, REQUIRES_AUTHENTICATED_SESSION,
    };
    use openapi_drift::{Document, Effect, Options, compare};

    use super::*;

    #[test]
    fn there_are_over_a_thousand_changes_and_each_has_an_effect() {
        let document: Value = serde_json::from_str(include_str!("../../../openapi.json")).unwrap();
        let mutants = all(&document);
        let kinds: BTreeSet<_> = mutants.iter().map(|mutant| mutant.kind).collect();
        assert!(mutants.len() > 1000 && kinds.len() > 40, "{} of {} kinds", mutants.len(), kinds.len());
        for mutant in &mutants {
            assert_ne!(mutant.document, document, "{} at {}", mutant.kind, mutant.pointer);
        }
    }

    #[test]
    fn each_change_of_a_known_extension_is_a_problem_or_has_an_effect_on_the_wire() {
        let document: Value = serde_json::from_str(include_str!("../../../openapi.json")).unwrap();
        let contract = Document::parse(&document.to_string()).unwrap();
        let mutants = all(&document);
        for name in
            [REQUIRED_SCOPE, REQUIRED_SCOPE_FOR, REQUIRES_AUTHENTICATED_SESSION, MAX_BODY_BYTES, ERROR_CODES]
        {
            let mutants = mutants.iter().filter(|mutant| mutant.pointer.contains(&format!("/{name}")));
            let mut valid_on_wire = 0;
            for mutant in mutants {
                let changed = Document::parse(&mutant.document.to_string()).unwrap();
                let findings = compare(&contract, &changed, Options::default()).unwrap();
                let is_wire = findings.iter().any(|finding| finding.effect == Effect::Wire);
                let is_problem = !crate::document::problems(&changed).is_empty();
                assert!(is_wire || is_problem, "{} at {}: {findings:?}", mutant.kind, mutant.pointer);
                valid_on_wire += usize::from(is_wire && !is_problem);
            }
            assert!(valid_on_wire > 0, "no well-formed change of {name} is on the wire");
        }
    }
}
