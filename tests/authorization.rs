//! Authorization: every operation by every kind of caller.

use reqwest::Method;
use serde_json::{Value, json};
use session_test_support::{Contract, Response, Sessiond, seed};

const OTHER_POOL: &str = "013xrzp12g3nqk8ng09nmc8kwqzfaf00";
const OTHER_DOMAIN: &str = "013xrzp12g3nqk8n32sd3jyxq5a8yw00";
const OTHER_DOMAINS_POOL: &str = "013xrzp12g3nqk8ng09nmc8kwqzfaf11";
const OTHER_ACCOUNT: &str = "013xrzp12g3nqk8n6cyr5x0k8yb10h00";
const MISSING: &str = "013xrzp12g3nqk8nkv4y96wrbzje9d00";
const SCOPES: [&str; 5] =
    ["session:read", "session:create", "session:authenticate", "session:update", "session:revoke"];

/// Every kind of caller, in the order of the table's columns.
const CALLERS: [&str; 20] = [
    "no token",
    "bad token",
    "own token, new",
    "own token, unauthenticated",
    "own token, authenticated",
    "own token, complete",
    "own token, revoked",
    "same account",
    "other account",
    "same account in another pool",
    "same account in another domain",
    "a session that is not authenticated",
    "key with session:read",
    "key with session:create",
    "key with session:authenticate",
    "key with session:update",
    "key with session:revoke",
    "key of another pool",
    "key of another domain",
    "revoked key",
];

/// The response to each of them: `ok`, or the code: `n` is `not_authenticated`, `b` is `bad_authtoken`, `p` is
/// `not_permitted`, `f` is `not_found`.
const TABLE: [(&str, &str); 9] = [
    // own: nothing bad, new, unauthenticated, authenticated, complete, revoked; others; keys
    ("fetch_session", "n b ok ok ok b b ok f ok f n ok f f f f f f b"),
    ("fetch_own_session", "n b ok ok ok b b ok ok ok ok ok p p p p p p p b"),
    ("list_sessions", "n b n n ok b b ok ok ok ok n ok p p p p ok ok b"),
    ("create_session", "n b p p p b b p p p p p p ok p p p ok ok b"),
    ("authenticate_session", "n b p p p b b p f p f n p f ok f f f f b"),
    ("record_interaction", "n b p p p b b p f p f n p f f ok f f f b"),
    ("complete_session", "n b ok ok ok b b p f p f n p f f ok f f f b"),
    ("revoke_session", "n b ok ok ok b b ok f ok f n p f f f ok f f b"),
    ("revoke_sessions", "n b n n ok b b ok p ok ok n p p p p ok ok ok b"),
];

struct World {
    server: Sessiond,
    /// Keys with every scope, of the seed's pool, another pool and another domain's pool.
    all: [String; 3],
    scoped: [String; 5],
    revoked: String,
}

fn id_of(session: &Value) -> String {
    session["summary"]["id"].as_str().unwrap().to_owned()
}

impl World {
    async fn new() -> Self {
        let server = Sessiond::start().await;
        let key = |domain: &str, pool: &str, scopes: &[&str]| {
            server.key_with(&["--domain", domain, "--pool", pool], scopes)["key"].as_str().unwrap().to_owned()
        };
        let all = [
            key(seed::DOMAIN_ID, seed::POOL_ID, &SCOPES),
            key(seed::DOMAIN_ID, OTHER_POOL, &SCOPES),
            key(OTHER_DOMAIN, OTHER_DOMAINS_POOL, &SCOPES),
        ];
        let scoped = SCOPES.map(|scope| key(seed::DOMAIN_ID, seed::POOL_ID, &[scope]));
        let made = server.key_with(&["--domain", seed::DOMAIN_ID, "--pool", seed::POOL_ID], &SCOPES);
        assert_eq!(server.command(&["key", "revoke", made["id"].as_str().unwrap()]).run().code, 0);
        let revoked = made["key"].as_str().unwrap().to_owned();
        Self { server, all, scoped, revoked }
    }

