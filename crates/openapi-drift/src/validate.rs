//! Values validated against the schemas of a document.
//!
//! A schema of OpenAPI 3.0 is one of JSON Schema Wright Draft 00 with differences (3.0.3, Schema Object). It is rewritten
//! as draft 4 and compiled by the crate `jsonschema`. Where the specification leaves room:
//!
//! - `nullable` adds `null` to the `type` beside it. Without a `type` it has no effect, and an `enum` must list `null` itself.
//! - `1.0` is not an integer: an integer has neither a fraction nor an exponent.
//! - Bounds are compared exactly, also beyond the precision of `f64`. `exclusiveMinimum` without `minimum` has no effect.
//! - The formats `int32`, `int64`, `uint32` and `uint64` bound a number. `uuid`, `date`, `date-time`, `email`,
//!   `hostname`, `ipv4`, `ipv6`, `uri` and `byte` are checked. Other formats are not.
//! - Fields beside a `$ref` are ignored, and an unresolved `$ref` allows any value: [`Document::lint`] reports both.
//! - `readOnly` and `writeOnly` are not considered: a required property is required in both directions.

use std::collections::{BTreeMap, HashMap};

use jsonschema::Draft;
use serde_json::{Map, Value, json};

use crate::document::Document;
use crate::fields::{Object, Shape, find};
use crate::node::Node;
use crate::pointer::{parent, push};

/// Types and formats that values are validated against, or that restrict no value: `password`, `binary`, `float`, `double`.
pub const FORMATS: &[(&str, &[&str])] = &[
    (
        "string",
        &[
            "uuid",
            "date",
            "date-time",
            "email",
            "hostname",
            "ipv4",
            "ipv6",
            "uri",
            "byte",
            "binary",
            "password",
        ],
    ),
    ("integer", &["int32", "int64", "uint32", "uint64"]),
    ("number", &["float", "double"]),
];

/// A compiled schema of a document.
#[derive(Debug)]
pub struct Validator {
    compiled: jsonschema::Validator,
    /// By pointers of the compiled schema: the pointer in the document. Those below are the same as in the document.
    origins: BTreeMap<String, String>,
}

/// A keyword of a schema that a value violates.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{}: {message}", if instance.is_empty() { "/" } else { instance })]
pub struct ValueError {
    /// JSON pointer to the keyword in the document, references followed.
    pub keyword: String,
    /// JSON pointer to the invalid part of the value; empty for the whole.
    pub instance: String,
    /// What the keyword demands. The value itself is not part of it.
    pub message: String,
}

/// A schema that cannot be compiled, such as one whose `pattern` is not a regular expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("#{pointer}: {message}")]
pub struct SchemaError {
    /// JSON pointer to the schema or the keyword.
    pub pointer: String,
    /// Why it cannot be compiled.
    pub message: String,
}

impl Document {
    /// Compiles the schema at a pointer.
    ///
    /// ```
    /// use openapi_drift::Document;
    ///
    /// let document = Document::parse(r#"{
    ///     "openapi": "3.0.3", "info": { "title": "t", "version": "1.0.0" }, "paths": {},
    ///     "components": { "schemas": { "Limit": { "type": "integer", "maximum": 100, "nullable": true } } }
    /// }"#)?;
    /// let validator = document.validator("/components/schemas/Limit")?;
    /// assert!(validator.is_valid(&serde_json::json!(null)));
    /// assert_eq!(validator.errors(&serde_json::json!(101))[0].keyword, "/components/schemas/Limit/maximum");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The document has no value at the pointer, its reference cannot be resolved, or it is not a schema.
    pub fn validator(&self, schema: &str) -> Result<Validator, SchemaError> {
        let node = self
            .resolve(schema)
            .map_err(|error| SchemaError { pointer: schema.to_owned(), message: error.to_string() })?;
        let mut conversion = Conversion::default();
        let start = conversion.definition(&node);
        let mut definitions = Map::new();
        while let Some((name, node)) = conversion.pending.pop() {
            let schema = conversion.schema(&node, &format!("/definitions/{name}"));
            definitions.insert(name, schema);
        }
        let whole = json!({ "definitions": definitions, "allOf": [start] });
        let compiled = jsonschema::options()
            .with_draft(Draft::Draft4)
            .should_validate_formats(true)
            .with_format("uuid", is_uuid)
            .with_format("byte", is_base64)
            .build(&whole);
        match compiled {
            Ok(compiled) => Ok(Validator { compiled, origins: conversion.origins }),
            Err(error) => {
                // Where draft 4's own schema finds the error, the schema is the instance.
                let at = match error.instance_path().as_str() {
                    "" => error.schema_path().as_str(),
                    at => at,
                };
                Err(SchemaError { pointer: origin(&conversion.origins, at), message: error.to_string() })
            }
        }
    }
}

