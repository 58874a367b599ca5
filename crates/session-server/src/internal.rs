//! The internal listener: health, readiness and metrics, for operators. Not a part of `openapi.json`.

use std::sync::Arc;

use dropshot::{ApiDescription, Body, HttpError, RequestContext, endpoint};
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};

use crate::http::Context;

fn text(status: StatusCode, media_type: &str, body: String) -> Result<Response<Body>, HttpError> {
    Ok(Response::builder().status(status).header(CONTENT_TYPE, media_type).body(Body::from(body))?)
}

/// Answers 200 while the process can answer.
#[endpoint { method = GET, path = "/health" }]
async fn health(_: RequestContext<Arc<Context>>) -> Result<Response<Body>, HttpError> {
    text(StatusCode::OK, "text/plain", "ok\n".to_owned())
}

/// Answers 200 while the store can be read, else 503.
#[endpoint { method = GET, path = "/ready" }]
async fn ready(rqctx: RequestContext<Arc<Context>>) -> Result<Response<Body>, HttpError> {
    let service = &rqctx.context().service;
    match service.within(service.store.ready()).await {
        Ok(()) => text(StatusCode::OK, "text/plain", "ready\n".to_owned()),
        Err(error) => {
            slog::warn!(rqctx.log, "not ready"; "cause" => error.cause.unwrap_or(error.message));
            text(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "the store cannot be read\n".to_owned())
        }
    }
}

/// The metrics in the text format of Prometheus.
#[endpoint { method = GET, path = "/metrics" }]
async fn metrics(rqctx: RequestContext<Arc<Context>>) -> Result<Response<Body>, HttpError> {
    let body =
        rqctx.context().metrics.text().map_err(|error| HttpError::for_internal_error(error.to_string()))?;
    text(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", body)
}

/// The three, for dropshot.
pub(crate) fn api() -> Result<ApiDescription<Arc<Context>>, dropshot::ApiDescriptionRegisterError> {
    let mut api = ApiDescription::new();
    api.register(health)?;
    api.register(ready)?;
    api.register(metrics)?;
    Ok(api)
}
