//! A request for each documented status. The contract does not express how to provoke a conflict or a failing store, so
//! it is written here, for every operation that documents the status.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use futures::future::join_all;
use openapi_drift::push;
use serde_json::{Value, json};
use session_test_support::launcher::WITHOUT_LIFETIMES;
use session_test_support::requests::path_with;
use session_test_support::{Operation, seed};

use crate::report::Failed;
use crate::security::{API_KEY, SESSION_TOKEN, unauthorized};
use crate::server::{Program, Server};
use crate::suite::{Request, Response, Suite};
use crate::world::{MISSING, Target, World, bearer, valid_request};

/// Sends a request if the operation documents the status, and checks the status and code of the response.
async fn provoke(
    suite: &Suite,
    server: SocketAddr,
    operation: &Operation,
    request: &Request,
    status: u16,
    code: &str,
) -> Option<Response> {
    if !suite.documents(operation, status) {
        return None;
    }
    let pointer = push(&push(&operation.pointer, "responses"), &status.to_string());
    let answer = suite.expect(server, operation, request, &[status], "status-wrong", &pointer).await?;
    suite.check(answer.status != status || answer.code() == code, "code-wrong", &pointer, || {
        format!(
            "{}: {} was sent; the code of the response {status} was not {code}",
            operation.id, request.what
        )
    });
    Some(answer)
}

fn described(mut request: Request, what: &str) -> Request {
    what.clone_into(&mut request.what);
    request
}

/// A credential with which a valid request succeeds, and its session.
async fn holder(
    suite: &Suite,
    world: &World,
    server: SocketAddr,
    operation: &Operation,
) -> Option<(String, Target)> {
    if operation.accepts(API_KEY) {
        return Some((world.key_of(operation).to_owned(), world.target("unauthenticated")));
    }
    let target = world.session(suite, server, true).await?;
    Some((target.token.clone(), target))
}

/// The statuses of a server with ordinary settings.
pub(crate) async fn ordinary(suite: &Suite, world: &World, server: SocketAddr) {
    for operation in suite.contract.operations() {
        missing_and_ended(suite, world, server, operation).await;
        other_kinds(suite, world, server, operation).await;
        unreadable(suite, world, server, operation).await;
        doubled_slash(suite, world, server, operation).await;
        forbidden(suite, world, server, operation).await;
    }
}

async fn missing_and_ended(suite: &Suite, world: &World, server: SocketAddr, operation: &Operation) {
    if operation.path_parameter().is_none() {
        return;
    }
    let nobody =
        Target { id: MISSING.to_owned(), account: seed::ACCOUNT_ID.to_owned(), token: String::new() };
    let missing = described(
        valid_request(suite, operation, &world.key, &nobody),
        "the ID of a session that does not exist",
    );
    provoke(suite, server, operation, &missing, 404, "not_found").await;
    for (key, whose) in world.other_keys.iter().zip(["domain", "pool"]) {
        let request = valid_request(suite, operation, key, &world.target("unauthenticated"));
        let request = described(request, &format!("the ID of a session of another {whose} than the key's"));
        provoke(suite, server, operation, &request, 404, "not_found").await;
    }
    for state in ["complete", "revoked"] {
        let request = valid_request(suite, operation, &world.key, &world.target(state));
        let request = described(request, &format!("the ID of a session that is {state}"));
        provoke(suite, server, operation, &request, 409, "invalid_action").await;
    }
}

/// The ID of another kind of object, sent by a caller that may read its pool.
async fn other_kinds(suite: &Suite, world: &World, server: SocketAddr, operation: &Operation) {
    if operation.path_parameter().is_none() {
        return;
    }
    let target = Target { id: seed::DEVICE_ID.to_owned(), account: String::new(), token: String::new() };
    let request = described(
        valid_request(suite, operation, &world.key, &target),
        "the ID of a device for that of a session",
    );
    provoke(suite, server, operation, &request, 400, "unexpected_ref_type").await;
}

