//! Lists the fields of a document.

use openapi_drift::{FIELDS, Object, push, walk};
use serde_json::Value;

/// A field that an object of the document has.
pub(crate) struct Use {
    /// The kind of the object.
    pub(crate) object: Object,
    /// Its name.
    pub(crate) name: &'static str,
    /// Its pointer.
    pub(crate) pointer: String,
}

/// Lists every field of every object of a document, without objects that are only a reference.
pub(crate) fn uses(document: &Value) -> Vec<Use> {
    let mut found = Vec::new();
    walk(document, &mut |object, pointer, value| {
        if value.get("$ref").is_some() && object.referable() {
            return;
        }
        for name in value.as_object().into_iter().flat_map(|members| members.keys()) {
            let field = FIELDS.iter().find(|field| field.object == object && field.name == name);
            found.extend(field.map(|field| Use { object, name: field.name, pointer: push(pointer, name) }));
        }
    });
    found
}
