//! The internal listener: health, readiness and metrics for operators. It is not part of `openapi.json`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dropshot::{ApiDescription, Body, HttpError, RequestContext, endpoint};
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};
use tokio::sync::Mutex;

use crate::error::Error;
use crate::metrics::Metrics;
use crate::sessions::Sessions;

/// How long `/ready` waits for its commit. Less than most probes wait, so that they get a response.
const READY_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the result of one commit is the response of `/ready`: each syncs the disk, and anybody who reaches the
/// listener may ask.
const READY_REUSED: Duration = Duration::from_secs(1);

/// The state that the handlers share.
pub(crate) struct Context {
    sessions: Arc<Sessions>,
    metrics: Arc<Metrics>,
    /// When the store was last tried, and whether it was ready.
    last_tried: Mutex<Option<(Instant, bool)>>,
}

impl Context {
    /// The state for these sessions and metrics.
    pub(crate) fn new(sessions: Arc<Sessions>, counted: Arc<Metrics>) -> Self {
        Self { sessions, metrics: counted, last_tried: Mutex::new(None) }
    }
}

fn text(status: StatusCode, media_type: &str, body: String) -> Result<Response<Body>, HttpError> {
    Ok(Response::builder().status(status).header(CONTENT_TYPE, media_type).body(Body::from(body))?)
}

/// Returns 200 while the process can respond.
#[endpoint { method = GET, path = "/health" }]
async fn health(_: RequestContext<Context>) -> Result<Response<Body>, HttpError> {
    text(StatusCode::OK, "text/plain", "ok\n".to_owned())
}

/// Returns 200 while the store can be read and a change is committed, otherwise 503. One request at a time tries it.
#[endpoint { method = GET, path = "/ready" }]
async fn ready(rqctx: RequestContext<Context>) -> Result<Response<Body>, HttpError> {
    let context = rqctx.context();
    let mut last_tried = context.last_tried.lock().await;
    let ready = match *last_tried {
        Some((at, ready)) if at.elapsed() < READY_REUSED => ready,
        _ => {
            let tried =
                tokio::time::timeout(READY_TIMEOUT, context.sessions.storage().call(|store| store.ready()));
            let cause = match tried.await {
                Ok(result) => result.err().map(Error::into_cause),
                Err(_) => Some(format!("the store did not commit a change in {READY_TIMEOUT:?}")),
            };
            if let Some(cause) = &cause {
                slog::warn!(rqctx.log, "not ready"; "cause" => cause);
            }
            *last_tried = Some((Instant::now(), cause.is_none()));
            cause.is_none()
        }
    };
    if ready {
        text(StatusCode::OK, "text/plain", "ready\n".to_owned())
    } else {
        let reason = "the store cannot be read or written; the log has the cause\n";
        text(StatusCode::SERVICE_UNAVAILABLE, "text/plain", reason.to_owned())
    }
}

/// Returns the metrics in the OpenMetrics text format.
#[endpoint { method = GET, path = "/metrics" }]
async fn metrics(rqctx: RequestContext<Context>) -> Result<Response<Body>, HttpError> {
    let body =
        rqctx.context().metrics.text().map_err(|error| HttpError::for_internal_error(error.to_string()))?;
    text(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", body)
}

/// The endpoints of the internal listener.
pub(crate) fn api() -> Result<ApiDescription<Context>, dropshot::ApiDescriptionRegisterError> {
    let mut api = ApiDescription::new();
    api.register(health)?;
    api.register(ready)?;
    api.register(metrics)?;
    Ok(api)
}
