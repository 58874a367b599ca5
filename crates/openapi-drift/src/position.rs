//! The position of each value in a JSON text.

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;

use crate::pointer::push;

/// A position in a text. Lines and columns count from 1; a column is a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.line, self.column)
    }
}

/// The positions of the values of a text by their pointers, and the pointers of duplicate keys.
///
/// The text must be valid JSON; otherwise the result is unspecified.
pub(crate) fn positions(text: &str) -> (HashMap<String, Position>, Vec<String>) {
    let mut scan =
        Scan { text, at: 0, line: 1, line_start: 0, found: HashMap::new(), twice: Vec::new(), depth: 0 };
    scan.space();
    scan.note("");
    scan.value("");
    (scan.found, scan.twice)
}

/// Above the deepest nesting that `serde_json` parses.
const DEEPEST: usize = 256;

struct Scan<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    line_start: usize,
    found: HashMap<String, Position>,
    twice: Vec<String>,
    depth: usize,
}

impl Scan<'_> {
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn space(&mut self) {
        while self.peek().is_ascii_whitespace() {
            if self.peek() == b'\n' {
                self.line += 1;
                self.line_start = self.at + 1;
            }
            self.at += 1;
        }
    }

    fn note(&mut self, pointer: &str) {
        let before = self.text.get(self.line_start..self.at).unwrap_or_default();
        let place = Position { line: self.line, column: before.chars().count() + 1 };
        if self.found.insert(pointer.to_owned(), place).is_some() {
            self.twice.push(pointer.to_owned());
        }
    }

    /// The raw text of a string, with its quotes.
    fn string(&mut self) -> &str {
        let start = self.at;
        self.at += 1;
        while self.at < self.text.len() && self.peek() != b'"' {
            self.at += if self.peek() == b'\\' { 2 } else { 1 };
        }
        self.at = (self.at + 1).min(self.text.len());
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn value(&mut self, pointer: &str) {
        self.depth += 1;
        match self.peek() {
            _ if self.depth > DEEPEST => self.at = self.text.len(),
            open @ (b'{' | b'[') => {
                self.at += 1;
                self.space();
                let mut place = 0_usize;
                while self.at < self.text.len() && !matches!(self.peek(), b'}' | b']') {
                    let start = self.at;
                    let child = if open == b'{' {
                        let (line, line_start) = (self.line, self.line_start);
                        let key: String = serde_json::from_str(self.string()).unwrap_or_default();
                        let end = std::mem::replace(&mut self.at, start);
                        (self.line, self.line_start) = (line, line_start);
                        let child = push(pointer, &key);
                        self.note(&child);
                        self.at = end;
                        self.space();
                        self.at += 1;
                        self.space();
                        child
                    } else {
                        let child = format!("{pointer}/{place}");
                        self.note(&child);
                        child
                    };
                    place += 1;
                    self.value(&child);
                    self.space();
                    if self.peek() == b',' {
                        self.at += 1;
                        self.space();
                    }
                    if self.at == start {
                        // The text is not JSON.
                        self.at = self.text.len();
                    }
                }
                self.at += 1;
            }
            b'"' => {
                self.string();
            }
            _ => {
                while self.at < self.text.len()
                    && !matches!(self.peek(), b',' | b'}' | b']')
                    && !self.peek().is_ascii_whitespace()
                {
                    self.at += 1;
                }
            }
        }
        self.depth -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_the_position_of_its_key() {
        let text = "{\n  \"a/b\": [1, {\"c\\\"\": \"x,}\"}],\n  \"ü\": {}, \"d\": null\n}\n";
        let (found, twice) = positions(text);
        for (pointer, line, column) in [
            ("", 1, 1),
            ("/a~1b", 2, 3),
            ("/a~1b/0", 2, 11),
            ("/a~1b/1", 2, 14),
            ("/a~1b/1/c\"", 2, 15),
            ("/ü", 3, 3),
            ("/d", 3, 12),
        ] {
            assert_eq!(found.get(pointer), Some(&Position { line, column }), "{pointer}");
        }
        assert_eq!((found.len(), twice), (7, Vec::<String>::new()));
    }

    #[test]
    fn a_duplicate_key_is_noted() {
        assert_eq!(positions("{\"a\": 1, \"b\": {\"c\": 1, \"c\": 2}}").1, ["/b/c"]);
    }

    #[test]
    fn a_scan_of_invalid_json_ends() {
        for text in ["", "{", "[", "{\"a", "{\"a\\", "[1 2", "}{", "{\"a\": ]", "\u{feff}{}"] {
            positions(text);
        }
    }
}
