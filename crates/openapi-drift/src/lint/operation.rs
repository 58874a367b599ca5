//! Operations: what each must have, and their parameters, paths and security.

use std::collections::{BTreeMap, BTreeSet};

use super::problems::Problems;
use super::values;
use crate::fields::{METHODS, Object};
use crate::node::Node;
use crate::pointer::push;
use crate::read;
use crate::rules::rule;

/// Reports the problems of paths and of the operations under them.
pub(super) fn check(problems: &mut Problems<'_>) {
    let root = problems.document.root();
    let mut ids: BTreeSet<&str> = BTreeSet::new();
    let mut templates: BTreeMap<String, &str> = BTreeMap::new();
    requirements(problems, &root);
    let declared: Vec<_> = root.list("tags").iter().filter_map(|tag| tag.text("name")).collect();
    let mut operations = 0;
    for (path, item) in root.map("paths").into_iter().filter(|(path, _)| !path.starts_with("x-")) {
        if let Some(other) = templates.insert(read::nameless(path), path) {
            let what = format!("{other} is the same path; merge the two");
            problems.report(&item.pointer, rule!("duplicate-path"), what);
        }
        let Ok(item) = item.resolve() else { continue };
        for method in METHODS {
            let Some(operation) = item.get(method) else { continue };
            operations += 1;
            requirements(problems, &operation);
            complete(problems, &operation);
            for tag in operation.list("tags") {
                if !tag.value.as_str().is_some_and(|name| declared.contains(&name)) {
                    let what = format!("the document's tags do not list {}; add it there", tag.value);
                    problems.report(&operation.pointer, rule!("tag-undeclared"), what);
                }
            }
            if let Some(id) = operation.text("operationId")
                && !ids.insert(id)
            {
                let what = format!("another operation has the ID {id:?}; rename one of them");
                let at = push(&operation.pointer, "operationId");
                problems.report(&at, rule!("duplicate-operation-id"), what);
            }
            if ["get", "head", "delete"].contains(&method) && operation.get("requestBody").is_some() {
                let method = method.to_uppercase();
                let what =
                    format!("the body of a {method} request has no meaning (RFC 9110, 9.3); remove it");
                problems.report(&push(&operation.pointer, "requestBody"), rule!("meaningless-body"), what);
            }
            path_parameters(problems, path, &item, &operation);
        }
    }
    if operations == 0 {
        problems.report("/paths", rule!("no-operation"), "the document has no operation; add one");
    }
}

/// Reports what an operation lacks that its clients need.
fn complete(problems: &mut Problems<'_>, operation: &Node<'_>) {
    let mut lacks = Vec::new();
    for field in ["operationId", "summary"] {
        if operation.text(field).is_none_or(|text| text.trim().is_empty()) {
            lacks.push(format!("every operation must have the field {field:?}; add it"));
        }
    }
    if operation.list("tags").is_empty() {
        lacks.push("every operation must have a tag; add one".to_owned());
    }
    let responses = operation.map("responses");
    for (class, name) in [('4', "client"), ('5', "server")] {
        if !responses.keys().any(|status| status.starts_with(class) || *status == "default") {
            lacks.push(format!("every operation must describe a {name} error; add a {class}XX response"));
        }
    }
    for what in lacks {
        problems.report(&operation.pointer, rule!("operation-incomplete"), what);
    }
}

fn requirements(problems: &mut Problems<'_>, owner: &Node<'_>) {
    let schemes =
        owner.lookup("/components").map(|components| components.map("securitySchemes")).unwrap_or_default();
    for requirement in owner.list("security") {
        for (name, scopes) in requirement.members() {
            let Some(scheme) = schemes.get(name).and_then(|node| node.resolve().ok()) else {
                let what =
                    format!("the document has no security scheme {name:?}; add it, or correct the name");
                problems.report(&scopes.pointer, rule!("unknown-scheme"), what);
                continue;
            };
            let flows = scheme.map("flows");
            let known: BTreeSet<&str> =
                flows.values().flat_map(|flow| flow.map("scopes").into_keys()).collect();
            let oauth = scheme.text("type") == Some("oauth2");
            let open = scheme.text("type") == Some("openIdConnect");
            for scope in requirement.list(name) {
                let text = scope.value.as_str().unwrap_or_default();
                if !(open || oauth && known.contains(text)) {
                    let what =
                        format!("the security scheme {name:?} has no scope {text:?}; correct the name");
                    problems.report(&scope.pointer, rule!("unknown-scope"), what);
                }
            }
        }
    }
}

