//! Holds what the server describes against the contract, place by place.
//!
//! Both documents are walked together from their operations on. References are followed, so that a name does
//! not matter and a schema that is reached twice is compared once; order is not looked at.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Map, Value};

/// What is not compared, each with its reason. A name counts where it is a field of OpenAPI, never where it
/// names a property, a path or a media type.
const NOT_COMPARED: [(&str, &str); 7] = [
    ("description", "the contract's text is longer where dropshot knows less, such as of security"),
    ("example", "schemars 0.8 gives no example to an object"),
    ("examples", "as for `example`"),
    ("externalDocs", "says nothing of the wire"),
    ("headers", "dropshot describes none; every answer that the tests provoke is held against them"),
    ("security", "dropshot describes none; `tests/authorization.rs` holds it against who is let in"),
    ("title", "names a schema for people"),
];

/// An extension whose meaning is known; others say nothing of the wire.
const COMPARED_EXTENSION: &str = "x-dropshot-pagination";

/// Wrappers that mean the same as their only member.
const WRAPPERS: [&str; 3] = ["allOf", "oneOf", "anyOf"];

/// A place at which the two documents say different things.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Difference {
    /// JSON pointer into the contract: to the place, or to where it would be.
    pub(crate) contract: String,
    /// JSON pointer into what the server describes.
    pub(crate) server: String,
    /// What is different there.
    pub(crate) what: String,
}

/// Every difference between the operations of the contract and those that the server describes.
pub(crate) fn differences(contract: &Value, server: &Value) -> Vec<Difference> {
    let mut comparison = Comparison::default();
    let root = |document| Place { document, pointer: String::new(), value: document };
    let (contract, server) = (root(contract), root(server));
    for path in ["info/title", "info/version", "paths"] {
        let mut places = (Some(contract.clone()), Some(server.clone()));
        for key in path.split('/') {
            places =
                (places.0.and_then(|place| place.child(key)), places.1.and_then(|place| place.child(key)));
        }
        match places {
            (Some(contract), Some(server)) => comparison.compare(contract, server, Keys::of(path)),
            (found, _) => comparison.add(
                &contract.at(path),
                &server.at(path),
                if found.is_some() { "the server has none" } else { "openapi.json has none" }.to_owned(),
            ),
        }
    }
    // Where the paths begin; dropshot has them begin at the root.
    for (place, only, at) in [(&contract, "openapi.json", &server), (&server, "the server", &contract)] {
        if place.value.get("servers").is_some_and(|servers| !default("servers", servers)) {
            comparison.add(&contract.at("servers"), &at.at("servers"), format!("only {only} has it"));
        }
    }
    comparison.found.sort();
    comparison.found.dedup();
    comparison.found
}

/// What the keys of an object are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    /// Fields of OpenAPI.
    Fields,
    /// Names that the author chose.
    Names,
    /// Statuses, of which the server may describe a range.
    Statuses,
}

impl Keys {
    /// The keys of the object that stands under this field.
    fn of(field: &str) -> Self {
        match field {
            "paths" | "properties" | "content" => Self::Names,
            "responses" => Self::Statuses,
            _ => Self::Fields,
        }
    }
}

/// A value, and the pointer to it in its document.
#[derive(Clone, Debug)]
struct Place<'a> {
    document: &'a Value,
    pointer: String,
    value: &'a Value,
}

impl Place<'_> {
    fn at(&self, key: &str) -> String {
        format!("{}/{}", self.pointer, key.replace('~', "~0").replace('/', "~1"))
    }

    fn child(&self, key: &str) -> Option<Self> {
        let value = match self.value {
            Value::Array(items) => items.get(key.parse::<usize>().ok()?)?,
            other => other.get(key)?,
        };
        Some(Self { document: self.document, pointer: self.at(key), value })
    }

    fn items(&self) -> Vec<Self> {
        let count = self.value.as_array().map_or(0, Vec::len);
        (0..count).filter_map(|place| self.child(&place.to_string())).collect()
    }

    /// Where its references and its wrappers of one member lead, and the name of the schema that the first of them
    /// names. `None` if a reference leads nowhere or in a circle.
    fn named(mut self) -> Option<(Self, Option<String>)> {
        let mut name = None;
        // More steps than a document has nested references.
        for _ in 0..64 {
            if let Some(reference) = self.value.get("$ref") {
                let pointer = reference.as_str()?.strip_prefix('#')?;
                let value = self.document.pointer(pointer)?;
                name = name.or_else(|| pointer.strip_prefix("/components/schemas/").map(str::to_owned));
                self = Self { document: self.document, pointer: pointer.to_owned(), value };
            } else if let Some(wrapper) = self.only_wrapper() {
                self = self.child(wrapper)?.child("0")?;
            } else {
                return Some((self, name));
            }
        }
        None
    }

    /// As [`Place::named`], without the name.
    fn resolved(self) -> Option<Self> {
        self.named().map(|(place, _)| place)
    }

    /// The field whose only member is all that the schema says.
    fn only_wrapper(&self) -> Option<&'static str> {
        let says = |(key, value): &(&String, &Value)| compared(key) && !default(key, value);
        let fields: Vec<_> = self.value.as_object()?.iter().filter(says).map(|(key, _)| key).collect();
        let [field] = fields[..] else { return None };
        let wrapper = WRAPPERS.into_iter().find(|wrapper| wrapper == field)?;
        (self.value[wrapper].as_array()?.len() == 1).then_some(wrapper)
    }
}

