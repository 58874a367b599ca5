//! Schemas of strings.

use schemars::schema::{InstanceType, Metadata, SchemaObject, StringValidation};

/// Returns the schema of a string with these lengths in characters. What is empty is left out.
pub fn string(description: &str, lengths: (usize, usize), pattern: &str, example: &str) -> SchemaObject {
    let present = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    SchemaObject {
        metadata: present(description)
            .map(|description| Box::new(Metadata { description: Some(description), ..Metadata::default() })),
        instance_type: Some(InstanceType::String.into()),
        string: Some(Box::new(StringValidation {
            min_length: u32::try_from(lengths.0).ok(),
            max_length: u32::try_from(lengths.1).ok(),
            pattern: present(pattern),
        })),
        extensions: present(example)
            .map(|example| ("example".to_owned(), example.into()))
            .into_iter()
            .collect(),
        ..SchemaObject::default()
    }
}
