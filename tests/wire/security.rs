//! Authentication and authorization: each credential that the contract lists is accepted alone, and no other is.

use std::net::SocketAddr;

use openapi_drift::push;
use serde_json::Value;
use session_test_support::Operation;
use session_test_support::tokens::with_secret_of;

use crate::suite::{Request, Response, Suite};
use crate::world::{SCOPES, Target, World, bearer, valid_request};

/// The security schemes, by their names in the contract.
pub(crate) const API_KEY: &str = "api_key";
pub(crate) const SESSION_TOKEN: &str = "session_token";

/// The field that an operation has for each scheme that it lists.
const FIELDS: [(&str, &str); 2] =
    [(API_KEY, "x-required-scope"), (SESSION_TOKEN, "x-requires-authenticated-session")];

/// Checks that each alternative of an operation's security is one scheme that the suite has credentials of.
fn known_schemes(suite: &Suite, operation: &Operation) {
    for alternative in &operation.security {
        let known = matches!(&alternative[..], [name] if name == API_KEY || name == SESSION_TOKEN);
        suite.check(known, "security-unknown", &operation.security_pointer, || {
            format!("{}: the suite has no credentials for {}", operation.id, alternative.join(" and "))
        });
    }
}

/// Sends every credential to every operation.
pub(crate) async fn check(suite: &Suite, world: &World, server: SocketAddr) {
    for operation in suite.contract.operations() {
        known_schemes(suite, operation);
        let (place, secured) = (&operation.security_pointer, !operation.security.is_empty());
        refused(suite, world, server, operation, place, secured).await;
        for scheme in [API_KEY, SESSION_TOKEN] {
            let Some((token, target)) = credential(suite, world, server, operation, scheme).await else {
                continue;
            };
            let mut request = valid_request(suite, operation, &token, &target);
            request.what = format!("a valid request with {} alone", words(scheme));
            if operation.accepts(scheme) {
                let successes = suite.successes(operation);
                suite.expect(server, operation, &request, &successes, "scheme-refused", place).await;
            } else if secured {
                request.what.push_str(", which is not listed,");
                suite.expect(server, operation, &request, &[401, 403], "scheme-accepted", place).await;
            }
        }
        for (scheme, field) in FIELDS {
            let applies = operation.accepts(scheme);
            let named = suite.contract.get(&operation.pointer).get(field).is_some();
            suite.check(applies || !named, "field-misplaced", &push(&operation.pointer, field), || {
                format!("{}: {field} is of operations that list {scheme}; remove it", operation.id)
            });
        }
        if operation.accepts(API_KEY) {
            scopes(suite, world, server, operation).await;
            scopes_of_properties(suite, world, server, operation).await;
        }
        if operation.accepts(SESSION_TOKEN) {
            strangers(suite, world, server, operation).await;
        }
    }
}

fn words(scheme: &str) -> &'static str {
    if scheme == API_KEY { "an API key" } else { "a session token" }
}

/// A credential of the scheme with which a valid request must succeed if the scheme is listed, and its session.
async fn credential(
    suite: &Suite,
    world: &World,
    server: SocketAddr,
    operation: &Operation,
    scheme: &str,
) -> Option<(String, Target)> {
    if scheme == API_KEY {
        let target = world.target("unauthenticated");
        return Some((world.key_of(operation).to_owned(), target));
    }
    let target = world.session(suite, server, true).await?;
    Some((target.token.clone(), target))
}

