//! Sessions that match a filter: each list or revocation reads one range of one index, or a merge of a few.
//!
//! Every index leads with the domain, and one of each kind goes on with the pool, so that what another domain has, or
//! another pool of a key that is bound to one, is never visited.

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, OptionalExtension, named_params};
use session_types::{SessionId, SessionStatus, SessionType, Timestamp};
use strum::VariantArray;

use super::column::Column;
use super::error::{Result, failed};
use super::pending::{self, IS_NOT_REVOKED};
use super::table::{self, Record, VISITS_MAX};
use crate::store::{Page, SessionFilter, StateFilter, StoredSession};

/// How many sessions of a domain or pool may have a lifetime that has passed, unmarked, for a list of the status
/// `complete` to sort them; the sweep marks them every few seconds. A list with more visits the live sessions instead.
const EXPIRED_MAX: u32 = 10_000;

/// A statement with the names and values of its parameters.
pub(super) struct Query<'a> {
    pub(super) sql: String,
    pub(super) parameters: Vec<(&'static str, ToSqlOutput<'a>)>,
}

/// As [`crate::Sessions::session_list`].
pub(super) fn page(
    connection: &Connection,
    filter: &SessionFilter,
    before: Option<SessionId>,
    limit: u32,
) -> Result<Page<StoredSession>> {
    // One snapshot: which revocations are pending, and the sessions.
    let snapshot = connection.unchecked_transaction().map_err(failed)?;
    let connection = &*snapshot;
    let pending = pending::is_pending(connection, filter.domain_id)?;
    let many_expired = match &filter.state {
        StateFilter::Complete(at) if owner_of(filter).is_none() => {
            expired_count(connection, filter, *at, pending)? > EXPIRED_MAX
        }
        _ => false,
    };
    let query = Query::page(filter, before.as_ref(), many_expired, pending);
    table::visit(connection, &query.sql, &query.parameters[..], limit)
}

/// Returns the condition, on a column of an index, of the sessions that may be complete because of their lifetime.
fn may_be_complete(pending: bool) -> String {
    format!("expires_minute <= {} / 60000", if pending { pending::COMPLETE_TO } else { ":complete_at" })
}

/// Returns the number of sessions that meet [`may_be_complete`] with this time, but at most one more than [`EXPIRED_MAX`].
fn expired_count(
    connection: &Connection,
    filter: &SessionFilter,
    at: Timestamp,
    pending: bool,
) -> Result<u32> {
    let mut query = Query::new(filter);
    query.sql = format!(
        "SELECT count(*) FROM (SELECT 1 FROM session INDEXED BY {} WHERE {} \
         AND {} LIMIT :limit)",
        index_of(filter, "expires_minute"),
        scope_of(filter),
        may_be_complete(pending)
    );
    query.parameters.push((":complete_at", at.to_column()));
    query.parameters.push((":limit", (EXPIRED_MAX + 1).into()));
    connection
        .prepare_cached(&query.sql)
        .and_then(|mut select| select.query_row(&query.parameters[..], |row| row.get(0)))
        .map_err(failed)
}

/// Returns the one condition of the filter that few sessions meet: the name of an index, and the condition.
const fn owner_of(filter: &SessionFilter) -> Option<(&'static str, &'static str)> {
    match filter {
        SessionFilter { account_id: Some(_), .. } => Some(("account", "account_id = :account_id")),
        SessionFilter { identity_id: Some(_), .. } => Some(("identity", "identity_id = :identity_id")),
        SessionFilter { device_id: Some(_), .. } => Some(("device", "device_id = :device_id")),
        _ => None,
    }
}

/// Returns the name of the index of this kind that leads with what the filter is bound to.
fn index_of(filter: &SessionFilter, kind: &str) -> String {
    format!("session_by_{}{kind}", if filter.pool_id.is_some() { "pool_" } else { "" })
}

/// Returns the condition with which each range of an index begins.
const fn scope_of(filter: &SessionFilter) -> &'static str {
    if filter.pool_id.is_some() {
        "domain_id = :domain_id AND pool_id = :pool_id"
    } else {
        "domain_id = :domain_id"
    }
}

impl<'a> Query<'a> {
    /// Without a statement yet.
    fn new(filter: &'a SessionFilter) -> Self {
        let mut query =
            Self { sql: String::new(), parameters: vec![(":domain_id", filter.domain_id.to_column())] };
        query.parameters.extend(filter.pool_id.as_ref().map(|id| (":pool_id", id.to_column())));
        query
    }

