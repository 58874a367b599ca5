//! The internal listener: health, readiness and metrics for operators. It is not part of `openapi.json`.

use std::sync::Arc;

use dropshot::{ApiDescription, Body, HttpError, RequestContext, endpoint};
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};

use crate::metrics::Metrics;
use crate::sessions::Sessions;

/// The state that the handlers share.
pub(crate) struct Context {
    /// The sessions.
    pub(crate) sessions: Arc<Sessions>,
    /// The metrics.
    pub(crate) metrics: Arc<Metrics>,
}

fn text(status: StatusCode, media_type: &str, body: String) -> Result<Response<Body>, HttpError> {
    Ok(Response::builder().status(status).header(CONTENT_TYPE, media_type).body(Body::from(body))?)
}

/// Returns 200 while the process can respond.
#[endpoint { method = GET, path = "/health" }]
async fn health(_: RequestContext<Context>) -> Result<Response<Body>, HttpError> {
    text(StatusCode::OK, "text/plain", "ok\n".to_owned())
}

/// Returns 200 while the store can be read, otherwise 503.
#[endpoint { method = GET, path = "/ready" }]
async fn ready(rqctx: RequestContext<Context>) -> Result<Response<Body>, HttpError> {
    match rqctx.context().sessions.storage().call(|store| store.ready()).await {
        Ok(()) => text(StatusCode::OK, "text/plain", "ready\n".to_owned()),
        Err(error) => {
            slog::warn!(rqctx.log, "not ready"; "cause" => error.into_cause());
            text(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "the store cannot be read\n".to_owned())
        }
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
