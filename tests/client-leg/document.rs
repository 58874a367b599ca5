//! The document: pointers, references, operations, and a validator for each schema.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};

/// The methods that a path may have.
pub(crate) const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// Whole numbers of these formats have bounds, whether the document repeats them or not.
const INTEGER_FORMATS: [&str; 4] = ["int32", "int64", "uint32", "uint64"];

/// The document as it was read.
#[derive(Debug)]
pub(crate) struct Document {
    root: Value,
    /// What the validators are made of: what JSON Schema of draft 4 cannot say otherwise is rewritten, and what
    /// it would stumble over, each of which is a finding elsewhere, is left out.
    plain: Value,
    /// By the pointer of the schema; `None` where it does not compile.
    validators: Mutex<BTreeMap<String, Option<Arc<Validator>>>>,
}

/// An operation of the document.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// Its `operationId`; empty where it has none.
    pub(crate) id: String,
    pub(crate) method: String,
    /// Its path, such as `/session/{session_id}`.
    pub(crate) template: String,
    pub(crate) pointer: String,
    pub(crate) parameters: Vec<Parameter>,
}

/// A parameter of an operation.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    /// `path`, `query`, `header` or `cookie`.
    pub(crate) place: String,
    pub(crate) required: bool,
    pub(crate) pointer: String,
}

/// What is wrong with a value.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// Its pointer within the value.
    pub(crate) place: String,
    /// The keyword of the schema that it breaks.
    pub(crate) keyword: String,
    pub(crate) what: String,
}

impl Fault {
    /// The parts of its place.
    pub(crate) fn path(&self) -> Vec<&str> {
        self.place.split('/').skip(1).collect()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.place.is_empty() { "/" } else { &self.place };
        write!(f, "{place}: {}", self.what)
    }
}

impl Document {
    /// The document of this value. `unknown` says which keywords of a schema are to be left out of validation.
    pub(crate) fn new(root: Value, known: impl Fn(&str) -> bool) -> Self {
        let mut document = Self { root, plain: Value::Null, validators: Mutex::default() };
        let mut plain = document.root.clone();
        for pointer in document.schemas() {
            let dangling =
                document.get(&pointer).get("$ref").is_some() && document.resolve(&pointer).is_none();
            if let Some(Value::Object(schema)) = plain.pointer_mut(&pointer) {
                if dangling {
                    schema.clear();
                }
                simplify(schema, &known);
            }
        }
        document.plain = plain;
        document
    }

