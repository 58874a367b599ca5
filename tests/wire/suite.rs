//! Sends requests and validates each response.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use hyper::body::Bytes;
use openapi_drift::push;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use session_test_support::{Contract, Operation, Violation};
use tokio::sync::Notify;

use crate::report::{Failed, Report};

/// The timeout of a request: longer than the server waits for its store, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Its method.
    pub(crate) method: String,
    /// Its path and query, encoded.
    pub(crate) path: String,
    /// Its headers, without those that every request has.
    pub(crate) headers: Vec<(String, String)>,
    /// Its body.
    pub(crate) body: Option<Vec<u8>>,
    /// Whether the body never ends.
    pub(crate) stalls: bool,
    /// A description for people.
    pub(crate) what: String,
}

/// A response.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    /// Its status.
    pub(crate) status: u16,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body as JSON, null if it is none.
    pub(crate) body: Value,
    bytes: Bytes,
}

impl Response {
    /// Whether the request succeeded.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The error's code.
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

/// The contract, the findings, and what the responses had.
#[derive(Debug)]
pub(crate) struct Suite {
    /// The contract.
    pub(crate) contract: Arc<Contract>,
    /// The findings.
    pub(crate) report: RefCell<Report>,
    /// Notified of each finding.
    pub(crate) found: Notify,
    /// The pointers of the responses, media types, properties and listed values that occurred.
    pub(crate) seen: RefCell<BTreeSet<String>>,
    client: reqwest::Client,
}

impl Suite {
    /// A suite of this contract.
    pub(crate) fn new(contract: Arc<Contract>) -> Result<Self, Failed> {
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build();
        let client = client.map_err(|error| Failed(format!("no HTTP client: {error}")))?;
        let (report, found, seen) = (RefCell::default(), Notify::new(), RefCell::default());
        Ok(Self { contract, report, found, seen, client })
    }

    /// Counts a check, and adds a finding if it failed.
    pub(crate) fn check(
        &self,
        holds: bool,
        rule: &'static str,
        pointer: &str,
        message: impl FnOnce() -> String,
    ) {
        self.report.borrow_mut().check(holds, rule, &self.contract.nearest(pointer), message);
        self.notify(holds);
    }

    /// As [`Suite::check`], without counting: a part of a check.
    pub(crate) fn note(
        &self,
        holds: bool,
        rule: &'static str,
        pointer: &str,
        message: impl FnOnce() -> String,
    ) {
        self.report.borrow_mut().note(holds, rule, &self.contract.nearest(pointer), message);
        self.notify(holds);
    }

    fn notify(&self, holds: bool) {
        if !holds {
            self.found.notify_one();
        }
    }

    /// Whether an operation documents a status by its number.
    pub(crate) fn documents(&self, operation: &Operation, status: u16) -> bool {
        self.contract.member(&push(&operation.pointer, "responses"), &status.to_string()).is_some()
    }

    /// Sends a request and does not validate the response; `None` if there is none.
    pub(crate) async fn send(&self, server: SocketAddr, request: &Request) -> Option<Response> {
        let method = Method::from_bytes(request.method.as_bytes()).ok()?;
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            headers.append(name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?);
        }
        let url = format!("http://{server}{}", request.path);
        let body = request.body.clone().unwrap_or_default();
        let body = if request.stalls {
            let first = stream::once(async { Ok::<_, Infallible>(body) });
            reqwest::Body::wrap_stream(first.chain(stream::pending()))
        } else {
            body.into()
        };
        let sent = self.client.request(method, url).headers(headers).body(body);
        let answer = sent.send().await.ok()?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let bytes = answer.bytes().await.ok()?;
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Some(Response { status, headers, body, bytes })
    }

    /// Sends a request of an operation and validates the response; `None` if there is none, which is a finding.
    pub(crate) async fn ask(
        &self,
        server: SocketAddr,
        operation: &Operation,
        request: &Request,
    ) -> Option<Response> {
        let answer = self.send(server, request).await;
        self.check(answer.is_some(), "no-answer", &operation.pointer, || {
            format!("{}: {} was sent; no response came", operation.id, request.what)
        });
        let answer = answer?;
        self.judge(operation, &request.what, &answer);
        Some(answer)
    }

    /// Sends a request whose response must have one of these statuses; `pointer` is where the contract demands it.
    pub(crate) async fn expect(
        &self,
        server: SocketAddr,
        operation: &Operation,
        request: &Request,
        statuses: &[u16],
        rule: &'static str,
        pointer: &str,
    ) -> Option<Response> {
        let answer = self.ask(server, operation, request).await?;
        self.check(statuses.contains(&answer.status), rule, pointer, || {
            let wanted: Vec<String> = statuses.iter().map(ToString::to_string).collect();
            let (id, what, status) = (&operation.id, &request.what, answer.status);
            format!(
                "{id}: {what} was sent; by openapi.json the response is {}; it was {status}",
                wanted.join(" or ")
            )
        });
        Some(answer)
    }

    /// The success statuses that an operation documents.
    pub(crate) fn successes(&self, operation: &Operation) -> Vec<u16> {
        let statuses = self.contract.members(&push(&operation.pointer, "responses"));
        let statuses = statuses.into_iter().filter_map(|(status, _)| status.parse().ok());
        statuses.filter(|status| (200..300).contains(status)).collect()
    }

    fn judge(&self, operation: &Operation, what: &str, response: &Response) {
        let (id, status) = (&operation.id, response.status);
        let documented = self.contract.response(operation, status).is_some();
        let responses = push(&operation.pointer, "responses");
        self.check(documented, "status-undocumented", &responses, || {
            format!("{id}: {what} was sent; the response was {status}, which openapi.json does not document")
        });
        if !documented {
            return;
        }
        let mut judgement = self.contract.judge(operation, status, &response.headers, &response.bytes);
        self.seen.borrow_mut().append(&mut judgement.seen);
        for Violation { rule, pointer, message } in judgement.violations {
            self.note(false, rule, &pointer, || message);
        }
    }
}
