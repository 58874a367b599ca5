//! Reading and changing the parts of requests and responses.

use std::sync::OnceLock;

use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use crate::contract::Contract;
use crate::proxy::{Request, Response};
use crate::tokens;

/// A JSON object.
pub(crate) type Object = Map<String, Value>;

impl Request {
    /// The `operationId` of the operation that this is a request of, if it is one.
    pub(crate) fn operation_id(&self) -> Option<&'static str> {
        static CONTRACT: OnceLock<Contract> = OnceLock::new();
        let contract = CONTRACT.get_or_init(Contract::load);
        contract.operation_for(self.method.as_str(), &self.target).map(|operation| operation.id.as_str())
    }

    /// Whether this is a request of one of these operations.
    pub(crate) fn is_of(&self, operation_ids: &[&str]) -> bool {
        self.operation_id().is_some_and(|id| operation_ids.contains(&id))
    }

    /// The path without the query.
    fn path(&self) -> &str {
        self.target.split_once('?').map_or(&self.target, |(path, _)| path)
    }

    /// The session ID in the path, valid or not.
    pub(crate) fn session_id(&self) -> Option<&str> {
        self.path().strip_prefix("/api/v1/session/")?.split('/').next()
    }

    /// Puts another session ID into the path, if it has one.
    pub(crate) fn set_session_id(&mut self, id: &str) {
        if let Some(old) = self.session_id() {
            self.target = self.target.replacen(&format!("/session/{old}"), &format!("/session/{id}"), 1);
        }
    }

    /// Changes the names and values of the query, percent-encoded as they are in the URL.
    pub(crate) fn edit_query(&mut self, change: impl FnOnce(&mut Vec<(String, String)>)) {
        let Some((path, query)) = self.target.split_once('?') else { return };
        let split =
            |pair: &str| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        let Some(mut pairs) = query.split('&').map(split).collect::<Option<Vec<_>>>() else { return };
        change(&mut pairs);
        let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.target = if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) };
    }

    /// The value of a query parameter, percent-encoded.
    pub(crate) fn query_value(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        query
            .split('&')
            .find_map(|pair| pair.split_once('=').filter(|(known, _)| *known == name))
            .map(|(_, value)| value)
    }

    /// Changes the body, if it is a JSON object.
    pub(crate) fn edit_body(&mut self, change: impl FnOnce(&mut Object)) {
        let Ok(mut body) = serde_json::from_slice::<Object>(&self.body) else { return };
        let before = body.clone();
        change(&mut body);
        if body != before {
            self.body = Value::Object(body).to_string().into();
        }
    }

    /// The member of the body, if the body is a JSON object and has it.
    pub(crate) fn body_member(&self, name: &str) -> Option<Value> {
        serde_json::from_slice::<Object>(&self.body).ok()?.remove(name)
    }

    /// The bearer token, if there is exactly one credential.
    pub(crate) fn token(&self) -> Option<&str> {
        let mut values = self.headers.get_all(AUTHORIZATION).iter();
        let token = values.next()?.to_str().ok()?.strip_prefix("Bearer ")?;
        values.next().is_none().then_some(token)
    }

    /// The session that the bearer token is of, if it has the form of a session token.
    pub(crate) fn session_of_token(&self) -> Option<&str> {
        self.token().filter(|token| tokens::is_session_token(token)).and_then(tokens::id_of)
    }

    /// The same request with another bearer token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        let mut request = self.clone();
        request.set_token(token);
        request
    }

    /// Replaces the bearer token.
    pub(crate) fn set_token(&mut self, token: &str) {
        if let Ok(value) = HeaderValue::from_str(&format!("Bearer {token}")) {
            self.headers.insert(AUTHORIZATION, value);
        }
    }
}

impl Response {
    /// The code of an error.
    pub(crate) fn code(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Replaces one status by another.
    pub(crate) fn replace_status(&mut self, from: u16, to: u16) {
        if self.status.as_u16() == from {
            self.status = StatusCode::from_u16(to).unwrap_or_default();
        }
    }

    /// Sets a header.
    pub(crate) fn set_header(&mut self, name: HeaderName, value: &'static str) {
        self.headers.insert(name, HeaderValue::from_static(value));
    }

    /// The body as JSON; null if it is not.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    fn edit_json(&mut self, change: impl FnOnce(&mut Value)) {
        let Ok(mut body) = serde_json::from_slice::<Value>(&self.body) else { return };
        let before = body.clone();
        change(&mut body);
        if body != before {
            self.body = body.to_string().into();
        }
    }

    /// Changes the body of a success.
    pub(crate) fn edit_success(&mut self, change: impl FnOnce(&mut Value)) {
        if self.status.is_success() {
            self.edit_json(change);
        }
    }

    /// Changes each object of this name at any depth in the body of a success.
    pub(crate) fn edit_each(&mut self, name: &str, change: impl Fn(&mut Object)) {
        self.edit_success(|body| each(body, name, &change));
    }

    /// Changes the body of an error.
    pub(crate) fn edit_error(&mut self, change: impl FnOnce(&mut Object)) {
        if !self.status.is_success() {
            self.edit_json(|body| {
                if let Some(body) = body.as_object_mut() {
                    change(body);
                }
            });
        }
    }

    /// Replaces one code of an error by another.
    pub(crate) fn replace_code(&mut self, from: &str, to: &str) {
        self.edit_error(|error| {
            if error.get("code").is_some_and(|code| code == from) {
                error.insert("code".to_owned(), to.into());
            }
        });
    }
}

fn each(value: &mut Value, name: &str, change: &impl Fn(&mut Object)) {
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

/// Changes the text of this name in an object, if there is one.
pub(crate) fn edit_text(object: &mut Object, name: &str, change: impl FnOnce(&mut String)) {
    if let Some(Value::String(text)) = object.get_mut(name) {
        change(text);
    }
}
