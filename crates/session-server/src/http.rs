//! From HTTP to the rules and back: thin handlers, no decisions.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use dropshot::{HttpCodedResponse, HttpResponseCreated, HttpResponseOk, RequestContext};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use ipnet::IpNet;
use serde::Serialize;
use session_api::{
    ErrorCode, Fault, Interaction, JsonBody, PageParams, PathParams, Reply, Revocation, RevocationResult,
    Session, SessionApi, SessionAuthenticate, SessionCreate, SessionList, SessionPage, SessionPath,
    SessionWithAuthtoken, Unreadable,
};

use crate::caller::Caller;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::origin::Origin;
use crate::service::Service;

/// What the handlers work on.
#[derive(Debug)]
pub struct Context {
    /// The rules.
    pub service: Arc<Service>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Networks whose word about the caller's address is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// Operations that this deployment does not offer, by their ID.
    pub disabled_operations: BTreeSet<String>,
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
    let several = values.next().is_some();
    Some(if several { b"" } else { token })
}

/// Who asks, and from where.
async fn admit(rqctx: &RequestContext<Context>) -> Result<(Caller, Origin), Error> {
    let context = rqctx.context();
    let operation = &rqctx.endpoint.operation_id;
    if context.disabled_operations.contains(operation) {
        let message = format!("{operation}: this deployment does not offer it; ask its operator");
        return Err(Error::new(ErrorCode::NotImplemented, message));
    }
    let (request, headers) = (&rqctx.request, rqctx.request.headers());
    let origin = Origin::of(&rqctx.request_id, request.remote_addr(), headers, &context.trusted_proxies);
    let caller = context.service.caller(bearer(headers), &origin).await?;
    Ok((caller, origin))
}

/// Why there is no answer of success.
enum Failure {
    /// The rules say so.
    Refused(Box<Error>),
    /// The request cannot be read.
    Unreadable(Unreadable),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(Box::new(error))
    }
}

impl From<Unreadable> for Failure {
    fn from(unreadable: Unreadable) -> Self {
        Self::Unreadable(unreadable)
    }
}

/// Turns what the rules say into an answer, counts it, and writes the cause of a fault to the log.
fn reply<T, B>(rqctx: &RequestContext<Context>, began: Instant, outcome: Result<B, Failure>) -> Reply<T>
where
    T: HttpCodedResponse<Body = B>,
    B: Serialize,
{
    let outcome = outcome.and_then(|body| Ok(Reply::success(&body).map_err(Error::unexpected)?));
    let reply = match outcome {
        Ok(reply) => reply,
        Err(Failure::Unreadable(unreadable)) => Reply::unreadable(&unreadable),
        Err(Failure::Refused(error)) => {
            if let Some(cause) = &error.cause {
                slog::error!(rqctx.log, "request failed"; "code" => error.code.as_str(), "cause" => cause);
            }
            if let Some(warning) = &error.warning {
                slog::warn!(rqctx.log, "{}", warning);
            }
            match error.retry_after_s {
                Some(seconds) => Reply::limited(&error.body(), seconds),
                None => Reply::error(&error.body()),
            }
        }
    };
    let status = dropshot::HttpResponse::status_code(&reply);
    rqctx.context().metrics.request(&rqctx.endpoint.operation_id, status.as_u16(), began.elapsed());
    reply
}

impl SessionApi for SessionServer {
    type Context = Context;

    async fn fetch_session(
        rqctx: RequestContext<Context>,
        path: PathParams<SessionPath>,
    ) -> Result<Reply<HttpResponseOk<Session>>, Fault> {
        let began = Instant::now();
        let outcome = async {
            let (caller, origin) = admit(&rqctx).await?;
            Ok(rqctx
                .context()
                .service
                .session_fetch(caller, &origin, path.read()?.session_id)
                .await?)
        };
        Ok(reply(&rqctx, began, outcome.await))
    }

