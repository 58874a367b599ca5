//! Ending one session: signed out by its holder, or revoked.

use session_api::{Session, SessionId};
use session_store::EventAction;

use super::{seen_by, state};
use crate::authorize::Action;
use crate::caller::Caller;
use crate::error::Error;
use crate::origin::Origin;
use crate::service::Service;

impl Service {
    /// Completes the session; its token stops with the same commit.
    ///
    /// Fails with `not_found`, `not_permitted`, or `invalid_action` if the session has ended; nothing is changed then.
    pub async fn session_complete(
        &self,
        caller: Caller,
        origin: &Origin,
        id: SessionId,
    ) -> Result<Session, Error> {
        self.session_end(caller, origin, id, Action::Complete, state::Event::Complete, EventAction::Completed)
            .await
    }

    /// Revokes the session; its token stops with the same commit. Fails as [`Service::session_complete`].
    pub async fn session_revoke(
        &self,
        caller: Caller,
        origin: &Origin,
        id: SessionId,
    ) -> Result<Session, Error> {
        self.session_end(caller, origin, id, Action::Revoke, state::Event::Revoke, EventAction::Revoked).await
    }

    async fn session_end(
        &self,
        caller: Caller,
        origin: &Origin,
        id: SessionId,
        action: Action,
        event: state::Event,
        told: EventAction,
    ) -> Result<Session, Error> {
        let session = self
            .session_change(&caller, origin, action, id, |session| {
                session.summary.status = state::after(session.summary.status, event)?;
                Ok(Some(told))
            })
            .await?;
        Ok(seen_by(&caller, session.summary))
    }
}
