//! What must hold of the document for the rest to have any meaning: references that lead somewhere, schemas that
//! compile, and nothing in it that this program would pass over.

use serde_json::Value;

use crate::document::{Document, METHODS, children, escaped, is_integer_format};
use crate::report::Report;
use crate::samples::is_text_format;

/// The keywords of a schema that are understood here.
const SCHEMA: [&str; 30] = [
    "$ref",
    "additionalProperties",
    "allOf",
    "anyOf",
    "default",
    "deprecated",
    "description",
    "enum",
    "example",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "externalDocs",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "multipleOf",
    "not",
    "nullable",
    "oneOf",
    "pattern",
    "properties",
    "required",
    "title",
    "type",
    "uniqueItems",
];

const DOCUMENT: &[&str] =
    &["openapi", "info", "tags", "paths", "components", "security", "externalDocs", "servers"];
const ITEM: &[&str] = &[
    "$ref",
    "summary",
    "description",
    "parameters",
    "servers",
    "get",
    "put",
    "post",
    "delete",
    "options",
    "head",
    "patch",
    "trace",
];
const OPERATION: &[&str] = &[
    "operationId",
    "summary",
    "description",
    "tags",
    "security",
    "parameters",
    "requestBody",
    "responses",
    "deprecated",
    "externalDocs",
];
const PARAMETER: &[&str] =
    &["$ref", "name", "in", "required", "description", "schema", "example", "examples", "deprecated"];
const HEADER: &[&str] = &["$ref", "required", "description", "schema", "example", "examples", "deprecated"];
const BODY: &[&str] = &["$ref", "description", "required", "content"];
const RESPONSE: &[&str] = &["$ref", "description", "headers", "content"];
const MEDIA: &[&str] = &["schema", "example", "examples"];

/// Whether a keyword of a schema is understood.
pub(crate) fn is_known(keyword: &str) -> bool {
    SCHEMA.contains(&keyword) || keyword.starts_with("x-")
}

/// Adds a finding for each thing that does not hold. Answers whether the rest can be tried at all.
pub(crate) fn lint(document: &Document, report: &Report) -> bool {
    let schemas = document.schemas();
    for pointer in &schemas {
        report.check();
        if loops(document, pointer, &mut Vec::new()) {
            let what = "the schema is part of itself, so no validator ever ends";
            report.add("schema-does-not-compile", pointer.clone(), "document", what);
        }
    }
    if !report.is_empty() {
        return false;
    }
    if document.members("/paths").next().is_none() {
        let pointer = document.nearest("/paths");
        report.add("no-operation", pointer, "document", "it has no paths, so there is nothing to exercise");
    }
    references(document, report, document.get(""), "");
    for pointer in &schemas {
        schema(document, report, pointer);
    }
    known(document, report, "", DOCUMENT);
    security(document, report, "/security");
    for (template, _) in document.members("/paths") {
        let item = format!("/paths/{}", escaped(template));
        known(document, report, &item, ITEM);
        parameters(document, report, &item);
        for method in METHODS {
            let operation = format!("{item}/{method}");
            if document.get(&operation).is_null() {
                continue;
            }
            known(document, report, &operation, OPERATION);
            security(document, report, &format!("{operation}/security"));
            parameters(document, report, &operation);
            body(document, report, &document.child(&operation, "requestBody"));
            for (status, _) in document.members(&format!("{operation}/responses")) {
                response(document, report, &format!("{operation}/responses/{}", escaped(status)));
            }
        }
    }
    for (holder, of) in [("parameters", PARAMETER), ("headers", HEADER)] {
        for (name, _) in document.members(&format!("/components/{holder}")) {
            known(document, report, &format!("/components/{holder}/{}", escaped(name)), of);
        }
    }
    for (name, _) in document.members("/components/requestBodies") {
        body(document, report, &format!("/components/requestBodies/{}", escaped(name)));
    }
    for (name, _) in document.members("/components/responses") {
        response(document, report, &format!("/components/responses/{}", escaped(name)));
    }
    true
}

fn parameters(document: &Document, report: &Report, holder: &str) {
    for parameter in document.items(&format!("{holder}/parameters")) {
        known(document, report, &parameter, PARAMETER);
        examples(document, report, &document.resolve(&parameter).unwrap_or_default());
    }
}

fn body(document: &Document, report: &Report, pointer: &str) {
    known(document, report, pointer, BODY);
    content(document, report, pointer);
}

fn response(document: &Document, report: &Report, pointer: &str) {
    known(document, report, pointer, RESPONSE);
    for (name, _) in document.members(&format!("{pointer}/headers")) {
        let header = format!("{pointer}/headers/{}", escaped(name));
        known(document, report, &header, HEADER);
        examples(document, report, &document.resolve(&header).unwrap_or_default());
    }
    content(document, report, pointer);
}

fn content(document: &Document, report: &Report, holder: &str) {
    for (media, _) in document.members(&format!("{holder}/content")) {
        let pointer = format!("{holder}/content/{}", escaped(media));
        known(document, report, &pointer, MEDIA);
        examples(document, report, &pointer);
    }
}

