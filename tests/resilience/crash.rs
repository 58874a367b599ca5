//! `kill -9` at random instants under mixed load. After each, every session that had a request is compared with the
//! requests that were acknowledged and those that were not answered.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use reqwest::Method;
use session_test_support::launcher::{Command, WITHOUT_LIFETIMES};
use tokio::task::JoinSet;

use crate::events;
use crate::history::{Contradiction, Entry, judge};
use crate::load::{Load, Record, Revocation, Shared, lock};
use crate::model::{Action, Caller, Seen, State, View};
use crate::races::read;
use crate::random::Random;
use crate::report::{Failed, Kind, Outcome};
use crate::server::{Running, Target};
use crate::service::{Counts, Service, now_ns};

/// The clients of the mixed load.
const CLIENTS: u64 = 40;

/// The clients that check sessions after a crash.
const CHECKERS: usize = 32;

/// When the server is killed, in milliseconds after the load began.
const KILL_AFTER_MS: (u64, u64) = (20, 1_500);

/// Of how many rounds one begins with a burst of creations, so that many changes share a commit.
const BURST_EVERY: u64 = 10;

/// The creations of a burst, all at once.
const BURST: u64 = 2_000;

/// How many live sessions of former rounds a round uses again.
const FORMER: usize = 16;

/// What has been counted and found so far.
struct Run {
    counts: Arc<Counts>,
    numbers: Arc<AtomicU32>,
    outcome: Outcome,
    /// Every session of all rounds.
    records: Vec<Shared>,
    revocations: Vec<Revocation>,
    sessions_checked: u64,
    tokens_checked: AtomicU64,
    keys_revoked: u64,
}

/// Runs this many rounds and returns what was found.
pub(crate) async fn run(target: &Target, kills: u64, seed: u64) -> Result<Outcome, Failed> {
    let folder = tempfile::tempdir()?;
    let mut run = Run {
        counts: Arc::default(),
        numbers: Arc::default(),
        outcome: Outcome::default(),
        records: Vec::new(),
        revocations: Vec::new(),
        sessions_checked: 0,
        tokens_checked: AtomicU64::new(0),
        keys_revoked: 0,
    };
    let mut running = target.start(folder.path()).await?;
    let key = running.key()?.1;
    for round in 0..kills {
        let former = run.live_sessions();
        let service = Service::new(running.address, &run.counts)?;
        let load = Arc::new(Load::new(service.clone(), &key, former, &run.numbers));
        let disposable = Disposable::new(&running, service)?;
        let crashed_at = under_load(&load, running, &disposable, &mut Random::new(seed, round)).await;
        running = match target.try_start(target.program(), folder.path(), WITHOUT_LIFETIMES, &[]).await? {
            Ok(running) => running,
            Err(error) => {
                run.outcome.add(Kind::Lost, format!("round {round}: it does not start: {error}"));
                return Ok(run.outcome);
            }
        };
        run.after_crash(&load, &running, &key, crashed_at, &format!("round {round}")).await?;
        disposable.check(&Service::new(running.address, &run.counts)?, &mut run).await;
    }
    // What ended in one round has not come back in another.
    let records = run.records.clone();
    run.check_all(&records, &[], &running, &key, now_ns(), "at the end").await?;
    let events = events::check(&running, &run.records, &run.revocations).await?;
    run.outcome.extend(events.outcome);
    for error in run.counts.take_server_errors() {
        run.outcome.add(Kind::ServerError, error);
    }
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    if count(&run.counts.acknowledged) < kills {
        run.outcome.add(Kind::Other, "the load changed nothing");
    }
    run.outcome.summary = format!(
        "{kills} times kill -9: {} requests, {} acknowledged changes, {} sessions and {} tokens compared, {} keys revoked, {} events; \
         {} answers of 503",
        count(&run.counts.responses),
        count(&run.counts.acknowledged),
        run.sessions_checked,
        count(&run.tokens_checked),
        run.keys_revoked,
        events.count,
        count(&run.counts.unavailable),
    );
    Ok(run.outcome)
}

/// Runs the load, kills the server at a random instant and returns when.
async fn under_load(
    load: &Arc<Load>,
    mut running: Running,
    disposable: &Arc<Disposable>,
    random: &mut Random,
) -> u64 {
    let after = Duration::from_millis(KILL_AFTER_MS.0 + random.below(KILL_AFTER_MS.1 - KILL_AFTER_MS.0));
    let mut clients = JoinSet::new();
    let burst = if random.below(BURST_EVERY) == 0 { BURST } else { 0 };
    for purpose in 0..burst + CLIENTS {
        let (load, mut random) = (Arc::clone(load), Random::new(random.below(u64::MAX), purpose));
        clients.spawn(async move {
            if purpose < burst { load.create(&mut random).await } else { load.client(random).await }
        });
    }
    let revoke_after = after.mul_f64(0.7);
    clients.spawn(Arc::clone(disposable).revoke(revoke_after));
    clients.spawn(Arc::clone(disposable).use_until_stopped(Arc::clone(load)));
    tokio::time::sleep(after).await;
    running.server.kill();
    let crashed_at = now_ns();
    load.stop();
    while clients.join_next().await.is_some() {}
    crashed_at
}

impl Run {
    /// Some sessions of former rounds that are live.
    fn live_sessions(&self) -> Vec<Shared> {
        let is_live = |record: &&Shared| lock(record).initial.status.is_some_and(|status| !status.is_final());
        self.records.iter().rev().filter(is_live).take(FORMER).cloned().collect()
    }

