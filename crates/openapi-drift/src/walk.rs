//! A walk over every object of a document, by the table of fields.

use serde_json::Value;

use crate::fields::{Object, Shape, find};
use crate::pointer::push;

/// Visits every object of a document with its pointer and value, the document itself first. References are not followed:
/// a reference is visited as itself, and its target at its own pointer.
pub fn walk<'v>(document: &'v Value, visit: &mut dyn FnMut(Object, &str, &'v Value)) {
    object(Object::OpenApi, "", document, visit);
}

fn object<'v>(kind: Object, pointer: &str, value: &'v Value, visit: &mut dyn FnMut(Object, &str, &'v Value)) {
    let Some(members) = value.as_object() else { return };
    visit(kind, pointer, value);
    if members.contains_key("$ref") && kind.referable() {
        return;
    }
    for (name, member) in members {
        let below = push(pointer, name);
        let shape = match (find(kind, name), kind.names()) {
            (Some(field), _) => field.shape,
            (None, Some(shape)) if !name.starts_with("x-") => shape,
            _ => continue,
        };
        match shape {
            Shape::One(inner) => object(inner, &below, member, visit),
            Shape::FlagOrSchema => object(Object::Schema, &below, member, visit),
            Shape::List(inner) => {
                for (place, item) in member.as_array().into_iter().flatten().enumerate() {
                    object(inner, &format!("{below}/{place}"), item, visit);
                }
            }
            Shape::Map(inner) => {
                for (name, item) in member.as_object().into_iter().flatten() {
                    object(inner, &push(&below, name), item, visit);
                }
            }
            _ => {}
        }
    }
}
