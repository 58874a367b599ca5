//! Sends requests, and holds each answer against the contract.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::sync::Notify;

use crate::report::{Failed, Report};
use crate::spec::{Operation, Spec, child};

/// How long an answer is waited for: longer than the server waits for its store.
const PATIENCE: Duration = Duration::from_secs(12);

/// Headers that every answer may have without the contract naming them, each with its reason.
const TRANSPORT_HEADERS: [(&str, &str); 6] = [
    ("content-type", "the contract says it as the media type"),
    ("content-length", "frames the message (RFC 9110)"),
    ("transfer-encoding", "frames the message (RFC 9112)"),
    ("connection", "is of the connection alone (RFC 9110)"),
    ("keep-alive", "is of the connection alone (RFC 9112)"),
    ("date", "any origin server sends it (RFC 9110)"),
];

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Its method.
    pub(crate) method: String,
    /// Its path and query, encoded.
    pub(crate) path: String,
    /// Its headers, beside those that every request has.
    pub(crate) headers: Vec<(String, String)>,
    /// Its body.
    pub(crate) body: Option<Vec<u8>>,
    /// What it is, for people.
    pub(crate) what: String,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Its status.
    pub(crate) status: u16,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body as JSON, null if it is none.
    pub(crate) body: Value,
    json: bool,
}

impl Answer {
    /// Whether the request was done.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The error's code.
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

/// The contract, what was found, and what was seen.
#[derive(Debug)]
pub(crate) struct Suite {
    /// The contract.
    pub(crate) spec: Spec,
    /// Its operations.
    pub(crate) operations: Vec<Operation>,
    /// What was found.
    pub(crate) report: RefCell<Report>,
    /// Notified of each finding.
    pub(crate) found: Notify,
    /// The pointers of answers, media types, properties and enum values that came.
    pub(crate) seen: RefCell<BTreeSet<String>>,
    client: reqwest::Client,
}

impl Suite {
    /// A suite of this contract.
    pub(crate) fn new(document: Value) -> Result<Self, Failed> {
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build();
        let client = client.map_err(|error| Failed(format!("no HTTP client: {error}")))?;
        let spec = Spec::new(document);
        let operations = spec.operations();
        let (report, found, seen) = (RefCell::default(), Notify::new(), RefCell::default());
        Ok(Self { spec, operations, report, found, seen, client })
    }

    /// Notes a check, and a finding if it did not hold.
    pub(crate) fn check(
        &self,
        holds: bool,
        rule: &'static str,
        pointer: &str,
        message: impl FnOnce() -> String,
    ) {
        self.report.borrow_mut().check(holds, rule, self.spec.nearest(pointer), message);
        self.notify(holds);
    }

    /// As [`Suite::check`], but not counted: a part of a check.
    pub(crate) fn note(
        &self,
        holds: bool,
        rule: &'static str,
        pointer: &str,
        message: impl FnOnce() -> String,
    ) {
        self.report.borrow_mut().note(holds, rule, self.spec.nearest(pointer), message);
        self.notify(holds);
    }

    fn notify(&self, holds: bool) {
        if !holds {
            self.found.notify_one();
        }
    }

    /// Where the answer of a status is described, if it is.
    pub(crate) fn response(&self, operation: &Operation, status: u16) -> Option<String> {
        let responses = child(&operation.pointer, "responses");
        self.spec.member(&responses, &status.to_string()).or_else(|| self.spec.member(&responses, "default"))
    }

    /// Whether an operation documents a status by its number.
    pub(crate) fn documents(&self, operation: &Operation, status: u16) -> bool {
        self.spec.member(&child(&operation.pointer, "responses"), &status.to_string()).is_some()
    }

    /// Sends a request that is no operation's; `None` if no answer came.
    pub(crate) async fn send(&self, server: SocketAddr, request: &Request) -> Option<Answer> {
        let method = Method::from_bytes(request.method.as_bytes()).ok()?;
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            headers.append(name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?);
        }
        let url = format!("http://{server}{}", request.path);
        let sent =
            self.client.request(method, url).headers(headers).body(request.body.clone().unwrap_or_default());
        let answer = sent.send().await.ok()?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let bytes = answer.bytes().await.ok()?;
        let body = serde_json::from_slice(&bytes);
        Some(Answer { status, headers, json: body.is_ok(), body: body.unwrap_or_default() })
    }

