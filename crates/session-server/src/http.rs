//! The contract over HTTP: one handler for each operation, and the one wrapper around all of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dropshot::{HttpCodedResponse, HttpError, HttpResponseCreated, HttpResponseOk, RequestContext};
use http::StatusCode;
use serde::de::DeserializeOwned;
use session_api::{
    Interaction, JsonBody, Operation, PageParams, PathParams, RepeatableParams, Reply, ReplyBody, Revocation,
    RevocationResult, Session, SessionApi, SessionAuthenticate, SessionCreate, SessionList, SessionPage,
    SessionPath, SessionWithAuthtoken,
};
use session_types::{ErrorCode, SessionId};

use crate::activity::Activity;
use crate::authn::{authenticate, bearer_token};
use crate::error::Error;
use crate::limits::Limits;
use crate::logging::{RequestLine, RequestLog};
use crate::message;
use crate::metrics::Metrics;
use crate::origin::{Origin, TrustedProxies};
use crate::request::Request;
use crate::rules::authenticate_session::authenticate_session;
use crate::rules::create_session::create_session;
use crate::rules::end_session::{complete_session, revoke_session};
use crate::rules::fetch_session::{fetch_own_session, fetch_session};
use crate::rules::list_sessions::list_sessions;
use crate::rules::record_interaction::record_interaction;
use crate::rules::revoke_sessions::revoke_sessions;
use crate::sessions::Sessions;

/// The state that the handlers share.
pub struct Context {
    /// The sessions.
    pub sessions: Arc<Sessions>,
    /// The rate limits.
    pub limits: Arc<Limits>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Their lines in the log.
    pub requests: RequestLog,
    /// The requests of the public listener's connections.
    pub activity: Arc<Activity>,
    /// The proxies that are trusted to report the caller's address.
    pub trusted_proxies: Option<TrustedProxies>,
    /// The operations that this deployment does not offer.
    pub disabled_operations: BTreeSet<Operation>,
}

/// The implementation of the contract.
pub enum SessionServer {}

type Response<T> = Result<Reply<T>, HttpError>;

/// How long a body may take to arrive. One of 16 KiB takes less on a slow mobile line; together with
/// [`STORE_TIMEOUT`](crate::storage::STORE_TIMEOUT) it bounds the time of a request.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Receives and parses a body. Fails as [`JsonBody::read`] does, and with status 408 if it does not arrive in time.
async fn receive<T: DeserializeOwned>(body: JsonBody<T>) -> Result<T, Error> {
    tokio::time::timeout(BODY_TIMEOUT, body.read())
        .await
        .map_err(|_| {
            let message =
                format!("the body did not arrive within {} s; send it at once", BODY_TIMEOUT.as_secs());
            Error { status: StatusCode::REQUEST_TIMEOUT, ..Error::new(ErrorCode::BadRequest, message) }
        })?
        .map_err(Error::from)
}

/// What every handler does: checks that the operation is offered and the message well-formed, finds the caller, carries
/// out the operation, counts and logs it and the cause of a failure, and makes the response.
async fn handle<T, B, F>(rqctx: RequestContext<Context>, rule: impl FnOnce(Request) -> F) -> Response<T>
where
    T: HttpCodedResponse,
    B: ReplyBody<T>,
    F: Future<Output = Result<B, Error>>,
{
    handle_with(rqctx, None, rule).await
}

/// As [`handle`], for an operation whose path names a session. An invalid path is reported to a known caller only.
async fn handle_session<T, B, F>(
    rqctx: RequestContext<Context>,
    path: PathParams<SessionPath>,
    rule: impl FnOnce(Request, SessionId) -> F,
) -> Response<T>
where
    T: HttpCodedResponse,
    B: ReplyBody<T>,
    F: Future<Output = Result<B, Error>>,
{
    let path = path.read();
    let target = path.as_ref().ok().map(|path| path.session_id);
    handle_with(rqctx, target, |request| async move { rule(request, path?.session_id).await }).await
}