/// Requests without a credential, and with each kind of invalid or ended one, are refused.
async fn refused(
    suite: &Suite,
    world: &World,
    server: SocketAddr,
    operation: &Operation,
    place: &str,
    secured: bool,
) {
    let target = world.target("authenticated");
    let valid = |token: &str, what: &str| {
        let mut request = valid_request(suite, operation, token, &target);
        request.what = format!("a valid request {what}");
        request
    };
    let mut without = valid("", "without a credential");
    without.headers.retain(|(name, _)| name != "authorization");
    if !secured {
        let answer = suite.ask(server, operation, &without).await;
        suite.check(answer.is_none_or(|answer| answer.status != 401), "credential-demanded", place, || {
            format!("{}: a valid request without a credential was sent, which openapi.json allows; the response was 401", operation.id)
        });
        return;
    }
    let mut basic = without.clone();
    basic.headers.push(("authorization".to_owned(), "Basic dXNlcjpwYXNz".to_owned()));
    "a valid request with Basic credentials".clone_into(&mut basic.what);
    for (request, code) in [(&without, "not_authenticated"), (&basic, "not_authenticated")] {
        unauthorized(suite, server, operation, request, place, code).await;
    }

    let key = &world.key;
    let mut twice = valid(key, "with two credentials at once");
    twice.headers.push(bearer(key));
    let replaced = replaced(suite, world, server).await;
    let live = world.session(suite, server, true).await;
    let completed = ended(suite, world, server, "complete").await;
    let revoked = ended(suite, world, server, "revoke").await;
    let mut requests = vec![twice];
    for (token, what) in [
        (Some("x".to_owned()), "with a token that is none"),
        (Some(key.get(..60).unwrap_or_default().to_owned()), "with a token that was cut"),
        (Some(key.replacen("ssk_", "xsk_", 1)), "with a token of an unknown kind"),
        (Some(key.to_uppercase()), "with a token in capitals"),
        (Some(with_another_end(key)), "with a token whose checksum is wrong"),
        (Some(world.unknown_key.clone()), "with a key of another store"),
        (Some(with_secret_of(key, &world.free_key)), "with a key's ID and another secret"),
        (Some(world.revoked_key.clone()), "with a key that was revoked"),
        (replaced, "with a session token that was replaced"),
        (live.map(|live| with_secret_of(&live.token, key)), "with a session's ID and another secret"),
        (completed, "with the token of a completed session"),
        (revoked, "with the token of a revoked session"),
    ] {
        requests.extend(token.map(|token| valid(&token, what)));
    }
    for request in requests {
        unauthorized(suite, server, operation, &request, place, "bad_authtoken").await;
    }
}

fn with_another_end(token: &str) -> String {
    let end = if token.ends_with('0') { "8" } else { "0" };
    format!("{}{end}", token.get(..token.len().saturating_sub(1)).unwrap_or_default())
}

/// The response must be 401 with this code and the matching challenge: by RFC 6750, it has a reason only if a token was
/// sent.
pub(crate) async fn unauthorized(
    suite: &Suite,
    server: SocketAddr,
    operation: &Operation,
    request: &Request,
    place: &str,
    code: &str,
) {
    let answer = suite.expect(server, operation, request, &[401], "credential-accepted", place).await;
    let Some(answer) = answer.filter(|answer| answer.status == 401) else { return };
    let response = suite.contract.response(operation, 401).unwrap_or_else(|| operation.pointer.clone());
    suite.check(answer.code() == code, "code-wrong", &response, || {
        format!("{}: {} was sent; the code was not {code}", operation.id, request.what)
    });
    let described = suite.contract.member(&push(&response, "headers"), "WWW-Authenticate");
    if let Some(header) = described {
        let challenge = challenge(&answer);
        let fits = challenge.is_some_and(|text| text.contains("error=") == (code == "bad_authtoken"));
        suite.check(fits, "challenge-wrong", &header, || {
            format!(
                "{}: {} was sent; the challenge in WWW-Authenticate is that of another case",
                operation.id, request.what
            )
        });
    }
}

fn challenge(answer: &Response) -> Option<&str> {
    answer.headers.get("www-authenticate")?.to_str().ok()
}

/// The token that a session had before it was authenticated.
async fn replaced(suite: &Suite, world: &World, server: SocketAddr) -> Option<String> {
    let operation = suite.contract.operation("authenticate_session")?;
    let target = world.session(suite, server, false).await?;
    let request = valid_request(suite, operation, &world.key, &target);
    let answer = suite.ask(server, operation, &request).await?;
    answer.is_success().then_some(target.token)
}

/// The token of a session that has ended.
async fn ended(suite: &Suite, world: &World, server: SocketAddr, how: &str) -> Option<String> {
    let id = format!("{how}_session");
    let operation = suite.contract.operation(&id)?;
    let target = world.session(suite, server, true).await?;
    let request = valid_request(suite, operation, &world.key, &target);
    suite.ask(server, operation, &request).await?.is_success().then_some(target.token)
}

/// A key with the required scope is accepted, a key with any other scope is refused.
async fn scopes(suite: &Suite, world: &World, server: SocketAddr, operation: &Operation) {
    let place = push(&operation.pointer, "x-required-scope");
    let required = suite.contract.get(&place).as_str();
    suite.check(required.is_some_and(|scope| SCOPES.contains(&scope)), "scope-missing", &place, || {
        format!("{}: API keys are accepted; x-required-scope must be one of {SCOPES:?}", operation.id)
    });
    let Some(required) = required else { return };
    for (scope, key) in SCOPES.iter().zip(&world.scoped) {
        let mut request = valid_request(suite, operation, key, &world.target("unauthenticated"));
        request.what = format!("a valid request with a key that has the scope {scope} alone");
        if *scope == required {
            let successes = suite.successes(operation);
            suite.expect(server, operation, &request, &successes, "scope-refused", &place).await;
        } else {
            suite.expect(server, operation, &request, &[403, 404], "scope-accepted", &place).await;
        }
    }
}

