//! Revocations of many sessions.
//!
//! One of few sessions is made at once. One of many is a row of the table `revocation`, which a single commit adds: from
//! then on, every read and every change of a session compares the session with the pending revocations of its domain.
//! The sessions to which it applies do not change any more, so they can be counted and written afterwards.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use session_types::{DomainId, SessionId, SessionStatus, Timestamp};
use tokio_postgres::Row;

use super::change::{insert_after, is_valid, lock};
use super::column::{Column, Invalid, Property, START, Value};
use super::connection::Connection;
use super::database::{Database, TransactionError};
use super::error::Result;
use super::pending::{is_not_revoked, revoked_at};
use super::ranges::{self, Shape};
use super::table::{self, Record, no_row, only, value};
use super::transaction::{
    Step, begin, begin_alone, begin_exclusively, commit, parameters, rollback, scan, select, send,
};
use crate::event::Event;
use crate::schema::LIVE;
use crate::store::{Revocation, SessionFilter, StoreError, TokenGuard};

type InTransaction<T> = std::result::Result<T, TransactionError>;

/// How many sessions a revocation visits in one transaction, some ten milliseconds: one that would visit more is pending,
/// and is written in batches of this size.
const BATCH: u32 = 200;

/// How many revocations of a domain may be pending: each read of its sessions compares with each of them.
const PENDING_MAX: u64 = 16;

/// How long the record of a finished revocation is retained for a caller that still waits for its count: much longer than
/// callers wait.
const FINISHED_RETENTION: Duration = Duration::from_mins(1);

/// How many parameters the conditions of a revocation have: those of its filter, `$7`, the excepted session, and `$8`, the
/// number of the revocation, or null for one that is made at once.
const CONDITIONS: usize = 8;

/// The condition that a revocation applies to a row of `session`, as far as the session itself says.
fn applies() -> String {
    format!("{} AND session.{LIVE} AND ($7::bytea IS NULL OR session.id <> $7::bytea)", ranges::matches())
}

/// The condition that a session was last written before the revocation `$8`, which therefore may apply to it.
const WRITTEN_BEFORE: &str = "(session.written_after IS NULL OR session.written_after < $8::bigint)";

/// The condition that a revocation applies to a row of `session`, as far as other revocations say.
fn is_due() -> String {
    format!("CASE WHEN $8::bigint IS NULL THEN {} ELSE {WRITTEN_BEFORE} END", is_not_revoked("session"))
}

/// Returns the parameters of the conditions.
fn conditions<'a>(
    revocation: &'a Revocation,
    filter: &'a SessionFilter,
    number: Option<u64>,
) -> Vec<Value<'a>> {
    let mut parameters = ranges::parameters(filter);
    revocation.except.write(&mut parameters);
    parameters.push(number.map_or(Value::Null, numeral));
    parameters
}

fn numeral(number: u64) -> Value<'static> {
    Value::Number(i64::try_from(number).unwrap_or(i64::MAX))
}

/// Lets through the statuses that are not final.
fn live(status: SessionStatus) -> String {
    (!status.is_final()).to_string()
}

/// Selects the sessions in the range of a revocation, at most `$10` from the first one after `$9` by ascending ID, each
/// with whether the revocation applies to it.
static VISITS: LazyLock<HashMap<Shape, String>> = LazyLock::new(|| {
    let sql = |shape: Shape| {
        let oldest = "ORDER BY position LIMIT $10::bigint";
        let ranges = shape.ranges(live, "> $9::bytea", oldest).join(" UNION ALL ");
        format!(
            "SELECT id, coalesce({} AND {}, false) \
             FROM (SELECT * FROM ({ranges}) AS session {oldest}) AS session ORDER BY position",
            applies(),
            is_due()
        )
    };
    Shape::all().map(|shape| (shape, sql(shape))).collect()
});

