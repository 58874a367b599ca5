//! Rules about sessions that are not enforced, and limits, lifetimes and switches that are ignored.

use futures::FutureExt;
use futures::future::ready;
use serde_json::{Value, json};

use super::deployment::Deployment;
use super::fault::Fault;
use crate::proxy::{Request, Response};
use crate::tokens::is_id;

/// The faults of this kind.
pub(super) const FAULTS: &[Fault] = &[
    Fault::in_settings(
        "disabled-operation-offered",
        "An operation that the deployment has disabled is offered.",
        |settings| with_setting(settings, "disabled_operations", "[]"),
    ),
    Fault::in_settings(
        "failed-authentications-not-limited",
        "Authentication may fail any number of times a minute.",
        |settings| with_setting(settings, "failed_authentications_per_minute", "1_000_000"),
    ),
    Fault::in_settings(
        "creations-not-limited",
        "Any number of sessions may be created a minute.",
        |settings| with_setting(settings, "creations_per_minute", "1_000_000"),
    ),
    Fault::in_settings(
        "expired-session-alive",
        "A session lives on after its lifetime has passed.",
        |settings| with_setting(settings, "browser", "{ idle = 'none', absolute = 'none' }"),
    ),
    Fault::in_follow_up(
        "ended-session-revoked-again",
        "A session that is complete or revoked can be revoked.",
        |server, request, response| ended_session_revoked(server, request, response).boxed(),
    ),
    Fault::in_follow_up(
        "ended-session-used",
        "An interaction with a session that is complete or revoked is accepted.",
        |server, request, response| ended_session(server, request, response, "record_interaction").boxed(),
    ),
    Fault::in_follow_up(
        "other-account-accepted",
        "A session of one account can be authenticated as another.",
        |server, request, response| other_account_accepted(server, request, response).boxed(),
    ),
    Fault::in_follow_up(
        "replaced-token-returned",
        "An authentication returns the token that it has replaced.",
        |server, request, response| ready(replaced_token(server, request, response)).boxed(),
    ),
    Fault::in_request(
        "account-without-identity",
        "A session can be created with an account and without the identity that authenticated.",
        |request, _| {
            if request.is_of(&["create_session"]) {
                request.edit_body(|body| {
                    if !body.contains_key("authenticated_identity_id") {
                        body.remove("account_id");
                    }
                });
            }
        },
    ),
    Fault::in_request(
        "id-ignored-for-session-token",
        "A session's token fetches its own session, whatever ID is in the path.",
        |request, _| {
            if request.is_of(&["fetch_session"])
                && let Some(id) = request.session_of_token().map(str::to_owned)
            {
                request.set_session_id(&id);
            }
        },
    ),
    Fault::in_request(
        "revocation-by-two-criteria-accepted",
        "Of the criteria of a revocation, the first counts and the others are ignored.",
        |request, _| {
            if request.is_of(&["revoke_sessions"]) {
                request.edit_body(|body| {
                    let criteria = ["account_id", "authenticated_identity_id", "device_id", "pool_id"];
                    let present = criteria.into_iter().filter(|name| body.contains_key(*name));
                    for name in present.skip(1).collect::<Vec<_>>() {
                        body.remove(name);
                    }
                });
            }
        },
    ),
    Fault::in_request(
        "exception-revoked",
        "A revocation does not spare the session that the body excepts.",
        |request, _| {
            if request.is_of(&["revoke_sessions"]) {
                request.edit_body(|body| {
                    // The value is still checked.
                    if body.get("except_session_id").and_then(Value::as_str).is_some_and(is_id) {
                        body.remove("except_session_id");
                    }
                });
            }
        },
    ),
];

/// The settings with another value for a setting that has a line of its own.
fn with_setting(settings: &str, name: &str, value: &str) -> String {
    let line = |line: &str| match line.split_once(" = ") {
        Some((known, _)) if known == name => format!("{name} = {value}\n"),
        _ => format!("{line}\n"),
    };
    settings.lines().map(line).collect()
}

/// What the server knows of the session that a request names, in the place of a refusal because the session has ended.
async fn ended_session(
    server: &Deployment<'_>,
    request: &Request,
    response: &Response,
    operation_id: &str,
) -> Option<Response> {
    if !request.is_of(&[operation_id]) || response.code() != "invalid_action" {
        return None;
    }
    Some(server.find_session(request.session_id()?).await?.response)
}

async fn ended_session_revoked(
    server: &Deployment<'_>,
    request: &Request,
    response: &Response,
) -> Option<Response> {
    let mut session = ended_session(server, request, response, "revoke_session").await?;
    session.edit_each("summary", |summary| drop(summary.insert("status".to_owned(), json!("revoked"))));
    Some(session)
}

/// Authenticates as the session's own account if another one was refused.
async fn other_account_accepted(
    server: &Deployment<'_>,
    request: &Request,
    response: &Response,
) -> Option<Response> {
    if !request.is_of(&["authenticate_session"]) || response.code() != "invalid_value" {
        return None;
    }
    let session = server.find_session(request.session_id()?).await?;
    let own = session
        .summary
        .get("account_id")
        .filter(|own| request.body_member("account_id").as_ref() != Some(own))?;
    let mut request = request.clone();
    request.edit_body(|body| drop(body.insert("account_id".to_owned(), own.clone())));
    Some(server.send(request).await)
}

/// The response to an authentication with the session's first token, if the proxy saw that one.
fn replaced_token(server: &Deployment<'_>, request: &Request, response: &Response) -> Option<Response> {
    let new = response.json()["authtoken"]
        .as_str()
        .filter(|_| request.is_of(&["authenticate_session"]))?
        .to_owned();
    let first = server.credentials.tokens_of_session(&new).into_iter().next()?;
    let mut response = response.clone();
    response.edit_success(|body| body["authtoken"] = first.into());
    Some(response)
}
