//! Rules that no schema expresses: properties that belong together or exclude each other, filters, and that a response
//! is about the session that the request names.

use std::net::SocketAddr;

use openapi_drift::push;
use serde_json::{Value, json};
use session_test_support::tokens::text_at;
use session_test_support::{Operation, seed};

use crate::suite::{Request, Suite};
use crate::values::summary_schema;
use crate::world::{SCOPES, Target, World, valid_request};

/// Bodies that break a rule although they are valid by their schema.
fn broken_bodies() -> [(&'static str, Value, &'static str); 5] {
    let (account, identity) = (seed::ACCOUNT_ID, seed::IDENTITY_ID);
    [
        (
            "create_session",
            json!({ "session_type": "browser", "account_id": account }),
            "an account without an identity",
        ),
        (
            "create_session",
            json!({ "session_type": "browser", "authenticated_identity_id": identity }),
            "an identity without an account",
        ),
        ("revoke_sessions", json!({}), "a revocation that names nothing"),
        (
            "revoke_sessions",
            json!({ "except_session_id": seed::SESSION_ID }),
            "a revocation that names an exception alone",
        ),
        (
            "revoke_sessions",
            json!({ "account_id": account, "device_id": seed::DEVICE_ID }),
            "a revocation that names two things",
        ),
    ]
}

/// Checks all rules.
pub(crate) async fn check(suite: &Suite, world: &World, server: SocketAddr) {
    let find = |id: &str| suite.contract.operation(id);
    let nobody = Target { id: String::new(), account: String::new(), token: String::new() };
    for (id, body, what) in broken_bodies() {
        let Some(operation) = find(id) else { continue };
        let mut request = valid_request(suite, operation, &world.bound_key, &nobody);
        request.body = Some(body.to_string().into_bytes());
        what.clone_into(&mut request.what);
        let place = operation
            .body
            .clone()
            .map_or(operation.pointer.clone(), |schema| suite.contract.resolve(&schema));
        suite.expect(server, operation, &request, &[400], "rule-broken", &place).await;
    }
    if let Some(create) = find("create_session") {
        let mut request = valid_request(suite, create, &world.free_key, &nobody);
        request.body = Some(json!({ "session_type": "browser" }).to_string().into_bytes());
        "no pool, with a key that is bound to none,".clone_into(&mut request.what);
        suite.expect(server, create, &request, &[400], "rule-broken", &create.pointer).await;
    }
    if let Some(authenticate) = find("authenticate_session") {
        let target = Target { account: seed::ACCOUNT_ID.to_owned(), ..world.target("authenticated") };
        let mut request = valid_request(suite, authenticate, &world.key, &target);
        "another account than the session's".clone_into(&mut request.what);
        suite.expect(server, authenticate, &request, &[400], "rule-broken", &authenticate.pointer).await;
    }
    for operation in suite.contract.operations() {
        about_its_session(suite, world, server, operation).await;
    }
    gallery(suite, world, server).await;
    if let Some(list) = find("list_sessions") {
        filters(suite, world, server, list).await;
    }
    if let Some(own) = find("fetch_own_session") {
        tokens(suite, world, server, own).await;
    }
    revocations(suite, world, server).await;
}

/// The session in the response must be the one that the request names.
async fn same_session(
    suite: &Suite,
    server: SocketAddr,
    operation: &Operation,
    request: &Request,
    id: &str,
    what: &str,
) {
    let Some(answer) = suite.ask(server, operation, request).await.filter(crate::suite::Response::is_success)
    else {
        return;
    };
    let summary = answer.body.pointer("/summary").or_else(|| answer.body.pointer("/session/summary"));
    let pointer = operation.path_parameter().map_or(&operation.pointer, |parameter| &parameter.pointer);
    suite.check(summary.is_none_or(|summary| summary["id"] == id), "another-session", pointer, || {
        format!("{}: {what} was sent; the response is about another session", operation.id)
    });
    let status = match operation.id.as_str() {
        "authenticate_session" => "authenticated",
        "complete_session" => "complete",
        "revoke_session" => "revoked",
        _ => return,
    };
    suite.check(
        summary.is_none_or(|summary| summary["status"] == status),
        "state-wrong",
        &operation.pointer,
        || format!("{}: a valid request was sent; the session in the response is not {status}", operation.id),
    );
}