/// Ends the session `$9` at the time `$10`, if the revocation still applies to it, and adds the event that follows if it is
/// revoked, or the one after that if it is complete. It returns the status.
static END: LazyLock<String> = LazyLock::new(|| {
    let before = CONDITIONS + 2;
    let of_status = |status| format!("(SELECT 1 FROM ended WHERE status = '{status}') AS ended");
    format!(
        "WITH ended AS (UPDATE session SET \
         status = CASE WHEN expires_at <= $10::bigint THEN 'complete' ELSE 'revoked' END, \
         ended_at = CASE WHEN expires_at <= $10::bigint THEN expires_at ELSE $10::bigint END, \
         token_hash = NULL, expires_at = NULL, expires_minute = NULL, revision = revision + 1 \
         WHERE id = $9::bytea AND domain_id = $1::bytea AND {} AND {} RETURNING status), \
         revoked AS ({}), complete AS ({}) SELECT status FROM ended",
        applies(),
        is_due(),
        insert_after::<Event>(before, &of_status(SessionStatus::Revoked)),
        insert_after::<Event>(before + Event::columns().len(), &of_status(SessionStatus::Complete)),
    )
});

/// How many sessions a revocation has revoked, and how many completed.
#[derive(Clone, Copy, Default)]
struct Written {
    revoked: u64,
    completed: u64,
}

/// Returns the sessions in the range of a revocation, at most `limit` after `after`, each with whether it applies.
fn visit<'a>(
    revocation: &'a Revocation,
    filter: &'a SessionFilter,
    number: Option<u64>,
    after: Option<&'a SessionId>,
    limit: u32,
) -> Step<'a> {
    let mut parameters = conditions(revocation, filter, number);
    parameters.push(after.map_or(START, Column::to_column));
    parameters.push(Value::Number(limit.into()));
    Step { sql: &VISITS[&Shape::of(filter)], parameters }
}

/// Returns the visited sessions to which the revocation applies.
fn applying(visited: &[Row]) -> Result<Vec<SessionId>> {
    let mut sessions = Vec::new();
    for row in visited {
        if table::is_true(row, 1)? {
            sessions.push(value(row, 0)?);
        }
    }
    Ok(sessions)
}

/// Ends these sessions and adds their events; `written` were ended before. `last` follows in the same round trip. Returns
/// how many are ended after it.
async fn end(
    connection: &Connection,
    revocation: &Revocation,
    number: Option<u64>,
    sessions: &[SessionId],
    mut written: Written,
    last: Option<Step<'static>>,
) -> InTransaction<Written> {
    let filter = revocation.filter();
    let ended_before = written.revoked + written.completed;
    let events: Vec<_> = sessions
        .iter()
        .zip(ended_before..)
        .map(|(id, place)| [false, true].map(|has_expired| revocation.event(*id, place, has_expired)))
        .collect();
    let steps = sessions.iter().zip(&events).map(|(id, [revoked, complete])| {
        let mut parameters = conditions(revocation, &filter, number);
        parameters.extend([id.to_column(), revocation.at.to_column()]);
        parameters.extend(revoked.values());
        parameters.extend(complete.values());
        Step { sql: &END, parameters }
    });
    let steps: Vec<_> = steps.chain(last).collect();
    let rows = send(connection, &steps).await?;
    for row in rows.iter().take(sessions.len()).flatten() {
        match value(row, 0)? {
            SessionStatus::Complete => written.completed += 1,
            _ => written.revoked += 1,
        }
    }
    Ok(written)
}

/// As [`crate::Revocations::session_revoke_many`].
pub(super) async fn revoke_many(
    database: &Database,
    revocation: Revocation,
    token: Option<TokenGuard>,
) -> Result<u64> {
    let revocation = Arc::new(revocation);
    if let Some(revoked) = revoke_few(database, Arc::clone(&revocation), token).await? {
        return Ok(revoked);
    }
    let number = add(database, Arc::clone(&revocation), token).await?;
    count(database, revocation, number).await.map_err(|error| {
        StoreError::OutcomeUnknown(format!("the revocation was made, but not counted: {error}"))
    })
}

/// Revokes the sessions and returns their number. Changes nothing and returns `None` if they may be many.
async fn revoke_few(
    database: &Database,
    revocation: Arc<Revocation>,
    token: Option<TokenGuard>,
) -> Result<Option<u64>> {
    let turn = database.changes.next(Some(revocation.domain_id)).await?;
    database
        .transaction(turn, revocation, move |connection, revocation| {
            Box::pin(async move {
                let filter = revocation.filter();
                let mut steps = begin([revocation.domain_id]);
                steps.push(visit(revocation, &filter, None, None, BATCH + 1));
                let visited = send(connection, &steps).await?.pop().unwrap_or_default();
                if visited.len() > BATCH as usize {
                    send(connection, &[rollback()]).await?;
                    return Ok(None);
                }
                let sessions = applying(&visited)?;
                if let Some(token) = token {
                    let locked: Vec<_> = sessions.iter().copied().chain([token.session_id]).collect();
                    verify(connection, vec![lock(&locked)], token).await?;
                }
                let written =
                    end(connection, revocation, None, &sessions, Written::default(), Some(commit())).await?;
                Ok(Some(written.revoked))
            })
        })
        .await
}

