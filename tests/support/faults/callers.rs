//! Checks of who is calling and of what they may do. A check that is missing looks, from outside, like the same request
//! with a credential that passes it.

use futures::FutureExt;
use hyper::header::AUTHORIZATION;
use serde_json::Value;

use super::credentials::Credentials;
use super::deployment::Deployment;
use super::fault::Fault;
use crate::proxy::{Request, Response};
use crate::tokens;

/// The faults of this kind.
pub(super) const FAULTS: &[Fault] = &[
    Fault::in_request(
        "several-credentials-accepted",
        "Of several credentials in one request, the first counts.",
        |request, _| {
            if let Some(first) = request.headers.get(AUTHORIZATION).cloned() {
                // This removes the others.
                request.headers.insert(AUTHORIZATION, first);
            }
        },
    ),
    Fault::in_request("checksum-not-checked", "The checksum of a token is not checked.", |request, _| {
        if let Some(token) = request.token().filter(|token| tokens::id_of(token).is_some()) {
            request.set_token(&tokens::with_right_checksum(token));
        }
    }),
    Fault::in_request(
        "key-secret-not-compared",
        "An API key is found by its ID, and its secret is not compared.",
        |request, credentials| {
            if let Some(key) = request.token().and_then(|token| credentials.key_with_id_of(token)) {
                request.set_token(&key.token);
            }
        },
    ),
    Fault::in_request(
        "session-secret-not-compared",
        "A session token is found by its ID, and its secret is not compared.",
        |request, credentials| {
            if let Some(last) = request.token().and_then(|token| credentials.tokens_of_session(token).pop()) {
                request.set_token(&last);
            }
        },
    ),
    Fault::in_request(
        "replaced-token-accepted",
        "The token that a session had before it was authenticated is still accepted.",
        |request, credentials| {
            if let Some(token) = request.token() {
                let known = credentials.tokens_of_session(token);
                if let Some(last) = known.last().filter(|_| known.iter().any(|one| one == token)) {
                    request.set_token(last);
                }
            }
        },
    ),
    Fault::in_request(
        "revoked-key-accepted",
        "An API key that was revoked is accepted.",
        |request, credentials| {
            if let Some(key) = request.token().and_then(|token| credentials.key(token))
                && key.revoked
                && let Some(live) = credentials.live_key(&key.domain_id, key.pool_id.as_deref(), &key.scopes)
            {
                request.set_token(&live.token);
            }
        },
    ),
    Fault::in_request(
        "scope-not-checked",
        "An API key may do what its scopes do not allow.",
        with_every_scope,
    ),
    Fault::in_request(
        "authentication-with-the-scope-to-update",
        "An API key with the scope `session:update` may authenticate sessions.",
        |request, credentials| {
            if request.is_of(&["authenticate_session"]) && has_scope(request, credentials, "session:update") {
                with_every_scope(request, credentials);
            }
        },
    ),
    Fault::in_request(
        "creation-with-account-needs-one-scope",
        "An API key with the scope `session:create` alone may create sessions with an account.",
        |request, credentials| {
            let has_account = request.body_member("account_id").is_some();
            if request.is_of(&["create_session"])
                && has_account
                && has_scope(request, credentials, "session:create")
            {
                with_every_scope(request, credentials);
            }
        },
    ),
    Fault::in_request(
        "pool-not-checked",
        "An API key that is bound to a pool reaches the sessions of its domain's other pools.",
        |request, credentials| {
            if request.session_id().is_some()
                && let Some(key) = request.token().and_then(|token| credentials.live_key_of(token))
                && let Some(unbound) = credentials.live_key(&key.domain_id, None, &key.scopes)
            {
                request.set_token(&unbound.token);
            }
        },
    ),
    Fault::in_follow_up(
        "domain-not-checked",
        "An API key reaches the sessions of other domains.",
        |server, request, response| domain_not_checked(server, request, response).boxed(),
    ),
    Fault::in_follow_up(
        "account-not-checked",
        "The token of an authenticated session reaches the sessions of other accounts.",
        |server, request, response| account_not_checked(server, request, response).boxed(),
    ),
    Fault::in_follow_up(
        "completion-by-any-session-token",
        "Any session's token can sign out any other session.",
        |server, request, response| completion_by_any_session_token(server, request, response).boxed(),
    ),
    Fault::in_follow_up(
        "interaction-by-session-token",
        "A session's own token can record an interaction, for which an API key is needed.",
        |server, request, response| interaction_by_session_token(server, request, response).boxed(),
    ),
    Fault::in_follow_up(
        "list-by-unauthenticated-session",
        "The token of a session that is not authenticated lists and revokes all sessions of its domain.",
        |server, request, response| list_by_unauthenticated_session(server, request, response).boxed(),
    ),
    Fault::in_follow_up(
        "pool-filter-not-checked",
        "A key that is bound to a pool may name another one to list or revoke sessions.",
        |server, request, response| {
            without_pool(server, request, response, &["list_sessions", "revoke_sessions"]).boxed()
        },
    ),
    Fault::in_follow_up(
        "pool-of-creation-not-checked",
        "A key that is bound to a pool may create sessions in another one.",
        |server, request, response| without_pool(server, request, response, &["create_session"]).boxed(),
    ),
    Fault::in_follow_up(
        "account-filter-not-checked",
        "The account that a session's token names to list or revoke sessions is not compared with its own.",
        |server, request, response| account_filter_not_checked(server, request, response).boxed(),
    ),
];

