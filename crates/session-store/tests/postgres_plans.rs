//! What the statements of the PostgreSQL store read, by the plans with which the server has executed them.
//!
//! PostgreSQL's own module `auto_explain` logs each plan with the number of rows. So the plans are those of the store's own
//! statements and connections, and a read that consists of two statements shows two of them.
#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use std::collections::BTreeMap;

use serde_json::Value;
use session_store::contract_suite::{event, key, revocation, session};
use session_store::{
    Keys, PostgresOptions, PostgresStore, Revocation, Revocations, SessionFilter, Sessions, StateFilter,
    StoredSession,
};
use session_test_support::postgres::Cluster;
use session_types::{
    AccountId, DeviceId, DomainId, Id, IdentityId, PoolId, SessionId, SessionStatus, SessionType, Timestamp,
};

const SETTINGS: [(&str, &str); 6] = [
    ("session_preload_libraries", "auto_explain"),
    ("auto_explain.log_min_duration", "0"),
    ("auto_explain.log_analyze", "on"),
    ("auto_explain.log_timing", "off"),
    ("auto_explain.log_format", "json"),
    ("autovacuum", "off"),
];

const SESSIONS: u32 = 20_000;
const DOMAIN: DomainId = DomainId(id(1));
const OTHER_DOMAIN: DomainId = DomainId(id(2));
const POOL: PoolId = PoolId(id(3));
const OTHER_POOL: PoolId = PoolId(id(4));
/// The account, identity and device of every session of [`OTHER_POOL`].
const COMMON: Id = id(5);
/// Those of ten sessions of [`POOL`] in [`DOMAIN`].
const RARE: Id = id(6);
/// Those of every session of [`OTHER_DOMAIN`].
const FOREIGN: Id = id(8);
const UNKNOWN: Id = id(9);

const fn id(byte: u8) -> Id {
    Id::from_bytes([byte; 20])
}

/// Returns the ID that sorts like the number.
fn number(number: u32) -> Id {
    let mut bytes = [0; 20];
    bytes[16..].copy_from_slice(&number.to_be_bytes());
    Id::from_bytes(bytes)
}

/// A database with [`SESSIONS`]: a quarter in [`POOL`], a quarter in [`OTHER_POOL`] of the same domain, and half in a pool of
/// [`OTHER_DOMAIN`] that has the same ID. Statuses and types repeat every 80 sessions. No lifetime has passed at time 50.
struct Sample {
    cluster: Cluster,
    database: String,
    store: PostgresStore,
}

impl Sample {
    async fn new(analyze: bool) -> Self {
        let cluster = Cluster::start_with(&SETTINGS);
        let database = cluster.create_database();
        let store =
            PostgresStore::open(PostgresOptions::parse(&cluster.url(&database)).unwrap()).await.unwrap();
        // Each byte of these IDs is the same.
        let sql = |id: Id| format!("decode(repeat('{:02x}', 20), 'hex')", id.as_bytes()[0]);
        let [domain, other_domain, pool, other_pool, common, rare, foreign] =
            [DOMAIN.0, OTHER_DOMAIN.0, POOL.0, OTHER_POOL.0, COMMON, RARE, FOREIGN].map(sql);
        let insert = format!(
            "SET auto_explain.log_min_duration = -1; \
             INSERT INTO session (id, domain_id, pool_id, session_type, created_at, status, account_id, identity_id, \
             device_id, expires_at, expires_minute, revision) \
             SELECT decode(lpad(to_hex(2 * n), 40, '0'), 'hex'), \
             CASE n % 2 WHEN 1 THEN {other_domain} ELSE {domain} END, \
             CASE n % 4 WHEN 2 THEN {other_pool} ELSE {pool} END, \
             CASE n / 8 % 2 WHEN 1 THEN 'browser' ELSE 'api' END, 0, status, subject, subject, subject, \
             CASE WHEN status IN ('complete', 'revoked') THEN NULL ELSE 6000000 END, \
             CASE WHEN status IN ('complete', 'revoked') THEN NULL ELSE 100 END, 0 \
             FROM (SELECT n, (ARRAY['new', 'unauthenticated', 'authenticated', 'complete', 'revoked'])[n / 16 % 5 + 1] \
             AS status, CASE n % 4 WHEN 0 THEN CASE WHEN n < 40 THEN {rare} END WHEN 2 THEN {common} \
             ELSE {foreign} END AS subject FROM generate_series(0, {SESSIONS} - 1) AS n) AS numbered; {}",
            if analyze { "ANALYZE" } else { "" }
        );
        cluster.psql(&database, &insert);
        Self { cluster, database, store }
    }

