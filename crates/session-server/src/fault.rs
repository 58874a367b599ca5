//! Seeded faults: deviations from the contract that the tests must catch. Only `sessiond-faulty` chooses one; without the
//! feature `seeded-faults`, everything here compiles to nothing.

#[cfg(feature = "seeded-faults")]
pub use seeded_faults::*;

#[cfg(not(feature = "seeded-faults"))]
pub(crate) use none::*;

/// Whether the server has this fault: without the feature no question at all, and its name is in no program.
#[cfg(feature = "seeded-faults")]
macro_rules! seeded {
    ($name:literal) => {
        crate::fault::seeded($name)
    };
}

/// Without the feature there is none.
#[cfg(not(feature = "seeded-faults"))]
macro_rules! seeded {
    ($name:literal) => {
        crate::fault::SEEDED
    };
}
pub(crate) use seeded;

/// A constant, for the compiler to leave out what depends on it.
#[cfg(not(feature = "seeded-faults"))]
pub(crate) const SEEDED: bool = false;

/// What is left of the faults without the feature.
#[cfg(not(feature = "seeded-faults"))]
mod none {
    use dropshot::RequestContext;
    use session_api::{JsonBody, PageParams, PathParams, Reply, SessionPath};

    use crate::http::Context;

    pub(crate) fn answer<T>(_: &str, reply: Reply<T>) -> Reply<T> {
        reply
    }

    pub(crate) fn path(
        _: &RequestContext<Context>,
        path: PathParams<SessionPath>,
    ) -> PathParams<SessionPath> {
        path
    }

    pub(crate) fn query<T>(query: PageParams<T>) -> PageParams<T> {
        query
    }

    pub(crate) fn body<T>(_: &RequestContext<Context>, body: JsonBody<T>) -> JsonBody<T> {
        body
    }
}

#[cfg(feature = "seeded-faults")]
mod seeded_faults {
    use std::sync::OnceLock;

    use dropshot::RequestContext;
    use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
    use http::{HeaderName, Response, StatusCode};
    use serde_json::{Map, Value, json};
    use session_api::{
        JsonBody, PageParams, PathParams, REQUEST_BODY_MAX_BYTES, Reply, SessionPath, TITLE_MAX_CHARS,
        USER_AGENT_MAX_CHARS, Unreadable,
    };

    use crate::http::Context;

    /// The name of every fault.
    pub const NAMES: &[&str] = &[
        // Another status.
        "created-as-200",
        "revoked-as-202",
        "bad-request-as-422",
        "bad-request-as-200",
        "unauthorized-as-403",
        "forbidden-as-404",
        "not-found-as-403",
        "not-found-as-500",
        "conflict-as-400",
        "conflict-as-200",
        "too-large-as-400",
        "media-type-as-400",
        "too-many-as-503",
        "fault-as-503",
        "not-offered-as-404",
        "no-answer-in-time-as-500",
        // Other headers.
        "no-cache-control",
        "no-cache-control-of-errors",
        "cache-control-private",
        "no-challenge",
        "challenge-of-another-case",
        "challenge-basic",
        "no-retry-after-of-limits",
        "no-retry-after-of-the-store",
        "retry-after-as-date",
        "header-undocumented",
        "cookie-with-the-token",
        "errors-as-problem-json",
        "success-as-text",
        // Other bodies.
        "property-undocumented",
        "property-undocumented-inside",
        "property-undocumented-of-errors",
        "no-state",
        "no-actions",
        "no-type",
        "error-without-message",
        "error-without-status",
        "error-empty",
        "time-as-text",
        "time-in-milliseconds",
        "count-as-text",
        "absent-as-null",
        "no-next-page-as-null",
        "list-without-wrapper",
        "state-in-capitals",
        "code-in-capitals",
        "code-of-missing-property",
        "code-of-bad-token",
        "code-of-conflict",
        "code-unknown",
        "id-in-capitals",
        "token-cut",
        "user-agent-forgotten",
        "title-forgotten",
        "address-with-port",
        // Checks of a request that are dropped, or too strict.
        "id-in-any-case",
        "id-of-any-length",
        "unknown-property-ignored",
        "unknown-property-inside-ignored",
        "null-ignored",
        "long-title-accepted",
        "long-user-agent-accepted",
        "empty-title-accepted",
        "control-characters-accepted",
        "address-not-checked",
        "type-of-session-unknown-accepted",
        "type-of-session-missing-accepted",
        "identity-missing-accepted",
        "number-for-text-accepted",
        "media-type-not-checked",
        "size-of-body-not-checked",
        "title-one-shorter",
        "ipv6-refused",
        "type-api-refused",
        "unknown-parameter-ignored",
        "parameter-twice-accepted",
        "limit-above-maximum-accepted",
        "limit-zero-accepted",
        "state-unknown-ignored",
        "filters-beside-page-token",
        // Checks of the caller and of the rules.
        "disabled-operation-offered",
        "several-credentials-accepted",
        "scope-not-checked",
        "domain-not-checked",
        "pool-not-checked",
        "account-not-checked",
        "sign-out-of-strangers",
        "interaction-by-session-token",
        "list-without-authentication",
        "pool-of-key-not-checked",
        "account-of-token-not-checked",
        "replaced-token-accepted",
        "session-secret-not-compared",
        "key-secret-not-compared",
        "revoked-key-accepted",
        "checksum-not-checked",
        "failures-not-limited",
        "creations-not-limited",
        "expired-session-alive",
        "ended-session-revoked-again",
        "ended-session-used",
        "other-account-accepted",
        "account-without-identity",
        "pool-of-creation-not-checked",
        "id-ignored-for-session-token",
        "kind-of-id-not-told",
        "two-things-revoked",
        "exception-revoked",
        "device-filter-ignored",
        "one-item-too-many",
        "no-next-page",
    ];

