//! A proxy that makes a plain `sessiond` look like one with a [`Fault`].

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::faults::{Credentials, Deployment, Fault, Keyring};
use crate::proxy::{self, Hook, Request, Response, Upstream};

/// A proxy with one fault, to be put in front of any number of servers with the same keys.
#[derive(Debug)]
pub struct FaultProxy {
    fault: Fault,
    credentials: Credentials,
    exercised: AtomicBool,
}

impl FaultProxy {
    /// A proxy with this fault in front of servers with these keys.
    pub fn new(fault: Fault, keyring: Keyring) -> Arc<Self> {
        Arc::new(Self { fault, credentials: Credentials::new(keyring), exercised: AtomicBool::new(false) })
    }

    /// Whether the fault has changed anything so far.
    pub fn exercised(&self) -> bool {
        self.exercised.load(Ordering::Relaxed)
    }

    /// The settings, in TOML, with which a server with the fault is started.
    pub fn settings(&self, settings: &str) -> String {
        let changed = self.fault.settings.map_or_else(|| settings.to_owned(), |change| change(settings));
        self.note(changed != settings);
        changed
    }

    /// Starts the proxy in front of a server; returns the proxy's address. It ends with the runtime.
    pub async fn start(self: &Arc<Self>, server: SocketAddr) -> io::Result<SocketAddr> {
        let client = reqwest::Client::builder().no_proxy().build().map_err(io::Error::other)?;
        proxy::start(server, client, Arc::clone(self)).await
    }

    fn note(&self, changed: bool) {
        if changed {
            self.exercised.store(true, Ordering::Relaxed);
        }
    }
}

impl Hook for FaultProxy {
    async fn exchange(&self, request: Request, upstream: &Upstream) -> Response {
        // A path or method that the contract does not have is the router's, which has no fault.
        if request.operation_id().is_none() {
            return upstream.send(request).await;
        }
        let mut sent = request.clone();
        if let Some(change) = self.fault.request {
            change(&mut sent, &self.credentials);
            self.note(sent != request);
        }
        let mut response = upstream.send(sent).await;
        self.credentials.remember(&request, &response);
        let before = response.clone();
        if let Some(follow_up) = self.fault.follow_up {
            let deployment = Deployment::new(&self.credentials, upstream);
            response = follow_up(&deployment, &request, &response).await.unwrap_or(response);
        }
        if let Some(change) = self.fault.response {
            change(&request, &mut response);
        }
        self.note(response != before);
        response
    }
}

#[cfg(test)]
mod tests {
    use hyper::Method;
    use hyper::body::Bytes;
    use hyper::header::HeaderMap;

    use super::*;
    use crate::{faults, seed};

    fn proxy(name: &str) -> Arc<FaultProxy> {
        let fault = faults::all().find(|fault| fault.name == name).unwrap();
        FaultProxy::new(*fault, Keyring::default())
    }

    /// Sends a request through the proxy to a server that does not respond.
    async fn exchange(proxy: &FaultProxy, target: &str) {
        let upstream = Upstream::new(([127, 0, 0, 1], 1).into(), reqwest::Client::new());
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        let request = Request { method: Method::GET, target: target.to_owned(), headers, body };
        assert_eq!(proxy.exchange(request, &upstream).await.status, 502);
    }

    #[tokio::test]
    async fn a_fault_is_exercised_by_what_it_changes_and_by_nothing_else() {
        let upper = format!("/api/v1/session/{}", seed::SESSION_ID.to_uppercase());
        let in_request = proxy("id-in-any-case");
        exchange(&in_request, &upper.to_lowercase()).await;
        exchange(&in_request, &format!("{upper}/other")).await;
        assert!(!in_request.exercised(), "neither a valid ID nor an unknown path is changed");
        exchange(&in_request, &upper).await;
        assert!(in_request.exercised());

        let in_response = proxy("header-undocumented");
        exchange(&in_response, "/metrics").await;
        assert!(!in_response.exercised());
        exchange(&in_response, "/api/v1/whoami").await;
        assert!(in_response.exercised());

        let in_settings = proxy("creations-not-limited");
        assert_eq!(in_settings.settings("[limits]\n"), "[limits]\n");
        assert!(!in_settings.exercised());
        let limited = "[limits]\ncreations_per_minute = 1\n";
        assert_eq!(in_settings.settings(limited), "[limits]\ncreations_per_minute = 1_000_000\n");
        assert!(in_settings.exercised());
    }
}
