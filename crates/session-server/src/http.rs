//! From HTTP to the rules and back: thin handlers, no decisions.

use std::sync::Arc;
use std::time::Instant;

use dropshot::{HttpCodedResponse, HttpResponseCreated, HttpResponseOk, RequestContext};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde::Serialize;
use session_api::{
    Fault, JsonBody, PathParams, Reply, Session, SessionApi, SessionAuthenticate, SessionCreate, SessionPath,
    SessionWithAuthtoken, status_of,
};

use crate::error::Error;
use crate::metrics::Metrics;
use crate::service::Service;

/// What the handlers work on.
#[derive(Debug)]
pub struct Context {
    /// The rules.
    pub service: Arc<Service>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// The contract, implemented by [`Service`].
#[derive(Debug)]
pub enum SessionServer {}

/// The token of `Authorization: Bearer TOKEN` (RFC 6750), if one was sent; the scheme's case does not matter.
/// Several such headers are not one token, and then none works.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (scheme, token) = values.next()?.as_bytes().split_at_checked(7)?;
    let token = token.trim_ascii();
    if !scheme.eq_ignore_ascii_case(b"bearer ") || token.is_empty() {
        return None;
    }
    Some(if values.next().is_some() { b"" } else { token })
}

/// Turns what the rules say into an answer, counts it, and writes the cause of a fault to the log.
fn reply<T, B>(rqctx: &RequestContext<Context>, began: Instant, outcome: Result<B, Error>) -> Reply<T>
where
    T: HttpCodedResponse<Body = B>,
    B: Serialize,
{
    let outcome = outcome.and_then(|body| Reply::success(&body).map_err(Error::unexpected));
    let (status, reply) = match outcome {
        Ok(reply) => (T::STATUS_CODE, reply),
        Err(error) => {
            if let Some(cause) = &error.cause {
                slog::error!(rqctx.log, "request failed"; "code" => error.code.as_str(), "cause" => cause);
            }
            (status_of(error.code), Reply::error(&error.body()))
        }
    };
    let metrics = &rqctx.context().metrics;
    metrics.request(&rqctx.endpoint.operation_id, status.as_u16(), began.elapsed());
    reply
}

impl SessionApi for SessionServer {
    type Context = Context;

    async fn fetch_session(
        rqctx: RequestContext<Context>,
        path: PathParams<SessionPath>,
    ) -> Result<Reply<HttpResponseOk<Session>>, Fault> {
        let began = Instant::now();
        let service = &rqctx.context().service;
        let outcome = async {
            let caller = service.caller(bearer(rqctx.request.headers())).await?;
            service.session_fetch(caller, path.0.session_id).await
        };
        Ok(reply(&rqctx, began, outcome.await))
    }

    async fn fetch_own_session(
        rqctx: RequestContext<Context>,
    ) -> Result<Reply<HttpResponseOk<Session>>, Fault> {
        let began = Instant::now();
        let service = &rqctx.context().service;
        let outcome = async {
            let caller = service.caller(bearer(rqctx.request.headers())).await?;
            service.session_fetch_own(caller)
        };
        Ok(reply(&rqctx, began, outcome.await))
    }

    async fn create_session(
        rqctx: RequestContext<Context>,
        body: JsonBody<SessionCreate>,
    ) -> Result<Reply<HttpResponseCreated<SessionWithAuthtoken>>, Fault> {
        let began = Instant::now();
        let service = &rqctx.context().service;
        let outcome = async {
            let caller = service.caller(bearer(rqctx.request.headers())).await?;
            service.session_create(caller, body.read()?).await
        };
        Ok(reply(&rqctx, began, outcome.await))
    }

    async fn authenticate_session(
        rqctx: RequestContext<Context>,
        path: PathParams<SessionPath>,
        body: JsonBody<SessionAuthenticate>,
    ) -> Result<Reply<HttpResponseOk<SessionWithAuthtoken>>, Fault> {
        let began = Instant::now();
        let service = &rqctx.context().service;
        let outcome = async {
            let caller = service.caller(bearer(rqctx.request.headers())).await?;
            service.session_authenticate(caller, path.0.session_id, body.read()?).await
        };
        Ok(reply(&rqctx, began, outcome.await))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_token_is_read_from_one_bearer_header_only() {
        let table: [(&[&str], Option<&str>); 8] = [
            (&[], None),
            (&["Basic dXNlcjpwYXNz"], None),
            (&["Bearer"], None),
            (&["sst_abc"], None),
            (&["Bearer sst_abc"], Some("sst_abc")),
            (&["bEARER  sst_abc "], Some("sst_abc")),
            (&["Bearer "], None),
            (&["Bearer sst_abc", "Bearer sst_abc"], Some("")),
        ];
        for (values, token) in table {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_static(value));
            }
            assert_eq!(bearer(&headers), token.map(str::as_bytes), "{values:?}");
        }
    }
}
