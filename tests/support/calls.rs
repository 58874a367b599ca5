//! A valid request of each operation.

use reqwest::Method;
use serde_json::{Value, json};

use crate::contract::Contract;
use crate::seed;

/// A request of an operation.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its method.
    pub method: Method,
    /// Its path.
    pub path: String,
    /// Its body, if it has one.
    pub body: Option<Value>,
    /// Whether it names a session.
    pub names_session: bool,
}

/// The ID of each operation of `openapi.json`.
pub fn operation_ids() -> Vec<String> {
    let contract = Contract::load();
    let paths = contract.document()["paths"].as_object().unwrap();
    let operations = paths.values().flat_map(|item| item.as_object().unwrap().values());
    operations.map(|operation| operation["operationId"].as_str().unwrap().to_owned()).collect()
}

/// A valid request of the operation, about the session with this ID where it names one. Panics for an operation
/// that is not listed here: whoever adds one adds its request.
pub fn call(operation_id: &str, session_id: &str) -> Call {
    let own = format!("/api/v1/session/{session_id}");
    let who = json!({ "account_id": seed::ACCOUNT_ID, "authenticated_identity_id": seed::IDENTITY_ID });
    let (method, path, body) = match operation_id {
        "fetch_session" => (Method::GET, own.clone(), None),
        "fetch_own_session" => (Method::GET, "/api/v1/whoami".to_owned(), None),
        "list_sessions" => (Method::GET, "/api/v1/session".to_owned(), None),
        "create_session" => {
            (Method::POST, "/api/v1/session".to_owned(), Some(json!({ "session_type": "browser" })))
        }
        "authenticate_session" => (Method::POST, format!("{own}/authenticate"), Some(who)),
        "record_interaction" => (Method::POST, format!("{own}/interaction"), Some(json!({}))),
        "complete_session" => (Method::POST, format!("{own}/complete"), None),
        "revoke_session" => (Method::POST, format!("{own}/revoke"), None),
        "revoke_sessions" => {
            (Method::POST, "/api/v1/revocation".to_owned(), Some(json!({ "account_id": seed::ACCOUNT_ID })))
        }
        other => panic!("{other}: there is no request of it in tests/support/calls.rs"),
    };
    Call { method, names_session: path.contains(session_id), path, body }
}
