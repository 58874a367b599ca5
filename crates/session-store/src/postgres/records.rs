//! Reads by primary key and in the order of a key; API keys, events, records of requests and settings.

use std::sync::LazyLock;

use session_types::{Id, SessionId, Timestamp};
use tokio_postgres::Row;

use super::column::{Column, START, Value, list};
use super::database::Database;
use super::error::Result;
use super::pending::revoked_at;
use super::table::{self, Record, VISITS_MAX, value};
use super::transaction::{parameters, scan, select};
use crate::event::{Event, EventId};
use crate::idempotency::{IdempotencyRecord, RecordId};
use crate::key::{ApiKey, KeyId};
use crate::store::{Page, StoredSession};

/// Selects a session as it is now: one lookup in the primary key, and one in that of the pending revocations.
fn session_sql(end: &str) -> String {
    let columns = StoredSession::columns().names("");
    format!("SELECT {columns}, {} FROM session {end}", revoked_at("session", "true"))
}

/// As [`crate::Sessions::session_fetch`].
pub(super) async fn session_fetch(database: &Database, id: SessionId) -> Result<Option<StoredSession>> {
    static SELECT: LazyLock<String> = LazyLock::new(|| session_sql("WHERE id = $1::bytea"));
    let rows = database.read(&SELECT, &[&id.to_column()]).await?;
    table::one(&rows, table::session)
}

/// Selects the rows after the ID `$1`, at most `$2`.
const PAGE: &str = "WHERE id > $1::bytea ORDER BY id LIMIT $2::bigint";

/// Returns at most `limit` rows of a statement that ends in [`PAGE`], and the limit.
async fn rows_after(
    database: &Database,
    sql: &'static str,
    after: Option<Id>,
    limit: u32,
) -> Result<(Vec<Row>, u32)> {
    let limit = limit.min(VISITS_MAX);
    let rows = scan(database, None, move |connection| {
        Box::pin(async move {
            let after = after.as_ref().map_or(START, Column::to_column);
            select(connection, sql, &[after, Value::Number(limit.into())]).await
        })
    })
    .await?;
    Ok((rows, limit))
}

/// As [`crate::Sessions::session_page`].
pub(super) async fn session_page(
    database: &Database,
    after: Option<SessionId>,
    limit: u32,
) -> Result<Page<StoredSession>> {
    static SELECT: LazyLock<String> = LazyLock::new(|| session_sql(PAGE));
    let (rows, limit) = rows_after(database, &SELECT, after.map(|id| id.0), limit).await?;
    table::page(&rows, limit, table::session)
}

/// As [`crate::Keys::key_fetch`].
pub(super) async fn key_fetch(database: &Database, id: KeyId) -> Result<Option<ApiKey>> {
    static SELECT: LazyLock<String> = LazyLock::new(|| ApiKey::columns().select("WHERE id = $1::bytea"));
    let rows = database.read(&SELECT, &[&id.to_column()]).await?;
    table::one(&rows, |row| ApiKey::read(row, 0))
}

/// As [`crate::Keys::key_and_session_fetch`]. One statement, which looks both up by primary key and always returns a row:
/// what does not exist is null in it.
pub(super) async fn key_and_session_fetch(
    database: &Database,
    key: KeyId,
    session: SessionId,
) -> Result<(Option<ApiKey>, Result<Option<StoredSession>>)> {
    static SELECT: LazyLock<String> = LazyLock::new(|| {
        let (key, session) =
            (ApiKey::columns().names("api_key."), StoredSession::columns().names("session."));
        format!(
            "SELECT {key}, {session}, {} FROM (SELECT 1) AS always \
             LEFT JOIN api_key ON api_key.id = $1::bytea LEFT JOIN session ON session.id = $2::bytea",
            revoked_at("session", "true")
        )
    });
    let rows = database.read(&SELECT, &[&key.to_column(), &session.to_column()]).await?;
    let row = table::only(&rows)?;
    let key = table::joined(row, 0, ApiKey::read)?;
    Ok((key, table::joined(row, ApiKey::columns().len(), table::session_at)))
}

/// As [`crate::Keys::key_create`].
pub(super) async fn key_create(database: &Database, key: &ApiKey) -> Result<()> {
    static INSERT: LazyLock<String> = LazyLock::new(|| {
        let columns = ApiKey::columns();
        format!("{} VALUES ({})", columns.insert(""), columns.values(0))
    });
    database.change(&INSERT, &parameters(&key.values())).await.map(drop)
}

/// As [`crate::Keys::key_page`].
pub(super) async fn key_page(database: &Database, after: Option<KeyId>, limit: u32) -> Result<Page<ApiKey>> {
    static SELECT: LazyLock<String> = LazyLock::new(|| ApiKey::columns().select(PAGE));
    let (rows, limit) = rows_after(database, &SELECT, after.map(|id| id.0), limit).await?;
    table::page(&rows, limit, |row| ApiKey::read(row, 0))
}

