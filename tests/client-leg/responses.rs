//! Sends the client every response that the contract documents, and checks how it reads them.

use std::collections::{BTreeMap, BTreeSet};

use openapi_drift::push;
use serde_json::Value;
use session_test_support::coverage::{all_listed, listed, schema_at};
use session_test_support::samples::{Sample, Samples, samples};
use session_test_support::{Contract, Operation};

use crate::calls::Call;
use crate::fake::{Fake, PreparedResponse};
use crate::fields::fields;
use crate::outcome::{End, Outcome, Read, Unreadable, unreadable_error};
use crate::report::Report;
use crate::values::{first_difference, same};

/// A documented response of an operation, for one status.
#[derive(Debug)]
pub(crate) struct Documented {
    pub(crate) status: u16,
    /// Its pointer in the operation.
    pub(crate) member: String,
    /// Its pointer, references followed.
    pub(crate) pointer: String,
    /// In the order of the document.
    headers: Vec<Header>,
    pub(crate) contents: Vec<Content>,
}

impl Documented {
    /// Whether the client should return a value.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

#[derive(Debug)]
struct Header {
    name: String,
    required: bool,
    pointer: String,
    samples: Samples,
}

/// A media type of a response.
#[derive(Debug)]
pub(crate) struct Content {
    media: String,
    pub(crate) schema: String,
    pub(crate) samples: Samples,
    examples: Vec<Sample>,
}

/// The responses of one operation.
pub(crate) struct Responses<'a> {
    pub(crate) contract: &'a Contract,
    pub(crate) report: &'a Report,
    pub(crate) operation: &'a Operation,
    pub(crate) fake: &'a Fake,
    pub(crate) client: &'a session_client::Client,
    pub(crate) call: &'a Call,
}

