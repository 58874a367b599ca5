//! Recording that an identity proved itself.

use session_api::{ErrorCode, SessionAuthenticate, SessionId, SessionWithAuthtoken};

use super::{note_interaction, seen_by, state};
use crate::authorize::Action;
use crate::caller::Caller;
use crate::credential::{Credential, Kind};
use crate::error::Error;
use crate::service::Service;

/// How often a change is tried again because another one came first. Each loss is another caller's win, and
/// so many changes of one session at once are no login any more.
const ATTEMPTS_MAX: u32 = 16;

impl Service {
    /// Makes the session authenticated and gives it a new token; the old one stops with the same commit.
    ///
    /// Fails with `not_found`, `not_permitted`, `invalid_action` if the session has ended, or `invalid_value`
    /// if it has another account; nothing is changed then.
    pub async fn session_authenticate(
        &self,
        caller: Caller,
        id: SessionId,
        body: SessionAuthenticate,
    ) -> Result<SessionWithAuthtoken, Error> {
        let credential = Credential::new(Kind::Session, id.0, self.minter.secret()?);
        for _ in 0..ATTEMPTS_MAX {
            let mut session = self.session_for(&caller, Action::Authenticate, id).await?;
            let summary = &mut session.summary;
            summary.status = state::after(summary.status, state::Event::Authenticate)?;
            if summary.account_id.is_some_and(|account_id| account_id != body.account_id) {
                return Err(Error::new(
                    ErrorCode::InvalidValue,
                    "account_id: the session belongs to another account; create a new session for this one",
                ));
            }
            summary.account_id = Some(body.account_id);
            summary.authenticated_identity_id = Some(body.authenticated_identity_id);
            if let Some(interaction) = body.interaction.clone() {
                note_interaction(summary, interaction, self.clock.now());
            }
            let summary = summary.clone();
            session.token_hash = Some(credential.hash());
            if self.within(self.store.session_replace(session)).await? {
                let session = seen_by(&caller, summary);
                return Ok(SessionWithAuthtoken { authtoken: credential.reveal().into(), session });
            }
        }
        Err(Error::unexpected(format!("{ATTEMPTS_MAX} changes of the session came first")))
    }
}