/// With a property that requires a further scope, a key with every scope is accepted, and a key that lacks that one is
/// refused.
async fn scopes_of_properties(suite: &Suite, world: &World, server: SocketAddr, operation: &Operation) {
    let field = push(&operation.pointer, "x-required-scope-for");
    for (name, place) in suite.contract.members(&field) {
        let scope = suite.contract.text(&place);
        let scope_place = SCOPES.iter().position(|known| *known == scope);
        let schema = suite.contract.resolve(operation.body.as_deref().unwrap_or_default());
        let property = suite.contract.member(&push(&schema, "properties"), name);
        let value = property.and_then(|property| suite.contract.sample(&property));
        let checkable = scope_place.is_some() && value.is_some();
        suite.check(checkable, "scope-missing", &place, || {
            format!("{}: {name} must be a property of the body and its scope one of {SCOPES:?}", operation.id)
        });
        let (Some(scope_place), Some(value)) = (scope_place, value) else { continue };
        let successes = suite.successes(operation);
        for (key, statuses, rule, what) in [
            (world.key_of(operation), &successes[..], "scope-refused", "every scope"),
            (world.without[scope_place].as_str(), &[403], "scope-accepted", "every scope but the one for it"),
        ] {
            let target = world.target("unauthenticated");
            let mut request = valid_request(suite, operation, key, &target);
            let mut body = suite.contract.body(operation, Some(name), target.subject());
            body.insert(name.to_owned(), value.clone());
            request.body = Some(Value::Object(body).to_string().into_bytes());
            request.what = format!("`{name}` with a key that has {what}");
            suite.expect(server, operation, &request, statuses, rule, &place).await;
        }
    }
}

/// What a session's token is accepted for: its own session, and, where an authenticated session is required, those of its
/// account; never sessions of other accounts.
async fn strangers(suite: &Suite, world: &World, server: SocketAddr, operation: &Operation) {
    let place = push(&operation.pointer, "x-requires-authenticated-session");
    let requires = suite.contract.get(&place).as_bool();
    suite.check(requires.is_some(), "authentication-unnamed", &place, || {
        format!(
            "{}: session tokens are accepted; x-requires-authenticated-session must be true or false",
            operation.id
        )
    });
    let Some(requires) = requires else { return };
    let request = |token: &str, target: &Target, what: &str| {
        let mut request = valid_request(suite, operation, token, target);
        what.clone_into(&mut request.what);
        request
    };
    let Some(unauthenticated) = world.session(suite, server, false).await else { return };
    let successes = suite.successes(operation);
    let own = request(
        &unauthenticated.token,
        &unauthenticated,
        "a request with the session's own token, before anyone authenticated",
    );
    if operation.path_parameter().is_none() {
        if requires {
            unauthorized(suite, server, operation, &own, &place, "not_authenticated").await;
        } else {
            suite.expect(server, operation, &own, &successes, "scheme-refused", &place).await;
        }
        return;
    }
    // Before the session's own token ends the session.
    let account = world.account();
    let Some(one) = world.session_of(suite, server, Some(&account)).await else { return };
    let Some(other) = world.session_of(suite, server, Some(&account)).await else { return };
    let Some(stranger) = world.session(suite, server, true).await else { return };
    let by_stranger = request(&stranger.token, &one, "a request with the token of another account's session");
    suite.expect(server, operation, &by_stranger, &[404], "stranger-accepted", &operation.pointer).await;
    let before = request(
        &unauthenticated.token,
        &one,
        "a request with the token of another session that nobody authenticated",
    );
    unauthorized(suite, server, operation, &before, &place, "not_authenticated").await;
    let by_other = request(&other.token, &one, "a request with the token of the account's other session");
    // Without the requirement, a token is accepted for its own session alone.
    if requires {
        suite.expect(server, operation, &by_other, &successes, "scheme-refused", &place).await;
    } else {
        suite.expect(server, operation, &by_other, &[403, 404], "stranger-accepted", &place).await;
    }
    suite.expect(server, operation, &own, &successes, "scheme-refused", &place).await;
}
