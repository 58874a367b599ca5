//! `openapi.json` itself: every fact of the reference page, and what every operation and value must have.

use openapi_drift::read::Operation;
use openapi_drift::{Document, pointer};
use serde_json::{Value, json};
use session_test_support::seed;

fn document() -> Document {
    Document::parse(include_str!("../openapi.json")).unwrap()
}

/// The value at the end of a value's references, if it is one.
fn resolved<'a>(document: &'a Document, value: &'a Value) -> &'a Value {
    let Some(reference) = value["$ref"].as_str() else { return value };
    document.resolve(&pointer::of_reference(reference).unwrap()).unwrap().value
}

/// The value at the end of a path of keys from the document's root, references followed at each step.
fn find<'a>(document: &'a Document, path: &[&str]) -> &'a Value {
    path.iter().fold(document.value(), |value, key| {
        let value = resolved(document, value);
        let next = match key.parse::<usize>() {
            Ok(index) if value.is_array() => &value[index],
            _ => &value[*key],
        };
        assert!(!next.is_null(), "{key} of {path:?} is missing in {value}");
        next
    })
}

/// The name and value of every operation.
fn operations(document: &Document) -> Vec<(String, &Value)> {
    let named = |operation: Operation<'_>| format!("{} {}", operation.method, operation.path);
    let values = document.operations().map(|operation| operation.node.value);
    document.operations().map(named).zip(values).collect()
}

#[test]
fn the_operation_of_the_reference_page_is_there() {
    let document = document();
    let fetch = find(&document, &["paths", "/api/v1/session/{session_id}", "get"]);
    assert_eq!(fetch["operationId"], "fetch_session");
    assert_eq!(fetch["summary"], "Fetch session");
    let parameter = find(&document, &["paths", "/api/v1/session/{session_id}", "get", "parameters", "0"]);
    let parameter = resolved(&document, parameter);
    assert_eq!((&parameter["name"], &parameter["in"]), (&json!("session_id"), &json!("path")));
    assert_eq!(parameter["required"], true);
    assert_eq!(fetch["responses"]["200"]["description"], "Success");
}

#[test]
fn every_property_of_the_reference_page_has_its_schema_description_type_example_and_allowed_values() {
    let document = document();
    let answer = find(
        &document,
        &[
            "paths",
            "/api/v1/session/{session_id}",
            "get",
            "responses",
            "200",
            "content",
            "application/json",
            "schema",
        ],
    );
    let answer = resolved(&document, answer);
    let properties = |path: &[&str]| {
        let names = path
            .iter()
            .fold(answer, |value, key| &value[*key])
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>();
        names.join(" ")
    };
    assert_eq!(properties(&["properties"]), "actions summary");
    let of = |schema: &str| find(&document, &["components", "schemas", schema]).clone();
    let named = |property: &Value, schema: &str| {
        assert_eq!(property["$ref"], format!("#/components/schemas/{schema}"), "{property}");
    };
    named(&answer["properties"]["actions"], "Session_AvailableActions");
    named(&answer["properties"]["summary"], "Session_Summary");
    assert_eq!(of("Session_AvailableActions")["properties"]["revoke"]["type"], "boolean");

    let summary = of("Session_Summary");
    let names: Vec<_> = summary["properties"].as_object().unwrap().keys().collect();
    let page = "account_id authenticated_identity_id device_id domain_id first_seen id last_seen pool_id \
                session_type status title type";
    assert_eq!(names, page.split_whitespace().collect::<Vec<_>>());
    for (property, schema, description, example) in [
        ("account_id", "Account_Id", "A valid account ID", seed::ACCOUNT_ID),
        ("authenticated_identity_id", "Identity_Id", "A valid identity ID", seed::IDENTITY_ID),
        ("device_id", "Device_Id", "A valid device ID", seed::DEVICE_ID),
        ("domain_id", "Domain_Id", "A valid domain ID", seed::DOMAIN_ID),
        ("id", "Session_Id", "A valid session ID", seed::SESSION_ID),
        ("pool_id", "Pool_Id", "A valid pool ID", seed::POOL_ID),
    ] {
        named(&summary["properties"][property], schema);
        let schema = of(schema);
        assert_eq!((&schema["type"], &schema["description"]), (&json!("string"), &json!(description)));
        assert_eq!(schema["example"], example);
    }
    for (property, values, example) in [
        ("session_type", &["browser", "api"][..], "browser"),
        ("status", &["new", "unauthenticated", "authenticated", "complete", "revoked"], "new"),
        ("type", &["session"], "session"),
    ] {
        let schema = resolved(&document, &summary["properties"][property]);
        assert_eq!(schema["type"], "string");
        assert_eq!(schema["enum"], json!(values));
        assert_eq!(schema["example"], example);
    }
    assert_eq!(resolved(&document, &summary["properties"]["title"])["type"], "string");
    for property in ["first_seen", "last_seen"] {
        let alternatives = summary["properties"][property]["oneOf"].as_array().unwrap();
        assert_eq!(alternatives.len(), 1);
        named(&alternatives[0], "InteractionDetails");
    }
}

