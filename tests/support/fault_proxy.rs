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