    /// The name that stands for no fault, to see that the program without one is found to have none.
    pub const CONTROL: &str = "none";

    static CHOSEN: OnceLock<&'static str> = OnceLock::new();

    /// Gives this process a fault; answers whether there is one of that name.
    pub fn choose(name: &str) -> bool {
        let known = NAMES.iter().chain([&CONTROL]).find(|known| **known == name);
        known.is_some_and(|name| CHOSEN.set(name).is_ok())
    }

    /// Whether the server has this fault.
    pub(crate) fn seeded(name: &str) -> bool {
        debug_assert!(NAMES.contains(&name), "{name} is not listed");
        CHOSEN.get().is_some_and(|chosen| *chosen == name)
    }

    fn chosen() -> &'static str {
        CHOSEN.get().copied().unwrap_or_default()
    }

    /// The answer with the fault.
    pub(crate) fn answer<T>(operation: &str, reply: Reply<T>) -> Reply<T> {
        if [CONTROL, ""].contains(&chosen()) {
            return reply;
        }
        reply.changed(|mut response| {
            status(operation, &mut response);
            headers(&mut response);
            if let Ok(mut body) = serde_json::from_slice(response.body()) {
                let before = Value::clone(&body);
                if response.status().is_success() {
                    success(&mut body);
                } else {
                    error(&mut body);
                }
                if body != before {
                    *response.body_mut() = body.to_string().into_bytes();
                }
            }
            if seeded("error-empty") && !response.status().is_success() {
                response.body_mut().clear();
            }
            response
        })
    }

    fn status(operation: &str, response: &mut Response<Vec<u8>>) {
        let status = match (chosen(), response.status().as_u16()) {
            ("created-as-200", 201) | ("bad-request-as-200", 400) | ("conflict-as-200", 409) => 200,
            ("revoked-as-202", 200) if operation == "revoke_session" => 202,
            ("bad-request-as-422", 400) => 422,
            ("unauthorized-as-403", 401) | ("not-found-as-403", 404) => 403,
            ("forbidden-as-404", 403) | ("not-offered-as-404", 501) => 404,
            ("not-found-as-500", 404) | ("no-answer-in-time-as-500", 503) => 500,
            ("conflict-as-400", 409) | ("too-large-as-400", 413) | ("media-type-as-400", 415) => 400,
            ("too-many-as-503", 429) | ("fault-as-503", 500) => 503,
            _ => return,
        };
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    }

    fn headers(response: &mut Response<Vec<u8>>) {
        let status = response.status();
        let token = serde_json::from_slice::<Value>(response.body()).unwrap_or_default();
        let headers = response.headers_mut();
        let text = HeaderValue::from_static;
        match (chosen(), status.as_u16()) {
            ("no-cache-control", _) | ("no-cache-control-of-errors", 400..) => {
                drop(headers.remove(CACHE_CONTROL));
            }
            ("cache-control-private", _) => drop(headers.insert(CACHE_CONTROL, text("private"))),
            ("no-challenge", 401) => drop(headers.remove(WWW_AUTHENTICATE)),
            ("challenge-of-another-case", 401) => drop(headers.insert(WWW_AUTHENTICATE, text("Bearer"))),
            ("challenge-basic", 401) => drop(headers.insert(WWW_AUTHENTICATE, text("Basic realm=\"x\""))),
            ("no-retry-after-of-limits", 429) | ("no-retry-after-of-the-store", 503) => {
                drop(headers.remove(RETRY_AFTER));
            }
            ("retry-after-as-date", 429) => {
                drop(headers.insert(RETRY_AFTER, text("Fri, 31 Dec 1999 23:59:59 GMT")));
            }
            ("header-undocumented", _) => {
                drop(headers.insert(HeaderName::from_static("x-powered-by"), text("rust")));
            }
            ("cookie-with-the-token", 201) => {
                let cookie = format!("session={}", token["authtoken"].as_str().unwrap_or_default());
                headers
                    .extend(HeaderValue::from_str(&cookie).map(|cookie| (http::header::SET_COOKIE, cookie)));
            }
            ("errors-as-problem-json", 400..) => {
                drop(headers.insert(CONTENT_TYPE, text("application/problem+json")));
            }
            ("success-as-text", 200..300) => drop(headers.insert(CONTENT_TYPE, text("text/plain"))),
            _ => {}
        }
    }

    /// Changes each object of this name that there is in a body.
    fn each(value: &mut Value, name: &str, change: &impl Fn(&mut Map<String, Value>)) {
        match value {
            Value::Object(members) => {
                for (member, value) in members {
                    if let (true, Some(object)) = (member == name, value.as_object_mut()) {
                        change(object);
                    }
                    each(value, name, change);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| each(item, name, change)),
            _ => {}
        }
    }

    fn capitals(object: &mut Map<String, Value>, name: &str) {
        if let Some(Value::String(text)) = object.get_mut(name) {
            *text = text.to_uppercase();
        }
    }

    fn success(body: &mut Value) {
        let summary = "summary";
        match chosen() {
            "property-undocumented" => {
                if let Some(body) = body.as_object_mut() {
                    body.insert("version".to_owned(), json!(1));
                }
            }
            "property-undocumented-inside" => {
                each(body, "last_seen", &|seen| drop(seen.insert("country".to_owned(), json!("NL"))));
            }
            "no-state" => each(body, summary, &|summary| drop(summary.remove("status"))),
            "no-type" => each(body, summary, &|summary| drop(summary.remove("type"))),
            "no-actions" => each(body, "actions", &|actions| drop(actions.remove("revoke"))),
            "time-as-text" => each(body, "last_seen", &|seen| {
                let text = seen["at"].to_string();
                seen.insert("at".to_owned(), json!(text));
            }),
            "time-in-milliseconds" => each(body, "last_seen", &|seen| {
                let ms = seen["at"].as_f64().unwrap_or_default() * 1000.0;
                seen.insert("at".to_owned(), json!(ms));
            }),
            "count-as-text" => {
                if let Some(count) = body.get_mut("revoked") {
                    *count = json!(count.to_string());
                }
            }
            "absent-as-null" => each(body, summary, &|summary| {
                summary.entry("title").or_insert(Value::Null);
            }),
            "no-next-page-as-null" => {
                if let Some(page) = body.as_object_mut().filter(|body| body.contains_key("items")) {
                    page.entry("next_page").or_insert(Value::Null);
                }
            }
            "list-without-wrapper" => {
                if let Some(items) = body.get("items").cloned() {
                    *body = items;
                }
            }
            "state-in-capitals" => each(body, summary, &|summary| capitals(summary, "status")),
            "id-in-capitals" => each(body, summary, &|summary| capitals(summary, "id")),
            "token-cut" => {
                if let Some(Value::String(token)) = body.get_mut("authtoken") {
                    token.truncate(90);
                }
            }
            "user-agent-forgotten" => each(body, "last_seen", &|seen| drop(seen.remove("user_agent"))),
            "title-forgotten" => each(body, summary, &|summary| drop(summary.remove("title"))),
            "address-with-port" => each(body, "last_seen", &|seen| {
                if let Some(Value::String(address)) = seen.get_mut("remote_ip") {
                    address.push_str(":443");
                }
            }),
            _ => {}
        }
    }

    fn error(body: &mut Value) {
        let Some(body) = body.as_object_mut() else { return };
        let code = body["code"].as_str().unwrap_or_default().to_owned();
        match (chosen(), code.as_str()) {
            ("property-undocumented-of-errors", _) => drop(body.insert("details".to_owned(), json!({}))),
            ("error-without-message", _) => drop(body.remove("message")),
            ("error-without-status", _) => drop(body.remove("status")),
            ("code-in-capitals", _) => capitals(body, "code"),
            ("code-of-missing-property", "required_value") => body["code"] = json!("invalid_value"),
            ("code-of-bad-token", "bad_authtoken") => body["code"] = json!("not_authenticated"),
            ("code-of-conflict", "invalid_action") => body["code"] = json!("bad_request"),
            ("code-unknown", "not_found") => body["code"] = json!("no_such_session"),
            _ => {}
        }
    }

    /// The path as a server with the fault reads it.
    pub(crate) fn path(
        rqctx: &RequestContext<Context>,
        path: PathParams<SessionPath>,
    ) -> PathParams<SessionPath> {
        let text = rqctx.request.uri().path().split('/').nth(4).unwrap_or_default();
        let read = match chosen() {
            "id-in-any-case" => text.to_lowercase(),
            "id-of-any-length" => text.chars().chain("0".repeat(32).chars()).take(32).collect(),
            _ => return path,
        };
        path.changed(|strict| {
            strict.or_else(|fault| match read.parse() {
                Ok(session_id) => Ok(SessionPath { session_id }),
                Err(_) => Err(fault),
            })
        })
    }

    /// The query as a server with the fault reads it.
    pub(crate) fn query<T>(query: PageParams<T>) -> PageParams<T> {
        query.changed(|query| {
            let mut pairs: Vec<(&str, &str)> =
                query.split('&').filter_map(|pair| pair.split_once('=')).collect();
            let number = |text: &str| text.parse::<u64>().ok();
            match chosen() {
                "unknown-parameter-ignored" => pairs.retain(|(name, _)| *name != "colour"),
                "parameter-twice-accepted" => {
                    pairs.sort_unstable();
                    pairs.dedup_by_key(|(name, _)| *name);
                }
                "limit-above-maximum-accepted" => {
                    for pair in &mut pairs {
                        if pair.0 == "limit" && number(pair.1).is_some_and(|limit| limit > 1_000) {
                            pair.1 = "1000";
                        }
                    }
                }
                "limit-zero-accepted" => pairs.retain(|pair| *pair != ("limit", "0")),
                "state-unknown-ignored" => {
                    pairs.retain(|(name, value)| *name != "status" || *value != "something-else");
                }
                _ => return query,
            }
            pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
        })
    }

    /// The body as a server with the fault reads it.
    pub(crate) fn body<T>(rqctx: &RequestContext<Context>, body: JsonBody<T>) -> JsonBody<T> {
        let operation = rqctx.endpoint.operation_id.as_str();
        let valid = match operation {
            "create_session" => r#"{"session_type":"browser"}"#,
            "record_interaction" => "{}",
            _ => "",
        };
        body.changed(|received| match received {
            Ok(bytes) => {
                let Ok(mut body) = serde_json::from_slice::<Value>(&bytes) else { return Ok(bytes) };
                let before = body.clone();
                lenient(operation, &mut body);
                strict(&mut body);
                Ok(if body == before { bytes } else { body.to_string().into_bytes() })
            }
            Err(unreadable) => forgiven(unreadable, valid),
        })
    }

    /// What a server that does not look at this takes for the body.
    fn forgiven(unreadable: Unreadable, valid: &str) -> Result<Vec<u8>, Unreadable> {
        let ignored = match unreadable.status {
            StatusCode::UNSUPPORTED_MEDIA_TYPE => seeded("media-type-not-checked"),
            StatusCode::PAYLOAD_TOO_LARGE => seeded("size-of-body-not-checked"),
            _ => false,
        };
        debug_assert!(valid.len() < REQUEST_BODY_MAX_BYTES);
        if ignored && !valid.is_empty() { Ok(valid.as_bytes().to_vec()) } else { Err(unreadable) }
    }

    /// Makes a body valid that is not, in the one way that the fault is about.
    fn lenient(operation: &str, body: &mut Value) {
        let Some(body) = body.as_object_mut() else { return };
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        match chosen() {
            "unknown-property-ignored" => drop(body.remove("colour")),
            "null-ignored" => body.retain(|_, value| !value.is_null()),
            "long-title-accepted" => {
                let title = text(body.get("title")).filter(|title| title.chars().count() > TITLE_MAX_CHARS);
                body.extend(title.map(|title| {
                    ("title".to_owned(), title.chars().take(TITLE_MAX_CHARS).collect::<String>().into())
                }));
            }
            "empty-title-accepted" if text(body.get("title")).is_some_and(|title| title.is_empty()) => {
                body.remove("title");
            }
            "control-characters-accepted" => {
                if let Some(Value::String(title)) = body.get_mut("title") {
                    title.retain(|character| !character.is_ascii_control());
                }
            }
            "type-of-session-unknown-accepted" if text(body.get("session_type")).is_some() => {
                body.insert("session_type".to_owned(), json!("browser"));
            }
            "type-of-session-missing-accepted" if operation == "create_session" => {
                body.entry("session_type").or_insert(json!("browser"));
            }
            "identity-missing-accepted" if operation == "authenticate_session" => {
                if let Some(account) = body.get("account_id").cloned() {
                    body.entry("authenticated_identity_id").or_insert(account);
                }
            }
            "number-for-text-accepted" => {
                if let Some(title) = body.get_mut("title").filter(|title| title.is_number()) {
                    *title = json!(title.to_string());
                }
            }
            "unknown-property-inside-ignored" | "long-user-agent-accepted" | "address-not-checked" => {
                if let Some(Value::Object(inner)) = body.get_mut("interaction") {
                    lenient_inside(inner);
                }
                lenient_inside(body);
            }
            _ => {}
        }
    }

    fn lenient_inside(interaction: &mut Map<String, Value>) {
        match chosen() {
            "unknown-property-inside-ignored" if interaction.len() == 1 => drop(interaction.remove("colour")),
            "long-user-agent-accepted" => {
                if let Some(Value::String(agent)) = interaction.get_mut("user_agent") {
                    *agent = agent.chars().take(USER_AGENT_MAX_CHARS).collect();
                }
            }
            "address-not-checked" => {
                let valid = |text: &str| text.parse::<std::net::IpAddr>().is_ok();
                if interaction.get("remote_ip").and_then(Value::as_str).is_some_and(|text| !valid(text)) {
                    interaction.remove("remote_ip");
                }
            }
            _ => {}
        }
    }

    /// Makes a body invalid that is valid.
    fn strict(body: &mut Value) {
        let longest = body["title"].as_str().is_some_and(|title| title.chars().count() == TITLE_MAX_CHARS);
        if seeded("title-one-shorter") && longest {
            body["title"] = json!("");
        }
        if seeded("type-api-refused") && body["session_type"] == "api" {
            body["session_type"] = json!("tv");
        }
        for place in ["/remote_ip", "/interaction/remote_ip"] {
            if let Some(address) = body.pointer_mut(place)
                && seeded("ipv6-refused")
                && address.as_str().is_some_and(|text| text.contains(':'))
            {
                *address = json!("IPv6");
            }
        }
    }
}