#[test]
fn the_interaction_of_the_reference_page_is_there() {
    let document = document();
    let details = find(&document, &["components", "schemas", "InteractionDetails"]);
    assert_eq!(details["type"], "object");
    assert_eq!(details["description"], "A snapshot of the details of a particular device");
    assert_eq!(details["properties"]["at"]["$ref"], "#/components/schemas/Timestamp");
    assert_eq!(details["properties"]["user_agent"]["$ref"], "#/components/schemas/UserAgent");
    let at = find(&document, &["components", "schemas", "Timestamp"]);
    assert_eq!(at["type"], "number");
    assert_eq!(at["description"], "Unix timestamp, seconds since midnight January 1, 1970 UTC");
    assert_eq!(at["example"], seed::AT);
    let agent = find(&document, &["components", "schemas", "UserAgent"]);
    assert_eq!((&agent["type"], &agent["description"]), (&json!("string"), &json!("User-Agent string")));
    assert_eq!(agent["example"], seed::USER_AGENT);
    let ip = find(
        &document,
        &["components", "schemas", "InteractionDetails", "properties", "remote_ip", "oneOf", "0"],
    );
    assert_eq!((&ip["type"], &ip["format"]), (&json!("string"), &json!("ipv4")));
    assert_eq!(ip["description"], "IPv4 address in dotted-decimal notation");
    assert_eq!(ip["example"], seed::REMOTE_IP);
}

#[test]
fn the_error_of_the_reference_page_is_the_error_of_every_operation() {
    let document = document();
    let codes = "bad_request bad_authtoken not_authenticated not_permitted not_implemented unknown not_found \
                 unexpected_ref_type unexpected invalid_action invalid_value required_value";
    for (name, operation) in operations(&document) {
        let responses = operation["responses"].as_object().unwrap();
        let errors: Vec<_> = responses.iter().filter(|(status, _)| !status.starts_with('2')).collect();
        assert!(errors.iter().any(|(status, _)| status.starts_with('4')), "{name}");
        assert!(errors.iter().any(|(status, _)| status.starts_with('5')), "{name}");
        for (status, error) in errors {
            let error = resolved(&document, error);
            let schema = resolved(&document, &error["content"]["application/json"]["schema"]);
            let alternatives =
                schema["oneOf"].as_array().unwrap_or_else(|| panic!("{name}, {status}: {schema}"));
            assert_eq!((alternatives.len(), &alternatives[0]["type"]), (1, &json!("object")));
            let properties = &alternatives[0]["properties"];
            let code = resolved(&document, &properties["code"]);
            assert_eq!((&code["type"], &code["example"]), (&json!("string"), &json!("bad_request")));
            assert_eq!(code["enum"], json!(codes.split_whitespace().collect::<Vec<_>>()));
            assert_eq!(properties["message"]["type"], "string");
            let word = resolved(&document, &properties["status"]);
            assert_eq!((&word["enum"], &word["example"]), (&json!(["error"]), &json!("error")));
        }
    }
}

