//! The client leg as a program: silent on the contract, and not on what differs from it.
#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use std::process::{Command, Output};

use serde_json::{Value, json};

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
fn the_contract_has_no_finding_and_two_runs_say_the_same() {
    assert_eq!(findings(|_| {}), []);
    let text = contract().to_string();
    assert_eq!(run(&text).stdout, run(&text).stdout);
}

const SCHEMAS: &str = "/components/schemas";
const FETCH: &str = "/paths/~1api~1v1~1session~1{session_id}/get";
const CREATE: &str = "/paths/~1api~1v1~1session/post";
const LIST: &str = "/paths/~1api~1v1~1session/get";

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

fn remove(document: &mut Value, pointer: &str) {
    let (holder, name) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(holder).unwrap() {
        Value::Object(members) => assert!(members.remove(&name.replace("~1", "/")).is_some()),
        Value::Array(items) => drop(items.remove(name.parse().unwrap())),
        other => panic!("{other}"),
    }
}

/// Each line: what is put where (`null` takes it away), and a finding that must be among those found.
#[test]
fn what_differs_from_the_client_is_found_where_it_differs() {
    let summary = format!("{SCHEMAS}/Session_Summary");
    let create = format!("{SCHEMAS}/Session_Create");
    let table: Vec<(String, Value, &str, String)> = vec![
        // Answers.
        (
            format!("{SCHEMAS}/Session_Status/enum/-"),
            json!("asleep"),
            "answer-not-decoded",
            format!("{SCHEMAS}/Session_Status/enum/5"),
        ),
        (
            format!("{SCHEMAS}/Error_Code/enum/-"),
            json!("gone"),
            "answer-not-decoded",
            format!("{SCHEMAS}/Error_Code/enum/12"),
        ),
        (
            format!("{SCHEMAS}/Error_Code/enum/6"),
            Value::Null,
            "undocumented-accepted",
            format!("{SCHEMAS}/Error_Code/enum"),
        ),
        (
            format!("{SCHEMAS}/Session_Status/enum/3"),
            Value::Null,
            "undocumented-accepted",
            format!("{SCHEMAS}/Session_Status/enum"),
        ),
        (
            format!("{summary}/required/-"),
            json!("title"),
            "undocumented-accepted",
            format!("{summary}/required/6"),
        ),
        (
            format!("{summary}/required/2"),
            Value::Null,
            "answer-not-decoded",
            format!("{summary}/properties/pool_id"),
        ),
        (
            format!("{summary}/properties/colour"),
            json!({ "type": "string" }),
            "answer-changed",
            format!("{summary}/properties/colour"),
        ),
        (
            format!("{SCHEMAS}/Revocation_Result/properties/revoked"),
            json!({ "type": "string" }),
            "answer-not-decoded",
            format!("{SCHEMAS}/Revocation_Result/properties/revoked"),
        ),
        (
            format!("{SCHEMAS}/Revocation_Result/properties/revoked/minimum"),
            json!(-1),
            "answer-not-decoded",
            format!("{SCHEMAS}/Revocation_Result/properties/revoked/minimum"),
        ),
        (
            format!("{SCHEMAS}/Session_Title/maxLength"),
            json!(201),
            "answer-not-decoded",
            format!("{SCHEMAS}/Session_Title/maxLength"),
        ),
        (
            format!("{SCHEMAS}/Session_Title/maxLength"),
            json!(100),
            "undocumented-accepted",
            format!("{SCHEMAS}/Session_Title/maxLength"),
        ),
        (
            format!("{SCHEMAS}/Timestamp/maximum"),
            json!(2e15),
            "answer-not-decoded",
            format!("{SCHEMAS}/Timestamp/maximum"),
        ),
        (
            format!("{SCHEMAS}/Device_Id/pattern"),
            json!("^[0-9a-z]{32}$"),
            "answer-not-decoded",
            format!("{SCHEMAS}/Device_Id/pattern"),
        ),
        (
            format!("{SCHEMAS}/Session_AvailableActions/additionalProperties"),
            json!(false),
            "undocumented-accepted",
            format!("{SCHEMAS}/Session_AvailableActions/additionalProperties"),
        ),
        (
            format!("{FETCH}/responses/418"),
            json!({ "$ref": "#/components/responses/NotFound" }),
            "answer-not-decoded",
            "/components/responses/NotFound".to_owned(),
        ),
        (
            format!("{FETCH}/responses/4XX"),
            json!({ "$ref": "#/components/responses/NotFound" }),
            "answer-not-decoded",
            "/components/responses/NotFound".to_owned(),
        ),
        (
            format!("{FETCH}/responses/404"),
            Value::Null,
            "undocumented-accepted",
            format!("{FETCH}/responses"),
        ),
        (
            format!("{FETCH}/responses/200/content"),
            Value::Null,
            "answer-not-decoded",
            format!("{FETCH}/responses/200"),
        ),
        (format!("{summary}/properties/title"), Value::Null, "undocumented-property", summary.clone()),
        (
            format!("{SCHEMAS}/InteractionDetails/properties/user_agent"),
            Value::Null,
            "undocumented-property",
            format!("{SCHEMAS}/InteractionDetails"),
        ),
        (
            format!("{FETCH}/responses/200/content"),
            json!({ "application/cbor": { "schema": { "$ref": "#/components/schemas/Session" } } }),
            "not-accepted",
            format!("{FETCH}/responses/200"),
        ),
        (
            format!("{FETCH}/responses/200/headers/X Spaced"),
            json!({ "required": true, "schema": { "type": "string", "enum": ["x"] } }),
            "header-not-reachable",
            format!("{FETCH}/responses/200/headers/X Spaced"),
        ),
        (
            format!("{SCHEMAS}/Authtoken/pattern"),
            Value::Null,
            "unused-excuse",
            format!("{SCHEMAS}/Authtoken"),
        ),
        (
            format!("{SCHEMAS}/RemoteIp/oneOf/1/minLength"),
            json!(50),
            "no-sample",
            format!("{SCHEMAS}/RemoteIp/oneOf/1"),
        ),
        (
            format!("{SCHEMAS}/Session_Type/enum/-"),
            json!(7),
            "sample-invalid",
            format!("{SCHEMAS}/Session_Type/enum/2"),
        ),
        (
            format!("{SCHEMAS}/UserAgent/minLength"),
            json!(2000),
            "sample-invalid",
            format!("{SCHEMAS}/UserAgent/minLength"),
        ),
        (
            format!("{SCHEMAS}/Revocation_Result/properties/revoked/maximum"),
            json!(-1),
            "no-sample",
            format!("{SCHEMAS}/Revocation_Result/properties/revoked"),
        ),
        (
            format!("{FETCH}/responses/2000"),
            json!({ "description": "x" }),
            "malformed",
            format!("{FETCH}/responses/2000"),
        ),
        // Requests.
        (
            format!("{LIST}/parameters/0/name"),
            json!("account"),
            "undeclared-parameter",
            format!("{LIST}/parameters"),
        ),
        (format!("{LIST}/parameters/0/name"), json!("account"), "never-sent", format!("{LIST}/parameters/0")),
        (
            format!("{LIST}/parameters/0/required"),
            json!(true),
            "parameter-missing",
            format!("{LIST}/parameters/0"),
        ),
        (
            format!("{SCHEMAS}/Page_Limit/maximum"),
            json!(500),
            "parameter-invalid",
            format!("{SCHEMAS}/Page_Limit/maximum"),
        ),
        (
            format!("{SCHEMAS}/Page_Limit/maximum"),
            json!(2000),
            "never-sent",
            format!("{SCHEMAS}/Page_Limit/maximum"),
        ),
        (format!("{create}/required/-"), json!("pool_id"), "body-invalid", format!("{create}/required")),
        (format!("{create}/properties/title"), Value::Null, "undeclared-property", create.clone()),
        (
            format!("{create}/properties/colour"),
            json!({ "type": "string" }),
            "never-sent",
            format!("{create}/properties/colour"),
        ),
        (
            format!("{SCHEMAS}/Session_Type/enum/-"),
            json!("car"),
            "never-sent",
            format!("{SCHEMAS}/Session_Type/enum/2"),
        ),
        (
            format!("{SCHEMAS}/Session_Type/enum/1"),
            Value::Null,
            "parameter-invalid",
            format!("{SCHEMAS}/Session_Type/enum"),
        ),
        (
            format!("{SCHEMAS}/RemoteIp/oneOf/-"),
            json!({ "type": "string", "enum": ["unix"] }),
            "never-sent",
            format!("{SCHEMAS}/RemoteIp/oneOf/2"),
        ),
        (format!("{FETCH}/security"), json!([]), "authorization", format!("{FETCH}/security")),
        (
            "/components/securitySchemes/api_key/scheme".to_owned(),
            json!("basic"),
            "authorization",
            "/components/securitySchemes/api_key".to_owned(),
        ),
        ("/info/version".to_owned(), json!("2.0.0"), "version-differs", "/info/version".to_owned()),
        (
            format!("{FETCH}/operationId"),
            json!("get_session"),
            "operation-not-exercised",
            format!("{FETCH}/operationId"),
        ),
        (
            format!("{FETCH}/operationId"),
            json!("get_session"),
            "operation-not-exercised",
            "/paths".to_owned(),
        ),
        (
            format!("{FETCH}/requestBody"),
            json!({ "required": true, "content": {} }),
            "body-missing",
            format!("{FETCH}/requestBody"),
        ),
        (format!("{CREATE}/requestBody"), Value::Null, "undeclared-body", CREATE.to_owned()),
        (
            format!("{CREATE}/requestBody/content"),
            json!({ "application/cbor": { "schema": {} } }),
            "undeclared-media-type",
            format!("{CREATE}/requestBody/content"),
        ),
        (
            format!("{CREATE}/requestBody/content/application~1json"),
            json!({ "schema": { "$ref": "#/components/schemas/Session_Id" } }),
            "body-invalid",
            format!("{SCHEMAS}/Session_Id/type"),
        ),
        ("/paths/~1api~1v1~1whoami".to_owned(), Value::Null, "operation-not-exercised", "/paths".to_owned()),
        // The document itself.
        (
            format!("{summary}/properties/id/$ref"),
            json!("#/components/schemas/Nothing"),
            "reference-to-nowhere",
            format!("{summary}/properties/id/$ref"),
        ),
        (
            format!("{SCHEMAS}/Session_Id/type"),
            json!("word"),
            "schema-does-not-compile",
            format!("{SCHEMAS}/Session_Id/type"),
        ),
        (
            format!("{SCHEMAS}/Session_Id/pattern"),
            json!("["),
            "schema-does-not-compile",
            format!("{SCHEMAS}/Session_Id/pattern"),
        ),
        (
            format!("{SCHEMAS}/Session_Id/minLenght"),
            json!(1),
            "unknown-keyword",
            format!("{SCHEMAS}/Session_Id/minLenght"),
        ),
        (
            format!("{SCHEMAS}/Session_Id/example"),
            json!("short"),
            "example-invalid",
            format!("{SCHEMAS}/Session_Id/example"),
        ),
        (
            format!("{SCHEMAS}/Session"),
            json!({ "allOf": [{ "$ref": "#/components/schemas/Session" }] }),
            "schema-does-not-compile",
            format!("{SCHEMAS}/Session"),
        ),
    ];
    std::thread::scope(|scope| {
        let table = &table;
        let threads: Vec<_> = (0..2)
            .map(|first| {
                scope.spawn(move || {
                    table.iter().skip(first).step_by(2).filter_map(missed).collect::<Vec<String>>()
                })
            })
            .collect();
        let missed: Vec<String> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert!(missed.is_empty(), "{}", missed.join("\n"));
    });
}

