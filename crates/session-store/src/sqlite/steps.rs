//! Tests that the work of a request does not depend on how many sessions there are.
//!
//! Work is counted in steps of SQLite's machine, which are the same on every computer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::{Connection, named_params};
use session_types::{
    AccountId, DeviceId, DomainId, Id, IdentityId, PoolId, SessionId, SessionStatus, SessionType, Timestamp,
};

use super::connection::open_writer;
use super::revocation::{self, Outcome};
use super::{list, reference, table};
use crate::contract_suite::revocation;
use crate::store::{Revocation, SessionFilter, StateFilter, StoredSession};

const DOMAIN: DomainId = DomainId(id(1));
const OTHER_DOMAIN: DomainId = DomainId(id(2));
const POOL: PoolId = PoolId(id(3));
const OTHER_POOL: PoolId = PoolId(id(4));
/// The account, identity and device of every session of [`OTHER_DOMAIN`].
const FOREIGN: Id = id(8);
/// The account, identity and device of every session of [`OTHER_POOL`].
const COMMON: Id = id(5);
/// The account, identity and device of ten sessions of [`POOL`] in [`DOMAIN`].
const RARE: Id = id(6);
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

/// Returns a store with this many sessions. A quarter is in [`POOL`], a quarter in [`OTHER_POOL`] of the same domain,
/// and half in a pool of [`OTHER_DOMAIN`] that has the same ID. Statuses and types repeat every 80 sessions.
fn store(sessions: u32) -> (tempfile::TempDir, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let connection = open_writer(&folder.path().join("sessions.db")).unwrap();
    connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
    connection
        .execute(
            "WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n < :sessions - 1) \
             INSERT INTO session (id, domain_id, pool_id, session_type, created_at, status, account_id, identity_id, \
             device_id, expires_at, expires_minute, revision) \
             SELECT unhex(printf('%040x', 2 * n)), iif(n % 2, :other_domain, :domain), iif(n % 4 = 2, :other_pool, :pool), \
             iif(n / 8 % 2, 'browser', 'api'), 0, \
             CASE n / 16 % 5 WHEN 0 THEN 'new' WHEN 1 THEN 'unauthenticated' WHEN 2 THEN 'authenticated' \
             WHEN 3 THEN 'complete' ELSE 'revoked' END, \
             subject, subject, subject, iif(n / 16 % 5 < 3, 6000000, NULL), iif(n / 16 % 5 < 3, 100, NULL), 0 \
             FROM (SELECT n, CASE n % 4 WHEN 0 THEN iif(n < 40, :rare, NULL) WHEN 2 THEN :common ELSE :foreign END AS subject FROM number)",
            named_params! {
                ":sessions": sessions,
                ":domain": DOMAIN.0.as_bytes(),
                ":other_domain": OTHER_DOMAIN.0.as_bytes(),
                ":pool": POOL.0.as_bytes(),
                ":other_pool": OTHER_POOL.0.as_bytes(),
                ":foreign": FOREIGN.as_bytes(),
                ":common": COMMON.as_bytes(),
                ":rare": RARE.as_bytes(),
            },
        )
        .unwrap();
    (folder, connection)
}

/// Returns the number of steps of the second run; the first one prepares the statements.
fn steps(connection: &mut Connection, mut run: impl FnMut(&Connection)) -> u64 {
    run(connection);
    let count = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&count);
    let count_one = move || {
        counter.fetch_add(1, Ordering::Relaxed);
        false
    };
    connection.progress_handler(1, Some(count_one)).unwrap();
    run(connection);
    connection.progress_handler(0, None::<fn() -> bool>).unwrap();
    count.load(Ordering::Relaxed)
}

