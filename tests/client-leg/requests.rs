//! Checks each request of the client against the contract.

use std::collections::BTreeSet;

use openapi_drift::validate::ValueError;
use serde_json::Value;
use session_test_support::coverage::{Visit, wanted};
use session_test_support::{Contract, Operation, Parameter};

use crate::fake::Captured;
use crate::report::Report;
use crate::values::unescaped;

/// Headers of HTTP itself, and `api-version`, which progenitor always sends and whose value is checked.
const OF_HTTP: [&str; 9] = [
    "accept",
    "accept-encoding",
    "api-version",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "host",
    "user-agent",
];

/// Checks the requests of one operation.
pub(crate) struct Judge<'a> {
    pub(crate) contract: &'a Contract,
    pub(crate) report: &'a Report,
    pub(crate) operation: &'a Operation,
    /// The token that the client was given.
    pub(crate) token: &'a str,
    /// The pointers of everything that was sent so far.
    pub(crate) sent: BTreeSet<String>,
    /// Whether any request was one of this operation.
    pub(crate) judged: bool,
}

impl Judge<'_> {
    fn add(&self, rule: &'static str, pointer: &str, what: impl Into<String>) {
        self.report.add(rule, self.contract.nearest(pointer), &self.operation.id, what);
    }

    /// Checks a request.
    pub(crate) fn judge(&mut self, request: &Captured) {
        self.report.check();
        let operation = self.operation;
        let Some(segments) = path_values(&operation.path, &request.path) else {
            let what = format!("the client calls {} {}, which is another path", request.method, request.path);
            return self.add("undocumented-request", &operation.pointer, what);
        };
        if request.method != operation.method {
            let what = format!("the client calls it with the method {}", request.method);
            return self.add("undocumented-request", &operation.pointer, what);
        }
        self.judged = true;
        self.parameters(request, &segments);
        self.headers(request);
        self.authorization(request);
        self.body(request);
    }

    fn parameters(&mut self, request: &Captured, segments: &[(String, String)]) {
        let query: Vec<(String, String)> =
            form_urlencoded::parse(request.query.as_bytes()).into_owned().collect();
        let declared = self.operation.parameters.clone();
        let is_declared =
            |place: &str, name: &str| declared.iter().any(|own| own.location == place && own.name == name);
        for (place, sent) in [("path", segments), ("query", &query)] {
            for (name, _) in sent.iter().filter(|(name, _)| !is_declared(place, name)) {
                let what = format!("the {place} parameter {name} is sent, but not declared");
                self.add("undeclared-parameter", &format!("{}/parameters", self.operation.pointer), what);
            }
        }
        for name in request.headers.keys().map(hyper::header::HeaderName::as_str) {
            let header = |own: &Parameter| own.location == "header" && own.name.eq_ignore_ascii_case(name);
            if !OF_HTTP.contains(&name) && !declared.iter().any(header) {
                let what = format!("the header {name} is sent, but not declared");
                self.add("undeclared-parameter", &format!("{}/parameters", self.operation.pointer), what);
            }
        }
        for parameter in &declared {
            let of = |sent: &[(String, String)]| -> Vec<String> {
                sent.iter()
                    .filter(|(name, _)| *name == parameter.name)
                    .map(|(_, text)| text.clone())
                    .collect()
            };
            let texts = match parameter.location.as_str() {
                "path" => of(segments),
                "query" => of(&query),
                "header" => {
                    let values = request.headers.get_all(&parameter.name).into_iter();
                    values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
                }
                _ => Vec::new(),
            };
            if texts.is_empty() {
                if parameter.required {
                    let what = format!("the required parameter {} is not sent", parameter.name);
                    self.add("parameter-missing", &parameter.pointer, what);
                }
                continue;
            }
            self.sent.insert(parameter.pointer.clone());
            let value = self.decoded(&parameter.schema, &texts);
            let name = format!("parameter {}", parameter.name);
            self.value(["parameter-invalid", "undeclared-property"], &name, &parameter.schema, &value);
        }
    }

    /// The value of the texts of a parameter, by its schema.
    fn decoded(&self, schema: &str, texts: &[String]) -> Value {
        if self.contract.text(&self.contract.child(schema, "type")) == "array" {
            let items = self.contract.child(schema, "items");
            return texts.iter().map(|text| self.plain(&items, text)).collect();
        }
        match texts {
            [text] => self.plain(schema, text),
            _ => texts.iter().map(String::as_str).collect(),
        }
    }

    /// The value of one text, by its schema.
    fn plain(&self, schema: &str, text: &str) -> Value {
        let kind = self.contract.text(&self.contract.child(schema, "type"));
        let plain = Value::from(text);
        if kind == "string" || kind.is_empty() && self.contract.allows(schema, &plain) {
            return plain;
        }
        serde_json::from_str::<Value>(text).ok().filter(|value| !value.is_string()).unwrap_or(plain)
    }

    fn headers(&self, request: &Captured) {
        let header = |name: &str| {
            let value = request.headers.get(name).map(hyper::header::HeaderValue::as_bytes);
            String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
        };
        let version = self.contract.text("/info/version");
        if header("api-version") != version {
            let what = format!("the client is one of version {}, not {version}", header("api-version"));
            self.add("version-differs", "/info/version", what);
        }
        let accepted = header("accept");
        let responses = format!("{}/responses", self.operation.pointer);
        for (status, response) in self.contract.members(&responses) {
            for (media, _) in self.contract.members(&self.contract.child(&response, "content")) {
                if !accepted.split(',').any(|one| matches!(one.trim(), "*/*") || one.trim() == media) {
                    let what = format!(
                        "the client does not accept {media}, the media type of the response {status}"
                    );
                    self.add("not-accepted", &response, what);
                }
            }
        }
    }

    fn authorization(&self, request: &Captured) {
        let pointer = &self.operation.security_pointer;
        let sent = request.headers.get("authorization").map(hyper::header::HeaderValue::as_bytes);
        let schemes: Vec<&String> = self.operation.security.iter().flatten().collect();
        if schemes.is_empty() {
            if sent.is_some() {
                self.add("authorization", pointer, "a token is sent, but no security is declared");
            }
            return;
        }
        for name in schemes {
            let scheme = self.contract.child("/components/securitySchemes", name);
            let kind = self.contract.text(&self.contract.child(&scheme, "type"));
            let word = self.contract.text(&self.contract.child(&scheme, "scheme"));
            if kind != "http" || !word.eq_ignore_ascii_case("bearer") {
                let what =
                    format!("the security scheme {name} is not a bearer token, which the client sends");
                self.add("authorization", &scheme, what);
            }
        }
        if sent != Some(format!("Bearer {}", self.token).as_bytes()) {
            self.add(
                "authorization",
                pointer,
                "the request does not have the token that the client was given",
            );
        }
    }

    fn body(&mut self, request: &Captured) {
        let member = format!("{}/requestBody", self.operation.pointer);
        if self.contract.get(&member).is_null() {
            if !request.body.is_empty() {
                self.add("undeclared-body", &self.operation.pointer, "a body is sent, but none is declared");
            }
            return;
        }
        let declared = self.contract.resolve(&member);
        if request.body.is_empty() {
            if self.contract.get(&format!("{declared}/required")) == &Value::Bool(true) {
                self.add("body-missing", &declared, "the required body is not sent");
            }
            return;
        }
        self.sent.insert(declared.clone());
        let media = request.headers.get("content-type").map(hyper::header::HeaderValue::as_bytes);
        let media = String::from_utf8_lossy(media.unwrap_or_default()).into_owned();
        let media = media.split(';').next().unwrap_or_default().trim();
        let content = self.contract.child(&format!("{declared}/content"), media);
        if self.contract.get(&content).is_null() {
            let what = format!("the body is sent as {media}, which is not documented");
            return self.add("undeclared-media-type", &format!("{declared}/content"), what);
        }
        self.sent.insert(content.clone());
        let schema = self.contract.child(&content, "schema");
        let Ok(value) = serde_json::from_slice::<Value>(&request.body) else {
            return self.add("body-invalid", &content, "the body is not JSON");
        };
        self.value(["body-invalid", "undeclared-property"], "body", &schema, &value);
    }

    /// Validates a parameter or body and notes what it shows.
    fn value(&mut self, [invalid, unlisted]: [&'static str; 2], name: &str, schema: &str, value: &Value) {
        for ValueError { keyword, instance, message } in self.contract.errors(schema, value) {
            self.add(invalid, &keyword, format!("the {name} is not valid: {instance:?}: {message}"));
        }
        let mut visit = Visit { contract: self.contract, seen: BTreeSet::new(), unlisted: Vec::new() };
        visit.value(schema, value, "");
        self.sent.append(&mut visit.seen);
        for (pointer, place) in visit.unlisted {
            self.add(unlisted, &pointer, format!("the {name} has the property {place}, which is not listed"));
        }
    }

    /// A name for people of what is at a pointer.
    fn named(&self, pointer: &str) -> String {
        let name = self.contract.text(&format!("{pointer}/name"));
        if !name.is_empty() {
            return format!("the parameter {name}");
        }
        let parts: Vec<&str> = pointer.rsplitn(3, '/').collect();
        let [last, kind, holder] = parts.as_slice() else { return pointer.to_owned() };
        match *kind {
            "properties" => format!("the property {last} of {holder}"),
            "enum" => format!("{} of {holder}", self.contract.get(pointer)),
            _ => format!("{kind}/{last} of {holder}"),
        }
    }

    /// Adds a finding for each part of the operation that no request sent, if any request was made.
    pub(crate) fn finish(&self, excused: &[(&str, &str, &str)]) {
        if !self.judged {
            return;
        }
        for pointer in wanted(self.contract, self.operation) {
            self.report.check();
            let excuse = excused.iter().position(|(format, keyword, _)| {
                let schema = pointer.strip_suffix(keyword).and_then(|rest| rest.strip_suffix('/'));
                schema.is_some_and(|schema| self.contract.text(&format!("{schema}/format")) == *format)
            });
            let sent = self.sent.contains(&pointer);
            match excuse {
                Some(place) if !sent => self.report.excuse(place),
                _ if !sent => {
                    let what =
                        format!("no request of tests/client-leg/calls.rs sends {}", self.named(&pointer));
                    self.add("never-sent", &pointer, what);
                }
                _ => {}
            }
        }
    }
}

/// The values of a template's parameters in a path; `None` if the path does not match.
fn path_values(template: &str, path: &str) -> Option<Vec<(String, String)>> {
    let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    if template.len() != path.len() {
        return None;
    }
    let mut values = Vec::new();
    for (want, got) in template.into_iter().zip(path) {
        match want.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) => values.push((name.to_owned(), unescaped(got))),
            None if want == got => {}
            None => return None,
        }
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_gives_the_values_of_its_template() {
        let values = path_values("/session/{id}/revoke", "/session/a%2Fb/revoke").unwrap();
        assert_eq!(values, [("id".to_owned(), "a/b".to_owned())]);
        assert_eq!(path_values("/session/{id}", "/session/a/b"), None);
        assert_eq!(path_values("/session", "/sessions"), None);
    }
}
