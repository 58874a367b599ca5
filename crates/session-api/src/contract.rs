//! The operations of the contract as a dropshot trait.
//!
//! A handler returns every error of the contract as a [`Reply`], and extractors never fail, so that dropshot never uses the
//! error type of a signature.

use dropshot::{EndpointTagPolicy, HttpError, HttpResponseCreated, HttpResponseOk, RequestContext};
use schemars::JsonSchema;
use serde::Deserialize;
use session_types::SessionId;

use crate::extract::{JsonBody, PageParams, PathParams, RepeatableParams};
use crate::reply::Reply;
use crate::types::{
    Interaction, Revocation, RevocationResult, Session, SessionAuthenticate, SessionCreate, SessionList,
    SessionPage, SessionWithAuthtoken,
};

/// The path parameter of the operations on one session
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub struct SessionPath {
    /// The session
    pub session_id: SessionId,
}

/// The Session Service
#[dropshot::api_description {
    tag_config = {
        tags = {
            "session" = { description = "Sessions" },
        },
        policy = EndpointTagPolicy::ExactlyOne,
    },
}]
pub trait SessionApi {
    /// What the handlers work with.
    type Context;

    /// Fetch session
    ///
    /// Returns the session and what the caller may do with it now. A session that the caller may
    /// not read looks the same as one that does not exist.
    #[endpoint { method = GET, path = "/api/v1/session/{session_id}", tags = ["session"] }]
    async fn fetch_session(
        rqctx: RequestContext<Self::Context>,
        path: PathParams<SessionPath>,
    ) -> Result<Reply<HttpResponseOk<Session>>, HttpError>;

    /// Fetch own session
    ///
    /// Returns the session of the token.
    #[endpoint { method = GET, path = "/api/v1/whoami", tags = ["session"] }]
    async fn fetch_own_session(
        rqctx: RequestContext<Self::Context>,
    ) -> Result<Reply<HttpResponseOk<Session>>, HttpError>;

    /// List sessions
    ///
    /// Returns the sessions that the caller may read and that match every filter, newest first, in pages. Pages are
    /// stable while sessions are created and deleted: a session that exists throughout appears exactly once.
    #[endpoint { method = GET, path = "/api/v1/session", tags = ["session"] }]
    async fn list_sessions(
        rqctx: RequestContext<Self::Context>,
        query: PageParams<SessionList>,
    ) -> Result<Reply<HttpResponseOk<SessionPage>>, HttpError>;

    /// Create session
    ///
    /// Creates a session and returns it with its token, which is shown only once. With an account and an identity, the
    /// session starts as authenticated.
    #[endpoint { method = POST, path = "/api/v1/session", tags = ["session"] }]
    async fn create_session(
        rqctx: RequestContext<Self::Context>,
        headers: RepeatableParams,
        body: JsonBody<SessionCreate>,
    ) -> Result<Reply<HttpResponseCreated<SessionWithAuthtoken>>, HttpError>;

    /// Authenticate session
    ///
    /// Records that an identity authenticated, and returns a new token; the previous token stops working. May be
    /// repeated to step up, with the same account.
    #[endpoint { method = POST, path = "/api/v1/session/{session_id}/authenticate", tags = ["session"] }]
    async fn authenticate_session(
        rqctx: RequestContext<Self::Context>,
        path: PathParams<SessionPath>,
        headers: RepeatableParams,
        body: JsonBody<SessionAuthenticate>,
    ) -> Result<Reply<HttpResponseOk<SessionWithAuthtoken>>, HttpError>;

    /// Record interaction
    ///
    /// Records that the session was used now: a new session becomes `unauthenticated`, and the idle lifetime starts
    /// again.
    #[endpoint { method = POST, path = "/api/v1/session/{session_id}/interaction", tags = ["session"] }]
    async fn record_interaction(
        rqctx: RequestContext<Self::Context>,
        path: PathParams<SessionPath>,
        body: JsonBody<Interaction>,
    ) -> Result<Reply<HttpResponseOk<Session>>, HttpError>;

    /// Complete session
    ///
    /// Signs the session out: it becomes `complete`, and its token stops working.
    #[endpoint { method = POST, path = "/api/v1/session/{session_id}/complete", tags = ["session"] }]
    async fn complete_session(
        rqctx: RequestContext<Self::Context>,
        path: PathParams<SessionPath>,
    ) -> Result<Reply<HttpResponseOk<Session>>, HttpError>;

    /// Revoke session
    ///
    /// Ends the session: it becomes `revoked`, and its token stops working.
    #[endpoint { method = POST, path = "/api/v1/session/{session_id}/revoke", tags = ["session"] }]
    async fn revoke_session(
        rqctx: RequestContext<Self::Context>,
        path: PathParams<SessionPath>,
    ) -> Result<Reply<HttpResponseOk<Session>>, HttpError>;

    /// Revoke sessions
    ///
    /// Revokes all live sessions of one account, identity, device or pool in one transaction, and returns their number.
    /// With `except_session_id`, this is "sign out everywhere else".
    #[endpoint { method = POST, path = "/api/v1/revocation", tags = ["session"] }]
    async fn revoke_sessions(
        rqctx: RequestContext<Self::Context>,
        body: JsonBody<Revocation>,
    ) -> Result<Reply<HttpResponseOk<RevocationResult>>, HttpError>;
}
