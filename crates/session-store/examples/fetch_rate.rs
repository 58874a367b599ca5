//! How long the embedded store takes to read a session by its ID, uniformly at random.
//!
//! `fetch_rate FOLDER SESSIONS THREADS FETCHES COMMITS_PER_SECOND`: the store is in FOLDER, which must exist, and is filled with
//! SESSIONS sessions unless it has any. Each thread fetches FETCHES sessions, while settings are replaced at a steady rate; 0
//! is for none. Prints nanoseconds per fetch and thread, and the process's resident memory. For instructions, run it in
//! callgrind with two numbers of fetches: the difference has no part of what happens once.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program for measurements")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use session_store::{
    Actor, Event, EventAction, EventId, SecretHash, Sessions, Settings, SqliteStore, StoredSession,
};
use session_types::{
    AccountId, DomainId, Id, IdentityId, InteractionDetails, PoolId, RemoteIp, SessionId, SessionStatus,
    SessionType, Timestamp, Title, UserAgent,
};

/// How many sessions one change imports.
const BATCH: u64 = 2_000;

const CREATED_MS: u64 = 1_700_000_000_000;

const USER_AGENT: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) \
                          Chrome/91.0.4472.114 Safari/537.36";

/// A step of the splitmix64 generator: the same sequence in every run.
const fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// Returns the ID with this number: three to a millisecond, as in an hour of many creations.
fn id(number: u64) -> Id {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&mixed(number).to_be_bytes());
    Id::compose(CREATED_MS + number / 3, 0, random)
}

/// Returns a session with every property that most have.
fn session(number: u64) -> StoredSession {
    let of_domain = |last: u8| Id::from_bytes([last; 20]);
    let created_at = Timestamp::from_ms(CREATED_MS + number / 3).unwrap();
    let seen = InteractionDetails {
        at: created_at,
        remote_ip: Some(RemoteIp::try_from(format!("203.0.113.{}", number % 256)).unwrap()),
        user_agent: Some(UserAgent::try_from(USER_AGENT.to_owned()).unwrap()),
    };
    let hash = [mixed(number).to_be_bytes(); 4].concat();
    let new = StoredSession::new(
        SessionId(id(number)),
        DomainId(of_domain(1)),
        PoolId(of_domain(2)),
        SessionType::Browser,
    );
    StoredSession {
        status: SessionStatus::Authenticated,
        account_id: Some(AccountId(id(number / 2))),
        identity_id: Some(IdentityId(id(number / 2 + 1))),
        title: Some(Title::try_from("Chrome on macOS".to_owned()).unwrap()),
        first_seen: Some(seen.clone()),
        last_seen: Some(seen),
        token_hash: Some(SecretHash(hash.try_into().unwrap())),
        expires_at: Some(Timestamp::from_ms(CREATED_MS + number / 3 + 1_209_600_000).unwrap()),
        ..new
    }
}

/// Adds the sessions, if the first one is missing.
async fn fill(store: &SqliteStore, sessions: u64) {
    if store.session_fetch(SessionId(id(0))).await.unwrap().is_some() {
        return;
    }
    for first in (0..sessions).step_by(usize::try_from(BATCH).unwrap()) {
        let batch = (first..sessions.min(first + BATCH)).map(|number| {
            let event = Event {
                id: EventId(id(number)),
                action: EventAction::Created,
                session_id: SessionId(id(number)),
                actor: Actor::Server,
                reason: None,
                request_id: None,
            };
            (session(number), event)
        });
        let imported = store.session_import(batch.collect()).await.unwrap();
        assert!(imported.iter().all(Result::is_ok), "a session was refused");
    }
}

/// Fetches this many sessions of the store. Returns the nanoseconds that one took.
fn fetch(store: &SqliteStore, sessions: u64, fetches: u64, thread: u64) -> u64 {
    block_on(async {
        let begun = Instant::now();
        for number in 0..fetches {
            let id = SessionId(id(mixed(thread << 32 | number) % sessions));
            assert!(store.session_fetch(id).await.unwrap().is_some(), "no such session");
        }
        u64::try_from(begun.elapsed().as_nanos()).unwrap() / fetches.max(1)
    })
}

/// Returns the lines of the process's resident memory.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let lines = status.lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("Rss"));
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(", ")
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, numbers @ ..] = &arguments[..] else { panic!("see the source") };
    let numbers: Vec<u64> = numbers.iter().map(|number| number.parse().unwrap()).collect();
    let [sessions, threads, fetches, commits] = numbers[..] else { panic!("see the source") };
    let store = Arc::new(SqliteStore::open(&Path::new(folder).join("sessions.db")).unwrap());
    block_on(fill(&store, sessions));
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let writer = std::thread::spawn({
        let store = Arc::clone(&store);
        move || {
            let Some(pause) = (1_000_000_000_u64).checked_div(commits).map(Duration::from_nanos) else {
                return;
            };
            let mut number = 0_u64;
            while ended.recv_timeout(pause) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                number += 1;
                block_on(store.setting_replace("fetch_rate", number.to_string())).unwrap();
            }
        }
    });
    let readers: Vec<_> = (0..threads)
        .map(|thread| {
            let store = Arc::clone(&store);
            std::thread::spawn(move || fetch(&store, sessions, fetches, thread))
        })
        .collect();
    let times_ns: Vec<u64> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
    drop(end);
    writer.join().unwrap();
    println!("{times_ns:?} ns per fetch; {}", memory());
}
