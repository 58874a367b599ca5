//! Revocations of many sessions.
//!
//! One of few sessions is made at once. One of many is a row of the table `revocation`, which a single commit adds: from
//! then on, every read and every change of a session compares the session with the pending revocations of its domain.
//! The sessions to which it applies do not change any more, so they can be counted and written afterwards.

use std::sync::LazyLock;
use std::time::Duration;

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, OptionalExtension, Row, named_params};
use session_types::{SessionId, Timestamp};

use super::column::{Column, NULL, Property};
use super::error::{Result, failed};
use super::list::Query;
use super::pending::{IS_NOT_REVOKED, IS_NOT_REVOKED_BEFORE};
use super::table::{self, Record};
use crate::schema::LIVE;
use crate::store::{Revocation, SessionFilter, StoreError};

/// How many sessions a revocation visits in one transaction, some ten milliseconds of the writer's time: one that would
/// visit more is pending, and is written in batches of this size.
const BATCH: u32 = 200;

/// How many revocations of a domain may be pending: each read of its sessions compares with each of them.
const PENDING_MAX: u32 = 16;

/// How long the record of a finished revocation is retained for a caller that still waits for its count: much longer than
/// callers wait.
const FINISHED_RETENTION: Duration = Duration::from_mins(1);

/// The condition that the lifetime of a session passes after the revocation's time, or never.
const IS_LIVE_THEN: &str = "(expires_at IS NULL OR expires_at > :at)";

/// The condition that a session was last written before the revocation `:number`, which therefore may apply to it.
const WRITTEN_BEFORE: &str = "(written_after IS NULL OR written_after < :number)";

/// A revocation that is pending or was.
struct Recorded {
    revocation: Revocation,
    /// The session up to which its sessions are written.
    written_to: Option<SessionId>,
    written: Written,
    finished_at: Option<Timestamp>,
}

/// How many sessions of a revocation are written.
#[derive(Clone, Copy, Debug, Default)]
struct Written {
    /// As revoked.
    revoked: u64,
    /// As complete, because their lifetime has passed before.
    completed: u64,
}

/// A session in the range of a revocation.
struct Visited {
    id: SessionId,
    /// Whether the revocation applies to it.
    applies: bool,
    /// Whether its lifetime passes at or before the time of the revocation.
    has_expired: bool,
}

/// The outcome of a revocation in its transaction.
#[derive(Debug)]
pub(super) enum Outcome {
    /// This many sessions were revoked.
    Made(u64),
    /// The revocation of this number is pending.
    Pending(i64),
}

/// Revokes the sessions if they are few, or adds the revocation to the pending ones.
pub(super) fn revoke_in_txn(connection: &Connection, revocation: &Revocation) -> Result<Outcome> {
    let visited = visit(connection, revocation, None, IS_NOT_REVOKED, &[], BATCH + 1)?;
    if visited.len() <= BATCH as usize {
        let written = write_in_txn(connection, revocation, &visited, Written::default())?;
        return Ok(Outcome::Made(written.revoked));
    }
    let sql = "SELECT count(*) FROM revocation INDEXED BY revocation_pending \
               WHERE domain_id = :domain_id AND finished_at IS NULL";
    let parameters = named_params! { ":domain_id": revocation.domain_id.to_column() };
    let pending: u32 = connection
        .prepare_cached(sql)
        .and_then(|mut select| select.query_row(parameters, |row| row.get(0)))
        .map_err(failed)?;
    if pending >= PENDING_MAX {
        return Err(StoreError::TooManyRevocations);
    }
    table::insert_in_txn(connection, revocation).map_err(failed)?;
    Ok(Outcome::Pending(connection.last_insert_rowid()))
}

/// Returns the sessions in the range of a revocation, at most `limit` from the first one after `after` by ascending ID,
/// and whether the revocation applies to each and the condition is met.
fn visit(
    connection: &Connection,
    revocation: &Revocation,
    after: Option<SessionId>,
    condition: &str,
    parameters: &[(&'static str, ToSqlOutput<'_>)],
    limit: u32,
) -> Result<Vec<Visited>> {
    let filter = revocation.filter();
    let mut query = Query::live_ranges(&filter, after.as_ref());
    let applies = applies(&mut query, &filter, revocation);
    query.sql = format!(
        "SELECT id, {applies} AND {condition}, NOT {IS_LIVE_THEN} FROM ({} ORDER BY visited_id LIMIT :visits) \
         CROSS JOIN session ON id = visited_id",
        query.sql
    );
    query.parameters.extend_from_slice(parameters);
    query.parameters.push((":at", revocation.at.to_column()));
    query.parameters.push((":visits", limit.into()));
    let mut select = connection.prepare_cached(&query.sql).map_err(failed)?;
    let rows = select.query_map(&query.parameters[..], |row| {
        Ok(Visited { id: table::read_value(row)?, applies: row.get(1)?, has_expired: row.get(2)? })
    });
    rows.and_then(Iterator::collect).map_err(failed)
}

