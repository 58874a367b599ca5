//! A parsed document, its positions in the text, and its problems.

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::pointer::parent;
use crate::position::{Position, positions};
use crate::shape;

/// An `OpenAPI` 3.0 document of which every field is known.
#[derive(Clone, Debug)]
pub struct Document {
    value: Value,
    positions: HashMap<String, Position>,
    problems: Vec<Problem>,
}

/// What is wrong with a document, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// JSON pointer to the place. It resolves.
    pub pointer: String,
    /// The place in the text.
    pub position: Position,
    /// A stable name of the kind of fault.
    pub rule: &'static str,
    /// What is wrong, and how to mend it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: #{}: {} [{}]", self.position, self.pointer, self.message, self.rule)
    }
}

impl std::error::Error for Problem {}

/// The start of a text, for what has no better place.
const START: Position = Position { line: 1, column: 1 };

/// The largest text that is read, in bytes: far above any real document, and small enough for any machine.
pub const LONGEST: usize = 64 << 20;

impl Document {
    /// Reads a JSON text.
    ///
    /// # Errors
    ///
    /// The text is no JSON, or no `OpenAPI` 3.0. What else is wrong with the document, [`Document::problems`] says.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let fault =
            |position, rule, message: String| Problem { pointer: String::new(), position, rule, message };
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
        let (positions, duplicates) = positions(text);
        let mut document = Self { value, positions, problems: Vec::new() };
        let duplicate = "the key is a duplicate; remove one of the two";
        let duplicates =
            duplicates.iter().map(|pointer| document.problem(pointer, "duplicate-key", duplicate.to_owned()));
        let violations = shape::check(&document.value).into_iter();
        let violations = violations.map(|(pointer, rule, message)| document.problem(&pointer, rule, message));
        let mut problems: Vec<_> = duplicates.chain(violations).collect();
        problems.sort();
        problems.dedup();
        document.problems = problems;
        Ok(document)
    }

    /// What keeps the document from being understood: a key that stands twice, a field that `OpenAPI` 3.0.3 does not
    /// have, a value of the wrong kind, a reference that leads out of the document. [`compare`](crate::compare) takes
    /// such a place as a whole. What it may lack beyond that, [`Document::lint`] says.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
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
            match parent(pointer) {
                Some(above) => pointer = above,
                None => return START,
            }
        }
    }

    /// The longest prefix of a pointer at which the document has a value.
    pub fn nearest<'p>(&self, pointer: &'p str) -> &'p str {
        let mut pointer = pointer;
        while self.value.pointer(pointer).is_none() {
            pointer = parent(pointer).unwrap_or_default();
        }
        pointer
    }

    /// A problem at the nearest pointer at which the document has a value.
    pub(crate) fn problem(&self, pointer: &str, rule: &'static str, message: String) -> Problem {
        let pointer = self.nearest(pointer);
        Problem { pointer: pointer.to_owned(), position: self.position(pointer), rule, message }
    }
}
