//! The document leg: checks `openapi.json` without a server or client.
//!
//! `openapi-drift` checks the rules for every OpenAPI document. This module checks in addition that the extension fields
//! that the server and the tests read are present.

use std::collections::BTreeSet;

use openapi_drift::extensions::{
    ERROR_CODES, MAX_BODY_BYTES, REQUIRED_SCOPE, REQUIRED_SCOPE_FOR, REQUIRES_AUTHENTICATED_SESSION,
};
use openapi_drift::read::Operation;
use openapi_drift::{Document, Node};

/// A problem of a document: pointer, rule and message.
pub(crate) type Problem = (String, String, String);

/// Every problem of a document.
pub(crate) fn problems(document: &Document) -> Vec<Problem> {
    let lint = document.lint();
    let all = document.problems().iter().chain(&lint);
    let mut problems: Vec<Problem> = all
        .map(|problem| (problem.pointer.clone(), problem.rule.to_owned(), problem.message.clone()))
        .collect();
    extensions(document, &mut problems);
    for operation in document.operations() {
        scopes_for_properties(&operation, &mut problems);
    }
    problems.sort();
    problems.dedup();
    problems
}

/// Reports each extension field that is absent where it is required, or present where it has no meaning.
fn extensions(document: &Document, problems: &mut Vec<Problem>) {
    let mut check = |node: &Node<'_>, name: &str, required: bool, condition: &str| {
        let (rule, message) = match (required, node.get(name).is_some()) {
            (true, false) => {
                ("extension-missing", format!("{name} is missing, although {condition}; add it"))
            }
            (false, true) => {
                ("extension-unneeded", format!("{name} has no meaning unless {condition}; remove it"))
            }
            _ => return,
        };
        problems.push((node.pointer.clone(), rule.to_owned(), message));
    };
    for operation in document.operations() {
        let security = operation.security();
        let schemes: BTreeSet<&str> = security.iter().flat_map(|one| one.keys().copied()).collect();
        for (name, scheme) in [(REQUIRED_SCOPE, "api_key"), (REQUIRES_AUTHENTICATED_SESSION, "session_token")]
        {
            let condition = format!("the operation's security lists {scheme}");
            check(&operation.node, name, schemes.contains(scheme), &condition);
        }
        if let Some(body) = operation.request_body() {
            check(&body.node, MAX_BODY_BYTES, true, "this is a request body");
        }
        for response in operation.responses() {
            let is_error = response.status.starts_with(['4', '5']);
            let has_json = response.content().iter().any(|media_type| media_type.name.contains("json"));
            check(&response.node, ERROR_CODES, is_error && has_json, "an error has a JSON body");
        }
    }
}

