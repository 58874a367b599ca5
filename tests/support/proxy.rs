//! A proxy in front of `sessiond`. What it does to the exchanges is up to its [`Hook`].

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::{BodyExt, Collected, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, HOST, HeaderMap, TRANSFER_ENCODING};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// A request as the proxy received it, without the headers that frame the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// Its method.
    pub(crate) method: Method,
    /// Its path and query, encoded.
    pub(crate) target: String,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body.
    pub(crate) body: Bytes,
}

/// A response, without the headers that frame the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    /// Its status.
    pub(crate) status: StatusCode,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body.
    pub(crate) body: Bytes,
}

/// The server behind the proxy.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    address: SocketAddr,
    client: reqwest::Client,
}

impl Upstream {
    /// The server at this address, to which `client` sends.
    pub(crate) const fn new(address: SocketAddr, client: reqwest::Client) -> Self {
        Self { address, client }
    }

    /// Sends a request. The response is 502 if none came.
    pub(crate) async fn send(&self, request: Request) -> Response {
        self.try_send(request).await.unwrap_or_else(|_| Response {
            status: StatusCode::BAD_GATEWAY,
            headers: HeaderMap::new(),
            body: Bytes::from_static(b"sessiond did not respond"),
        })
    }

    async fn try_send(&self, request: Request) -> reqwest::Result<Response> {
        let Request { method, target, headers, body } = request;
        let url = format!("http://{}{target}", self.address);
        let response = self.client.request(method, url).headers(headers).body(body).send().await?;
        let (status, mut headers) = (response.status(), response.headers().clone());
        headers.remove(CONTENT_LENGTH);
        headers.remove(TRANSFER_ENCODING);
        Ok(Response { status, headers, body: response.bytes().await? })
    }
}

/// What a proxy does with each request that it receives.
pub(crate) trait Hook: Send + Sync + 'static {
    /// Returns the response to a request, usually by sending one to the server behind the proxy.
    fn exchange(&self, request: Request, upstream: &Upstream) -> impl Future<Output = Response> + Send;
}

/// Starts a proxy in front of the server at `upstream` on a free port and returns its address. It ends with the runtime.
pub(crate) async fn start(
    upstream: SocketAddr,
    client: reqwest::Client,
    hook: Arc<impl Hook>,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let upstream = Upstream::new(upstream, client);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (hook, upstream) = (Arc::clone(&hook), upstream.clone());
            let service = service_fn(move |request| forward(request, Arc::clone(&hook), upstream.clone()));
            // A client that closes its connection early is no error of the proxy.
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(address)
}

async fn forward(
    request: hyper::Request<Incoming>,
    hook: Arc<impl Hook>,
    upstream: Upstream,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let mut headers = parts.headers;
    for framing in [HOST, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(framing);
    }
    let request = Request {
        method: parts.method,
        target: parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
        headers,
        body: body.collect().await.map(Collected::to_bytes).unwrap_or_default(),
    };
    let Response { status, headers, body } = hook.exchange(request, &upstream).await;
    let mut response = hyper::Response::new(Full::new(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}