/// What a caller in [`DOMAIN`] may ask for, by name, with its steps.
fn measure(connection: &mut Connection, sessions: u32) -> Vec<(String, u64)> {
    let mut measured = Vec::new();
    let mut add = |name: String, run: &mut dyn FnMut(&Connection)| {
        measured.push((name, steps(connection, run)));
    };
    let newest = number(2 * (sessions - 4));
    for (name, id, expected) in [
        ("oldest", id(0), true),
        ("newest", newest, true),
        ("missing between others", number(201), false),
        ("missing above all others", UNKNOWN, false),
    ] {
        add(format!("fetch: {name}"), &mut |connection| {
            assert_eq!(table::fetch::<StoredSession>(connection, id).unwrap().is_some(), expected);
        });
    }
    for (scope, pool) in [("domain", None), ("pool", Some(POOL))] {
        for (name, id, expected) in [
            ("missing", UNKNOWN, false),
            ("foreign", FOREIGN, false),
            ("rare", RARE, true),
            ("common", COMMON, pool.is_none()),
            ("a session", id(0), false),
            ("other pool", OTHER_POOL.0, pool.is_none()),
        ] {
            add(format!("reference in the {scope}: {name}"), &mut |connection| {
                let found = reference::reference_find(connection, id, DOMAIN, pool).unwrap();
                assert_eq!(found.is_some(), expected, "{name}");
            });
        }
        let filter = |subject: Option<(usize, Id)>, session_type, state| SessionFilter {
            domain_id: DOMAIN,
            pool_id: pool,
            account_id: subject.filter(|(kind, _)| *kind == 0).map(|(_, id)| AccountId(id)),
            identity_id: subject.filter(|(kind, _)| *kind == 1).map(|(_, id)| IdentityId(id)),
            device_id: subject.filter(|(kind, _)| *kind == 2).map(|(_, id)| DeviceId(id)),
            session_type,
            state,
        };
        let at = Timestamp::from_ms(50).unwrap();
        let states = [
            StateFilter::Any,
            StateFilter::Status(SessionStatus::Revoked),
            StateFilter::Unexpired(SessionStatus::Authenticated, at),
            StateFilter::Complete(at),
        ];
        let mut subjects = vec![None];
        for kind in 0..3 {
            subjects.extend([Some((kind, RARE)), Some((kind, UNKNOWN)), Some((kind, FOREIGN))]);
            // In the domain it has sessions, and how many a page visits to find those of a state depends on them.
            if pool.is_some() {
                subjects.push(Some((kind, COMMON)));
            }
        }
        for subject in subjects {
            for session_type in [None, Some(SessionType::Api)] {
                for state in states {
                    for before in [None, Some(SessionId(newest))] {
                        let filter = filter(subject, session_type, state);
                        let name =
                            format!("list in the {scope}: {subject:?} {session_type:?} {state:?} {before:?}");
                        add(name, &mut |connection| {
                            let page = list::page(connection, &filter, before, 10).unwrap();
                            assert_eq!(page.items.len() == 10, subject.is_none() || page.next.is_some());
                        });
                    }
                }
            }
            if subject.is_some() {
                let filter = filter(subject, None, StateFilter::Any);
                add(format!("revocation in the {scope}: {subject:?}"), &mut |connection| {
                    // The lifetime of each has passed by then.
                    let revocation = Revocation {
                        domain_id: filter.domain_id,
                        pool_id: filter.pool_id,
                        account_id: filter.account_id,
                        identity_id: filter.identity_id,
                        device_id: filter.device_id,
                        ..revocation(1, 7_000_000)
                    };
                    // Rolled back, so that the second run ends the same sessions as the first one.
                    let transaction = connection.unchecked_transaction().unwrap();
                    let outcome = revocation::revoke_in_txn(&transaction, &revocation).unwrap();
                    assert!(matches!(outcome, Outcome::Made(0)), "{outcome:?}");
                });
            }
        }
    }
    measured
}

#[test]
fn a_request_takes_the_same_steps_among_1_000_and_300_000_sessions() {
    // Multiples of 80, so that the newest sessions are the same.
    let [small, large] = [960, 300_000].map(|sessions| {
        let (_folder, mut connection) = store(sessions);
        measure(&mut connection, sessions)
    });
    assert!(small.len() > 100, "{}", small.len());
    for ((name, in_small), (_, in_large)) in small.iter().zip(&large) {
        assert_eq!(in_small, in_large, "{name}");
    }
    let fetches: Vec<_> = large.iter().filter(|(name, _)| name.starts_with("fetch")).collect();
    let [oldest, newest, between, above] = fetches[..] else { panic!("{fetches:?}") };
    assert!(oldest.1 == newest.1 && newest.1 == between.1, "{fetches:?}");
    // Only without any greater ID is there a second place to look.
    assert!(above.1 <= 2 * between.1, "{fetches:?}");
    // What is not the caller's takes as long as what does not exist.
    let of = |name: &str| large.iter().find(|(other, _)| other == name).map(|(_, steps)| *steps);
    let mut compared = 0;
    for (name, steps) in &large {
        for foreign in ["foreign", &format!("{FOREIGN:?}"), "a session"] {
            if name.contains(foreign) {
                let missing = if foreign.starts_with(char::is_lowercase) {
                    name.replace(foreign, "missing")
                } else {
                    name.replace(foreign, &format!("{UNKNOWN:?}"))
                };
                assert_eq!(of(&missing), Some(*steps), "{name}");
                compared += 1;
            }
        }
    }
    assert!(compared > 100, "{compared}");
    let most = large.iter().max_by_key(|(_, steps)| steps).unwrap();
    assert!(most.1 < 3_000, "{most:?}");
}

/// So that a connection caches them all, and a fetch reads no page but leaves.
#[test]
fn of_the_pages_that_a_fetch_searches_few_are_inner_ones() {
    let (_folder, connection) = store(100_000);
    let count = |page_type: &str| {
        let sql = "SELECT count(*) FROM dbstat WHERE name IN ('session', 'sqlite_autoindex_session_1') \
                   AND pagetype = :type";
        connection.query_row(sql, [page_type], |row| row.get::<_, u64>(0)).unwrap()
    };
    let (inner, leaves) = (count("internal"), count("leaf"));
    assert!(leaves > 1_000 && inner < leaves / 100, "{inner} of {leaves}");
}
