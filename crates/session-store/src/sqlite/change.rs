//! Changes that consist of several statements.

use rusqlite::{Connection, OptionalExtension, named_params};
use session_types::{DomainId, PoolId, SessionId, SessionStatus, Timestamp};

use super::column::Column;
use super::error::{Result, failed, insert_failed};
use super::list::Query;
use super::table;
use crate::event::{Event, EventId};
use crate::store::{SessionFilter, StoreError, StoredSession, TokenGuard};

/// Adds the pool if it is new. Fails if it belongs to another domain.
pub(super) fn pool_claim_in_txn(connection: &Connection, pool_id: PoolId, domain_id: DomainId) -> Result<()> {
    let parameters = named_params! { ":id": pool_id.to_column() };
    let owner: Option<DomainId> = connection
        .prepare_cached("SELECT domain_id FROM pool WHERE id = :id")
        .and_then(|mut select| select.query_row(parameters, table::read_value).optional())
        .map_err(failed)?;
    if let Some(owner) = owner {
        return if owner == domain_id { Ok(()) } else { Err(StoreError::PoolOfOtherDomain) };
    }
    let sql = "INSERT INTO pool (id, domain_id) VALUES (:id, :domain_id)";
    let parameters = named_params! { ":id": pool_id.to_column(), ":domain_id": domain_id.to_column() };
    table::execute_in_txn(connection, sql, parameters).map(drop)
}

/// Fails with [`StoreError::TokenReplaced`] unless the session of the token still has it.
pub(super) fn token_verify_in_txn(connection: &Connection, token: Option<TokenGuard>) -> Result<()> {
    let Some(TokenGuard { session_id, token_hash }) = token else { return Ok(()) };
    // A session that has ended has no token.
    let sql = "SELECT 1 FROM session WHERE id = :id AND token_hash = :token_hash";
    let parameters = named_params! { ":id": session_id.to_column(), ":token_hash": token_hash.to_column() };
    if table::exists(connection, sql, parameters)? { Ok(()) } else { Err(StoreError::TokenReplaced) }
}

/// Adds an event.
pub(super) fn event_insert_in_txn(connection: &Connection, event: &Event) -> Result<()> {
    table::insert_in_txn(connection, event).map_err(failed)
}

/// Adds a session with its event and, if it is new, its pool.
pub(super) fn session_create_in_txn(
    connection: &Connection,
    session: &StoredSession,
    event: &Event,
) -> Result<()> {
    pool_claim_in_txn(connection, session.pool_id, session.domain_id)?;
    table::insert_in_txn(connection, session).map_err(insert_failed)?;
    event_insert_in_txn(connection, event)
}

/// As [`session_create_in_txn`], but a session that is refused leaves the transaction as it was. The outer error is for
/// the whole transaction.
pub(super) fn session_import_in_txn(
    connection: &Connection,
    session: &StoredSession,
    event: &Event,
) -> Result<Result<()>> {
    // Before the pool is claimed, because nothing is rolled back.
    let parameters = named_params! { ":id": session.id.to_column() };
    if table::exists(connection, "SELECT 1 FROM session WHERE id = :id", parameters)? {
        return Ok(Err(StoreError::AlreadyExists));
    }
    match session_create_in_txn(connection, session, event) {
        Err(error @ (StoreError::Failed(_) | StoreError::OutcomeUnknown(_))) => Err(error),
        result => Ok(result),
    }
}

/// Revokes the sessions that match the filter, are live at `at` and are not `except`. Adds an event for each, like the
/// given one. Returns the number of sessions.
pub(super) fn session_revoke_many_in_txn(
    connection: &Connection,
    filter: &SessionFilter,
    except: Option<SessionId>,
    at: Timestamp,
    event: &Event,
) -> Result<u64> {
    let live = Query::live(filter, except.as_ref(), &at);
    let ids: Vec<SessionId> = connection
        .prepare_cached(&live.sql)
        .and_then(|mut select| select.query_map(&live.parameters[..], table::read_value)?.collect())
        .map_err(failed)?;
    let update = "UPDATE session SET status = :status, token_hash = NULL, expires_at = NULL, ended_at = :at, \
                  revision = revision + 1 WHERE id = :id";
    let (status, at) = (SessionStatus::Revoked.to_column(), at.to_column());
    let mut revoked = 0;
    for session_id in ids {
        let parameters = named_params! { ":id": session_id.to_column(), ":status": status, ":at": at };
        table::execute_in_txn(connection, update, parameters)?;
        let id = EventId(event.id.0.with_number(revoked));
        event_insert_in_txn(connection, &Event { id, session_id, ..event.clone() })?;
        revoked += 1;
    }
    Ok(revoked)
}