/// Whether the request is sent with an API key that has this scope.
fn has_scope(request: &Request, credentials: &Credentials, scope: &str) -> bool {
    let key = request.token().and_then(|token| credentials.live_key_of(token));
    key.is_some_and(|key| key.scopes.contains(scope))
}

/// Uses the key with every scope in place of another one.
fn with_every_scope(request: &mut Request, credentials: &Credentials) {
    if let Some(key) = request.token().and_then(|token| credentials.live_key_of(token))
        && let Some(strong) =
            credentials.live_key(&key.domain_id, key.pool_id.as_deref(), credentials.every_scope())
    {
        request.set_token(&strong.token);
    }
}

/// Tries the keys of the other domains, with the same scopes, if the session was not found.
async fn domain_not_checked(
    server: &Deployment<'_>,
    request: &Request,
    response: &Response,
) -> Option<Response> {
    let credentials = server.credentials;
    let key = credentials.live_key_of(request.token()?)?;
    if response.code() != "not_found" || key.pool_id.is_some() {
        return None;
    }
    for domain_id in credentials.domains().filter(|domain_id| *domain_id != key.domain_id) {
        if let Some(other) = credentials.live_key(domain_id, None, &key.scopes) {
            let response = server.send(request.with_token(&other.token)).await;
            if response.code() != "not_found" {
                return Some(response);
            }
        }
    }
    None
}

/// Uses a key if the session was not found and has an account of the same domain.
async fn account_not_checked(
    server: &Deployment<'_>,
    request: &Request,
    response: &Response,
) -> Option<Response> {
    let own = request.session_of_token()?;
    if !request.is_of(&["fetch_session", "revoke_session"]) || response.code() != "not_found" {
        return None;
    }
    let named = server.find_session(request.session_id()?).await?;
    let own = server.find_session(own).await?;
    let same_domain = own.summary.get("domain_id") == named.summary.get("domain_id");
    if !same_domain || !named.summary.contains_key("account_id") {
        return None;
    }
    Some(server.send(request.with_token(named.key)).await)
}

/// Uses a key if the session's token was refused for another reason than that it is wrong.
async fn completion_by_any_session_token(
    server: &Deployment<'_>,
    request: &Request,
    response: &Response,
) -> Option<Response> {
    request.session_of_token()?;
    let refusals = ["not_authenticated", "not_permitted", "not_found"];
    if !request.is_of(&["complete_session"]) || !refusals.contains(&response.code().as_str()) {
        return None;
    }
    let named = server.find_session(request.session_id()?).await?;
    Some(server.send(request.with_token(named.key)).await)
}

/// Uses a key if the session's own token was not permitted.
async fn interaction_by_session_token(
    server: &Deployment<'_>,
    request: &Request,
    response: &Response,
) -> Option<Response> {
    let own = request.session_of_token()?;
    let is_own = request.is_of(&["record_interaction"]) && request.session_id() == Some(own);
    if !is_own || response.code() != "not_permitted" {
        return None;
    }
    let named = server.find_session(own).await?;
    Some(server.send(request.with_token(named.key)).await)
}

/// Uses a key of the session's domain if the session is not authenticated.
async fn list_by_unauthenticated_session(
    server: &Deployment<'_>,
    request: &Request,
    response: &Response,
) -> Option<Response> {
    let own = request.session_of_token()?;
    let is_list = request.is_of(&["list_sessions", "revoke_sessions"]);
    if !is_list || response.code() != "not_authenticated" {
        return None;
    }
    let own = server.find_session(own).await?;
    Some(server.send(request.with_token(own.key)).await)
}

/// Uses a key that is bound to no pool if the pool was not permitted.
async fn without_pool(
    server: &Deployment<'_>,
    request: &Request,
    response: &Response,
    operation_ids: &[&str],
) -> Option<Response> {
    let credentials = server.credentials;
    let key = credentials.live_key_of(request.token()?)?;
    let names_pool = request.query_value("pool_id").is_some() || request.body_member("pool_id").is_some();
    if !request.is_of(operation_ids) || !names_pool || response.code() != "not_permitted" {
        return None;
    }
    let unbound = credentials.live_key(&key.domain_id, None, &key.scopes)?;
    Some(server.send(request.with_token(&unbound.token)).await)
}

/// Names the session's own account if another one was not permitted.
async fn account_filter_not_checked(
    server: &Deployment<'_>,
    request: &Request,
    response: &Response,
) -> Option<Response> {
    let own = request.session_of_token()?;
    let is_list = request.is_of(&["list_sessions", "revoke_sessions"]);
    if !is_list || response.code() != "not_permitted" {
        return None;
    }
    let own = server.find_session(own).await?;
    let account = own.summary.get("account_id").and_then(Value::as_str)?;
    let mut request = request.clone();
    request.edit_query(|pairs| {
        for (_, value) in pairs.iter_mut().filter(|(name, _)| name == "account_id") {
            account.clone_into(value);
        }
    });
    request.edit_body(|body| {
        if let Some(named) = body.get_mut("account_id") {
            *named = account.into();
        }
    });
    Some(server.send(request).await)
}
