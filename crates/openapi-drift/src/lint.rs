//! What the specification demands of a document beyond the shape of its fields, and what no document should have.

mod extension;
mod operation;
mod problems;
mod schema;
mod unused;
mod values;

use crate::document::{Document, Problem};
use crate::fields::{Object, fields};
use crate::node::{Node, Unresolved};
use crate::pointer::push;
use crate::rules::rule;
use crate::walk::walk;
use problems::Problems;

impl Document {
    /// Every problem that [`Document::problems`] does not report: references that cannot be resolved, missing fields,
    /// incomplete operations, parameters that do not fit their path, schemas that allow no value or cannot be compiled,
    /// examples, defaults and allowed values that violate their schema, security without a scheme, duplicate names, and
    /// components and tags that nothing uses.
    ///
    /// Values are validated only if there are no [`Document::problems`].
    pub fn lint(&self) -> Vec<Problem> {
        let mut problems = Problems::new(self);
        let root = self.root();
        walk(self.value(), &mut |kind, pointer, value| {
            object(&mut problems, kind, &root.with(pointer.to_owned(), value));
        });
        operation::check(&mut problems);
        unused::check(&mut problems);
        if !schema::circular(&mut problems) && self.problems().is_empty() {
            values::check(&mut problems);
        }
        problems.sorted()
    }
}

fn object(problems: &mut Problems<'_>, object: Object, node: &Node<'_>) {
    let Some(members) = node.value.as_object() else { return };
    if let Some(reference) = node.text("$ref") {
        self::reference(problems, object, node, reference);
        if object.referable() {
            return;
        }
    }
    for field in fields(object).filter(|field| field.required && !members.contains_key(field.name)) {
        let what = format!("a {object} object must have the field {:?}; add it", field.name);
        problems.report(&node.pointer, rule!("missing-field"), what);
    }
    extension::check(problems, object, node);
    match object {
        Object::Schema => schema::check(problems, node),
        Object::Parameter | Object::Header => operation::parameter(problems, object, node),
        Object::SecurityScheme => operation::security_scheme(problems, node),
        Object::MediaType | Object::Example => values::exclusive(problems, node),
        Object::Responses if !members.keys().any(|name| !name.starts_with("x-")) => {
            let what = "an operation must have a response; add one";
            problems.report(&node.pointer, rule!("no-response"), what);
        }
        _ => {}
    }
}

fn reference(problems: &mut Problems<'_>, object: Object, node: &Node<'_>, reference: &str) {
    let at = push(&node.pointer, "$ref");
    // `External` and `TooLong` are problems of the shape.
    if let Err(error @ (Unresolved::Dangling | Unresolved::Circular | Unresolved::External)) = node.resolve()
    {
        problems.report(&at, rule!("unresolved-reference"), format!("{reference:?}: {error}"));
    }
    if node.members().count() > 1 && object.referable() {
        let what = "fields beside a $ref are ignored; move the reference into an allOf, or remove them";
        problems.report(&at, rule!("ignored-sibling"), what);
    }
}

#[cfg(test)]
mod tests;