impl Validator {
    /// Every keyword that a value violates, ordered; none for a valid value.
    pub fn errors(&self, value: &Value) -> Vec<ValueError> {
        let errors = self.compiled.iter_errors(value).map(|error| ValueError {
            keyword: origin(&self.origins, error.schema_path().as_str()),
            instance: error.instance_path().to_string(),
            message: error.masked().to_string(),
        });
        let mut errors: Vec<_> = errors.collect();
        errors.sort();
        errors.dedup();
        errors
    }

    /// Whether a value is valid.
    pub fn is_valid(&self, value: &Value) -> bool {
        self.compiled.is_valid(value)
    }
}

/// The pointer in the document of a pointer of the compiled schema.
fn origin(origins: &BTreeMap<String, String>, compiled: &str) -> String {
    let mut above = std::iter::successors(Some(compiled), |above| parent(above));
    let origin = above.find_map(|above| Some((origins.get(above)?, compiled.get(above.len()..)?)));
    origin.map_or_else(|| compiled.to_owned(), |(origin, below)| format!("{origin}{below}"))
}

/// The rewriting of a schema and of those that it refers to. Each becomes a member of `definitions`, so that the size
/// of the whole does not depend on the rest of the document.
#[derive(Default)]
struct Conversion<'a> {
    /// By pointers in the document.
    names: HashMap<String, String>,
    pending: Vec<(String, Node<'a>)>,
    origins: BTreeMap<String, String>,
}

impl<'a> Conversion<'a> {
    /// A reference to the definition of a schema.
    fn definition(&mut self, node: &Node<'a>) -> Value {
        let next = self.names.len().to_string();
        let name = self.names.entry(node.pointer.clone()).or_insert_with(|| {
            self.origins.insert(format!("/definitions/{next}"), node.pointer.clone());
            self.pending.push((next.clone(), node.clone()));
            next
        });
        json!({ "$ref": format!("#/definitions/{name}") })
    }

    /// A schema as one of draft 4, to be placed at a pointer.
    fn schema(&mut self, node: &Node<'a>, at: &str) -> Value {
        let Some(members) = node.value.as_object() else { return json!({}) };
        if node.text("$ref").is_some() {
            return node.resolve().map_or_else(|_| json!({}), |target| self.definition(&target));
        }
        let mut schema = Map::new();
        for (name, value) in members {
            let Some(field) = find(Object::Schema, name) else { continue };
            let (Some(inner), below) = (node.get(name), push(at, name)) else { continue };
            let converted = match field.shape {
                Shape::FlagOrSchema if value.is_boolean() => value.clone(),
                Shape::One(Object::Schema) | Shape::FlagOrSchema => self.schema(&inner, &below),
                Shape::List(Object::Schema) => node
                    .list(name)
                    .iter()
                    .enumerate()
                    .map(|(index, item)| self.schema(item, &format!("{below}/{index}")))
                    .collect(),
                Shape::Map(Object::Schema) => inner
                    .members()
                    .map(|(name, member)| (name.to_owned(), self.schema(&member, &push(&below, name))))
                    .collect::<Map<_, _>>()
                    .into(),
                _ => match keyword(name, node, value) {
                    Some(value) => value,
                    None => continue,
                },
            };
            schema.insert(name.clone(), converted);
        }
        if let (true, Some(kind)) = (node.flag("nullable"), node.text("type")) {
            schema.insert("type".to_owned(), json!([kind, "null"]));
        }
        self.also(&mut schema, node, at);
        schema.into()
    }

