//! Mixed load: clients that create, authenticate, use and end sessions, and record what each request returned.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use session_test_support::seed;
use session_test_support::tokens::numbered;

use crate::history::Entry;
use crate::model::{Action, Caller, Seen, State, TokenNumber, View};
use crate::random::Random;
use crate::service::{Done, Service};

/// How many accounts the sessions of a round belong to: few, so that a revocation of one concerns several sessions.
const ACCOUNTS: u32 = 6;

/// How many sessions the clients of a round share: few enough that their requests meet.
const SHARED_MAX: usize = 48;

/// How many sessions a list is compared with at most.
const LISTED_MAX: usize = 20;

/// Locks a mutex. A panic elsewhere is reported there.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A change that was requested.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// The ID of the request if it was acknowledged.
    pub(crate) request_id: Option<String>,
    /// The action of its event.
    pub(crate) event: &'static str,
}

/// All that is known of a session.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) id: String,
    /// Its state at the beginning of the round.
    pub(crate) initial: State,
    /// The requests of the round that name it.
    pub(crate) entries: Vec<Entry>,
    /// Every token of it that was returned, the newest last.
    pub(crate) tokens: Vec<(TokenNumber, String)>,
    /// The accounts that it may belong to; its requests name the first.
    pub(crate) accounts: Vec<Arc<str>>,
    /// The changes of all rounds that have, or may have, an event.
    pub(crate) changes: Vec<Change>,
    /// Whether it was created without account and interaction.
    pub(crate) created_new: bool,
}

impl Record {
    /// Adds a request that was sent.
    fn add(&mut self, done: &Done, event: Option<&'static str>) {
        self.entries.extend(done.entry.clone());
        let seen = done.entry.as_ref().map(|entry| &entry.seen);
        let request_id = match seen {
            Some(Seen::Session(_)) => done.response.as_ref().map(|response| response.request_id.clone()),
            Some(Seen::Open) => None,
            _ => return,
        };
        self.changes.extend(event.map(|event| Change { request_id, event }));
    }
}

/// A session that several clients use.
pub(crate) type Shared = Arc<Mutex<Record>>;

/// A revocation of an account.
#[derive(Clone, Debug)]
pub(crate) struct Revocation {
    pub(crate) account: Arc<str>,
    pub(crate) entry: Entry,
    /// The ID of the request and the number of revoked sessions if it was acknowledged.
    pub(crate) acknowledged: Option<(String, u64)>,
}

/// The load of one round.
#[derive(Debug)]
pub(crate) struct Load {
    service: Service,
    key: String,
    accounts: Vec<Arc<str>>,
    /// The sessions that clients use.
    shared: Mutex<Vec<Shared>>,
    /// Every session with a request in this round, by ID.
    pub(crate) touched: Mutex<HashMap<String, Shared>>,
    pub(crate) revocations: Mutex<Vec<Revocation>>,
    stopped: AtomicBool,
    numbers: Arc<AtomicU32>,
}

/// What a client does next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Create,
    Authenticate,
    Interact,
    Complete,
    Revoke,
    RevokeAccount,
    FetchByKey,
    FetchByToken,
    List,
}

/// How often each of them is done, relative to the others.
const STEPS: [(u64, Step); 9] = [
    (14, Step::Create),
    (18, Step::Authenticate),
    (14, Step::Interact),
    (5, Step::Complete),
    (5, Step::Revoke),
    (2, Step::RevokeAccount),
    (16, Step::FetchByKey),
    (20, Step::FetchByToken),
    (3, Step::List),
];

impl Load {
    /// The load of a round on a server, which also uses these sessions of former rounds. `numbers` makes numbers that are
    /// unique in the run.
    pub(crate) fn new(service: Service, key: &str, former: Vec<Shared>, numbers: &Arc<AtomicU32>) -> Self {
        let account = |_| numbered(seed::ACCOUNT_ID, numbers.fetch_add(1, Ordering::Relaxed) as usize).into();
        Self {
            service,
            key: key.to_owned(),
            accounts: (0..ACCOUNTS).map(account).collect(),
            shared: Mutex::new(former),
            touched: Mutex::default(),
            revocations: Mutex::default(),
            stopped: AtomicBool::new(false),
            numbers: Arc::clone(numbers),
        }
    }

    /// Makes every client stop after its next response.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether it is stopped.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    fn number(&self) -> TokenNumber {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Sends requests, one after another, until the load is stopped.
    pub(crate) async fn client(&self, mut random: Random) {
        while !self.is_stopped() {
            let shared = random.choose(&lock(&self.shared)).cloned();
            match (random.weighted(&STEPS), shared) {
                (Step::Create, _) | (_, None) => self.create(&mut random).await,
                (Step::RevokeAccount, _) => self.revoke_account(&mut random).await,
                (Step::List, _) => self.list(&mut random).await,
                (step, Some(shared)) => self.use_session(&shared, step, &mut random).await,
            }
        }
    }

