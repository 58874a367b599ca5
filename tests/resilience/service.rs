//! Requests to a server, each with the times at which it was sent and answered.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use session_test_support::seed;

use crate::history::Entry;
use crate::model::{Action, Caller, Seen, View};

/// How long to wait for a response: longer than the server waits for its store.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The pause after a request that could not be sent, as a load balancer makes it.
const REFUSED_PAUSE: Duration = Duration::from_millis(20);

/// The pause after a response of 503: half of what its `Retry-After` asks for. Without it, a store that fails at once would
/// get thousands of requests of unknown outcome, and no order of those can be found.
const UNAVAILABLE_PAUSE: Duration = Duration::from_millis(500);

/// Nanoseconds since the first call.
pub(crate) fn now_ns() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// What was counted of all requests.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Requests with a response.
    pub(crate) responses: AtomicU64,
    /// Changes with a success.
    pub(crate) acknowledged: AtomicU64,
    /// Responses of 503.
    pub(crate) unavailable: AtomicU64,
    /// Changes that were sent and of which it is not known whether they were made.
    pub(crate) unknown: AtomicU64,
    /// Responses of 429.
    pub(crate) limited: AtomicU64,
    /// Each response of 500 and others that no server should send: what was requested and returned.
    server_errors: Mutex<Vec<String>>,
}

impl Counts {
    fn add(&self, reads: bool, method: &Method, path: &str, response: Option<&Response>) {
        let one = |counter: &AtomicU64| {
            counter.fetch_add(1, Ordering::Relaxed);
        };
        if !reads && response.is_none_or(|response| response.status == 503 && !response.is_without_change()) {
            one(&self.unknown);
        }
        let Some(response) = response else { return };
        one(&self.responses);
        match response.status {
            200..300 if !reads => one(&self.acknowledged),
            429 => one(&self.limited),
            503 => one(&self.unavailable),
            500..600 => {
                let text = format!("{} to {method} {path}, request {}", response.status, response.request_id);
                self.server_errors.lock().unwrap_or_else(PoisonError::into_inner).push(text);
            }
            _ => {}
        }
    }

    /// Takes the responses of 500 so far.
    pub(crate) fn take_server_errors(&self) -> Vec<String> {
        std::mem::take(&mut self.server_errors.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (responses, acknowledged) = (count(&self.responses), count(&self.acknowledged));
        let (unknown, unavailable) = (count(&self.unknown), count(&self.unavailable));
        write!(
            f,
            "{responses} requests, {acknowledged} acknowledged changes, {unknown} unknown, {unavailable} answers of 503"
        )
    }
}

/// A response.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// The ID of the request in the log and in events.
    pub(crate) request_id: String,
    pub(crate) body: Value,
}

impl Response {
    /// Whether it is a 503 that says that nothing was changed.
    fn is_without_change(&self) -> bool {
        let message = self.body["message"].as_str().unwrap_or_default();
        self.status == 503 && message.contains("nothing was changed")
    }

    /// The status and the code of an error.
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

/// A request with its times.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) invoked: u64,
    pub(crate) responded: u64,
    /// `None` if there was no response.
    pub(crate) response: Option<Response>,
    /// Whether the server may have received it.
    pub(crate) sent: bool,
}

/// The addresses of the servers of one store. Requests go to them by turns.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    all: Mutex<Vec<SocketAddr>>,
    next: AtomicUsize,
}

impl Addresses {
    /// Sets the address of the server of this number, which is at most the number of servers so far.
    pub(crate) fn set(&self, number: usize, address: SocketAddr) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(number) {
            Some(old) => *old = address,
            None => all.push(address),
        }
    }

    /// The address of the server of this number.
    pub(crate) fn get(&self, number: usize) -> Option<SocketAddr> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).get(number).copied()
    }

    fn next(&self) -> SocketAddr {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % all.len().max(1);
        all.get(turn).copied().unwrap_or_else(|| ([127, 0, 0, 1], 0).into())
    }
}

/// One or more servers of a store, for any number of clients.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    addresses: Arc<Addresses>,
    client: reqwest::Client,
    counts: Arc<Counts>,
}

impl Service {
    /// The server at this address.
    pub(crate) fn new(address: SocketAddr, counts: &Arc<Counts>) -> reqwest::Result<Self> {
        let addresses = Arc::<Addresses>::default();
        addresses.set(0, address);
        Self::of_nodes(&addresses, counts)
    }

    /// The servers at these addresses, which may change.
    pub(crate) fn of_nodes(addresses: &Arc<Addresses>, counts: &Arc<Counts>) -> reqwest::Result<Self> {
        let client = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
        Ok(Self { addresses: Arc::clone(addresses), client, counts: Arc::clone(counts) })
    }

