//! A document, read and held against the table of fields.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::fields::{Object, Shape, find};
use crate::normal::LONGEST_CHAIN;
use crate::position::{Position, positions, push};

/// An `OpenAPI` 3.0 document of which every field is known.
#[derive(Clone, Debug)]
pub struct Document {
    value: Value,
    positions: HashMap<String, Position>,
    faults: Vec<Fault>,
}

/// What is wrong with a document, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fault {
    /// JSON pointer to the place. It resolves.
    pub pointer: String,
    /// The place in the text.
    pub position: Position,
    /// A stable name of the kind of fault.
    pub rule: &'static str,
    /// What is wrong, and how to mend it.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: #{}: {} [{}]", self.position, self.pointer, self.message, self.rule)
    }
}

impl std::error::Error for Fault {}

/// The start of a text, for what has no better place.
const START: Position = Position { line: 1, column: 1 };

/// The largest text that is read, in bytes: far above any real document, and small enough for any machine.
pub const LONGEST: usize = 64 << 20;

impl Document {
    /// Reads a JSON text.
    ///
    /// # Errors
    ///
    /// The text is no JSON, or no `OpenAPI` 3.0. What else is wrong with the document, [`Document::faults`] says.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let fault =
            |position, rule, message: String| Fault { pointer: String::new(), position, rule, message };
        if text.len() > LONGEST {
            return Err(fault(START, "too-long", format!("the text has more than {LONGEST} bytes")));
        }
        let value: Value = serde_json::from_str(text).map_err(|error| {
            let position = Position { line: error.line().max(1), column: error.column().max(1) };
            fault(position, "not-json", format!("this is no JSON: {error}"))
        })?;
        let version = value.get("openapi").and_then(Value::as_str).unwrap_or_default();
        if !version.starts_with("3.0.") {
            let what = format!("the version is {version:?}; only documents of OpenAPI 3.0 are read");
            return Err(fault(START, "not-openapi-3.0", what));
        }
        let (positions, twice) = positions(text);
        let mut document = Self { value, positions, faults: Vec::new() };
        let mut reading =
            Reading { document: &document, seen: HashSet::new(), pending: Vec::new(), faults: Vec::new() };
        for pointer in twice {
            reading.fault(&pointer, "duplicate-key", "this key stands twice; keep one".to_owned());
        }
        reading.object(Object::OpenApi, "", &document.value);
        while let Some((object, pointer)) = reading.pending.pop() {
            if let Some(value) = document.value.pointer(&pointer) {
                reading.object(object, &pointer, value);
            }
        }
        let mut faults = reading.faults;
        faults.sort();
        faults.dedup();
        document.faults = faults;
        Ok(document)
    }

    /// What keeps the document from being understood: a key that stands twice, a field that `OpenAPI` 3.0.3 does not
    /// have, a value of the wrong kind, a reference that leads out of the document. [`compare`](crate::compare) takes
    /// such a place as a whole. What it may lack beyond that, [`Document::lint`] says.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// The document as JSON.
    pub const fn value(&self) -> &Value {
        &self.value
    }

    /// Where the value of this pointer stands, or its nearest ancestor that there is.
    pub fn position(&self, pointer: &str) -> Position {
        let mut pointer = pointer;
        loop {
            if let Some(position) = self.positions.get(pointer) {
                return *position;
            }
            match pointer.rfind('/') {
                Some(end) => pointer = pointer.get(..end).unwrap_or_default(),
                None => return START,
            }
        }
    }

    /// The longest beginning of this pointer that resolves.
    pub(crate) fn nearest<'p>(&self, pointer: &'p str) -> &'p str {
        let mut pointer = pointer;
        while self.value.pointer(pointer).is_none() {
            pointer = pointer.rfind('/').and_then(|end| pointer.get(..end)).unwrap_or_default();
        }
        pointer
    }

    /// A fault at the nearest place that resolves.
    pub(crate) fn fault(&self, pointer: &str, rule: &'static str, message: String) -> Fault {
        let pointer = self.nearest(pointer);
        Fault { pointer: pointer.to_owned(), position: self.position(pointer), rule, message }
    }
}

/// The pointer that a reference of this document means, if it means a place inside of it.
pub(crate) fn target(reference: &str) -> Option<String> {
    let fragment = reference.strip_prefix('#')?;
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// Whether a key of a Responses Object is a status or a range of them.
pub(crate) fn is_status(key: &str) -> bool {
    let bytes = key.as_bytes();
    bytes.len() == 3
        && (b'1'..=b'5').contains(&bytes[0])
        && (bytes[1..] == *b"XX" || bytes[1..].iter().all(u8::is_ascii_digit))
}

struct Reading<'a> {
    document: &'a Document,
    seen: HashSet<(String, Object)>,
    /// Where references lead. They are not followed at once: a chain of them may be longer than the stack.
    pending: Vec<(Object, String)>,
    faults: Vec<Fault>,
}

impl<'a> Reading<'a> {
    fn fault(&mut self, pointer: &str, rule: &'static str, message: String) {
        self.faults.push(self.document.fault(pointer, rule, message));
    }

    fn wrong(&mut self, pointer: &str, wanted: &str, value: &Value) {
        let found = match value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        self.fault(pointer, "wrong-kind", format!("this must be {wanted}, and is {found}"));
    }