#[test]
fn every_operation_says_what_it_is_for_whom_and_under_which_tag() {
    let document = document();
    let tags: Vec<_> = document.value()["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    let mut ids = Vec::new();
    for (name, operation) in operations(&document) {
        for text in ["operationId", "summary", "description"] {
            assert!(operation[text].as_str().is_some_and(|text| !text.is_empty()), "{name}: {text}");
        }
        ids.push(&operation["operationId"]);
        let of = operation["tags"].as_array().unwrap();
        assert!(of.len() == 1 && tags.contains(&&of[0]), "{name}: {of:?}");
        let schemes = operation["security"].as_array().unwrap();
        assert!(!schemes.is_empty(), "{name}");
        for name in schemes.iter().flat_map(|scheme| scheme.as_object().unwrap().keys()) {
            let scheme = find(&document, &["components", "securitySchemes", name]);
            assert_eq!((&scheme["type"], &scheme["scheme"]), (&json!("http"), &json!("bearer")));
        }
    }
    let all = ids.len();
    ids.sort_by_key(|id| id.as_str());
    ids.dedup();
    assert_eq!(ids.len(), all, "an operation's ID is its own");
}

#[test]
fn every_string_and_list_that_a_caller_sends_is_bounded() {
    let document = document();
    let mut sent = Vec::new();
    for (name, operation) in operations(&document) {
        let body = operation.get("requestBody").map(|body| resolved(&document, body));
        let media = body.into_iter().flat_map(|body| body["content"].as_object().unwrap().values());
        sent.extend(media.map(|media| (name.clone(), &media["schema"])));
        let parameters = operation["parameters"].as_array();
        let parameters = parameters.into_iter().flatten().map(|parameter| resolved(&document, parameter));
        sent.extend(parameters.map(|parameter| (name.clone(), &parameter["schema"])));
    }
    let mut bounded = 0;
    while let Some((name, schema)) = sent.pop() {
        let schema = resolved(&document, schema);
        match schema["type"].as_str() {
            Some("string") => {
                assert!(schema["enum"].is_array() || schema["maxLength"].is_u64(), "{name}: {schema}");
                bounded += 1;
            }
            Some("array") => {
                assert!(schema["maxItems"].is_u64(), "{name}: {schema}");
                sent.push((name, &schema["items"]));
            }
            Some("object") => {
                assert_eq!(schema["additionalProperties"], false, "{name}: {schema}");
                let properties = schema["properties"].as_object().unwrap().values();
                sent.extend(properties.map(|property| (name.clone(), property)));
            }
            Some("boolean" | "integer" | "number") => {}
            _ => {
                let alternatives = ["oneOf", "anyOf", "allOf"].map(|key| schema[key].as_array());
                let alternatives: Vec<_> = alternatives.into_iter().flatten().flatten().collect();
                assert!(!alternatives.is_empty(), "{name}: {schema} allows anything");
                sent.extend(alternatives.into_iter().map(|schema| (name.clone(), schema)));
            }
        }
    }
    assert!(bounded > 10, "{bounded} strings were looked at");

    assert_eq!(find(&document, &["components", "schemas", "UserAgent", "maxLength"]), 1_024);
    assert_eq!(find(&document, &["components", "schemas", "Session_Title", "maxLength"]), 200);
    let schemas = document.value()["components"]["schemas"].as_object().unwrap();
    for (name, schema) in schemas.iter().filter(|(name, _)| name.ends_with("_Id") || *name == "Authtoken") {
        for bound in ["pattern", "minLength", "maxLength"] {
            assert!(schema.get(bound).is_some(), "{name}: {bound}");
        }
    }
}

#[test]
fn the_next_page_of_a_page_is_a_page_token() {
    let document = document();
    let next_page = find(&document, &["components", "schemas", "Session_Page", "properties", "next_page"]);
    assert_eq!(next_page["allOf"], json!([{ "$ref": "#/components/schemas/Page_Token" }]));
    let parameters = find(&document, &["paths", "/api/v1/session", "get", "parameters"]).as_array().unwrap();
    let page_token = parameters.iter().find(|parameter| parameter["name"] == "page_token").unwrap();
    assert_eq!(page_token["schema"]["$ref"], "#/components/schemas/Page_Token");
}
