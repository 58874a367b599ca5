//! Between a stored session and the bodies of the contract.

use session_api::{AvailableActions, Operation, Session, SessionCreate, SessionSummary};
use session_store::StoredSession;
use session_types::{DomainId, PoolId, SessionId, SessionKind};

use crate::authorize::{Target, authorize};
use crate::caller::Caller;
use crate::error::Error;
use crate::lifecycle::state::{self, Transition};

/// Returns the session as this caller sees it.
pub fn session_for(caller: &Caller, session: StoredSession) -> Session {
    let revoke = check_revoke(caller, &session).is_ok();
    Session { actions: AvailableActions { revoke }, summary: summary_of(session) }
}

/// Succeeds if this caller's revoke of the session would now be accepted: the same checks as a revoke makes.
fn check_revoke(caller: &Caller, session: &StoredSession) -> Result<(), Error> {
    authorize(caller, Operation::RevokeSession, Target::Session(Some(session)))?;
    state::after(session.status, Transition::Revoke).map(drop)
}

/// Returns the summary of a session.
pub fn summary_of(session: StoredSession) -> SessionSummary {
    SessionSummary {
        account_id: session.account_id,
        authenticated_identity_id: session.identity_id,
        device_id: session.device_id,
        domain_id: session.domain_id,
        first_seen: session.first_seen,
        id: session.id,
        last_seen: session.last_seen,
        pool_id: session.pool_id,
        session_type: session.session_type,
        status: session.status,
        title: session.title,
        kind: SessionKind::Session,
    }
}

/// Returns a session with this summary, without a token.
pub fn session_of(summary: SessionSummary) -> StoredSession {
    StoredSession {
        status: summary.status,
        account_id: summary.account_id,
        identity_id: summary.authenticated_identity_id,
        device_id: summary.device_id,
        title: summary.title,
        first_seen: summary.first_seen,
        last_seen: summary.last_seen,
        ..StoredSession::new(summary.id, summary.domain_id, summary.pool_id, summary.session_type)
    }
}

/// Returns a new session with the properties of the body, without its interaction and without a token.
pub fn created_session(
    id: SessionId,
    domain_id: DomainId,
    pool_id: PoolId,
    body: SessionCreate,
) -> StoredSession {
    StoredSession {
        account_id: body.account_id,
        identity_id: body.authenticated_identity_id,
        device_id: body.device_id,
        title: body.title,
        ..StoredSession::new(id, domain_id, pool_id, body.session_type)
    }
}
