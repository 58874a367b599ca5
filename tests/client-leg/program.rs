//! The client leg as a program: no finding on the contract, and a finding for each difference from it.
#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use std::process::{Command, Output};

use serde_json::{Value, json};
use session_test_support::change::{make_consistent, remove};

fn contract() -> Value {
    serde_json::from_str(include_str!("../../openapi.json")).unwrap()
}

fn run(text: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("openapi.json");
    std::fs::write(&path, text).unwrap();
    Command::new(env!("CARGO_BIN_EXE_client-leg")).arg("--spec").arg(path).output().unwrap()
}

/// The rule, pointer and message of each finding on a changed contract, each of which must be well-formed.
fn findings(change: impl FnOnce(&mut Value)) -> Vec<(String, String, String)> {
    let mut document = contract();
    change(&mut document);
    let output = run(&document.to_string());
    if output.status.code() == Some(2) {
        return vec![("document".to_owned(), String::new(), String::from_utf8(output.stderr).unwrap())];
    }
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (last, lines) = lines.split_last().unwrap();
    assert!(last["checks"].as_u64().unwrap() > 0);
    assert_eq!(output.status.code(), Some(i32::from(!lines.is_empty())), "{text}");
    assert!(text.lines().rev().skip(1).is_sorted_by(|later, earlier| earlier < later), "{text}");
    let text = |line: &Value, member: &str| line[member].as_str().unwrap().to_owned();
    for line in lines {
        assert!(document.pointer(&text(line, "pointer")).is_some(), "{line}");
    }
    lines.iter().map(|line| (text(line, "rule"), text(line, "pointer"), text(line, "message"))).collect()
}

#[test]
fn the_contract_has_no_finding_and_two_runs_print_the_same() {
    assert_eq!(findings(|_| {}), []);
    let text = contract().to_string();
    assert_eq!(run(&text).stdout, run(&text).stdout);
}

#[test]
fn another_order_of_alternatives_is_no_finding() {
    let reversed = |document: &mut Value| {
        let alternatives = document.pointer_mut("/components/schemas/RemoteIp/oneOf").unwrap();
        alternatives.as_array_mut().unwrap().reverse();
    };
    assert_eq!(findings(reversed), []);
}

/// Puts a value at a pointer, whose last part is added where it is not there.
fn put(document: &mut Value, pointer: &str, value: Value) {
    let (holder, name) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(holder).unwrap() {
        Value::Object(members) => drop(members.insert(name.replace("~1", "/"), value)),
        Value::Array(items) if name == "-" => items.push(value),
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        other => panic!("{other}"),
    }
}

