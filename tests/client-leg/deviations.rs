//! Sends the client responses that violate the contract: it must accept none of them.

use std::collections::BTreeSet;

use openapi_drift::push;
use serde_json::{Value, json};
use session_test_support::Contract;
use session_test_support::pattern::LENGTH_MAX;

use crate::calls::NEVER_SENT;
use crate::fake::PreparedResponse;
use crate::outcome::{End, known_values, unreadable_error};
use crate::report::Report;
use crate::responses::{Documented, Responses};

/// Why the client does not check a page token.
const NEXT_PAGE: &str =
    "progenitor streams pages only if their next_page is a plain string, which is sent back unchanged";

/// Why the client does not check a token.
const AUTHTOKEN: &str = "the client does not validate tokens";

/// Violations that progenitor and typify cannot detect: kind, beginning of the pointer, and reason. One that is neither
/// here nor refused by the client is a finding, and so is an entry that nothing needs.
const EXCUSED: [(&str, &str, &str); 11] = [
    ("null", "", "serde reads null as an optional value that is left out; the client shows neither"),
    ("object-as-array", "", "serde reads a struct from an array of its values in order, too"),
    ("enum-as-object", "", "serde reads a variant from an object with its name and null, too"),
    ("header-missing", "", "progenitor reads no header of a response, and the client needs none"),
    ("media-type", "", "progenitor reads the body as JSON, whatever its media type"),
    ("minLength", "/components/schemas/Authtoken", AUTHTOKEN),
    ("maxLength", "/components/schemas/Authtoken", AUTHTOKEN),
    ("pattern", "/components/schemas/Authtoken", AUTHTOKEN),
    ("minLength", "/components/schemas/Page_Token", NEXT_PAGE),
    ("maxLength", "/components/schemas/Page_Token", NEXT_PAGE),
    ("pattern", "/components/schemas/Page_Token", NEXT_PAGE),
];

/// A body that violates the contract.
#[derive(Debug)]
struct Deviation {
    kind: &'static str,
    /// The keyword that it violates.
    pointer: String,
    /// Its place in the body.
    place: String,
    body: Value,
}

/// Sends responses that deviate from the documented ones.
pub(crate) async fn give(responses: &Responses<'_>, documented: &[Documented]) {
    let mut errors = BTreeSet::new();
    for response in documented {
        let headers = full_headers(response);
        let Some(content) = response.contents.first() else { continue };
        // All errors are read by one type.
        if !response.is_success() && !errors.insert(responses.contract.resolve(&content.schema)) {
            continue;
        }
        let Some(base) = [&content.samples.fullest, &content.samples.smallest]
            .into_iter()
            .find(|base| responses.contract.allows(&content.schema, base))
        else {
            continue;
        };
        let mut walk = Walk { contract: responses.contract, base, found: Vec::new() };
        walk.value(&content.schema, base, "");
        for deviation in walk.found {
            if responses.contract.allows(&content.schema, &deviation.body) {
                continue;
            }
            let body = deviation.body.to_string();
            let passed = passes(responses, response.status, &headers, body.as_bytes()).await;
            judge(responses, response.status, deviation.kind, &deviation.pointer, &deviation.place, passed);
            if deviation.kind == "enum" {
                values(responses, response, &headers, &content.schema, base, &deviation).await;
            }
        }
        let whole = base.to_string();
        for (kind, body) in [("not-json", "<html>"), ("empty", ""), ("cut-off", &whole[..whole.len() - 1])] {
            let passed = passes(responses, response.status, &headers, body.as_bytes()).await;
            judge(responses, response.status, kind, &response.pointer, "the body", passed);
        }
        about_headers(responses, response, &headers, &whole).await;
    }
    statuses(responses, documented).await;
}

fn full_headers(response: &Documented) -> Vec<(String, String)> {
    let mut headers = Responses::full_headers(response);
    headers.push(("content-type".to_owned(), "application/json".to_owned()));
    headers
}

/// Whether the client accepts a response.
async fn passes(responses: &Responses<'_>, status: u16, headers: &[(String, String)], body: &[u8]) -> bool {
    let outcome =
        responses.outcome(PreparedResponse { status, headers: headers.to_vec(), body: body.to_vec() }).await;
    matches!(outcome.end, End::Success(_) | End::Refused(..))
}

fn judge(responses: &Responses<'_>, status: u16, kind: &str, pointer: &str, place: &str, passed: bool) {
    if !passed {
        return;
    }
    let excuse = EXCUSED.iter().position(|(excused, at, _)| *excused == kind && pointer.starts_with(at));
    if let Some(excuse) = excuse {
        return responses.report.excuse(NEVER_SENT.len() + excuse);
    }
    let place = if place.is_empty() { "the body" } else { place };
    let what = format!("the client accepts a response that breaks `{kind}` at {place}");
    responses.add("undocumented-accepted", pointer, status, what);
}