    /// A session in this state: its ID and token.
    async fn session(&self, key: &str, status: &str, account_id: &str) -> (String, String) {
        let mut body = json!({ "session_type": "browser" });
        match status {
            "new" => {}
            "unauthenticated" => body["interaction"] = json!({}),
            _ => {
                body["account_id"] = json!(account_id);
                body["authenticated_identity_id"] = json!(seed::IDENTITY_ID);
            }
        }
        let (session, token) = self.server.create(key, body).await;
        let id = id_of(&session);
        if let Some(operation) = [("complete", "complete_session"), ("revoked", "revoke_session")]
            .iter()
            .find(|end| end.0 == status)
        {
            assert_eq!(self.server.call(operation.1, &id, Some(key)).await.status, 200);
        }
        (id, token)
    }

    /// The token of this kind of caller, and the session of its request: an authenticated one, or its own.
    async fn caller(&self, kind: &str) -> (Option<String>, String) {
        let [key, other_pool, other_domain] = &self.all;
        if let Some(status) = kind.strip_prefix("own token, ") {
            let (id, token) = self.session(key, status, seed::ACCOUNT_ID).await;
            return (Some(token), id);
        }
        let (id, token) = self.session(key, "authenticated", seed::ACCOUNT_ID).await;
        let of = async |key: &str, status: &str, account: &str| self.session(key, status, account).await.1;
        let token = match kind {
            "no token" => return (None, id),
            "bad token" => token[..60].to_owned(),
            "same account" => of(key, "authenticated", seed::ACCOUNT_ID).await,
            "other account" => of(key, "authenticated", OTHER_ACCOUNT).await,
            "same account in another pool" => of(other_pool, "authenticated", seed::ACCOUNT_ID).await,
            "same account in another domain" => of(other_domain, "authenticated", seed::ACCOUNT_ID).await,
            "a session that is not authenticated" => of(key, "unauthenticated", seed::ACCOUNT_ID).await,
            "key of another pool" => other_pool.clone(),
            "key of another domain" => other_domain.clone(),
            "revoked key" => self.revoked.clone(),
            other => {
                let scope = other.strip_prefix("key with ").unwrap();
                self.scoped[SCOPES.iter().position(|known| *known == scope).unwrap()].clone()
            }
        };
        (Some(token), id)
    }
}

