//! What the specification demands of a document beyond the kinds of its values, and what no document should have.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value;

use crate::document::{Document, Problem};
use crate::fields::{METHODS, Object, fields};
use crate::node::Node;
use crate::normal::same;
use crate::pointer::{of_reference, push};
use crate::walk::walk;

impl Document {
    /// Everything that [`Document::problems`] does not say and is wrong all the same: a required field that is missing, a
    /// reference that leads nowhere or has siblings that are ignored, parameters that do not fit their path, bounds that
    /// no value keeps, security that names no scheme, names that stand twice, components and tags that nothing uses.
    ///
    /// Examples are not held against their schemas: that takes a validator, which this library has none of.
    pub fn lint(&self) -> Vec<Problem> {
        let mut lint = Lint { document: self, problems: Vec::new(), used: HashSet::new() };
        let root = self.root();
        walk(self.value(), &mut |object, pointer, value| {
            lint.object(object, &root.with(pointer.to_owned(), value));
        });
        lint.paths(&root);
        lint.unused(&root);
        let mut problems = lint.problems;
        problems.sort();
        problems.dedup();
        problems
    }
}

struct Lint<'a> {
    document: &'a Document,
    problems: Vec<Problem>,
    /// Where references lead, and the names of schemes and tags that are used.
    used: HashSet<String>,
}

impl<'a> Lint<'a> {
    fn report(&mut self, at: &str, rule: &'static str, message: impl Into<String>) {
        self.problems.push(self.document.problem(at, rule, message.into()));
    }

    fn object(&mut self, object: Object, place: &Node<'a>) {
        let Some(members) = place.value.as_object() else { return };
        if let Some(reference) = place.text("$ref") {
            self.reference(object, place, reference, members.len());
            if object.referable() {
                return;
            }
        }
        for field in fields(object).filter(|field| field.required && !members.contains_key(field.name)) {
            let what = format!("a {object} object must have the field {:?}", field.name);
            self.report(&place.pointer, "missing-field", what);
        }
        match object {
            Object::Schema => self.schema(place),
            Object::Parameter | Object::Header => self.parameter(object, place),
            Object::SecurityScheme => self.scheme(place),
            Object::Operation => self.operation(place),
            Object::MediaType | Object::Example => self.examples(place),
            Object::Responses if !members.keys().any(|name| !name.starts_with("x-")) => {
                self.report(&place.pointer, "no-response", "an operation must have a response; add one");
            }
            _ => {}
        }
    }

    fn reference(&mut self, object: Object, place: &Node<'a>, reference: &str, members: usize) {
        let at = push(&place.pointer, "$ref");
        match of_reference(reference) {
            Some(pointer) if self.document.value().pointer(&pointer).is_some() => {
                // A component that only leads back to itself is used by nothing.
                if place.resolve().is_err() {
                    self.report(&at, "unresolved-reference", format!("{reference:?} leads in a circle"));
                }
                self.used.insert(pointer);
            }
            _ => self.report(&at, "unresolved-reference", format!("{reference:?} leads nowhere")),
        }
        if members > 1 && object.referable() {
            let what =
                "what stands beside a $ref is ignored; put the reference into an allOf, or remove the rest";
            self.report(&at, "ignored-sibling", what);
        }
    }