/// Sends these statements, and fails with [`StoreError::TokenReplaced`] unless the token is valid after them.
async fn verify(connection: &Connection, mut steps: Vec<Step<'_>>, token: TokenGuard) -> InTransaction<()> {
    static VERIFY: LazyLock<String> =
        LazyLock::new(|| format!("SELECT {}", is_valid("$1::bytea", "$2::bytea")));
    let parameters = vec![token.session_id.to_column(), token.token_hash.to_column()];
    steps.push(Step { sql: &VERIFY, parameters });
    let rows = send(connection, &steps).await?;
    if table::is_true(only(rows.last().map_or(&[], Vec::as_slice))?, 0)? {
        Ok(())
    } else {
        Err(StoreError::TokenReplaced.into())
    }
}

/// Adds the revocation to the pending ones. Returns its number.
async fn add(database: &Database, revocation: Arc<Revocation>, token: Option<TokenGuard>) -> Result<u64> {
    const PENDING: &str =
        "SELECT count(*) FROM revocation WHERE domain_id = $1::bytea AND finished_at IS NULL";
    const NUMBER: &str = "INSERT INTO revocation_counter AS counter (domain_id, last_revocation) VALUES ($1::bytea, 1) \
                          ON CONFLICT (domain_id) DO UPDATE SET last_revocation = counter.last_revocation + 1 \
                          RETURNING last_revocation";
    static INSERT: LazyLock<String> = LazyLock::new(|| {
        let columns = Revocation::columns();
        let number = columns.len() + 1;
        format!("{} VALUES ({}, ${number}::bigint)", columns.insert(", number"), columns.values(0))
    });
    let turn = database.changes.next(Some(revocation.domain_id)).await?;
    database
        .transaction(turn, revocation, move |connection, revocation| {
            Box::pin(async move {
                let domain = || vec![revocation.domain_id.to_column()];
                let mut steps = begin_exclusively(revocation.domain_id);
                let locked: Vec<_> = token.iter().map(|token| token.session_id).collect();
                if let Some(token) = token {
                    steps.push(lock(&locked));
                    verify(connection, std::mem::take(&mut steps), token).await?;
                }
                steps.push(Step { sql: PENDING, parameters: domain() });
                steps.push(Step { sql: NUMBER, parameters: domain() });
                let rows = send(connection, &steps).await?;
                let [.., pending, number] = &rows[..] else { return Err(no_row().into()) };
                if value::<u64>(only(pending)?, 0)? >= PENDING_MAX {
                    return Err(StoreError::TooManyRevocations.into());
                }
                let number: u64 = value(only(number)?, 0)?;
                let mut parameters = revocation.values();
                parameters.push(numeral(number));
                send(connection, &[Step { sql: &INSERT, parameters }, commit()]).await?;
                Ok(number)
            })
        })
        .await
}

/// Returns the number of sessions that a revocation revokes, some of which may be written.
async fn count(database: &Database, revocation: Arc<Revocation>, number: u64) -> Result<u64> {
    /// One statement sees one state: what is written of the revocation, and the sessions.
    static COUNT: LazyLock<HashMap<Shape, String>> = LazyLock::new(|| {
        let sql = |shape: Shape| {
            let ranges = shape.ranges(live, "IS NOT NULL", "").join(" UNION ALL ");
            format!(
                "SELECT CASE WHEN finished_at IS NOT NULL THEN written ELSE written + (\
                 SELECT count(*) FROM ({ranges}) AS session WHERE {} AND {WRITTEN_BEFORE} \
                 AND (session.expires_at IS NULL OR session.expires_at > revocation.at) AND {} IS NULL) END \
                 FROM revocation WHERE domain_id = $1::bytea AND number = $8::bigint",
                applies(),
                revoked_at("session", "pending.number < $8::bigint")
            )
        };
        Shape::all().map(|shape| (shape, sql(shape))).collect()
    });
    let domain_id = Some(revocation.domain_id);
    let rows = scan(database, domain_id, move |connection| {
        let revocation = Arc::clone(&revocation);
        Box::pin(async move {
            let filter = revocation.filter();
            let sql = &COUNT[&Shape::of(&filter)];
            select(connection, sql, &conditions(&revocation, &filter, Some(number))).await
        })
    })
    .await?;
    value(rows.first().ok_or_else(|| StoreError::Failed("its record was removed".to_owned()))?, 0)
}