    /// Creates a session and shares it with the other clients.
    pub(crate) async fn create(&self, random: &mut Random) {
        let account = random.choose(&self.accounts).cloned();
        let number = self.number();
        let interaction = random.percent(30).then(|| format!("interaction {number}").into());
        let with_account = account.clone().filter(|_| random.percent(40));
        let created_new = with_account.is_none() && interaction.is_none();
        let action = Action::Create { account: with_account, interaction, token: number };
        let done = self.service.act("", Caller::Key, action, &self.key).await;
        // A creation without a response has no ID to look for.
        let Some((id, token)) = done.issued() else { return };
        let mut record = Record {
            id: id.clone(),
            initial: State::default(),
            entries: Vec::new(),
            tokens: vec![(number, token)],
            accounts: account.into_iter().collect(),
            changes: Vec::new(),
            created_new,
        };
        record.add(&done, Some("created"));
        let record = Arc::new(Mutex::new(record));
        lock(&self.touched).insert(id, Arc::clone(&record));
        let mut shared = lock(&self.shared);
        if shared.len() >= SHARED_MAX {
            let place = usize::try_from(random.below(SHARED_MAX as u64)).unwrap_or_default();
            shared.swap_remove(place);
        }
        shared.push(record);
    }

    async fn use_session(&self, shared: &Shared, step: Step, random: &mut Random) {
        let (id, (token_number, token), account) = {
            let mut record = lock(shared);
            lock(&self.touched).entry(record.id.clone()).or_insert_with(|| Arc::clone(shared));
            // Mostly the newest token, sometimes one that was replaced.
            let newest = record.tokens.last().cloned();
            let token = if random.percent(80) { newest } else { random.choose(&record.tokens).cloned() };
            let (Some(token), Some(home)) = (token, record.accounts.first().cloned()) else { return };
            // Sometimes another account, which is refused if it has one.
            let other = random.choose(&self.accounts).filter(|_| random.percent(5)).cloned();
            let account = other.unwrap_or(home);
            if matches!(step, Step::Authenticate) && !record.accounts.contains(&account) {
                record.accounts.push(account.clone());
            }
            (record.id.clone(), token, account)
        };
        let number = self.number();
        let own = Caller::Own(token_number);
        let either = if random.percent(50) { Caller::Key } else { own.clone() };
        let (caller, action, event) = match step {
            Step::Authenticate => {
                (Caller::Key, Action::Authenticate { account, token: number }, Some("authenticated"))
            }
            Step::Interact => {
                let user_agent = format!("interaction {number}").into();
                (Caller::Key, Action::Interact { user_agent }, Some("seen"))
            }
            Step::Complete => (either, Action::Complete, Some("completed")),
            Step::Revoke => (either, Action::Revoke, Some("revoked")),
            Step::FetchByToken if random.percent(50) => (own, Action::Whoami, None),
            Step::FetchByToken => (own, Action::Fetch, None),
            _ => (Caller::Key, Action::Fetch, None),
        };
        let credential = if caller == Caller::Key { &self.key } else { &token };
        let done = self.service.act(&id, caller, action, credential).await;
        let mut record = lock(shared);
        record.add(&done, event);
        record.tokens.extend(done.issued().map(|(_, token)| (number, token)));
    }

    async fn revoke_account(&self, random: &mut Random) {
        let Some(account) = random.choose(&self.accounts).cloned() else { return };
        let action = Action::RevokeAccount { account: account.clone(), except: None };
        let Done { entry, response } = self.service.act("", Caller::Key, action, &self.key).await;
        let Some(entry) = entry else { return };
        let acknowledged = response.filter(|_| entry.seen != Seen::Open);
        let acknowledged =
            acknowledged.and_then(|response| Some((response.request_id, response.body["revoked"].as_u64()?)));
        lock(&self.revocations).push(Revocation { account, entry, acknowledged });
    }

    /// Lists the sessions of an account, and records for some sessions whether they are in the list.
    async fn list(&self, random: &mut Random) {
        let Some(account) = random.choose(&self.accounts).cloned() else { return };
        let known: Vec<Shared> = lock(&self.shared).iter().take(LISTED_MAX).cloned().collect();
        let action = Action::List { account: account.clone() };
        let Done { entry, response } = self.service.act("", Caller::Key, action, &self.key).await;
        let (Some(entry), Some(response)) = (entry, response) else { return };
        // What is not on the first page may be on the next one.
        if entry.seen == Seen::Open || !response.body["next_page"].is_null() {
            return;
        }
        let items = response.body["items"].as_array().map_or(&[][..], Vec::as_slice);
        let page: HashMap<&str, &serde_json::Value> =
            items.iter().filter_map(|item| Some((item["summary"]["id"].as_str()?, item))).collect();
        for shared in known {
            let mut record = lock(&shared);
            let listed = page.get(record.id.as_str()).and_then(|item| View::parse(item));
            lock(&self.touched).entry(record.id.clone()).or_insert_with(|| Arc::clone(&shared));
            record.entries.push(Entry { seen: Seen::Listed(listed), ..entry.clone() });
        }
    }
}
