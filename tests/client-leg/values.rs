//! Equality of JSON values, and percent-decoding.

use std::collections::BTreeSet;

use serde_json::Value;

/// A percent-decoded text. What is not UTF-8 is replaced.
pub(crate) fn unescaped(text: &str) -> String {
    // Outside of a query, a plus is a plus.
    let text = text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(text.as_bytes()).next().map(|(text, _)| text.into_owned()).unwrap_or_default()
}

/// Whether two values are equal, numbers by their value: 1 is 1.0.
pub(crate) fn same(one: &Value, other: &Value) -> bool {
    first_difference(one, other).is_none()
}

/// Where two values first differ; `None` if they are equal. In an object, null equals an absent member: a reader of an
/// optional value cannot distinguish them.
pub(crate) fn first_difference(one: &Value, other: &Value) -> Option<Vec<String>> {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            names.into_iter().find_map(|name| {
                let (one, other) = (one.get(name), other.get(name));
                first_difference(one.unwrap_or(&Value::Null), other.unwrap_or(&Value::Null))
                    .map(|path| within(name, path))
            })
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            one.iter().zip(other).enumerate().find_map(|(place, (one, other))| {
                first_difference(one, other).map(|path| within(&place.to_string(), path))
            })
        }
        (Value::Number(one), Value::Number(other)) => {
            let exact = one == other;
            let whole = one.is_f64() || other.is_f64();
            let close = whole && one.as_f64() == other.as_f64();
            (!exact && !close).then(Vec::new)
        }
        (one, other) => (one != other).then(Vec::new),
    }
}

fn within(name: &str, mut path: Vec<String>) -> Vec<String> {
    path.insert(0, name.to_owned());
    path
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_compared_by_what_they_count() {
        assert!(same(&json!({ "a": [1] }), &json!({ "a": [1.0], "b": null })));
        assert!(!same(&json!(u64::MAX), &json!(u64::MAX - 1)));
        assert_eq!(
            first_difference(&json!({ "a": [1] }), &json!({ "a": [2] })),
            Some(vec!["a".into(), "0".into()])
        );
    }

    #[test]
    fn a_percent_sign_is_read_and_a_plus_is_a_plus() {
        assert_eq!(unescaped("a%2Fb+c&d=e%7B"), "a/b+c&d=e{");
    }
}
