//! Revoking every session of an account, identity, device or pool: "sign out everywhere".

use session_api::RevocationResult;
use session_store::{EventId, Revocation, SessionFilter, StateFilter};
use session_types::ErrorCode;

use crate::authorize::{Target, authorize, authorized_filter};
use crate::caller::Caller;
use crate::error::Error;
use crate::request::Request;

/// Revokes every live session that the body names and the caller may revoke, all of them or none. Returns how many.
/// One whose lifetime has passed, but for an interaction that another node has not written yet, ends as complete and is
/// not counted.
///
/// Fails with `required_value` or `invalid_value` unless exactly one of account, identity, device and pool is named, or
/// with `not_permitted` or `not_authenticated`, over a rate limit, or with `bad_authtoken` if the caller's token was
/// replaced meanwhile; nothing is changed then.
pub async fn revoke_sessions(
    request: Request,
    body: session_api::Revocation,
) -> Result<RevocationResult, Error> {
    authorize(&request.caller, request.operation, Target::NoSession)?;
    let named = [
        body.account_id.map(|_| "account_id"),
        body.authenticated_identity_id.map(|_| "authenticated_identity_id"),
        body.device_id.map(|_| "device_id"),
        body.pool_id.map(|_| "pool_id"),
    ];
    let mut named = named.into_iter().flatten();
    let reason = named.next().ok_or_else(|| {
        let message =
            "account_id: it is required, unless authenticated_identity_id, device_id or pool_id is present";
        Error::new(ErrorCode::RequiredValue, message)
    })?;
    if let Some(second) = named.next() {
        let message = format!("{second}: it cannot be combined with {reason}; send only one of them");
        return Err(Error::new(ErrorCode::InvalidValue, message));
    }
    if matches!(request.caller, Caller::Session(_)) && body.account_id.is_none() {
        let message = format!("{reason}: a session token may only revoke by the account_id of its session");
        return Err(Error::new(ErrorCode::NotPermitted, message));
    }
    let (account_id, pool_id) = (body.account_id, body.pool_id);
    let SessionFilter { domain_id, account_id, pool_id, .. } =
        authorized_filter(&request.caller, account_id, pool_id, StateFilter::Any)?;
    let caller = match &request.caller {
        Caller::Key(key) => key.id.0,
        // All tokens of an account revoke the same sessions.
        Caller::Session(own) => own.account_id.map_or(own.id.0, |account_id| account_id.0),
    };
    request.limits.revocation(domain_id, caller)?;
    let token = request.caller.token()?;
    let (sessions, storage) = (&request.sessions, request.sessions.storage());
    let revocation = Revocation {
        domain_id,
        pool_id,
        account_id,
        identity_id: body.authenticated_identity_id,
        device_id: body.device_id,
        except: body.except_session_id,
        at: sessions.revocation_time(),
        event_id: EventId(storage.new_id()?),
        actor: request.caller.actor(),
        reason: Some(reason.to_owned()),
        request_id: Some(request.origin.request_id.clone()),
    };
    // The store ends every session, whatever is buffered here or on other nodes. By its stored lifetime it decides which
    // are revoked and counted, and which had ended before: for that it has to know what this node has buffered.
    sessions.write_reviving(revocation.at).await?;
    let revoked = storage.session_revoke_many(revocation, token).await;
    // Also after a failure: its outcome may not be known.
    sessions.revocation_was_made();
    let revoked = revoked?;
    Ok(RevocationResult { revoked })
}