    /// Checks every session with a request in the round.
    async fn after_crash(
        &mut self,
        load: &Load,
        running: &Running,
        key: &str,
        crashed_at: u64,
        when: &str,
    ) -> Result<(), Failed> {
        let revocations = std::mem::take(&mut *lock(&load.revocations));
        let mut touched: Vec<Shared> = std::mem::take(&mut *lock(&load.touched)).into_values().collect();
        touched.sort_by_cached_key(|record| lock(record).id.clone());
        let created = touched.iter().filter(|record| lock(record).initial == State::default());
        self.records.extend(created.cloned());
        self.check_all(&touched, &revocations, running, key, crashed_at, when).await?;
        self.revocations.extend(revocations);
        Ok(())
    }

    async fn check_all(
        &mut self,
        records: &[Shared],
        revocations: &[Revocation],
        running: &Running,
        key: &str,
        crashed_at: u64,
        when: &str,
    ) -> Result<(), Failed> {
        let service = Service::new(running.address, &self.counts)?;
        let (service, tokens_checked) = (&service, &self.tokens_checked);
        let outcome = Mutex::new(&mut self.outcome);
        let checks = records.iter().map(async |shared| {
            let (id, tokens) = {
                let record = lock(shared);
                (record.id.clone(), record.tokens.clone())
            };
            let reads = read(service, &id, key, &tokens).await;
            tokens_checked.fetch_add(reads.len().saturating_sub(1) as u64, Ordering::Relaxed);
            let found = compare(&mut lock(shared), revocations, crashed_at, reads);
            if let Err(contradiction) = found {
                lock(&outcome).add_contradiction(&format!("{when}, session {id}"), &contradiction);
            }
        });
        futures::stream::iter(checks).buffer_unordered(CHECKERS).collect::<Vec<()>>().await;
        self.sessions_checked += records.len() as u64;
        Ok(())
    }
}

/// Compares what is read of a session after a crash with the requests before it. Afterwards, the record begins with the
/// state that was read.
fn compare(
    record: &mut Record,
    revocations: &[Revocation],
    crashed_at: u64,
    reads: Vec<Entry>,
) -> Result<(), Contradiction> {
    let mut before = std::mem::take(&mut record.entries);
    let mut accounts = record.accounts.clone();
    accounts.extend(record.initial.account.clone());
    let of_account = revocations.iter().filter(|revocation| accounts.contains(&revocation.account));
    before.extend(of_account.map(|revocation| revocation.entry.clone()));
    let (action, at) = (Action::Crash, crashed_at);
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

/// An API key that is revoked while it is used.
struct Disposable {
    service: Service,
    key: String,
    revoke: Mutex<Option<Command>>,
    /// When the revocation was acknowledged.
    revoked_at: Mutex<Option<u64>>,
    /// When the key was sent, and whether it was accepted.
    uses: Mutex<Vec<(u64, bool)>>,
}

impl Disposable {
    fn new(running: &Running, service: Service) -> Result<Arc<Self>, Failed> {
        let (id, key) = running.key()?;
        let revoke = Mutex::new(Some(running.server.command(&["key", "revoke", &id])));
        Ok(Arc::new(Self { service, key, revoke, revoked_at: Mutex::default(), uses: Mutex::default() }))
    }

    async fn revoke(self: Arc<Self>, after: Duration) {
        tokio::time::sleep(after).await;
        let Some(command) = lock(&self.revoke).take() else { return };
        let finished = tokio::task::spawn_blocking(move || command.try_run()).await;
        if finished.is_ok_and(|finished| finished.is_ok_and(|finished| finished.code == 0)) {
            *lock(&self.revoked_at) = Some(now_ns());
        }
    }

    async fn use_until_stopped(self: Arc<Self>, load: Arc<Load>) {
        while !load.is_stopped() {
            self.use_once(&self.service).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn use_once(&self, service: &Service) {
        let exchange = service.send(Method::GET, "/api/v1/session?limit=1", &self.key, None).await;
        let status = exchange.response.map(|response| response.status);
        if matches!(status, Some(200 | 401)) {
            lock(&self.uses).push((exchange.invoked, status == Some(200)));
        }
    }

    /// Checks, after the restart, that the key was never accepted after its revocation was acknowledged or seen.
    async fn check(&self, service: &Service, run: &mut Run) {
        self.use_once(service).await;
        let revoked_at = *lock(&self.revoked_at);
        run.keys_revoked += u64::from(revoked_at.is_some());
        let accepted = accepted_after_revocation(&lock(&self.uses), revoked_at);
        if accepted > 0 {
            let text = format!("an API key was accepted {accepted} times after its revocation");
            run.outcome.add(Kind::DeadToken, text);
        }
    }
}

/// How often a key was accepted after its revocation was acknowledged, or after a refusal showed that it was made.
fn accepted_after_revocation(uses: &[(u64, bool)], revoked_at: Option<u64>) -> usize {
    let refused_at = uses.iter().filter(|(_, accepted)| !accepted).map(|(at, _)| *at).min();
    let Some(dead_since) = revoked_at.into_iter().chain(refused_at).min() else { return 0 };
    uses.iter().filter(|(at, accepted)| *accepted && *at > dead_since).count()
}

#[cfg(test)]
mod tests {
    use super::accepted_after_revocation;

    #[test]
    fn a_key_that_is_accepted_after_its_revocation_is_found() {
        let uses = [(10, true), (20, true), (30, false), (40, true)];
        assert_eq!(accepted_after_revocation(&uses[..2], None), 0);
        assert_eq!(accepted_after_revocation(&uses[..3], Some(25)), 0);
        assert_eq!(accepted_after_revocation(&uses[..2], Some(15)), 1);
        // A refusal before the crash, without an acknowledgement.
        assert_eq!(accepted_after_revocation(&uses, None), 1);
    }
}
