//! A proxy that validates every response of `sessiond` against `openapi.json`.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use crate::contract::Contract;
use crate::proxy::{self, Hook, Request, Response, Upstream};

/// What the contract does not allow of the responses so far, one sentence each.
pub(crate) type Violations = Arc<Mutex<Vec<String>>>;

struct Validation {
    contract: Contract,
    violations: Violations,
}

impl Hook for Validation {
    async fn exchange(&self, request: Request, upstream: &Upstream) -> Response {
        let (method, target) = (request.method.clone(), request.target.clone());
        let response = upstream.send(request).await;
        if let Some(operation) = self.contract.operation_for(method.as_str(), &target) {
            let Response { status, headers, body } = &response;
            let violations = self.contract.judge(operation, status.as_u16(), headers, body).violations;
            let lines =
                violations.iter().map(|one| format!("{} ({} at #{})", one.message, one.rule, one.pointer));
            self.violations.lock().unwrap().extend(lines);
        }
        response
    }
}

/// Starts the proxy; returns its address and where it collects violations.
pub(crate) async fn start(upstream: SocketAddr) -> (SocketAddr, Violations) {
    let violations = Violations::default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let hook = Validation { contract: Contract::load(), violations: Arc::clone(&violations) };
    (proxy::start(upstream, client, Arc::new(hook)).await.unwrap(), violations)
}