impl Responses<'_> {
    pub(crate) fn add(&self, rule: &'static str, pointer: &str, status: u16, what: impl Into<String>) {
        let place = format!("{} {status}", self.operation.id);
        self.report.add(rule, self.contract.nearest(pointer), &place, what);
    }

    /// How the client reads a response.
    pub(crate) async fn outcome(&self, answer: PreparedResponse) -> Outcome {
        self.report.check();
        self.fake.put(answer);
        let outcome = (self.call)(self.client.clone()).await;
        self.fake.take();
        outcome
    }

    /// Every documented response, with samples of its headers and bodies.
    pub(crate) fn documented(&self) -> Vec<Documented> {
        let responses = format!("{}/responses", self.operation.pointer);
        let members = self.contract.members(&responses).into_iter();
        let members = members.filter(|(status, _)| !status.starts_with("x-"));
        let named: BTreeSet<u16> = members.clone().filter_map(|(status, _)| status.parse().ok()).collect();
        let mut documented = Vec::new();
        for (status, member) in members {
            let pointer = self.contract.resolve(&member);
            for status in statuses(status, &named) {
                documented.push(Documented {
                    status,
                    headers: self.headers(&pointer, status),
                    contents: self.contents(&pointer, status),
                    member: member.clone(),
                    pointer: pointer.clone(),
                });
            }
        }
        documented
    }

    fn headers(&self, response: &str, status: u16) -> Vec<Header> {
        let holder = format!("{response}/headers");
        let mut headers = Vec::new();
        for (name, header) in self.contract.members(&holder) {
            let pointer = self.contract.resolve(&header);
            let schema = format!("{pointer}/schema");
            let Some(samples) = self.samples(&schema, status) else { continue };
            for sample in samples.all(&schema) {
                self.is_sound(status, &schema, &sample);
            }
            let required = self.contract.get(&format!("{pointer}/required")) == &Value::Bool(true);
            headers.push(Header { name: name.to_owned(), required, pointer, samples });
        }
        headers
    }

    fn samples(&self, schema: &str, status: u16) -> Option<Samples> {
        let (samples, lost) = samples(self.contract, schema);
        for pointer in lost {
            let what =
                "no value of this schema can be generated, so nothing verifies that the client reads it";
            self.add("no-sample", &pointer, status, what);
        }
        samples
    }

    fn contents(&self, response: &str, status: u16) -> Vec<Content> {
        let holder = format!("{response}/content");
        let mut contents = Vec::new();
        for (media, pointer) in self.contract.members(&holder) {
            let schema = format!("{pointer}/schema");
            let Some(samples) = self.samples(&schema, status) else { continue };
            let mut examples = Vec::new();
            if let Some(value) = self.contract.get(&pointer).get("example") {
                examples.push(Sample { value: value.clone(), pointer: format!("{pointer}/example") });
            }
            for (_, example) in self.contract.members(&format!("{pointer}/examples")) {
                let pointer = push(&self.contract.resolve(&example), "value");
                let value = self.contract.has(&pointer).then(|| self.contract.get(&pointer).clone());
                examples.extend(value.map(|value| Sample { value, pointer }));
            }
            contents.push(Content { media: media.to_owned(), schema, samples, examples });
        }
        contents
    }

    /// Sends every documented response.
    pub(crate) async fn give(&self, documented: &[Documented]) {
        for response in documented {
            let all: Vec<&Header> = response.headers.iter().collect();
            if response.contents.is_empty() {
                let sample = Sample { value: Value::Null, pointer: response.pointer.clone() };
                self.one(response, None, &sample, texts(&all, |header| &header.samples.fullest), false).await;
            }
            for content in &response.contents {
                let mut bodies = content.samples.all(&content.schema);
                bodies.extend(content.examples.iter().cloned());
                // If the first is read, a failure of a later one is about what that one varies.
                let mut first = None;
                for sample in &bodies {
                    if !self.is_sound(response.status, &content.schema, sample) {
                        continue;
                    }
                    // The smallest response has only the required headers.
                    let smallest = sample.value == content.samples.smallest;
                    let headers: Vec<&Header> =
                        all.iter().copied().filter(|header| !smallest || header.required).collect();
                    let texts = texts(&headers, |header| &header.samples.fullest);
                    let exact = first == Some(true) && sample.pointer != content.schema;
                    let understood = self.one(response, Some(content), sample, texts, exact).await;
                    first = first.or(Some(understood));
                }
                for header in &all {
                    let samples = header.samples.all(&header.pointer).into_iter();
                    // The fullest was sent with each body.
                    for sample in samples.filter(|sample| sample.value != header.samples.fullest) {
                        let texts = texts(&all, |other| {
                            if other.name == header.name { &sample.value } else { &other.samples.fullest }
                        });
                        let body = Sample {
                            value: content.samples.fullest.clone(),
                            pointer: content.schema.clone(),
                        };
                        self.one(response, Some(content), &body, texts, false).await;
                    }
                }
            }
        }
    }

    /// Whether a sample is valid by its schema; a bound may contradict the rest.
    fn is_sound(&self, status: u16, schema: &str, sample: &Sample) -> bool {
        let errors = self.contract.errors(schema, &sample.value);
        for error in &errors {
            let what = format!("the document contradicts itself here: {error}");
            self.add("sample-invalid", &sample.pointer, status, what);
        }
        errors.is_empty()
    }

    /// Sends one response and returns whether the client reads it. A finding is at what the sample varies if `exact`, else
    /// where the client fails.
    async fn one(
        &self,
        response: &Documented,
        content: Option<&Content>,
        sample: &Sample,
        documented: Vec<(String, String)>,
        exact: bool,
    ) -> bool {
        let status = response.status;
        let mut headers = documented.clone();
        let mut body = Vec::new();
        if let Some(content) = content {
            headers.push(("content-type".to_owned(), content.media.clone()));
            body = match &sample.value {
                Value::String(text) if !content.media.contains("json") => text.clone().into_bytes(),
                value => value.to_string().into_bytes(),
            };
        }
        let schema = content.map_or(response.pointer.as_str(), |content| content.schema.as_str());
        let outcome = self.outcome(PreparedResponse { status, headers, body: body.clone() }).await;
        let is_success = response.is_success();
        let (rule, at, what) = match &outcome.end {
            End::Success(read) if is_success => {
                return self.read(response, schema, sample, &documented, read, exact);
            }
            End::Refused(read, error) if !is_success => {
                self.refusal(response, &sample.value, &documented, error);
                return self.read(response, schema, sample, &documented, read, exact);
            }
            End::Success(_) => {
                let what = "the client takes an error as a success".to_owned();
                ("error-as-success", response.member.clone(), what)
            }
            End::Refused(..) => {
                let what = "the client takes a success as an error".to_owned();
                ("success-as-error", response.member.clone(), what)
            }
            End::Unexpected(reason) => {
                let fault = if is_success { (outcome.unreadable)(&body) } else { unreadable_error(&body) };
                if let Some(fault) = fault.filter(|_| content.is_some()) {
                    let at = self.failure(schema, sample, &fault, exact);
                    let what = format!("the client cannot read {}: {}", dotted(&fault.path), fault.message);
                    ("answer-not-decoded", at, what)
                } else {
                    let what = format!("the client refuses it as undocumented: {reason}");
                    ("answer-not-decoded", response.member.clone(), what)
                }
            }
            End::NotSent(reason) | End::NoAnswer(reason) => {
                let what = format!("the client cannot use it: {reason}");
                ("answer-not-decoded", response.member.clone(), what)
            }
        };
        self.add(rule, &at, status, what);
        false
    }

    /// Where the client fails to read a body.
    fn failure(&self, schema: &str, sample: &Sample, fault: &Unreadable, exact: bool) -> String {
        if exact {
            return sample.pointer.clone();
        }
        let parts: Vec<&str> = fault.path.iter().map(String::as_str).collect();
        let at = schema_at(self.contract, schema, &sample.value, &parts);
        let missing = fault.message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        missing.map_or(at.clone(), |name| self.contract.nearest(&format!("{at}/properties/{name}")))
    }

    /// Compares what the client read with what was sent; returns whether it is equal.
    fn read(
        &self,
        response: &Documented,
        schema: &str,
        sample: &Sample,
        headers: &[(String, String)],
        read: &Read,
        exact: bool,
    ) -> bool {
        if read.status != response.status {
            let what = format!("the client says that the status is {}", read.status);
            self.add("answer-changed", &response.member, response.status, what);
        }
        for (name, sent) in headers {
            let values = read.headers.get_all(name).into_iter();
            if !values.map(hyper::header::HeaderValue::as_bytes).eq([sent.as_bytes()]) {
                let pointer = format!("{}/headers/{name}", response.pointer);
                let what = format!("the client does not expose {name}");
                self.add("header-not-reachable", &pointer, response.status, what);
            }
        }
        // The types are the same for each sample.
        if !exact {
            self.fields(response, schema, &format!("{:?}", read.value));
        }
        let difference = first_difference(&sample.value, &read.body);
        if let Some(path) = &difference {
            let parts: Vec<&str> = path.iter().map(String::as_str).collect();
            let at = schema_at(self.contract, schema, &sample.value, &parts);
            let at = if exact { &sample.pointer } else { &at };
            let what = format!("the client does not return {} as it was sent", dotted(path));
            self.add("answer-changed", at, response.status, what);
        }
        difference.is_none()
    }

    /// Compares the client's own error with what was sent.
    fn refusal(
        &self,
        response: &Documented,
        sent: &Value,
        headers: &[(String, String)],
        error: &session_client::Error,
    ) {
        let session_client::Error::Refused { code, message, status, request_id } = error else {
            let what = format!("the client's error is not one of the contract: {error}");
            return self.add("error-not-typed", &response.pointer, response.status, what);
        };
        let id = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("x-request-id"));
        let checks = [
            ("code", same(&Value::from(code.to_string()), &sent["code"])),
            ("message", same(&Value::from(message.as_str()), &sent["message"])),
            ("status", status.as_u16() == response.status),
            ("request ID", request_id.as_ref() == id.map(|(_, value)| value)),
        ];
        for (name, holds) in checks {
            if !holds {
                let what = format!("the client's error does not show the {name} that was sent");
                self.add("error-not-typed", &response.pointer, response.status, what);
            }
        }
    }

    /// Checks that the client's types have no field that the contract does not have.
    fn fields(&self, response: &Documented, schema: &str, shown: &str) {
        let mut anywhere = BTreeSet::new();
        let mut of_type = BTreeMap::new();
        for (holder, field) in fields(shown) {
            let component = of_type.entry(holder.clone()).or_insert_with(|| self.component(&holder));
            let (pointer, known) = if let Some(pointer) = component {
                let listed = listed(self.contract, pointer);
                // A newtype for a text or number may have fields of its own.
                (pointer.clone(), listed.is_empty() || listed.contains(field.as_str()))
            } else {
                if anywhere.is_empty() {
                    anywhere = all_listed(self.contract, schema);
                }
                (self.contract.resolve(schema), anywhere.contains(&field))
            };
            if !known {
                let what = format!("the client's {holder} has {field}, the document does not");
                self.add("undocumented-property", &pointer, response.status, what);
            }
        }
    }

    /// The schema that a type is generated from, by its name.
    fn component(&self, name: &str) -> Option<String> {
        let schemas = self.contract.members("/components/schemas").into_iter();
        schemas.filter(|(schema, _)| schema.replace('_', "") == name).map(|(_, pointer)| pointer).next()
    }

    /// All headers of a response, each with its fullest value.
    pub(crate) fn full_headers(response: &Documented) -> Vec<(String, String)> {
        texts(&response.headers.iter().collect::<Vec<_>>(), |header| &header.samples.fullest)
    }

    /// The names and schemas of the required headers of a response.
    pub(crate) fn required_headers(response: &Documented) -> Vec<(String, String)> {
        let required = response.headers.iter().filter(|header| header.required);
        required.map(|header| (header.name.clone(), format!("{}/schema", header.pointer))).collect()
    }
}

fn dotted(path: &[String]) -> String {
    if path.is_empty() { "the body".to_owned() } else { path.join(".") }
}

fn texts<'a>(headers: &[&'a Header], value: impl Fn(&'a Header) -> &'a Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    headers.iter().map(|header| (header.name.clone(), text(value(header)))).collect()
}

/// The statuses to send for a key of `responses`: for a range or the default, statuses without a key of their own.
fn statuses(key: &str, named: &BTreeSet<u16>) -> Vec<u16> {
    let first =
        |from: u16| (from + 18..from + 100).chain(from..from + 18).find(|status| !named.contains(status));
    match key.strip_suffix("XX").and_then(|hundreds| hundreds.parse::<u16>().ok()) {
        Some(hundreds) => first(hundreds * 100).into_iter().collect(),
        None if key == "default" => [400, 500].into_iter().filter_map(first).collect(),
        None => key.parse().into_iter().collect(),
    }
}
