//! Recording that an identity proved itself.

use session_api::{ErrorCode, SessionAuthenticate, SessionId, SessionWithAuthtoken};
use session_store::EventAction;

use super::{note_interaction, seen_by, state};
use crate::authorize::Action;
use crate::caller::Caller;
use crate::credential::{Credential, Kind};
use crate::error::Error;
use crate::origin::Origin;
use crate::service::Service;

/// How many replaced tokens of a session are known as such when they come again. A session steps up a few times; who
/// uses an older one is told the same.
const REPLACED_TOKENS_MAX: usize = 8;

impl Service {
    /// Makes the session authenticated and gives it a new token; the old one stops with the same commit.
    ///
    /// Fails with `not_found`, `not_permitted`, `invalid_action` if the session has ended, or `invalid_value`
    /// if it has another account; nothing is changed then.
    pub async fn session_authenticate(
        &self,
        caller: Caller,
        origin: &Origin,
        id: SessionId,
        body: SessionAuthenticate,
    ) -> Result<SessionWithAuthtoken, Error> {
        let credential = Credential::new(Kind::Session, id.0, self.minter.secret()?);
        let session = self
            .session_change(&caller, origin, Action::Authenticate, id, |session| {
                let summary = &mut session.summary;
                summary.status = state::after(summary.status, state::Event::Authenticate)?;
                if summary.account_id.is_some_and(|account_id| account_id != body.account_id)
                {
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
                let replaced = &mut session.replaced_token_hashes;
                replaced.extend(session.token_hash.replace(credential.hash()));
                replaced.drain(..replaced.len().saturating_sub(REPLACED_TOKENS_MAX));
                Ok(Some(EventAction::Authenticated))
            })
            .await?;
        let session = seen_by(&caller, session.summary);
        Ok(SessionWithAuthtoken { authtoken: credential.reveal().into(), session })
    }
}
