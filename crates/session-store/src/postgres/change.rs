//! Changes of sessions, each with its event.
//!
//! Rows are always locked in the order of their IDs, so that two transactions never wait for each other.

use std::sync::LazyLock;

use session_types::{DomainId, SessionId, Timestamp};

use super::column::{Column, Value, list};
use super::connection::Connection;
use super::database::{Database, TransactionError};
use super::error::Result;
use super::pending::{is_not_revoked, last_pending};
use super::table::{self, Record, expires_minute, only};
use super::transaction::{Step, begin, commit, parameters, scan, select, send};
use crate::event::Event;
use crate::idempotency::IdempotencyRecord;
use crate::schema::LIVE;
use crate::store::{LastSeen, StoreError, StoredSession, TokenGuard};

/// How many sessions one transaction imports: some hundred milliseconds.
const IMPORT_MAX: usize = 1_000;

/// The columns of a session that a replacement compares instead of setting them.
const COMPARED: [&str; 5] = ["id", "domain_id", "pool_id", "session_type", "revision"];

/// Returns the `INSERT` of the record in the parameters after the number `before`, if the table `changed` has a row and there
/// is a record.
pub(super) fn insert_after<T: Record>(before: usize, changed: &str) -> String {
    let columns = T::columns();
    format!(
        "{} SELECT {} FROM {changed} WHERE ${}::bytea IS NOT NULL",
        columns.insert(""),
        columns.values(before),
        before + 1
    )
}

/// Returns the values of a record, or as many nulls.
fn values_of<T: Record>(record: Option<&T>) -> Vec<Value<'_>> {
    record.map_or_else(|| vec![Value::Null; T::columns().len()], Record::values)
}

/// Returns the values of the columns of a session.
fn session_values(session: &StoredSession) -> Vec<Value<'_>> {
    let mut values = session.values();
    values.push(expires_minute(session.expires_at));
    values
}

/// Returns the statement that adds a session and its event. `select` and `end` surround the `INSERT` of the session.
fn insert_sql(condition: &str, end: &str) -> String {
    let columns = StoredSession::columns();
    let minute = columns.len() + 1;
    format!(
        "WITH added AS ({} \
         SELECT {}, ${minute}::bigint, {} {condition} {end} RETURNING id), \
         with_event AS ({}) SELECT EXISTS (SELECT 1 FROM added)",
        columns.insert(", expires_minute, written_after"),
        columns.values(0),
        last_pending("$2::bytea"),
        insert_after::<Event>(minute, "added")
    )
}

fn insert<'a>(sql: &'static str, session: &'a StoredSession, event: &'a Event) -> Step<'a> {
    let mut parameters = session_values(session);
    parameters.extend(values_of(Some(event)));
    Step { sql, parameters }
}

/// As [`crate::Sessions::session_create`].
pub(super) async fn create(
    database: &Database,
    session: StoredSession,
    event: Event,
    record: Option<IdempotencyRecord>,
) -> Result<()> {
    static INSERT: LazyLock<String> = LazyLock::new(|| insert_sql("", ""));
    static INSERT_RECORD: LazyLock<String> = LazyLock::new(|| {
        let columns = IdempotencyRecord::columns();
        format!("{} VALUES ({})", columns.insert(""), columns.values(0))
    });
    let turn = database.changes.next(Some(session.domain_id)).await?;
    database
        .transaction(turn, (session, event, record), |connection, (session, event, record)| {
            Box::pin(async move {
                let mut steps = begin([session.domain_id]);
                // First, so that its error is the first one.
                steps.extend(
                    record.iter().map(|record| Step { sql: &INSERT_RECORD, parameters: record.values() }),
                );
                steps.extend([insert(&INSERT, session, event), commit()]);
                send(connection, &steps).await.map(drop)
            })
        })
        .await
}

/// As [`crate::Sessions::session_import`].
pub(super) async fn import(
    database: &Database,
    sessions: Vec<(StoredSession, Event)>,
) -> Result<Vec<Result<()>>> {
    let mut results = Vec::with_capacity(sessions.len());
    let mut sessions = sessions.into_iter();
    loop {
        let part: Vec<_> = sessions.by_ref().take(IMPORT_MAX).collect();
        if part.is_empty() {
            return Ok(results);
        }
        results.extend(import_part(database, part).await.map_err(|error| match error {
            StoreError::Unavailable(text) | StoreError::Failed(text) if !results.is_empty() => {
                StoreError::OutcomeUnknown(format!("{} sessions were imported: {text}", results.len()))
            }
            other => other,
        })?);
    }
}

