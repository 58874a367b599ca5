//! The problems found so far.

use crate::document::{Document, Problem};
use crate::rules::Rule;

/// Collects the problems of a document.
pub(super) struct Problems<'a> {
    pub(super) document: &'a Document,
    found: Vec<Problem>,
}

impl<'a> Problems<'a> {
    pub(super) const fn new(document: &'a Document) -> Self {
        Self { document, found: Vec::new() }
    }

    /// Adds a problem at a pointer.
    pub(super) fn report(&mut self, at: &str, rule: &'static Rule, message: impl Into<String>) {
        self.found.push(self.document.problem(at, rule, message.into()));
    }

    /// Each problem once, by pointer.
    pub(super) fn sorted(mut self) -> Vec<Problem> {
        self.found.sort();
        self.found.dedup();
        self.found
    }
}
