//! A proxy in front of `sessiond` that lets nothing pass unjudged.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Collected, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::contract::Contract;

/// What the proxy found.
pub(crate) type Faults = Arc<Mutex<Vec<String>>>;

/// Starts the proxy; answers its address. It ends with the runtime.
pub(crate) async fn start(upstream: SocketAddr) -> (SocketAddr, Faults) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let faults = Faults::default();
    let contract = Arc::new(Contract::load());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let found = Arc::clone(&faults);
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { return };
            let (client, contract, found) = (client.clone(), Arc::clone(&contract), Arc::clone(&found));
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    forward(request, upstream, client.clone(), Arc::clone(&contract), Arc::clone(&found))
                });
                // A client that hangs up is not this proxy's business.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    (address, faults)
}

async fn forward(
    request: Request<Incoming>,
    upstream: SocketAddr,
    client: reqwest::Client,
    contract: Arc<Contract>,
    faults: Faults,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    let mut headers = parts.headers;
    headers.remove("host");
    let sent = client
        .request(parts.method.clone(), format!("http://{upstream}{path}"))
        .headers(headers)
        .body(body)
        .send()
        .await;
    let Ok(answer) = sent else {
        let mut gone = Response::new(Full::new(Bytes::from_static(b"sessiond did not answer")));
        *gone.status_mut() = hyper::StatusCode::BAD_GATEWAY;
        return Ok(gone);
    };
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = answer.bytes().await.unwrap_or_default();
    if let Some(operation) = contract.operation_for(parts.method.as_str(), &path) {
        let violations = contract.judge(operation, status.as_u16(), &headers, &body).violations;
        let lines =
            violations.iter().map(|one| format!("{} ({} at #{})", one.message, one.rule, one.pointer));
        faults.lock().unwrap().extend(lines);
    }
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}