/// Sends each value that the client's enum has and the contract's does not.
async fn values(
    responses: &Responses<'_>,
    response: &Documented,
    headers: &[(String, String)],
    schema: &str,
    base: &Value,
    deviation: &Deviation,
) {
    let body = deviation.body.to_string();
    let outcome = responses
        .outcome(PreparedResponse {
            status: response.status,
            headers: headers.to_vec(),
            body: body.clone().into_bytes(),
        })
        .await;
    let fault = if response.is_success() {
        (outcome.unreadable)(body.as_bytes())
    } else {
        unreadable_error(body.as_bytes())
    };
    for value in fault.map(|fault| known_values(&fault.message)).unwrap_or_default() {
        let mut changed = base.clone();
        if let Some(at) = changed.pointer_mut(&deviation.place) {
            *at = json!(value);
        }
        if responses.contract.allows(schema, &changed) {
            continue;
        }
        if passes(responses, response.status, headers, changed.to_string().as_bytes()).await {
            let what = format!("the client knows {value} at {}, the document does not", deviation.place);
            responses.add("undocumented-accepted", &deviation.pointer, response.status, what);
        }
    }
}

/// Omits each required header, and sends another media type.
async fn about_headers(
    responses: &Responses<'_>,
    response: &Documented,
    headers: &[(String, String)],
    body: &str,
) {
    for (name, pointer) in Responses::required_headers(response) {
        let rest: Vec<_> = headers.iter().filter(|(other, _)| *other != name).cloned().collect();
        let passed = passes(responses, response.status, &rest, body.as_bytes()).await;
        judge(responses, response.status, "header-missing", &pointer, &name, passed);
    }
    let mut other = headers.to_vec();
    for (name, value) in &mut other {
        if name == "content-type" {
            "text/plain".clone_into(value);
        }
    }
    let passed = passes(responses, response.status, &other, body.as_bytes()).await;
    judge(responses, response.status, "media-type", &response.pointer, "Content-Type", passed);
}

/// Sends valid bodies with each undocumented status.
async fn statuses(responses: &Responses<'_>, documented: &[Documented]) {
    let keys = format!("{}/responses", responses.operation.pointer);
    let is_documented = |status: u16| {
        responses.contract.members(&keys).into_iter().any(|(key, _)| {
            key == status.to_string()
                || key == format!("{}XX", status / 100)
                || key == "default" && status >= 300
        })
    };
    let of = |success: bool| {
        let mut responses = documented.iter().filter(|response| response.is_success() == success);
        let response = responses.find(|response| !response.contents.is_empty())?;
        Some((full_headers(response), response.contents.first()?.samples.smallest.to_string()))
    };
    for (success, all) in [(true, 200..=226), (false, 300..=599)] {
        let Some((headers, body)) = of(success) else { continue };
        for status in all.filter(|status| is_status(*status) && !is_documented(*status)) {
            if passes(responses, status, &headers, body.as_bytes()).await {
                let what = "the client accepts a response with this status, which is not documented";
                responses.add("undocumented-accepted", &keys, status, what);
            }
        }
    }
}

/// Whether a status has a meaning in HTTP.
fn is_status(status: u16) -> bool {
    hyper::StatusCode::from_u16(status).is_ok_and(|status| status.canonical_reason().is_some())
}

/// Adds a finding for each entry of the tables that nothing needed.
pub(crate) fn unused(contract: &Contract, report: &Report) {
    let used = report.excused();
    let sent = NEVER_SENT.iter().map(|(format, keyword, _)| (*keyword, *format));
    let passed = EXCUSED.iter().map(|(kind, pointer, _)| (*kind, *pointer));
    for (place, (kind, pointer)) in sent.chain(passed).enumerate() {
        if !used.contains(&place) {
            let what =
                format!("`{kind}` at {pointer} is excused, but needs no excuse; remove it from the table");
            report.add("unused-excuse", contract.nearest(pointer), "client-leg", what);
        }
    }
}

/// Goes through a value along its schema and violates each keyword.
struct Walk<'a> {
    contract: &'a Contract,
    base: &'a Value,
    found: Vec<Deviation>,
}