    /// Returns what the statements of `work` have read.
    async fn read(&self, work: impl AsyncFn(&PostgresStore)) -> Read {
        let before = self.cluster.log().len();
        work(&self.store).await;
        let log = self.cluster.log();
        let mut read = Read::default();
        for entry in log[before..].split("  plan:\n").skip(1) {
            let plan =
                serde_json::Deserializer::from_str(entry).into_iter::<Value>().next().unwrap().unwrap();
            // Not those with which a connection begins.
            if !plan["Query Text"].as_str().unwrap().contains("set_config") {
                read.statements += 1;
                read.add(&plan["Plan"]);
            }
        }
        read
    }
}

/// Returns the number in a field, or 0 without it. Newer servers write averages with decimals.
fn number_in(node: &Value, field: &str) -> u64 {
    let text = node[field].to_string();
    text.split('.').next().and_then(|whole| whole.parse().ok()).unwrap_or(0)
}

/// What statements have read.
#[derive(Debug, Default)]
struct Read {
    statements: u32,
    /// How many rows each index of sessions and of other tables returned, or that were discarded afterwards.
    indexes: BTreeMap<String, u64>,
    /// How many times each index was searched.
    searches: BTreeMap<String, u64>,
    /// Other scans and sorts, if they returned rows.
    others: Vec<String>,
}

impl Read {
    fn add(&mut self, node: &Value) {
        let kind = node["Node Type"].as_str().unwrap();
        let loops = number_in(node, "Actual Loops");
        if let (Some(index), 1..) = (node["Index Name"].as_str(), loops) {
            let rows = number_in(node, "Actual Rows") + number_in(node, "Rows Removed by Filter");
            *self.indexes.entry(index.to_owned()).or_default() += rows * loops;
            *self.searches.entry(index.to_owned()).or_default() += loops;
        } else if loops > 0
            && node["Actual Rows"] != 0
            && (kind == "Seq Scan" || kind.contains("Sort") || kind.contains("Bitmap"))
        {
            self.others.push(kind.to_owned());
        }
        for child in node["Plans"].as_array().into_iter().flatten() {
            self.add(child);
        }
    }

    /// How many rows of sessions were read.
    fn sessions(&self) -> u64 {
        self.indexes.iter().filter(|(index, _)| index.starts_with("session_")).map(|(_, rows)| rows).sum()
    }
}

#[tokio::test]
async fn a_fetch_is_one_statement_with_one_search_for_the_session_and_one_for_pending_revocations() {
    // Without statistics too.
    for analyze in [true, false] {
        let sample = Sample::new(analyze).await;
        for (id, expected) in [(number(2), true), (number(3), false)] {
            let read = sample.read(async |store| {
                assert_eq!(store.session_fetch(SessionId(id)).await.unwrap().is_some(), expected);
            });
            let read = read.await;
            assert_eq!((read.statements, &read.others), (1, &Vec::new()), "{read:?}");
            assert_eq!(read.searches["session_pkey"], 1, "{read:?}");
            assert_eq!(read.indexes["session_pkey"], u64::from(expected), "{read:?}");
            assert!(
                read.searches.keys().all(|index| ["session_pkey", "revocation_pkey"].contains(&&**index))
            );
            assert!(read.searches.get("revocation_pkey").is_none_or(|searches| *searches == 1), "{read:?}");
        }
    }
}

