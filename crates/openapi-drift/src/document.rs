//! A parsed document, its positions in the text, and its problems.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;

use crate::pointer::parent;
use crate::position::{Position, positions};
use crate::rules::{Rule, rule};
use crate::shape;

/// An OpenAPI 3.0 document.
#[derive(Clone, Debug)]
pub struct Document {
    value: Value,
    positions: HashMap<String, Position>,
    problems: Vec<Problem>,
}

/// A problem of a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, thiserror::Error)]
#[error("{position}: #{pointer}: {message} [{rule}]")]
pub struct Problem {
    /// JSON pointer to a value that the document has: the one with the problem, or the nearest that contains it.
    pub pointer: String,
    /// The position of that value in the text.
    pub position: Position,
    /// The ID of the rule that found it.
    pub rule: &'static str,
    /// What is wrong, and how to fix it.
    pub message: String,
}

/// The position of a problem of the whole text.
const START: Position = Position { line: 1, column: 1 };

/// The size of the largest text that is parsed, in bytes. It is far above that of any real document.
pub const MAX_TEXT_BYTES: usize = 64 << 20;

impl Document {
    /// Parses a JSON text.
    ///
    /// # Errors
    ///
    /// The text is longer than [`MAX_TEXT_BYTES`], is not JSON, or is not an OpenAPI 3.0 document. Problems within
    /// such a document are not errors: see [`Document::problems`].
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let error = |position, rule: &'static Rule, message: String| Problem {
            pointer: String::new(),
            position,
            rule: rule.id,
            message,
        };
        if text.len() > MAX_TEXT_BYTES {
            let what = format!("the text has more than {MAX_TEXT_BYTES} bytes; split the document");
            return Err(error(START, rule!("too-long"), what));
        }
        let value: Value = serde_json::from_str(text).map_err(|cause| {
            let position = Position { line: cause.line().max(1), column: cause.column().max(1) };
            error(position, rule!("not-json"), format!("the text is not JSON: {cause}"))
        })?;
        let version = value.get("openapi").and_then(Value::as_str).unwrap_or_default();
        if !version.starts_with("3.0.") {
            let what = format!("the version is {version:?}; only documents of OpenAPI 3.0 can be read");
            return Err(error(START, rule!("not-openapi-3.0"), what));
        }
        let (positions, duplicates) = positions(text);
        let mut document = Self { value, positions, problems: Vec::new() };
        let what = "the key is a duplicate; remove one of the two";
        let duplicates = duplicates
            .iter()
            .map(|pointer| document.problem(pointer, rule!("duplicate-key"), what.to_owned()));
        let violations = shape::check(&document.value).into_iter();
        let violations = violations.map(|(pointer, rule, what)| document.problem(&pointer, rule, what));
        let mut problems: Vec<_> = duplicates.chain(violations).collect();
        problems.sort();
        problems.dedup();
        document.problems = problems;
        Ok(document)
    }

    /// Problems that leave a part of the document without meaning: a duplicate key, a field that OpenAPI 3.0.3 does
    /// not have, a value of the wrong kind, a reference to another document. [`compare`](crate::compare) compares such
    /// a part as a whole. [`Document::lint`] reports all other problems.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The document as JSON.
    pub const fn value(&self) -> &Value {
        &self.value
    }

    /// The position of the value at a pointer, or of the nearest that contains it.
    pub fn position(&self, pointer: &str) -> Position {
        let mut above = std::iter::successors(Some(pointer), |pointer| parent(pointer));
        above.find_map(|pointer| self.positions.get(pointer)).copied().unwrap_or(START)
    }

    /// The longest prefix of a pointer at which the document has a value.
    pub fn nearest<'p>(&self, pointer: &'p str) -> &'p str {
        let mut above = std::iter::successors(Some(pointer), |pointer| parent(pointer));
        above.find(|pointer| self.value.pointer(pointer).is_some()).unwrap_or_default()
    }

    /// A problem at the nearest pointer at which the document has a value.
    pub(crate) fn problem(&self, pointer: &str, rule: &'static Rule, message: String) -> Problem {
        let pointer = self.nearest(pointer);
        Problem { pointer: pointer.to_owned(), position: self.position(pointer), rule: rule.id, message }
    }
}
