//! Holds an answer against `openapi.json`.

use std::collections::BTreeMap;

use jsonschema::{Draft, Validator};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

/// The contract, ready to judge answers.
#[derive(Debug)]
pub struct Contract {
    document: Value,
    /// By the pointer of the schema.
    validators: BTreeMap<String, Validator>,
}

impl Contract {
    /// The contract of this repository.
    pub fn load() -> Self {
        let text = include_str!("../../openapi.json");
        Self::of(serde_json::from_str(text).expect("the contract is JSON"))
    }

    /// The contract of this document.
    pub fn of(document: Value) -> Self {
        let mut contract = Self { document, validators: BTreeMap::new() };
        let mut schemas = Vec::new();
        find_schemas(&contract.document, &mut String::new(), &mut schemas);
        for pointer in schemas {
            let validator = contract.validator(contract.document.pointer(&pointer).unwrap_or(&Value::Null));
            contract.validators.insert(pointer, validator);
        }
        contract
    }

    /// The document itself.
    pub const fn document(&self) -> &Value {
        &self.document
    }

    /// A validator of a schema of this document. Panics on a schema that is none.
    pub fn validator(&self, schema: &Value) -> Validator {
        // The components stand beside the reference, for its target to be found.
        let whole = json!({ "allOf": [schema], "components": self.document["components"] });
        jsonschema::options()
            .with_draft(Draft::Draft4)
            .should_validate_formats(true)
            .with_format("uuid", |text: &str| text.len() == 36)
            .build(&whole)
            .unwrap_or_else(|error| panic!("{schema}: {error}"))
    }