async fn import_part(database: &Database, sessions: Vec<(StoredSession, Event)>) -> Result<Vec<Result<()>>> {
    /// A session that cannot be added leaves the transaction as it was.
    static INSERT: LazyLock<String> = LazyLock::new(|| {
        let event_id = StoredSession::columns().len() + 2;
        let is_new = format!(
            "WHERE NOT EXISTS (SELECT 1 FROM event WHERE event.session_id = $1::bytea AND event.id = ${event_id}::bytea)"
        );
        insert_sql(&is_new, "ON CONFLICT (id) DO NOTHING")
    });
    let turn = database.changes.next(None).await?;
    database
        .transaction(turn, sessions, |connection, sessions| {
            Box::pin(async move {
                let added = in_order(
                    connection,
                    sessions,
                    |(session, _)| session,
                    |(session, event)| insert(&INSERT, session, event),
                )
                .await?;
                let result = |is_added| if is_added { Ok(()) } else { Err(StoreError::AlreadyExists) };
                Ok(added.into_iter().map(result).collect())
            })
        })
        .await
}

/// Makes a change of each session, by ascending ID, in one transaction. Returns for each, in the given order, what its
/// statement returned: whether it was made.
async fn in_order<'a, T>(
    connection: &Connection,
    changes: &'a [T],
    session: impl Fn(&'a T) -> &'a StoredSession,
    step: impl Fn(&'a T) -> Step<'a>,
) -> std::result::Result<Vec<bool>, TransactionError> {
    let mut order: Vec<_> = changes.iter().enumerate().collect();
    // Of two changes of one session, the first one stays the first.
    order.sort_by_key(|(_, change)| session(change).id);
    let mut steps = begin(changes.iter().map(|change| session(change).domain_id));
    let first = steps.len();
    steps.extend(order.iter().map(|(_, change)| step(change)));
    steps.push(commit());
    let rows = send(connection, &steps).await?;
    let mut made = vec![false; changes.len()];
    for ((place, _), rows) in order.iter().zip(rows.iter().skip(first)) {
        if let Some(made) = made.get_mut(*place) {
            *made = table::is_true(only(rows)?, 0)?;
        }
    }
    Ok(made)
}

/// Returns a condition that is true for `$id` null or if the session of that ID has the token hash `$hash` and has not
/// ended.
pub(super) fn is_valid(id: &str, hash: &str) -> String {
    format!(
        "({id} IS NULL OR EXISTS (SELECT 1 FROM session AS guard WHERE guard.id = {id} \
         AND guard.token_hash = {hash} AND {}))",
        is_not_revoked("guard")
    )
}

/// Returns the statement that replaces a session, if it has its revision, the token of the guard is valid, there is no record
/// of the request and no pending revocation applies to the session, and then adds the event and the record. It returns
/// whether it did, whether the token is valid, and whether there is a record.
fn replace_sql() -> String {
    let columns = StoredSession::columns();
    let (compared, set) = columns.equations(&COMPARED);
    let minute = columns.len() + 1;
    let event = minute + 2;
    let is_valid = is_valid(&format!("${}::bytea", minute + 1), &format!("${}::bytea", minute + 2));
    format!(
        "WITH guard AS MATERIALIZED (SELECT {is_valid} AS is_valid), \
         record AS MATERIALIZED (SELECT EXISTS (SELECT 1 FROM idempotency_record \
         WHERE idempotency_record.id = ${}::bytea) AS is_repeated), \
         updated AS (UPDATE session SET {}, expires_minute = ${minute}::bigint, revision = revision + 1, \
         written_after = {} WHERE {} AND (SELECT is_valid FROM guard) \
         AND NOT (SELECT is_repeated FROM record) AND {} RETURNING id), \
         with_event AS ({}), with_record AS ({}) \
         SELECT EXISTS (SELECT 1 FROM updated), is_valid, is_repeated FROM guard CROSS JOIN record",
        event + Event::columns().len() + 1,
        set.join(", "),
        last_pending("$2::bytea"),
        compared.join(" AND "),
        is_not_revoked("session"),
        insert_after::<Event>(event, "updated"),
        insert_after::<IdempotencyRecord>(event + Event::columns().len(), "updated")
    )
}

static REPLACE: LazyLock<String> = LazyLock::new(replace_sql);

fn replace<'a>(
    session: &'a StoredSession,
    event: Option<&'a Event>,
    token: Option<&'a TokenGuard>,
    record: Option<&'a IdempotencyRecord>,
) -> Step<'a> {
    let mut parameters = session_values(session);
    parameters.push(token.map_or(Value::Null, |token| token.session_id.to_column()));
    parameters.push(token.map_or(Value::Null, |token| token.token_hash.to_column()));
    parameters.extend(values_of(event));
    parameters.extend(values_of(record));
    Step { sql: &REPLACE, parameters }
}

/// Locks these sessions until the transaction ends, in the order of their IDs.
pub(super) fn lock(sessions: &[SessionId]) -> Step<'_> {
    let sql = "SELECT 1 FROM session WHERE id = ANY ($1::bytea[]) ORDER BY id FOR NO KEY UPDATE";
    Step { sql, parameters: vec![list(sessions)] }
}