async fn about_its_session(suite: &Suite, world: &World, server: SocketAddr, operation: &Operation) {
    if operation.path_parameter().is_none() {
        return;
    }
    let target = world.target("unauthenticated");
    let mut request = valid_request(suite, operation, &world.key, &target);
    "the ID of a session".clone_into(&mut request.what);
    same_session(suite, server, operation, &request, &target.id, "the ID of a session").await;
}

/// Fetches sessions that together have every property and listed value.
async fn gallery(suite: &Suite, world: &World, server: SocketAddr) {
    let reading = suite
        .contract
        .operations()
        .iter()
        .filter(|operation| operation.reads() && operation.path_parameter().is_some());
    for operation in reading {
        for (number, id) in world.gallery.iter().enumerate() {
            for (key, may_revoke) in [(&world.key, true), (&world.scoped[0], false)] {
                let target = Target { id: id.clone(), account: String::new(), token: String::new() };
                let mut request = valid_request(suite, operation, key, &target);
                "the ID of a session that has everything".clone_into(&mut request.what);
                let (successes, pointer) = (suite.successes(operation), &operation.pointer);
                let answer =
                    suite.expect(server, operation, &request, &successes, "valid-refused", pointer).await;
                // The last two have ended.
                let revoke = may_revoke && number < world.gallery.len() - 2;
                let promised = answer.as_ref().and_then(|answer| answer.body["actions"]["revoke"].as_bool());
                suite.check(
                    promised.is_none_or(|promised| promised == revoke),
                    "action-wrong",
                    pointer,
                    || {
                        format!(
                            "{}: `actions.revoke` is not whether this caller's revoke would be accepted",
                            operation.id
                        )
                    },
                );
            }
        }
    }
}

/// An issued token is accepted, and for its own session.
async fn tokens(suite: &Suite, world: &World, server: SocketAddr, own: &Operation) {
    for authenticated in [true, false] {
        let Some(target) = world.session(suite, server, authenticated).await else { return };
        let request = valid_request(suite, own, &target.token, &target);
        same_session(suite, server, own, &request, &target.id, "the token of a creation").await;
        let Some(operation) = suite.contract.operation("authenticate_session") else {
            return;
        };
        let mut request = valid_request(suite, operation, &world.key, &target);
        "a session that has a token".clone_into(&mut request.what);
        let Some(answer) = suite.ask(server, operation, &request).await else { return };
        let Some(token) = text_at(&answer.body, "/authtoken") else { return };
        let mut request = valid_request(suite, own, &token, &target);
        "the token of an authentication".clone_into(&mut request.what);
        let successes = suite.successes(own);
        suite.expect(server, own, &request, &successes, "valid-refused", &operation.pointer).await;
        same_session(suite, server, own, &request, &target.id, "the token of an authentication").await;
    }
}

