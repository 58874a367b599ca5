//! Calls of each operation through the client's own types: some written by hand, as requests derived from the contract
//! could not show that the client sends more than the contract allows, and bodies that the contract's samples make. A
//! finding names each operation, parameter and property that no call sends.

use std::net::IpAddr;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use session_client::types::{
    AccountId, DeviceId, IdentityId, PoolId, Revocation, SessionAuthenticate, SessionCreate, SessionId,
    SessionInteraction, SessionStatus, SessionTitle, SessionType, UserAgent,
};
use session_client::{Client, builder};
use session_test_support::Contract;
use session_test_support::samples::samples;
use session_test_support::seed::{ACCOUNT_ID, DEVICE_ID, IDENTITY_ID, POOL_ID, SESSION_ID};

use crate::outcome::Outcome;

/// Characters that need escaping in JSON or URLs, and some beyond ASCII.
const TRICKY: &str = "\"\\/ é語🦀 %2F +&=#?";

/// A call of the client.
pub(crate) type Call = Box<dyn Fn(Client) -> BoxFuture<'static, Outcome> + Send + Sync>;

/// The calls of an operation: the smallest, the fullest, then one for each variation.
pub(crate) struct Exercise {
    pub(crate) operation_id: &'static str,
    pub(crate) calls: Vec<Call>,
}

/// Values that the client's types cannot send: format, keyword and reason. A position among alternatives would change
/// with their order.
pub(crate) const NEVER_SENT: [(&str, &str, &str); 1] =
    [("ipv6", "maxLength", "the client writes an IPv6 address as RFC 5952 does, in at most 39 characters")];

/// Every exercise.
pub(crate) fn exercises(contract: &Contract) -> Vec<Exercise> {
    vec![
        exercise(
            "fetch_own_session",
            vec![call(|client| async move { Outcome::of(client.fetch_own_session().send().await) })],
        ),
        exercise(
            "fetch_session",
            vec![call(|client| async move {
                Outcome::of(client.fetch_session().session_id(SESSION_ID).send().await)
            })],
        ),
        exercise(
            "complete_session",
            vec![call(|client| async move {
                Outcome::of(client.complete_session().session_id(SESSION_ID).send().await)
            })],
        ),
        exercise(
            "revoke_session",
            vec![call(|client| async move {
                Outcome::of(client.revoke_session().session_id(SESSION_ID).send().await)
            })],
        ),
        exercise("list_sessions", list_sessions()),
        exercise("create_session", create_session(contract)),
        exercise("authenticate_session", authenticate_session(contract)),
        exercise("record_interaction", record_interaction(contract)),
        exercise("revoke_sessions", revoke_sessions(contract)),
    ]
}

fn exercise(operation_id: &'static str, calls: Vec<Call>) -> Exercise {
    Exercise { operation_id, calls }
}

fn call<F, R>(run: F) -> Call
where
    F: Fn(Client) -> R + Send + Sync + 'static,
    R: Future<Output = Outcome> + Send + 'static,
{
    Box::new(move |client| run(client).boxed())
}

fn list_sessions() -> Vec<Call> {
    let mut calls = vec![
        list(|list| list),
        list(|list| {
            list.account_id(ACCOUNT_ID)
                .authenticated_identity_id(IDENTITY_ID)
                .device_id(DEVICE_ID)
                .pool_id(POOL_ID)
                .status(SessionStatus::New)
                .session_type(SessionType::Browser)
                .limit("100")
                .page_token("013xrzp")
        }),
        list(|list| list.limit("1").page_token("0")),
        list(|list| list.limit("1000").page_token("z".repeat(1024))),
    ];
    for status in [
        SessionStatus::New,
        SessionStatus::Unauthenticated,
        SessionStatus::Authenticated,
        SessionStatus::Complete,
        SessionStatus::Revoked,
    ] {
        calls.push(list(move |list| list.status(status)));
    }
    for session_type in [SessionType::Browser, SessionType::Api] {
        calls.push(list(move |list| list.session_type(session_type)));
    }
    calls
}

fn list<F>(set: F) -> Call
where
    F: for<'a> Fn(builder::ListSessions<'a>) -> builder::ListSessions<'a> + Send + Sync + Clone + 'static,
{
    call(move |client| {
        let set = set.clone();
        async move { Outcome::of(set(client.list_sessions()).send().await) }
    })
}

fn create_session(contract: &Contract) -> Vec<Call> {
    let smallest = SessionCreate::builder().session_type(SessionType::Api);
    let fullest = SessionCreate::builder()
        .account_id(ACCOUNT_ID.parse::<AccountId>().ok())
        .authenticated_identity_id(IDENTITY_ID.parse::<IdentityId>().ok())
        .device_id(DEVICE_ID.parse::<DeviceId>().ok())
        .interaction(interactions().into_iter().next())
        .pool_id(POOL_ID.parse::<PoolId>().ok())
        .session_type(SessionType::Browser)
        .title("Chrome 91 on macOS".parse::<SessionTitle>().ok());
    let mut bodies = vec![smallest.clone(), fullest.clone()];
    for session_type in [SessionType::Browser, SessionType::Api] {
        bodies.push(fullest.clone().session_type(session_type));
    }
    for interaction in interactions() {
        bodies.push(smallest.clone().interaction(interaction));
    }
    for text in ["x", &"é".repeat(200), TRICKY] {
        bodies.push(smallest.clone().title(text.parse::<SessionTitle>().ok()));
    }
    bodies.extend(sampled::<SessionCreate>(contract, "create_session").into_iter().map(Into::into));
    let calls = bodies.into_iter().map(|body| {
        call(move |client| {
            let body = body.clone();
            async move { Outcome::of(client.create_session().body(body).send().await) }
        })
    });
    let with_keys = idempotency_keys().map(|key| {
        let body = smallest.clone();
        call(move |client| {
            let (body, key) = (body.clone(), key.clone());
            async move { Outcome::of(client.create_session().idempotency_key(key).body(body).send().await) }
        })
    });
    calls.chain(with_keys).collect()
}

