//! Every bound of every parameter and property of a request: values inside are accepted, values outside are refused.

use std::net::SocketAddr;

use futures::StreamExt;
use openapi_drift::push;
use reqwest::header::HeaderValue;
use serde_json::{Map, Value, json};
use session_test_support::requests::{encoded, path_with, text};
use session_test_support::tokens::{page_token_of, text_at};
use session_test_support::{Operation, Parameter};

use crate::probe::{Probe, probes};
use crate::suite::{Request, Suite};
use crate::world::{Target, World, bearer, json_type, valid_request};

/// The number of concurrent requests.
const AT_ONCE: usize = 12;

/// Parameters whose values only the server issues: the server may refuse a value that the schema allows.
const OPAQUE: [(&str, &str); 1] = [("list_sessions", "page_token")];

/// Bounds that no value can be at although the schema alone allows one, each with its reason.
const OUT_OF_REACH: [(&str, &str, &str, &str); 1] =
    [("list_sessions", "page_token", "minLength", "a place in a list takes more than one character")];

/// What the response to a request must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Success.
    Accepted,
    /// Success, or 404: the object that it names may not exist.
    NotRefused,
    /// 400.
    Refused,
}

struct Job<'a> {
    operation: &'a Operation,
    request: Request,
    fate: Fate,
    keyword: String,
    /// The body that was sent: its values must be in the response.
    sent: Option<Value>,
}

/// Sends all of them.
pub(crate) async fn check(suite: &Suite, world: &World, server: SocketAddr) {
    let mut jobs = Vec::new();
    for operation in suite.contract.operations() {
        for parameter in &operation.parameters {
            match parameter.location.as_str() {
                "path" => path_jobs(suite, world, operation, parameter, &mut jobs),
                "query" => query_jobs(suite, world, operation, parameter, &mut jobs),
                "header" => header_jobs(suite, world, operation, parameter, &mut jobs),
                other => suite.check(false, "parameter-kind-unknown", &parameter.pointer, || {
                    format!("{}: the suite does not know parameters in {other:?}", operation.id)
                }),
            }
        }
        unknown_query_job(suite, world, operation, &mut jobs);
        body_jobs(suite, world, operation, &mut jobs);
    }
    futures::stream::iter(jobs).for_each_concurrent(AT_ONCE, |job| run(suite, server, job)).await;
    page_tokens(suite, world, server).await;
}

async fn run(suite: &Suite, server: SocketAddr, job: Job<'_>) {
    let Job { operation, request, fate, keyword, sent } = job;
    match fate {
        Fate::Refused => {
            let statuses = refusals(suite, operation);
            let answer =
                suite.expect(server, operation, &request, &statuses, "invalid-accepted", &keyword).await;
            // The codes distinguish a missing value from an invalid one.
            let code = if keyword.contains("/required/") { "required_value" } else { "invalid_value" };
            let wrong = answer.filter(|answer| answer.status == 400 && answer.code() != code);
            suite.check(wrong.is_none(), "code-wrong", &keyword, || {
                format!(
                    "{}: {} was sent; the code of the response 400 was not {code}",
                    operation.id, request.what
                )
            });
        }
        Fate::Accepted => {
            let statuses = suite.successes(operation);
            let answer =
                suite.expect(server, operation, &request, &statuses, "valid-refused", &keyword).await;
            if let (Some(answer), Some(sent)) = (answer, sent)
                && answer.is_success()
            {
                echoed(suite, operation, &request.what, &sent, &answer.body);
            }
        }
        Fate::NotRefused => {
            if let Some(answer) = suite.ask(server, operation, &request).await {
                // An earlier request may have used this ID for an account.
                let other_kind = answer.status == 400 && answer.code() == "unexpected_ref_type";
                let fine = answer.is_success() || answer.status == 404 || other_kind;
                suite.check(fine, "valid-refused", &keyword, || {
                    let (id, what, status) = (&operation.id, &request.what, answer.status);
                    format!("{id}: {what} was sent, which openapi.json allows; the response was {status}")
                });
            }
        }
    }
}

