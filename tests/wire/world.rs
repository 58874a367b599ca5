//! The prepared store: API keys, sessions in each state, and the operations that the program has.

use std::cell::Cell;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};
use session_test_support::launcher::{key_create, store_url};
use session_test_support::requests::Subject;
use session_test_support::tokens::{numbered, text_at};
use session_test_support::{Operation, seed};

use crate::report::Failed;
use crate::server::Program;
use crate::suite::{Request, Response, Suite};

/// The domain of the sessions that requests name. Lists, creations and revocations use another one, so that neither
/// affects the other.
const SPARE_DOMAIN: &str = "013xrzp12g3nqk8n32sd3jyxq5a8yw11";
const SPARE_POOL: &str = "013xrzp12g3nqk8ng09nmc8kwqzfaf11";
const OTHER_DOMAIN: &str = "013xrzp12g3nqk8n32sd3jyxq5a8yw22";
const OTHER_POOL: &str = "013xrzp12g3nqk8ng09nmc8kwqzfaf22";

/// An ID that no object has.
pub(crate) const MISSING: &str = "013xrzp12g3nqk8nkv4y96wrbzje9d00";

/// The scopes of API keys.
pub(crate) const SCOPES: [&str; 5] =
    ["session:read", "session:create", "session:authenticate", "session:update", "session:revoke"];

/// The number of sessions in each state: a request that changes a session needs one of its own.
const SESSIONS: [(&str, usize); 4] =
    [("unauthenticated", 1_600), ("authenticated", 600), ("complete", 100), ("revoked", 100)];

/// The session that a request names or whose token it has.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Its ID.
    pub(crate) id: String,
    /// Its account, or the account to authenticate it with.
    pub(crate) account: String,
    /// Its token; empty if it is not known.
    pub(crate) token: String,
}

impl Target {
    /// The objects that a request about it names.
    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject { session_id: &self.id, account_id: &self.account }
    }
}

/// The callers and sessions of the prepared store.
#[derive(Clone, Debug)]
pub(crate) struct World {
    /// A key for the sessions that requests name, with every scope.
    pub(crate) key: String,
    /// A key for the domain in which sessions are listed, created and revoked, bound to no pool.
    pub(crate) free_key: String,
    /// The same, bound to a pool.
    pub(crate) bound_key: String,
    /// A key with one scope alone, in the order of [`SCOPES`].
    pub(crate) scoped: Vec<String>,
    /// A key with every scope but one, in the order of [`SCOPES`].
    pub(crate) without: Vec<String>,
    /// Keys of another domain, and of another pool of the same, with every scope.
    pub(crate) other_keys: [String; 2],
    /// A key that was revoked.
    pub(crate) revoked_key: String,
    /// A key of another store.
    pub(crate) unknown_key: String,
    /// The IDs of sessions that together have every property and every listed value.
    pub(crate) gallery: Vec<String>,
    /// The IDs of the operations that the program has.
    pub(crate) known: Vec<String>,
    used: [Cell<usize>; SESSIONS.len()],
    accounts: Cell<usize>,
}

fn imported_id(state: usize, number: usize) -> String {
    numbered(seed::SESSION_ID, state * 10_000 + number)
}

fn imported_account(number: usize) -> String {
    numbered(seed::ACCOUNT_ID, 100_000 + number)
}