    /// Sends a request.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> Exchange {
        let mut request =
            self.client.request(method.clone(), format!("http://{}{path}", self.addresses.next()));
        request = request.bearer_auth(token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let invoked = now_ns();
        let mut sent = true;
        let response = async {
            let received = request.send().await.inspect_err(|error| sent = !error.is_connect()).ok()?;
            let status = received.status().as_u16();
            // From the proxy with a fault: the server behind it was killed.
            if status == 502 {
                return None;
            }
            let request_id = received.headers().get("x-request-id").and_then(|id| id.to_str().ok());
            let request_id = request_id.unwrap_or_default().to_owned();
            let text = received.bytes().await.ok()?;
            Some(Response { status, request_id, body: serde_json::from_slice(&text).unwrap_or_default() })
        }
        .await;
        let responded = now_ns();
        if sent {
            self.counts.add(method == Method::GET, &method, path, response.as_ref());
        } else {
            tokio::time::sleep(REFUSED_PAUSE).await;
        }
        if response.as_ref().is_some_and(|response| response.status == 503) {
            tokio::time::sleep(UNAVAILABLE_PAUSE).await;
        }
        Exchange { invoked, responded, response, sent }
    }

    /// Sends the request of an action about the session with this ID, and returns it with what the model predicts of its
    /// response.
    pub(crate) async fn act(&self, id: &str, caller: Caller, action: Action, token: &str) -> Done {
        let session = format!("/api/v1/session/{id}");
        let (method, path, body) = match &action {
            Action::Create { account, interaction, .. } => (
                Method::POST,
                "/api/v1/session".to_owned(),
                Some(creation(account.as_deref(), interaction.as_deref())),
            ),
            Action::Authenticate { account, .. } => {
                let body =
                    json!({ "account_id": &**account, "authenticated_identity_id": seed::IDENTITY_ID });
                (Method::POST, format!("{session}/authenticate"), Some(body))
            }
            Action::Interact { user_agent } => {
                (Method::POST, format!("{session}/interaction"), Some(json!({ "user_agent": &**user_agent })))
            }
            Action::Complete => (Method::POST, format!("{session}/complete"), None),
            Action::Revoke => (Method::POST, format!("{session}/revoke"), None),
            Action::RevokeAccount { account, except } => {
                let mut body = json!({ "account_id": &**account });
                if let Some(except) = except {
                    body["except_session_id"] = json!(&**except);
                }
                (Method::POST, "/api/v1/revocation".to_owned(), Some(body))
            }
            Action::List { account } => {
                (Method::GET, format!("/api/v1/session?limit=1000&account_id={account}"), None)
            }
            Action::Whoami => (Method::GET, "/api/v1/whoami".to_owned(), None),
            Action::Fetch | Action::Crash => (Method::GET, session, None),
        };
        let Exchange { invoked, responded, response, sent } = self.send(method, &path, token, body).await;
        let seen = match &response {
            Some(response) => seen(&action, id, response),
            // A change that was not sent is not made.
            None => (sent || action.reads()).then_some(Seen::Open),
        };
        let responded = if seen == Some(Seen::Open) { u64::MAX } else { responded };
        let entry = seen.map(|seen| Entry { caller, action, seen, invoked, responded });
        Done { entry, response }
    }
}

/// The body that creates a session with this account and an interaction of this user agent.
fn creation(account: Option<&str>, interaction: Option<&str>) -> Value {
    let mut body = json!({ "session_type": "browser" });
    if let Some(account) = account {
        body["account_id"] = json!(account);
        body["authenticated_identity_id"] = json!(seed::IDENTITY_ID);
    }
    if let Some(user_agent) = interaction {
        body["interaction"] = json!({ "user_agent": user_agent });
    }
    body
}

/// A request that has been sent.
#[derive(Debug)]
pub(crate) struct Done {
    /// For the history; `None` if it was refused without regard to the session's state.
    pub(crate) entry: Option<Entry>,
    pub(crate) response: Option<Response>,
}

impl Done {
    /// The ID and token of the session that was created, or the new token of one that was authenticated.
    pub(crate) fn issued(&self) -> Option<(String, String)> {
        let body = &self.response.as_ref().filter(|response| matches!(response.status, 200 | 201))?.body;
        Some((body["session"]["summary"]["id"].as_str()?.to_owned(), body["authtoken"].as_str()?.to_owned()))
    }
}

/// The part of a response that the model predicts; `None` if it does not depend on the session's state.
fn seen(action: &Action, id: &str, response: &Response) -> Option<Seen> {
    match response.status {
        429 => return None,
        // What it says is checked: the model does not make the change.
        503 if response.is_without_change() => return None,
        500.. => return Some(Seen::Open),
        400.. => return Some(Seen::refused(response.code())),
        _ => {}
    }
    // What is no session and no page is not explained by any state.
    let or_unreadable = |view: Option<View>| view.map_or_else(|| Seen::refused("unreadable"), Seen::Session);
    Some(match action {
        Action::Create { .. } | Action::Authenticate { .. } => {
            or_unreadable(View::parse(&response.body["session"]))
        }
        // With an exception, the account has no third session.
        Action::RevokeAccount { except: Some(_), .. } => match response.body["revoked"].as_u64() {
            Some(revoked @ 0..=1) => Seen::Revoked(Some(revoked == 1)),
            _ => Seen::refused("unreadable"),
        },
        Action::RevokeAccount { .. } => Seen::Revoked(None),
        Action::List { .. } => Seen::Listed(listed(id, &response.body)),
        _ => or_unreadable(View::parse(&response.body)),
    })
}

/// The session with this ID in a page.
pub(crate) fn listed(id: &str, page: &Value) -> Option<View> {
    let items = page["items"].as_array()?;
    View::parse(items.iter().find(|item| item["summary"]["id"] == id)?)
}
