//! Races of many clients on one session: some order of their requests must explain every response.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use session_test_support::seed;
use session_test_support::tokens::numbered;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::history::{Entry, judge};
use crate::load::lock;
use crate::model::{Action, Caller, Seen, State, TokenNumber};
use crate::random::Random;
use crate::report::{Failed, Kind, Outcome};
use crate::server::Target;
use crate::service::{Counts, Done, Service};

/// The clients of a race.
const CLIENTS: usize = 64;

/// How many requests a client sends at most, one after another.
const REQUESTS_MAX: u64 = 3;

/// How many authentications a race has at most: the search for an order tries each order of those at the same time.
const AUTHENTICATIONS_MAX: usize = 12;

/// How often a read after a race or a crash is attempted, and the pause that is longer after each attempt.
const READ_ATTEMPTS: u32 = 4;
const READ_PAUSE: Duration = Duration::from_millis(500);

/// What a client does, and as whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Authenticate,
    Interact,
    CompleteByKey,
    CompleteByToken,
    RevokeByKey,
    RevokeByToken,
    RevokeByPeer,
    RevokeAccountByKey,
    RevokeAccountByPeer,
    FetchByKey,
    FetchByToken,
    FetchByPeer,
    Whoami,
    ListByKey,
    ListByPeer,
}

/// The kinds of races: how often each step is taken. One change against another in each, since what ends a session ends the
/// race as well.
const KINDS: [&[(u64, Step)]; 5] = [
    // A token that is replaced while it is used.
    &[
        (12, Step::Authenticate),
        (10, Step::CompleteByToken),
        (6, Step::RevokeByToken),
        (10, Step::Whoami),
        (4, Step::FetchByToken),
        (4, Step::FetchByKey),
    ],
    // A revocation among interactions.
    &[(40, Step::Interact), (4, Step::RevokeByKey), (4, Step::RevokeByPeer), (10, Step::FetchByPeer)],
    // Revocations of the account among authentications.
    &[
        (14, Step::Authenticate),
        (6, Step::RevokeAccountByKey),
        (6, Step::RevokeAccountByPeer),
        (10, Step::ListByKey),
        (10, Step::ListByPeer),
        (10, Step::Whoami),
        (6, Step::Interact),
    ],
    // Changes alone, none of which ends the session.
    &[(12, Step::Authenticate), (40, Step::Interact), (6, Step::Whoami)],
    // Everything.
    &[
        (10, Step::Authenticate),
        (10, Step::Interact),
        (2, Step::CompleteByKey),
        (3, Step::CompleteByToken),
        (2, Step::RevokeByKey),
        (3, Step::RevokeByToken),
        (3, Step::RevokeByPeer),
        (2, Step::RevokeAccountByKey),
        (2, Step::RevokeAccountByPeer),
        (6, Step::FetchByKey),
        (6, Step::FetchByToken),
        (6, Step::FetchByPeer),
        (6, Step::Whoami),
        (3, Step::ListByKey),
        (3, Step::ListByPeer),
    ],
];

/// One race.
struct Race {
    service: Service,
    key: String,
    id: String,
    account: Arc<str>,
    /// Another session of the account, which is authenticated throughout: its ID and token.
    peer: (Arc<str>, String),
    /// The tokens of the session so far, the newest last.
    tokens: Mutex<Vec<(TokenNumber, String)>>,
    history: Mutex<Vec<Entry>>,
    numbers: Arc<AtomicU32>,
}

/// Runs races on a server for this time, at least one, and returns what was found.
pub(crate) async fn run(target: &Target, time: Duration, seed: u64) -> Result<Outcome, Failed> {
    let folder = tempfile::tempdir()?;
    let running = target.start(folder.path()).await?;
    let counts: Arc<Counts> = Arc::default();
    let service = Service::new(running.address, &counts)?;
    race(&service, &running.key()?.1, &counts, time, seed).await
}

/// Runs races on the servers of a store for this time, at least one, with this API key.
pub(crate) async fn race(
    service: &Service,
    key: &str,
    counts: &Arc<Counts>,
    time: Duration,
    seed: u64,
) -> Result<Outcome, Failed> {
    let numbers: Arc<AtomicU32> = Arc::default();
    let mut outcome = Outcome::default();
    let began = Instant::now();
    let (mut races, mut requests) = (0, 0);
    while races == 0 || began.elapsed() < time {
        let mut random = Random::new(seed, races);
        let race = Race::prepare(service, key, &numbers, &mut random).await?;
        requests += race.run(&mut random).await.map_err(Failed)?;
        let reads = race.reads().await;
        let history = std::mem::take(&mut *lock(&race.history));
        if let Err(contradiction) = judge(State::default(), history, reads, Kind::WrongOrder) {
            outcome.add_contradiction(&format!("race {races}"), &contradiction);
        }
        races += 1;
    }
    outcome.count_requests(counts);
    outcome.faults = races;
    if counts.acknowledged.load(Ordering::Relaxed) < 2 * races {
        outcome.add(Kind::Other, "the races changed nothing");
    }
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    outcome.summary = format!(
        "{races} races of {CLIENTS} clients on one session: {requests} requests, {} acknowledged changes; {} answers of \
         503, {} of 429",
        count(&counts.acknowledged),
        count(&counts.unavailable),
        count(&counts.limited),
    );
    Ok(outcome)
}