    fn schema(&mut self, place: &Node<'a>) {
        let at = &place.pointer;
        if place.text("type") == Some("array") && place.get("items").is_none() {
            self.report(at, "array-without-items", "an array must say what its items are; add items");
        }
        for (least, most) in [
            ("minLength", "maxLength"),
            ("minItems", "maxItems"),
            ("minProperties", "maxProperties"),
            ("minimum", "maximum"),
        ] {
            let number = |field: &str| place.value.get(field).and_then(Value::as_f64);
            if let (Some(low), Some(high)) = (number(least), number(most))
                && low > high
            {
                self.report(
                    &push(at, least),
                    "empty-range",
                    format!("{least} is above {most}: no value is allowed"),
                );
            }
        }
        if place.flag("readOnly") && place.flag("writeOnly") {
            self.report(at, "read-and-write-only", "a property cannot be both readOnly and writeOnly");
        }
        for field in ["enum", "required"] {
            let items = place.list(field);
            if items.is_empty() && place.value.get(field).is_some_and(Value::is_array) {
                self.report(&push(at, field), "empty-list", format!("{field} lists nothing; remove it"));
            }
            for (index, item) in items.iter().enumerate() {
                if items.iter().take(index).any(|other| same(other.value, item.value)) {
                    self.report(&item.pointer, "duplicate-item", format!("{} stands twice", item.value));
                }
            }
        }
        for field in ["allOf", "oneOf", "anyOf"] {
            if place.value.get(field).and_then(Value::as_array).is_some_and(Vec::is_empty) {
                self.report(&push(at, field), "empty-list", format!("{field} lists nothing; remove it"));
            }
        }
        let composed =
            ["allOf", "oneOf", "anyOf", "$ref"].iter().any(|field| place.value.get(field).is_some());
        let properties = place.map("properties");
        for item in place.list("required") {
            let name = item.value.as_str().unwrap_or_default();
            if !composed && !properties.contains_key(name) {
                let what = format!("{name:?} is required, but is no property; add it, or remove it here");
                self.report(&item.pointer, "required-undeclared", what);
            }
        }
        if let Some(discriminator) = place.get("discriminator") {
            for (name, value) in discriminator.map("mapping") {
                let text = value.value.as_str().unwrap_or_default();
                let pointer = of_reference(text).unwrap_or_else(|| push("/components/schemas", text));
                if self.document.value().pointer(&pointer).is_none() {
                    self.report(
                        &value.pointer,
                        "unresolved-reference",
                        format!("{name:?} is mapped to no schema"),
                    );
                }
            }
        }
    }

    fn parameter(&mut self, object: Object, place: &Node<'a>) {
        let at = &place.pointer;
        self.examples(place);
        let content = place.map("content");
        match (place.get("schema").is_some(), place.get("content").is_some()) {
            (true, true) => self.report(at, "schema-and-content", "schema and content exclude each other"),
            (false, false) => {
                self.report(at, "no-schema", format!("a {object} must have a schema or a content"));
            }
            (false, true) if content.len() != 1 => {
                self.report(
                    &push(at, "content"),
                    "many-contents",
                    "content must have exactly one media type",
                );
            }
            _ => {}
        }
        if object == Object::Header {
            return;
        }
        let kind = place.text("in").unwrap_or_default();
        if kind == "path" && !place.flag("required") {
            self.report(at, "optional-path-parameter", "a path parameter must have required: true");
        }
        if kind != "query" && place.get("allowEmptyValue").is_some() {
            let what = "allowEmptyValue is for query parameters alone";
            self.report(&push(at, "allowEmptyValue"), "misplaced-field", what);
        }
        let name = place.text("name").unwrap_or_default();
        if kind == "header"
            && ["accept", "content-type", "authorization"].contains(&&*name.to_ascii_lowercase())
        {
            let what = format!("a header parameter {name} is ignored; say it with content or security");
            self.report(at, "ignored-header", what);
        }
        let styles: &[&str] = match kind {
            "path" => &["simple", "label", "matrix"],
            "query" => &["form", "spaceDelimited", "pipeDelimited", "deepObject"],
            "cookie" => &["form"],
            _ => &["simple"],
        };
        if let Some(style) = place.text("style").filter(|style| !styles.contains(style)) {
            let what =
                format!("a {kind} parameter cannot have the style {style}; it has {}", styles.join(", "));
            self.report(&push(at, "style"), "impossible-style", what);
        }
    }

    fn examples(&mut self, place: &Node<'a>) {
        for (one, other) in [("example", "examples"), ("value", "externalValue")] {
            if place.get(one).is_some() && place.get(other).is_some() {
                let what = format!("{one} and {other} exclude each other");
                self.report(&push(&place.pointer, other), "two-examples", what);
            }
        }
    }