    /// What is wrong with an answer; nothing for a path or method that the contract does not have.
    pub fn judge(
        &self,
        method: &str,
        path: &str,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Vec<String> {
        let Some(operation) = self.operation(method, path) else { return Vec::new() };
        let pointer = format!("{operation}/responses/{}", status.as_u16());
        let Some(response) = self.resolve(&pointer) else {
            return vec![format!("{method} {path}: the contract has no answer {status} ({pointer})")];
        };
        let mut faults = Vec::new();
        let declared = self.document.pointer(&format!("{response}/headers")).and_then(Value::as_object);
        for name in ["Cache-Control", "Retry-After", "WWW-Authenticate", "X-Request-Id"] {
            if headers.contains_key(name) && declared.is_none_or(|declared| !declared.contains_key(name)) {
                faults.push(format!("the contract has no header {name}"));
            }
        }
        for name in declared.into_iter().flat_map(|headers| headers.keys()) {
            let header = self.resolve(&format!("{response}/headers/{name}")).unwrap_or_default();
            let required = self.document.pointer(&format!("{header}/required")) == Some(&json!(true));
            match headers.get(name).map(|value| value.to_str().unwrap_or_default()) {
                None if required => faults.push(format!("header {name} is missing")),
                None => {}
                Some(text) => {
                    let number = text.parse::<i64>().map(Value::from);
                    let integer =
                        self.document.pointer(&format!("{header}/schema/type")) == Some(&json!("integer"));
                    let value = number.ok().filter(|_| integer).unwrap_or_else(|| text.into());
                    faults.extend(self.schema_faults(&format!("{header}/schema"), &value));
                }
            }
        }
        let media = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default();
        let schema = format!("{response}/content/{}/schema", media.replace('/', "~1"));
        match (self.resolve(&schema), serde_json::from_slice::<Value>(body)) {
            (Some(schema), Ok(value)) => faults.extend(self.schema_faults(&schema, &value)),
            (None, _) => faults.push(format!("the contract has no media type {media:?}")),
            (_, Err(error)) => faults.push(format!("the body is not JSON: {error}")),
        }
        faults.iter().map(|fault| format!("{method} {path}: {status}: {fault} ({pointer})")).collect()
    }

    fn schema_faults(&self, pointer: &str, value: &Value) -> Vec<String> {
        let Some(validator) = self.validators.get(pointer) else {
            return vec![format!("no validator for {pointer}")];
        };
        validator
            .iter_errors(value)
            .map(|error| format!("{} at {} of the body", error, error.instance_path()))
            .collect()
    }

    /// The pointer of the operation that a path and method belong to.
    pub(crate) fn operation(&self, method: &str, path: &str) -> Option<String> {
        let path: Vec<&str> = path.split('?').next()?.split('/').collect();
        let template = self.document["paths"].as_object()?.keys().find(|template| {
            let template: Vec<&str> = template.split('/').collect();
            template.len() == path.len()
                && template.iter().zip(&path).all(|(want, got)| want.starts_with('{') || want == got)
        })?;
        let pointer =
            format!("/paths/{}/{}", template.replace('~', "~0").replace('/', "~1"), method.to_lowercase());
        self.document.pointer(&pointer).map(|_| pointer)
    }

    /// The pointer that a pointer leads to after its reference, if it is one.
    fn resolve(&self, pointer: &str) -> Option<String> {
        let mut pointer = pointer.to_owned();
        while let Some(reference) = self.document.pointer(&pointer)?.get("$ref") {
            pointer = reference.as_str()?.strip_prefix('#')?.to_owned();
        }
        Some(pointer)
    }
}

/// Collects the pointer of every value under a `schema` key and of every named schema.
fn find_schemas(value: &Value, pointer: &mut String, found: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(place, value)| (place.to_string(), value)).collect()
        }
        _ => return,
    };
    let named = pointer == "/components/schemas";
    for (name, child) in children {
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
        if named || name == "schema" {
            found.push(pointer.clone());
        }
        find_schemas(child, pointer, found);
        pointer.truncate(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(change: impl FnOnce(&mut Value, &mut HeaderMap), status: u16) -> Vec<String> {
        let mut body = json!({ "actions": { "revoke": true }, "summary": crate::seed::summary() });
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        headers.insert("cache-control", "no-store".parse().unwrap());
        headers.insert("x-request-id", "64ac4f0c-0000-4000-8000-000000000000".parse().unwrap());
        change(&mut body, &mut headers);
        let body = body.to_string();
        let path = "/api/v1/session/013xrzp12g3nqk8nkv4y96wrbzje9dsr";
        let status = StatusCode::from_u16(status).unwrap();
        Contract::load().judge("GET", path, status, &headers, body.as_bytes())
    }

    #[test]
    fn an_answer_of_the_contract_has_no_fault() {
        assert_eq!(judged(|_, _| {}, 200), Vec::<String>::new());
    }

    #[test]
    fn each_deviation_is_a_fault() {
        let deviations: [fn(&mut Value, &mut HeaderMap); 12] = [
            |body, _| body["summary"]["status"] = json!("asleep"),
            |body, _| body["summary"]["id"] = json!("013XRZP12G3NQK8NKV4Y96WRBZJE9DSR"),
            |body, _| body["summary"]["title"] = Value::Null,
            |body, _| body["summary"]["first_seen"]["remote_ip"] = json!("300.1.1.1"),
            |body, _| body["summary"]["first_seen"]["at"] = json!("1234567890"),
            |body, _| body["actions"]["revoke"] = json!(1),
            |body, _| drop(body["summary"].as_object_mut().unwrap().remove("pool_id")),
            |body, _| *body = json!([]),
            |_, headers| drop(headers.remove("cache-control")),
            |_, headers| drop(headers.insert("cache-control", "public".parse().unwrap())),
            |_, headers| drop(headers.insert("retry-after", "1".parse().unwrap())),
            |_, headers| drop(headers.insert("content-type", "text/plain".parse().unwrap())),
        ];
        for (place, deviation) in deviations.into_iter().enumerate() {
            assert!(!judged(deviation, 200).is_empty(), "deviation {place}");
        }
        assert_ne!(judged(|_, _| {}, 418), Vec::<String>::new(), "a status that is not in the contract");
        assert_ne!(judged(|_, _| {}, 401), Vec::<String>::new(), "a body and headers of another status");
    }
}
