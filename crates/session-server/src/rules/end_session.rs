//! Ending one session: signed out by its holder, or revoked.

use session_api::Session;
use session_store::EventAction;
use session_types::SessionId;

use super::target;
use crate::change_queue::ChangeKind;
use crate::error::Error;
use crate::lifecycle::state::{self, Transition};
use crate::request::Request;
use crate::session_view::session_for;

/// Completes the session; its token stops working with the same commit.
///
/// Fails with `not_found`, `not_permitted`, or `invalid_action` if the session has ended; nothing is changed then.
pub async fn complete_session(request: Request, id: SessionId) -> Result<Session, Error> {
    end(&request, id, Transition::Complete, EventAction::Completed).await
}

/// Revokes the session; its token stops working with the same commit. Fails as [`complete_session`] does.
pub async fn revoke_session(request: Request, id: SessionId) -> Result<Session, Error> {
    end(&request, id, Transition::Revoke, EventAction::Revoked).await
}

async fn end(
    request: &Request,
    id: SessionId,
    transition: Transition,
    action: EventAction,
) -> Result<Session, Error> {
    let session = target::change(request, id, ChangeKind::Other, |session| {
        session.status = state::after(session.status, transition)?;
        Ok(Some(action))
    });
    Ok(session_for(&request.caller, session.await?))
}