/// The statuses with which an operation refuses an invalid value.
fn refusals(suite: &Suite, operation: &Operation) -> Vec<u16> {
    let unnamed = !suite.documents(operation, 400) && operation.path_parameter().is_some();
    vec![if unnamed { 404 } else { 400 }]
}

fn target_of(world: &World, operation: &Operation) -> Target {
    // An authenticated session accepts only its own account.
    match operation.path_parameter() {
        Some(_) => world.target("unauthenticated"),
        None => Target { id: String::new(), account: world.account(), token: String::new() },
    }
}

fn path_jobs<'a>(
    suite: &Suite,
    world: &World,
    operation: &'a Operation,
    parameter: &Parameter,
    jobs: &mut Vec<Job<'a>>,
) {
    let schema = parameter.schema.clone();
    if suite.contract.validator(&schema).is_none() {
        return;
    }
    let found = probes(&suite.contract, &schema);
    for Probe { value, keyword, what } in found.all {
        let Some(text) = value.as_str().filter(|text| !matches!(*text, "" | "." | "..")) else { continue };
        let valid = suite.contract.allows(&schema, &value);
        let mut request = valid_request(suite, operation, &world.key, &target_of(world, operation));
        request.path = path_with(operation, text);
        request.what = format!("`{}` as {what}", parameter.name);
        let fate = if valid { Fate::NotRefused } else { Fate::Refused };
        jobs.push(Job { operation, request, fate, keyword, sent: None });
    }
}

fn query_jobs<'a>(
    suite: &Suite,
    world: &World,
    operation: &'a Operation,
    parameter: &Parameter,
    jobs: &mut Vec<Job<'a>>,
) {
    let (schema, name) = (parameter.schema.clone(), &parameter.name);
    if suite.contract.validator(&schema).is_none() {
        return;
    }
    let found = probes(&suite.contract, &schema);
    let opaque = OPAQUE.contains(&(operation.id.as_str(), name.as_str()));
    let mut add = |query: String, fate: Fate, keyword: String, what: String| {
        let mut request = valid_request(suite, operation, &world.free_key, &target_of(world, operation));
        let joint = if request.path.contains('?') { '&' } else { '?' };
        request.path = format!("{}{joint}{query}", request.path);
        request.what = what;
        jobs.push(Job { operation, request, fate, keyword, sent: None });
    };
    let kind =
        suite.contract.get(&suite.contract.resolve(&schema))["type"].as_str().unwrap_or_default().to_owned();
    let numeric = matches!(kind.as_str(), "integer" | "number");
    for Probe { value, keyword, what } in found.all {
        let text = match &value {
            Value::String(text) if !numeric => text.clone(),
            Value::Number(number) if numeric => number.to_string(),
            _ => continue,
        };
        let valid = suite.contract.allows(&schema, &value);
        if valid && opaque {
            continue;
        }
        let fate = if valid { Fate::Accepted } else { Fate::Refused };
        add(format!("{}={}", encoded(name), encoded(&text)), fate, keyword, format!("`{name}` as {what}"));
    }
    if numeric {
        for text in ["", "ten", "1.5", "0x1", "1e2", " 1", "-1", "true", "99999999999999999999"] {
            let keyword = push(&suite.contract.resolve(&schema), "type");
            add(
                format!("{}={}", encoded(name), encoded(text)),
                Fate::Refused,
                keyword,
                format!("`{name}` as {text:?}"),
            );
        }
    }
    if let Some(value) = suite.contract.sample(&schema) {
        let text = text(&value);
        let twice = format!("{0}={1}&{0}={1}", encoded(name), encoded(&text));
        add(twice, Fate::Refused, parameter.pointer.clone(), format!("`{name}` twice"));
    }
    if parameter.required {
        let mut request = valid_request(suite, operation, &world.free_key, &target_of(world, operation));
        let own = format!("{}=", encoded(name));
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let rest: Vec<_> = query.split('&').filter(|pair| !pair.starts_with(&own)).collect();
        request.path = format!("{path}?{}", rest.join("&"));
        request.what = format!("no `{name}`");
        let keyword = push(&parameter.pointer, "required");
        jobs.push(Job { operation, request, fate: Fate::Refused, keyword, sent: None });
    }
}