fn imported() -> (String, Vec<String>) {
    let session = |id: &str, status: &str| {
        json!({
            "domain_id": SPARE_DOMAIN, "id": id, "pool_id": SPARE_POOL, "session_type": "browser", "status": status,
            "type": "session",
        })
    };
    let mut lines = Vec::new();
    let mut add = |session: &Value| lines.push(session.to_string());
    for (state, (status, count)) in SESSIONS.into_iter().enumerate() {
        for number in 0..count {
            let mut session = session(&imported_id(state, number), status);
            if status != "unauthenticated" {
                session["account_id"] = json!(imported_account(number));
                session["authenticated_identity_id"] = json!(seed::IDENTITY_ID);
            }
            add(&session);
        }
    }
    let mut gallery = Vec::new();
    for (number, status) in
        ["new", "unauthenticated", "authenticated", "complete", "revoked"].into_iter().enumerate()
    {
        let id = imported_id(9, number);
        let mut session = session(&id, status);
        let address = if number % 2 == 0 { seed::REMOTE_IP } else { "2001:db8::1" };
        let seen = json!({ "at": 1_234_567_890.123, "remote_ip": address, "user_agent": seed::USER_AGENT });
        (session["first_seen"], session["last_seen"]) = (seen.clone(), seen);
        session["session_type"] = json!(if number % 2 == 0 { "browser" } else { "api" });
        session["title"] = json!("Chrome 91 on macOS");
        session["device_id"] = json!(seed::DEVICE_ID);
        session["account_id"] = json!(seed::ACCOUNT_ID);
        session["authenticated_identity_id"] = json!(seed::IDENTITY_ID);
        add(&session);
        gallery.push(id);
    }
    (lines.join("\n"), gallery)
}

impl World {
    /// Prepares the store in a folder.
    pub(crate) fn prepare(program: &Program, folder: &Path, elsewhere: &Path) -> Result<Self, Failed> {
        let program = program.launcher();
        let run_on = |folder: &Path, arguments: &[&str]| {
            program.command(arguments).env("SESSIOND_STORE", &store_url(folder))
        };
        let make = |folder: &Path, domain: &str, pool: Option<&str>, scopes: &[&str]| {
            let mut flags = vec!["--domain", domain];
            flags.extend(pool.iter().flat_map(|pool| ["--pool", pool]));
            run_on(folder, &key_create(&flags, scopes)).created_key()
        };
        let key = make(folder, SPARE_DOMAIN, None, &SCOPES)?.1;
        let free_key = make(folder, seed::DOMAIN_ID, None, &SCOPES)?.1;
        let bound_key = make(folder, seed::DOMAIN_ID, Some(seed::POOL_ID), &SCOPES)?.1;
        let (mut scoped, mut without) = (Vec::new(), Vec::new());
        for scope in SCOPES {
            scoped.push(make(folder, SPARE_DOMAIN, Some(SPARE_POOL), &[scope])?.1);
            let others = SCOPES.into_iter().filter(|other| *other != scope).collect::<Vec<_>>();
            without.push(make(folder, SPARE_DOMAIN, Some(SPARE_POOL), &others)?.1);
        }
        let other_keys = [
            make(folder, OTHER_DOMAIN, None, &SCOPES)?.1,
            make(folder, SPARE_DOMAIN, Some(OTHER_POOL), &SCOPES)?.1,
        ];
        let (id, revoked_key) = make(folder, SPARE_DOMAIN, None, &SCOPES)?;
        run_on(folder, &["key", "revoke", &id]).output()?;
        let unknown_key = make(elsewhere, SPARE_DOMAIN, None, &SCOPES)?.1;
        let (lines, gallery) = imported();
        run_on(folder, &["import", "-"]).input(lines).output()?;
        let described = program.command(&["openapi"]).output()?;
        let described: Value = serde_json::from_str(&described).unwrap_or_default();
        let items =
            described["paths"].as_object().into_iter().flatten().filter_map(|(_, item)| item.as_object());
        let known = items.flatten().filter_map(|(_, operation)| text_at(operation, "/operationId")).collect();
        Ok(Self {
            key,
            free_key,
            bound_key,
            scoped,
            without,
            other_keys,
            revoked_key,
            unknown_key,
            gallery,
            known,
            used: Default::default(),
            accounts: Cell::new(0),
        })
    }