/// As [`crate::Keys::key_revoke`].
pub(super) async fn key_revoke(database: &Database, id: KeyId, at: Timestamp) -> Result<bool> {
    let sql =
        "UPDATE api_key SET revoked_at = coalesce(revoked_at, $2::bigint) WHERE id = $1::bytea RETURNING 1";
    let rows = database.change(sql, &parameters(&[id.to_column(), at.to_column()])).await?;
    Ok(!rows.is_empty())
}

/// As [`crate::Events::event_page`].
pub(super) async fn event_page(
    database: &Database,
    after: Option<EventId>,
    limit: u32,
) -> Result<Page<Event>> {
    static SELECT: LazyLock<String> = LazyLock::new(|| Event::columns().select(PAGE));
    let (rows, limit) = rows_after(database, &SELECT, after.map(|id| id.0), limit).await?;
    table::page(&rows, limit, |row| Event::read(row, 0))
}

/// As [`crate::Events::event_delete`].
pub(super) async fn event_delete(database: &Database, at: Timestamp, limit: u32) -> Result<u64> {
    const OLDEST: &str = "SELECT session_id, id FROM event WHERE id < $1::bytea ORDER BY id LIMIT $2::bigint";
    let before = Id::compose(at.as_ms(), 0, [0; 10]);
    let rows = scan(database, None, move |connection| {
        Box::pin(async move {
            select(connection, OLDEST, &[before.to_column(), Value::Number(limit.into())]).await
        })
    })
    .await?;
    let mut keys = (Vec::<SessionId>::new(), Vec::<EventId>::new());
    for row in &rows {
        keys.0.push(value(row, 0)?);
        keys.1.push(value(row, 1)?);
    }
    // The session too, which leads the key.
    let sql = "DELETE FROM event WHERE session_id = ANY ($1::bytea[]) AND id = ANY ($2::bytea[]) RETURNING 1";
    let deleted = database.change(sql, &parameters(&[list(&keys.0), list(&keys.1)])).await?;
    Ok(deleted.len() as u64)
}

/// As [`crate::Idempotency::record_fetch`].
pub(super) async fn record_fetch(database: &Database, id: RecordId) -> Result<Option<IdempotencyRecord>> {
    static SELECT: LazyLock<String> =
        LazyLock::new(|| IdempotencyRecord::columns().select("WHERE id = $1::bytea"));
    let rows = database.read(&SELECT, &[&id.to_column()]).await?;
    table::one(&rows, |row| IdempotencyRecord::read(row, 0))
}

/// As [`crate::Idempotency::record_delete`].
pub(super) async fn record_delete(database: &Database, at: Timestamp, limit: u32) -> Result<u64> {
    const OLDEST: &str = "SELECT id FROM idempotency_record WHERE created_at < $1::bigint ORDER BY created_at LIMIT $2::bigint";
    let rows = scan(database, None, move |connection| {
        Box::pin(
            async move { select(connection, OLDEST, &[at.to_column(), Value::Number(limit.into())]).await },
        )
    })
    .await?;
    let ids: Vec<RecordId> = rows.iter().map(|row| value(row, 0)).collect::<Result<_>>()?;
    let sql =
        "DELETE FROM idempotency_record WHERE id = ANY ($1::bytea[]) AND created_at < $2::bigint RETURNING 1";
    let deleted = database.change(sql, &parameters(&[list(&ids), at.to_column()])).await?;
    Ok(deleted.len() as u64)
}

/// As [`crate::Settings::setting_fetch`].
pub(super) async fn setting_fetch(database: &Database, name: &'static str) -> Result<Option<String>> {
    let rows = database.read("SELECT value FROM setting WHERE name = $1::text", &[&name]).await?;
    rows.first().map(|row| value(row, 0)).transpose()
}

/// As [`crate::Settings::setting_replace`].
pub(super) async fn setting_replace(database: &Database, name: &'static str, value: String) -> Result<()> {
    let sql = "INSERT INTO setting (name, value) VALUES ($1::text, $2::text) \
               ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    database.change(sql, &[&name, &value]).await.map(drop)
}

/// As [`crate::Store::ready`].
pub(super) async fn ready(database: &Database) -> Result<()> {
    database.read("SELECT 1 FROM session ORDER BY id LIMIT 1", &[]).await?;
    // It has no row, but a server that takes no writes, such as a standby, refuses the statement.
    let sql = "UPDATE setting SET value = value WHERE name = ''";
    database.change(sql, &[]).await.map(drop)
}