/// Bodies that cannot be read.
async fn unreadable(suite: &Suite, world: &World, server: SocketAddr, operation: &Operation) {
    if operation.body.is_none() {
        return;
    }
    let valid = || valid_request(suite, operation, world.key_of(operation), &world.target("unauthenticated"));
    let mut cut = described(valid(), "half a JSON object");
    cut.body = Some(b"{".to_vec());
    provoke(suite, server, operation, &cut, 400, "bad_request").await;
    let mut empty = described(valid(), "no body");
    empty.body = None;
    provoke(suite, server, operation, &empty, 400, "bad_request").await;
    for (media, what) in [
        (None, "a body without a media type"),
        (Some("text/plain"), "a body declared as text"),
        (Some("application/jsonp"), "a body declared as something like JSON"),
    ] {
        let mut request = described(valid(), what);
        request.headers.retain(|(name, _)| name != "content-type");
        request.headers.extend(media.map(|media| ("content-type".to_owned(), media.to_owned())));
        provoke(suite, server, operation, &request, 415, "bad_request").await;
    }
    for media in ["application/json; charset=utf-8", "Application/JSON"] {
        let mut request = described(valid(), &format!("a body declared as {media}"));
        request.headers.retain(|(name, _)| name != "content-type");
        request.headers.push(("content-type".to_owned(), media.to_owned()));
        let successes = suite.successes(operation);
        let place = operation.body.as_deref().unwrap_or_default();
        suite.expect(server, operation, &request, &successes, "valid-refused", place).await;
    }
    let body = suite.contract.member(&operation.pointer, "requestBody").unwrap_or_default();
    let limit = push(&body, "x-max-body-bytes");
    let bytes = suite.contract.get(&limit).as_u64().and_then(|bytes| usize::try_from(bytes).ok());
    suite.check(bytes.is_some(), "body-limit-missing", &limit, || {
        format!("{}: the request body has no x-max-body-bytes; add its limit in bytes", operation.id)
    });
    let padded = |length: usize| {
        let mut request = described(valid(), &format!("a body of {length} bytes"));
        if let Some(body) = &mut request.body {
            body.resize(length.max(body.len()), b' ');
        }
        request
    };
    provoke(suite, server, operation, &padded(2 * 1024 * 1024), 413, "bad_request").await;
    // A larger limit would be a load and not a check; no deployment accepts it.
    if let Some(bytes) = bytes.filter(|bytes| *bytes < 2 * 1024 * 1024) {
        let request = padded(bytes + 1);
        suite.expect(server, operation, &request, &[413], "body-limit-ignored", &limit).await;
        let successes = suite.successes(operation);
        suite.expect(server, operation, &padded(bytes), &successes, "valid-refused", &limit).await;
    }
}

/// A path that the router takes for that of the operation.
async fn doubled_slash(suite: &Suite, world: &World, server: SocketAddr, operation: &Operation) {
    let target = world.target("unauthenticated");
    let mut request = valid_request(suite, operation, world.key_of(operation), &target);
    request.path = request.path.replacen('/', "//", 1);
    let request = described(request, "a valid request with a doubled slash in its path");
    provoke(suite, server, operation, &request, 400, "bad_request").await;
}

/// 408: bodies that begin and never end. The requests wait for the server's limit together, and go to the server itself:
/// the proxy of a fault forwards no request before its end.
pub(crate) async fn stalled(
    suite: &Suite,
    world: &World,
    program: &Program,
    prepared: &Path,
) -> Result<(), Failed> {
    let server = with(program, prepared, "").await?;
    let asked = suite.contract.operations().iter().filter(|operation| operation.body.is_some()).map(
        async |operation| {
            let target = world.target("unauthenticated");
            let mut request = valid_request(suite, operation, world.key_of(operation), &target);
            request.stalls = true;
            let request = described(request, "a body that never ends");
            provoke(suite, server.direct(), operation, &request, 408, "bad_request").await;
        },
    );
    join_all(asked).await;
    Ok(())
}

