//! The server behind the proxy, for faults that send further requests.

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::HeaderMap;
use serde_json::{Map, Value};

use super::credentials::Credentials;
use crate::proxy::{Request, Response, Upstream};

/// A session that the proxy asked the server for.
pub(crate) struct FoundSession<'a> {
    /// A key with every right in the session's domain.
    pub(crate) key: &'a str,
    /// The session's summary.
    pub(crate) summary: Map<String, Value>,
    /// The whole response.
    pub(crate) response: Response,
}

/// A server and the credentials for it, with which a fault sends further requests.
pub(crate) struct Deployment<'a> {
    /// The credentials that the proxy knows.
    pub(crate) credentials: &'a Credentials,
    upstream: &'a Upstream,
}

impl<'a> Deployment<'a> {
    /// The server behind a proxy that knows these credentials.
    pub(crate) const fn new(credentials: &'a Credentials, upstream: &'a Upstream) -> Self {
        Self { credentials, upstream }
    }

    /// Sends a request to the server.
    pub(crate) async fn send(&self, request: Request) -> Response {
        self.upstream.send(request).await
    }

    /// Fetches a session with whichever domain's key can read it.
    pub(crate) async fn find_session(&self, id: &str) -> Option<FoundSession<'a>> {
        for domain_id in self.credentials.domains() {
            let key = self.credentials.live_key(domain_id, None, self.credentials.every_scope())?;
            let fetch = Request {
                method: Method::GET,
                target: format!("/api/v1/session/{id}"),
                headers: HeaderMap::new(),
                body: Bytes::new(),
            };
            let response = self.send(fetch.with_token(&key.token)).await;
            if response.status.is_success()
                && let Value::Object(summary) = response.json()["summary"].take()
            {
                return Some(FoundSession { key: &key.token, summary, response });
            }
        }
        None
    }
}