    /// Adds to `allOf` what draft 4 has no keyword for, and alternatives of one member, so that an error is reported at
    /// a keyword in them.
    fn also(&mut self, schema: &mut Map<String, Value>, node: &Node<'a>, at: &str) {
        let mut all = match schema.remove("allOf") {
            Some(Value::Array(all)) => all,
            _ => Vec::new(),
        };
        for field in ["oneOf", "anyOf"] {
            if let [only] = &node.list(field)[..] {
                schema.remove(field);
                let at = format!("{at}/allOf/{}", all.len());
                self.origins.insert(at.clone(), only.pointer.clone());
                all.push(self.schema(only, &at));
            }
        }
        let bounds = match node.text("format") {
            Some("int32") => Some((json!(i32::MIN), json!(i32::MAX))),
            Some("int64") => Some((json!(i64::MIN), json!(i64::MAX))),
            Some("uint32") => Some((json!(0), json!(u32::MAX))),
            Some("uint64") => Some((json!(0), json!(u64::MAX))),
            _ => None,
        };
        if let Some((minimum, maximum)) = bounds {
            for keyword in ["minimum", "maximum"] {
                let at = format!("{at}/allOf/{}/{keyword}", all.len());
                self.origins.insert(at, push(&node.pointer, "format"));
            }
            all.push(json!({ "minimum": minimum, "maximum": maximum }));
        }
        if !all.is_empty() {
            schema.insert("allOf".to_owned(), all.into());
        }
    }
}

/// The value of a keyword that restricts values; `None` where it has no effect, or is a problem that the lint reports
/// and draft 4 does not have.
fn keyword(name: &str, node: &Node<'_>, value: &Value) -> Option<Value> {
    match name {
        "exclusiveMinimum" => node.get("minimum").map(|_| value.clone()),
        "exclusiveMaximum" => node.get("maximum").map(|_| value.clone()),
        "required" | "enum" => {
            let mut items: Vec<&Value> = Vec::new();
            for item in value.as_array()? {
                if !items.contains(&item) {
                    items.push(item);
                }
            }
            (!items.is_empty()).then(|| items.into_iter().cloned().collect())
        }
        // In draft 4, 2.0 is not an integer.
        "maxLength" | "minLength" | "maxItems" | "minItems" | "maxProperties" | "minProperties" => {
            let whole = value.as_f64().filter(|_| value.is_f64()).map(|number| format!("{number:.0}"));
            let whole = whole.and_then(|digits| digits.parse::<u64>().ok()).map(Value::from);
            Some(whole.unwrap_or_else(|| value.clone()))
        }
        "multipleOf" | "maximum" | "minimum" | "pattern" | "uniqueItems" | "type" | "format" => {
            Some(value.clone())
        }
        _ => None,
    }
}