/// 403: requests that the caller may not make although it may know of their object.
async fn forbidden(suite: &Suite, world: &World, server: SocketAddr, operation: &Operation) {
    let reader = described(
        valid_request(suite, operation, &world.scoped[0], &world.target("unauthenticated")),
        "a valid request with a key that may only read",
    );
    suite.ask(server, operation, &reader).await;
    let key = described(
        valid_request(suite, operation, &world.key, &world.target("unauthenticated")),
        "a valid request with an API key",
    );
    suite.ask(server, operation, &key).await;
    let outside = |request: Request| async move {
        suite.expect(server, operation, &request, &[403], "outside-accepted", &operation.pointer).await;
    };
    // A pool or account that the credential is not for, in a body or a query.
    let has = |name: &str, kind: &str| match kind {
        "query" => operation.parameters.iter().any(|one| one.location == "query" && one.name == name),
        _ => operation.body.as_ref().is_some_and(|schema| {
            suite.contract.has(&push(&suite.contract.child(schema, "properties"), name))
        }),
    };
    let Some(own) = world.session(suite, server, true).await else { return };
    let pool = "013xrzp12g3nqk8ng09nmc8kwqzfaf33";
    let nobody = Target { id: String::new(), account: world.account(), token: String::new() };
    let by_session = operation.accepts(SESSION_TOKEN);
    if operation.path_parameter().is_none() && has("pool_id", "query") {
        let mut request = valid_request(suite, operation, &world.bound_key, &nobody);
        request.path = format!("{}?pool_id={pool}", operation.path);
        outside(described(request, "`pool_id` as another pool than the key's")).await;
    }
    if operation.path_parameter().is_none() && has("account_id", "query") && by_session {
        let mut request = valid_request(suite, operation, &own.token, &nobody);
        request.path = format!("{}?account_id={}", operation.path, seed::ACCOUNT_ID);
        outside(described(request, "`account_id` as another account than that of the token's session")).await;
    }
    if operation.path_parameter().is_none() && has("pool_id", "body") {
        let mut request = valid_request(suite, operation, &world.bound_key, &nobody);
        let mut body = Value::Object(suite.contract.body(operation, Some("pool_id"), nobody.subject()));
        body["pool_id"] = json!(pool);
        request.body = Some(body.to_string().into_bytes());
        outside(described(request, "`pool_id` as another pool than the key's")).await;
    }
    if operation.path_parameter().is_none() && has("account_id", "body") && by_session {
        let request = valid_request(suite, operation, &own.token, &nobody);
        outside(described(request, "`account_id` as another account than that of the token's session")).await;
    }
}

/// Starts a server without lifetimes and with further settings.
async fn with(program: &Program, prepared: &Path, settings: &str) -> Result<Server, Failed> {
    // A key outside of any section must precede the first section.
    let settings = if settings.starts_with('[') {
        format!("{WITHOUT_LIFETIMES}{settings}")
    } else {
        format!("{settings}{WITHOUT_LIFETIMES}")
    };
    Server::start(program, prepared, &settings).await
}

/// 429: too many failed authentications, or too many creations.
pub(crate) async fn limited(
    suite: &Suite,
    world: &World,
    program: &Program,
    prepared: &Path,
) -> Result<(), Failed> {
    let settings =
        "[limits]\ntrusted = []\nfailed_authentications_per_minute = 1\ncreations_per_minute = 1\n";
    let server = with(program, prepared, settings).await?;
    let target =
        Target { id: MISSING.to_owned(), account: seed::ACCOUNT_ID.to_owned(), token: String::new() };
    if let Some(first) = suite.contract.operations().first() {
        let request = described(valid_request(suite, first, "guess", &target), "the first invalid token");
        suite.ask(server.address, first, &request).await;
    }
    for operation in suite.contract.operations() {
        let request =
            described(valid_request(suite, operation, "guess", &target), "one invalid token too many");
        let answer = provoke(suite, server.address, operation, &request, 429, "bad_request").await;
        let seconds = answer.filter(|answer| answer.status == 429).and_then(|answer| retry_after(&answer));
        let response = suite.contract.response(operation, 429).unwrap_or_else(|| operation.pointer.clone());
        suite.check(
            seconds.is_none_or(|seconds| (1..=60).contains(&seconds)),
            "retry-after-wrong",
            &response,
            || format!("{}: the limit is one a minute; Retry-After is not within that minute", operation.id),
        );
    }
    if let Some(create) = suite.contract.operation("create_session") {
        let request = described(
            valid_request(suite, create, &world.bound_key, &target),
            "the only creation in a minute",
        );
        let successes = suite.successes(create);
        suite.expect(server.address, create, &request, &successes, "valid-refused", &create.pointer).await;
        let request = described(request, "one creation too many");
        provoke(suite, server.address, create, &request, 429, "bad_request").await;
    }
    Ok(())
}

