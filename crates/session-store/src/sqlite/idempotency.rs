//! The records of requests that may be repeated.

use std::sync::LazyLock;

use rusqlite::{Connection, OptionalExtension, Row, named_params};
use session_types::Timestamp;

use super::column::Column;
use super::error::{Result, failed};
use super::table::{self, Record};
use crate::idempotency::{IdempotencyRecord, RecordId};
use crate::store::StoreError;

/// Returns the record with this ID.
pub(super) fn record_fetch(connection: &Connection, id: RecordId) -> Result<Option<IdempotencyRecord>> {
    static SELECT: LazyLock<String> = LazyLock::new(|| {
        format!("SELECT {} FROM idempotency_record WHERE id = :id", IdempotencyRecord::statements().columns)
    });
    let read = |row: &Row<'_>| IdempotencyRecord::read(row, 0);
    connection
        .prepare_cached(&SELECT)
        .and_then(|mut select| select.query_row(named_params! { ":id": id.to_column() }, read).optional())
        .map_err(failed)
}

/// Fails with [`StoreError::RequestRepeated`] if there is a record with the ID of this one.
pub(super) fn record_verify_in_txn(
    connection: &Connection,
    record: Option<&IdempotencyRecord>,
) -> Result<()> {
    let Some(IdempotencyRecord { id, .. }) = record else { return Ok(()) };
    let sql = "SELECT 1 FROM idempotency_record WHERE id = :id";
    let is_taken = table::exists(connection, sql, named_params! { ":id": id.to_column() })?;
    if is_taken { Err(StoreError::RequestRepeated) } else { Ok(()) }
}

/// Adds a record, whose ID is not taken.
pub(super) fn record_insert_in_txn(
    connection: &Connection,
    record: Option<&IdempotencyRecord>,
) -> Result<()> {
    record.map_or(Ok(()), |record| table::insert_in_txn(connection, record).map_err(failed))
}

/// Deletes at most `limit` records created before `at`, the oldest first. Returns how many.
pub(super) fn record_delete_in_txn(connection: &Connection, at: Timestamp, limit: u32) -> Result<u64> {
    let sql = "DELETE FROM idempotency_record WHERE id IN \
               (SELECT id FROM idempotency_record INDEXED BY idempotency_record_by_created_at \
               WHERE created_at < :at ORDER BY created_at LIMIT :limit)";
    table::execute_in_txn(connection, sql, named_params! { ":at": at.to_column(), ":limit": limit })
}
