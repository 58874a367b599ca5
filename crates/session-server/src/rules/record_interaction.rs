//! Recording that a session was used.

use session_api::{Interaction, Session};
use session_store::EventAction;
use session_types::SessionId;

use super::target;
use crate::change_queue::ChangeKind;
use crate::error::Error;
use crate::lifecycle::interaction;
use crate::lifecycle::state::{self, Transition};
use crate::request::Request;
use crate::session_view::session_for;

/// Records an interaction of now; a new session becomes unauthenticated.
///
/// Fails with `not_found`, `not_permitted`, or `invalid_action` if the session has ended; nothing is changed then.
pub async fn record_interaction(
    request: Request,
    id: SessionId,
    body: Interaction,
) -> Result<Session, Error> {
    let session = target::change(&request, id, ChangeKind::Interaction, |session| {
        let before = session.status;
        session.status = state::after(before, Transition::Interact)?;
        interaction::record(session, body.clone(), request.sessions.storage().now());
        Ok((session.status != before).then_some(EventAction::Seen))
    });
    Ok(session_for(&request.caller, session.await?))
}