    fn scheme(&mut self, place: &Node<'a>) {
        let wanted: &[&str] = match place.text("type") {
            Some("apiKey") => &["name", "in"],
            Some("http") => &["scheme"],
            Some("oauth2") => &["flows"],
            Some("openIdConnect") => &["openIdConnectUrl"],
            _ => &[],
        };
        for field in wanted.iter().filter(|field| place.get(field).is_none()) {
            let what = format!("a security scheme of this type must have the field {field:?}");
            self.report(&place.pointer, "missing-field", what);
        }
        for (flow, fields) in [
            ("implicit", &["authorizationUrl"][..]),
            ("password", &["tokenUrl"]),
            ("clientCredentials", &["tokenUrl"]),
            ("authorizationCode", &["authorizationUrl", "tokenUrl"]),
        ] {
            let Some(flow) = place.get("flows").and_then(|flows| flows.get(flow)) else { continue };
            for field in fields.iter().filter(|field| flow.get(field).is_none()) {
                let what = format!("this flow must have the field {field:?}");
                self.report(&flow.pointer, "missing-field", what);
            }
        }
    }

    fn operation(&mut self, place: &Node<'a>) {
        for tag in place.list("tags") {
            self.used.insert(format!("tag {}", tag.value.as_str().unwrap_or_default()));
        }
    }

    fn requirements(&mut self, owner: &Node<'a>, root: &Node<'a>) {
        let schemes = root.get("components").map(|all| all.map("securitySchemes")).unwrap_or_default();
        for requirement in owner.list("security") {
            for (name, scopes) in requirement.members() {
                self.used.insert(push("/components/securitySchemes", name));
                let Some(scheme) = schemes.get(name).and_then(|place| place.resolve().ok()) else {
                    self.report(
                        &scopes.pointer,
                        "unknown-scheme",
                        format!("there is no security scheme {name:?}"),
                    );
                    continue;
                };
                let flows = scheme.map("flows");
                let known: BTreeSet<&str> =
                    flows.values().flat_map(|flow| flow.map("scopes").into_keys()).collect();
                let oauth = scheme.text("type") == Some("oauth2");
                let open = scheme.text("type") == Some("openIdConnect");
                for scope in requirement.list(name) {
                    let text = scope.value.as_str().unwrap_or_default();
                    if !(open || oauth && known.contains(text)) {
                        let what = format!("the security scheme {name:?} has no scope {text:?}");
                        self.report(&scope.pointer, "unknown-scope", what);
                    }
                }
            }
        }
    }

    fn paths(&mut self, root: &Node<'a>) {
        let mut ids: BTreeMap<&str, String> = BTreeMap::new();
        let mut templates: BTreeMap<String, &str> = BTreeMap::new();
        self.requirements(root, root);
        for (path, item) in root.map("paths") {
            if path.starts_with("x-") {
                continue;
            }
            let plain = crate::compare::nameless(path);
            if let Some(other) = templates.insert(plain, path) {
                self.report(&item.pointer, "duplicate-path", format!("{other} is the same path"));
            }
            let Ok(item) = item.resolve() else { continue };
            for method in METHODS {
                let Some(operation) = item.get(method) else { continue };
                self.requirements(&operation, root);
                if let Some(id) = operation.text("operationId")
                    && ids.insert(id, operation.pointer.clone()).is_some()
                {
                    let what = format!("another operation has the ID {id:?}");
                    self.report(&push(&operation.pointer, "operationId"), "duplicate-operation-id", what);
                }
                if ["get", "head", "delete"].contains(&method) && operation.get("requestBody").is_some() {
                    let what = format!(
                        "the body of a {} request has no meaning (RFC 9110, 9.3)",
                        method.to_uppercase()
                    );
                    self.report(&push(&operation.pointer, "requestBody"), "meaningless-body", what);
                }
                self.path_parameters(path, &item, &operation);
            }
        }
    }

