//! Lists and revocations of many: one range of one index each.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use session_api::{Id, SessionId, SessionStatus, Timestamp};

use super::failed;
use super::rows::{SESSION_COLUMNS, event_insert_in_txn, session_of_row};
use crate::event::{Event, EventId};
use crate::store::{SessionFilter, StateFilter, StoreError, StoredSession};

/// A condition on sessions: SQL behind `FROM session`, and its parameters in order.
struct Condition {
    sql: String,
    parameters: Vec<Value>,
}

impl Condition {
    /// That sessions pass the filter. It names the index whose range holds the fewest others, so that the plan does
    /// not depend on statistics: an account, an identity or a device has few sessions, and a state is asked for
    /// to find the rare ones.
    fn of(filter: &SessionFilter) -> Self {
        let index = match filter {
            SessionFilter { account_id: Some(_), .. } => "account",
            SessionFilter { identity_id: Some(_), .. } => "identity",
            SessionFilter { device_id: Some(_), .. } => "device",
            SessionFilter { state: StateFilter::EndsBy(_), .. } => "ends_at",
            SessionFilter { state: StateFilter::Status(_) | StateFilter::StatusUntil(..), .. } => "status",
            SessionFilter { pool_id: Some(_), .. } => "pool",
            SessionFilter { session_type: Some(_), .. } => "type",
            _ => "domain",
        };
        let mut condition =
            Self { sql: format!("session INDEXED BY session_by_{index} WHERE true"), parameters: Vec::new() };
        condition.and("domain_id = ?", Some(blob(filter.domain_id.0)));
        condition.and("pool_id = ?", filter.pool_id.map(|id| blob(id.0)));
        condition.and("account_id = ?", filter.account_id.map(|id| blob(id.0)));
        condition.and("identity_id = ?", filter.identity_id.map(|id| blob(id.0)));
        condition.and("device_id = ?", filter.device_id.map(|id| blob(id.0)));
        condition.and("session_type = ?", filter.session_type.map(|word| word.as_str().to_owned().into()));
        match filter.state {
            StateFilter::Any => {}
            StateFilter::Status(status) => condition.status(status),
            StateFilter::StatusUntil(status, at) => {
                condition.status(status);
                condition.and("(ends_at IS NULL OR ends_at > ?)", Some(ms(at)));
            }
            StateFilter::EndsBy(at) => condition.and("ends_at <= ?", Some(ms(at))),
        }
        condition
    }

    fn status(&mut self, status: SessionStatus) {
        self.and("status = ?", Some(status.as_str().to_owned().into()));
    }

    fn and(&mut self, condition: &str, parameter: Option<Value>) {
        if let Some(parameter) = parameter {
            self.sql.push_str(" AND ");
            self.sql.push_str(condition);
            self.parameters.push(parameter);
        }
    }
}

fn blob(id: Id) -> Value {
    Value::Blob(id.as_bytes().to_vec())
}

fn ms(time: Timestamp) -> Value {
    // 50 bits.
    Value::Integer(i64::try_from(time.as_ms()).unwrap_or(i64::MAX))
}

/// The statement of a list.
fn select(filter: &SessionFilter, before: Option<SessionId>, limit: u32) -> (String, Vec<Value>) {
    let mut condition = Condition::of(filter);
    condition.and("id < ?", before.map(|id| blob(id.0)));
    condition.parameters.push(limit.into());
    let sql = format!("SELECT {SESSION_COLUMNS} FROM {} ORDER BY id DESC LIMIT ?", condition.sql);
    (sql, condition.parameters)
}

/// At most `limit` sessions that pass the filter, by descending ID from the first one before `before`.
pub(super) fn session_list(
    connection: &Connection,
    filter: &SessionFilter,
    before: Option<SessionId>,
    limit: u32,
) -> Result<Vec<StoredSession>, StoreError> {
    let (sql, parameters) = select(filter, before, limit);
    let mut select = connection.prepare_cached(&sql).map_err(failed)?;
    let rows = select.query_map(params_from_iter(parameters), session_of_row).map_err(failed)?;
    rows.map(|row| row.map_err(failed)).collect()
}

