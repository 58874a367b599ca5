//! The values of the extensions that a comparison knows.

use super::problems::Problems;
use crate::extensions::{EXTENSIONS, is_valid};
use crate::fields::Object;
use crate::node::Node;
use crate::rules::rule;

/// Reports each known extension whose value has the wrong form.
pub(super) fn check(problems: &mut Problems<'_>, object: Object, node: &Node<'_>) {
    for extension in EXTENSIONS.iter().filter(|extension| extension.belongs_to(object)) {
        let Some(value) = node.get(extension.name) else { continue };
        if !is_valid(extension, value.value) {
            let what = format!("{} must be {}", extension.name, extension.form);
            problems.report(&value.pointer, rule!("malformed-extension"), what);
        }
    }
    for (name, value) in node.members() {
        let mut of_name = EXTENSIONS.iter().filter(|extension| extension.name == name).peekable();
        if of_name.peek().is_some() && !of_name.any(|extension| extension.belongs_to(object)) {
            let what = format!("{name} has no effect in a {object} object; remove it");
            problems.report(&value.pointer, rule!("misplaced-extension"), what);
        }
    }
}