    async fn fetch_own_session(
        rqctx: RequestContext<Context>,
    ) -> Result<Reply<HttpResponseOk<Session>>, Fault> {
        let began = Instant::now();
        let outcome = async {
            let (caller, origin) = admit(&rqctx).await?;
            Ok(rqctx.context().service.session_fetch_own(caller, &origin)?)
        };
        Ok(reply(&rqctx, began, outcome.await))
    }

    async fn list_sessions(
        rqctx: RequestContext<Context>,
        query: PageParams<SessionList>,
    ) -> Result<Reply<HttpResponseOk<SessionPage>>, Fault> {
        let began = Instant::now();
        let outcome = async {
            let (caller, _) = admit(&rqctx).await?;
            Ok(rqctx.context().service.session_list(caller, query.read()?).await?)
        };
        Ok(reply(&rqctx, began, outcome.await))
    }

    async fn create_session(
        rqctx: RequestContext<Context>,
        body: JsonBody<SessionCreate>,
    ) -> Result<Reply<HttpResponseCreated<SessionWithAuthtoken>>, Fault> {
        let began = Instant::now();
        let outcome = async {
            let (caller, origin) = admit(&rqctx).await?;
            Ok(rqctx
                .context()
                .service
                .session_create(caller, &origin, body.read()?)
                .await?)
        };
        Ok(reply(&rqctx, began, outcome.await))
    }

    async fn authenticate_session(
        rqctx: RequestContext<Context>,
        path: PathParams<SessionPath>,
        body: JsonBody<SessionAuthenticate>,
    ) -> Result<Reply<HttpResponseOk<SessionWithAuthtoken>>, Fault> {
        let began = Instant::now();
        let outcome = async {
            let (caller, origin) = admit(&rqctx).await?;
            let (id, body) =
                (path.read()?.session_id, body.read()?);
            Ok(rqctx.context().service.session_authenticate(caller, &origin, id, body).await?)
        };
        Ok(reply(&rqctx, began, outcome.await))
    }

    async fn record_interaction(
        rqctx: RequestContext<Context>,
        path: PathParams<SessionPath>,
        body: JsonBody<Interaction>,
    ) -> Result<Reply<HttpResponseOk<Session>>, Fault> {
        let began = Instant::now();
        let outcome = async {
            let (caller, origin) = admit(&rqctx).await?;
            let (id, body) =
                (path.read()?.session_id, body.read()?);
            Ok(rqctx.context().service.session_interact(caller, &origin, id, body).await?)
        };
        Ok(reply(&rqctx, began, outcome.await))
    }

    async fn complete_session(
        rqctx: RequestContext<Context>,
        path: PathParams<SessionPath>,
    ) -> Result<Reply<HttpResponseOk<Session>>, Fault> {
        let began = Instant::now();
        let outcome = async {
            let (caller, origin) = admit(&rqctx).await?;
            Ok(rqctx
                .context()
                .service
                .session_complete(caller, &origin, path.read()?.session_id)
                .await?)
        };
        Ok(reply(&rqctx, began, outcome.await))
    }

    async fn revoke_session(
        rqctx: RequestContext<Context>,
        path: PathParams<SessionPath>,
    ) -> Result<Reply<HttpResponseOk<Session>>, Fault> {
        let began = Instant::now();
        let outcome = async {
            let (caller, origin) = admit(&rqctx).await?;
            Ok(rqctx
                .context()
                .service
                .session_revoke(caller, &origin, path.read()?.session_id)
                .await?)
        };
        Ok(reply(&rqctx, began, outcome.await))
    }

    async fn revoke_sessions(
        rqctx: RequestContext<Context>,
        body: JsonBody<Revocation>,
    ) -> Result<Reply<HttpResponseOk<RevocationResult>>, Fault> {
        let began = Instant::now();
        let outcome = async {
            let (caller, origin) = admit(&rqctx).await?;
            Ok(rqctx
                .context()
                .service
                .session_revoke_many(caller, &origin, body.read()?)
                .await?)
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
