//! The operations of the contract as a dropshot trait.

use dropshot::{EndpointTagPolicy, HttpResponseCreated, HttpResponseOk, RequestContext};
use schemars::JsonSchema;
use serde::Deserialize;
use session_types::SessionId;

use crate::extract::{JsonBody, PageParams, PathParams};
use crate::reply::{HandlerError, Reply};
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
            "session" = { description = "The life of a session" },
        },
        policy = EndpointTagPolicy::ExactlyOne,
    },
}]
pub trait SessionApi {
    /// What the handlers work on.
    type Context;

    /// Fetch session
    ///
    /// Returns the session and what the caller may do with it now. A session that the caller may
    /// not read looks the same as one that does not exist.
    #[endpoint { method = GET, path = "/api/v1/session/{session_id}", tags = ["session"] }]
    async fn fetch_session(
        rqctx: RequestContext<Self::Context>,
        path: PathParams<SessionPath>,
    ) -> Result<Reply<HttpResponseOk<Session>>, HandlerError>;

    /// Fetch own session
    ///
    /// Answers the session that the token stands for.
    #[endpoint { method = GET, path = "/api/v1/whoami", tags = ["session"] }]
    async fn fetch_own_session(
        rqctx: RequestContext<Self::Context>,
    ) -> Result<Reply<HttpResponseOk<Session>>, HandlerError>;

    /// List sessions
    ///
    /// Answers the sessions that the caller may read and that pass every filter, newest first, a page at a time.
    /// Pages stay stable while sessions come and go: one that is there throughout appears exactly once.
    #[endpoint { method = GET, path = "/api/v1/session", tags = ["session"] }]
    async fn list_sessions(
        rqctx: RequestContext<Self::Context>,
        query: PageParams<SessionList>,
    ) -> Result<Reply<HttpResponseOk<SessionPage>>, HandlerError>;

    /// Create session
    ///
    /// Creates a session and answers it with its token, which is shown this once. With an account and an
    /// identity, the session begins authenticated.
    #[endpoint { method = POST, path = "/api/v1/session", tags = ["session"] }]
    async fn create_session(
        rqctx: RequestContext<Self::Context>,
        body: JsonBody<SessionCreate>,
    ) -> Result<Reply<HttpResponseCreated<SessionWithAuthtoken>>, HandlerError>;

    /// Authenticate session
    ///
    /// Records that an identity proved itself, and answers a new token; the old one stops working. May be
    /// repeated to step up, with the same account.
    #[endpoint { method = POST, path = "/api/v1/session/{session_id}/authenticate", tags = ["session"] }]
    async fn authenticate_session(
        rqctx: RequestContext<Self::Context>,
        path: PathParams<SessionPath>,
        body: JsonBody<SessionAuthenticate>,
    ) -> Result<Reply<HttpResponseOk<SessionWithAuthtoken>>, HandlerError>;

    /// Record interaction
    ///
    /// Records that the session was used now: a new session becomes `unauthenticated`, and its idle lifetime
    /// begins anew.
    #[endpoint { method = POST, path = "/api/v1/session/{session_id}/interaction", tags = ["session"] }]
    async fn record_interaction(
        rqctx: RequestContext<Self::Context>,
        path: PathParams<SessionPath>,
        body: JsonBody<Interaction>,
    ) -> Result<Reply<HttpResponseOk<Session>>, HandlerError>;

    /// Complete session
    ///
    /// Signs the session out: it becomes `complete`, and its token stops working.
    #[endpoint { method = POST, path = "/api/v1/session/{session_id}/complete", tags = ["session"] }]
    async fn complete_session(
        rqctx: RequestContext<Self::Context>,
        path: PathParams<SessionPath>,
    ) -> Result<Reply<HttpResponseOk<Session>>, HandlerError>;

    /// Revoke session
    ///
    /// Ends the session: it becomes `revoked`, and its token stops working.
    #[endpoint { method = POST, path = "/api/v1/session/{session_id}/revoke", tags = ["session"] }]
    async fn revoke_session(
        rqctx: RequestContext<Self::Context>,
        path: PathParams<SessionPath>,
    ) -> Result<Reply<HttpResponseOk<Session>>, HandlerError>;

    /// Revoke sessions
    ///
    /// Revokes every live session of one account, identity, device or pool, in one step, and answers how many
    /// there were. With `except_session_id` it signs out everywhere else.
    #[endpoint { method = POST, path = "/api/v1/revocation", tags = ["session"] }]
    async fn revoke_sessions(
        rqctx: RequestContext<Self::Context>,
        body: JsonBody<Revocation>,
    ) -> Result<Reply<HttpResponseOk<RevocationResult>>, HandlerError>;
}