/// As [`crate::Sessions::session_replace`].
pub(super) async fn replace_one(
    database: &Database,
    session: StoredSession,
    event: Option<Event>,
    token: Option<TokenGuard>,
    record: Option<IdempotencyRecord>,
) -> Result<bool> {
    let turn = database.changes.next(Some(session.domain_id)).await?;
    database
        .transaction(turn, (session, event, record), move |connection, (session, event, record)| {
            Box::pin(async move {
                let locked: Vec<_> = token.iter().map(|token| token.session_id).chain([session.id]).collect();
                let mut steps = begin([session.domain_id]);
                if token.is_some() {
                    steps.push(lock(&locked));
                }
                let place = steps.len();
                let replace = replace(session, event.as_ref(), token.as_ref(), record.as_ref());
                steps.extend([replace, commit()]);
                let rows = send(connection, &steps).await?;
                let row = only(rows.get(place).map_or(&[], Vec::as_slice))?;
                if !table::is_true(row, 1)? {
                    return Err(StoreError::TokenReplaced.into());
                }
                if table::is_true(row, 2)? {
                    return Err(StoreError::RequestRepeated.into());
                }
                Ok(table::is_true(row, 0)?)
            })
        })
        .await
}

/// As [`crate::Sessions::session_replace_many`].
pub(super) async fn replace_many(
    database: &Database,
    sessions: Vec<(StoredSession, Option<Event>)>,
) -> Result<Vec<bool>> {
    let turn = database.changes.next(None).await?;
    database
        .transaction(turn, sessions, |connection, sessions| {
            Box::pin(async move {
                in_order(
                    connection,
                    sessions,
                    |(session, _)| session,
                    |(session, event)| replace(session, event.as_ref(), None, None),
                )
                .await
            })
        })
        .await
}

/// Returns the statement that stores a last interaction.
fn last_seen_sql() -> String {
    // Not a column: it is compared with the end of the stored lifetime.
    let (mut compared, set) = LastSeen::columns().equations(&["id", "first_at"]);
    compared.retain(|equation| !equation.starts_with("first_at"));
    let minute = LastSeen::columns().len() + 1;
    format!(
        "UPDATE session SET {}, expires_minute = ${minute}::bigint, revision = revision + 1 \
         WHERE {} AND last_seen_at <= $3::bigint AND ended_at IS NULL AND {LIVE} \
         AND (expires_at IS NULL OR expires_at > $2::bigint) AND {}",
        set.join(", "),
        compared.join(" AND "),
        is_not_revoked("session")
    )
}

/// As [`crate::Sessions::session_update_last_seen`].
pub(super) async fn update_last_seen(database: &Database, mut last_seen: Vec<LastSeen>) -> Result<()> {
    const DOMAINS: &str = "SELECT DISTINCT domain_id FROM session WHERE id = ANY ($1::bytea[])";
    static UPDATE: LazyLock<String> = LazyLock::new(last_seen_sql);
    last_seen.sort_by_key(|seen| seen.session_id);
    let turn = database.changes.next(None).await?;
    database
        .transaction(turn, last_seen, |connection, last_seen| {
            Box::pin(async move {
                // The domain of a session never changes.
                let ids: Vec<_> = last_seen.iter().map(|seen| seen.session_id).collect();
                let rows =
                    select(connection, DOMAINS, &[list(&ids)]).await.map_err(TransactionError::NotSent)?;
                let domains: Vec<DomainId> =
                    rows.iter().map(|row| table::value(row, 0)).collect::<Result<_>>()?;
                let mut steps = begin(domains);
                steps.extend(last_seen.iter().map(|seen| {
                    let mut parameters = seen.values();
                    parameters.push(expires_minute(seen.expires_at));
                    Step { sql: &UPDATE, parameters }
                }));
                steps.push(commit());
                send(connection, &steps).await.map(drop)
            })
        })
        .await
}

/// As [`crate::Sessions::session_delete_ended`].
pub(super) async fn delete_ended(database: &Database, at: Timestamp, limit: u32) -> Result<u64> {
    const ENDED: &str =
        "SELECT id FROM session WHERE ended_at <= $1::bigint ORDER BY ended_at LIMIT $2::bigint";
    let rows = scan(database, None, move |connection| {
        Box::pin(
            async move { select(connection, ENDED, &[at.to_column(), Value::Number(limit.into())]).await },
        )
    })
    .await?;
    let ids: Vec<SessionId> = rows.iter().map(|row| table::value(row, 0)).collect::<Result<_>>()?;
    let sql = "DELETE FROM session WHERE id = ANY ($1::bytea[]) AND ended_at <= $2::bigint RETURNING 1";
    let deleted = database.change(sql, &parameters(&[list(&ids), at.to_column()])).await?;
    Ok(deleted.len() as u64)
}
