//! A server whose responses are set by the caller, and that records its requests.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_body_util::{BodyExt, Collected, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// A received request.
#[derive(Clone, Debug)]
pub(crate) struct Captured {
    pub(crate) method: String,
    /// Still encoded.
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// A response to send.
#[derive(Clone, Debug)]
pub(crate) struct PreparedResponse {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

#[derive(Debug)]
struct State {
    answer: PreparedResponse,
    captured: Vec<Captured>,
}

/// The server; it ends with the runtime.
#[derive(Clone, Debug)]
pub(crate) struct Fake {
    /// Such as `http://127.0.0.1:1234`.
    pub(crate) address: String,
    state: Arc<Mutex<State>>,
}

impl Fake {
    pub(crate) async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        let answer = PreparedResponse { status: 503, headers: Vec::new(), body: Vec::new() };
        let state = Arc::new(Mutex::new(State { answer, captured: Vec::new() }));
        let fake = Self { address, state };
        let server = fake.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = server.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| server.clone().serve(request));
                    // A client that closes its connection reports its own error.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Ok(fake)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the response to every request from now on.
    pub(crate) fn put(&self, answer: PreparedResponse) {
        self.state().answer = answer;
    }

    /// Returns the requests since the last call of this.
    pub(crate) fn take(&self) -> Vec<Captured> {
        std::mem::take(&mut self.state().captured)
    }

    async fn serve(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
        let mut state = self.state();
        state.captured.push(Captured {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            body: body.to_vec(),
        });
        let mut response = Response::new(Full::new(Bytes::from(state.answer.body.clone())));
        *response.status_mut() =
            StatusCode::from_u16(state.answer.status).unwrap_or(StatusCode::NOT_IMPLEMENTED);
        for (name, value) in &state.answer.headers {
            // An invalid header is not sent, which is a finding.
            if let (Ok(name), Ok(value)) =
                (name.parse::<HeaderName>(), HeaderValue::from_bytes(value.as_bytes()))
            {
                response.headers_mut().append(name, value);
            }
        }
        Ok(response)
    }
}
