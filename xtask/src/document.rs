//! The document leg: `openapi.json` by itself.

use jsonschema::{Draft, Validator};
use openapi_drift::{Document, METHODS, Object, push, walk};
use serde_json::{Map, Value, json};

/// Something that is wrong with a document: pointer, rule, sentence.
pub(crate) type Fault = (String, String, String);

/// Everything that is wrong with it: as OpenAPI 3.0.3, and by what every operation of ours must have.
pub(crate) fn faults(document: &Document) -> Vec<Fault> {
    let lint = document.lint();
    let all = document.problems().iter().chain(&lint);
    let mut faults: Vec<Fault> =
        all.map(|fault| (fault.pointer.clone(), fault.rule.to_owned(), fault.message.clone())).collect();
    if faults.is_empty() {
        // Validators take a document that is none badly.
        operations(document.value(), &mut faults);
        examples(document.value(), &mut faults);
    }
    faults.sort();
    faults.dedup();
    faults
}

fn operations(document: &Value, faults: &mut Vec<Fault>) {
    let tags: Vec<&Value> =
        document["tags"].as_array().into_iter().flatten().map(|tag| &tag["name"]).collect();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for method in METHODS {
            let Some(operation) = item.get(method) else { continue };
            let at = push(&push("/paths", path), method);
            let mut fault = |rule: &str, message: String| faults.push((at.clone(), rule.to_owned(), message));
            for field in ["operationId", "summary"] {
                if operation[field].as_str().is_none_or(|text| text.trim().is_empty()) {
                    fault(
                        "operation-incomplete",
                        format!("every operation must have the field {field:?}; add it"),
                    );
                }
            }
            let own = operation["tags"].as_array();
            if own.is_none_or(Vec::is_empty) {
                fault("operation-incomplete", "every operation must have a tag; add one".to_owned());
            }
            for tag in own.into_iter().flatten().filter(|tag| !tags.contains(tag)) {
                fault("tag-undeclared", format!("the document's tags do not list {tag}; add it there"));
            }
            let statuses: Vec<&String> =
                operation["responses"].as_object().into_iter().flat_map(Map::keys).collect();
            for (class, name) in [('4', "of the client"), ('5', "of the server")] {
                if !statuses.iter().any(|status| status.starts_with(class) || *status == "default") {
                    fault(
                        "operation-incomplete",
                        format!("every operation must describe an error {name}; add one"),
                    );
                }
            }
        }
    }
}

/// Holds every example, default and allowed value against its schema.
fn examples(document: &Value, faults: &mut Vec<Fault>) {
    let mut found = Vec::new();
    walk(document, &mut |object, pointer, value| {
        let (schema, fields) = match object {
            Object::Schema => (pointer.to_owned(), ["example", "default"]),
            Object::MediaType | Object::Parameter | Object::Header => {
                (push(pointer, "schema"), ["example", ""])
            }
            _ => return,
        };
        for field in fields {
            if let Some(example) = value.get(field) {
                found.push((schema.clone(), push(pointer, field), example.clone()));
            }
        }
        for (place, allowed) in value["enum"].as_array().into_iter().flatten().enumerate() {
            if object == Object::Schema {
                found.push((
                    schema.clone(),
                    push(&push(pointer, "enum"), &place.to_string()),
                    allowed.clone(),
                ));
            }
        }
        for (name, example) in value["examples"].as_object().into_iter().flatten() {
            let example = match example["$ref"].as_str() {
                Some(reference) => {
                    document.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null)
                }
                None => example,
            };
            if let Some(example) = example.get("value") {
                found.push((schema.clone(), push(&push(pointer, "examples"), name), example.clone()));
            }
        }
    });
    let components = plain(&document["components"]);
    let mut validator: Option<(String, Result<Validator, String>)> = None;
    for (schema, at, example) in found {
        if validator.as_ref().is_none_or(|(pointer, _)| *pointer != schema) {
            let whole = json!({
                "allOf": [plain(document.pointer(&schema).unwrap_or(&Value::Null))],
                "components": components,
            });
            // Its errors name places of a schema that stands nowhere; the first line says what is wrong.
            let built =
                jsonschema::options().with_draft(Draft::Draft4).should_validate_formats(true).build(&whole);
            validator = Some((schema.clone(), built.map_err(|error| error.to_string())));
        }
        match &validator {
            Some((_, Ok(validator))) => {
                if let Some(error) = validator.iter_errors(&example).next() {
                    faults.push((
                        at,
                        "example-invalid".to_owned(),
                        format!("this is no value of its schema: {error}"),
                    ));
                }
            }
            Some((pointer, Err(error))) => {
                faults.push((
                    pointer.clone(),
                    "schema-invalid".to_owned(),
                    format!("no validator can be made of it: {error}"),
                ));
            }
            None => {}
        }
    }
}