/// Returns the condition that a revocation applies to a session in its ranges, as far as the session itself says.
fn applies<'a>(query: &mut Query<'a>, filter: &'a SessionFilter, revocation: &'a Revocation) -> String {
    let mut conditions = query.conditions(filter, false);
    conditions.extend([LIVE, "id IS NOT :except"]);
    query.parameters.push((":except", revocation.except.as_ref().map_or(NULL, Column::to_column)));
    conditions.join(" AND ")
}

/// Writes those of the visited sessions to which the revocation applies, as `StoredSession::revoke` does, and their
/// events; `written` were written before. Returns how many are written after it.
fn write_in_txn(
    connection: &Connection,
    revocation: &Revocation,
    visited: &[Visited],
    mut written: Written,
) -> Result<Written> {
    // The lifetime is not read here, so that one that cannot be read fails no revocation.
    let update = "UPDATE session SET status = :status, token_hash = NULL, expires_at = NULL, expires_minute = NULL, \
                  ended_at = min(:at, coalesce(expires_at, :at)), revision = revision + 1 WHERE id = :id";
    let at = revocation.at.to_column();
    for Visited { id, has_expired, .. } in visited.iter().filter(|visited| visited.applies) {
        let status = Revocation::status(*has_expired);
        let parameters = named_params! { ":id": id.to_column(), ":status": status.to_column(), ":at": at };
        table::execute_in_txn(connection, update, parameters)?;
        let event = revocation.event(*id, written.revoked + written.completed, *has_expired);
        table::insert_in_txn(connection, &event).map_err(failed)?;
        *(if *has_expired { &mut written.completed } else { &mut written.revoked }) += 1;
    }
    Ok(written)
}

/// Returns the revocation of this number.
fn fetch(connection: &Connection, number: i64) -> Result<Option<Recorded>> {
    static SELECT: LazyLock<String> = LazyLock::new(|| {
        let columns = &Revocation::statements().columns;
        format!(
            "SELECT written_to, written, completed, finished_at, {columns} FROM revocation WHERE number = :number"
        )
    });
    let read = |row: &Row<'_>| {
        let mut position = 0;
        Ok(Recorded {
            written_to: Property::read(row, &mut position)?,
            written: Written {
                revoked: Property::read(row, &mut position)?,
                completed: Property::read(row, &mut position)?,
            },
            finished_at: Property::read(row, &mut position)?,
            revocation: Revocation::read(row, position)?,
        })
    };
    connection
        .prepare_cached(&SELECT)
        .and_then(|mut select| select.query_row(named_params! { ":number": number }, read).optional())
        .map_err(failed)
}

/// Returns the number of sessions that a revocation revokes, some of which may be written.
pub(super) fn count(connection: &Connection, number: i64) -> Result<u64> {
    // One snapshot: what is written of the revocation, and the sessions.
    let snapshot = connection.unchecked_transaction().map_err(failed)?;
    let removed = || StoreError::OutcomeUnknown("the revocation was made, and its record removed".to_owned());
    let recorded = fetch(&snapshot, number)?.ok_or_else(removed)?;
    if recorded.finished_at.is_some() {
        return Ok(recorded.written.revoked);
    }
    let domain_id = recorded.revocation.domain_id.to_column();
    let is_first = "SELECT 1 FROM revocation INDEXED BY revocation_pending \
                    WHERE domain_id = :domain_id AND number < :number AND finished_at IS NULL";
    let parameters = named_params! { ":domain_id": domain_id, ":number": number };
    let others = if table::exists(&snapshot, is_first, parameters)? { IS_NOT_REVOKED_BEFORE } else { "1" };
    let filter = recorded.revocation.filter();
    let mut query = Query::live_ranges(&filter, recorded.written_to.as_ref());
    let applies = applies(&mut query, &filter, &recorded.revocation);
    query.sql = format!(
        "SELECT count(*) FROM ({}) CROSS JOIN session ON id = visited_id \
         WHERE {applies} AND {IS_LIVE_THEN} AND {WRITTEN_BEFORE} AND {others}",
        query.sql
    );
    query.parameters.push((":at", recorded.revocation.at.to_column()));
    query.parameters.push((":number", number.into()));
    let mut select = snapshot.prepare_cached(&query.sql).map_err(failed)?;
    let remaining: u64 = select.query_row(&query.parameters[..], |row| row.get(0)).map_err(failed)?;
    Ok(recorded.written.revoked + remaining)
}

