//! Between a stored session and the bodies of the contract.

use session_api::{SessionCreate, SessionSummary};
use session_store::StoredSession;
use session_types::{DomainId, PoolId, SessionId, SessionKind};

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