fn path_parameters(problems: &mut Problems<'_>, path: &str, item: &Node<'_>, operation: &Node<'_>) {
    let names: BTreeSet<&str> = read::template_names(path).into_iter().collect();
    let mut declared = BTreeSet::new();
    for owner in [item, operation] {
        let mut own = BTreeSet::new();
        for node in owner.list("parameters") {
            let Ok(parameter) = node.resolve() else { continue };
            let (kind, name) =
                (parameter.text("in").unwrap_or_default(), parameter.text("name").unwrap_or_default());
            if !own.insert((kind, name)) {
                let what = format!("there is another {kind} parameter {name:?}; remove one of them");
                problems.report(&node.pointer, rule!("duplicate-parameter"), what);
            }
            if kind == "path" {
                declared.insert(name);
                if !names.contains(name) {
                    let what = format!("the path {path} has no {{{name}}}; remove the parameter");
                    problems.report(&node.pointer, rule!("unknown-path-parameter"), what);
                }
            }
        }
    }
    for name in names.difference(&declared) {
        let what = format!("the path has {{{name}}}, but no path parameter has this name; add one");
        problems.report(&operation.pointer, rule!("missing-path-parameter"), what);
    }
}

/// Reports the problems of one parameter or header.
pub(super) fn parameter(problems: &mut Problems<'_>, object: Object, node: &Node<'_>) {
    let at = &node.pointer;
    values::exclusive(problems, node);
    match (node.get("schema").is_some(), node.get("content").is_some()) {
        (true, true) => {
            let what = "schema and content exclude each other; remove one of them";
            problems.report(at, rule!("schema-and-content"), what);
        }
        (false, false) => {
            let what = format!("a {object} must have a schema or a content; add one");
            problems.report(at, rule!("no-schema"), what);
        }
        (false, true) if node.map("content").len() != 1 => {
            let what = "content must have exactly one media type";
            problems.report(&push(at, "content"), rule!("many-contents"), what);
        }
        _ => {}
    }
    if object == Object::Header {
        return;
    }
    let kind = node.text("in").unwrap_or_default();
    if kind == "path" && !node.flag("required") {
        let what = "a path parameter must have required: true; add it";
        problems.report(at, rule!("optional-path-parameter"), what);
    }
    if kind != "query" && node.get("allowEmptyValue").is_some() {
        let what = "only query parameters have allowEmptyValue; remove it";
        problems.report(&push(at, "allowEmptyValue"), rule!("misplaced-field"), what);
    }
    let name = node.text("name").unwrap_or_default();
    if kind == "header" && ["accept", "content-type", "authorization"].contains(&&*name.to_ascii_lowercase())
    {
        let what = format!("a header parameter {name} is ignored; use content or security instead");
        problems.report(at, rule!("ignored-header"), what);
    }
    let styles: &[&str] = match kind {
        "path" => &["simple", "label", "matrix"],
        "query" => &["form", "spaceDelimited", "pipeDelimited", "deepObject"],
        "cookie" => &["form"],
        _ => &["simple"],
    };
    if let Some(style) = node.text("style").filter(|style| !styles.contains(style)) {
        let what = format!("a {kind} parameter cannot have the style {style}; use {}", styles.join(", "));
        problems.report(&push(at, "style"), rule!("impossible-style"), what);
    }
}

/// Reports the fields that a security scheme of its type lacks.
pub(super) fn security_scheme(problems: &mut Problems<'_>, node: &Node<'_>) {
    let wanted: &[&str] = match node.text("type") {
        Some("apiKey") => &["name", "in"],
        Some("http") => &["scheme"],
        Some("oauth2") => &["flows"],
        Some("openIdConnect") => &["openIdConnectUrl"],
        _ => &[],
    };
    for field in wanted.iter().filter(|field| node.get(field).is_none()) {
        let what = format!("a security scheme of this type must have the field {field:?}; add it");
        problems.report(&node.pointer, rule!("missing-field"), what);
    }
    for (flow, fields) in [
        ("implicit", &["authorizationUrl"][..]),
        ("password", &["tokenUrl"]),
        ("clientCredentials", &["tokenUrl"]),
        ("authorizationCode", &["authorizationUrl", "tokenUrl"]),
    ] {
        let Some(flow) = node.get("flows").and_then(|flows| flows.get(flow)) else { continue };
        for field in fields.iter().filter(|field| flow.get(field).is_none()) {
            let what = format!("this flow must have the field {field:?}; add it");
            problems.report(&flow.pointer, rule!("missing-field"), what);
        }
    }
}