/// The shortest and the longest one, with the first and the last character. Without one of the caller's, the client sends one
/// of its own.
fn idempotency_keys() -> impl Iterator<Item = String> {
    ["!".to_owned(), "~".repeat(255)].into_iter()
}

fn authenticate_session(contract: &Contract) -> Vec<Call> {
    let smallest =
        SessionAuthenticate::builder().account_id(ACCOUNT_ID).authenticated_identity_id(IDENTITY_ID);
    let mut bodies = vec![smallest.clone()];
    bodies.extend(interactions().into_iter().map(|interaction| smallest.clone().interaction(interaction)));
    bodies
        .extend(sampled::<SessionAuthenticate>(contract, "authenticate_session").into_iter().map(Into::into));
    let calls = bodies.into_iter().map(|body| {
        call(move |client| {
            let body = body.clone();
            async move {
                Outcome::of(client.authenticate_session().session_id(SESSION_ID).body(body).send().await)
            }
        })
    });
    let with_keys = idempotency_keys().map(|key| {
        let body = smallest.clone();
        call(move |client| {
            let (body, key) = (body.clone(), key.clone());
            async move {
                let authenticate = client.authenticate_session().session_id(SESSION_ID);
                Outcome::of(authenticate.idempotency_key(key).body(body).send().await)
            }
        })
    });
    calls.chain(with_keys).collect()
}

fn record_interaction(contract: &Contract) -> Vec<Call> {
    let bodies = std::iter::once(SessionInteraction::default()).chain(interactions());
    let bodies = bodies.chain(sampled(contract, "record_interaction"));
    let calls =
        bodies.map(|body| {
            call(move |client| {
                let body = body.clone();
                async move {
                    Outcome::of(client.record_interaction().session_id(SESSION_ID).body(body).send().await)
                }
            })
        });
    calls.collect()
}

fn revoke_sessions(contract: &Contract) -> Vec<Call> {
    let account = ACCOUNT_ID.parse::<AccountId>().ok();
    let identity = IDENTITY_ID.parse::<IdentityId>().ok();
    let device = DEVICE_ID.parse::<DeviceId>().ok();
    let pool = POOL_ID.parse::<PoolId>().ok();
    let mut bodies = vec![
        Revocation::builder(),
        Revocation::builder()
            .account_id(account.clone())
            .authenticated_identity_id(identity.clone())
            .device_id(device.clone())
            .except_session_id(SESSION_ID.parse::<SessionId>().ok())
            .pool_id(pool.clone()),
        Revocation::builder().account_id(account),
        Revocation::builder().authenticated_identity_id(identity),
        Revocation::builder().device_id(device),
        Revocation::builder().pool_id(pool),
    ];
    bodies.extend(sampled::<Revocation>(contract, "revoke_sessions").into_iter().map(Into::into));
    let calls = bodies.into_iter().map(|body| {
        call(move |client| {
            let body = body.clone();
            async move { Outcome::of(client.revoke_sessions().body(body).send().await) }
        })
    });
    calls.collect()
}

/// The samples of the operation's request body that the client's type can represent. The type may refuse one, such as an
/// address that it writes in another form.
fn sampled<T: DeserializeOwned>(contract: &Contract, operation_id: &str) -> Vec<T> {
    let operation = contract.operations().iter().find(|operation| operation.id == operation_id);
    let Some(schema) = operation.and_then(|operation| operation.body.as_deref()) else { return Vec::new() };
    let all = samples(contract, schema).0.map(|samples| samples.all(schema)).unwrap_or_default();
    all.into_iter().filter_map(|sample| serde_json::from_value(sample.value).ok()).collect()
}

/// One with both, then each form of an address and each length of a user agent.
fn interactions() -> Vec<SessionInteraction> {
    let both = (Some("127.0.0.1"), Some("Mozilla/5.0"));
    let longest = "é".repeat(1024);
    let user_agents = ["x", &longest, TRICKY].map(|text| (None, Some(text)));
    let addresses = ["1.2.3.4", "255.255.255.255", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]
        .map(|text| (Some(text), None));
    let all = [both].into_iter().chain(user_agents).chain(addresses);
    // A value that the client's types refuse is not sent, which is a finding.
    all.map(|(remote_ip, user_agent)| SessionInteraction {
        remote_ip: remote_ip.and_then(|text| text.parse::<IpAddr>().ok()),
        user_agent: user_agent.and_then(|text| text.parse::<UserAgent>().ok()),
    })
    .collect()
}