impl Walk<'_> {
    /// Replaces the value at a place.
    fn put(&mut self, kind: &'static str, pointer: String, place: &str, value: Value) {
        let mut body = self.base.clone();
        if let Some(at) = body.pointer_mut(place) {
            *at = value;
            self.found.push(Deviation { kind, pointer, place: place.to_owned(), body });
        }
    }

    fn value(&mut self, schema: &str, value: &Value, place: &str) {
        let contract = self.contract;
        let pointer = contract.resolve(schema);
        for keyword in ["allOf", "oneOf", "anyOf"] {
            for part in contract.items(&format!("{pointer}/{keyword}")) {
                if contract.allows(&part, value) {
                    self.value(&part, value, place);
                }
            }
        }
        let other = if value.is_string() { json!(7) } else { json!("x") };
        self.put("type", format!("{pointer}/type"), place, other);
        let values = format!("{pointer}/enum");
        if contract.get(&values).is_array() {
            self.put("enum", values, place, json!("no_such_value"));
            self.put(
                "enum-as-object",
                format!("{pointer}/type"),
                place,
                json!({ value.as_str().unwrap_or("x"): null }),
            );
            return;
        }
        match value {
            Value::Object(members) => self.object(&pointer, members, place),
            Value::Array(items) => {
                if let Some(first) = items.first() {
                    self.value(&format!("{pointer}/items"), first, &format!("{place}/0"));
                }
                let first = items.first().cloned().unwrap_or_default();
                self.length(&pointer, ["minItems", "maxItems"], place, |count| {
                    vec![first.clone(); count].into()
                });
            }
            Value::String(text) => self.text(&pointer, text, place),
            Value::Number(_) => self.number(&pointer, place),
            _ => {}
        }
    }

    fn object(&mut self, pointer: &str, members: &serde_json::Map<String, Value>, place: &str) {
        for required in self.contract.items(&format!("{pointer}/required")) {
            let name = self.contract.text(&required);
            let mut rest = members.clone();
            rest.remove(name);
            self.put("required", required.clone(), place, Value::Object(rest));
        }
        let in_order: Vec<Value> = members.values().cloned().collect();
        self.put("object-as-array", format!("{pointer}/type"), place, Value::Array(in_order));
        let mut more = members.clone();
        more.insert("no_such_property".to_owned(), json!(true));
        self.put(
            "additionalProperties",
            format!("{pointer}/additionalProperties"),
            place,
            Value::Object(more),
        );
        let required = self.contract.texts(&format!("{pointer}/required"));
        for (name, value) in members {
            let property = push(&push(pointer, "properties"), name);
            let place = push(place, name);
            self.value(&property, value, &place);
            let kind = if required.contains(&name.as_str()) { "type" } else { "null" };
            self.put(kind, property, &place, Value::Null);
        }
    }

    /// One below the minimum and one above the maximum.
    fn length(
        &mut self,
        pointer: &str,
        [min, max]: [&'static str; 2],
        place: &str,
        of: impl Fn(usize) -> Value,
    ) {
        let bound = |keyword: &str| {
            let bound = self.contract.get(&format!("{pointer}/{keyword}")).as_u64();
            bound.and_then(|bound| usize::try_from(bound).ok()).filter(|bound| *bound < LENGTH_MAX)
        };
        let (least, most) = (bound(min), bound(max));
        if let Some(fewer) = least.and_then(|least| least.checked_sub(1)) {
            self.put(min, format!("{pointer}/{min}"), place, of(fewer));
        }
        if let Some(most) = most {
            self.put(max, format!("{pointer}/{max}"), place, of(most + 1));
        }
    }

    fn text(&mut self, pointer: &str, text: &str, place: &str) {
        self.length(pointer, ["minLength", "maxLength"], place, |count| {
            text.chars().cycle().take(count).collect::<String>().into()
        });
        if !self.contract.get(&format!("{pointer}/format")).is_null() {
            self.put("format", format!("{pointer}/format"), place, json!("no such thing"));
        }
        let pattern = format!("{pointer}/pattern");
        if self.contract.get(&pattern).is_string() {
            for wrong in ["\u{1}", "!", "U", "é"] {
                let rest: String = text.chars().skip(1).collect();
                self.put("pattern", pattern.clone(), place, json!(format!("{wrong}{rest}")));
            }
        }
    }

    fn number(&mut self, pointer: &str, place: &str) {
        for (keyword, step) in [("minimum", -1.0), ("maximum", 1.0)] {
            let bound = format!("{pointer}/{keyword}");
            let Some(number) = self.contract.get(&bound).as_f64() else { continue };
            self.put(keyword, bound.clone(), place, json!(number + step));
            #[expect(clippy::cast_possible_truncation, reason = "a bound beyond it is tried as a decimal")]
            let whole = (number + step) as i64;
            self.put(keyword, bound, place, json!(whole));
        }
        self.put("decimals", format!("{pointer}/type"), place, json!(1.5));
    }
}