/// Revokes every session that passes the filter, is live at `at` and is not `except`; answers how many.
pub(super) fn session_revoke_all_in_txn(
    connection: &Connection,
    filter: &SessionFilter,
    except: Option<SessionId>,
    at: Timestamp,
    event: &Event,
) -> Result<u64, StoreError> {
    let mut condition = Condition::of(filter);
    condition.and("(ends_at IS NULL OR ends_at > ?)", Some(ms(at)));
    condition.and("id <> ?", except.map(|id| blob(id.0)));
    let sql = format!(
        "SELECT id FROM {} AND status IN ('new', 'unauthenticated', 'authenticated') ORDER BY id",
        condition.sql
    );
    let ids = connection
        .prepare_cached(&sql)
        .and_then(|mut select| {
            let rows = select.query_map(params_from_iter(condition.parameters), |row| row.get(0))?;
            rows.collect::<rusqlite::Result<Vec<[u8; 20]>>>()
        })
        .map_err(failed)?;
    let mut update = connection
        .prepare_cached(
            "UPDATE session SET status = 'revoked', token_hash = NULL, ends_at = NULL, ended_at = ?2, \
             revision = revision + 1 WHERE id = ?1",
        )
        .map_err(failed)?;
    let mut revoked = 0;
    for id in ids {
        update.execute(rusqlite::params![id, at.as_ms()]).map_err(failed)?;
        let session_id = SessionId(Id::from_bytes(id));
        let id = EventId(event.id.0.with_number(revoked));
        event_insert_in_txn(connection, &Event { id, session_id, ..event.clone() })?;
        revoked += 1;
    }
    Ok(revoked)
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, StatementStatus};
    use session_api::{AccountId, DeviceId, DomainId, IdentityId, PoolId, SessionType};

    use super::*;

    #[test]
    fn among_a_million_sessions_the_ten_of_an_account_are_listed_in_a_few_steps() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.db");
        drop(crate::SqliteStore::open(&path).unwrap());
        let connection = Connection::open(path).unwrap();
        let [domain, pool, account] = [1, 2, 3].map(|byte| Id::from_bytes([byte; 20]));
        // In one statement: what is tested is the list, not the way there. Every 100,000th is of the account.
        connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
        connection
            .execute("INSERT INTO pool (id, domain_id) VALUES (?1, ?2)", [pool.as_bytes(), domain.as_bytes()])
            .unwrap();
        connection
            .execute(
                "INSERT INTO session (id, domain_id, pool_id, session_type, status, account_id, identity_id, revision) \
                 WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n < 999999) \
                 SELECT unhex(printf('%040x', n)), ?1, ?2, 'browser', 'authenticated', \
                 iif(n % 100000 = 0, ?3, unhex(printf('%040x', n))), ?1, 0 FROM number",
                [domain.as_bytes(), pool.as_bytes(), account.as_bytes()],
            )
            .unwrap();
        let filter = SessionFilter {
            domain_id: DomainId(domain),
            pool_id: None,
            account_id: Some(AccountId(account)),
            identity_id: None,
            device_id: None,
            session_type: None,
            state: StateFilter::Any,
        };
        let (sql, parameters) = select(&filter, None, 101);
        let mut statement = connection.prepare(&sql).unwrap();
        let rows = statement.query_map(params_from_iter(parameters), |_| Ok(())).unwrap().count();
        assert_eq!(rows, 10);
        // A row takes about thirty steps of SQLite's machine: fifty rows would be 1,500.
        let steps = statement.get_status(StatementStatus::VmStep);
        assert!((100..1_500).contains(&steps), "{steps} steps");
        assert_eq!(statement.get_status(StatementStatus::FullscanStep), 0);
        assert_eq!(statement.get_status(StatementStatus::Sort), 0);
    }

    #[test]
    fn a_page_is_one_range_of_one_index_whatever_the_filter() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.db");
        drop(crate::SqliteStore::open(&path).unwrap());
        let connection = Connection::open(path).unwrap();
        let id = Id::from_bytes([1; 20]);
        let at = Timestamp::from_ms(1).unwrap();
        let states = [
            StateFilter::Any,
            StateFilter::Status(SessionStatus::Revoked),
            StateFilter::StatusUntil(SessionStatus::New, at),
        ];
        let mut plans = std::collections::BTreeSet::new();
        for bits in 0..32 {
            for state in states {
                let filter = SessionFilter {
                    domain_id: DomainId(id),
                    pool_id: (bits & 1 != 0).then_some(PoolId(id)),
                    account_id: (bits & 2 != 0).then_some(AccountId(id)),
                    identity_id: (bits & 4 != 0).then_some(IdentityId(id)),
                    device_id: (bits & 8 != 0).then_some(DeviceId(id)),
                    session_type: (bits & 16 != 0).then_some(SessionType::Api),
                    state,
                };
                for before in [None, Some(SessionId(id))] {
                    let (sql, parameters) = select(&filter, before, 10);
                    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
                    let lines: Vec<String> = explain
                        .query_map(params_from_iter(parameters), |row| row.get(3))
                        .unwrap()
                        .map(Result::unwrap)
                        .collect();
                    // One search and no sort: as many rows are read as the page has, and those that a further
                    // filter leaves out.
                    assert_eq!(lines.len(), 1, "{filter:?}: {lines:?}");
                    assert!(lines[0].starts_with("SEARCH session USING INDEX session_by_"), "{lines:?}");
                    let bounded = lines[0].contains("id<?");
                    assert_eq!(bounded, before.is_some(), "{lines:?}");
                    plans.insert(lines[0].clone());
                }
            }
        }
        // Each filter alone has an index of its own.
        for index in ["account", "identity", "device", "pool", "status", "type", "domain"] {
            assert!(plans.iter().any(|plan| plan.contains(&format!("session_by_{index}"))), "{plans:#?}");
        }
    }
}
