//! Parts of the lists of sessions.

use std::collections::HashMap;
use std::sync::LazyLock;

use session_types::{SessionId, SessionStatus, Timestamp};
use strum::VariantArray;
use tokio_postgres::Row;

use super::column::{Column, END, Property, START, Value, list};
use super::database::Database;
use super::error::Result;
use super::pending::{is_not_revoked, revoked_at};
use super::ranges::{self, Shape};
use super::table::{self, Record, VISITS_MAX};
use super::transaction::{scan, select};
use crate::store::{Page, SessionFilter, StateFilter, StoredSession};

/// How many sessions of a domain or pool may have a lifetime that has passed, unmarked, for a list of the status
/// `complete` to sort them; the sweep marks them every few seconds. A list with more visits the live sessions instead.
const EXPIRED_MAX: u32 = 10_000;

/// The statement of each shape.
static PAGES: LazyLock<HashMap<Shape, String>> =
    LazyLock::new(|| Shape::all().map(|shape| (shape, page_sql(shape))).collect());

/// Selects the sessions that match a filter, by descending ID from the first one below `$7`, at most `$13`, and the last
/// session that it visits if that are [`VISITS_MAX`].
///
/// The server merges the ranges as they are read, and reads none whose gate is closed. An account, an identity or a device
/// has few sessions: one range of its index. Otherwise there is a range for each status and type: of the statuses `$8`, and
/// of `$9` too if revocations are pending, because a session to which one applies is in the state after it. `$10` is the
/// status; `$11` and `$12` are the times of [`StateFilter::Unexpired`] and [`StateFilter::Complete`].
fn page_sql(shape: Shape) -> String {
    let columns = StoredSession::columns().names("");
    let revoked_at = revoked_at("session", "true");
    let newest = format!("ORDER BY position DESC LIMIT {VISITS_MAX}");
    let gate = |status: SessionStatus| {
        let mut gate = format!("('{status}' = ANY ($8::text[])");
        if !status.is_final() {
            gate += " OR (SELECT is_many FROM expired)";
        }
        gate + &format!(" OR ('{status}' = ANY ($9::text[]) AND (SELECT latest FROM pending) IS NOT NULL))")
    };
    let mut ranges = shape.ranges(gate, "< $7::bytea", &newest);
    let earliest = format!("ORDER BY expires_minute, {}", shape.position());
    let expired = "$12::bigint IS NOT NULL \
                   AND expires_minute <= greatest($12::bigint, (SELECT latest FROM pending)) / 60000";
    let count = if shape.has_owner() {
        // Without a gate: all of these parameters are used in each statement.
        "SELECT $8::text[] IS NULL AND $9::text[] IS NULL AS is_many".to_owned()
    } else {
        let below =
            format!("{expired} AND {} < $7::bytea AND NOT (SELECT is_many FROM expired)", shape.position());
        let few = shape.range(&below, &format!("{earliest} LIMIT {EXPIRED_MAX}"));
        ranges.push(format!("(SELECT * FROM {few} AS session ORDER BY position DESC)"));
        format!(
            "SELECT count(*) > {EXPIRED_MAX} AS is_many FROM (SELECT 1 FROM session WHERE {} AND {expired} {earliest} \
             LIMIT {EXPIRED_MAX} + 1) AS session",
            shape.scope()
        )
    };
    let status = "CASE WHEN revoked_at IS NULL THEN status WHEN expires_at <= revoked_at THEN 'complete' \
                  ELSE 'revoked' END";
    let matches = format!(
        "coalesce({} AND ($10::text IS NULL OR {status} = $10::text) \
         AND ($11::bigint IS NULL OR revoked_at IS NOT NULL OR expires_at IS NULL OR expires_at > $11::bigint) \
         AND ($12::bigint IS NULL OR {status} = 'complete' OR (revoked_at IS NULL AND expires_at <= $12::bigint)), \
         false)",
        ranges::matches()
    );
    format!(
        "WITH pending AS MATERIALIZED (SELECT max(at) AS latest FROM revocation \
         WHERE domain_id = $1::bytea AND finished_at IS NULL), \
         expired AS MATERIALIZED ({count}) \
         SELECT {columns}, revoked_at, matches, visited FROM (\
         SELECT {columns}, revoked_at, position, visited, {matches} AS matches FROM (\
         SELECT session.*, {revoked_at} AS revoked_at, row_number() OVER (ORDER BY position DESC) AS visited FROM (\
         SELECT * FROM ({}) AS session {newest}) AS session) AS session) AS session \
         WHERE matches OR visited = {VISITS_MAX} ORDER BY position DESC LIMIT $13::bigint",
        ranges.join(" UNION ALL ")
    )
}