fn header_jobs<'a>(
    suite: &Suite,
    world: &World,
    operation: &'a Operation,
    parameter: &Parameter,
    jobs: &mut Vec<Job<'a>>,
) {
    let (schema, name) = (&parameter.schema, &parameter.name);
    if suite.contract.validator(schema).is_none() {
        return;
    }
    let mut add = |texts: &[&str], fate: Fate, keyword: String, what: String| {
        let target = target_of(world, operation);
        let mut request = valid_request(suite, operation, world.key_of(operation), &target);
        request.headers.extend(texts.iter().map(|text| (name.to_lowercase(), (*text).to_owned())));
        request.what = what;
        jobs.push(Job { operation, request, fate, keyword, sent: None });
    };
    for Probe { value, keyword, what } in probes(&suite.contract, schema).all {
        // A header has no other kind of value, and HTTP no other texts in it.
        let Some(text) = value.as_str().filter(|text| text.trim() == *text) else { continue };
        if HeaderValue::from_str(text).is_err() {
            continue;
        }
        let fate = if suite.contract.allows(schema, &value) { Fate::Accepted } else { Fate::Refused };
        add(&[text], fate, keyword, format!("`{name}` as {what}"));
    }
    if let Some(value) = suite.contract.sample(schema) {
        let text = text(&value);
        add(&[&text, &text], Fate::Refused, parameter.pointer.clone(), format!("`{name}` twice"));
    }
    if parameter.required {
        add(&[], Fate::Refused, push(&parameter.pointer, "required"), format!("no `{name}`"));
    }
}

/// An operation with query parameters refuses an unknown one. An operation without any ignores it.
fn unknown_query_job<'a>(suite: &Suite, world: &World, operation: &'a Operation, jobs: &mut Vec<Job<'a>>) {
    if operation.parameters.iter().any(|parameter| parameter.location == "query") {
        let mut request =
            valid_request(suite, operation, world.key_of(operation), &target_of(world, operation));
        request.path.push_str(if request.path.contains('?') { "&colour=red" } else { "?colour=red" });
        "the unknown query parameter `colour`".clone_into(&mut request.what);
        let keyword = push(&operation.pointer, "parameters");
        jobs.push(Job { operation, request, fate: Fate::Refused, keyword, sent: None });
    }
}

/// Collects the values of a body: the path to each, and its schema.
fn places(suite: &Suite, schema: &str, way: &[String], found: &mut Vec<(Vec<String>, String)>) {
    /// How deep a schema that contains itself is followed.
    const DEPTH_MAX: usize = 5;
    let at = suite.contract.resolve(schema);
    if way.len() > DEPTH_MAX {
        return;
    }
    for (name, _) in suite.contract.members(&push(&at, "properties")) {
        let property = push(&push(&at, "properties"), name);
        let way = [way, &[name.to_owned()]].concat();
        found.push((way.clone(), property.clone()));
        places(suite, &property, &way, found);
    }
    for keyword in ["allOf", "oneOf", "anyOf"] {
        let list = push(&at, keyword);
        for number in 0..suite.contract.get(&list).as_array().map_or(0, Vec::len) {
            let one = push(&list, &number.to_string());
            if suite.contract.resolve(&one) != at {
                places(suite, &one, &[way, &[]].concat(), found);
            }
        }
    }
}

/// Sets the value at a path of a body.
fn put(body: &mut Map<String, Value>, way: &[String], value: Value) {
    match way {
        [] => {}
        [name] => drop(body.insert(name.clone(), value)),
        [name, rest @ ..] => {
            let inner = body.entry(name.clone()).or_insert_with(|| json!({}));
            if let Some(inner) = inner.as_object_mut() {
                put(inner, rest, value);
            }
        }
    }
}