    /// Every API key of the store.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        let single = [&self.key, &self.free_key, &self.bound_key, &self.revoked_key];
        single
            .into_iter()
            .chain(&self.scoped)
            .chain(&self.without)
            .chain(&self.other_keys)
            .map(String::as_str)
    }

    /// A session in this state that no request has named.
    pub(crate) fn target(&self, status: &str) -> Target {
        let state = SESSIONS.iter().position(|(name, _)| *name == status).unwrap_or_default();
        let number = self.used[state].replace(self.used[state].get() + 1);
        let account = imported_account(number);
        Target { id: imported_id(state, number), account, token: String::new() }
    }

    /// Fails if there were fewer sessions than requests that needed one.
    pub(crate) fn suffice(&self) -> Result<(), Failed> {
        for (used, (status, count)) in self.used.iter().zip(SESSIONS) {
            if used.get() > count {
                return Err(Failed(format!(
                    "{} sessions were needed that are {status}; increase SESSIONS in tests/wire/world.rs",
                    used.get()
                )));
            }
        }
        Ok(())
    }

    /// Creates a session through the API, with an account of its own if it is to be authenticated. `None` if the server
    /// refuses, which is a finding.
    pub(crate) async fn session(
        &self,
        suite: &Suite,
        server: SocketAddr,
        authenticated: bool,
    ) -> Option<Target> {
        let account = authenticated.then(|| self.account());
        self.session_of(suite, server, account.as_deref()).await
    }

    /// An account without sessions.
    pub(crate) fn account(&self) -> String {
        numbered(seed::ACCOUNT_ID, 200_000 + self.accounts.replace(self.accounts.get() + 1))
    }

    /// Creates a session of this account, or of none.
    pub(crate) async fn session_of(
        &self,
        suite: &Suite,
        server: SocketAddr,
        account: Option<&str>,
    ) -> Option<Target> {
        let mut body = json!({ "session_type": "browser", "pool_id": SPARE_POOL });
        match account {
            Some(account) => {
                body["account_id"] = json!(account);
                body["authenticated_identity_id"] = json!(seed::IDENTITY_ID);
            }
            None => body["interaction"] = json!({ "user_agent": seed::USER_AGENT }),
        }
        let request = Request {
            method: "POST".to_owned(),
            path: "/api/v1/session".to_owned(),
            headers: vec![bearer(&self.key), json_type()],
            body: Some(body.to_string().into_bytes()),
            stalls: false,
            what: "a session to create".to_owned(),
        };
        let answer = suite.send(server, &request).await;
        let made = answer.filter(Response::is_success).and_then(|answer| {
            let id = text_at(&answer.body, "/session/summary/id")?;
            let token = text_at(&answer.body, "/authtoken")?;
            Some(Target { id, token, account: account.unwrap_or(seed::ACCOUNT_ID).to_owned() })
        });
        let pointer = suite.contract.operation("create_session");
        let pointer = pointer.map_or("/paths", |operation| operation.pointer.as_str());
        suite.check(made.is_some(), "session-not-created", pointer, || {
            "create_session: a session that openapi.json allows was not created with its ID and token"
                .to_owned()
        });
        made
    }

    /// The key with which a valid request of an operation succeeds.
    pub(crate) fn key_of(&self, operation: &Operation) -> &str {
        match operation.path_parameter() {
            Some(_) => &self.key,
            None => &self.bound_key,
        }
    }
}

/// A valid request of an operation with this token, about this session and account.
pub(crate) fn valid_request(suite: &Suite, operation: &Operation, token: &str, target: &Target) -> Request {
    let request = suite.contract.request(operation, target.subject());
    let mut headers = vec![bearer(token)];
    headers.extend(request.body.as_ref().map(|_| json_type()));
    Request {
        method: request.method,
        path: request.target,
        headers,
        body: request.body.map(|body| body.to_string().into_bytes()),
        stalls: false,
        what: "a valid request".to_owned(),
    }
}

/// The header that carries a token.
pub(crate) fn bearer(token: &str) -> (String, String) {
    ("authorization".to_owned(), format!("Bearer {token}"))
}

/// The header that declares a body as JSON.
pub(crate) fn json_type() -> (String, String) {
    ("content-type".to_owned(), "application/json".to_owned())
}
