//! The contract: pointers, operations and validation, all of it through `openapi-drift`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use openapi_drift::validate::{Validator, ValueError};
use openapi_drift::{Document, Problem, push, read};
use serde_json::Value;

/// An operation of the contract.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Where it is described.
    pub pointer: String,
    /// Its `operationId`, or method and path if it has none.
    pub id: String,
    /// In capitals.
    pub method: String,
    /// The path template.
    pub path: String,
    /// Its own parameters and its path's.
    pub parameters: Vec<Parameter>,
    /// Where the schema of its JSON body is described, if it has one.
    pub body: Option<String>,
    /// The names of the schemes of each alternative of its security.
    pub security: Vec<Vec<String>>,
    /// Where its security is described.
    pub security_pointer: String,
}

impl Operation {
    /// The parameter in its path, if it has one.
    pub fn path_parameter(&self) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.location == "path")
    }

    /// Whether it accepts credentials of this scheme.
    pub fn accepts(&self, scheme: &str) -> bool {
        self.security.iter().flatten().any(|name| name == scheme)
    }

    /// Whether it only reads.
    pub fn reads(&self) -> bool {
        self.method == "GET"
    }
}

/// A parameter of an operation.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Where it is described, its references followed.
    pub pointer: String,
    /// Its name.
    pub name: String,
    /// `path`, `query`, `header` or `cookie`.
    pub location: String,
    /// Whether a request must have it.
    pub required: bool,
    /// Where its schema is described.
    pub schema: String,
}

/// The contract. Values are addressed by JSON pointers.
#[derive(Debug)]
pub struct Contract {
    document: Document,
    operations: Vec<Operation>,
    /// By the pointer of the schema; `None` for one that cannot be compiled.
    validators: Mutex<BTreeMap<String, Option<Arc<Validator>>>>,
    /// By the pointer of the schema.
    samples: Mutex<BTreeMap<String, Option<Value>>>,
}

impl Contract {
    /// The contract of this repository.
    pub fn load() -> Self {
        Self::parse(include_str!("../../openapi.json"))
            .unwrap_or_else(|error| panic!("openapi.json: {error}"))
    }