fn compared(field: &str) -> bool {
    let extension = field.starts_with("x-") && field != COMPARED_EXTENSION;
    !extension && !NOT_COMPARED.iter().any(|(name, _)| *name == field)
}

#[derive(Debug, Default)]
struct Comparison {
    seen: HashSet<(String, String)>,
    found: Vec<Difference>,
}

impl Comparison {
    fn add(&mut self, contract: &str, server: &str, what: String) {
        self.found.push(Difference { contract: contract.to_owned(), server: server.to_owned(), what });
    }

    fn compare(&mut self, contract: Place<'_>, server: Place<'_>, keys: Keys) {
        let places = (contract.pointer.clone(), server.pointer.clone());
        let (contract, server) = match keys {
            Keys::Fields => match (contract.named(), server.named()) {
                (Some((contract, ours)), Some((server, theirs))) => {
                    // The client has a type for each name.
                    if let (Some(ours), Some(theirs)) = (ours, theirs)
                        && ours != theirs
                    {
                        let what = format!("openapi.json says schema {ours}, the server schema {theirs}");
                        self.add(&places.0, &places.1, what);
                    }
                    (contract, server)
                }
                (contract, _) => {
                    let whose = if contract.is_none() { "openapi.json's" } else { "the server's" };
                    return self.add(&places.0, &places.1, format!("{whose} reference leads nowhere"));
                }
            },
            Keys::Names | Keys::Statuses => (contract, server),
        };
        if !self.seen.insert((contract.pointer.clone(), server.pointer.clone())) {
            return;
        }
        match (contract.value, server.value) {
            (Value::Object(ours), Value::Object(theirs)) if keys == Keys::Statuses => {
                self.statuses(&contract, ours, &server, theirs);
            }
            (Value::Object(ours), Value::Object(theirs)) => {
                self.objects(&contract, ours, &server, theirs, keys);
            }
            (Value::Array(_), Value::Array(_)) => self.arrays(&contract, &server),
            (ours, theirs) if equal(ours, theirs) => {}
            (ours, theirs) => {
                let what = format!("openapi.json says {ours}, the server {theirs}");
                self.add(&contract.pointer, &server.pointer, what);
            }
        }
    }

    fn objects(
        &mut self,
        contract: &Place<'_>,
        ours: &Map<String, Value>,
        server: &Place<'_>,
        theirs: &Map<String, Value>,
        keys: Keys,
    ) {
        let all: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        for key in all.into_iter().filter(|key| keys != Keys::Fields || compared(key)) {
            let below = if keys == Keys::Fields { Keys::of(key) } else { Keys::Fields };
            match (contract.child(key), server.child(key)) {
                (Some(ours), Some(theirs)) => self.compare(ours, theirs, below),
                (Some(only), None) | (None, Some(only))
                    if keys == Keys::Fields && default(key, only.value) => {}
                (ours, _) => {
                    let only = if ours.is_some() { "openapi.json" } else { "the server" };
                    self.add(&contract.at(key), &server.at(key), format!("only {only} has it"));
                }
            }
        }
    }

    /// dropshot describes an exact status of success and all errors as a range, so an error of the contract is
    /// held against its range; that exactly these are answered, the wire leg proves.
    fn statuses(
        &mut self,
        contract: &Place<'_>,
        ours: &Map<String, Value>,
        server: &Place<'_>,
        theirs: &Map<String, Value>,
    ) {
        let range_of = |status: &str| format!("{}XX", status.get(..1).unwrap_or_default());
        for status in ours.keys() {
            let found = [status.clone(), range_of(status)].iter().find_map(|status| server.child(status));
            match (contract.child(status), found) {
                (Some(ours), Some(theirs)) => self.compare(ours, theirs, Keys::Fields),
                _ => self.add(
                    &contract.at(status),
                    &server.at(status),
                    "only openapi.json has this status".to_owned(),
                ),
            }
        }
        for status in theirs.keys() {
            let in_contract = |ours: &String| ours == status || range_of(ours) == *status;
            if !ours.keys().any(in_contract) {
                self.add(
                    &contract.at(status),
                    &server.at(status),
                    "only the server has this status".to_owned(),
                );
            }
        }
    }

