//! Creating a session.

use session_api::{SessionCreate, SessionWithAuthtoken};
use session_store::{ApiKey, EventAction};
use session_types::{ErrorCode, PoolId, SessionId};

use crate::authorize::{Target, authorize};
use crate::caller::Caller;
use crate::credential::{Credential, Kind};
use crate::error::Error;
use crate::lifecycle::interaction;
use crate::lifecycle::state::{self, Transition};
use crate::request::Request;
use crate::summary::{created_session, session_for};

/// Creates a session and its token. With an account and an identity it starts as authenticated; otherwise with an
/// interaction as unauthenticated; otherwise as new.
///
/// Fails with `not_permitted`, `required_value` or `invalid_value`, or over a rate limit; nothing is created then.
pub async fn create_session(
    request: Request,
    mut body: SessionCreate,
) -> Result<SessionWithAuthtoken, Error> {
    let has_account = body.account_id.is_some() || body.authenticated_identity_id.is_some();
    authorize(&request.caller, request.operation, Target::NewSession { has_account })?;
    let Caller::Key(key) = &request.caller else {
        return Err(Error::unexpected("a session token was authorized to create a session"));
    };
    request.limits.creation(request.origin.address, key.id)?;
    let pool_id = pool_for(key, body.pool_id)?;
    if body.account_id.is_some() != body.authenticated_identity_id.is_some() {
        let missing = if body.account_id.is_some() { "authenticated_identity_id" } else { "account_id" };
        let message = format!(
            "{missing}: it is required, because account_id and authenticated_identity_id come together; add it, or \
             leave out both"
        );
        return Err(Error::new(ErrorCode::RequiredValue, message));
    }

    let storage = request.sessions.storage();
    let id = SessionId(storage.new_id()?);
    let interaction = body.interaction.take();
    let mut session = created_session(id, key.domain_id, pool_id, body);
    session.created_at = request.sessions.creation_time();
    if let Some(interaction) = interaction {
        session.status = state::after(session.status, Transition::Interact)?;
        interaction::record(&mut session, interaction, storage.now());
    }
    if session.account_id.is_some() {
        session.status = state::after(session.status, Transition::Authenticate)?;
    }
    let credential = Credential::new(Kind::Session, id.0, storage.new_secret()?);
    session.token_hash = Some(credential.hash());
    let session = request.sessions.with_times(session);
    let actor = request.caller.actor();
    let event = request.sessions.new_event(EventAction::Created, id, actor, Some(&request.origin), None)?;
    let stored = session.clone();
    storage.call(|store| store.session_create(stored, event, None)).await?;
    let session = session_for(&request.caller, session);
    Ok(SessionWithAuthtoken { authtoken: credential.reveal().into(), session })
}

/// Returns the requested pool, or the one that the key is bound to.
fn pool_for(key: &ApiKey, requested: Option<PoolId>) -> Result<PoolId, Error> {
    match (requested, key.pool_id) {
        (Some(requested), Some(bound)) if requested != bound => Err(Error::new(
            ErrorCode::NotPermitted,
            "pool_id: the API key is bound to another pool; leave it out to use that one",
        )),
        (Some(pool_id), _) | (None, Some(pool_id)) => Ok(pool_id),
        (None, None) => Err(Error::new(
            ErrorCode::RequiredValue,
            "pool_id: it is required, because the API key is not bound to a pool",
        )),
    }
}