/// Whether a text is a UUID as RFC 4122 writes it.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Whether a text is base64 with padding (RFC 4648, section 4).
fn is_base64(text: &str) -> bool {
    let data = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - data.len() <= 2
        && data.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(schemas: &Value) -> Document {
        let document = json!({
            "openapi": "3.0.3", "info": { "title": "t", "version": "1.0.0" }, "paths": {},
            "components": { "schemas": schemas },
        });
        Document::parse(&document.to_string()).unwrap()
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn the_boundary_of_each_keyword_is_that_of_openapi_3_0_3() {
        let big = 9_007_199_254_740_993_u64;
        let cases: Vec<(Value, Vec<Value>, Vec<Value>)> = vec![
            (json!({}), vec![json!(null), json!(1), json!("a"), json!([]), json!({}), json!(true)], vec![]),
            (json!({ "type": "string" }), vec![json!("")], vec![json!(null), json!(1)]),
            (json!({ "type": "string", "nullable": true }), vec![json!("a"), json!(null)], vec![json!(1)]),
            (json!({ "type": "string", "nullable": false }), vec![json!("a")], vec![json!(null)]),
            // Only a type beside it makes `nullable` effective.
            (
                json!({ "nullable": true, "allOf": [{ "type": "string" }] }),
                vec![json!("a")],
                vec![json!(null)],
            ),
            // The values are listed in full.
            (
                json!({ "type": "string", "nullable": true, "enum": ["a"] }),
                vec![json!("a")],
                vec![json!(null)],
            ),
            (
                json!({ "type": "string", "nullable": true, "enum": ["a", null] }),
                vec![json!("a"), json!(null)],
                vec![json!("b")],
            ),
            (json!({ "oneOf": [{ "type": "string", "nullable": true }] }), vec![json!(null)], vec![json!(1)]),
            (
                json!({ "type": "integer" }),
                vec![json!(0), json!(-1), json!(u64::MAX)],
                vec![json!(1.5), json!(1.0), json!("1")],
            ),
            (json!({ "type": "number" }), vec![json!(0), json!(1.5)], vec![json!("1"), json!(null)]),
            (json!({ "minimum": 1 }), vec![json!(1), json!("a")], vec![json!(0), json!(0.999)]),
            (
                json!({ "minimum": 1, "exclusiveMinimum": true }),
                vec![json!(2), json!(1.001)],
                vec![json!(1), json!(1.0)],
            ),
            (json!({ "minimum": 1, "exclusiveMinimum": false }), vec![json!(1)], vec![json!(0)]),
            (json!({ "maximum": 1, "exclusiveMaximum": true }), vec![json!(0), json!(0.999)], vec![json!(1)]),
            (json!({ "exclusiveMinimum": true }), vec![json!(0), json!(-1)], vec![]),
            // `f64` cannot tell these apart.
            (json!({ "maximum": big - 1 }), vec![json!(big - 1)], vec![json!(big)]),
            (json!({ "minimum": i64::MAX }), vec![json!(i64::MAX)], vec![json!(i64::MAX - 1)]),
            (
                json!({ "type": "integer", "format": "int32" }),
                vec![json!(i32::MIN), json!(i32::MAX)],
                vec![json!(i64::from(i32::MIN) - 1), json!(i64::from(i32::MAX) + 1)],
            ),
            (
                json!({ "type": "integer", "format": "int32", "minimum": -9_000_000_000_i64 }),
                vec![json!(0)],
                vec![json!(-8_000_000_000_i64)],
            ),
            (
                json!({ "type": "integer", "format": "int64" }),
                vec![json!(i64::MIN), json!(i64::MAX)],
                vec![json!(i64::MAX.cast_unsigned() + 1)],
            ),
            (
                json!({ "type": "integer", "format": "uint64" }),
                vec![json!(0), json!(u64::MAX)],
                vec![json!(-1)],
            ),
            (
                json!({ "type": "integer", "format": "uint32" }),
                vec![json!(0), json!(u32::MAX)],
                vec![json!(-1), json!(u64::from(u32::MAX) + 1)],
            ),
            (json!({ "multipleOf": 0.01 }), vec![json!(0.07), json!(19.99)], vec![json!(0.075)]),
            (
                json!({ "maxLength": 2 }),
                vec![json!("ab"), json!("üü"), json!("😀😀"), json!(123)],
                vec![json!("abc")],
            ),
            (json!({ "minLength": 1.0 }), vec![json!("a")], vec![json!("")]),
            // A pattern is searched for, not matched with the whole.
            (json!({ "pattern": "b" }), vec![json!("abc")], vec![json!("ac")]),
            (json!({ "pattern": "^[a-z]+$" }), vec![json!("abc")], vec![json!("ab1"), json!("ab\n")]),
            (json!({ "uniqueItems": true }), vec![json!([1, "1"])], vec![json!([1, 1]), json!([1, 1.0])]),
            (
                json!({ "type": "string", "format": "uuid" }),
                vec![
                    json!("64ac4f0c-0000-4000-8000-00000000000f"),
                    json!("64AC4F0C-0000-4000-8000-00000000000F"),
                ],
                vec![
                    json!("64ac4f0c00004000800000000000000f"),
                    json!("64ac4f0c-0000-4000-8000-00000000000g"),
                    json!("64ac4f0c-00004-000-8000-00000000000f"),
                    json!("{64ac4f0c-0000-4000-8000-00000000000f"),
                ],
            ),
            (json!({ "format": "ipv4" }), vec![json!("10.0.0.1")], vec![json!("10.0.0.256"), json!("::1")]),
            (json!({ "format": "ipv6" }), vec![json!("::1")], vec![json!("10.0.0.1"), json!(":::")]),
            (json!({ "format": "date" }), vec![json!("2024-02-29")], vec![json!("2023-02-29")]),
            (
                json!({ "format": "date-time" }),
                vec![json!("2024-02-29T12:00:00Z")],
                vec![json!("2024-02-29"), json!("2024-02-29T12:00:00")],
            ),
            (json!({ "format": "byte" }), vec![json!(""), json!("YWI=")], vec![json!("YWI"), json!("Y-I=")]),
            (json!({ "format": "no-such-format" }), vec![json!("a")], vec![]),
            (
                json!({ "type": "object", "properties": { "a": { "type": "string" } }, "required": ["a"],
                        "additionalProperties": false }),
                vec![json!({ "a": "" })],
                vec![json!({}), json!({ "a": null }), json!({ "a": "", "b": 1 })],
            ),
            (
                json!({ "oneOf": [{ "type": "integer" }, { "type": "number" }] }),
                vec![json!(1.5)],
                vec![json!(1), json!("a")],
            ),
            (
                json!({ "anyOf": [{ "type": "integer" }, { "type": "number" }] }),
                vec![json!(1)],
                vec![json!("a")],
            ),
            (json!({ "not": { "type": "integer" } }), vec![json!("a")], vec![json!(1)]),
            // Fields beside a reference are ignored.
            (
                json!({ "$ref": "#/components/schemas/Other", "maxLength": 1 }),
                vec![json!("abc")],
                vec![json!(1)],
            ),
        ];
        for (schema, valid, invalid) in cases {
            let document = document(&json!({ "A": schema, "Other": { "type": "string" } }));
            let validator = document.validator("/components/schemas/A").unwrap();
            for value in valid {
                assert_eq!(validator.errors(&value), [], "{schema} must allow {value}");
                assert!(validator.is_valid(&value));
            }
            for value in invalid {
                assert!(!validator.errors(&value).is_empty(), "{schema} must not allow {value}");
                assert!(!validator.is_valid(&value));
            }
        }
    }

    #[test]
    fn an_error_names_the_keyword_where_the_document_has_it() {
        let document = document(&json!({
            "A/B": { "properties": {
                "c": { "$ref": "#/components/schemas/C" },
                "d": { "oneOf": [{ "allOf": [{ "maxLength": 1 }, { "$ref": "#/components/schemas/C" }] }] },
                "e": { "type": "integer", "format": "int32" },
                "f": { "allOf": [{ "$ref": "#/components/schemas/A~1B" }] },
            } },
            "C": { "type": "string", "pattern": "^c" },
        }));
        let validator = document.validator("/components/schemas/A~1B").unwrap();
        let own = "/components/schemas/A~1B/properties";
        for (value, keyword, instance) in [
            (json!({ "c": "x" }), "/components/schemas/C/pattern".to_owned(), "/c"),
            (json!({ "c": 1 }), "/components/schemas/C/type".to_owned(), "/c"),
            (json!({ "d": "cc" }), format!("{own}/d/oneOf/0/allOf/0/maxLength"), "/d"),
            (json!({ "d": "x" }), "/components/schemas/C/pattern".to_owned(), "/d"),
            (json!({ "e": 1_u64 << 40 }), format!("{own}/e/format"), "/e"),
            (json!({ "f": { "e": "1" } }), format!("{own}/e/type"), "/f/e"),
        ] {
            let errors = validator.errors(&value);
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert_eq!(
                (errors[0].keyword.as_str(), errors[0].instance.as_str()),
                (keyword.as_str(), instance)
            );
            assert!(!errors[0].message.contains("\"x\""), "{errors:?}");
        }
    }

    #[test]
    fn a_schema_that_is_none_is_an_error_and_unresolved_references_allow_anything() {
        let document = document(&json!({
            "Pattern": { "properties": { "a": { "pattern": "(" } } },
            "Circle": { "$ref": "#/components/schemas/Circle" },
            "Lost": { "properties": { "a": { "$ref": "#/components/schemas/Absent" } } },
            "Itself": { "allOf": [{ "$ref": "#/components/schemas/Itself" }] },
        }));
        let error = document.validator("/components/schemas/Pattern").unwrap_err();
        assert_eq!(error.pointer, "/components/schemas/Pattern/properties/a/pattern");
        for pointer in ["/components/schemas/Circle", "/components/schemas/No"] {
            assert_eq!(document.validator(pointer).unwrap_err().pointer, pointer);
        }
        let lost = document.validator("/components/schemas/Lost").unwrap();
        assert!(lost.is_valid(&json!({ "a": 1 })) && lost.is_valid(&json!({ "a": "b" })));
        let _ = document.validator("/components/schemas/Itself").map(|it| it.is_valid(&json!(1)));
    }
}
