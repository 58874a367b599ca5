//! Sessions that match a filter: each list or revocation reads one range of one index.

use rusqlite::types::ToSqlOutput;
use session_types::{SessionId, Timestamp};

use super::column::Column;
use super::table::Record;
use crate::store::{SessionFilter, StateFilter, StoredSession};

/// The condition that the status of a session is not final.
pub(super) const LIVE: &str = "status IN ('new', 'unauthenticated', 'authenticated')";

/// A statement with the names and values of its parameters.
pub(super) struct Query<'a> {
    pub(super) sql: String,
    pub(super) parameters: Vec<(&'static str, ToSqlOutput<'a>)>,
}

impl<'a> Query<'a> {
    /// Appends to `SELECT ... FROM session` that sessions match the filter.
    ///
    /// Names the index with the shortest range for this filter, so that the plan does not depend on statistics: an
    /// account, an identity or a device has few sessions, and most lists of a status are about a rare one.
    fn matching(select: &str, filter: &'a SessionFilter) -> Self {
        let index = match filter {
            SessionFilter { account_id: Some(_), .. } => "account",
            SessionFilter { identity_id: Some(_), .. } => "identity",
            SessionFilter { device_id: Some(_), .. } => "device",
            SessionFilter { state: StateFilter::Expired(_), .. } => "expires_at",
            SessionFilter { state: StateFilter::Status(_) | StateFilter::Unexpired(..), .. } => "status",
            SessionFilter { pool_id: Some(_), .. } => "pool",
            SessionFilter { session_type: Some(_), .. } => "type",
            _ => "domain",
        };
        let sql = format!("{select} INDEXED BY session_by_{index} WHERE domain_id = :domain_id");
        let mut query = Self { sql, parameters: vec![(":domain_id", filter.domain_id.to_column())] };
        query.and("pool_id = :pool_id", ":pool_id", filter.pool_id.as_ref());
        query.and("account_id = :account_id", ":account_id", filter.account_id.as_ref());
        query.and("identity_id = :identity_id", ":identity_id", filter.identity_id.as_ref());
        query.and("device_id = :device_id", ":device_id", filter.device_id.as_ref());
        query.and("session_type = :session_type", ":session_type", filter.session_type.as_ref());
        match &filter.state {
            StateFilter::Any => {}
            StateFilter::Status(status) => query.and("status = :status", ":status", Some(status)),
            StateFilter::Unexpired(status, at) => {
                query.and("status = :status", ":status", Some(status));
                query.and("(expires_at IS NULL OR expires_at > :unexpired_at)", ":unexpired_at", Some(at));
            }
            StateFilter::Expired(at) => query.and("expires_at <= :expired_at", ":expired_at", Some(at)),
        }
        query
    }

    /// Appends a condition with one parameter, if there is a value for it.
    fn and(&mut self, condition: &str, parameter: &'static str, value: Option<&'a impl Column>) {
        if let Some(value) = value {
            self.sql.extend([" AND ", condition]);
            self.parameters.push((parameter, value.to_column()));
        }
    }

    /// Selects at most `limit` sessions that match the filter, by descending ID from the first one below `before`.
    pub(super) fn page(filter: &'a SessionFilter, before: Option<&'a SessionId>, limit: u32) -> Self {
        let mut query = Self::matching(&StoredSession::statements().select, filter);
        query.and("id < :before", ":before", before);
        query.sql.push_str(" ORDER BY id DESC LIMIT :limit");
        query.parameters.push((":limit", limit.into()));
        query
    }