/// A page has only sessions that match the filters, and no more than its limit.
async fn filters(suite: &Suite, world: &World, server: SocketAddr, list: &Operation) {
    const LIMIT: usize = 3;
    let nobody = Target { id: String::new(), account: String::new(), token: String::new() };
    let Some(summary) = summary_schema(suite) else { return };
    let ask = async |token: &str, query: String, what: &str| {
        let mut request = valid_request(suite, list, token, &nobody);
        request.path = format!("{}?{query}", list.path);
        what.clone_into(&mut request.what);
        let successes = suite.successes(list);
        let answer = suite.expect(server, list, &request, &successes, "valid-refused", &list.pointer).await?;
        Some(answer.body["items"].as_array().cloned().unwrap_or_default())
    };
    for parameter in &list.parameters {
        let schema = suite.contract.resolve(&parameter.schema.clone());
        if suite.contract.member(&push(&summary, "properties"), &parameter.name).as_ref() != Some(&schema) {
            continue;
        }
        let listed = suite.contract.get(&schema)["enum"].as_array().cloned().unwrap_or_default();
        let known: Vec<Value> = match parameter.name.as_str() {
            "account_id" => vec![json!(seed::ACCOUNT_ID)],
            "authenticated_identity_id" => vec![json!(seed::IDENTITY_ID)],
            "device_id" => vec![json!(seed::DEVICE_ID)],
            "pool_id" => vec![json!("013xrzp12g3nqk8ng09nmc8kwqzfaf11")],
            _ => listed,
        };
        for value in known {
            let text = value.as_str().unwrap_or_default();
            let what = format!("`{}` as {text}", parameter.name);
            let query = format!("limit={LIMIT}&{}={text}", parameter.name);
            let Some(items) = ask(&world.key, query, &what).await else { continue };
            let fits = items.iter().all(|item| item["summary"][&parameter.name] == value);
            suite.check(fits && !items.is_empty(), "filter-ignored", &parameter.pointer, || {
                format!("{}: {what} was sent; the page has other sessions as well, or none", list.id)
            });
        }
        // An ID that no session has.
        if has_no_enum(suite, &schema) && parameter.name != "pool_id" {
            let query = format!("{}={}", parameter.name, crate::world::MISSING);
            let what = format!("`{}` as an ID that nothing has", parameter.name);
            let Some(items) = ask(&world.key, query, &what).await else { continue };
            suite.check(items.is_empty(), "filter-ignored", &parameter.pointer, || {
                format!("{}: {what} was sent; the page is not empty", list.id)
            });
        }
    }
    if let Some(items) = ask(&world.key, format!("limit={LIMIT}"), "`limit` as 3").await {
        suite.check(items.len() == LIMIT, "limit-ignored", &list.pointer, || {
            format!("{}: `limit` as {LIMIT} was sent; the page has another number of sessions", list.id)
        });
        let ids: Vec<_> = items.iter().filter_map(|item| item["summary"]["id"].as_str()).collect();
        suite.check(ids.is_sorted_by(|one, next| one > next), "order-wrong", &list.pointer, || {
            format!("{}: the page does not begin with the newest session", list.id)
        });
    }
    if let Some(items) = ask(&world.key, String::new(), "no parameter").await {
        let limit = suite.contract.get("/components/schemas/Page_Limit/default").as_u64();
        let fits = limit.is_none_or(|limit| items.len() as u64 == limit);
        suite.check(fits, "default-ignored", &list.pointer, || {
            format!(
                "{}: no `limit` was sent; the page has another number of sessions than the default in openapi.json",
                list.id
            )
        });
    }
    let Some(own) = world.session(suite, server, true).await else { return };
    if let Some(items) = ask(&own.token, String::new(), "a session's token").await {
        let fits = items.len() == 1 && items[0]["summary"]["account_id"] == own.account;
        suite.check(fits, "stranger-accepted", &list.pointer, || {
            format!("{}: a session's token was sent; the page has sessions of other accounts", list.id)
        });
    }
}

fn has_no_enum(suite: &Suite, schema: &str) -> bool {
    suite.contract.get(schema).get("enum").is_none()
}

/// A revocation ends the sessions that it names, without the exception, and returns their number.
async fn revocations(suite: &Suite, world: &World, server: SocketAddr) {
    let Some(operation) = suite.contract.operation("revoke_sessions") else {
        return;
    };
    let account = world.account();
    let mut made = Vec::new();
    for _ in 0..SCOPES.len() {
        made.extend(world.session_of(suite, server, Some(&account)).await);
    }
    let Some(spared) = made.first() else { return };
    let mut request = valid_request(suite, operation, &world.key, spared);
    let body = json!({ "account_id": account, "except_session_id": spared.id });
    request.body = Some(body.to_string().into_bytes());
    "an account with four sessions, one of them excepted,".clone_into(&mut request.what);
    let Some(answer) = suite.ask(server, operation, &request).await else { return };
    suite.check(
        !answer.is_success() || answer.body["revoked"] == made.len() - 1,
        "count-wrong",
        &operation.pointer,
        || {
            format!(
                "{}: {} was sent; the response does not say that three were revoked",
                operation.id, request.what
            )
        },
    );
}