/// Each line: what is put where (`null` takes it away), and a finding that must be among those found.
#[rustfmt::skip]
const CHANGES: [(&str, &str, &str, &str); 46] = [
    // Responses.
    ("schemas/Session_Status/enum/-", r#""asleep""#, "answer-not-decoded", "schemas/Session_Status/enum/5"),
    ("schemas/Error_Code/enum/-", r#""gone""#, "answer-not-decoded", "schemas/Error_Code/enum/12"),
    ("schemas/Error_Code/enum/6", "null", "undocumented-accepted", "schemas/Error_Code/enum"),
    ("schemas/Session_Status/enum/3", "null", "undocumented-accepted", "schemas/Session_Status/enum"),
    ("schemas/Session_Summary/required/-", r#""title""#, "undocumented-accepted", "schemas/Session_Summary/required/6"),
    ("schemas/Session_Summary/required/2", "null", "answer-not-decoded", "schemas/Session_Summary/properties/pool_id"),
    ("schemas/Session_Summary/properties/colour", r#"{"type": "string"}"#, "answer-changed", "schemas/Session_Summary/properties/colour"),
    ("schemas/Revocation_Result/properties/revoked", r#"{"type": "string"}"#, "answer-not-decoded", "schemas/Revocation_Result/properties/revoked"),
    ("schemas/Revocation_Result/properties/revoked", r#"{"type": "integer", "minimum": -1}"#, "answer-not-decoded", "schemas/Revocation_Result/properties/revoked/minimum"),
    ("schemas/Session_Title/maxLength", "201", "answer-not-decoded", "schemas/Session_Title/maxLength"),
    ("schemas/Session_Title/maxLength", "100", "undocumented-accepted", "schemas/Session_Title/maxLength"),
    ("schemas/Timestamp/maximum", "2e15", "answer-not-decoded", "schemas/Timestamp/maximum"),
    ("schemas/Device_Id/pattern", r#""^[0-9a-z]{32}$""#, "answer-not-decoded", "schemas/Device_Id/pattern"),
    ("schemas/Session_AvailableActions/additionalProperties", "false", "undocumented-accepted", "schemas/Session_AvailableActions/additionalProperties"),
    ("fetch/responses/418", r##"{"$ref": "#/components/responses/NotFound"}"##, "answer-not-decoded", "fetch/responses/418"),
    ("fetch/responses/4XX", r##"{"$ref": "#/components/responses/NotFound"}"##, "answer-not-decoded", "fetch/responses/4XX"),
    ("fetch/responses/404", "null", "undocumented-accepted", "fetch/responses"),
    ("fetch/responses/200/content", "null", "answer-not-decoded", "fetch/responses/200"),
    ("schemas/Session_Summary/properties/title", "null", "undocumented-property", "schemas/Session_Summary"),
    ("schemas/InteractionDetails/properties/user_agent", "null", "undocumented-property", "schemas/InteractionDetails"),
    ("fetch/responses/200/content", r##"{"application/cbor": {"schema": {"$ref": "#/components/schemas/Session"}}}"##, "not-accepted", "fetch/responses/200"),
    ("fetch/responses/200/headers/X Spaced", r#"{"required": true, "schema": {"type": "string", "enum": ["x"]}}"#, "header-not-reachable", "fetch/responses/200/headers/X Spaced"),
    ("schemas/Authtoken/pattern", "null", "unused-excuse", "schemas/Authtoken"),
    ("schemas/RemoteIp/oneOf/1/minLength", "40", "no-sample", "schemas/RemoteIp/oneOf/1"),
    ("schemas/Domain_Id", r#"{"type": "string", "pattern": "^[0-9a-f]{32}$", "minLength": 1, "maxLength": 8}"#, "sample-invalid", "fetch/responses/200/content/application~1json/schema"),
    // Requests.
    ("list/parameters/0/name", r#""account""#, "undeclared-parameter", "list/parameters"),
    ("list/parameters/0/name", r#""account""#, "never-sent", "list/parameters/0"),
    ("list/parameters/0/required", "true", "parameter-missing", "list/parameters/0"),
    ("schemas/Page_Limit/maximum", "500", "parameter-invalid", "schemas/Page_Limit/maximum"),
    ("schemas/Page_Limit/maximum", "2000", "never-sent", "schemas/Page_Limit/maximum"),
    ("schemas/Session_Create/required/-", r#""pool_id""#, "body-invalid", "schemas/Session_Create/required"),
    ("schemas/Session_Create/properties/title", "null", "undeclared-property", "schemas/Session_Create/properties"),
    ("schemas/Session_Create/properties/colour", r#"{"type": "string"}"#, "never-sent", "schemas/Session_Create/properties/colour"),
    ("schemas/Session_Type/enum/-", r#""car""#, "never-sent", "schemas/Session_Type/enum/2"),
    ("schemas/Session_Type/enum/1", "null", "parameter-invalid", "schemas/Session_Type/enum"),
    ("schemas/RemoteIp/oneOf/-", r#"{"type": "string", "enum": ["unix"]}"#, "never-sent", "schemas/RemoteIp/oneOf/2"),
    ("fetch/security", "[]", "authorization", "fetch/security"),
    ("/components/securitySchemes/api_key/scheme", r#""basic""#, "authorization", "/components/securitySchemes/api_key"),
    ("/info/version", r#""0.0.1""#, "version-differs", "/info/version"),
    ("fetch/operationId", r#""get_session""#, "operation-not-exercised", "fetch/operationId"),
    ("fetch/operationId", r#""get_session""#, "operation-not-exercised", "/paths"),
    ("complete/requestBody", r#"{"required": true, "content": {}}"#, "body-missing", "complete/requestBody"),
    ("create/requestBody", "null", "undeclared-body", "create"),
    ("create/requestBody/content", r#"{"application/cbor": {"schema": {}}}"#, "undeclared-media-type", "create/requestBody/content"),
    ("create/requestBody/content/application~1json", r##"{"schema": {"$ref": "#/components/schemas/Session_Id"}}"##, "body-invalid", "schemas/Session_Id/type"),
    ("schemas/Session_Id/not", r#"{"type": "integer"}"#, "unknown-keyword", "schemas/Session_Id/not"),
];

/// A pointer of the table as the document has it.
fn pointer(short: &str) -> String {
    let (first, rest) = short.split_once('/').unwrap_or((short, ""));
    let long = match first {
        "schemas" => "/components/schemas",
        "fetch" => "/paths/~1api~1v1~1session~1{session_id}/get",
        "list" => "/paths/~1api~1v1~1session/get",
        "create" => "/paths/~1api~1v1~1session/post",
        "complete" => "/paths/~1api~1v1~1session~1{session_id}~1complete/post",
        _ => return short.to_owned(),
    };
    if rest.is_empty() { long.to_owned() } else { format!("{long}/{rest}") }
}

/// The path whose operations show a change at this pointer.
fn shown_by(short: &str) -> &'static str {
    let part = short.trim_start_matches("schemas/");
    if part.starts_with("complete") {
        return "/api/v1/session/{session_id}/complete";
    }
    if part.starts_with("Revocation") {
        return "/api/v1/revocation";
    }
    let on_list_or_create =
        ["list", "create", "Page_", "Session_Create", "Session_Type", "RemoteIp", "Authtoken"];
    if on_list_or_create.iter().any(|start| part.starts_with(start)) {
        return "/api/v1/session";
    }
    "/api/v1/session/{session_id}"
}

#[test]
fn what_differs_from_the_client_is_found_where_it_differs() {
    // Two at a time, for two processors.
    let half = |first| CHANGES.iter().skip(first).step_by(2).filter_map(missed).collect::<Vec<String>>();
    let missed = std::thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        let mut missed = half(0);
        missed.extend(other.join().unwrap());
        missed
    });
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// What is wrong if the finding of a line is not there.
fn missed((short, value, rule, place): &(&str, &str, &str, &str)) -> Option<String> {
    let (at, place) = (pointer(short), pointer(place));
    let found = findings(|document| {
        // The other operations say the same, and take their time.
        let shown_by = shown_by(short);
        document["paths"].as_object_mut().unwrap().retain(|path, _| path == shown_by);
        match serde_json::from_str(value).unwrap() {
            Value::Null => remove(document, &at),
            value => put(document, &at, value),
        }
        make_consistent(document);
    });
    let has = found.iter().any(|(got, pointer, _)| got == rule && *pointer == place);
    (!has).then(|| format!("{at} {value}: no {rule} at {place}, but {found:#?}"))
}

#[test]
fn a_document_with_problems_is_refused() {
    let mut documents: Vec<String> =
        ["", "{", "<html>", "{}", "[]", "null", r#"{"openapi": "3.0.3", "paths": {"/a": {"get": []}}}"#]
            .map(str::to_owned)
            .into();
    for (name, other) in [
        ("schema", json!(null)),
        ("schema", json!([])),
        ("content", json!(7)),
        ("responses", json!([])),
        ("parameters", json!("x")),
        ("enum", json!({})),
        ("properties", json!([7])),
        ("$ref", json!(7)),
        ("required", json!("x")),
        ("type", json!([])),
    ] {
        let mut document = contract();
        replace(&mut document, name, &other);
        documents.push(document.to_string());
    }
    let dangling = r##"{"$ref": "#/components/schemas/Nothing"}"##;
    let circular = r##"{"$ref": "#/components/schemas/Session"}"##;
    for reference in [dangling, circular] {
        let mut document = contract();
        put(&mut document, "/components/schemas/Session", serde_json::from_str(reference).unwrap());
        documents.push(document.to_string());
    }
    for text in documents {
        let output = run(&text);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{text}: {output:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains("cargo xtask check --static") && !error.contains("panicked"), "{error}");
    }
    let output =
        Command::new(env!("CARGO_BIN_EXE_client-leg")).args(["--spec", "/nowhere.json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

/// Replaces every member with this name.
fn replace(value: &mut Value, name: &str, other: &Value) {
    match value {
        Value::Object(members) => {
            for (own, member) in members.iter_mut() {
                if own == name {
                    *member = other.clone();
                } else {
                    replace(member, name, other);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, name, other)),
        _ => {}
    }
}
