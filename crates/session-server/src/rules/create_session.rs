//! Creating a session.

use session_api::{SessionCreate, SessionWithAuthtoken};
use session_store::{ApiKey, EventAction, IdempotencyRecord};
use session_types::{ErrorCode, IdempotencyKey, PoolId, SessionId};

use super::repeatable::Repeatable;
use crate::authorize::{Target, authorize};
use crate::caller::Caller;
use crate::error::Error;
use crate::lifecycle::interaction;
use crate::lifecycle::state::{self, Transition};
use crate::request::Request;
use crate::session_view::session_for;
use crate::storage::unless_repeated;
use crate::summary::created_session;

/// Creates a session and its token. With an account and an identity it starts as authenticated; otherwise with an
/// interaction as unauthenticated; otherwise as new.
///
/// With an idempotency key, the same request again within 24 hours returns the session that the first one created.
///
/// Fails with `not_permitted`, `required_value` or `invalid_value`, or over a rate limit; nothing is created then.
pub async fn create_session(
    request: Request,
    key: Option<IdempotencyKey>,
    mut body: SessionCreate,
) -> Result<SessionWithAuthtoken, Error> {
    let has_account = body.account_id.is_some() || body.authenticated_identity_id.is_some();
    authorize(&request.caller, request.operation, Target::NewSession { has_account })?;
    let Caller::Key(caller) = &request.caller else {
        return Err(Error::unexpected("a session token was authorized to create a session"));
    };
    request.limits.creation(request.origin.address, caller.id)?;
    let repeatable = Repeatable::new(&request, None, key.as_ref(), &body)?;
    if let Some(record) = repeatable.earlier().await? {
        return created_before(&request, &record).await;
    }
    let pool_id = pool_for(caller, body.pool_id)?;
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
    let mut session = created_session(id, caller.domain_id, pool_id, body);
    session.created_at = request.sessions.creation_time();
    if let Some(interaction) = interaction {
        session.status = state::after(session.status, Transition::Interact)?;
        interaction::record(&mut session, interaction, storage.now());
    }
    if session.account_id.is_some() {
        session.status = state::after(session.status, Transition::Authenticate)?;
    }
    let (credential, record) = repeatable.new_token(id)?;
    session.token_hash = Some(credential.hash());
    let session = request.sessions.with_times(session);
    let actor = request.caller.actor();
    let event = request.sessions.new_event(EventAction::Created, id, actor, Some(&request.origin), None)?;
    let stored = session.clone();
    let created = storage.call(|store| unless_repeated(store.session_create(stored, event, record))).await?;
    if created.is_none() {
        return created_before(&request, &repeatable.concurrent().await?).await;
    }
    let session = session_for(&request.caller, session);
    Ok(SessionWithAuthtoken { authtoken: credential.reveal().into(), session })
}

/// Returns the session that the same request created before, as it is now, with its token.
///
/// Fails with `invalid_value` if the session was deleted.
async fn created_before(
    request: &Request,
    record: &IdempotencyRecord,
) -> Result<SessionWithAuthtoken, Error> {
    let deleted = || {
        let message = "Idempotency-Key: the session that was created with it was deleted; use a new key";
        Error::new(ErrorCode::InvalidValue, message)
    };
    let id = record.session_id;
    let stored = request.sessions.storage().session_fetch_current(id).await?.ok_or_else(deleted)?;
    let session = request.sessions.current(stored);
    let authtoken = request.credential.token_of(record).reveal().into();
    Ok(SessionWithAuthtoken { authtoken, session: session_for(&request.caller, session) })
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