    fn arrays(&mut self, contract: &Place<'_>, server: &Place<'_>) {
        let mut theirs = server.items();
        let mut left = Vec::new();
        for ours in contract.items() {
            let same = theirs.iter().position(|theirs| self.agree(&ours, theirs));
            match same {
                Some(place) => drop(theirs.swap_remove(place)),
                None => left.push(ours),
            }
        }
        for ours in left {
            // The one that is most likely meant: the same parameter, or the next alternative.
            let meant = theirs.iter().position(|theirs| {
                ours.value.is_object() && identity(ours.clone()) == identity(theirs.clone())
            });
            if let Some(place) = meant {
                let theirs = theirs.remove(place);
                self.compare(ours, theirs, Keys::Fields);
            } else {
                let what = format!("only openapi.json has {}", brief(ours.value));
                self.add(&ours.pointer, &server.pointer, what);
            }
        }
        for theirs in theirs {
            let what = format!("only the server has {}", brief(theirs.value));
            self.add(&contract.pointer, &theirs.pointer, what);
        }
    }

    /// Whether two places agree, without a trace of having looked.
    fn agree(&self, contract: &Place<'_>, server: &Place<'_>) -> bool {
        let mut trial = Self { seen: self.seen.clone(), found: Vec::new() };
        trial.compare(contract.clone(), server.clone(), Keys::Fields);
        trial.found.is_empty()
    }
}

/// What a list's member is known by: a parameter by its place and name.
fn identity(place: Place<'_>) -> Option<(Option<Value>, Option<Value>)> {
    let place = place.resolved()?;
    Some((place.value.get("in").cloned(), place.value.get("name").cloned()))
}

/// Whether a field says what its absence means (OpenAPI 3.0.3, and JSON Schema for the bounds).
fn default(field: &str, value: &Value) -> bool {
    match field {
        "required" | "nullable" | "deprecated" | "uniqueItems" | "exclusiveMinimum" | "exclusiveMaximum"
        | "readOnly" | "writeOnly" | "allowEmptyValue" | "allowReserved"
            if *value == Value::Bool(false) =>
        {
            true
        }
        "required" | "parameters" | "tags" | "servers" => value.as_array().is_some_and(Vec::is_empty),
        "additionalProperties" => *value == Value::Bool(true) || value.as_object().is_some_and(Map::is_empty),
        "minLength" | "minItems" | "minProperties" => value.as_f64() == Some(0.0),
        _ => false,
    }
}

/// Equal, with numbers compared as numbers: 1 is 1.0.
fn equal(ours: &Value, theirs: &Value) -> bool {
    match (ours.as_f64(), theirs.as_f64()) {
        (Some(ours), Some(theirs)) => ours.total_cmp(&theirs).is_eq(),
        _ => ours == theirs,
    }
}

