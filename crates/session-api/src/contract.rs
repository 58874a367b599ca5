//! The operations of the contract as a dropshot trait.

use dropshot::{EndpointTagPolicy, HttpResponseCreated, HttpResponseOk, RequestContext};
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::extract::{JsonBody, PageParams, PathParams};
use crate::id::SessionId;
use crate::reply::{self, Fault, Reply};
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
    /// Answers the session and what the caller may do with it now. For a caller that may not read it, a
    /// session that exists and one that does not cannot be told apart.
    #[endpoint { method = GET, path = "/api/v1/session/{session_id}", tags = ["session"] }]
    async fn fetch_session(
        rqctx: RequestContext<Self::Context>,
        path: PathParams<SessionPath>,
    ) -> Result<Reply<HttpResponseOk<Session>>, Fault>;

    /// Fetch own session
    ///
    /// Answers the session that the token stands for.
    #[endpoint { method = GET, path = "/api/v1/whoami", tags = ["session"] }]
    async fn fetch_own_session(
        rqctx: RequestContext<Self::Context>,
    ) -> Result<Reply<HttpResponseOk<Session>>, Fault>;

    /// List sessions
    ///
    /// Answers the sessions that the caller may read and that pass every filter, newest first, a page at a time.
    /// Pages stay stable while sessions come and go: one that is there throughout appears exactly once.
    #[endpoint { method = GET, path = "/api/v1/session", tags = ["session"] }]
    async fn list_sessions(
        rqctx: RequestContext<Self::Context>,
        query: PageParams<SessionList>,
    ) -> Result<Reply<HttpResponseOk<SessionPage>>, Fault>;

    /// Create session
    ///
    /// Creates a session and answers it with its token, which is shown this once. With an account and an
    /// identity, the session begins authenticated.
    #[endpoint { method = POST, path = "/api/v1/session", tags = ["session"] }]
    async fn create_session(
        rqctx: RequestContext<Self::Context>,
        body: JsonBody<SessionCreate>,
    ) -> Result<Reply<HttpResponseCreated<SessionWithAuthtoken>>, Fault>;

    /// Authenticate session
    ///
    /// Records that an identity proved itself, and answers a new token; the old one stops working. May be
    /// repeated to step up, with the same account.
    #[endpoint { method = POST, path = "/api/v1/session/{session_id}/authenticate", tags = ["session"] }]
    async fn authenticate_session(
        rqctx: RequestContext<Self::Context>,
        path: PathParams<SessionPath>,
        body: JsonBody<SessionAuthenticate>,
    ) -> Result<Reply<HttpResponseOk<SessionWithAuthtoken>>, Fault>;

    /// Record interaction
    ///
    /// Records that the session was used now: a new session becomes `unauthenticated`, and its idle lifetime
    /// begins anew.
    #[endpoint { method = POST, path = "/api/v1/session/{session_id}/interaction", tags = ["session"] }]
    async fn record_interaction(
        rqctx: RequestContext<Self::Context>,
        path: PathParams<SessionPath>,
        body: JsonBody<Interaction>,
    ) -> Result<Reply<HttpResponseOk<Session>>, Fault>;

    /// Complete session
    ///
    /// Signs the session out: it becomes `complete`, and its token stops working.
    #[endpoint { method = POST, path = "/api/v1/session/{session_id}/complete", tags = ["session"] }]
    async fn complete_session(
        rqctx: RequestContext<Self::Context>,
        path: PathParams<SessionPath>,
    ) -> Result<Reply<HttpResponseOk<Session>>, Fault>;

    /// Revoke session
    ///
    /// Ends the session: it becomes `revoked`, and its token stops working.
    #[endpoint { method = POST, path = "/api/v1/session/{session_id}/revoke", tags = ["session"] }]
    async fn revoke_session(
        rqctx: RequestContext<Self::Context>,
        path: PathParams<SessionPath>,
    ) -> Result<Reply<HttpResponseOk<Session>>, Fault>;

    /// Revoke sessions
    ///
    /// Revokes every live session of one account, identity, device or pool, in one step, and answers how many
    /// there were. With `except_session_id` it signs out everywhere else.
    #[endpoint { method = POST, path = "/api/v1/revocation", tags = ["session"] }]
    async fn revoke_sessions(
        rqctx: RequestContext<Self::Context>,
        body: JsonBody<Revocation>,
    ) -> Result<Reply<HttpResponseOk<RevocationResult>>, Fault>;
}

/// The title of the contract, as in `openapi.json`.
pub const CONTRACT_TITLE: &str = "Session Service";

/// The version of the contract, as in `openapi.json`.
pub const CONTRACT_VERSION: semver::Version = semver::Version::new(1, 0, 0);

/// The OpenAPI document that dropshot derives from [`SessionApi`], with what [`Reply`] knows beside it: the headers of every
/// answer, and the errors that have headers of their own. Every operation has those, as each asks for a token, counts
/// failures and needs the store.
///
/// Fails only if the trait contradicts itself, which a test rules out.
pub fn derived_openapi() -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
    let api = session_api_mod::stub_api_description()?;
    let mut document = api.openapi(CONTRACT_TITLE, CONTRACT_VERSION).json()?;
    let headers = |status: StatusCode| -> Value {
        let reference = |(name, _)| (name, json!({ "$ref": format!("#/components/headers/{name}") }));
        reply::headers(status).into_iter().map(reference).collect()
    };
    let own = [StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
    let all = own.into_iter().flat_map(reply::headers);
    document["components"]["headers"] =
        all.map(|(name, schema)| (name, json!({ "required": true, "schema": schema }))).collect();
    let error = &mut document["components"]["responses"]["Error"];
    error["headers"] = headers(StatusCode::BAD_REQUEST);
    let error = error.clone();
    let items = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    for operation in items.filter_map(Value::as_object_mut).flat_map(|item| item.values_mut()) {
        let Some(responses) = operation["responses"].as_object_mut() else { continue };
        for response in responses.values_mut().filter(|response| response.get("$ref").is_none()) {
            response["headers"] = headers(StatusCode::OK);
        }
        for status in own {
            let mut response = error.clone();
            response["headers"] = headers(status);
            responses.insert(status.as_str().to_owned(), response);
        }
    }
    Ok(document)
}

/// The ID of every operation, in alphabetical order.
pub fn operation_ids() -> Vec<String> {
    let document = derived_openapi().unwrap_or_default();
    let items = document["paths"].as_object().into_iter().flat_map(|paths| paths.values());
    let operations = items.filter_map(Value::as_object).flat_map(|item| item.values());
    let mut ids: Vec<_> =
        operations.filter_map(|operation| operation["operationId"].as_str().map(str::to_owned)).collect();
    ids.sort_unstable();
    ids
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_trait_describes_an_openapi_document() {
        let document = super::derived_openapi().unwrap();
        assert_eq!(document["info"]["title"], super::CONTRACT_TITLE);
        assert!(document["paths"]["/api/v1/session/{session_id}"]["get"].is_object());
    }
}
