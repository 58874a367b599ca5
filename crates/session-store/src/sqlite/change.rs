//! Changes that consist of several statements.

use std::sync::LazyLock;

use rusqlite::{Connection, named_params};

use super::column::Column;
use super::error::{Result, failed, insert_failed};
use super::pending::IS_NOT_REVOKED;
use super::table::{self, Record};
use crate::event::Event;
use crate::store::{StoreError, StoredSession, TokenGuard};

/// Fails with [`StoreError::TokenReplaced`] unless the session of the token still has it.
pub(super) fn token_verify_in_txn(connection: &Connection, token: Option<TokenGuard>) -> Result<()> {
    // A session that has ended has no token.
    static SELECT: LazyLock<String> = LazyLock::new(|| {
        format!("SELECT 1 FROM session WHERE id = :id AND token_hash = :token_hash AND {IS_NOT_REVOKED}")
    });
    let Some(TokenGuard { session_id, token_hash }) = token else { return Ok(()) };
    let parameters = named_params! { ":id": session_id.to_column(), ":token_hash": token_hash.to_column() };
    if table::exists(connection, &SELECT, parameters)? { Ok(()) } else { Err(StoreError::TokenReplaced) }
}

/// Adds an event.
pub(super) fn event_insert_in_txn(connection: &Connection, event: &Event) -> Result<()> {
    table::insert_in_txn(connection, event).map_err(failed)
}

/// Replaces a session, if it still has its revision, and then adds the event. Returns whether it did.
pub(super) fn session_replace_in_txn(
    connection: &Connection,
    session: &StoredSession,
    event: Option<&Event>,
) -> Result<bool> {
    static UPDATE: LazyLock<String> = LazyLock::new(|| StoredSession::statements().session_update());
    let replaced = table::execute_in_txn(connection, &UPDATE, &session.parameters()[..])? > 0;
    if let Some(event) = event.filter(|_| replaced) {
        event_insert_in_txn(connection, event)?;
    }
    Ok(replaced)
}

/// Adds a session with its event.
pub(super) fn session_create_in_txn(
    connection: &Connection,
    session: &StoredSession,
    event: &Event,
) -> Result<()> {
    table::session_insert_in_txn(connection, session).map_err(insert_failed)?;
    event_insert_in_txn(connection, event)
}

/// As [`session_create_in_txn`], but a session that is refused leaves the transaction as it was. The outer error is for
/// the whole transaction.
pub(super) fn session_import_in_txn(
    connection: &Connection,
    session: &StoredSession,
    event: &Event,
) -> Result<Result<()>> {
    match table::session_insert_in_txn(connection, session).map_err(insert_failed) {
        Err(StoreError::AlreadyExists) => Ok(Err(StoreError::AlreadyExists)),
        inserted => {
            inserted?;
            event_insert_in_txn(connection, event).map(Ok)
        }
    }
}