/// As [`crate::Revocations::revocation_write`].
pub(super) async fn write(database: &Database, now: Timestamp) -> Result<bool> {
    for (domain_id, number) in first_of_each_domain(database).await? {
        write_batch(database, domain_id, number, now).await?;
    }
    let before = now.saturating_sub(FINISHED_RETENTION);
    let sql = "DELETE FROM revocation WHERE finished_at <= $1::bigint";
    database.change(sql, &parameters(&[before.to_column()])).await?;
    Ok(!first_of_each_domain(database).await?.is_empty())
}

/// Returns the number of the first pending revocation of each domain.
async fn first_of_each_domain(database: &Database) -> Result<Vec<(DomainId, u64)>> {
    let sql = "SELECT domain_id, min(number) FROM revocation WHERE finished_at IS NULL GROUP BY domain_id";
    let rows = database.read(sql, &[]).await?;
    rows.iter().map(|row| Ok((value(row, 0)?, value(row, 1)?))).collect()
}

/// Writes a batch of the sessions of a revocation, the first pending one of its domain, unless another node is writing one.
async fn write_batch(database: &Database, domain_id: DomainId, number: u64, now: Timestamp) -> Result<()> {
    static SELECT: LazyLock<String> = LazyLock::new(|| {
        let columns = Revocation::columns().names("");
        format!(
            "SELECT {columns}, written_to, written, completed FROM revocation \
             WHERE domain_id = $1::bytea AND number = $2::bigint AND finished_at IS NULL FOR UPDATE SKIP LOCKED"
        )
    });
    const UPDATE: &str = "UPDATE revocation SET written_to = $3::bytea, written = $4::bigint, completed = $5::bigint, \
                          finished_at = $6::bigint WHERE domain_id = $1::bytea AND number = $2::bigint";
    let turn = database.changes.next(None).await?;
    database
        .transaction(turn, (), move |connection, ()| {
            Box::pin(async move {
                let key = || vec![domain_id.to_column(), numeral(number)];
                let steps = [begin_alone(), Step { sql: &SELECT, parameters: key() }];
                let rows = send(connection, &steps).await?.pop().unwrap_or_default();
                let Some(row) = rows.first() else { return send(connection, &[rollback()]).await.map(drop) };
                let revocation = Revocation::read(row, 0).map_err(|invalid| unreadable(&invalid))?;
                let width = Revocation::columns().len();
                let written_to: Option<SessionId> = value(row, width)?;
                let written = Written { revoked: value(row, width + 1)?, completed: value(row, width + 2)? };

                let filter = revocation.filter();
                let visits = [visit(&revocation, &filter, Some(number), written_to.as_ref(), BATCH)];
                let visited = send(connection, &visits).await?.pop().unwrap_or_default();
                let sessions = applying(&visited)?;
                let written = end(connection, &revocation, Some(number), &sessions, written, None).await?;
                let last: Option<SessionId> = visited.last().map(|row| value(row, 0)).transpose()?;
                let written_to = last.or(written_to);
                let mut parameters = key();
                written_to.write(&mut parameters);
                parameters.extend([numeral(written.revoked), numeral(written.completed)]);
                let is_pending = visited.len() == BATCH as usize;
                parameters.push(if is_pending { Value::Null } else { now.to_column() });
                send(connection, &[Step { sql: UPDATE, parameters }, commit()]).await.map(drop)
            })
        })
        .await
}

fn unreadable(invalid: &Invalid) -> StoreError {
    StoreError::Failed(format!("a pending revocation cannot be read: {}", invalid.cause))
}