    fn path_parameters(&mut self, path: &str, item: &Node<'a>, operation: &Node<'a>) {
        let names: BTreeSet<&str> = crate::compare::template_names(path).into_iter().collect();
        let mut declared = BTreeSet::new();
        for owner in [item, operation] {
            let mut own = BTreeSet::new();
            for place in owner.list("parameters") {
                let Ok(parameter) = place.resolve() else { continue };
                let (kind, name) =
                    (parameter.text("in").unwrap_or_default(), parameter.text("name").unwrap_or_default());
                if !own.insert((kind, name)) {
                    let what = format!("there is another {kind} parameter {name:?}");
                    self.report(&place.pointer, "duplicate-parameter", what);
                }
                if kind == "path" {
                    declared.insert(name);
                    if !names.contains(name) {
                        let what = format!("the path {path} has no {{{name}}}");
                        self.report(&place.pointer, "unknown-path-parameter", what);
                    }
                }
            }
        }
        for name in names.difference(&declared) {
            let what = format!("the path has {{{name}}}, but there is no path parameter of this name");
            self.report(&operation.pointer, "missing-path-parameter", what);
        }
    }

    fn unused(&mut self, root: &Node<'a>) {
        let mut unused = Vec::new();
        if let Some(components) = root.get("components") {
            for field in fields(Object::Components) {
                for (name, place) in components.map(field.name) {
                    let within = format!("{}/", place.pointer);
                    let used = self.used.iter().any(|at| *at == place.pointer || at.starts_with(&within));
                    if !used && !self.mapped(name, &place) {
                        unused.push((place.pointer, format!("nothing uses the component {name}; remove it")));
                    }
                }
            }
        }
        for tag in root.list("tags") {
            let name = tag.text("name").unwrap_or_default();
            if !self.used.contains(&format!("tag {name}")) {
                unused.push((tag.pointer, format!("no operation has the tag {name}; remove it")));
            }
        }
        for (at, what) in unused {
            self.report(&at, "unused", what);
        }
    }

    /// Whether a discriminator leads to this schema.
    fn mapped(&self, name: &str, place: &Node<'a>) -> bool {
        let mut found = false;
        mappings(self.document.value(), &mut |text| {
            found |= text == name || of_reference(text).is_some_and(|pointer| pointer == place.pointer);
        });
        found
    }
}