#[tokio::test]
async fn a_fetch_of_an_api_key_is_one_statement_with_one_search() {
    let sample = Sample::new(true).await;
    sample.store.key_create(key(1)).await.unwrap();
    let read = sample.read(async |store| assert!(store.key_fetch(key(1).id).await.unwrap().is_some())).await;
    assert_eq!(read.statements, 1);
    assert_eq!(read.searches, BTreeMap::from([("api_key_pkey".to_owned(), 1)]));
}

#[tokio::test]
async fn a_fetch_of_an_api_key_and_a_session_is_one_statement_with_one_search_for_each() {
    // Without statistics too.
    for analyze in [true, false] {
        let sample = Sample::new(analyze).await;
        // One on which the planner would rather read the whole table.
        sample.store.key_create(key(1)).await.unwrap();
        for (last, has_key) in [(1, true), (2, false)] {
            for (id, has_session) in [(number(2), true), (number(3), false)] {
                let read = sample.read(async |store| {
                    let (key, session) =
                        store.key_and_session_fetch(key(last).id, SessionId(id)).await.unwrap();
                    assert_eq!((key.is_some(), session.unwrap().is_some()), (has_key, has_session));
                });
                let read = read.await;
                assert_eq!((read.statements, &read.others), (1, &Vec::new()), "{read:?}");
                for (index, found) in [("api_key_pkey", has_key), ("session_pkey", has_session)] {
                    assert_eq!(read.searches[index], 1, "{read:?}");
                    assert_eq!(read.indexes[index], u64::from(found), "{read:?}");
                }
                let expected = ["api_key_pkey", "session_pkey", "revocation_pkey"];
                assert!(read.searches.keys().all(|index| expected.contains(&&**index)), "{read:?}");
                assert!(read.searches.get("revocation_pkey").is_none_or(|searches| *searches == 1));
            }
        }
    }
}

/// Returns a name, and a filter with whether a list of it has ten sessions of the domain or pool.
fn filters() -> Vec<(String, SessionFilter, bool)> {
    let at = Timestamp::from_ms(50).unwrap();
    let states = [
        StateFilter::Any,
        StateFilter::Status(SessionStatus::Revoked),
        StateFilter::Status(SessionStatus::New),
        StateFilter::Unexpired(SessionStatus::Authenticated, at),
        StateFilter::Complete(at),
    ];
    let mut subjects = vec![(None, 0)];
    for kind in 0..3 {
        subjects.extend([RARE, UNKNOWN, FOREIGN].map(|id| (Some(id), kind)));
    }
    let mut filters = Vec::new();
    for pool_id in [None, Some(POOL)] {
        for (subject, kind) in &subjects {
            for session_type in [None, Some(SessionType::Api)] {
                for state in states {
                    let of_kind = |wanted| subject.filter(|_| *kind == wanted);
                    let filter = SessionFilter {
                        domain_id: DOMAIN,
                        pool_id,
                        account_id: of_kind(0).map(AccountId),
                        identity_id: of_kind(1).map(IdentityId),
                        device_id: of_kind(2).map(DeviceId),
                        session_type,
                        state,
                    };
                    filters.push((format!("{filter:?}"), filter, subject.is_none()));
                }
            }
        }
    }
    filters
}