fn retry_after(answer: &Response) -> Option<i64> {
    answer.headers.get("retry-after")?.to_str().ok()?.parse().ok()
}

/// 501: operations that the deployment does not offer.
pub(crate) async fn disabled(
    suite: &Suite,
    world: &World,
    program: &Program,
    prepared: &Path,
) -> Result<(), Failed> {
    let ids: Vec<&String> = suite.contract.operations().iter().map(|operation| &operation.id).collect();
    let known: Vec<_> = ids.into_iter().filter(|id| world.known.contains(id)).collect();
    let server = with(program, prepared, &format!("disabled_operations = {known:?}\n")).await?;
    for operation in suite.contract.operations() {
        let request =
            valid_request(suite, operation, world.key_of(operation), &world.target("unauthenticated"));
        let request = described(request, "a valid request of an operation that is not offered");
        provoke(suite, server.address, operation, &request, 501, "not_implemented").await;
    }
    Ok(())
}

/// 500: a store that fails.
pub(crate) async fn broken(
    suite: &Suite,
    world: &World,
    program: &Program,
    prepared: &Path,
) -> Result<(), Failed> {
    let server = with(program, prepared, "").await?;
    let mut requests = Vec::new();
    for operation in suite.contract.operations() {
        let Some((token, target)) = holder(suite, world, server.address, operation).await else { continue };
        let request = valid_request(suite, operation, &token, &target);
        requests.push((operation, described(request, "a valid request while the store fails")));
    }
    server.break_store();
    for (operation, request) in &requests {
        provoke(suite, server.address, operation, request, 500, "unexpected").await;
    }
    Ok(())
}

/// 503: a store that another process has locked.
pub(crate) async fn waiting(
    suite: &Suite,
    world: &World,
    program: &Program,
    prepared: &Path,
) -> Result<(), Failed> {
    /// The number of servers that share the operations: each request blocks a thread of its server for a second.
    const SERVERS: usize = 3;
    /// What the cache has is returned without the store.
    const SETTINGS: &str = "[read_cache]\nsize_mib = 0\n";
    let parts = (0..SERVERS).map(|part| async move {
        let server = with(program, prepared, SETTINGS).await?;
        let mut requests = Vec::new();
        for operation in suite.contract.operations().iter().skip(part).step_by(SERVERS) {
            let Some((token, target)) = holder(suite, world, server.address, operation).await else {
                continue;
            };
            let request = valid_request(suite, operation, &token, &target);
            requests.push((operation, described(request, "a valid request while the store is locked")));
        }
        // Readers of the embedded store wait for a lock only if something was committed since their last read.
        if world.session(suite, server.address, true).await.is_none() {
            return Ok(());
        }
        let _held = server.lock_store()?;
        let asked = requests
            .iter()
            .map(|(operation, request)| provoke(suite, server.address, operation, request, 503, "unknown"));
        join_all(asked).await;
        Ok(())
    });
    join_all(parts).await.into_iter().collect()
}

/// 401 and 409 of sessions whose lifetime has passed.
pub(crate) async fn expired(
    suite: &Suite,
    world: &World,
    program: &Program,
    prepared: &Path,
) -> Result<(), Failed> {
    const LIFETIME: Duration = Duration::from_secs(1);
    let settings = "[lifetime]\nbrowser = { idle = 'none', absolute = '1s' }\n";
    let server = Server::start(program, prepared, settings).await?;
    let mut made = Vec::new();
    for operation in suite.contract.operations() {
        let Some(target) = world.session(suite, server.address, true).await else { continue };
        made.push((operation, target));
    }
    tokio::time::sleep(LIFETIME + Duration::from_millis(100)).await;
    for (operation, target) in &made {
        let request = valid_request(suite, operation, &target.token, target);
        let request =
            described(request, "a valid request with the token of a session whose lifetime has passed");
        unauthorized(suite, server.address, operation, &request, &operation.pointer, "bad_authtoken").await;
        if operation.path_parameter().is_some() {
            let mut request = described(request, "the ID of a session whose lifetime has passed");
            request.headers.retain(|(name, _)| name != "authorization");
            request.headers.push(bearer(&world.key));
            request.path = path_with(operation, &target.id);
            provoke(suite, server.address, operation, &request, 409, "invalid_action").await;
        }
    }
    Ok(())
}