    /// Selects the IDs of the sessions that match the filter, are live at `at` and are not `except`.
    pub(super) fn live(filter: &'a SessionFilter, except: Option<&'a SessionId>, at: &'a Timestamp) -> Self {
        let mut query = Self::matching("SELECT id FROM session", filter);
        query.and("(expires_at IS NULL OR expires_at > :live_at)", ":live_at", Some(at));
        query.and("id <> :except", ":except", except);
        query.sql.extend([" AND ", LIVE, " ORDER BY id"]);
        query
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::{StatementStatus, named_params};
    use session_types::{AccountId, DeviceId, DomainId, Id, IdentityId, PoolId, SessionStatus, SessionType};
    use strum::VariantArray;

    use super::*;
    use crate::sqlite::connection::open_writer;

    #[test]
    fn listing_ten_of_a_million_sessions_takes_few_steps() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("sessions.db")).unwrap();
        let [domain, pool, account] = [1, 2, 3].map(|byte| Id::from_bytes([byte; 20]));
        // All in one statement, to be fast. Every 100,000th session is of the account.
        connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
        connection
            .execute(
                "INSERT INTO pool (id, domain_id) VALUES (:pool, :domain)",
                named_params! { ":pool": pool.as_bytes(), ":domain": domain.as_bytes() },
            )
            .unwrap();
        connection
            .execute(
                "INSERT INTO session (id, domain_id, pool_id, session_type, status, account_id, identity_id, revision) \
                 WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n < 999999) \
                 SELECT unhex(printf('%040x', n)), :domain, :pool, 'browser', 'authenticated', \
                 iif(n % 100000 = 0, :account, unhex(printf('%040x', n))), :domain, 0 FROM number",
                named_params! {
                    ":domain": domain.as_bytes(),
                    ":pool": pool.as_bytes(),
                    ":account": account.as_bytes(),
                },
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
        let page = Query::page(&filter, None, 101);
        let mut statement = connection.prepare(&page.sql).unwrap();
        let rows = statement.query_map(&page.parameters[..], |_| Ok(())).unwrap().count();
        assert_eq!(rows, 10);
        // A row takes about thirty steps of SQLite's machine: fifty rows would be 1,500.
        let steps = statement.get_status(StatementStatus::VmStep);
        assert!((100..1_500).contains(&steps), "{steps} steps");
        assert_eq!(statement.get_status(StatementStatus::FullscanStep), 0);
        assert_eq!(statement.get_status(StatementStatus::Sort), 0);
    }

    #[test]
    fn a_page_is_one_range_of_one_index_for_every_filter() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("sessions.db")).unwrap();
        let id = Id::from_bytes([1; 20]);
        let at = Timestamp::from_ms(1).unwrap();
        let states = [
            StateFilter::Any,
            StateFilter::Status(SessionStatus::Revoked),
            StateFilter::Unexpired(SessionStatus::New, at),
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
                    let page = Query::page(&filter, before.as_ref(), 10);
                    let mut explain =
                        connection.prepare(&format!("EXPLAIN QUERY PLAN {}", page.sql)).unwrap();
                    let lines: Vec<String> = explain
                        .query_map(&page.parameters[..], |row| row.get(3))
                        .unwrap()
                        .map(Result::unwrap)
                        .collect();
                    // One search without a sort reads only the rows of the page, and those in between that another
                    // condition excludes.
                    assert_eq!(lines.len(), 1, "{filter:?}: {lines:?}");
                    assert!(lines[0].starts_with("SEARCH session USING INDEX session_by_"), "{lines:?}");
                    let bounded = lines[0].contains("id<?");
                    assert_eq!(bounded, before.is_some(), "{lines:?}");
                    plans.insert(lines[0].clone());
                }
            }
        }
        // Each condition has its own index.
        for index in ["account", "identity", "device", "pool", "status", "type", "domain"] {
            assert!(plans.iter().any(|plan| plan.contains(&format!("session_by_{index}"))), "{plans:#?}");
        }
    }

    #[test]
    fn a_session_is_live_in_every_status_that_is_not_final() {
        for status in SessionStatus::VARIANTS {
            assert_eq!(LIVE.contains(&format!("'{status}'")), !status.is_final(), "{status}");
        }
    }
}
