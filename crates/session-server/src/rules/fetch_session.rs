//! Reading a session, by its ID or by its own token.

use session_api::Session;
use session_store::StoredSession;
use session_types::SessionId;

use super::target;
use crate::authorize::{Target, authorize};
use crate::caller::Caller;
use crate::error::Error;
use crate::origin::Origin;
use crate::request::Request;
use crate::sessions::Sessions;
use crate::summary::session_for;

/// Returns the session, for a caller that may read it.
///
/// Fails with `not_found`, also for a caller that may not read it; with `unexpected_ref_type` if the ID is known as
/// another kind to a caller who may read there; with `not_authenticated` if the caller's own session would have to be
/// authenticated.
pub async fn fetch_session(request: Request, id: SessionId) -> Result<Session, Error> {
    match request.caller {
        // Verifying the token has read it already.
        Caller::Session(own) if own.id == id => Ok(own_session(&request.sessions, own, &request.origin)),
        _ => {
            let session = target::fetch(&request, id).await?;
            Ok(session_for(&request.caller, session))
        }
    }
}

/// Returns the session of the caller's token.
///
/// Fails with `not_permitted` for an API key.
pub fn fetch_own_session(request: Request) -> Result<Session, Error> {
    authorize(&request.caller, request.operation, Target::NoSession)?;
    match request.caller {
        Caller::Session(own) => Ok(own_session(&request.sessions, own, &request.origin)),
        Caller::Key(_) => Err(Error::unexpected("an API key was authorized to fetch its own session")),
    }
}

/// Returns the session as it was before this request, which counts as an interaction if there was one before.
fn own_session(sessions: &Sessions, own: Box<StoredSession>, origin: &Origin) -> Session {
    let session = StoredSession::clone(&own);
    if session.last_seen.is_some() {
        sessions.buffer_last_seen(&session, origin);
    }
    session_for(&Caller::Session(own), session)
}