impl Race {
    /// Creates the session and its peer.
    async fn prepare(
        service: &Service,
        key: &str,
        numbers: &Arc<AtomicU32>,
        random: &mut Random,
    ) -> Result<Arc<Self>, Failed> {
        let number = || numbers.fetch_add(1, Ordering::Relaxed);
        let account: Arc<str> = numbered(seed::ACCOUNT_ID, number() as usize).into();
        let create = async |account: Option<Arc<str>>, interaction: Option<Arc<str>>| {
            let token = number();
            let done =
                service.act("", Caller::Key, Action::Create { account, interaction, token }, key).await;
            let issued = done.issued().ok_or_else(|| Failed(format!("no session: {:?}", done.response)))?;
            Ok::<_, Failed>((done.entry, issued, token))
        };
        let (_, (peer, peer_token), _) = create(Some(account.clone()), None).await?;
        let with_account = random.percent(50).then(|| account.clone());
        let interaction = random.percent(30).then(|| "the creation".into());
        let (entry, (id, token), number) = create(with_account, interaction).await?;
        let race = Self {
            service: service.clone(),
            key: key.to_owned(),
            id,
            account,
            peer: (peer.into(), peer_token),
            tokens: Mutex::new(vec![(number, token)]),
            history: Mutex::new(entry.into_iter().collect()),
            numbers: Arc::clone(numbers),
        };
        if random.percent(50) {
            race.step(Step::Authenticate, random).await;
        }
        Ok(Arc::new(race))
    }

    /// Lets the clients race. Returns the number of their requests.
    async fn run(self: &Arc<Self>, random: &mut Random) -> Result<usize, String> {
        let kind = random.choose(&KINDS).copied().unwrap_or_default();
        let mut authentications = 0;
        let mut step = |random: &mut Random| {
            let step = random.weighted(kind);
            authentications += usize::from(step == Step::Authenticate);
            if step == Step::Authenticate && authentications > AUTHENTICATIONS_MAX {
                Step::Whoami
            } else {
                step
            }
        };
        let start = Arc::new(Barrier::new(CLIENTS));
        let (mut clients, mut requests) = (JoinSet::new(), 0);
        for client in 0..CLIENTS {
            let steps: Vec<Step> = (0..=random.below(REQUESTS_MAX)).map(|_| step(random)).collect();
            requests += steps.len();
            let (race, start) = (Arc::clone(self), Arc::clone(&start));
            let mut random = Random::new(random.below(u64::MAX), client as u64);
            clients.spawn(async move {
                start.wait().await;
                for step in steps {
                    race.step(step, &mut random).await;
                }
            });
        }
        while let Some(client) = clients.join_next().await {
            client.map_err(|error| error.to_string())?;
        }
        Ok(requests)
    }

    /// Sends one request.
    async fn step(&self, step: Step, random: &mut Random) {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let account = || self.account.clone();
        let except = || Some(self.peer.0.clone());
        let action = match step {
            Step::Authenticate => Action::Authenticate { account: account(), token: number },
            Step::Interact => Action::Interact { user_agent: format!("interaction {number}").into() },
            Step::CompleteByKey | Step::CompleteByToken => Action::Complete,
            Step::RevokeByKey | Step::RevokeByToken | Step::RevokeByPeer => Action::Revoke,
            Step::RevokeAccountByKey | Step::RevokeAccountByPeer => {
                Action::RevokeAccount { account: account(), except: except() }
            }
            Step::FetchByKey | Step::FetchByToken | Step::FetchByPeer => Action::Fetch,
            Step::Whoami => Action::Whoami,
            Step::ListByKey | Step::ListByPeer => Action::List { account: account() },
        };
        let (caller, credential) = match step {
            Step::CompleteByToken | Step::RevokeByToken | Step::FetchByToken | Step::Whoami => {
                let tokens = lock(&self.tokens);
                // Mostly the newest token, sometimes one that was replaced.
                let token = if random.percent(70) { tokens.last() } else { random.choose(&tokens) };
                let Some((number, token)) = token.cloned() else { return };
                (Caller::Own(number), token)
            }
            Step::RevokeByPeer | Step::RevokeAccountByPeer | Step::FetchByPeer | Step::ListByPeer => {
                (Caller::Peer(account()), self.peer.1.clone())
            }
            _ => (Caller::Key, self.key.clone()),
        };
        let done = self.service.act(&self.id, caller, action, &credential).await;
        self.add(number, done);
    }

    fn add(&self, number: TokenNumber, done: Done) {
        lock(&self.tokens).extend(done.issued().map(|(_, token)| (number, token)));
        lock(&self.history).extend(done.entry);
    }

    /// Reads the session by key and by each of its tokens.
    async fn reads(&self) -> Vec<Entry> {
        let tokens = lock(&self.tokens).clone();
        read(&self.service, &self.id, &self.key, &tokens).await
    }
}

/// Reads a session by key and by each of these tokens. A read that is not answered is repeated.
pub(crate) async fn read(
    service: &Service,
    id: &str,
    key: &str,
    tokens: &[(TokenNumber, String)],
) -> Vec<Entry> {
    let by_key = (Caller::Key, Action::Fetch, key);
    let by_tokens =
        tokens.iter().map(|(number, token)| (Caller::Own(*number), Action::Whoami, token.as_str()));
    let mut entries = Vec::new();
    for (caller, action, credential) in [by_key].into_iter().chain(by_tokens) {
        let mut entry = None;
        for attempt in 0..READ_ATTEMPTS {
            tokio::time::sleep(READ_PAUSE * attempt).await;
            entry = service.act(id, caller.clone(), action.clone(), credential).await.entry;
            if entry.as_ref().is_some_and(|entry| entry.seen != Seen::Open) {
                break;
            }
        }
        entries.extend(entry);
    }
    entries
}