    fn members(&mut self, pointer: &str, wanted: &str, value: &'a Value) -> Option<&'a Map<String, Value>> {
        let members = value.as_object();
        if members.is_none() {
            self.wrong(pointer, wanted, value);
        }
        members
    }

    fn items(&mut self, pointer: &str, wanted: &str, value: &'a Value) -> &'a [Value] {
        if let Value::Array(items) = value {
            return items;
        }
        self.wrong(pointer, wanted, value);
        &[]
    }

    fn object(&mut self, object: Object, pointer: &str, value: &'a Value) {
        if !self.seen.insert((pointer.to_owned(), object)) {
            return;
        }
        let Some(members) = self.members(pointer, &format!("a {object} object"), value) else { return };
        if let Some(reference) = members.get("$ref")
            && (object.referable() || object == Object::PathItem)
        {
            self.reference(object, &push(pointer, "$ref"), reference);
            if object.referable() {
                // Its other fields are to be ignored (3.0.3, Reference Object); `lint` tells of them.
                return;
            }
        }
        for (name, member) in members {
            let below = push(pointer, name);
            if name.starts_with("x-") && object.extensible() {
                continue;
            }
            if let Some(field) = find(object, name) {
                self.shape(field.shape, &below, member);
                continue;
            }
            let named = match object {
                Object::Paths => name.starts_with('/'),
                Object::Responses => is_status(name),
                _ => true,
            };
            match object.names() {
                Some(shape) if named => self.shape(shape, &below, member),
                _ => self.fault(
                    &below,
                    "unknown-field",
                    format!("OpenAPI 3.0.3 has no field {name:?} in a {object} object; remove it"),
                ),
            }
        }
    }

    fn reference(&mut self, object: Object, pointer: &str, reference: &Value) {
        let Some(text) = reference.as_str() else {
            return self.wrong(pointer, "a reference", reference);
        };
        let Some(target) = target(text) else {
            return self.fault(
                pointer,
                "external-reference",
                format!("{text:?} leads out of the document; put what it means into it"),
            );
        };
        if self.is_long(&target) {
            let what = format!("{text:?} leads over more than {LONGEST_CHAIN} references; shorten the chain");
            return self.fault(pointer, "long-reference", what);
        }
        self.pending.push((object, target));
    }

    /// Whether a chain of references begins here that a comparison would not follow to its end. One that leads in a
    /// circle has none.
    fn is_long(&self, start: &str) -> bool {
        let mut seen = HashSet::from([start.to_owned()]);
        let mut place = self.document.value.pointer(start);
        loop {
            let Some(next) = place.and_then(|it| it.get("$ref")?.as_str()).and_then(target) else {
                return false;
            };
            place = self.document.value.pointer(&next);
            if !seen.insert(next) {
                return false;
            }
            if seen.len() > LONGEST_CHAIN {
                return true;
            }
        }
    }

    fn shape(&mut self, shape: Shape, pointer: &str, value: &'a Value) {
        match shape {
            Shape::Any => {}
            Shape::Text if value.is_string() => {}
            Shape::Text => self.wrong(pointer, "a string", value),
            Shape::Word(words) => match value.as_str() {
                Some(word) if words.contains(&word) => {}
                Some(word) => {
                    let what = format!("{word:?} is none of {}", words.join(", "));
                    self.fault(pointer, "unknown-word", what);
                }
                None => self.wrong(pointer, "a string", value),
            },
            Shape::Flag | Shape::FlagOrSchema if value.is_boolean() => {}
            Shape::Flag => self.wrong(pointer, "true or false", value),
            Shape::Number if value.is_number() => {}
            Shape::Number => self.wrong(pointer, "a number", value),
            Shape::Positive if value.as_f64().is_some_and(|number| number > 0.0) => {}
            Shape::Positive => self.wrong(pointer, "a number above 0", value),
            Shape::Count if value.as_f64().is_some_and(|number| number >= 0.0 && number.fract() == 0.0) => {}
            Shape::Count => self.wrong(pointer, "a whole number, 0 or above", value),
            Shape::Values => {
                self.items(pointer, "a list", value);
            }
            Shape::Texts => {
                for (place, item) in self.items(pointer, "a list of strings", value).iter().enumerate() {
                    self.shape(Shape::Text, &push(pointer, &place.to_string()), item);
                }
            }
            Shape::AnyMap => {
                self.members(pointer, "an object", value);
            }
            Shape::TextMap => {
                for (name, member) in self.members(pointer, "an object", value).into_iter().flatten() {
                    self.shape(Shape::Text, &push(pointer, name), member);
                }
            }
            Shape::One(object) => self.object(object, pointer, value),
            Shape::List(object) => {
                let items = self.items(pointer, &format!("a list of {object} objects"), value);
                for (place, item) in items.iter().enumerate() {
                    self.object(object, &push(pointer, &place.to_string()), item);
                }
            }
            Shape::Map(object) => {
                let members = self.members(pointer, &format!("a map of {object} objects"), value);
                for (name, member) in members.into_iter().flatten() {
                    self.object(object, &push(pointer, name), member);
                }
            }
            Shape::FlagOrSchema => self.object(Object::Schema, pointer, value),
        }
    }
}
