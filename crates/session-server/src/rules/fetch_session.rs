//! Reading a session, by its ID or by its own token.

use session_api::SessionJson;
use session_types::SessionId;

use super::target;
use crate::authorize::{Target, authorize};
use crate::caller::Caller;
use crate::error::Error;
use crate::request::Request;
use crate::session_entry::CurrentSession;
use crate::session_view::json_for;

/// Returns the session, for a caller that may read it.
///
/// Fails with `not_found`, also for a caller that may not read it; with `unexpected_ref_type` if the ID is known as
/// another kind to a caller who may read there; with `not_authenticated` if the caller's own session would have to be
/// authenticated.
pub async fn fetch_session(request: Request, id: SessionId) -> Result<SessionJson, Error> {
    match &request.caller {
        // Verifying the token has read it already.
        Caller::Session(own) if own.id == id => own_session(&request, own),
        _ => json_for(&request.caller, &target::fetch(&request, id).await?),
    }
}

/// Returns the session of the caller's token.
///
/// Fails with `not_permitted` for an API key.
pub fn fetch_own_session(request: &Request) -> Result<SessionJson, Error> {
    authorize(&request.caller, request.operation, Target::NoSession)?;
    match &request.caller {
        Caller::Session(own) => own_session(request, own),
        Caller::Key(_) => Err(Error::unexpected("an API key was authorized to fetch its own session")),
    }
}

/// Returns the session as it was before this request, which counts as an interaction if there was one before.
fn own_session(request: &Request, own: &CurrentSession) -> Result<SessionJson, Error> {
    if own.last_seen.is_some() {
        request.sessions.buffer_last_seen(own, &request.origin);
    }
    json_for(&request.caller, own)
}
