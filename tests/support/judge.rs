//! A response, validated against the contract: headers, media type, body, error code.

use std::collections::BTreeSet;

use openapi_drift::push;
use reqwest::header::{HeaderMap, HeaderName};
use serde_json::Value;

use crate::contract::{Contract, Operation};
use crate::coverage::Visit;

/// Headers that every response may have, documented or not, each with its reason.
const TRANSPORT_HEADERS: [(&str, &str); 6] = [
    ("content-type", "the contract documents it as the media type"),
    ("content-length", "frames the message (RFC 9110)"),
    ("transfer-encoding", "frames the message (RFC 9112)"),
    ("connection", "is of the connection alone (RFC 9110)"),
    ("keep-alive", "is of the connection alone (RFC 9112)"),
    ("date", "any origin server sends it (RFC 9110)"),
];

/// A violation of the contract.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The kind of violation; stable.
    pub rule: &'static str,
    /// What is violated; it may be absent in the contract.
    pub pointer: String,
    /// One sentence, the same for every response of this kind.
    pub message: String,
}

/// What a response shows.
#[derive(Debug, Default)]
pub struct Judgement {
    /// What is wrong with it.
    pub violations: Vec<Violation>,
    /// The pointers of the response, media type, properties, listed values and error code that it has.
    pub seen: BTreeSet<String>,
}

impl Contract {
    /// Validates a response of an operation.
    pub fn judge(&self, operation: &Operation, status: u16, headers: &HeaderMap, body: &[u8]) -> Judgement {
        let mut judge = Judge { contract: self, operation, status, judgement: Judgement::default() };
        judge.response(headers, body);
        judge.judgement
    }
}

struct Judge<'a> {
    contract: &'a Contract,
    operation: &'a Operation,
    status: u16,
    judgement: Judgement,
}

