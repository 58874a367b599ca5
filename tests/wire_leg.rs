//! The wire leg as a program: no finding on the contract, and a finding for each difference from the server.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use session_test_support::change::make_consistent;
use session_test_support::{Contract, binary};

fn run(document: &str, program: &Path) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let spec = folder.path().join("openapi.json");
    std::fs::write(&spec, document).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_wire-leg"));
    command.arg("--spec").arg(&spec).arg("--sessiond").arg(program).output().unwrap()
}

/// The rule and pointer of each finding, which must resolve in the document.
fn findings(document: &Value) -> Vec<(String, String)> {
    checked(document).0
}

/// As [`findings`], and the number of checks.
fn checked(document: &Value) -> (Vec<(String, String)>, u64) {
    let output = run(&document.to_string(), binary());
    let (text, error) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let mut lines: Vec<&str> = text.lines().collect();
    let last: Value = serde_json::from_str(lines.pop().unwrap_or_else(|| panic!("{error}"))).unwrap();
    let checks = last["checks"].as_u64().unwrap();
    assert!(checks > 0, "{last}");
    assert_eq!(output.status.code(), Some(i32::from(!lines.is_empty())), "{error}");
    let mut found = Vec::new();
    for line in lines {
        let finding: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| finding[name].as_str().unwrap().to_owned();
        assert!(document.pointer(&text("pointer")).is_some(), "{line}");
        assert!(text("message").chars().count() > 20, "{line}");
        found.push((text("rule"), text("pointer")));
    }
    (found, checks)
}

fn all_there(document: &Value, expected: &[(&str, &str)]) {
    let mut document = document.clone();
    make_consistent(&mut document);
    let found = findings(&document);
    for (rule, pointer) in expected {
        let there = found.iter().any(|finding| finding.0 == *rule && finding.1 == *pointer);
        assert!(there, "{rule} at {pointer} is not among {found:#?}");
    }
}

#[test]
fn the_contract_has_no_findings_and_every_run_prints_the_same() {
    let document = Contract::load().document().clone();
    assert_eq!(findings(&document), []);
    let [one, two] = [(), ()].map(|()| run(&document.to_string(), binary()).stdout);
    assert_eq!(one, two);
}

#[test]
fn a_contract_that_differs_from_the_server_has_findings_where_it_differs() {
    let mut document = Contract::load().document().clone();
    let whoami = &mut document["paths"]["/api/v1/whoami"]["get"];
    whoami["responses"]["418"] = whoami["responses"]["403"].clone();
    whoami["security"] = json!([]);
    let of_session = &mut document["paths"]["/api/v1/session/{session_id}"]["get"];
    of_session["responses"].as_object_mut().unwrap().remove("404");
    document["paths"]["/api/v1/session"]["post"]["security"] =
        json!([{ "api_key": [] }, { "session_token": [] }]);
    document["paths"]["/api/v1/session/{session_id}/revoke"]["post"]["security"] = json!([{ "api_key": [] }]);
    let components = &mut document["components"];
    components["responses"]["Forbidden"]["headers"].as_object_mut().unwrap().remove("X-Request-Id");
    let retry_after = components["responses"]["TooManyRequests"]["headers"]["Retry-After"].clone();
    components["responses"]["Conflict"]["headers"]["Retry-After"] = retry_after;
    let schemas = &mut components["schemas"];
    schemas["Session_Create"]["required"].as_array_mut().unwrap().push(json!("title"));
    schemas["Session_Status"]["enum"] = json!(["new", "unauthenticated", "authenticated", "revoked"]);
    schemas["Session_Title"]["maxLength"] = json!(199);
    schemas["UserAgent"]["pattern"] = json!("^[^\\x00-\\x1f]*$");
    schemas["Error_Code"]["enum"].as_array_mut().unwrap().push(json!("teapot"));
    schemas["Page_Limit"]["maximum"] = json!(1_001);
    schemas["InteractionDetails"]["required"] = json!(["at", "remote_ip"]);
    schemas["Revocation"].as_object_mut().unwrap().remove("additionalProperties");
    schemas["Session_AvailableActions"]["properties"]["complete"] = json!({ "type": "boolean" });
    schemas["Session_Summary"]["properties"].as_object_mut().unwrap().remove("device_id");
    schemas["Account_Id"]["maxLength"] = json!(33);
    schemas["Device_Id"]["nullable"] = json!(true);
    all_there(
        &document,
        &[
            ("status-not-provoked", "/paths/~1api~1v1~1whoami/get/responses/418"),
            ("credential-demanded", "/paths/~1api~1v1~1whoami/get/security"),
            ("status-undocumented", "/paths/~1api~1v1~1session~1{session_id}/get/responses"),
            ("scheme-refused", "/paths/~1api~1v1~1session/post/security"),
            ("scheme-accepted", "/paths/~1api~1v1~1session~1{session_id}~1revoke/post/security"),
            ("header-undocumented", "/components/responses/Forbidden/headers"),
            ("header-missing", "/components/responses/Conflict/headers/Retry-After"),
            ("invalid-accepted", "/components/schemas/Session_Create/required/1"),
            ("body-invalid", "/components/schemas/Session_Status/enum"),
            ("invalid-accepted", "/components/schemas/Session_Title/maxLength"),
            ("valid-refused", "/components/schemas/UserAgent/pattern"),
            ("never-seen", "/components/schemas/Error_Code/enum/12"),
            ("valid-refused", "/components/schemas/Page_Limit/maximum"),
            ("body-invalid", "/components/schemas/InteractionDetails/required"),
            ("valid-refused", "/components/schemas/Revocation"),
            ("never-seen", "/components/schemas/Session_AvailableActions/properties/complete"),
            ("undocumented-property", "/components/schemas/Session_Summary/properties"),
            ("bound-out-of-reach", "/components/schemas/Account_Id/maxLength"),
            ("valid-refused", "/components/schemas/Device_Id/type"),
        ],
    );
}