    /// What stands at a pointer; null where nothing does.
    pub(crate) fn get(&self, pointer: &str) -> &Value {
        self.root.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// The members of the object at a pointer; none where there is no object.
    pub(crate) fn members<'a>(
        &'a self,
        pointer: &str,
    ) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
        self.get(pointer).as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
    }

    /// The text at a pointer; empty where there is none.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.get(pointer).as_str().unwrap_or_default()
    }

    /// The pointers of the items of the array at a pointer.
    pub(crate) fn items(&self, pointer: &str) -> Vec<String> {
        let count = self.get(pointer).as_array().map_or(0, Vec::len);
        (0..count).map(|place| format!("{pointer}/{place}")).collect()
    }

    /// The names of the array of texts at a pointer.
    pub(crate) fn names(&self, pointer: &str) -> Vec<&str> {
        self.get(pointer).as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The pointer that a pointer leads to after its references; `None` where one leads nowhere or in a circle.
    pub(crate) fn resolve(&self, pointer: &str) -> Option<String> {
        let mut pointer = pointer.to_owned();
        let mut been = BTreeSet::new();
        loop {
            let value = self.root.pointer(&pointer)?;
            let Some(reference) = value.get("$ref").filter(|_| value.is_object()) else {
                return Some(pointer);
            };
            if !been.insert(pointer) {
                return None;
            }
            pointer = unescaped(reference.as_str()?.strip_prefix('#')?);
        }
    }

    /// The pointer of a member of what a pointer leads to; it need not be there.
    pub(crate) fn child(&self, pointer: &str, name: &str) -> String {
        format!("{}/{}", self.resolve(pointer).as_deref().unwrap_or(pointer), escaped(name))
    }

    /// The longest part of a pointer that resolves, for a finding to stand at.
    pub(crate) fn nearest(&self, pointer: &str) -> String {
        let mut pointer = pointer;
        while self.root.pointer(pointer).is_none() {
            pointer = pointer.rfind('/').map_or("", |end| &pointer[..end]);
        }
        pointer.to_owned()
    }

    /// Every operation, with the parameters of its path.
    pub(crate) fn operations(&self) -> Vec<Operation> {
        let mut operations = Vec::new();
        for (template, _) in self.members("/paths") {
            let Some(item) = self.resolve(&format!("/paths/{}", escaped(template))) else { continue };
            for method in METHODS {
                let pointer = format!("{item}/{method}");
                if !self.get(&pointer).is_object() {
                    continue;
                }
                let mut parameters = self.parameters(&format!("{pointer}/parameters"));
                for shared in self.parameters(&format!("{item}/parameters")) {
                    if !parameters.iter().any(|own| (&own.name, &own.place) == (&shared.name, &shared.place))
                    {
                        parameters.push(shared);
                    }
                }
                operations.push(Operation {
                    id: self.text(&format!("{pointer}/operationId")).to_owned(),
                    method: method.to_owned(),
                    template: template.to_owned(),
                    pointer,
                    parameters,
                });
            }
        }
        operations
    }

    fn parameters(&self, pointer: &str) -> Vec<Parameter> {
        let items = self.items(pointer);
        let resolved = items.iter().filter_map(|item| self.resolve(item));
        resolved
            .map(|pointer| Parameter {
                name: self.text(&format!("{pointer}/name")).to_owned(),
                place: self.text(&format!("{pointer}/in")).to_owned(),
                required: self.get(&format!("{pointer}/required")) == &Value::Bool(true),
                pointer,
            })
            .collect()
    }

    /// The pointer of every schema: under a `schema` key, a named one, and those within them.
    pub(crate) fn schemas(&self) -> Vec<String> {
        let mut found = Vec::new();
        find_schemas(&self.root, "", &mut found);
        let mut place = 0;
        while place < found.len() {
            let nested = self.nested(&found[place]);
            found.extend(nested);
            place += 1;
        }
        found
    }

    /// The schemas directly within a schema.
    fn nested(&self, pointer: &str) -> Vec<String> {
        let mut found = Vec::new();
        for keyword in ["items", "additionalProperties", "not"] {
            found.push(format!("{pointer}/{keyword}"));
        }
        for keyword in ["properties", "allOf", "oneOf", "anyOf"] {
            let holder = format!("{pointer}/{keyword}");
            for (name, _) in children(self.get(&holder)) {
                found.push(format!("{holder}/{}", escaped(&name)));
            }
        }
        found.retain(|pointer| self.get(pointer).is_object());
        found
    }

    /// What is wrong with a value by the schema at a pointer; nothing where the schema does not compile, which is a
    /// finding of its own.
    pub(crate) fn faults(&self, schema: &str, value: &Value) -> Vec<Fault> {
        let Some(validator) = self.validator(schema) else { return Vec::new() };
        let errors = validator.iter_errors(value);
        errors
            .map(|error| Fault {
                place: error.instance_path().to_string(),
                keyword: error.kind().keyword().to_owned(),
                what: error.masked().to_string(),
            })
            .collect()
    }

    /// Whether a value is valid by the schema at a pointer.
    pub(crate) fn allows(&self, schema: &str, value: &Value) -> bool {
        self.validator(schema).is_some_and(|validator| validator.is_valid(value))
    }

    fn validator(&self, schema: &str) -> Option<Arc<Validator>> {
        let pointer = self.resolve(schema)?;
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(validator) = validators.get(&pointer) {
            return validator.clone();
        }
        let validator = self.compile(&pointer).ok().map(Arc::new);
        validators.insert(pointer, validator.clone());
        validator
    }

    /// A validator of the schema at a pointer, or why there is none.
    pub(crate) fn compile(&self, pointer: &str) -> Result<Validator, String> {
        let schema = self.plain.pointer(pointer).unwrap_or(&Value::Null);
        // The rest of the document stands beside it, for references to find their targets.
        let whole = json!({
            "allOf": [schema],
            "components": self.plain.get("components"),
            "paths": self.plain.get("paths"),
        });
        jsonschema::options()
            .with_draft(Draft::Draft4)
            .should_validate_formats(true)
            .with_format("uuid", is_uuid)
            .build(&whole)
            .map_err(|error| error.to_string())
    }
}

fn find_schemas(value: &Value, pointer: &str, found: &mut Vec<String>) {
    let named = pointer == "/components/schemas";
    for (name, child) in children(value) {
        let pointer = format!("{pointer}/{}", escaped(&name));
        if named || name == "schema" {
            found.push(pointer);
        } else if name != "example" && name != "examples" {
            find_schemas(child, &pointer, found);
        }
    }
}

