//! The contract as a document of which nothing is taken for granted.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

use crate::probe::probes;
use crate::report::Report;

/// The methods that a path of an OpenAPI document may have.
pub(crate) const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// How many references may lead from one to the next before they are taken for a circle.
const HOPS_MAX: usize = 32;

/// A parameter of an operation.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    /// Where it is described, its reference followed.
    pub(crate) pointer: String,
    /// Its name.
    pub(crate) name: String,
    /// `path`, `query` or another.
    pub(crate) place: String,
    /// Whether it may not be left out.
    pub(crate) required: bool,
}

/// An operation of the document.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// Where it is described.
    pub(crate) pointer: String,
    /// Its ID, or method and path if it has none.
    pub(crate) id: String,
    /// In capitals.
    pub(crate) method: String,
    /// As a template.
    pub(crate) path: String,
    /// Its own and its path's.
    pub(crate) parameters: Vec<Parameter>,
    /// Where the body's schema is, if it takes JSON.
    pub(crate) body: Option<String>,
}

impl Operation {
    /// The parameter in its path, if it has one.
    pub(crate) fn path_parameter(&self) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.place == "path")
    }

    /// Whether it only reads.
    pub(crate) fn reads(&self) -> bool {
        self.method == "GET"
    }
}

/// The document, and what was made of it.
#[derive(Debug)]
pub(crate) struct Spec {
    /// As it was read.
    pub(crate) document: Value,
    /// As the validator takes it: `nullable` written out.
    plain: Value,
    validators: RefCell<BTreeMap<String, Option<Rc<Validator>>>>,
}

/// A pointer one step further.
pub(crate) fn child(pointer: &str, token: &str) -> String {
    format!("{pointer}/{}", token.replace('~', "~0").replace('/', "~1"))
}

impl Spec {
    /// The contract in this document.
    pub(crate) fn new(document: Value) -> Self {
        let mut plain = document.clone();
        write_out(&mut plain);
        Self { document, plain, validators: RefCell::default() }
    }