fn outcome_of(answer: &Response) -> &str {
    match answer.outcome() {
        (200 | 201, _) => "ok",
        (401, "not_authenticated") => "n",
        (401, "bad_authtoken") => "b",
        (403, "not_permitted") => "p",
        (404, "not_found") => "f",
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_operation_responds_to_every_kind_of_caller_as_the_table_says() {
    let world = World::new().await;
    for operation in Contract::load().operations().iter().map(|operation| &operation.id) {
        let row = TABLE.iter().find(|(name, _)| *name == operation);
        let (_, row) = row.unwrap_or_else(|| panic!("{operation} has no row in the table"));
        let row: Vec<_> = row.split(' ').collect();
        assert_eq!(row.len(), CALLERS.len(), "{operation}");
        for (kind, expected) in CALLERS.iter().zip(row) {
            let (token, id) = world.caller(kind).await;
            let answer = world.server.call(operation, &id, token.as_deref()).await;
            assert_eq!(outcome_of(&answer), expected, "{operation} by {kind}: {:?}", answer.body);
        }
    }
}

#[test]
fn the_contract_lists_the_credentials_that_the_table_accepts() {
    let contract = Contract::load();
    for operation in contract.operations() {
        let id = &operation.id;
        let row = TABLE.iter().find(|(name, _)| name == id).unwrap().1;
        let accepts = |caller: &str| {
            CALLERS
                .iter()
                .zip(row.split(' '))
                .any(|(kind, outcome)| outcome == "ok" && kind.starts_with(caller))
        };
        let expected =
            [("api_key", accepts("key")), ("session_token", accepts("own token") || accepts("same account"))];
        for (scheme, expected) in expected {
            assert_eq!(operation.accepts(scheme), expected, "{id}: {scheme}");
        }
        let required = contract.text(&format!("{}/x-required-scope", operation.pointer));
        assert!(
            required.is_empty() || SCOPES.contains(&required),
            "{id}: no caller has the scope {required}"
        );
        for scope in SCOPES {
            assert_eq!(accepts(&format!("key with {scope}")), scope == required, "{id}: {scope}");
        }
    }
}

/// Scopes of a key, and whether it may create a session without and with an account.
type Creator<'a> = (&'a [&'a str], bool, bool);

#[tokio::test]
async fn a_creation_with_an_account_needs_the_scope_to_authenticate_as_well() {
    let server = Sessiond::start().await;
    let table: [Creator<'_>; 4] = [
        (&["session:create"], true, false),
        (&["session:create", "session:read", "session:update", "session:revoke"], true, false),
        (&["session:authenticate"], false, false),
        (&["session:create", "session:authenticate"], true, true),
    ];
    for (scopes, without, with) in table {
        let key = server.key(scopes);
        for (body, allowed) in [
            (json!({ "session_type": "browser" }), without),
            (
                json!({ "session_type": "browser", "account_id": seed::ACCOUNT_ID,
                        "authenticated_identity_id": seed::IDENTITY_ID }),
                with,
            ),
        ] {
            let answer =
                server.request(Method::POST, "/api/v1/session", Some(&key), Some(body.clone())).await;
            let expected = if allowed { (201, "") } else { (403, "not_permitted") };
            assert_eq!(answer.outcome(), expected, "{scopes:?}: {body}");
            let lacked =
                if scopes.contains(&"session:create") { "session:authenticate" } else { "session:create" };
            assert!(allowed || answer.message().contains(lacked), "{}", answer.message());
        }
    }
}

#[tokio::test]
async fn a_caller_that_may_not_read_a_session_cannot_distinguish_it_from_a_missing_one() {
    let world = World::new().await;
    let without = |answer: &Response| {
        let mut headers = answer.headers.clone();
        headers.remove("x-request-id");
        headers.remove("date");
        (answer.status, answer.body.to_string(), headers)
    };
    let mut compared = 0;
    let contract = Contract::load();
    for kind in CALLERS {
        for operation in contract.operations().iter().filter(|operation| operation.path_parameter().is_some())
        {
            let operation = &operation.id;
            let (token, id) = world.caller(kind).await;
            let may_read = world.server.fetch(&id, token.as_deref().unwrap_or("x")).await.status == 200;
            if may_read {
                continue;
            }
            let existing = world.server.call(operation, &id, token.as_deref()).await;
            let missing = world.server.call(operation, MISSING, token.as_deref()).await;
            // A key with an action's scope may act on sessions that it may not read.
            if existing.status == 200 {
                continue;
            }
            assert_eq!(without(&existing), without(&missing), "{operation} by {kind}");
            compared += 1;
        }
    }
    assert!(compared > 50, "{compared} answers were compared");
}

#[tokio::test]
async fn actions_revoke_is_true_exactly_when_the_revoke_that_follows_is_accepted() {
    let world = World::new().await;
    let [key, other_pool, _] = &world.all;
    let mut outcomes = [0, 0];
    for status in ["new", "unauthenticated", "authenticated", "complete", "revoked"] {
        for kind in ["own", "same account", "same account elsewhere", "reader", "reader and revoker"] {
            let (id, own) = world.session(key, status, seed::ACCOUNT_ID).await;
            let token = match kind {
                "own" => own,
                "same account" => world.session(key, "authenticated", seed::ACCOUNT_ID).await.1,
                "same account elsewhere" => {
                    world.session(other_pool, "authenticated", seed::ACCOUNT_ID).await.1
                }
                "reader" => world.scoped[0].clone(),
                _ => key.clone(),
            };
            let fetched = world.server.fetch(&id, &token).await;
            if fetched.status != 200 {
                continue;
            }
            let promised = fetched.body["actions"]["revoke"].as_bool().unwrap();
            let revoked = world.server.call("revoke_session", &id, Some(&token)).await;
            assert_eq!(promised, revoked.status == 200, "{kind}, {status}: {:?}", revoked.body);
            outcomes[usize::from(promised)] += 1;
        }
    }
    assert!(outcomes.iter().all(|count| *count >= 6), "{outcomes:?}");
}
