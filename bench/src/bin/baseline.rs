//! `baseline hyper|axum|dropshot --port PORT`: a server that responds to every fetch with the same session. `cargo xtask
//! bench` measures it beside `sessiond`, with the same runtime, allocator and headers.

#![expect(clippy::print_stdout, reason = "the address is what the program is asked for")]

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;

use axum::Router;
use axum::response::IntoResponse;
use bytes::Bytes;
use clap::{Parser, ValueEnum};
use dropshot::{
    ApiDescription, Body, ConfigDropshot, HandlerTaskMode, HttpError, Path, RequestContext, ServerBuilder,
};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use mimalloc::MiMalloc;
use schemars::JsonSchema;
use serde::Deserialize;
use session_bench::constant;
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[derive(Parser)]
struct Arguments {
    /// The stack
    stack: Stack,
    /// The port of 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
}

#[derive(Clone, Copy, ValueEnum)]
enum Stack {
    /// Constant bytes
    Hyper,
    /// A constant, serialised as JSON for each response
    Axum,
    /// Constant bytes, with a log that is discarded
    Dropshot,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let address = SocketAddr::from(([127, 0, 0, 1], arguments.port));
    // As that of sessiond.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match arguments.stack {
            Stack::Hyper => hyper(address).await,
            Stack::Axum => axum(address).await,
            Stack::Dropshot => dropshot(address).await,
        }
    })
}

fn listening(address: SocketAddr) {
    println!("listening on http://{address}");
}

fn body() -> Result<Bytes, Box<dyn Error>> {
    Ok(serde_json::to_vec(&constant())?.into())
}

/// The headers that every response of sessiond has beside its length and date.
fn headers() -> HeaderMap {
    let request_id = HeaderValue::from_static("662e1182-7463-47d0-adad-197b48cd218f");
    HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (HeaderName::from_static("x-request-id"), request_id),
    ])
}

async fn hyper(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let body = body()?;
    let listener = TcpListener::bind(address).await?;
    listening(listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let body = body.clone();
        tokio::spawn(async move {
            let respond = service_fn(move |_: Request<Incoming>| {
                let mut response = Response::new(Full::new(body.clone()));
                *response.headers_mut() = headers();
                std::future::ready(Ok::<_, Infallible>(response))
            });
            // A connection that breaks is the load's error, which counts it.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), respond)
                .await;
        });
    }
}

async fn axum(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let fetch = async || (headers(), axum::Json(constant())).into_response();
    let router = Router::new().route("/api/v1/session/{id}", axum::routing::get(fetch));
    let listener = TcpListener::bind(address).await?;
    listening(listener.local_addr()?);
    axum::serve(
        axum::serve::ListenerExt::tap_io(listener, |stream| {
            // Without it the kernel delays small responses; then a fetch takes longer, not more of the processor.
            let _ = stream.set_nodelay(true);
        }),
        router,
    )
    .await?;
    Ok(())
}

#[derive(Deserialize, JsonSchema)]
struct SessionPath {
    #[expect(
        dead_code,
        reason = "the constant is the same for every ID, but the path is read as sessiond reads it"
    )]
    id: String,
}

#[dropshot::endpoint { method = GET, path = "/api/v1/session/{id}" }]
async fn session_fetch(
    context: RequestContext<Bytes>,
    _path: Path<SessionPath>,
) -> Result<Response<Body>, HttpError> {
    let mut response = Response::new(Body::with_content(context.context().clone()));
    // dropshot itself adds the ID of the request.
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

async fn dropshot(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let mut api = ApiDescription::new();
    api.register(session_fetch)?;
    let log = slog::Logger::root(slog::Discard, slog::o!());
    let server = ServerBuilder::new(api, body()?, log)
        .config(ConfigDropshot {
            bind_address: address,
            default_handler_task_mode: HandlerTaskMode::CancelOnDisconnect,
            ..ConfigDropshot::default()
        })
        .start()?;
    listening(server.local_addr());
    server.await?;
    Ok(())
}
