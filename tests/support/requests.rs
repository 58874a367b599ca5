//! Valid requests, derived from the contract. A new operation needs an entry here only if properties of its body depend on
//! each other.

use openapi_drift::push;
use serde_json::{Map, Value, json};

use crate::contract::{Contract, Operation};
use crate::samples::samples;
use crate::seed;

/// Properties of an operation's body that are valid only together: with one of them, all are sent.
const TOGETHER: [(&str, &[&str]); 1] = [("create_session", &["account_id", "authenticated_identity_id"])];

/// Properties of an operation's body of which exactly one is sent: the first, unless another one is asked for.
const ONE_OF: [(&str, &[&str]); 1] =
    [("revoke_sessions", &["account_id", "authenticated_identity_id", "device_id", "pool_id"])];

/// The existing objects that a request names.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The session in the path.
    pub session_id: &'a str,
    /// The account in the body.
    pub account_id: &'a str,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its method, in capitals.
    pub method: String,
    /// Its path and query, encoded.
    pub target: String,
    /// Its body.
    pub body: Option<Value>,
}

impl Contract {
    /// A valid request with the required parameters and as small a body as possible.
    pub fn request(&self, operation: &Operation, subject: Subject<'_>) -> Request {
        let required = operation.parameters.iter().filter(|one| one.location == "query" && one.required);
        let pairs = required.filter_map(|parameter| {
            let value = text(&self.sample(&parameter.schema)?);
            Some(format!("{}={}", encoded(&parameter.name), encoded(&value)))
        });
        let pairs: Vec<String> = pairs.collect();
        let query = if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) };
        Request {
            method: operation.method.clone(),
            target: path_with(operation, subject.session_id) + &query,
            body: operation.body.as_ref().map(|_| Value::Object(self.body(operation, None, subject))),
        }
    }

    /// A valid body without optional properties, apart from those that `added` needs beside it.
    pub fn body(
        &self,
        operation: &Operation,
        added: Option<&str>,
        subject: Subject<'_>,
    ) -> Map<String, Value> {
        let schema = self.resolve(operation.body.as_deref().unwrap_or_default());
        let mut names = self.texts(&push(&schema, "required"));
        for (_, together) in TOGETHER.iter().filter(|(id, _)| *id == operation.id) {
            let asked = added.filter(|name| together.contains(name));
            names.extend(together.iter().filter(|name| asked.is_some_and(|asked| asked != **name)));
        }
        for (_, one_of) in ONE_OF.iter().filter(|(id, _)| *id == operation.id) {
            let asked = added.filter(|name| one_of.contains(name));
            names.extend(one_of.first().filter(|first| asked.is_none_or(|asked| asked == **first)));
        }
        let mut body = Map::new();
        for name in names {
            let property = push(&push(&schema, "properties"), name);
            let value = match name {
                "account_id" if !subject.account_id.is_empty() => Some(json!(subject.account_id)),
                _ => self.sample(&property),
            };
            body.extend(value.map(|value| (name.to_owned(), value)));
        }
        body
    }

    /// The smallest valid value of the schema at a pointer; `None` if none can be made.
    pub fn sample(&self, schema: &str) -> Option<Value> {
        self.remembered_sample(schema, || samples(self, schema).0.map(|samples| samples.smallest))
            .filter(|value| self.allows(schema, value))
    }
}

/// A valid request of the operation with this ID, about this session and the seed's account.
pub fn call(contract: &Contract, operation_id: &str, session_id: &str) -> Request {
    let operation = contract.operation(operation_id);
    let operation = operation.unwrap_or_else(|| panic!("openapi.json has no operation {operation_id}"));
    contract.request(operation, Subject { session_id, account_id: seed::ACCOUNT_ID })
}

/// The path of an operation with this value for its parameter.
pub fn path_with(operation: &Operation, value: &str) -> String {
    let segments = operation.path.split('/');
    let filled = segments.map(|one| if one.starts_with('{') { encoded(value) } else { one.to_owned() });
    filled.collect::<Vec<_>>().join("/")
}

/// A scalar as a parameter has it.
pub fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A text, percent-encoded for any part of a URL.
pub fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'-' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_a_valid_request_and_every_property_a_valid_body() {
        let contract = Contract::load();
        for operation in contract.operations() {
            let request = call(&contract, &operation.id, seed::SESSION_ID);
            let served = contract.operation_for(&request.method, &request.target);
            assert_eq!(served.map(|served| &served.id), Some(&operation.id));
            assert_eq!(request.target.contains(seed::SESSION_ID), operation.path_parameter().is_some());
            assert_eq!(request.body.is_some(), operation.body.is_some(), "{}", operation.id);
            let Some(schema) = &operation.body else { continue };
            let subject = Subject { session_id: seed::SESSION_ID, account_id: seed::ACCOUNT_ID };
            let properties = contract.members(&push(&contract.resolve(schema), "properties"));
            for (name, property) in properties {
                let mut body = contract.body(operation, Some(name), subject);
                body.insert(name.to_owned(), contract.sample(&property).unwrap());
                assert_eq!(contract.errors(schema, &Value::Object(body)), [], "{}: {name}", operation.id);
            }
        }
    }

    #[test]
    fn what_belongs_together_is_sent_together_and_alternatives_are_not() {
        let contract = Contract::load();
        let names = |id: &str, added: Option<&str>| {
            let subject = Subject { session_id: "", account_id: "" };
            contract.body(contract.operation(id).unwrap(), added, subject).keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(names("create_session", None), ["session_type"]);
        assert_eq!(
            names("create_session", Some("account_id")),
            ["authenticated_identity_id", "session_type"]
        );
        assert_eq!(names("revoke_sessions", None), ["account_id"]);
        assert_eq!(names("revoke_sessions", Some("except_session_id")), ["account_id"]);
        assert_eq!(names("revoke_sessions", Some("device_id")), Vec::<String>::new());
    }

    /// The tables name what the contract has.
    #[test]
    fn every_property_that_depends_on_another_is_in_the_contract() {
        let contract = Contract::load();
        for (id, properties) in TOGETHER.iter().chain(&ONE_OF) {
            let body = contract.operation(id).and_then(|operation| operation.body.clone()).unwrap();
            for property in *properties {
                assert!(contract.member(&push(&contract.resolve(&body), "properties"), property).is_some());
            }
        }
    }
}
