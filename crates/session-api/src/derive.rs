//! The OpenAPI document that the server describes, for the gate to compare with `openapi.json`.

use schemars::r#gen::SchemaSettings;
use serde_json::{Map, Value, json};
use session_types::ErrorCode;
use strum::VariantArray;

use crate::body::REQUEST_BODY_MAX_BYTES;
use crate::contract::session_api_mod;
use crate::operation::{Operation, ScopeFor, SessionTokenUse};
use crate::reply::{headers, statuses_of};
use crate::types::ErrorBody;

/// The contract. Its title and version are the server's as well.
const CONTRACT: &str = include_str!("../../../openapi.json");

/// No document can be derived: this crate contradicts itself, which a test rules out.
#[derive(Debug, thiserror::Error)]
#[error("the server's OpenAPI document cannot be derived: {0}")]
pub struct DeriveError(String);

fn failed(error: impl std::fmt::Display) -> DeriveError {
    DeriveError(error.to_string())
}

/// The document that dropshot derives from [`SessionApi`](crate::SessionApi), with what dropshot cannot describe: headers,
/// each error by its status, security, and the extensions of the contract. All of it comes from the code that the
/// server runs: [`Operation`], [`reply`](crate::Reply) and the extractors.
pub fn derived_openapi() -> Result<Value, DeriveError> {
    let contract: Value = serde_json::from_str(CONTRACT).map_err(failed)?;
    let text = |field: &str| contract["info"][field].as_str().unwrap_or_default();
    let version: semver::Version = text("version").parse().map_err(failed)?;
    let api = session_api_mod::stub_api_description().map_err(failed)?;
    let mut document = api.openapi(text("title"), version).json().map_err(failed)?;
    without_nullable(&mut document);

    // dropshot describes its own error, which no handler returns.
    let mut error = SchemaSettings::openapi3().into_generator().into_root_schema_for::<ErrorBody>();
    error.schema.metadata().title = None;
    for (name, schema) in error.definitions {
        document["components"]["schemas"][name] = json!(schema);
    }
    document["components"]["schemas"]["Error"] = json!(error.schema);
    document["components"]["securitySchemes"] = security_schemes();
    if let Some(components) = document["components"].as_object_mut() {
        components.remove("responses");
    }
    let items = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    for operation in items.filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        let id = operation["operationId"].as_str().unwrap_or_default();
        let id: Operation = id.parse().map_err(|_| failed(format!("{id} is not a variant of Operation")))?;
        describe(id, operation);
    }
    Ok(document)
}

/// Adds to an operation what dropshot does not describe.
fn describe(operation: Operation, derived: &mut Value) {
    let mut security = Vec::new();
    if let Some(scope) = operation.required_scope() {
        security.push(json!({ "api_key": [] }));
        derived["x-required-scope"] = json!(scope);
        if let Some(ScopeFor { properties, scope }) = operation.required_scope_for() {
            derived["x-required-scope-for"] = properties.iter().map(|name| (*name, json!(scope))).collect();
        }
    }
    let token_use = operation.session_token_use();
    if token_use != SessionTokenUse::None {
        security.push(json!({ "session_token": [] }));
        derived["x-requires-authenticated-session"] = json!(token_use == SessionTokenUse::Account);
    }
    derived["security"] = security.into();
    if let Some(body) = derived.get_mut("requestBody") {
        body["x-max-body-bytes"] = json!(REQUEST_BODY_MAX_BYTES);
    }
    let Some(responses) = derived["responses"].as_object_mut() else { return };
    responses.retain(|status, _| status.starts_with('2'));
    for (status, response) in responses.iter_mut() {
        response["headers"] = headers(status.parse().unwrap_or_default());
    }
    for status in operation.error_statuses() {
        let codes = ErrorCode::VARIANTS.iter().filter(|code| statuses_of(**code).contains(status));
        let mut codes: Vec<&str> = codes.map(AsRef::as_ref).collect();
        codes.sort_unstable();
        let response = json!({
            "description": codes.join(", "),
            "headers": headers(*status),
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
            "x-error-codes": codes,
        });
        responses.insert(status.to_string(), response);
    }
}

fn security_schemes() -> Value {
    json!({
        "api_key": { "type": "http", "scheme": "bearer", "bearerFormat": "ssk_ and 91 characters" },
        "session_token": { "type": "http", "scheme": "bearer", "bearerFormat": "sst_ and 91 characters" },
    })
}

/// Removes `nullable`, which schemars writes for every `Option`. A property that is absent is left out of a response, and
/// [`JsonBody`](crate::JsonBody) refuses every `null`; the wire leg of the gate checks both on a running server.
fn without_nullable(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, value| !(name == "nullable" && value.is_boolean()));
            members.values_mut().for_each(without_nullable);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nullable),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_an_endpoint_of_the_trait_and_the_other_way_round() {
        let document = derived_openapi().unwrap();
        let items = document["paths"].as_object().unwrap().values();
        let operations = items.flat_map(|item| item.as_object().unwrap().values());
        let mut ids: Vec<&str> =
            operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
        let mut variants: Vec<&str> = Operation::VARIANTS.iter().map(AsRef::as_ref).collect();
        ids.sort_unstable();
        variants.sort_unstable();
        assert_eq!(ids, variants);
    }
}