    /// Sends a request of an operation and judges the answer; `None` if none came, which is a finding.
    pub(crate) async fn ask(
        &self,
        server: SocketAddr,
        operation: &Operation,
        request: &Request,
    ) -> Option<Answer> {
        let answer = self.send(server, request).await;
        self.check(answer.is_some(), "no-answer", &operation.pointer, || {
            format!("{}: {} was sent; no answer came", operation.id, request.what)
        });
        let answer = answer?;
        self.judge(operation, &request.what, &answer);
        Some(answer)
    }

    /// Sends a request whose answer must have one of these statuses; `pointer` says why.
    pub(crate) async fn expect(
        &self,
        server: SocketAddr,
        operation: &Operation,
        request: &Request,
        statuses: &[u16],
        rule: &'static str,
        pointer: &str,
    ) -> Option<Answer> {
        let answer = self.ask(server, operation, request).await?;
        self.check(statuses.contains(&answer.status), rule, pointer, || {
            let wanted: Vec<String> = statuses.iter().map(ToString::to_string).collect();
            let (id, what, status) = (&operation.id, &request.what, answer.status);
            format!(
                "{id}: {what} was sent; by openapi.json the answer is {}; it was {status}",
                wanted.join(" or ")
            )
        });
        Some(answer)
    }

    /// The statuses of success that an operation documents.
    pub(crate) fn successes(&self, operation: &Operation) -> Vec<u16> {
        let statuses = self.spec.members(&child(&operation.pointer, "responses"));
        let statuses = statuses.into_iter().filter_map(|(status, _)| status.parse().ok());
        statuses.filter(|status| (200..300).contains(status)).collect()
    }

    fn judge(&self, operation: &Operation, what: &str, answer: &Answer) {
        let (id, status) = (&operation.id, answer.status);
        let responses = child(&operation.pointer, "responses");
        let response = self.response(operation, status);
        self.check(response.is_some(), "status-undocumented", &responses, || {
            format!("{id}: {what} was sent; the answer was {status}, which openapi.json does not document")
        });
        let Some(response) = response else { return };
        self.seen.borrow_mut().insert(child(&responses, &status.to_string()));
        self.judge_headers(operation, &response, answer);

        let media =
            answer.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default().trim();
        let content = child(&response, "content");
        let described = child(&content, media);
        let known = self.spec.document.pointer(&described).is_some();
        let place = if self.spec.get(&content).is_null() { &response } else { &content };
        let empty = media.is_empty() && self.spec.members(&content).is_empty();
        self.note(known || empty, "media-type-undocumented", place, || {
            format!("{id}: an answer {status} came as {media:?}, which openapi.json does not document")
        });
        if !known {
            return;
        }
        self.seen.borrow_mut().insert(format!(
            "{}{}",
            child(&responses, &status.to_string()),
            child("", media)
        ));
        self.note(answer.json, "body-not-json", &described, || {
            format!("{id}: the body of an answer {status} is not JSON, though it says so")
        });
        if answer.json {
            self.judge_body(operation, &child(&described, "schema"), answer);
            self.judge_code(operation, &response, answer);
        }
    }

    fn judge_headers(&self, operation: &Operation, response: &str, answer: &Answer) {
        let (id, status) = (&operation.id, answer.status);
        let headers = child(response, "headers");
        let declared: Vec<&str> = self.spec.members(&headers).into_iter().map(|(name, _)| name).collect();
        for name in answer.headers.keys().map(HeaderName::as_str) {
            let known = TRANSPORT_HEADERS.iter().any(|(transport, _)| *transport == name)
                || declared.iter().any(|declared| declared.eq_ignore_ascii_case(name));
            let place = if declared.is_empty() { response } else { &headers };
            self.note(known, "header-undocumented", place, || {
                format!("{id}: an answer {status} came with the header {name}, which openapi.json does not document")
            });
        }
        for name in declared {
            let header = self.spec.resolve(&child(&headers, name));
            let values: Vec<_> = answer.headers.get_all(name).iter().collect();
            let required = self.spec.get(&header)["required"] == true;
            self.note(!required || !values.is_empty(), "header-missing", &child(&headers, name), || {
                format!(
                    "{id}: an answer {status} came without the header {name}, which openapi.json requires"
                )
            });
            self.note(values.len() < 2, "header-repeated", &child(&headers, name), || {
                format!("{id}: an answer {status} came with the header {name} more than once")
            });
            let Some(text) = values.first().map(|value| value.to_str().unwrap_or_default()) else { continue };
            let schema = child(&header, "schema");
            let number = self.spec.get(&self.spec.resolve(&schema))["type"] != "string";
            let value = text.parse::<i64>().ok().filter(|_| number).map_or_else(|| text.into(), Value::from);
            for (keyword, _) in self.spec.faults(&schema, &value) {
                self.note(false, "header-invalid", &keyword, || {
                    format!("{id}: the header {name} of an answer {status} has a value that openapi.json does not allow")
                });
            }
            self.visit(&schema, &value, "", operation, status, 32);
        }
    }