/// Makes a schema of `OpenAPI` 3.0 one of draft 4.
fn simplify(schema: &mut Map<String, Value>, known: impl Fn(&str) -> bool) {
    schema.retain(|keyword, _| known(keyword));
    if schema.get("nullable") == Some(&Value::Bool(true))
        && let Some(Value::String(kind)) = schema.get("type")
    {
        let kinds = json!([kind, "null"]);
        schema.insert("type".to_owned(), kinds);
    }
    if let Some(format) = schema.get("format").and_then(Value::as_str) {
        let bounds = match format {
            "int32" => Some((json!(i32::MIN), json!(i32::MAX))),
            "int64" => Some((json!(i64::MIN), json!(i64::MAX))),
            "uint32" => Some((json!(0), json!(u32::MAX))),
            "uint64" => Some((json!(0), json!(u64::MAX))),
            _ => None,
        };
        if let Some((minimum, maximum)) = bounds {
            schema.entry("minimum").or_insert(minimum);
            schema.entry("maximum").or_insert(maximum);
        }
    }
}

/// Whether a format says something of numbers.
pub(crate) fn is_integer_format(format: &str) -> bool {
    INTEGER_FORMATS.contains(&format)
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.char_indices().all(|(place, character)| match place {
            8 | 13 | 18 | 23 => character == '-',
            _ => character.is_ascii_hexdigit(),
        })
}

/// The members of an object or the items of an array, each with its name in a pointer.
pub(crate) fn children(value: &Value) -> Vec<(String, &Value)> {
    match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(place, value)| (place.to_string(), value)).collect()
        }
        _ => Vec::new(),
    }
}

/// A name as a pointer has it.
pub(crate) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A text without its percent signs; what is behind them may be of any encoding.
pub(crate) fn unescaped(text: &str) -> String {
    // A plus stands for itself outside a query.
    let text = text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(text.as_bytes()).next().map(|(text, _)| text.into_owned()).unwrap_or_default()
}

/// Whether two values are the same, numbers by what they count.
pub(crate) fn same(one: &Value, other: &Value) -> bool {
    first_difference(one, other).is_none()
}

/// Where two values first differ; `None` where they are the same. A null is as good as nothing in an object: whoever
/// reads an optional value cannot tell them apart.
pub(crate) fn first_difference(one: &Value, other: &Value) -> Option<Vec<String>> {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            names.into_iter().find_map(|name| {
                let (one, other) = (one.get(name), other.get(name));
                first_difference(one.unwrap_or(&Value::Null), other.unwrap_or(&Value::Null))
                    .map(|path| within(name, path))
            })
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            one.iter().zip(other).enumerate().find_map(|(place, (one, other))| {
                first_difference(one, other).map(|path| within(&place.to_string(), path))
            })
        }
        (Value::Number(one), Value::Number(other)) => {
            let exact = one == other;
            let whole = one.is_f64() || other.is_f64();
            let close = whole && one.as_f64() == other.as_f64();
            (!exact && !close).then(Vec::new)
        }
        (one, other) => (one != other).then(Vec::new),
    }
}

fn within(name: &str, mut path: Vec<String>) -> Vec<String> {
    path.insert(0, name.to_owned());
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_followed_but_not_in_circles_or_to_nowhere() {
        let document = Document::new(
            json!({ "components": { "schemas": {
                "A": { "$ref": "#/components/schemas/B" }, "B": { "type": "string" },
                "C": { "$ref": "#/components/schemas/C" }, "D": { "$ref": "#/nowhere" },
            } } }),
            |_| true,
        );
        let resolved = |name: &str| document.resolve(&format!("/components/schemas/{name}"));
        assert_eq!(resolved("A").as_deref(), Some("/components/schemas/B"));
        assert_eq!((resolved("C"), resolved("D")), (None, None));
        assert_eq!(document.nearest("/components/schemas/X/type"), "/components/schemas");
    }

    #[test]
    fn numbers_are_compared_by_what_they_count() {
        assert!(same(&json!({ "a": [1] }), &json!({ "a": [1.0], "b": null })));
        assert!(!same(&json!(u64::MAX), &json!(u64::MAX - 1)));
        assert_eq!(
            first_difference(&json!({ "a": [1] }), &json!({ "a": [2] })),
            Some(vec!["a".into(), "0".into()])
        );
    }

    #[test]
    fn a_percent_sign_is_read_and_a_plus_is_a_plus() {
        assert_eq!(unescaped("a%2Fb+c&d=e%7B"), "a/b+c&d=e{");
    }
}