/// Replaces the text of every description.
fn reword(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if name == "description" && member.is_string() {
                    *member = json!("Another text");
                } else {
                    reword(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(reword),
        _ => {}
    }
}

#[test]
fn other_descriptions_and_another_order_of_alternatives_change_no_check() {
    let mut document = Contract::load().document().clone();
    let checks = checked(&document);
    assert_eq!(checks.0, []);
    reword(&mut document);
    document["components"]["schemas"]["RemoteIp"]["oneOf"].as_array_mut().unwrap().reverse();
    assert_eq!(checked(&document), checks);
}

const WHOAMI: &str = "/paths/~1api~1v1~1whoami/get";
const LIST: &str = "/paths/~1api~1v1~1session/get";
const CREATE: &str = "/paths/~1api~1v1~1session/post";
const FETCH: &str = "/paths/~1api~1v1~1session~1{session_id}/get";
const COMPLETE: &str = "/paths/~1api~1v1~1session~1{session_id}~1complete/post";
const AUTHENTICATE: &str = "/paths/~1api~1v1~1session~1{session_id}~1authenticate/post";
const REVOCATION: &str = "/paths/~1api~1v1~1revocation/post";
const RESPONSES: &str = "/components/responses";

/// Checks that the contract with other values of these fields has the finding of each rule there. A null removes the field;
/// `-` appends to a list.
fn fields_are_checked(changes: &[(&str, &str, Value, &str)]) {
    let mut document = Contract::load().document().clone();
    let mut expected = Vec::new();
    for (holder, field, value, rule) in changes {
        if *field == "-" {
            let items = document.pointer_mut(holder).unwrap().as_array_mut().unwrap();
            expected.push((*rule, format!("{holder}/{}", items.len())));
            items.push(value.clone());
            continue;
        }
        let members = document.pointer_mut(holder).unwrap().as_object_mut().unwrap();
        if value.is_null() {
            assert!(members.remove(*field).is_some(), "{holder}/{field}");
            expected.push((*rule, (*holder).to_owned()));
        } else {
            members.insert((*field).to_owned(), value.clone());
            expected.push((*rule, format!("{holder}/{field}")));
        }
    }
    let expected: Vec<_> = expected.iter().map(|(rule, pointer)| (*rule, pointer.as_str())).collect();
    all_there(&document, &expected);
}

#[test]
fn a_field_for_tools_that_differs_from_the_server_is_found() {
    let (scope, authenticated) = ("x-required-scope", "x-requires-authenticated-session");
    let create = &format!("{CREATE}/requestBody");
    let authenticate = &format!("{AUTHENTICATE}/requestBody");
    let of = |name: &str| format!("{RESPONSES}/{name}");
    fields_are_checked(&[
        (REVOCATION, scope, json!("session:read"), "scope-accepted"),
        (CREATE, scope, json!("session:everything"), "scope-missing"),
        (WHOAMI, scope, json!("session:read"), "field-misplaced"),
        (LIST, authenticated, json!(false), "scheme-refused"),
        (FETCH, authenticated, json!(false), "stranger-accepted"),
        (COMPLETE, authenticated, json!(true), "scheme-refused"),
        (WHOAMI, authenticated, json!(true), "credential-accepted"),
        (AUTHENTICATE, authenticated, json!(true), "field-misplaced"),
        (create, "x-max-body-bytes", json!(16_383), "body-limit-ignored"),
        (authenticate, "x-max-body-bytes", json!(16_385), "valid-refused"),
        (&of("Forbidden"), "x-error-codes", json!(["not_found"]), "code-not-of-status"),
    ]);
}

#[test]
fn a_field_for_tools_that_is_missing_is_found() {
    fields_are_checked(&[
        (FETCH, "x-required-scope", Value::Null, "scope-missing"),
        (WHOAMI, "x-requires-authenticated-session", Value::Null, "authentication-unnamed"),
        (&format!("{CREATE}/requestBody"), "x-max-body-bytes", Value::Null, "body-limit-missing"),
        (&format!("{RESPONSES}/Conflict"), "x-error-codes", Value::Null, "codes-not-named"),
        (&format!("{RESPONSES}/NotFound/x-error-codes"), "-", json!("invalid_action"), "never-seen"),
    ]);
}

#[test]
fn what_the_suite_cannot_check_or_the_server_does_not_have_is_a_finding_too() {
    let mut document = Contract::load().document().clone();
    let paths = document["paths"].as_object_mut().unwrap();
    let whoami = paths["/api/v1/whoami"].clone();
    paths.insert("/api/v1/other".to_owned(), whoami);
    paths["/api/v1/other"]["get"]["operationId"] = json!("fetch_other");
    paths["/api/v1/session/{session_id}/complete"]["post"]["operationId"] = json!("finish_session");
    let content =
        &mut paths["/api/v1/session/{session_id}/interaction"]["post"]["responses"]["200"]["content"];
    *content = json!({ "application/xml": content["application/json"] });
    let parameters = paths["/api/v1/session"]["get"]["parameters"].as_array_mut().unwrap();
    parameters.push(json!({ "name": "trace", "in": "cookie", "schema": { "type": "string" } }));
    let schemas = &mut document["components"]["schemas"];
    schemas["UserAgent"]["not"] = json!({ "type": "integer" });
    schemas["RemoteIp"]["oneOf"][0]["format"] = json!("hostname");
    all_there(
        &document,
        &[
            ("operation-undocumented", ""),
            ("operation-unknown", "/paths/~1api~1v1~1other/get"),
            ("operation-unknown", "/paths/~1api~1v1~1session~1{session_id}~1complete/post"),
            (
                "media-type-undocumented",
                "/paths/~1api~1v1~1session~1{session_id}~1interaction/post/responses/200/content",
            ),
            ("parameter-kind-unknown", "/paths/~1api~1v1~1session/get/parameters/8"),
            ("keyword-unknown", "/components/schemas/UserAgent/not"),
            ("keyword-unknown", "/components/schemas/RemoteIp/oneOf/0/format"),
        ],
    );
}

#[test]
fn a_failure_of_the_program_is_reported_and_ends_with_2() {
    let contract = Contract::load().document().to_string();
    for (document, program) in [
        ("{", binary()),
        ("{}", binary()),
        (r#"{ "openapi": "3.0.3", "paths": { "/x/{": { "get": 7 } } }"#, binary()),
        (&contract, Path::new("/nowhere/sessiond")),
        (&contract, Path::new("/bin/false")),
    ] {
        let output = run(document, program);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(output.stdout.is_empty() && output.stderr.starts_with(b"wire-leg: "), "{output:?}");
    }
}