    fn judge_body(&self, operation: &Operation, schema: &str, answer: &Answer) {
        let (id, status) = (&operation.id, answer.status);
        for (keyword, place) in self.spec.faults(schema, &answer.body) {
            // An item's number tells nothing, and may differ from run to run.
            let place: Vec<_> =
                place.split('/').map(|part| part.parse::<u64>().map_or(part, |_| "*")).collect();
            self.note(false, "body-invalid", &keyword, || {
                let word = keyword.rsplit('/').next().unwrap_or_default();
                format!(
                    "{id}: the body of an answer {status} breaks {word} of openapi.json at {:?}",
                    place.join("/")
                )
            });
        }
        self.visit(schema, &answer.body, "", operation, status, 32);
    }

    /// Checks that an error's code is one of those that its response lists.
    fn judge_code(&self, operation: &Operation, response: &str, answer: &Answer) {
        let Some(code) = answer.body["code"].as_str() else { return };
        let (id, status, listed) = (&operation.id, answer.status, child(response, "x-error-codes"));
        let position = self.spec.texts(&listed).iter().position(|one| *one == code);
        self.seen.borrow_mut().extend(position.map(|position| child(&listed, &position.to_string())));
        self.note(position.is_some(), "code-not-of-status", &listed, || {
            format!("{id}: a response {status} had the code {code}, which its x-error-codes do not list")
        });
    }

    /// Notes every property and listed value of an answer as seen; a property that is not listed is a finding.
    fn visit(
        &self,
        schema: &str,
        value: &Value,
        place: &str,
        operation: &Operation,
        status: u16,
        depth: usize,
    ) {
        let at = self.spec.resolve(schema);
        if depth == 0 {
            return;
        }
        if let Some(listed) = self.spec.get(&at)["enum"].as_array()
            && let Some(number) = listed.iter().position(|one| one == value)
        {
            self.seen.borrow_mut().insert(child(&child(&at, "enum"), &number.to_string()));
        }
        for (item, inner) in
            value.as_array().into_iter().flatten().zip(std::iter::repeat(child(&at, "items")))
        {
            if !self.spec.get(&inner).is_null() {
                self.visit(&inner, item, &format!("{place}/*"), operation, status, depth - 1);
            }
        }
        let mut layers = Vec::new();
        self.layers(&at, value, &mut layers, depth);
        for layer in &layers {
            if *layer != at && !value.is_object() {
                self.visit(layer, value, place, operation, status, depth - 1);
            }
        }
        let Some(members) = value.as_object() else { return };
        let open = layers.iter().any(|layer| {
            let more = &self.spec.get(layer)["additionalProperties"];
            more == true || more.is_object()
        });
        for (name, member) in members {
            let place = format!("{place}/{name}");
            let mut known = open;
            for layer in &layers {
                let property = child(&child(layer, "properties"), name);
                if self.spec.document.pointer(&property).is_some() {
                    known = true;
                    self.seen.borrow_mut().insert(property.clone());
                    self.visit(&property, member, &place, operation, status, depth - 1);
                }
            }
            let properties = layers.iter().map(|layer| child(layer, "properties"));
            let pointer =
                properties.clone().find(|one| self.spec.get(one).is_object()).unwrap_or_else(|| at.clone());
            self.note(known, "undocumented-property", &pointer, || {
                let id = &operation.id;
                format!(
                    "{id}: an answer {status} has the property {place:?}, which openapi.json does not list"
                )
            });
        }
    }

    /// The schemas that a value is described by together: the one at a pointer, and those of its alternatives that
    /// allow the value.
    fn layers(&self, schema: &str, value: &Value, found: &mut Vec<String>, depth: usize) {
        let at = self.spec.resolve(schema);
        if depth == 0 || found.contains(&at) {
            return;
        }
        found.push(at.clone());
        for keyword in ["allOf", "oneOf", "anyOf"] {
            let list = child(&at, keyword);
            let count = self.spec.get(&list).as_array().map_or(0, Vec::len);
            for place in 0..count {
                let one = child(&list, &place.to_string());
                if keyword == "allOf" || count == 1 || self.spec.allows(&one, value) {
                    self.layers(&one, value, found, depth - 1);
                }
            }
        }
    }
}