/// Reports further scopes of an operation that no request can need: without API keys, or for a property that the body does
/// not have.
fn scopes_for_properties(operation: &Operation<'_>, problems: &mut Vec<Problem>) {
    let Some(scopes) = operation.node.get(REQUIRED_SCOPE_FOR) else { return };
    if operation.node.get(REQUIRED_SCOPE).is_none() {
        let message =
            format!("{REQUIRED_SCOPE_FOR} has no meaning unless there is {REQUIRED_SCOPE}; remove it");
        problems.push((scopes.pointer.clone(), "extension-unneeded".to_owned(), message));
    }
    let media_types = operation.request_body().map(|body| body.content()).unwrap_or_default();
    let schemas = media_types.iter().filter_map(|media_type| media_type.schema()?.resolve().ok());
    let properties: BTreeSet<&str> =
        schemas.flat_map(|schema| schema.map("properties").into_keys()).collect();
    for (name, node) in scopes.members().filter(|(name, _)| !properties.contains(name)) {
        let message =
            format!("the request body has no property {name}; name one that it has, or remove this");
        problems.push((node.pointer, "extension-property-unknown".to_owned(), message));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The rules and pointers of the problems of a small, valid contract after a change.
    fn problems_after(change: impl FnOnce(&mut Value)) -> Vec<(String, String)> {
        let body = json!({ "application/json": {
            "schema": { "type": "object", "properties": { "name": { "type": "string" } } },
        } });
        let error = json!({ "description": "Wrong", "content": body, "x-error-codes": ["a", "b"] });
        let mut document = json!({
            "openapi": "3.0.3", "info": { "title": "t", "version": "1.0.0" }, "tags": [{ "name": "t" }],
            "paths": { "/a": { "post": {
                "operationId": "a", "summary": "A", "tags": ["t"],
                "security": [{ "api_key": [] }, { "session_token": [] }],
                "x-required-scope": "a:write", "x-required-scope-for": { "name": "a:name" }, "x-requires-authenticated-session": true,
                "requestBody": { "content": body, "x-max-body-bytes": 1024 },
                "responses": { "204": { "description": "Done" }, "400": error, "500": error },
            } } },
            "components": { "securitySchemes": {
                "api_key": { "type": "http", "scheme": "bearer" },
                "session_token": { "type": "http", "scheme": "bearer" },
            } },
        });
        change(&mut document);
        let document = Document::parse(&document.to_string()).unwrap();
        problems(&document).into_iter().map(|(pointer, rule, _)| (rule, pointer)).collect()
    }

    #[test]
    fn the_contract_and_the_small_contract_have_no_problem() {
        let contract = Document::parse(include_str!("../../openapi.json")).unwrap();
        assert_eq!(problems(&contract), []);
        assert_eq!(problems_after(|_| {}), []);
    }

    /// The rule that is violated, the pointer within the operation, and the change of the operation that violates it.
    type Case = (&'static str, &'static str, fn(&mut Value));

    #[test]
    fn each_extension_is_required_where_it_applies_and_only_there() {
        let cases: [Case; 16] = [
            ("extension-missing", "", |operation| {
                operation.as_object_mut().unwrap().remove("x-required-scope");
            }),
            ("extension-missing", "", |operation| {
                operation.as_object_mut().unwrap().remove("x-requires-authenticated-session");
            }),
            ("extension-missing", "/requestBody", |operation| {
                operation["requestBody"].as_object_mut().unwrap().remove("x-max-body-bytes");
            }),
            ("extension-missing", "/responses/400", |operation| {
                operation["responses"]["400"].as_object_mut().unwrap().remove("x-error-codes");
            }),
            ("extension-missing", "/responses/500", |operation| {
                operation["responses"]["500"].as_object_mut().unwrap().remove("x-error-codes");
            }),
            ("extension-unneeded", "", |operation| operation["security"] = json!([{ "session_token": [] }])),
            ("extension-unneeded", "", |operation| operation["security"] = json!([{ "api_key": [] }])),
            ("extension-unneeded", "/responses/204", |operation| {
                operation["responses"]["204"]["x-error-codes"] = json!(["a"]);
            }),
            ("malformed-extension", "/x-required-scope", |operation| {
                operation["x-required-scope"] = json!("");
            }),
            ("malformed-extension", "/x-required-scope-for", |operation| {
                operation["x-required-scope-for"] = json!({});
            }),
            ("extension-property-unknown", "/x-required-scope-for/title", |operation| {
                operation["x-required-scope-for"] = json!({ "title": "a:name" });
            }),
            ("extension-unneeded", "/x-required-scope-for", |operation| {
                operation.as_object_mut().unwrap().remove("x-required-scope");
            }),
            ("malformed-extension", "/x-requires-authenticated-session", |operation| {
                operation["x-requires-authenticated-session"] = json!("yes");
            }),
            ("malformed-extension", "/requestBody/x-max-body-bytes", |operation| {
                operation["requestBody"]["x-max-body-bytes"] = json!(0);
            }),
            ("malformed-extension", "/responses/400/x-error-codes", |operation| {
                operation["responses"]["400"]["x-error-codes"] = json!(["a", "a"]);
            }),
            ("operation-incomplete", "", |operation| operation["summary"] = json!(" ")),
        ];
        for (rule, pointer, change) in cases {
            let found = problems_after(|document| change(&mut document["paths"]["/a"]["post"]));
            let expected = (rule.to_owned(), format!("/paths/~1a/post{pointer}"));
            assert!(found.contains(&expected), "{expected:?} is not among {found:?}");
        }
    }
}