    /// Returns the conditions of the filter apart from its domain and pool, each of them never null. If revocations are
    /// `pending`, a session to which one applies is in the state after it.
    pub(super) fn conditions(&mut self, filter: &'a SessionFilter, pending: bool) -> Vec<&'static str> {
        let mut conditions = Vec::new();
        let mut add = |condition, parameter, value: ToSqlOutput<'a>| {
            conditions.push(condition);
            self.parameters.push((parameter, value));
        };
        if let Some(id) = &filter.account_id {
            add("account_id IS :account_id", ":account_id", id.to_column());
        }
        if let Some(id) = &filter.identity_id {
            add("identity_id IS :identity_id", ":identity_id", id.to_column());
        }
        if let Some(id) = &filter.device_id {
            add("device_id IS :device_id", ":device_id", id.to_column());
        }
        if let Some(session_type) = &filter.session_type {
            add("session_type = :session_type", ":session_type", session_type.to_column());
        }
        match &filter.state {
            StateFilter::Any => {}
            StateFilter::Status(SessionStatus::Revoked | SessionStatus::Complete) if pending => {}
            StateFilter::Status(status) => add("status = :status", ":status", status.to_column()),
            StateFilter::Unexpired(status, at) => {
                add("status = :status", ":status", status.to_column());
                add("(expires_at IS NULL OR expires_at > :unexpired_at)", ":unexpired_at", at.to_column());
            }
            StateFilter::Complete(at) if pending => {
                add(pending::IS_COMPLETE_AT, ":complete_at", at.to_column());
            }
            StateFilter::Complete(at) => add(
                "(status = 'complete' OR (expires_at IS NOT NULL AND expires_at <= :complete_at))",
                ":complete_at",
                at.to_column(),
            ),
        }
        match filter.state {
            StateFilter::Any | StateFilter::Complete(_) => {}
            StateFilter::Status(SessionStatus::Revoked) if pending => {
                conditions.push(pending::IS_OR_WAS_REVOKED);
            }
            StateFilter::Status(SessionStatus::Complete) if pending => {
                conditions.push(pending::IS_OR_WAS_COMPLETE);
            }
            _ if pending => conditions.push(IS_NOT_REVOKED),
            _ => {}
        }
        conditions
    }

    /// Selects sessions by descending ID from the first one below `before`, at most [`VISITS_MAX`], each with whether it
    /// matches the filter.
    ///
    /// The indexes are named, so that the plan does not depend on statistics. An account, an identity or a device has few
    /// sessions: one range of its index. Otherwise there is a range for each status and type that may match, and
    /// SQLite merges them as they are read.
    ///
    /// If revocations are `pending`, a session to which one applies matches as it is after it.
    fn page(
        filter: &'a SessionFilter,
        before: Option<&'a SessionId>,
        many_expired: bool,
        pending: bool,
    ) -> Self {
        let mut query = Self::new(filter);
        let conditions = query.conditions(filter, pending);
        let matches = if conditions.is_empty() { "1".to_owned() } else { conditions.join(" AND ") };
        let scope = scope_of(filter);
        let below = if before.is_some() { " AND id < :before" } else { "" };
        let range = |kind: &str, condition: &str| {
            format!(
                "SELECT id AS visited_id FROM session INDEXED BY {} WHERE {scope} AND {condition}{below}",
                index_of(filter, kind)
            )
        };
        let ranges = if let Some((kind, condition)) = owner_of(filter) {
            vec![range(kind, condition)]
        } else {
            let mut ranges: Vec<String> = statuses_of(filter.state, many_expired, pending)
                .flat_map(|status| {
                    types_of(filter.session_type).map(move |session_type| (status, session_type))
                })
                .map(|(status, session_type)| {
                    range("status", &format!("status = '{status}' AND session_type = '{session_type}'"))
                })
                .collect();
            if matches!(filter.state, StateFilter::Complete(_)) && !many_expired {
                let expired = range("expires_minute", &may_be_complete(pending));
                ranges.push(format!("SELECT * FROM ({expired} ORDER BY id DESC)"));
            }
            ranges
        };
        query.parameters.extend(before.map(|id| (":before", id.to_column())));
        query.sql = format!(
            "SELECT {}, {matches} FROM ({} ORDER BY visited_id DESC LIMIT {VISITS_MAX}) CROSS JOIN session \
             ON id = visited_id",
            StoredSession::statements().columns,
            ranges.join(" UNION ALL ")
        );
        query
    }