/// Returns the number of the first pending revocation of each domain.
pub(super) fn first_of_each_domain(connection: &Connection) -> Result<Vec<i64>> {
    let sql = "SELECT min(number) FROM revocation INDEXED BY revocation_pending \
               WHERE finished_at IS NULL GROUP BY domain_id";
    let mut select = connection.prepare_cached(sql).map_err(failed)?;
    select.query_map([], |row| row.get(0)).and_then(Iterator::collect).map_err(failed)
}

/// Writes a batch of the sessions of a revocation, the first pending one of its domain. Returns whether it is pending
/// after that.
pub(super) fn write_batch_in_txn(connection: &Connection, number: i64, now: Timestamp) -> Result<bool> {
    let Some(recorded) = fetch(connection, number)?.filter(|recorded| recorded.finished_at.is_none()) else {
        return Ok(false);
    };
    let Recorded { revocation, written_to, written, .. } = recorded;
    let parameters = [(":number", number.into())];
    let visited = visit(connection, &revocation, written_to, WRITTEN_BEFORE, &parameters, BATCH)?;
    let written = write_in_txn(connection, &revocation, &visited, written)?;
    let is_pending = visited.len() == BATCH as usize;
    let written_to = visited.last().map(|visited| visited.id).or(written_to);
    let update = "UPDATE revocation SET written_to = :written_to, written = :written, completed = :completed, \
                  finished_at = :finished_at WHERE number = :number";
    let parameters = named_params! {
        ":written_to": written_to.as_ref().map_or(NULL, Column::to_column),
        ":written": written.revoked.to_column(),
        ":completed": written.completed.to_column(),
        ":finished_at": if is_pending { NULL } else { now.to_column() },
        ":number": number,
    };
    table::execute_in_txn(connection, update, parameters)?;
    Ok(is_pending)
}

/// Removes the records of revocations that have been finished for longer than a caller waits.
pub(super) fn remove_finished_in_txn(connection: &Connection, now: Timestamp) -> Result<()> {
    let sql = "DELETE FROM revocation WHERE finished_at <= :before";
    let before = now.saturating_sub(FINISHED_RETENTION);
    table::execute_in_txn(connection, sql, named_params! { ":before": before.to_column() }).map(drop)
}

/// Whether there are records of finished revocations.
pub(super) fn has_finished(connection: &Connection) -> Result<bool> {
    table::exists(connection, "SELECT 1 FROM revocation WHERE finished_at IS NOT NULL", [])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract_suite::{revocation, session};
    use crate::sqlite::connection::open_writer;

    #[test]
    fn a_count_is_the_same_while_the_revocation_is_written_and_after_that() {
        const SESSIONS: u64 = 3 * BATCH as u64 + 1;
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("sessions.db")).unwrap();
        let add = |last| table::session_insert_in_txn(&connection, &session(last)).unwrap();
        (0..SESSIONS).for_each(add);
        let now = Timestamp::from_ms(5).unwrap();
        let Outcome::Pending(number) = revoke_in_txn(&connection, &revocation(1, 5)).unwrap() else {
            panic!("it was made at once")
        };
        let mut batches = 0;
        loop {
            // Before the first one, after each, and with sessions that were added meanwhile.
            assert_eq!(count(&connection, number), Ok(SESSIONS), "after {batches} batches");
            add(10_000 + batches);
            assert_eq!(count(&connection, number), Ok(SESSIONS), "after {batches} batches");
            if !write_batch_in_txn(&connection, number, now).unwrap() {
                break;
            }
            batches += 1;
        }
        assert_eq!(batches, 3);
        add(20_000);
        assert_eq!(count(&connection, number), Ok(SESSIONS));
        let later = Timestamp::from_ms(5 + 60_000).unwrap();
        remove_finished_in_txn(&connection, later).unwrap();
        assert!(matches!(count(&connection, number), Err(StoreError::OutcomeUnknown(_))));
    }
}
