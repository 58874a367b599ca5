//! Values in sentences.

use serde_json::Value;

/// The longest text of a value in a sentence, in characters.
const MAX_CHARS: usize = 60;

/// A value, cut if it is long.
pub(super) fn brief(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > MAX_CHARS {
        text.chars().take(MAX_CHARS).chain(['…']).collect()
    } else {
        text
    }
}

/// How a value changed, as the end of a sentence.
pub(super) fn went(before: Option<&Value>, after: Option<&Value>) -> String {
    match (before, after) {
        (Some(before), Some(after)) => format!("went from {} to {}", brief(before), brief(after)),
        (Some(before), None) => format!("{} was removed", brief(before)),
        (None, Some(after)) => format!("{} was added", brief(after)),
        (None, None) => "changed".to_owned(),
    }
}

/// The prefix of a sentence about a property: its path in backticks.
pub(super) fn property_prefix(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("`{path}`: ") }
}