    /// The value at a pointer; null where there is none.
    pub(crate) fn get(&self, pointer: &str) -> &Value {
        self.document.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// Where a pointer leads when references are followed.
    pub(crate) fn resolve(&self, pointer: &str) -> String {
        let mut at = pointer.to_owned();
        for _ in 0..HOPS_MAX {
            let Some(reference) = self.get(&at).get("$ref").and_then(Value::as_str) else { break };
            match reference.strip_prefix('#').filter(|target| self.document.pointer(target).is_some()) {
                Some(target) => target.clone_into(&mut at),
                None => break,
            }
        }
        at
    }

    /// The resolved place of a member.
    pub(crate) fn member(&self, pointer: &str, name: &str) -> Option<String> {
        let at = child(&self.resolve(pointer), name);
        self.document.pointer(&at).map(|_| self.resolve(&at))
    }

    /// The pointer itself, or as much of it as leads somewhere.
    pub(crate) fn nearest<'a>(&self, pointer: &'a str) -> &'a str {
        let mut at = pointer;
        while self.document.pointer(at).is_none() {
            at = at.rsplit_once('/').map_or("", |(above, _)| above);
        }
        at
    }

    /// The members of an object; none of anything else.
    pub(crate) fn members(&self, pointer: &str) -> Vec<(&str, &Value)> {
        let members = self.get(pointer).as_object();
        members.into_iter().flatten().map(|(name, value)| (name.as_str(), value)).collect()
    }

    /// The texts of a list; none of anything else.
    pub(crate) fn texts(&self, pointer: &str) -> Vec<&str> {
        self.get(pointer).as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// Every operation, in the order of the document.
    pub(crate) fn operations(&self) -> Vec<Operation> {
        let mut all = Vec::new();
        for (path, _) in self.members("/paths") {
            let item = child("/paths", path);
            for method in METHODS {
                let pointer = child(&item, method);
                if !self.get(&pointer).is_object() {
                    continue;
                }
                let id = self.get(&pointer)["operationId"].as_str();
                let id = id.map_or_else(|| format!("{} {path}", method.to_uppercase()), str::to_owned);
                let mut parameters = self.parameters(&item);
                let own = self.parameters(&pointer);
                parameters
                    .retain(|one| own.iter().all(|two| (&one.name, &one.place) != (&two.name, &two.place)));
                parameters.extend(own);
                let body = self.member(&pointer, "requestBody").and_then(|body| {
                    let schema = child(&child(&child(&body, "content"), "application/json"), "schema");
                    self.document.pointer(&schema).map(|_| schema)
                });
                let (method, path) = (method.to_uppercase(), path.to_owned());
                all.push(Operation { pointer, id, method, path, parameters, body });
            }
        }
        all
    }

    fn parameters(&self, pointer: &str) -> Vec<Parameter> {
        let list = child(pointer, "parameters");
        let count = self.get(&list).as_array().map_or(0, Vec::len);
        let of = |place: usize| {
            let pointer = self.resolve(&child(&list, &place.to_string()));
            let text = |name: &str| self.get(&pointer)[name].as_str().unwrap_or_default().to_owned();
            let required = self.get(&pointer)["required"] == true;
            Parameter { name: text("name"), place: text("in"), required, pointer }
        };
        (0..count).map(of).collect()
    }

    /// The validator of the schema at a pointer; `None` if it cannot be compiled.
    pub(crate) fn validator(&self, pointer: &str) -> Option<Rc<Validator>> {
        if let Some(known) = self.validators.borrow().get(pointer) {
            return known.clone();
        }
        let built = self.build(pointer).ok().map(Rc::new);
        self.validators.borrow_mut().insert(pointer.to_owned(), built.clone());
        built
    }

    fn build(&self, pointer: &str) -> Result<Validator, String> {
        // Beside the whole document, for every reference to find its target.
        let mut whole = self.plain.as_object().cloned().unwrap_or_default();
        let fragment: String = pointer
            .bytes()
            .map(|byte| match byte {
                b'/' | b'~' | b'_' | b'-' | b'.' => char::from(byte).to_string(),
                _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect();
        whole.insert("allOf".to_owned(), json!([{ "$ref": format!("#{fragment}") }]));
        jsonschema::options()
            .with_draft(Draft::Draft4)
            .should_validate_formats(true)
            .with_format("uuid", is_uuid)
            .build(&Value::Object(whole))
            .map_err(|error| error.to_string())
    }

    /// Where a value breaks the schema at a pointer: the keyword's pointer, and the place in the value.
    pub(crate) fn faults(&self, pointer: &str, value: &Value) -> Vec<(String, String)> {
        let Some(validator) = self.validator(pointer) else { return Vec::new() };
        let faults = validator.iter_errors(value).map(|error| {
            let path = error.evaluation_path().as_str().to_owned();
            let tokens: Vec<&str> = path.split('/').skip(3).collect();
            (self.locate(pointer, &tokens), error.instance_path().as_str().to_owned())
        });
        let mut faults: Vec<_> = faults.collect();
        faults.sort();
        faults.dedup();
        faults
    }

    /// Whether a value is one of the schema at a pointer.
    pub(crate) fn allows(&self, pointer: &str, value: &Value) -> bool {
        self.validator(pointer).is_none_or(|validator| validator.is_valid(value))
    }

    /// The pointer of a keyword, from the way that the validator took to it.
    fn locate(&self, base: &str, tokens: &[&str]) -> String {
        let mut at = base.to_owned();
        // The first is the reference to `base` itself.
        for token in tokens.iter().skip(1) {
            if *token == "$ref" {
                at = self.resolve(&at);
                continue;
            }
            let single = *token == "allOf" && self.get(&at).get("allOf").is_none();
            let next = format!("{at}/{}", if single { "oneOf" } else { token });
            if self.document.pointer(&next).is_none() {
                break;
            }
            at = next;
        }
        at
    }
}

/// A UUID as RFC 9562 writes it.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Writes `nullable` out, and an alternative that stands alone as what it is, so that a fault is found in it and not
/// around it.
fn write_out(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.values_mut().for_each(write_out);
            if members.get("oneOf").and_then(Value::as_array).is_some_and(|all| all.len() == 1)
                && !members.contains_key("allOf")
                && let Some(alternatives) = members.remove("oneOf")
            {
                members.insert("allOf".to_owned(), alternatives);
            }
            if members.get("nullable") == Some(&json!(true)) {
                if let Some(Value::String(name)) = members.get("type").cloned() {
                    members.insert("type".to_owned(), json!([name, "null"]));
                }
                if let Some(Value::Array(values)) = members.get_mut("enum") {
                    values.push(Value::Null);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(write_out),
        _ => {}
    }
}

/// The keywords of a schema that the suite knows, those that only describe included.
const KEYWORDS: [&str; 28] = [
    "$ref",
    "type",
    "properties",
    "required",
    "additionalProperties",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "format",
    "items",
    "minItems",
    "maxItems",
    "uniqueItems",
    "oneOf",
    "anyOf",
    "allOf",
    "nullable",
    "title",
    "description",
    "default",
    "example",
    "deprecated",
];

/// The formats that the suite knows. Of the numbers', the bounds are those that the schema names.
const FORMATS: [&str; 9] = ["uuid", "ipv4", "ipv6", "uint32", "uint64", "int32", "int64", "float", "double"];

const TYPES: [&str; 6] = ["string", "number", "integer", "boolean", "array", "object"];

/// Whether the document is one at all: every reference leads somewhere, every schema is one, and nothing in it is
/// unknown here.
pub(crate) fn examine(spec: &Spec, report: &mut Report) {
    let mut schemas = BTreeSet::new();
    references(&spec.document, "", spec, report, &mut schemas);
    report.check(!spec.operations().is_empty(), "no-operation", "", || {
        "the document has no operation at all".to_owned()
    });
    for operation in spec.operations() {
        parameters(&operation, report);
        described(spec, &operation, report);
    }
    let mut seen = BTreeSet::new();
    for pointer in &schemas {
        schema(spec, pointer, report, &mut seen);
    }
    for pointer in schemas {
        let built = spec.validator(&pointer).is_some();
        report.check(built, "schema-invalid", &pointer, || {
            "the schema cannot be compiled: something in it, or behind a reference of it, is no JSON Schema".to_owned()
        });
    }
}

/// Checks that the parameters in the path are those that the path has.
fn parameters(operation: &Operation, report: &mut Report) {
    let named: Vec<&str> = operation
        .path
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .collect();
    for name in &named {
        let described = operation.parameters.iter().any(|one| one.place == "path" && one.name == *name);
        report.check(described, "parameter-invalid", &operation.pointer, || {
            format!("{}: {name} is in the path, but is none of the parameters", operation.id)
        });
    }
    for parameter in operation.parameters.iter().filter(|one| one.place == "path") {
        let fits = parameter.required && named.contains(&parameter.name.as_str());
        report.check(fits, "parameter-invalid", &parameter.pointer, || {
            format!("{}: a parameter in the path is required, and the path names it", operation.id)
        });
    }
}

/// Checks that whatever has a value has a schema for it: without one, anything would do.
fn described(spec: &Spec, operation: &Operation, report: &mut Report) {
    let mut places: Vec<String> = operation.parameters.iter().map(|one| one.pointer.clone()).collect();
    let mut bodies: Vec<String> = spec.member(&operation.pointer, "requestBody").into_iter().collect();
    let responses = child(&operation.pointer, "responses");
    for (status, _) in spec.members(&responses) {
        let response = spec.resolve(&child(&responses, status));
        let headers = child(&response, "headers");
        let names = spec.members(&headers).into_iter().map(|(name, _)| spec.resolve(&child(&headers, name)));
        places.extend(names);
        bodies.push(response);
    }
    for content in bodies.iter().map(|body| child(body, "content")) {
        places.extend(spec.members(&content).into_iter().map(|(media, _)| child(&content, media)));
    }
    for place in places {
        report.check(spec.get(&place).get("schema").is_some(), "schema-missing", &place, || {
            format!("{}: the value that is described here has no schema", operation.id)
        });
    }
}

/// Checks references, and collects the pointers of schemas.
fn references(
    value: &Value,
    pointer: &str,
    spec: &Spec,
    report: &mut Report,
    schemas: &mut BTreeSet<String>,
) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        _ => return,
    };
    if let Some(reference) = value.get("$ref") {
        let target = reference.as_str().and_then(|text| text.strip_prefix('#'));
        let found = target.is_some_and(|target| spec.document.pointer(target).is_some());
        report.check(found, "reference-unresolved", pointer, || {
            format!("the reference {reference} leads nowhere in this document")
        });
        let end = spec.resolve(pointer);
        report.check(!found || spec.get(&end).get("$ref").is_none(), "reference-unresolved", pointer, || {
            format!("the reference {reference} leads from one to the next and ends nowhere")
        });
    }
    let named = pointer == "/components/schemas";
    for (name, value) in children {
        let at = child(pointer, &name);
        // An example may hold anything.
        if name == "example" || name == "examples" {
            continue;
        }
        if named || (name == "schema" && !pointer.ends_with("/properties")) {
            schemas.insert(at.clone());
        }
        references(value, &at, spec, report, schemas);
    }
}

/// Checks that every keyword of a schema is one that the suite knows.
fn schema(spec: &Spec, pointer: &str, report: &mut Report, seen: &mut BTreeSet<String>) {
    let pointer = spec.resolve(pointer);
    if !seen.insert(pointer.clone()) {
        return;
    }
    let value = spec.get(&pointer);
    report.check(value.is_object(), "schema-invalid", &pointer, || "the schema is not an object".to_owned());
    for (name, _) in spec.members(&pointer) {
        let known = KEYWORDS.contains(&name) || name.starts_with("x-");
        report.check(known, "keyword-unknown", &child(&pointer, name), || {
            format!("the suite does not know the schema keyword {name}, so it cannot say whether the server keeps it")
        });
    }
    for (keyword, known) in [("format", &FORMATS[..]), ("type", &TYPES)] {
        if let Some(word) = value.get(keyword) {
            let known = word.as_str().is_some_and(|word| known.contains(&word));
            report.check(known, "keyword-unknown", &child(&pointer, keyword), || {
                format!("the suite does not know the {keyword} {word}, so it cannot say whether the server keeps it")
            });
        }
    }
    for keyword in ["oneOf", "anyOf", "allOf"] {
        let list = child(&pointer, keyword);
        for place in 0..spec.get(&list).as_array().map_or(0, Vec::len) {
            schema(spec, &child(&list, &place.to_string()), report, seen);
        }
    }
    for (name, _) in spec.members(&child(&pointer, "properties")) {
        schema(spec, &child(&child(&pointer, "properties"), name), report, seen);
    }
    for keyword in ["items", "additionalProperties"] {
        if value.get(keyword).is_some_and(Value::is_object) {
            schema(spec, &child(&pointer, keyword), report, seen);
        }
    }
    for keyword in probes(spec, &pointer).out_of_reach {
        report.check(false, "bound-out-of-reach", &keyword, || {
            let word = keyword.rsplit('/').next().unwrap_or_default();
            format!("no value is on the bound of {word} and valid besides: the schema contradicts itself")
        });
    }
    for name in spec.texts(&child(&pointer, "required")) {
        let listed = value["properties"].get(name).is_some();
        report.check(listed, "required-unlisted", &child(&pointer, "required"), || {
            format!("{name} is required, but is none of the properties")
        });
    }
}
