//! A proxy that makes a `sessiond` look like one with a cache that is not told of changes made elsewhere.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::{Method, StatusCode};

use crate::proxy::{self, Hook, Request, Response, Upstream};

/// How long a response is returned again.
const STALE_FOR: Duration = Duration::from_secs(1);

/// A target and a credential, and the response to them with its time.
type Cache = HashMap<(String, Vec<u8>), (Instant, Response)>;

struct StaleProxy(Mutex<Cache>);

/// Starts the proxy in front of a server; returns the proxy's address. It ends with the runtime.
///
/// # Errors
///
/// There is no free port.
pub async fn start(server: SocketAddr) -> io::Result<SocketAddr> {
    let client = reqwest::Client::builder().no_proxy().build().map_err(io::Error::other)?;
    proxy::start(server, client, Arc::new(StaleProxy(Mutex::default()))).await
}

impl Hook for StaleProxy {
    async fn exchange(&self, request: Request, upstream: &Upstream) -> Response {
        if request.method != Method::GET {
            return upstream.send(request).await;
        }
        let credential = request.headers.get("authorization").map(|value| value.as_bytes().to_vec());
        let key = (request.target.clone(), credential.unwrap_or_default());
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let cached =
            lock().get(&key).filter(|(at, _)| at.elapsed() < STALE_FOR).map(|(_, response)| response.clone());
        if let Some(response) = cached {
            return response;
        }
        let response = upstream.send(request).await;
        if response.status == StatusCode::OK {
            lock().insert(key, (Instant::now(), response.clone()));
        }
        response
    }
}