fn body_jobs<'a>(suite: &Suite, world: &World, operation: &'a Operation, jobs: &mut Vec<Job<'a>>) {
    let Some(schema) = &operation.body else { return };
    // A schema that cannot be compiled is a problem of the document, and validates nothing.
    if suite.contract.validator(schema).is_none() {
        return;
    }
    let mut add = |body: Value, keyword: String, what: String, varied: Option<&str>| {
        let target = target_of(world, operation);
        let fate = if suite.contract.allows(schema, &body) { Fate::Accepted } else { Fate::Refused };
        // Only a key without a pool of its own may name one.
        let key = if varied == Some("pool_id") { &world.free_key } else { world.key_of(operation) };
        let mut request = valid_request(suite, operation, key, &target);
        request.headers = vec![bearer(key), json_type()];
        request.body = Some(body.to_string().into_bytes());
        request.what = what;
        jobs.push(Job { operation, request, fate, keyword, sent: Some(body) });
    };
    let base = |added: Option<&str>| {
        suite.contract.body(operation, added, target_of_body(world, operation).subject())
    };
    let at = suite.contract.resolve(schema);

    // The body as a whole.
    add(Value::Object(base(None)), at.clone(), "a body with as little as possible".to_owned(), None);
    for (place, name) in suite.contract.texts(&push(&at, "required")).into_iter().enumerate() {
        let mut body = base(None);
        body.remove(name);
        let keyword = push(&push(&at, "required"), &place.to_string());
        add(Value::Object(body), keyword, format!("a body without `{name}`"), None);
    }
    let mut more = base(Some("colour"));
    more.insert("colour".to_owned(), json!("red"));
    let closed = push(&at, "additionalProperties");
    let closed = if suite.contract.has(&closed) { closed } else { at.clone() };
    add(Value::Object(more), closed, "a body with the unknown property `colour`".to_owned(), None);
    for (value, what) in
        [(json!([]), "a list"), (json!(7), "a number"), (json!("text"), "a text"), (Value::Null, "null")]
    {
        add(value, push(&at, "type"), format!("{what} as the body"), None);
    }

    // Each value in it.
    let mut found = Vec::new();
    places(suite, schema, &[], &mut found);
    for (way, property) in found {
        let name = way.join(".");
        let values = probes(&suite.contract, &property);
        for Probe { value, keyword, what } in values.all {
            let mut body = base(way.first().map(String::as_str));
            put(&mut body, &way, value);
            add(Value::Object(body), keyword, format!("`{name}` as {what}"), way.first().map(String::as_str));
        }
    }
}

/// As [`target_of`], for a body alone: it uses up no session.
fn target_of_body(world: &World, operation: &Operation) -> Target {
    let account = if operation.id == "revoke_sessions" { world.account() } else { String::new() };
    Target { id: String::new(), account, token: String::new() }
}

/// A property of a session that a request sets has the same value in the response, if both have the same schema.
fn echoed(suite: &Suite, operation: &Operation, what: &str, sent: &Value, answer: &Value) {
    let Some(schema) = &operation.body else { return };
    let Some(summary) = answer.pointer("/summary").or_else(|| answer.pointer("/session/summary")) else {
        return;
    };
    let request = suite.contract.resolve(schema);
    let described = |at: &str, name: &str| suite.contract.member(&push(at, "properties"), name);
    let Some(answered) = summary_schema(suite) else { return };
    for (name, value) in sent.as_object().into_iter().flatten() {
        if described(&request, name).is_some() && described(&request, name) == described(&answered, name) {
            suite.note(
                summary.get(name) == Some(value),
                "not-what-was-sent",
                &push(&push(&request, "properties"), name),
                || {
                    format!(
                        "{}: {what} was sent; the session in the response has another `{name}`",
                        operation.id
                    )
                },
            );
        }
    }
    for (name, value) in
        sent["interaction"].as_object().into_iter().flatten().chain(sent.as_object().into_iter().flatten())
    {
        let is_interaction = matches!(name.as_str(), "remote_ip" | "user_agent");
        // The response has the canonical form of an address.
        let plain = value.as_str().is_none_or(|text| {
            name != "remote_ip"
                || text.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().to_string() == text)
        });
        if is_interaction && plain {
            suite.note(summary["last_seen"].get(name) == Some(value), "not-what-was-sent", &request, || {
                format!("{}: {what} was sent; `last_seen` in the response has another `{name}`", operation.id)
            });
        }
    }
}