fn missed((at, value, rule, pointer): &(String, Value, &str, String)) -> Option<String> {
    let found = findings(|document| {
        // The other operations answer the same, and take their time.
        for rest in ["authenticate", "complete", "interaction", "revoke"] {
            remove(document, &format!("/paths/~1api~1v1~1session~1{{session_id}}~1{rest}"));
        }
        match value {
            Value::Null => remove(document, at),
            value => put(document, at, value.clone()),
        }
    });
    let has = found.iter().any(|(got, place, _)| got == rule && place == pointer);
    (!has).then(|| format!("{at} {value}: no {rule} at {pointer}, but {found:#?}"))
}

#[test]
fn no_document_makes_it_panic() {
    for text in ["{}", "[]", "null", "{\"paths\": 1}", "{\"paths\": {\"/a\": {\"get\": []}}}"] {
        let output = run(text);
        assert_eq!(output.status.code(), Some(1), "{text}: {output:?}");
    }
    // Whatever is made another thing: findings, but no failure.
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
        ("in", json!("cookie")),
    ] {
        let mut document = contract();
        replace(&mut document, name, &other);
        let output = run(&document.to_string());
        assert_eq!(output.status.code(), Some(1), "{name} {other}: {output:?}");
    }
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

#[test]
fn what_is_no_document_is_said_on_standard_error() {
    for text in ["", "{", "<html>"] {
        let output = run(text);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
        assert!(String::from_utf8(output.stderr).unwrap().contains("not JSON"));
    }
    let output =
        Command::new(env!("CARGO_BIN_EXE_client-leg")).args(["--spec", "/nowhere.json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