fn brief(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > 80 { text.chars().take(80).chain(['…']).collect() } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn contract() -> Value {
        let text = include_str!("../../openapi.json");
        serde_json::from_str(text).unwrap()
    }

    fn compared(contract: &Value) -> Vec<Difference> {
        differences(contract, &session_api::derived_openapi().unwrap())
    }

    #[test]
    fn the_contract_and_the_server_agree() {
        assert_eq!(compared(&contract()), []);
    }

    /// A change of the contract, and where the difference must be found.
    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn each_kind_of_change_is_found_at_its_pointer() {
        const SCHEMAS: &str = "/components/schemas";
        const FETCH: &str = "/paths/~1api~1v1~1session~1{session_id}/get";
        const CREATE: &str = "/paths/~1api~1v1~1session/post";
        let remove = |pointer: &str| -> Box<dyn Fn(&mut Value)> {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            let (parent, key) = (parent.to_owned(), key.to_owned());
            Box::new(move |document| match document.pointer_mut(&parent).unwrap() {
                Value::Array(items) => drop(items.remove(key.parse().unwrap())),
                other => drop(other.as_object_mut().unwrap().remove(&key).unwrap()),
            })
        };
        let set = |pointer: &str, value: Value| -> Box<dyn Fn(&mut Value)> {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            let (parent, key) = (parent.to_owned(), key.to_owned());
            Box::new(move |document| match document.pointer_mut(&parent).unwrap() {
                Value::Array(items) if key == "-" => items.push(value.clone()),
                Value::Array(items) => items[key.parse::<usize>().unwrap()] = value.clone(),
                other => drop(other.as_object_mut().unwrap().insert(key.clone(), value.clone())),
            })
        };
        let at = |pointer: &str| format!("{SCHEMAS}/{pointer}");
        let table = [
            (
                "a property less",
                remove(&at("Session_Summary/properties/title")),
                at("Session_Summary/properties/title"),
            ),
            (
                "a property more",
                set(&at("Session_Summary/properties/colour"), json!({ "type": "string" })),
                at("Session_Summary/properties/colour"),
            ),
            (
                "a property that is called like a field which is not compared",
                set(&at("Session/properties/description"), json!({ "type": "string" })),
                at("Session/properties/description"),
            ),
            (
                "a type",
                set(&at("Session_AvailableActions/properties/revoke/type"), json!("string")),
                at("Session_AvailableActions/properties/revoke/type"),
            ),
            ("a format", set(&at("RemoteIp/oneOf/0/format"), json!("ipv5")), at("RemoteIp/oneOf/0/format")),
            ("a pattern", set(&at("Session_Id/pattern"), json!("^x$")), at("Session_Id/pattern")),
            ("a length", set(&at("UserAgent/maxLength"), json!(1025)), at("UserAgent/maxLength")),
            ("a bound", set(&at("Timestamp/minimum"), json!(1)), at("Timestamp/minimum")),
            ("a bound that is gone", remove(&at("Session_Title/minLength")), at("Session_Title/minLength")),
            (
                "an allowed value more",
                set(&at("Session_Status/enum/-"), json!("asleep")),
                at("Session_Status/enum/5"),
            ),
            ("an allowed value less", remove(&at("Session_Type/enum/0")), at("Session_Type/enum")),
            (
                "an allowed value that is another",
                set(&at("Error_Code/enum/0"), json!("bad")),
                at("Error_Code/enum/0"),
            ),
            (
                "a required field more",
                set(&at("Session_Summary/required/-"), json!("title")),
                at("Session_Summary/required/6"),
            ),
            (
                "a required field less",
                remove(&at("Session_Create/required/0")),
                at("Session_Create/required"),
            ),
            (
                "properties that are not listed",
                remove(&at("Session_Create/additionalProperties")),
                at("Session_Create/additionalProperties"),
            ),
            (
                "properties that are listed only",
                set(&at("Session/additionalProperties"), json!(false)),
                at("Session/additionalProperties"),
            ),
            ("null", set(&at("Session_Title/nullable"), json!(true)), at("Session_Title/nullable")),
            ("an alternative less", remove(&at("RemoteIp/oneOf/1")), at("RemoteIp")),
            (
                "a name that is another one of the same shape",
                set(&at("Revocation/properties/device_id/$ref"), json!("#/components/schemas/Pool_Id")),
                at("Revocation/properties/device_id"),
            ),
            ("where the paths begin", set("/servers", json!([{ "url": "/v2" }])), "/servers".to_owned()),
            (
                "a default",
                set(&at("Session_AvailableActions/properties/revoke/default"), json!(false)),
                at("Session_AvailableActions/properties/revoke/default"),
            ),
            ("no allowed value at all", set(&at("Session_Title/enum"), json!([])), at("Session_Title/enum")),
            (
                "a list that has no pages",
                remove("/paths/~1api~1v1~1session/get/x-dropshot-pagination"),
                "/paths/~1api~1v1~1session/get/x-dropshot-pagination".to_owned(),
            ),
            (
                "a reference to another schema",
                set(&at("Session_Summary/properties/id/$ref"), json!("#/components/schemas/Timestamp")),
                at("Timestamp"),
            ),
            (
                "a reference that leads nowhere",
                set(&at("Session_Summary/properties/id/$ref"), json!("#/components/schemas/No")),
                at("Session_Summary/properties/id"),
            ),
            (
                "a status of success",
                set(&format!("{CREATE}/responses/200"), json!({ "description": "" })),
                format!("{CREATE}/responses/200"),
            ),
            (
                "a status of success less",
                remove(&format!("{CREATE}/responses/201")),
                format!("{CREATE}/responses/201"),
            ),
            (
                "a range that no error stands for",
                Box::new(|document: &mut Value| {
                    let responses =
                        document["paths"]["/api/v1/whoami"]["get"]["responses"].as_object_mut().unwrap();
                    responses.retain(|status, _| !status.starts_with('5'));
                }),
                "/paths/~1api~1v1~1whoami/get/responses/5XX".to_owned(),
            ),
            (
                "an answer's media type",
                Box::new(|document: &mut Value| {
                    let content = &mut document["components"]["responses"]["NotFound"]["content"];
                    *content = json!({ "text/plain": content["application/json"] });
                }),
                "/components/responses/NotFound/content/text~1plain".to_owned(),
            ),
            (
                "an error that is another object",
                set(
                    "/components/responses/NotFound/content/application~1json/schema",
                    json!({ "type": "string" }),
                ),
                "/components/responses/NotFound/content/application~1json/schema".to_owned(),
            ),
            ("a parameter less", remove(&format!("{FETCH}/parameters/0")), format!("{FETCH}/parameters")),
            (
                "a parameter more",
                set(
                    &format!("{FETCH}/parameters/-"),
                    json!({ "in": "query", "name": "full", "schema": { "type": "boolean" } }),
                ),
                format!("{FETCH}/parameters/1"),
            ),
            (
                "a parameter's place",
                set("/components/parameters/session_id/in", json!("query")),
                format!("{FETCH}/parameters/0"),
            ),
            (
                "a parameter that is not required",
                set("/components/parameters/session_id/required", json!(false)),
                "/components/parameters/session_id/required".to_owned(),
            ),
            (
                "a body that is not required",
                set(&format!("{CREATE}/requestBody/required"), json!(false)),
                format!("{CREATE}/requestBody/required"),
            ),
            ("a body less", remove(&format!("{CREATE}/requestBody")), format!("{CREATE}/requestBody")),
            (
                "an operation's ID",
                set(&format!("{FETCH}/operationId"), json!("get_session")),
                format!("{FETCH}/operationId"),
            ),
            (
                "a path",
                Box::new(|document: &mut Value| {
                    let paths = document["paths"].as_object_mut().unwrap();
                    let item = paths.remove("/api/v1/whoami").unwrap();
                    paths.insert("/api/v1/me".to_owned(), item);
                }),
                "/paths/~1api~1v1~1me".to_owned(),
            ),
            ("a method less", remove(FETCH), FETCH.to_owned()),
            ("the version", set("/info/version", json!("1.0.1")), "/info/version".to_owned()),
        ];
        for (name, change, pointer) in table {
            let mut document = contract();
            change(&mut document);
            let found = compared(&document);
            let pointers: Vec<_> = found.iter().map(|difference| difference.contract.as_str()).collect();
            assert!(
                pointers.iter().any(|found| found.starts_with(pointer.as_str())),
                "{name}: {pointer} is not among {found:#?}"
            );
        }
    }

    #[test]
    fn what_means_the_same_is_no_difference() {
        let mut document = contract();
        // Other order, names, wrappers and forms of numbers; what is not said instead of what it means.
        document["components"]["schemas"]["Session_Status"]["enum"].as_array_mut().unwrap().reverse();
        document["components"]["schemas"]["RemoteIp"]["oneOf"].as_array_mut().unwrap().reverse();
        document["components"]["schemas"]["Session_Summary"]["required"].as_array_mut().unwrap().reverse();
        document["components"]["schemas"]["Session_Id"]["maxLength"] = json!(32.0);
        document["components"]["schemas"]["Session_Id"]["nullable"] = json!(false);
        document["components"]["schemas"]["Session_Page"]["additionalProperties"] = json!({});
        document["components"]["schemas"]["Session_Page"]["properties"]["next_page"]["minLength"] = json!(0);
        document["components"]["schemas"]["Session_Page"]["title"] = json!("A page");
        document["components"]["schemas"]["Session_Page"]["x-anything"] = json!(1);
        document["components"]["schemas"]["Session_Create"]["properties"]["device_id"] =
            json!({ "allOf": [{ "$ref": "#/components/schemas/Device_Id" }], "nullable": false });
        let inline = document["components"]["schemas"]["Pool_Id"].clone();
        document["components"]["schemas"]["Session_Summary"]["properties"]["pool_id"] =
            json!({ "allOf": [inline], "description": "The pool" });
        document["components"]["schemas"]["Session_Create"]["properties"]["title"] =
            json!({ "anyOf": [{ "$ref": "#/components/schemas/Session_Title" }] });
        assert_eq!(compared(&document), []);
    }

    #[test]
    fn no_document_makes_it_panic_or_run_for_ever() {
        let server = session_api::derived_openapi().unwrap();
        let circle = json!({ "paths": { "/a": { "$ref": "#/paths/~1a" } } });
        for document in [json!(null), json!([]), json!({}), json!({ "paths": 7, "info": [] }), circle] {
            assert_ne!(differences(&document, &server), []);
            assert_ne!(differences(&server, &document), []);
        }
    }
}
