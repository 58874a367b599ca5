//! Rounds of mixed load, each with a fault. After each, every session that had a request is compared with the requests that
//! were acknowledged and those that were not answered.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::events;
use crate::history::{Contradiction, Entry, judge};
use crate::load::{Load, Record, Revocation, Shared, lock};
use crate::model::{Action, Caller, Seen, State, View};
use crate::races::read;
use crate::random::Random;
use crate::report::{Failed, Kind, Outcome};
use crate::server::Running;
use crate::service::{Counts, Service, now_ns};

/// The clients of the mixed load.
const CLIENTS: u64 = 40;

/// The clients that check sessions after a fault.
const CHECKERS: usize = 32;

/// How many live sessions of former rounds a round uses again.
const FORMER: usize = 16;

/// What has been counted and found so far.
pub(crate) struct Rounds {
    pub(crate) counts: Arc<Counts>,
    pub(crate) outcome: Outcome,
    /// An API key with every scope.
    pub(crate) key: String,
    numbers: Arc<AtomicU32>,
    /// Every session of all rounds.
    records: Vec<Shared>,
    revocations: Vec<Revocation>,
    sessions_checked: u64,
    tokens_checked: AtomicU64,
}

impl Rounds {
    /// Rounds on a store with this API key.
    pub(crate) fn new(key: String) -> Self {
        Self {
            counts: Arc::default(),
            outcome: Outcome::default(),
            key,
            numbers: Arc::default(),
            records: Vec::new(),
            revocations: Vec::new(),
            sessions_checked: 0,
            tokens_checked: AtomicU64::new(0),
        }
    }

    /// The load of a round on these servers, which also uses some live sessions of former rounds.
    pub(crate) fn load(&self, service: Service) -> Arc<Load> {
        let is_live = |record: &&Shared| lock(record).initial.status.is_some_and(|status| !status.is_final());
        let former = self.records.iter().rev().filter(is_live).take(FORMER).cloned().collect();
        Arc::new(Load::new(service, &self.key, former, &self.numbers))
    }

    /// Checks every session with a request in a round. What had not been made at `over_at` cannot be made any more.
    pub(crate) async fn check(&mut self, load: &Load, service: &Service, over_at: u64, when: &str) {
        let revocations = std::mem::take(&mut *lock(&load.revocations));
        let mut touched: Vec<Shared> = std::mem::take(&mut *lock(&load.touched)).into_values().collect();
        touched.sort_by_cached_key(|record| lock(record).id.clone());
        let created = touched.iter().filter(|record| lock(record).initial == State::default());
        self.records.extend(created.cloned());
        self.check_all(&touched, &revocations, service, over_at, when).await;
        self.revocations.extend(revocations);
    }

    async fn check_all(
        &mut self,
        records: &[Shared],
        revocations: &[Revocation],
        service: &Service,
        over_at: u64,
        when: &str,
    ) {
        let (key, tokens_checked) = (&self.key, &self.tokens_checked);
        let outcome = Mutex::new(&mut self.outcome);
        let checks = records.iter().map(async |shared| {
            let (id, tokens) = {
                let record = lock(shared);
                (record.id.clone(), record.tokens.clone())
            };
            let reads = read(service, &id, key, &tokens).await;
            tokens_checked.fetch_add(reads.len().saturating_sub(1) as u64, Ordering::Relaxed);
            let found = compare(&mut lock(shared), revocations, over_at, reads);
            if let Err(contradiction) = found {
                lock(&outcome).add_contradiction(&format!("{when}, session {id}"), &contradiction);
            }
        });
        futures::stream::iter(checks).buffer_unordered(CHECKERS).collect::<Vec<()>>().await;
        self.sessions_checked += records.len() as u64;
    }

    /// Checks every session of all rounds, and the events, which `running` is asked for. Returns what was found, with what
    /// was counted as its summary.
    pub(crate) async fn finish(mut self, service: &Service, running: &Running) -> Result<Outcome, Failed> {
        // What ended in one round has not come back in another.
        let records = std::mem::take(&mut self.records);
        self.check_all(&records, &[], service, now_ns(), "at the end").await;
        let events = events::check(running, &records, &self.revocations).await?;
        self.outcome.extend(events.outcome);
        if self.counts.acknowledged.load(Ordering::Relaxed) == 0 {
            self.outcome.add(Kind::Other, "the load changed nothing");
        }
        self.outcome.count_requests(&self.counts);
        self.outcome.summary = format!(
            "{}, {} sessions and {} tokens compared, {} events",
            self.counts,
            self.sessions_checked,
            self.tokens_checked.load(Ordering::Relaxed),
            events.count,
        );
        Ok(self.outcome)
    }
}

/// Creates a session with this API key and returns the status, and the code of an error.
pub(crate) async fn create(service: &Service, key: &str) -> Option<(u16, String)> {
    let body = json!({ "session_type": "api" });
    let exchange = service.send(Method::POST, "/api/v1/session", key, Some(body)).await;
    exchange.response.map(|response| (response.status, response.code().to_owned()))
}

/// Runs the load, with this many creations at once at its beginning, until `fault` is over. Returns what that returned.
pub(crate) async fn under_load<T>(
    load: &Arc<Load>,
    burst: u64,
    random: &mut Random,
    fault: impl Future<Output = T>,
) -> T {
    let mut clients = JoinSet::new();
    for purpose in 0..burst + CLIENTS {
        let (load, mut random) = (Arc::clone(load), Random::new(random.below(u64::MAX), purpose));
        clients.spawn(async move {
            if purpose < burst { load.create(&mut random).await } else { load.client(random).await }
        });
    }
    let outcome = fault.await;
    load.stop();
    while clients.join_next().await.is_some() {}
    outcome
}

/// Compares what is read of a session after a fault with the requests before it. Afterwards, the record begins with the
/// state that was read.
fn compare(
    record: &mut Record,
    revocations: &[Revocation],
    over_at: u64,
    reads: Vec<Entry>,
) -> Result<(), Contradiction> {
    let mut before = std::mem::take(&mut record.entries);
    let mut accounts = record.accounts.clone();
    accounts.extend(record.initial.account.clone());
    let of_account = revocations.iter().filter(|revocation| accounts.contains(&revocation.account));
    before.extend(of_account.map(|revocation| revocation.entry.clone()));
    let (action, at) = (Action::Crash, over_at);
    let crash = Entry { caller: Caller::Key, action, seen: Seen::Crashed, invoked: at, responded: at };
    let initial = std::mem::replace(&mut record.initial, read_state(&reads));
    let after = [crash].into_iter().chain(reads).collect();
    let state = judge(initial, before, after, Kind::Lost)?;
    record.initial = State { crashed: false, ..state };
    Ok(())
}

/// The state that these reads show.
fn read_state(reads: &[Entry]) -> State {
    let view = |entry: &Entry| match &entry.seen {
        Seen::Session(view) => Some(view.clone()),
        _ => None,
    };
    let accepted = |entry: &Entry| match (&entry.caller, &entry.seen) {
        (Caller::Own(token), Seen::Session(_)) => Some(*token),
        _ => None,
    };
    let token = reads.iter().find_map(accepted);
    let Some(View { status, account, first_seen, .. }) = reads.first().and_then(view) else {
        return State::default();
    };
    State { status: Some(status), account, first_seen, token, crashed: false }
}