/// A schema of OpenAPI 3.0 as one of JSON Schema draft 4, which writes `nullable` as a type.
fn plain(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let mut members: Map<String, Value> =
                members.iter().map(|(name, member)| (name.clone(), plain(member))).collect();
            if members.get("nullable") == Some(&Value::Bool(true))
                && let Some(kind) = members.get("type").filter(|kind| kind.is_string()).cloned()
            {
                members.insert("type".to_owned(), json!([kind, "null"]));
            }
            Value::Object(members)
        }
        Value::Array(items) => items.iter().map(plain).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(change: impl FnOnce(&mut Value)) -> Vec<(String, String)> {
        let mut document: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
        change(&mut document);
        let document = Document::parse(&document.to_string()).unwrap();
        faults(&document).into_iter().map(|(pointer, rule, _)| (rule, pointer)).collect()
    }

    #[test]
    fn the_contract_has_no_fault() {
        assert_eq!(found(|_| {}), []);
    }

    /// A rule, where it is broken, and the change of the operation that breaks it.
    type Case = (&'static str, String, fn(&mut Value));

    #[test]
    fn each_demand_is_held() {
        const FETCH: &str = "/paths/~1api~1v1~1session~1{session_id}/get";
        let cases: [Case; 9] = [
            ("operation-incomplete", FETCH.to_owned(), |fetch| {
                drop(fetch.as_object_mut().unwrap().remove("operationId"));
            }),
            ("operation-incomplete", FETCH.to_owned(), |fetch| fetch["summary"] = json!(" ")),
            ("operation-incomplete", FETCH.to_owned(), |fetch| fetch["tags"] = json!([])),
            ("tag-undeclared", FETCH.to_owned(), |fetch| fetch["tags"] = json!(["session", "other"])),
            ("operation-incomplete", FETCH.to_owned(), |fetch| {
                fetch["responses"].as_object_mut().unwrap().retain(|status, _| !status.starts_with('4'));
            }),
            ("operation-incomplete", FETCH.to_owned(), |fetch| {
                fetch["responses"].as_object_mut().unwrap().retain(|status, _| !status.starts_with('5'));
            }),
            (
                "example-invalid",
                format!("{FETCH}/responses/200/content/application~1json/example"),
                |fetch| {
                    fetch["responses"]["200"]["content"]["application/json"]["example"] =
                        json!({ "actions": {} });
                },
            ),
            ("example-invalid", format!("{FETCH}/parameters/1/examples/one"), |fetch| {
                let parameter = json!({ "name": "q", "in": "query", "schema": { "type": "integer", "nullable": true },
                    "examples": { "one": { "value": "x" }, "two": { "value": null } } });
                fetch["parameters"].as_array_mut().unwrap().push(parameter);
            }),
            ("example-invalid", format!("{FETCH}/parameters/1/schema/default"), |fetch| {
                let parameter =
                    json!({ "name": "q", "in": "query", "schema": { "type": "integer", "default": "x" } });
                fetch["parameters"].as_array_mut().unwrap().push(parameter);
            }),
        ];
        for (rule, pointer, change) in cases {
            let found = found(|document| change(document.pointer_mut(FETCH).unwrap()));
            assert!(
                found.contains(&(rule.to_owned(), pointer.clone())),
                "{rule} at {pointer} is not among {found:?}"
            );
        }
    }
}
