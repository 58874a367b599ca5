//! Recording that a session was used.

use session_api::{Interaction, Session, SessionId};
use session_store::EventAction;

use super::{note_interaction, seen_by, state};
use crate::authorize::Action;
use crate::caller::Caller;
use crate::error::Error;
use crate::origin::Origin;
use crate::service::Service;

impl Service {
    /// Records an interaction now; a new session becomes unauthenticated.
    ///
    /// Fails with `not_found`, `not_permitted`, or `invalid_action` if the session has ended; nothing is changed then.
    pub async fn session_interact(
        &self,
        caller: Caller,
        origin: &Origin,
        id: SessionId,
        body: Interaction,
    ) -> Result<Session, Error> {
        let session = self
            .session_change(&caller, origin, Action::Interact, id, |session| {
                let before = session.summary.status;
                session.summary.status = state::after(before, state::Event::Interact)?;
                note_interaction(&mut session.summary, body.clone(), self.clock.now());
                Ok((session.summary.status != before).then_some(EventAction::Seen))
            })
            .await?;
        Ok(seen_by(&caller, session.summary))
    }
}
