//! Changes of sessions, each with its event, and of API keys.

use std::sync::LazyLock;

use rusqlite::{Connection, OptionalExtension, named_params};
use session_types::{DomainId, PoolId, Timestamp};

use super::column::Column;
use super::error::{failed, insert_failed};
use super::table::{self, Record};
use crate::event::Event;
use crate::key::ApiKey;
use crate::store::{LastSeen, SessionTimes, StoreError, StoredSession};

/// The condition that the status of a session is not final.
pub(super) const LIVE: &str = "status IN ('new', 'unauthenticated', 'authenticated')";

/// The columns that identify a version of a session. A replacement compares them.
const IDENTIFYING: [&str; 5] = ["id", "domain_id", "pool_id", "session_type", "revision"];

/// Adds the pool if it is new. Fails if it belongs to another domain.
fn pool_claim_in_txn(
    connection: &Connection,
    pool_id: PoolId,
    domain_id: DomainId,
) -> Result<(), StoreError> {
    let owner: Option<DomainId> = connection
        .prepare_cached("SELECT domain_id FROM pool WHERE id = :id")
        .and_then(|mut select| {
            select.query_row(named_params! { ":id": pool_id.to_column() }, table::only).optional()
        })
        .map_err(failed)?;
    if let Some(owner) = owner {
        return if owner == domain_id { Ok(()) } else { Err(StoreError::PoolOfOtherDomain) };
    }
    let parameters = named_params! { ":id": pool_id.to_column(), ":domain_id": domain_id.to_column() };
    table::execute_in_txn(connection, "INSERT INTO pool (id, domain_id) VALUES (:id, :domain_id)", parameters)
        .map(drop)
}

/// Adds an event.
pub(super) fn event_insert_in_txn(connection: &Connection, event: &Event) -> Result<(), StoreError> {
    table::insert_in_txn(connection, event).map_err(failed)
}

/// Adds an API key and, if it is bound to a new one, its pool.
pub(super) fn key_insert_in_txn(connection: &Connection, key: &ApiKey) -> Result<(), StoreError> {
    if let Some(pool_id) = key.pool_id {
        pool_claim_in_txn(connection, pool_id, key.domain_id)?;
    }
    table::insert_in_txn(connection, key).map_err(insert_failed)
}

/// As [`crate::Store::session_create`].
pub(super) fn session_create_in_txn(
    connection: &Connection,
    session: &StoredSession,
    event: &Event,
) -> Result<(), StoreError> {
    pool_claim_in_txn(connection, session.pool_id, session.domain_id)?;
    table::insert_in_txn(connection, session).map_err(insert_failed)?;
    event_insert_in_txn(connection, event)
}

/// As [`crate::Store::session_import`], for one session. An outer error rolls back the whole import.
pub(super) fn session_import_in_txn(
    connection: &Connection,
    session: &StoredSession,
    event: &Event,
) -> Result<Result<(), StoreError>, StoreError> {
    // Before the pool is claimed: a session that is refused is not rolled back.
    let parameters = named_params! { ":id": session.id.to_column() };
    if table::exists(connection, "SELECT 1 FROM session WHERE id = :id", parameters)? {
        return Ok(Err(StoreError::AlreadyExists));
    }
    match session_create_in_txn(connection, session, event) {
        Err(error @ (StoreError::Failed(_) | StoreError::OutcomeUnknown(_))) => Err(error),
        result => Ok(result),
    }
}

/// As [`crate::Store::session_replace`].
pub(super) fn session_replace_in_txn(
    connection: &Connection,
    session: &StoredSession,
    event: Option<&Event>,
) -> Result<bool, StoreError> {
    static UPDATE: LazyLock<String> = LazyLock::new(|| {
        let update = StoredSession::statements().update(&IDENTIFYING);
        let unchanged = IDENTIFYING.map(|column| format!("{column} = :{column}")).join(" AND ");
        format!("{update}, revision = revision + 1 WHERE {unchanged}")
    });
    let replaced = table::execute_in_txn(connection, &UPDATE, &session.parameters()[..])? > 0;
    if let Some(event) = event
        && replaced
    {
        event_insert_in_txn(connection, event)?;
    }
    Ok(replaced)
}

/// As [`crate::Store::session_update_last_seen`], for one session.
pub(super) fn session_update_last_seen_in_txn(
    connection: &Connection,
    last_seen: &LastSeen,
) -> Result<(), StoreError> {
    static UPDATE: LazyLock<String> = LazyLock::new(|| {
        let update = LastSeen::statements().update(&["id"]);
        format!(
            "{update}, revision = revision + 1 WHERE id = :id AND last_seen_at <= :last_seen_at \
             AND ended_at IS NULL AND {LIVE} AND (expires_at IS NULL OR expires_at > :last_seen_at)"
        )
    });
    table::execute_in_txn(connection, &UPDATE, &last_seen.parameters()[..]).map(drop)
}

/// As [`crate::Store::session_update_times`], for one session.
pub(super) fn session_update_times_in_txn(
    connection: &Connection,
    times: &SessionTimes,
) -> Result<(), StoreError> {
    static UPDATE: LazyLock<String> = LazyLock::new(|| {
        let update = SessionTimes::statements().update(&["id"]);
        format!("{update}, revision = revision + 1 WHERE id = :id")
    });
    table::execute_in_txn(connection, &UPDATE, &times.parameters()[..]).map(drop)
}

/// As [`crate::Store::session_list_expired`].
pub(super) fn session_list_expired(
    connection: &Connection,
    at: Timestamp,
    limit: u32,
) -> Result<Vec<StoredSession>, StoreError> {
    static SELECT: LazyLock<String> = LazyLock::new(|| {
        let select = &StoredSession::statements().select;
        format!(
            "{select} INDEXED BY session_by_expires_at WHERE expires_at <= :at ORDER BY expires_at LIMIT :limit"
        )
    });
    table::select(connection, &SELECT, named_params! { ":at": at.to_column(), ":limit": limit })
}

#[cfg(test)]
mod tests {
    use session_types::SessionStatus;
    use strum::VariantArray;

    use super::*;

    #[test]
    fn a_session_is_live_in_every_status_that_is_not_final() {
        for status in SessionStatus::VARIANTS {
            assert_eq!(LIVE.contains(&format!("'{status}'")), !status.is_final(), "{status}");
        }
    }
}