/// Where a session is described, by the name of its schema.
pub(crate) fn summary_schema(suite: &Suite) -> Option<String> {
    let at = "/components/schemas/Session_Summary".to_owned();
    suite.contract.has(&at).then_some(at)
}

/// Only the server issues page tokens, so their bounds are checked with tokens that it issued.
async fn page_tokens(suite: &Suite, world: &World, server: SocketAddr) {
    for (id, name) in OPAQUE {
        let Some(operation) = suite.contract.operation(id) else { continue };
        let Some(parameter) = operation.parameters.iter().find(|parameter| parameter.name == name) else {
            continue;
        };
        let at = suite.contract.resolve(&parameter.schema.clone());
        let with = |query: &str, what: &str| {
            let mut request = valid_request(suite, operation, &world.key, &target_of_body(world, operation));
            request.path = format!("{}?{query}", operation.path);
            what.clone_into(&mut request.what);
            request
        };
        let successes = suite.successes(operation);
        let first = with("limit=1", "`limit` as 1");
        let keyword = &operation.pointer;
        let first = suite.expect(server, operation, &first, &successes, "valid-refused", keyword).await;
        let Some(first) = first else { continue };
        let Some(token) = text_at(&first.body, "/next_page") else { continue };
        let next = with(&format!("{name}={token}"), "`page_token` as the `next_page` of a response");
        let next = suite.expect(server, operation, &next, &successes, "valid-refused", &at).await;
        let both = with("limit=2", "`limit` as 2");
        let both = suite.expect(server, operation, &both, &successes, "valid-refused", keyword).await;
        if let (Some(next), Some(both)) = (next, both) {
            let ids = |body: &Value| {
                let items = body["items"].as_array().into_iter().flatten();
                items.filter_map(|item| text_at(item, "/summary/id")).collect::<Vec<_>>()
            };
            let fits = [ids(&first.body), ids(&next.body)].concat() == ids(&both.body);
            suite.check(fits, "page-wrong", &parameter.pointer, || {
                format!("{id}: two pages of one session have not the sessions that one page of two has")
            });
        }
        let filtered = with(&format!("{name}={token}&status=new"), "`page_token` and a filter");
        suite.expect(server, operation, &filtered, &[400], "invalid-accepted", &parameter.pointer).await;

        if let Some(longest) = suite.contract.get(&at)["maxLength"].as_u64() {
            // Eight characters encode five bytes, so a token has only such lengths.
            let bytes = usize::try_from(longest).unwrap_or_default() / 8 * 5;
            for (bytes, inside) in [(bytes, true), (bytes + 5, false)] {
                let long = page_token_of(&token, bytes.min(4_096));
                let request =
                    with(&format!("{name}={long}"), &format!("`{name}` of {} characters", long.len()));
                let (statuses, rule) =
                    if inside { (&successes[..], "valid-refused") } else { (&[400][..], "invalid-accepted") };
                suite.expect(server, operation, &request, statuses, rule, &push(&at, "maxLength")).await;
            }
        }
        for (_, _, bound, reason) in OUT_OF_REACH.iter().filter(|row| (row.0, row.1) == (id, name)) {
            let used = suite.contract.get(&at).get(*bound).is_some();
            suite.check(used, "excuse-unused", &at, || {
                format!("the suite excuses {bound} of {name} ({reason}), which openapi.json does not have")
            });
        }
    }
}