/// Adds a finding for each example beside a schema that is none of it.
fn examples(document: &Document, report: &Report, holder: &str) {
    let named = document.members(&format!("{holder}/examples"));
    let named = named.map(|(name, _)| format!("{holder}/examples/{}/value", escaped(name)));
    for pointer in std::iter::once(format!("{holder}/example")).chain(named) {
        if document.nearest(&pointer) != pointer {
            continue;
        }
        for fault in document.faults(&format!("{holder}/schema"), document.get(&pointer)) {
            report.add("example-invalid", pointer.clone(), "document", fault.to_string());
        }
    }
}

/// Adds a finding for each member of an object, and of what it refers to, that is not one of these.
fn known(document: &Document, report: &Report, pointer: &str, names: &[&str]) {
    report.check();
    let value = document.get(pointer);
    if !value.is_object() && !value.is_null() {
        report.add("malformed", pointer.to_owned(), "document", "an object is expected here");
    }
    let resolved = document.resolve(pointer).filter(|resolved| resolved != pointer);
    for pointer in std::iter::once(pointer.to_owned()).chain(resolved) {
        for (name, _) in document.members(&pointer) {
            if !names.contains(&name) && !name.starts_with("x-") {
                unknown(report, &format!("{pointer}/{}", escaped(name)), name);
            }
        }
    }
}

/// Adds a finding for each security requirement that is none.
fn security(document: &Document, report: &Report, pointer: &str) {
    for alternative in document.items(pointer) {
        for (name, scopes) in document.members(&alternative) {
            report.check();
            let pointer = format!("{alternative}/{}", escaped(name));
            if !scopes.is_array() {
                let what = "a list of scopes is expected here";
                report.add("malformed", pointer, "document", what);
            } else if document.get(&document.child("/components/securitySchemes", name)).is_null() {
                let what = format!("there is no security scheme {name}");
                report.add("reference-to-nowhere", pointer, "document", what);
            }
        }
    }
}

fn unknown(report: &Report, pointer: &str, name: &str) {
    let what = format!("this program does not know `{name}`, so nothing shows that the client follows it");
    report.add("unknown-keyword", pointer.to_owned(), "document", what);
}

fn references(document: &Document, report: &Report, value: &Value, pointer: &str) {
    for (name, child) in children(value) {
        let below = format!("{pointer}/{}", escaped(&name));
        if name == "$ref" && !named(pointer) {
            report.check();
            if document.resolve(pointer).is_none() {
                let what = format!("the reference {child} leads nowhere");
                report.add("reference-to-nowhere", below, "document", what);
            }
        } else if !matches!(name.as_str(), "example" | "examples" | "default" | "enum") || named(pointer) {
            references(document, report, child, &below);
        }
    }
}

/// Whether the members there have names that the document chooses.
fn named(pointer: &str) -> bool {
    pointer.ends_with("/properties")
        || pointer.starts_with("/components/") && pointer.matches('/').count() == 2
}

fn schema(document: &Document, report: &Report, pointer: &str) {
    let value = document.get(pointer);
    if !value.is_object() {
        report.add("malformed", pointer.to_owned(), "document", "a schema is an object");
        return;
    }
    if value.get("$ref").is_some() {
        // Beside a reference nothing counts.
        let others = document.members(pointer).map(|(name, _)| name);
        for name in others.filter(|name| !matches!(*name, "$ref" | "description" | "summary")) {
            unknown(report, &format!("{pointer}/{}", escaped(name)), name);
        }
        return;
    }
    for (name, _) in document.members(pointer) {
        if !is_known(name) {
            unknown(report, &format!("{pointer}/{}", escaped(name)), name);
        }
    }
    if let Some(format) = value.get("format").and_then(Value::as_str) {
        let known = match value.get("type").and_then(Value::as_str) {
            Some("string") => is_text_format(format),
            Some("integer") => is_integer_format(format),
            Some("number") => matches!(format, "float" | "double"),
            _ => false,
        };
        if !known {
            unknown(report, &format!("{pointer}/format"), format);
        }
    }
    if let Err(error) = jsonschema::draft4::meta::validate(value) {
        let pointer = document.nearest(&format!("{pointer}{}", error.instance_path()));
        report.add("schema-does-not-compile", pointer, "document", error.to_string());
    } else if let Err(reason) = document.compile(pointer) {
        let named = if value.get("pattern").is_some() { "/pattern" } else { "" };
        report.add("schema-does-not-compile", format!("{pointer}{named}"), "document", reason);
    } else if let Some(example) = value.get("example") {
        for fault in document.faults(pointer, example) {
            report.add("example-invalid", format!("{pointer}/example"), "document", fault.to_string());
        }
    }
}

/// Whether a schema leads to itself without a step into the value.
fn loops(document: &Document, schema: &str, within: &mut Vec<String>) -> bool {
    let Some(pointer) = document.resolve(schema) else { return false };
    if within.contains(&pointer) {
        return true;
    }
    let mut parts = vec![format!("{pointer}/not")];
    for keyword in ["allOf", "oneOf", "anyOf"] {
        parts.extend(document.items(&format!("{pointer}/{keyword}")));
    }
    within.push(pointer);
    let found = parts.iter().any(|part| loops(document, part, within));
    within.pop();
    found
}