async fn handle_with<T, B, F>(
    rqctx: RequestContext<Context>,
    target: Option<SessionId>,
    rule: impl FnOnce(Request) -> F,
) -> Response<T>
where
    T: HttpCodedResponse,
    B: ReplyBody<T>,
    F: Future<Output = Result<B, Error>>,
{
    let start = Instant::now();
    let context = rqctx.context();
    let _running = context.activity.begin(rqctx.request.remote_addr(), start);
    let operation: Operation = rqctx.endpoint.operation_id.parse().map_err(|error: strum::ParseError| {
        HttpError::for_internal_error(format!("{}: {error}", rqctx.endpoint.operation_id))
    })?;
    let outcome = async {
        let body = rule(accept(&rqctx, operation, target).await?).await?;
        body.into_reply().map_err(Error::unexpected)
    };
    let mut code = None;
    let reply = outcome.await.unwrap_or_else(|error| {
        code = Some(error.code);
        if let Some(cause) = &error.cause {
            slog::error!(rqctx.log, "request failed"; "code" => error.code.as_ref(), "cause" => cause);
        }
        if let Some(warning) = &error.warning {
            slog::warn!(rqctx.log, "{}", warning);
        }
        Reply::error(&error.body(), error.status, error.retry_after_s)
    });
    let (status, latency) = (dropshot::HttpResponse::status_code(&reply), start.elapsed());
    context.metrics.request(operation, status, latency);
    // From here to the response nothing waits, so that dropshot does not also log the request as cancelled.
    context.requests.completed(RequestLine {
        remote_addr: rqctx.request.remote_addr(),
        request_id: &rqctx.request_id,
        method: rqctx.request.method(),
        uri: rqctx.request.uri(),
        operation,
        status,
        code,
        latency,
    });
    Ok(reply)
}

/// Returns the request with its caller, if this deployment offers the operation, the message is well-formed and the token
/// is valid. `target` is the session that the path names.
async fn accept(
    rqctx: &RequestContext<Context>,
    operation: Operation,
    target: Option<SessionId>,
) -> Result<Request, Error> {
    let context = rqctx.context();
    if context.disabled_operations.contains(&operation) {
        let message = format!("{operation}: this deployment does not offer it; ask its operator");
        return Err(Error::new(ErrorCode::NotImplemented, message));
    }
    let (request, headers) = (&rqctx.request, rqctx.request.headers());
    message::check(request.version(), request.uri(), headers)?;
    let origin =
        Origin::of(&rqctx.request_id, request.remote_addr(), headers, context.trusted_proxies.as_ref());
    let token = bearer_token(headers);
    let (caller, credential, prefetched) =
        authenticate(&context.sessions, &context.limits, token, target, &origin).await?;
    Ok(Request {
        operation,
        caller,
        credential,
        prefetched,
        origin,
        sessions: Arc::clone(&context.sessions),
        limits: Arc::clone(&context.limits),
    })
}

impl SessionApi for SessionServer {
    type Context = Context;

    async fn fetch_session(
        rqctx: RequestContext<Context>,
        path: PathParams<SessionPath>,
    ) -> Response<HttpResponseOk<Session>> {
        handle_session(rqctx, path, fetch_session).await
    }

    async fn fetch_own_session(rqctx: RequestContext<Context>) -> Response<HttpResponseOk<Session>> {
        handle(rqctx, |request| async move { fetch_own_session(&request) }).await
    }

    async fn list_sessions(
        rqctx: RequestContext<Context>,
        query: PageParams<SessionList>,
    ) -> Response<HttpResponseOk<SessionPage>> {
        handle(rqctx, |request| async move { list_sessions(request, query.read()?).await }).await
    }

    async fn create_session(
        rqctx: RequestContext<Context>,
        headers: RepeatableParams,
        body: JsonBody<SessionCreate>,
    ) -> Response<HttpResponseCreated<SessionWithAuthtoken>> {
        handle(rqctx, |request| async move {
            let key = headers.read()?;
            create_session(request, key, receive(body).await?).await
        })
        .await
    }

    async fn authenticate_session(
        rqctx: RequestContext<Context>,
        path: PathParams<SessionPath>,
        headers: RepeatableParams,
        body: JsonBody<SessionAuthenticate>,
    ) -> Response<HttpResponseOk<SessionWithAuthtoken>> {
        handle_session(rqctx, path, |request, id| async move {
            let key = headers.read()?;
            authenticate_session(request, id, key, receive(body).await?).await
        })
        .await
    }

    async fn record_interaction(
        rqctx: RequestContext<Context>,
        path: PathParams<SessionPath>,
        body: JsonBody<Interaction>,
    ) -> Response<HttpResponseOk<Session>> {
        handle_session(rqctx, path, |request, id| async move {
            record_interaction(request, id, receive(body).await?).await
        })
        .await
    }

    async fn complete_session(
        rqctx: RequestContext<Context>,
        path: PathParams<SessionPath>,
    ) -> Response<HttpResponseOk<Session>> {
        handle_session(rqctx, path, complete_session).await
    }

    async fn revoke_session(
        rqctx: RequestContext<Context>,
        path: PathParams<SessionPath>,
    ) -> Response<HttpResponseOk<Session>> {
        handle_session(rqctx, path, revoke_session).await
    }

    async fn revoke_sessions(
        rqctx: RequestContext<Context>,
        body: JsonBody<Revocation>,
    ) -> Response<HttpResponseOk<RevocationResult>> {
        handle(rqctx, |request| async move { revoke_sessions(request, receive(body).await?).await }).await
    }
}