    /// Selects, as `visited_id`, the sessions among which a revocation finds those to which it applies: from the first one
    /// after `after`, if there is one. The statement has no order yet.
    pub(super) fn live_ranges(filter: &'a SessionFilter, after: Option<&'a SessionId>) -> Self {
        let mut query = Self::new(filter);
        let scope = scope_of(filter);
        let above = if after.is_some() { " AND id > :after" } else { "" };
        let range = |kind: &str, condition: &str| {
            format!(
                "SELECT id AS visited_id FROM session INDEXED BY {} WHERE {scope} AND {condition}{above}",
                index_of(filter, kind)
            )
        };
        let ranges: Vec<String> = if let Some((kind, condition)) = owner_of(filter) {
            vec![range(kind, condition)]
        } else {
            let live = SessionStatus::VARIANTS.iter().filter(|status| !status.is_final());
            live.flat_map(|status| types_of(None).map(move |session_type| (status, session_type)))
                .map(|(status, session_type)| {
                    range("status", &format!("status = '{status}' AND session_type = '{session_type}'"))
                })
                .collect()
        };
        query.sql = ranges.join(" UNION ALL ");
        query.parameters.extend(after.map(|id| (":after", id.to_column())));
        query
    }
}

/// Returns the stored statuses of sessions in a state, apart from those that are found by their lifetime.
fn statuses_of(state: StateFilter, many_expired: bool, pending: bool) -> impl Iterator<Item = SessionStatus> {
    SessionStatus::VARIANTS.iter().copied().filter(move |status| match state {
        StateFilter::Any => true,
        StateFilter::Status(wanted) if pending && wanted.is_final() => {
            *status == wanted || !status.is_final()
        }
        StateFilter::Status(wanted) | StateFilter::Unexpired(wanted, _) => *status == wanted,
        StateFilter::Complete(_) => {
            *status == SessionStatus::Complete || (many_expired && !status.is_final())
        }
    })
}

/// Returns the types that a filter allows.
fn types_of(session_type: Option<SessionType>) -> impl Iterator<Item = SessionType> {
    SessionType::VARIANTS.iter().copied().filter(move |one| session_type.is_none_or(|wanted| *one == wanted))
}