/// Visits every value of every `mapping`.
fn mappings(value: &Value, visit: &mut dyn FnMut(&str)) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if name == "mapping" {
                    member
                        .as_object()
                        .into_iter()
                        .flatten()
                        .filter_map(|(_, to)| to.as_str())
                        .for_each(&mut *visit);
                }
                mappings(member, visit);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| mappings(item, visit)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const EVERY_FIELD: &str = include_str!("../tests/data/every-field.json");

    fn rules(change: impl FnOnce(&mut Value)) -> Vec<(&'static str, String)> {
        let mut document: Value = serde_json::from_str(EVERY_FIELD).unwrap();
        change(&mut document);
        let problems = Document::parse(&document.to_string()).unwrap().lint();
        problems.into_iter().map(|fault| (fault.rule, fault.pointer)).collect()
    }

    /// A rule, where it is broken, and the change that breaks it.
    type Case = (&'static str, String, Box<dyn FnOnce(&mut Value)>);

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn each_demand_is_held() {
        let before = rules(|_| {});
        let thing = "/components/schemas/Thing";
        let set = |rule: &'static str, at: String, pointer: String, value: Value| -> Case {
            let change = move |document: &mut Value| {
                let (parent, key) = pointer.rsplit_once('/').unwrap();
                let key = key.replace("~1", "/").replace("~0", "~");
                match document.pointer_mut(parent).unwrap() {
                    Value::Array(items) => items.push(value),
                    other => drop(other.as_object_mut().unwrap().insert(key, value)),
                }
            };
            (rule, at, Box::new(change))
        };
        let own = |rule, pointer: String, value| set(rule, pointer.clone(), pointer, value);
        let get = "/paths/~1things~1{id}/get";
        let cases: Vec<Case> = vec![
            set("missing-field", "/info".to_owned(), "/info".to_owned(), json!({ "title": "t" })),
            own(
                "unresolved-reference",
                format!("{thing}/properties/id/$ref"),
                json!("#/components/schemas/No"),
            ),
            set(
                "ignored-sibling",
                format!("{thing}/properties/self/$ref"),
                format!("{thing}/properties/self/maxLength"),
                json!(1),
            ),
            set(
                "array-without-items",
                format!("{thing}/properties/id"),
                format!("{thing}/properties/id"),
                json!({ "type": "array" }),
            ),
            set("empty-range", format!("{thing}/minProperties"), format!("{thing}/maxProperties"), json!(0)),
            set(
                "read-and-write-only",
                format!("{thing}/properties/id"),
                format!("{thing}/properties/id/writeOnly"),
                json!(true),
            ),
            own("empty-list", format!("{thing}/required"), json!([])),
            set("duplicate-item", format!("{thing}/required/1"), format!("{thing}/required/-"), json!("id")),
            set(
                "required-undeclared",
                format!("{thing}/required/1"),
                format!("{thing}/required/-"),
                json!("no"),
            ),
            set(
                "unresolved-reference",
                format!("{thing}/properties/pet/discriminator/mapping/cow"),
                format!("{thing}/properties/pet/discriminator/mapping/cow"),
                json!("Cow"),
            ),
            set(
                "schema-and-content",
                format!("{get}/parameters/1"),
                format!("{get}/parameters/1/schema"),
                json!({}),
            ),
            set(
                "optional-path-parameter",
                "/paths/~1things~1{id}/parameters/0".to_owned(),
                "/paths/~1things~1{id}/parameters/0/required".to_owned(),
                json!(false),
            ),
            set(
                "impossible-style",
                format!("{get}/parameters/0/style"),
                format!("{get}/parameters/0/style"),
                json!("label"),
            ),
            set(
                "ignored-header",
                format!("{get}/parameters/1"),
                format!("{get}/parameters/1/name"),
                json!("Authorization"),
            ),
            set(
                "misplaced-field",
                format!("{get}/parameters/1/allowEmptyValue"),
                format!("{get}/parameters/1/allowEmptyValue"),
                json!(true),
            ),
            set(
                "two-examples",
                "/components/examples/one/externalValue".to_owned(),
                "/components/examples/one/externalValue".to_owned(),
                json!("x"),
            ),
            set(
                "unknown-scheme",
                format!("{get}/security/1/no"),
                format!("{get}/security/-"),
                json!({ "no": [] }),
            ),
            set(
                "unknown-scope",
                format!("{get}/security/1/oauth/0"),
                format!("{get}/security/-"),
                json!({ "oauth": ["no"] }),
            ),
            set(
                "duplicate-path",
                "/paths/~1things~1{name}".to_owned(),
                "/paths/~1things~1{name}".to_owned(),
                json!({}),
            ),
            set(
                "duplicate-operation-id",
                "/paths/~1things~1{id}/put/operationId".to_owned(),
                "/paths/~1things~1{id}/put/operationId".to_owned(),
                json!("thing_fetch"),
            ),
            set(
                "meaningless-body",
                format!("{get}/requestBody"),
                format!("{get}/requestBody"),
                json!({ "content": {} }),
            ),
            set(
                "duplicate-parameter",
                format!("{get}/parameters/2"),
                format!("{get}/parameters/-"),
                json!({ "name": "q", "in": "query", "schema": {} }),
            ),
            set(
                "unknown-path-parameter",
                format!("{get}/parameters/2"),
                format!("{get}/parameters/-"),
                json!({ "name": "no", "in": "path", "required": true, "schema": {} }),
            ),
            set(
                "missing-path-parameter",
                "/paths/~1a~1{b}/get".to_owned(),
                "/paths/~1a~1{b}".to_owned(),
                json!({ "get": { "responses": { "204": { "description": "" } } } }),
            ),
            set("no-response", format!("{get}/responses"), format!("{get}/responses"), json!({})),
            set(
                "unused",
                "/components/schemas/More".to_owned(),
                "/components/schemas/More".to_owned(),
                json!({}),
            ),
            set("unused", "/tags/1".to_owned(), "/tags/-".to_owned(), json!({ "name": "no" })),
            set(
                "missing-field",
                "/components/securitySchemes/bearer".to_owned(),
                "/components/securitySchemes/bearer".to_owned(),
                json!({ "type": "http" }),
            ),
        ];
        for (rule, pointer, change) in cases {
            let expected = (rule, pointer);
            assert!(!before.contains(&expected), "{expected:?} was there before");
            let found = rules(change);
            assert!(found.contains(&expected), "{expected:?} is not among {found:#?}");
        }
    }
}