#[tokio::test]
async fn a_list_of_ten_reads_fewer_than_fifty_rows_and_none_of_others() {
    for analyze in [true, false] {
        let sample = Sample::new(analyze).await;
        for (name, filter, has_ten) in filters() {
            for before in [None, Some(SessionId(number(SESSIONS)))] {
                let read = sample.read(async |store| {
                    let page = store.session_list(filter, before, 10).await.unwrap();
                    assert_eq!(
                        page.items.len() == 10,
                        has_ten && !page.items.is_empty() || page.next.is_some()
                    );
                    assert!(page.items.len() == 10 || !has_ten, "{name}");
                });
                let read = read.await;
                assert_eq!(read.statements, 1, "{name}");
                assert!(read.sessions() < 50, "{name}: {read:?}");
                // Only the few sessions whose lifetime has passed are sorted.
                let sorts = matches!(filter.state, StateFilter::Complete(_)) && has_ten;
                assert!(read.others.iter().all(|kind| sorts && kind == "Sort"), "{name}: {read:?}");
                let scope = if filter.pool_id.is_some() { "session_by_pool_" } else { "session_by_" };
                let is_of_scope = |index: &&String| {
                    index.starts_with(scope) && index.contains("pool") == filter.pool_id.is_some()
                };
                let of_sessions = read.indexes.keys().filter(|index| index.starts_with("session_"));
                assert!(of_sessions.clone().all(|index| is_of_scope(&index)), "{name}: {read:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_reference_is_found_or_not_by_reading_a_row_of_each_index() {
    for analyze in [true, false] {
        let sample = Sample::new(analyze).await;
        for pool_id in [None, Some(POOL)] {
            for id in [UNKNOWN, FOREIGN, RARE, COMMON, POOL.0, OTHER_POOL.0, number(2)] {
                let read = sample.read(async |store| {
                    store.reference_find(id, DOMAIN, pool_id).await.unwrap();
                });
                let read = read.await;
                assert_eq!((read.statements, &read.others), (1, &Vec::new()), "{id:?}: {read:?}");
                assert!(read.sessions() <= 4, "{id:?}: {read:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_revocation_of_an_account_visits_only_its_sessions() {
    for analyze in [true, false] {
        let sample = Sample::new(analyze).await;
        for pool_id in [Some(POOL), None] {
            for (account, revoked) in [(RARE, 10), (UNKNOWN, 0), (FOREIGN, 0)] {
                let read = sample.read(async |store| {
                    let account_id = Some(AccountId(account));
                    let of_account =
                        Revocation { domain_id: DOMAIN, pool_id, account_id, ..revocation(1, 50) };
                    // Those of the pool are ended then.
                    let expected = if pool_id.is_some() { revoked } else { 0 };
                    assert_eq!(store.session_revoke_many(of_account, None).await, Ok(expected));
                });
                let read = read.await;
                assert!(read.sessions() <= 2 * 10 && read.others.is_empty(), "{read:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_change_of_a_session_searches_its_primary_key_alone() {
    let sample = Sample::new(true).await;
    let one = StoredSession { domain_id: DOMAIN, pool_id: POOL, ..session(1) };
    let read = sample.read(async |store| {
        store.session_create(one.clone(), event(1, one.id), None).await.unwrap();
    });
    let read = read.await;
    assert!(read.sessions() == 0 && read.others.is_empty(), "{read:?}");
    let read = sample.read(async |store| {
        assert_eq!(store.session_replace(one.clone(), Some(event(2, one.id)), None, None).await, Ok(true));
    });
    let read = read.await;
    assert!(read.indexes["session_pkey"] == 1 && read.sessions() == 1, "{read:?}");
    assert!(read.others.is_empty(), "{read:?}");
}

#[tokio::test]
async fn the_sweep_reads_what_it_returns() {
    for analyze in [true, false] {
        let sample = Sample::new(analyze).await;
        let read = sample.read(async |store| {
            let at = Timestamp::from_ms(7_000_000).unwrap();
            assert_eq!(store.session_list_expired(at, 20).await.unwrap().items.len(), 20);
            let at = Timestamp::from_ms(50).unwrap();
            assert_eq!(store.session_list_expired(at, 20).await.unwrap().items.len(), 0);
            assert_eq!(store.session_delete_ended(at, 20).await, Ok(0));
        });
        let read = read.await;
        // For each of two domains and two calls, the next domain; and the sessions.
        assert!(read.sessions() <= 20 + 2 * 3 && read.others.is_empty(), "{read:?}");
        assert!(!sample.database.is_empty());
    }
}