impl Judge<'_> {
    fn violation(&mut self, rule: &'static str, pointer: impl Into<String>, what: impl AsRef<str>) {
        let message = format!("{}: a response {} {}", self.operation.id, self.status, what.as_ref());
        self.judgement.violations.push(Violation { rule, pointer: pointer.into(), message });
    }

    fn response(&mut self, headers: &HeaderMap, body: &[u8]) {
        let contract = self.contract;
        let responses = push(&self.operation.pointer, "responses");
        let Some(response) = contract.response(self.operation, self.status) else {
            return self.violation("status-undocumented", responses, "is not documented");
        };
        let status = push(&responses, &self.status.to_string());
        self.judgement.seen.insert(status.clone());
        self.headers(&response, headers);

        let media = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default().trim();
        let content = push(&response, "content");
        let described = push(&content, media);
        if !contract.has(&described) {
            if !(media.is_empty() && contract.members(&content).is_empty()) {
                self.violation(
                    "media-type-undocumented",
                    content,
                    format!("has the undocumented media type {media:?}"),
                );
            }
            return;
        }
        self.judgement.seen.insert(format!("{status}{}", push("", media)));
        match serde_json::from_slice(body) {
            Ok(body) => {
                self.value("body-invalid", "body", &push(&described, "schema"), &body);
                self.code(&response, &body);
            }
            Err(_) => self.violation("body-not-json", described, "has a body that is not JSON"),
        }
    }

    fn headers(&mut self, response: &str, sent: &HeaderMap) {
        let contract = self.contract;
        let headers = push(response, "headers");
        let declared = contract.members(&headers);
        for name in sent.keys().map(HeaderName::as_str) {
            let known = TRANSPORT_HEADERS.iter().any(|(transport, _)| *transport == name)
                || declared.iter().any(|(declared, _)| declared.eq_ignore_ascii_case(name));
            if !known {
                self.violation(
                    "header-undocumented",
                    &headers,
                    format!("has the undocumented header {name}"),
                );
            }
        }
        for (name, pointer) in declared {
            let header = contract.resolve(&pointer);
            let values: Vec<_> = sent.get_all(name).iter().collect();
            if values.is_empty() && contract.get(&header)["required"] == true {
                self.violation("header-missing", &pointer, format!("has no header {name}"));
            }
            if values.len() > 1 {
                self.violation("header-repeated", &pointer, format!("has the header {name} more than once"));
            }
            let Some(text) = values.first().map(|value| value.to_str().unwrap_or_default()) else { continue };
            let schema = push(&header, "schema");
            let number = contract.get(&contract.resolve(&schema))["type"] != "string";
            let value = text.parse::<i64>().ok().filter(|_| number).map_or_else(|| text.into(), Value::from);
            self.value("header-invalid", &format!("header {name}"), &schema, &value);
        }
    }

    /// Validates a header or body.
    fn value(&mut self, rule: &'static str, part: &str, schema: &str, value: &Value) {
        // The index of an item says nothing, and may differ from run to run.
        let generalized = |place: &str| {
            let parts = place.split('/').map(|part| part.parse::<u64>().map_or(part, |_| "*"));
            parts.collect::<Vec<_>>().join("/")
        };
        for error in self.contract.errors(schema, value) {
            let keyword = error.keyword.rsplit('/').next().unwrap_or_default();
            let what = format!("violates {keyword} in its {part} at {:?}", generalized(&error.instance));
            self.violation(rule, &error.keyword, what);
        }
        let mut visit = Visit { contract: self.contract, seen: BTreeSet::new(), unlisted: Vec::new() };
        visit.value(schema, value, "");
        self.judgement.seen.append(&mut visit.seen);
        for (pointer, place) in visit.unlisted {
            let what = format!("has the undocumented property {:?}", generalized(&place));
            self.violation("undocumented-property", pointer, what);
        }
    }

    /// Checks that an error's code is one of those that its response lists.
    fn code(&mut self, response: &str, body: &Value) {
        let Some(code) = body["code"].as_str() else { return };
        let listed = push(response, "x-error-codes");
        match self.contract.texts(&listed).iter().position(|one| *one == code) {
            Some(index) => drop(self.judgement.seen.insert(format!("{listed}/{index}"))),
            None => self.violation(
                "code-not-of-status",
                listed,
                format!("has the code {code}, which is not listed"),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;
    use serde_json::{Value, json};

    use crate::contract::Contract;

    fn violations(change: impl FnOnce(&mut Value, &mut HeaderMap), status: u16) -> Vec<String> {
        let mut body = json!({ "actions": { "revoke": true }, "summary": crate::seed::summary() });
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        headers.insert("cache-control", "no-store".parse().unwrap());
        headers.insert("x-request-id", "64ac4f0c-0000-4000-8000-000000000000".parse().unwrap());
        change(&mut body, &mut headers);
        let contract = Contract::load();
        let operation =
            contract.operation_for("GET", "/api/v1/session/013xrzp12g3nqk8nkv4y96wrbzje9dsr").unwrap();
        let judgement = contract.judge(operation, status, &headers, body.to_string().as_bytes());
        judgement.violations.iter().map(|violation| violation.rule.to_owned()).collect()
    }

    #[test]
    fn a_response_of_the_contract_has_no_violation() {
        assert_eq!(violations(|_, _| {}, 200), Vec::<String>::new());
    }

    #[test]
    fn each_deviation_is_a_violation() {
        type Change = fn(&mut Value, &mut HeaderMap);
        let deviations: [(&str, Change); 14] = [
            ("body-invalid", |body, _| body["summary"]["status"] = json!("asleep")),
            ("body-invalid", |body, _| body["summary"]["id"] = json!("013XRZP12G3NQK8NKV4Y96WRBZJE9DSR")),
            ("body-invalid", |body, _| body["summary"]["title"] = Value::Null),
            ("body-invalid", |body, _| body["summary"]["first_seen"]["remote_ip"] = json!("300.1.1.1")),
            ("body-invalid", |body, _| body["summary"]["first_seen"]["at"] = json!("1234567890")),
            ("body-invalid", |body, _| body["actions"]["revoke"] = json!(1)),
            ("body-invalid", |body, _| drop(body["summary"].as_object_mut().unwrap().remove("pool_id"))),
            ("body-invalid", |body, _| *body = json!([])),
            ("undocumented-property", |body, _| body["summary"]["first_seen"]["colour"] = json!("red")),
            ("header-missing", |_, headers| drop(headers.remove("cache-control"))),
            ("header-invalid", |_, headers| drop(headers.insert("cache-control", "public".parse().unwrap()))),
            ("header-undocumented", |_, headers| drop(headers.insert("retry-after", "1".parse().unwrap()))),
            ("header-repeated", |_, headers| {
                assert!(headers.append("cache-control", "no-store".parse().unwrap()));
            }),
            ("media-type-undocumented", |_, headers| {
                drop(headers.insert("content-type", "text/plain".parse().unwrap()));
            }),
        ];
        for (rule, deviation) in deviations {
            assert!(violations(deviation, 200).contains(&rule.to_owned()), "{rule}");
        }
        assert_eq!(violations(|_, _| {}, 418), ["status-undocumented"]);
        assert!(violations(|_, _| {}, 401).contains(&"body-invalid".to_owned()), "a body of another status");
        let error = |body: &mut Value, _: &mut HeaderMap| {
            *body = json!({ "code": "unexpected", "message": "m", "status": "error" });
        };
        assert_eq!(violations(error, 404), ["code-not-of-status"]);
    }
}
