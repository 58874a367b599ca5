//! Each rule of the linter, violated once.

use serde_json::{Value, json};

use crate::Document;

const EVERY_FIELD: &str = include_str!("../../tests/data/every-field.json");

fn rules(change: impl FnOnce(&mut Value)) -> Vec<(&'static str, String)> {
    let mut document: Value = serde_json::from_str(EVERY_FIELD).unwrap();
    change(&mut document);
    let problems = Document::parse(&document.to_string()).unwrap().lint();
    problems.into_iter().map(|problem| (problem.rule, problem.pointer)).collect()
}

/// A rule, where it is broken, and the change that breaks it.
type Case = (&'static str, String, Box<dyn FnOnce(&mut Value)>);

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_rule_reports_its_violation() {
    let before = rules(|_| {});
    let thing = "/components/schemas/Thing";
    let set = |rule: &'static str, at: String, pointer: String, value: Value| -> Case {
        let change = move |document: &mut Value| {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            let key = key.replace("~1", "/").replace("~0", "~");
            match document.pointer_mut(parent).unwrap() {
                Value::Array(items) => items.push(value),
                other => drop(other.as_object_mut().unwrap().insert(key, value)),
            }
        };
        (rule, at, Box::new(change))
    };
    let own = |rule, pointer: String, value| set(rule, pointer.clone(), pointer, value);
    let get = "/paths/~1things~1{id}/get";
    let cases: Vec<Case> = vec![
        set("missing-field", "/info".to_owned(), "/info".to_owned(), json!({ "title": "t" })),
        own("unresolved-reference", format!("{thing}/properties/id/$ref"), json!("#/components/schemas/No")),
        set(
            "ignored-sibling",
            format!("{thing}/properties/self/$ref"),
            format!("{thing}/properties/self/maxLength"),
            json!(1),
        ),
        set(
            "array-without-items",
            format!("{thing}/properties/id"),
            format!("{thing}/properties/id"),
            json!({ "type": "array" }),
        ),
        set("empty-range", format!("{thing}/minProperties"), format!("{thing}/maxProperties"), json!(0)),
        set(
            "read-and-write-only",
            format!("{thing}/properties/id"),
            format!("{thing}/properties/id/writeOnly"),
            json!(true),
        ),
        own("empty-list", format!("{thing}/required"), json!([])),
        set("duplicate-item", format!("{thing}/required/1"), format!("{thing}/required/-"), json!("id")),
        set("required-undeclared", format!("{thing}/required/1"), format!("{thing}/required/-"), json!("no")),
        set(
            "unresolved-reference",
            format!("{thing}/properties/pet/discriminator/mapping/cow"),
            format!("{thing}/properties/pet/discriminator/mapping/cow"),
            json!("Cow"),
        ),
        set(
            "schema-and-content",
            format!("{get}/parameters/1"),
            format!("{get}/parameters/1/schema"),
            json!({}),
        ),
        set(
            "optional-path-parameter",
            "/paths/~1things~1{id}/parameters/0".to_owned(),
            "/paths/~1things~1{id}/parameters/0/required".to_owned(),
            json!(false),
        ),
        set(
            "impossible-style",
            format!("{get}/parameters/0/style"),
            format!("{get}/parameters/0/style"),
            json!("label"),
        ),
        set(
            "ignored-header",
            format!("{get}/parameters/1"),
            format!("{get}/parameters/1/name"),
            json!("Authorization"),
        ),
        set(
            "misplaced-field",
            format!("{get}/parameters/1/allowEmptyValue"),
            format!("{get}/parameters/1/allowEmptyValue"),
            json!(true),
        ),
        set(
            "two-examples",
            "/components/examples/one/externalValue".to_owned(),
            "/components/examples/one/externalValue".to_owned(),
            json!("x"),
        ),
        set(
            "unknown-scheme",
            format!("{get}/security/1/no"),
            format!("{get}/security/-"),
            json!({ "no": [] }),
        ),
        set(
            "unknown-scope",
            format!("{get}/security/1/oauth/0"),
            format!("{get}/security/-"),
            json!({ "oauth": ["no"] }),
        ),
        set(
            "duplicate-path",
            "/paths/~1things~1{name}".to_owned(),
            "/paths/~1things~1{name}".to_owned(),
            json!({}),
        ),
        set(
            "duplicate-operation-id",
            "/paths/~1things~1{id}/put/operationId".to_owned(),
            "/paths/~1things~1{id}/put/operationId".to_owned(),
            json!("thing_fetch"),
        ),
        set(
            "meaningless-body",
            format!("{get}/requestBody"),
            format!("{get}/requestBody"),
            json!({ "content": {} }),
        ),
        set(
            "duplicate-parameter",
            format!("{get}/parameters/2"),
            format!("{get}/parameters/-"),
            json!({ "name": "q", "in": "query", "schema": {} }),
        ),
        set(
            "unknown-path-parameter",
            format!("{get}/parameters/2"),
            format!("{get}/parameters/-"),
            json!({ "name": "no", "in": "path", "required": true, "schema": {} }),
        ),
        set(
            "missing-path-parameter",
            "/paths/~1a~1{b}/get".to_owned(),
            "/paths/~1a~1{b}".to_owned(),
            json!({ "get": { "responses": { "204": { "description": "" } } } }),
        ),
        set("no-response", format!("{get}/responses"), format!("{get}/responses"), json!({})),
        set(
            "unused",
            "/components/schemas/More".to_owned(),
            "/components/schemas/More".to_owned(),
            json!({}),
        ),
        set("unused", "/tags/1".to_owned(), "/tags/-".to_owned(), json!({ "name": "no" })),
        set(
            "missing-field",
            "/components/securitySchemes/bearer".to_owned(),
            "/components/securitySchemes/bearer".to_owned(),
            json!({ "type": "http" }),
        ),
        set("tag-undeclared", get.to_owned(), format!("{get}/tags"), json!(["undeclared"])),
        set("operation-incomplete", get.to_owned(), format!("{get}/summary"), json!(" ")),
        set("operation-incomplete", get.to_owned(), format!("{get}/operationId"), json!("")),
        set("operation-incomplete", get.to_owned(), format!("{get}/tags"), json!([])),
        set(
            "operation-incomplete",
            get.to_owned(),
            format!("{get}/responses"),
            json!({ "400": { "description": "" } }),
        ),
        set("no-operation", "/paths".to_owned(), "/paths".to_owned(), json!({})),
        own("example-invalid", format!("{thing}/properties/kind/default"), json!(7)),
        set(
            "example-invalid",
            format!("{thing}/properties/kind/enum/0"),
            format!("{thing}/properties/kind"),
            json!({ "type": "integer", "enum": ["a"] }),
        ),
        set(
            "example-invalid",
            format!("{get}/parameters/2/examples/one"),
            format!("{get}/parameters/-"),
            json!({ "name": "n", "in": "query", "schema": { "type": "integer" },
                    "examples": { "one": { "value": "x" } } }),
        ),
        set(
            "schema-invalid",
            format!("{thing}/properties/id/pattern"),
            format!("{thing}/properties/id"),
            json!({ "pattern": "(" }),
        ),
        set(
            "circular-schema",
            "/components/schemas/Circle".to_owned(),
            "/components/schemas/Circle".to_owned(),
            json!({ "allOf": [{ "not": { "$ref": "#/components/schemas/Circle" } }] }),
        ),
        set(
            "unresolved-reference",
            "/components/schemas/Circle/$ref".to_owned(),
            "/components/schemas/Circle".to_owned(),
            json!({ "$ref": "#/components/schemas/Circle" }),
        ),
        set(
            "unknown-format",
            format!("{thing}/properties/id/format"),
            format!("{thing}/properties/id"),
            json!({ "type": "string", "format": "int32" }),
        ),
        set(
            "no-schema",
            format!("{get}/responses/404/content/application~1json"),
            format!("{get}/responses/404"),
            json!({ "description": "", "content": { "application/json": {} } }),
        ),
        own("malformed-extension", format!("{get}/x-required-scope"), json!("")),
        own("malformed-extension", format!("{get}/x-required-scope-for"), json!({ "name": 1 })),
        own("malformed-extension", format!("{get}/x-requires-authenticated-session"), json!(1)),
        own("malformed-extension", format!("{get}/x-sunset"), json!("soon")),
        set(
            "malformed-extension",
            format!("{get}/requestBody/x-max-body-bytes"),
            format!("{get}/requestBody"),
            json!({ "content": {}, "x-max-body-bytes": 1.5 }),
        ),
        set(
            "malformed-extension",
            format!("{get}/responses/404/x-error-codes"),
            format!("{get}/responses/404"),
            json!({ "description": "", "x-error-codes": [] }),
        ),
        own("misplaced-extension", "/info/x-max-body-bytes".to_owned(), json!(1)),
    ];
    for (rule, pointer, change) in cases {
        let expected = (rule, pointer);
        assert!(!before.contains(&expected), "{expected:?} was reported before");
        let found = rules(change);
        assert!(found.contains(&expected), "{expected:?} is not among {found:#?}");
    }
}
