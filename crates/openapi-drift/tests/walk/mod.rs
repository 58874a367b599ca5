//! Walks a document by the table of fields.

use openapi_drift::{FIELDS, Object, Shape};
use serde_json::Value;

/// A field where it stands in the document.
pub(crate) struct Use {
    /// The object that has it.
    pub object: Object,
    /// Its name.
    pub name: &'static str,
    /// Its pointer.
    pub pointer: String,
}

/// The pointer of a member.
pub(crate) fn child(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Visits every object from this one on, references among them, and every field. References are not followed: where they
/// lead is walked too.
pub(crate) fn walk(
    object: Object,
    pointer: &str,
    value: &Value,
    visit: &mut dyn FnMut(Object, &str),
    visit_field: &mut dyn FnMut(Use),
) {
    let Some(members) = value.as_object() else { return };
    visit(object, pointer);
    if members.contains_key("$ref") && object != Object::PathItem {
        return;
    }
    for (name, member) in members {
        let below = child(pointer, name);
        let shape = match FIELDS.iter().find(|field| field.object == object && field.name == name) {
            Some(field) => {
                visit_field(Use { object, name: field.name, pointer: below.clone() });
                field.shape
            }
            None if name.starts_with("x-") => continue,
            None => match object.names() {
                Some(shape) => shape,
                None => continue,
            },
        };
        match shape {
            Shape::One(inner) => walk(inner, &below, member, visit, visit_field),
            Shape::FlagOrSchema => walk(Object::Schema, &below, member, visit, visit_field),
            Shape::List(inner) => {
                for (place, item) in member.as_array().into_iter().flatten().enumerate() {
                    walk(inner, &format!("{below}/{place}"), item, visit, visit_field);
                }
            }
            Shape::Map(inner) => {
                for (name, item) in member.as_object().into_iter().flatten() {
                    walk(inner, &child(&below, name), item, visit, visit_field);
                }
            }
            _ => {}
        }
    }
}