/// Returns the statuses that the list of a state visits, and those that it visits too if revocations are pending.
fn statuses(state: StateFilter) -> (Vec<SessionStatus>, Vec<SessionStatus>) {
    let live = || SessionStatus::VARIANTS.iter().copied().filter(|status| !status.is_final()).collect();
    match state {
        StateFilter::Any => (SessionStatus::VARIANTS.to_vec(), Vec::new()),
        StateFilter::Status(status) if status.is_final() => (vec![status], live()),
        StateFilter::Status(status) | StateFilter::Unexpired(status, _) => (vec![status], Vec::new()),
        // Those that a pending revocation completes are among those whose lifetime passes.
        StateFilter::Complete(_) => (vec![SessionStatus::Complete], Vec::new()),
    }
}

/// As [`crate::Sessions::session_list`].
pub(super) async fn page(
    database: &Database,
    filter: SessionFilter,
    before: Option<SessionId>,
    limit: u32,
) -> Result<Page<StoredSession>> {
    let sql = PAGES[&Shape::of(&filter)].as_str();
    let rows = scan(database, Some(filter.domain_id), move |connection| {
        Box::pin(async move {
            let (visited, if_pending) = statuses(filter.state);
            let (status, unexpired_at, complete_at) = match filter.state {
                StateFilter::Any => (None, None, None),
                StateFilter::Status(status) => (Some(status), None, None),
                StateFilter::Unexpired(status, at) => (Some(status), Some(at), None),
                StateFilter::Complete(at) => (None, None, Some(at)),
            };
            let mut parameters = ranges::parameters(&filter);
            parameters.push(before.as_ref().map_or(END, Column::to_column));
            parameters.extend([list(&visited), list(&if_pending)]);
            status.write(&mut parameters);
            unexpired_at.write(&mut parameters);
            complete_at.write(&mut parameters);
            parameters.push(Value::Number(limit.into()));
            select(connection, sql, &parameters).await
        })
    })
    .await?;
    let mut page = Page::default();
    let width = StoredSession::columns().len();
    for row in &rows {
        if table::is_true(row, width + 1)? {
            table::add(&mut page, row, table::session);
        }
    }
    if let Some(last) = rows.last() {
        let visited: u64 = table::value(last, width + 2)?;
        let goes_on = rows.len() >= limit as usize || visited >= VISITS_MAX.into();
        page.next = goes_on.then(|| table::id(last)).transpose()?;
    }
    Ok(page)
}

/// As [`crate::Sessions::session_list_expired`].
pub(super) async fn expired(database: &Database, at: Timestamp, limit: u32) -> Result<Page<StoredSession>> {
    /// The next domain with a session that has a lifetime, and the minute in which the first of them passes.
    const NEXT: &str = "SELECT domain_id, expires_minute FROM session \
                        WHERE domain_id > $1::bytea AND expires_minute IS NOT NULL \
                        ORDER BY domain_id, expires_minute, (id || ''::bytea) LIMIT 1";
    static OF_DOMAIN: LazyLock<String> = LazyLock::new(|| {
        let columns = StoredSession::columns().names("");
        format!(
            "SELECT {columns}, NULL::bigint FROM (SELECT * FROM session \
             WHERE domain_id = $1::bytea AND expires_minute <= $2::bigint \
             ORDER BY expires_minute, (id || ''::bytea) LIMIT {VISITS_MAX}) AS session \
             WHERE expires_at <= $3::bigint AND {} LIMIT $4::bigint",
            is_not_revoked("session")
        )
    });
    let rows = scan(database, None, move |connection| {
        Box::pin(async move {
            let limit = limit as usize;
            let minute = table::minute(at);
            // From one domain to the next by the index, and only those with a session to return.
            let mut domains = Vec::<Vec<u8>>::new();
            let mut after = START;
            while domains.len() < limit {
                let rows = select(connection, NEXT, &[after]).await?;
                let Some(next) = rows.first() else { break };
                let domain_id: Vec<u8> = next.try_get(0)?;
                if next.try_get::<_, i64>(1)? <= minute {
                    domains.push(domain_id.clone());
                }
                after = Value::Bytes(domain_id.into());
            }
            let mut rows: Vec<Row> = Vec::new();
            for (place, domain_id) in domains.iter().enumerate() {
                let share = limit.saturating_sub(rows.len()).div_ceil(domains.len() - place);
                let parameters = [
                    Value::Bytes(domain_id.into()),
                    Value::Number(minute),
                    at.to_column(),
                    Value::Number(i64::try_from(share).unwrap_or(i64::MAX)),
                ];
                rows.extend(select(connection, &OF_DOMAIN, &parameters).await?);
            }
            Ok(rows)
        })
    })
    .await?;
    let mut page = Page::default();
    for row in &rows {
        table::add(&mut page, row, table::session);
    }
    Ok(page)
}