/// As [`crate::Sessions::session_list_expired`].
pub(super) fn expired(connection: &Connection, at: Timestamp, limit: u32) -> Result<Page<StoredSession>> {
    let first = "SELECT domain_id FROM session INDEXED BY session_by_expires_minute \
                 WHERE domain_id > :after AND expires_minute IS NOT NULL ORDER BY domain_id LIMIT 1";
    let earliest = "SELECT 1 FROM session INDEXED BY session_by_expires_minute \
                    WHERE domain_id = :domain_id AND expires_minute <= :at / 60000 LIMIT 1";
    let columns = &StoredSession::statements().columns;
    let of_domain = format!(
        "SELECT {columns}, expires_at <= :at AND {IS_NOT_REVOKED} FROM session INDEXED BY session_by_expires_minute \
         WHERE domain_id = :domain_id AND expires_minute <= :at / 60000 ORDER BY expires_minute"
    );
    // From one domain to the next by the index, and only those with a session to return.
    let mut domains = Vec::new();
    let mut after = Vec::new();
    loop {
        let next = connection
            .prepare_cached(first)
            .and_then(|mut select| {
                select.query_row(named_params! { ":after": after }, |row| row.get(0)).optional()
            })
            .map_err(failed)?;
        let Some(domain_id) = next else { break };
        after = domain_id;
        let parameters = named_params! { ":domain_id": after, ":at": at.to_column() };
        if table::exists(connection, earliest, parameters)? {
            domains.push(after.clone());
        }
    }
    let mut page = Page::default();
    for (place, domain_id) in domains.iter().enumerate() {
        let read = u32::try_from(page.items.len()).unwrap_or(limit);
        let others = u32::try_from(domains.len() - place).unwrap_or(u32::MAX);
        let share = limit.saturating_sub(read).div_ceil(others);
        if share == 0 {
            break;
        }
        let parameters = named_params! { ":domain_id": domain_id, ":at": at.to_column() };
        let of_domain: Page<StoredSession> = table::visit(connection, &of_domain, parameters, share)?;
        page.items.extend(of_domain.items);
        page.skipped.extend(of_domain.skipped);
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use session_types::{AccountId, DeviceId, DomainId, Id, IdentityId, PoolId};

    use super::*;
    use crate::contract_suite::session;
    use crate::sqlite::connection::open_writer;

    #[test]
    fn a_page_is_a_merge_of_ranges_that_lead_with_domain_and_pool_for_every_filter() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("sessions.db")).unwrap();
        let id = Id::from_bytes([1; 20]);
        let at = Timestamp::from_ms(1).unwrap();
        let states = [
            StateFilter::Any,
            StateFilter::Status(SessionStatus::Revoked),
            StateFilter::Unexpired(SessionStatus::New, at),
            StateFilter::Complete(at),
        ];
        let mut indexes = std::collections::BTreeSet::new();
        for ((bits, state, before), pending) in (0..32).flat_map(|bits| {
            states
                .into_iter()
                .flat_map(move |state| [None, Some(SessionId(id))].map(|before| (bits, state, before)))
                .flat_map(|query| [false, true].map(|pending| (query, pending)))
        }) {
            let filter = SessionFilter {
                domain_id: DomainId(id),
                pool_id: (bits & 1 != 0).then_some(PoolId(id)),
                account_id: (bits & 2 != 0).then_some(AccountId(id)),
                identity_id: (bits & 4 != 0).then_some(IdentityId(id)),
                device_id: (bits & 8 != 0).then_some(DeviceId(id)),
                session_type: (bits & 16 != 0).then_some(SessionType::Api),
                state,
            };
            let page = Query::page(&filter, before.as_ref(), false, pending);
            let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", page.sql)).unwrap();
            let lines: Vec<String> = explain
                .query_map(&page.parameters[..], |row| row.get(3))
                .unwrap()
                .map(std::result::Result::unwrap)
                .collect();
            // The rows themselves are read by primary key, and all else by covering index.
            let (revocations, sessions): (Vec<_>, Vec<_>) = lines
                .iter()
                .filter(|line| line.starts_with("SEARCH") || line.starts_with("SCAN"))
                .partition(|line| line.contains(" revocation"));
            // Whether there is any, and those of the domain.
            let any = "SCAN revocation";
            let pending = "SEARCH revocation USING INDEX revocation_pending (domain_id=?";
            let is_bounded = |line: &&String| line.starts_with(any) || line.starts_with(pending);
            assert!(revocations.iter().all(is_bounded), "{filter:?}: {lines:#?}");
            let by_id = "SEARCH session USING INDEX sqlite_autoindex_session_1 (id=?)";
            let (rows, ranges): (Vec<_>, Vec<_>) = sessions.into_iter().partition(|line| *line == by_id);
            assert_eq!(rows.len(), 1, "{filter:?}: {lines:#?}");
            let scope = if filter.pool_id.is_some() {
                "(domain_id=? AND pool_id=? AND "
            } else {
                "(domain_id=? AND "
            };
            for range in ranges {
                if range.starts_with("SCAN (subquery") {
                    continue;
                }
                let (index, columns) = range
                    .strip_prefix("SEARCH session USING COVERING INDEX ")
                    .and_then(|rest| rest.split_once(' '))
                    .unwrap_or_else(|| panic!("{filter:?}: {lines:#?}"));
                assert!(columns.starts_with(scope), "{filter:?}: {lines:#?}");
                let is_sorted = index.ends_with("expires_minute");
                assert!(is_sorted || columns.contains("id<?") == before.is_some(), "{lines:#?}");
                indexes.insert(index.to_owned());
            }
            // Only the few sessions whose lifetime has passed are sorted.
            let sorts = lines.iter().filter(|line| line.contains("TEMP B-TREE")).count();
            let sorted = lines.iter().filter(|line| line.contains("expires_minute (")).count();
            assert_eq!(sorts, sorted, "{filter:?}: {lines:#?}");
        }
        for kind in ["account", "identity", "device", "status", "expires_minute"] {
            for scope in ["", "pool_"] {
                assert!(indexes.contains(&format!("session_by_{scope}{kind}")), "{indexes:#?}");
            }
        }
    }

    #[test]
    fn a_list_of_complete_sessions_is_the_same_whether_few_or_many_have_expired() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("sessions.db")).unwrap();
        let at = |ms| Timestamp::from_ms(ms).unwrap();
        for last in 0..60 {
            let status = SessionStatus::VARIANTS[last % 5];
            let expires_at = (!status.is_final()).then(|| at([10, 30][last / 5 % 2]));
            let one = StoredSession { status, expires_at, ..session(last as u64) };
            table::insert_in_txn(&connection, &one).unwrap();
        }
        let filter = |pool_id| SessionFilter {
            domain_id: session(0).domain_id,
            pool_id,
            account_id: None,
            identity_id: None,
            device_id: None,
            session_type: None,
            state: StateFilter::Complete(at(20)),
        };
        for (pool_id, before) in [(None, None), (Some(session(0).pool_id), Some(session(40).id))] {
            let filter = filter(pool_id);
            let [few, many] = [false, true].map(|many_expired| {
                let query = Query::page(&filter, before.as_ref(), many_expired, false);
                let page = table::visit::<StoredSession>(&connection, &query.sql, &query.parameters[..], 100);
                page.unwrap().items
            });
            assert_eq!(few, many);
            // Of each ten, two are complete and three have expired.
            assert_eq!(few.len(), if before.is_some() { 20 } else { 30 });
            assert!(few.is_sorted_by(|newer, older| newer.id > older.id));
        }
    }
}
