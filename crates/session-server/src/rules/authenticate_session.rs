//! Recording that an identity authenticated.

use session_api::{SessionAuthenticate, SessionWithAuthtoken};
use session_store::EventAction;
use session_types::{ErrorCode, SessionId};

use super::target;
use crate::change_queue::ChangeKind;
use crate::credential::{Credential, Kind, REPLACED_TOKENS_MAX};
use crate::error::Error;
use crate::lifecycle::interaction;
use crate::lifecycle::state::{self, Transition};
use crate::request::Request;
use crate::summary::session_for;

/// Makes the session authenticated and gives it a new token; the old one stops working with the same commit.
///
/// Fails with `not_found`, `not_permitted`, `invalid_action` if the session has ended, or `invalid_value` if it has
/// another account; nothing is changed then.
pub async fn authenticate_session(
    request: Request,
    id: SessionId,
    body: SessionAuthenticate,
) -> Result<SessionWithAuthtoken, Error> {
    let storage = request.sessions.storage();
    let credential = Credential::new(Kind::Session, id.0, storage.new_secret()?);
    let session = target::change(&request, id, ChangeKind::Other, |session| {
        session.status = state::after(session.status, Transition::Authenticate)?;
        if session.account_id.is_some_and(|account_id| account_id != body.account_id) {
            return Err(Error::new(
                ErrorCode::InvalidValue,
                "account_id: the session belongs to another account; create a new session for this one",
            ));
        }
        session.account_id = Some(body.account_id);
        session.identity_id = Some(body.authenticated_identity_id);
        if let Some(interaction) = body.interaction.clone() {
            interaction::record(session, interaction, storage.now());
        }
        let replaced = &mut session.replaced_token_hashes;
        replaced.extend(session.token_hash.replace(credential.hash()));
        replaced.drain(..replaced.len().saturating_sub(REPLACED_TOKENS_MAX));
        Ok(Some(EventAction::Authenticated))
    });
    let session = session_for(&request.caller, session.await?);
    Ok(SessionWithAuthtoken { authtoken: credential.reveal().into(), session })
}
