//! Recording that an identity authenticated.

use session_api::{SessionAuthenticate, SessionWithAuthtoken};
use session_store::{EventAction, IdempotencyRecord};
use session_types::{ErrorCode, IdempotencyKey, SessionId};

use super::repeatable::Repeatable;
use super::target;
use crate::change_queue::ChangeKind;
use crate::credential::REPLACED_TOKENS_MAX;
use crate::error::Error;
use crate::lifecycle::interaction;
use crate::lifecycle::state::{self, Transition};
use crate::request::Request;
use crate::session_view::session_for;

/// Makes the session authenticated and gives it a new token; the old one stops working with the same commit.
///
/// With an idempotency key, the same request again within 24 hours changes nothing and returns the same token.
///
/// Fails with `not_found`, `not_permitted`, `invalid_action` if the session has ended, or `invalid_value` if it has
/// another account; nothing is changed then.
pub async fn authenticate_session(
    request: Request,
    id: SessionId,
    key: Option<IdempotencyKey>,
    body: SessionAuthenticate,
) -> Result<SessionWithAuthtoken, Error> {
    let storage = request.sessions.storage();
    let repeatable = Repeatable::new(&request, Some(id), key.as_ref(), &body)?;
    if let Some(record) = repeatable.earlier().await? {
        return authenticated_before(&request, &record).await;
    }
    let (credential, record) = repeatable.new_token(id)?;
    let session = target::change_with_record(&request, id, ChangeKind::Other, record, |session| {
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
    let Some(session) = session.await? else {
        return authenticated_before(&request, &repeatable.concurrent().await?).await;
    };
    let session = session_for(&request.caller, session);
    Ok(SessionWithAuthtoken { authtoken: credential.reveal().into(), session })
}

/// Returns the session that the same request authenticated before, as it is now, with the token of then. That one may have
/// been replaced or have ended since.
///
/// Fails as [`target::fetch_again`] does.
async fn authenticated_before(
    request: &Request,
    record: &IdempotencyRecord,
) -> Result<SessionWithAuthtoken, Error> {
    // The session that was read with the caller may be the one from before that request.
    let session = target::fetch_again(request, record.session_id).await?;
    let authtoken = request.credential.token_of(record).reveal().into();
    Ok(SessionWithAuthtoken { authtoken, session: session_for(&request.caller, session) })
}
