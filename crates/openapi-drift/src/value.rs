//! JSON values: exact numbers, types, and equality.

use std::cmp::Ordering;

use serde_json::Value;

/// A number without loss of precision, which `f64` has beyond 2^53: the whole number below it, and the distance to that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exact(i128, f64);

impl Exact {
    pub(crate) fn of(value: &Value) -> Self {
        if let Some(whole) = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from)) {
            return Self(whole, 0.0);
        }
        let number = value.as_f64().unwrap_or_default();
        #[expect(clippy::cast_possible_truncation, reason = "numbers beyond the range become its end")]
        let whole = number.floor() as i128;
        let end = whole == i128::MAX || whole == i128::MIN;
        Self(whole, if end { number } else { number - number.floor() })
    }

    /// The nearest whole number that a bound allows.
    pub(crate) const fn whole(self, lower: bool, excludes: bool) -> Self {
        let Self(below, rest) = self;
        let whole = match (rest > 0.0, lower, excludes) {
            (true, true, _) | (false, true, true) => below.saturating_add(1),
            (false, false, true) => below.saturating_sub(1),
            _ => below,
        };
        Self(whole, 0.0)
    }

    pub(crate) fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0).then(self.1.total_cmp(&other.1))
    }
}

/// The schema type of a value.
pub(crate) fn kind(value: &Value) -> Option<&'static str> {
    match value {
        Value::Null => None,
        Value::Bool(_) => Some("boolean"),
        // 1.0 is whole, too.
        Value::Number(number) if number.as_f64().is_some_and(|it| it.fract() != 0.0) => Some("number"),
        Value::Number(_) => Some("integer"),
        Value::String(_) => Some("string"),
        Value::Array(_) => Some("array"),
        Value::Object(_) => Some("object"),
    }
}

/// Whether two values are equal, numbers by their value: 1 is 1.0.
pub(crate) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (ours @ Value::Number(one), theirs @ Value::Number(other)) => {
            one == other || Exact::of(ours).cmp(&Exact::of(theirs)).is_eq()
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|other| same(one, other)))
        }
        _ => one == other,
    }
}
