//! `kill -9` at random instants under mixed load, and an API key that is revoked meanwhile.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use session_test_support::launcher::{Command, WITHOUT_LIFETIMES};

use crate::load::{Load, lock};
use crate::random::Random;
use crate::report::{Failed, Kind, Outcome};
use crate::rounds::{Rounds, under_load};
use crate::server::{Running, Target};
use crate::service::{Service, now_ns};

/// When the server is killed, in milliseconds after the load began.
const KILL_AFTER_MS: (u64, u64) = (20, 1_500);

/// Of how many rounds one begins with a burst of creations, so that many changes share a commit.
const BURST_EVERY: u64 = 10;

/// The creations of a burst, all at once.
const BURST: u64 = 2_000;

/// Runs this many rounds and returns what was found.
pub(crate) async fn run(target: &Target, kills: u64, seed: u64) -> Result<Outcome, Failed> {
    let folder = tempfile::tempdir()?;
    let mut running = target.start(folder.path()).await?;
    let mut rounds = Rounds::new(running.key()?.1);
    let mut keys_revoked = 0;
    for round in 0..kills {
        let service = Service::new(running.address, &rounds.counts)?;
        let load = rounds.load(service.clone());
        let disposable = Disposable::new(&running, service)?;
        let random = &mut Random::new(seed, round);
        let after = Duration::from_millis(KILL_AFTER_MS.0 + random.below(KILL_AFTER_MS.1 - KILL_AFTER_MS.0));
        let burst = if random.below(BURST_EVERY) == 0 { BURST } else { 0 };
        let revoking = tokio::spawn(Arc::clone(&disposable).revoke(after.mul_f64(0.7)));
        let using = tokio::spawn(Arc::clone(&disposable).use_until_stopped(Arc::clone(&load)));
        let crashed_at = under_load(&load, burst, random, async {
            tokio::time::sleep(after).await;
            running.server.kill();
            now_ns()
        })
        .await;
        using.await?;
        revoking.await?;
        running = match target.try_start(target.program(), folder.path(), WITHOUT_LIFETIMES, &[]).await? {
            Ok(running) => running,
            Err(error) => {
                rounds.outcome.add(Kind::Lost, format!("round {round}: it does not start: {error}"));
                return Ok(rounds.outcome);
            }
        };
        let service = Service::new(running.address, &rounds.counts)?;
        rounds.check(&load, &service, crashed_at, &format!("round {round}")).await;
        keys_revoked += u64::from(disposable.check(&service, &mut rounds.outcome).await);
    }
    let service = Service::new(running.address, &rounds.counts)?;
    let mut outcome = rounds.finish(&service, &running).await?;
    outcome.faults = kills;
    outcome.summary = format!("{kills} times kill -9: {}, {keys_revoked} keys revoked", outcome.summary);
    Ok(outcome)
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

    /// Checks, after the restart, that the key was never accepted after its revocation was acknowledged or seen. Returns
    /// whether it was revoked.
    async fn check(&self, service: &Service, outcome: &mut Outcome) -> bool {
        self.use_once(service).await;
        let revoked_at = *lock(&self.revoked_at);
        let accepted = accepted_after_revocation(&lock(&self.uses), revoked_at);
        if accepted > 0 {
            let text = format!("an API key was accepted {accepted} times after its revocation");
            outcome.add(Kind::DeadToken, text);
        }
        revoked_at.is_some()
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