    /// Reads a document.
    ///
    /// # Errors
    ///
    /// It has problems. `cargo xtask check` reports all of them; this returns the first.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let document = Document::parse(text)?;
        if let Some(problem) = document.problems().iter().cloned().chain(document.lint()).next() {
            return Err(problem);
        }
        let operations = document.operations().map(|operation| described(&document, &operation)).collect();
        Ok(Self { document, operations, validators: Mutex::default(), samples: Mutex::default() })
    }

    /// The document as JSON.
    pub const fn document(&self) -> &Value {
        self.document.value()
    }

    /// Every operation.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The operation with this ID.
    pub fn operation(&self, id: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.id == id)
    }

    /// The operation that serves a request.
    pub fn operation_for(&self, method: &str, path: &str) -> Option<&Operation> {
        let pointer = self.document.operation_for(method, path)?.node.pointer;
        self.operations.iter().find(|operation| operation.pointer == pointer)
    }

    /// The value at a pointer; null if there is none.
    pub fn get(&self, pointer: &str) -> &Value {
        self.document().pointer(pointer).unwrap_or(&Value::Null)
    }

    /// Whether the document has a value at a pointer.
    pub fn has(&self, pointer: &str) -> bool {
        self.document().pointer(pointer).is_some()
    }

    /// The string at a pointer; empty if there is none.
    pub fn text(&self, pointer: &str) -> &str {
        self.get(pointer).as_str().unwrap_or_default()
    }

    /// The strings of the list at a pointer.
    pub fn texts(&self, pointer: &str) -> Vec<&str> {
        self.get(pointer).as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The pointers of the items of the list at a pointer.
    pub fn items(&self, pointer: &str) -> Vec<String> {
        let count = self.get(pointer).as_array().map_or(0, Vec::len);
        (0..count).map(|index| format!("{pointer}/{index}")).collect()
    }

    /// The members of the object at a pointer: name and pointer of each.
    pub fn members(&self, pointer: &str) -> Vec<(&str, String)> {
        let members = self.get(pointer).as_object().into_iter().flatten();
        members.map(|(name, _)| (name.as_str(), push(pointer, name))).collect()
    }

    /// The pointer that a pointer leads to when references are followed.
    pub fn resolve(&self, pointer: &str) -> String {
        self.document.resolve(pointer).map_or_else(|_| pointer.to_owned(), |node| node.pointer)
    }

    /// The pointer of a member, references followed before and after it.
    pub fn member(&self, pointer: &str, name: &str) -> Option<String> {
        let member = push(&self.resolve(pointer), name);
        self.has(&member).then(|| self.resolve(&member))
    }

    /// The pointer of a member of what a pointer leads to. The document need not have it.
    pub fn child(&self, pointer: &str, name: &str) -> String {
        push(&self.resolve(pointer), name)
    }

    /// The longest beginning of a pointer at which the document has a value.
    pub fn nearest(&self, pointer: &str) -> String {
        let mut pointer = pointer;
        while !self.has(pointer) {
            pointer = pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
        }
        pointer.to_owned()
    }

    /// Where the response of a status is described: by its number, its range, or as the default.
    pub fn response(&self, operation: &Operation, status: u16) -> Option<String> {
        let responses = push(&operation.pointer, "responses");
        let keys = [status.to_string(), format!("{}XX", status / 100), "default".to_owned()];
        keys.iter().find_map(|key| self.member(&responses, key))
    }

    /// What a value violates of the schema at a pointer; nothing if the schema cannot be compiled.
    pub fn errors(&self, schema: &str, value: &Value) -> Vec<ValueError> {
        self.validator(schema).map(|validator| validator.errors(value)).unwrap_or_default()
    }

    /// Whether a value is valid by the schema at a pointer; no value is if the schema cannot be compiled.
    pub fn allows(&self, schema: &str, value: &Value) -> bool {
        self.validator(schema).is_some_and(|validator| validator.is_valid(value))
    }

    /// The validator of the schema at a pointer; `None` if it cannot be compiled.
    pub fn validator(&self, schema: &str) -> Option<Arc<Validator>> {
        let pointer = self.resolve(schema);
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        let compile = || self.document.validator(&pointer).ok().map(Arc::new);
        validators.entry(pointer.clone()).or_insert_with(compile).clone()
    }

    /// The sample of a schema, made once.
    pub(crate) fn remembered_sample(
        &self,
        schema: &str,
        make: impl FnOnce() -> Option<Value>,
    ) -> Option<Value> {
        let pointer = self.resolve(schema);
        let known = self.samples.lock().unwrap_or_else(PoisonError::into_inner).get(&pointer).cloned();
        known.unwrap_or_else(|| {
            let made = make();
            self.samples.lock().unwrap_or_else(PoisonError::into_inner).insert(pointer, made.clone());
            made
        })
    }
}

fn described(document: &Document, operation: &read::Operation<'_>) -> Operation {
    let pointer = operation.node.pointer.clone();
    let method = operation.method.to_uppercase();
    let id = operation.id().map_or_else(|| format!("{method} {}", operation.path), str::to_owned);
    let parameters = operation.parameters().into_iter().map(|parameter| Parameter {
        name: parameter.name.to_owned(),
        location: parameter.location.to_owned(),
        required: parameter.required,
        schema: parameter.schema().map(|schema| schema.pointer).unwrap_or_default(),
        pointer: parameter.node.pointer,
    });
    let json = operation.request_body().and_then(|body| {
        let json = body.content().into_iter().find(|media| media.name == "application/json")?;
        Some(json.schema()?.pointer)
    });
    let own = push(&pointer, "security");
    let of_document = document.value().pointer(&own).is_none() && document.value().get("security").is_some();
    let security = operation.security().into_iter().filter(|requirement| !requirement.is_empty());
    Operation {
        id,
        parameters: parameters.collect(),
        path: operation.path.to_owned(),
        body: json,
        security: security.map(|requirement| requirement.into_keys().map(str::to_owned).collect()).collect(),
        security_pointer: if of_document { "/security".to_owned() } else { own },
        method,
        pointer,
    }
}
