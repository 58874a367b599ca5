//! Valid values of a schema: the smallest, the fullest, and one for each variation.

use std::collections::BTreeSet;

use openapi_drift::{Object, push, walk};
use serde_json::{Map, Number, Value, json};

use crate::contract::Contract;
use crate::pattern;

/// A list is made no longer than this to reach its greatest length.
const ITEMS_MAX: u64 = 2_000;

/// Texts of each format. Of an IPv6 address, the form of RFC 5952, in which a client writes it again.
const FORMATS: [(&str, &[&str]); 7] = [
    ("ipv4", &["1.2.3.4", "127.0.0.1", "255.255.255.255", "0.0.0.0"]),
    ("ipv6", &["::", "2001:db8::1", "1:2:3:4:5:6:7:8", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]),
    ("uuid", &["64ac4f0c-0000-4000-8000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"]),
    ("date-time", &["2009-02-13T23:31:30Z", "1970-01-01T00:00:00.001Z"]),
    ("date", &["2009-02-13", "1970-01-01"]),
    ("email", &["a@b.example"]),
    ("uri", &["https://sessions.example/", "urn:x"]),
];

/// Formats of numbers. They bound a whole number.
const NUMBER_FORMATS: [&str; 6] = ["int32", "int64", "uint32", "uint64", "float", "double"];

/// Fields of a schema that no check here considers.
const UNSUPPORTED: [&str; 7] =
    ["not", "discriminator", "readOnly", "writeOnly", "xml", "minProperties", "maxProperties"];

/// The fields of schemas that the legs have no values for, with a message: their checks would pass over them.
pub fn unsupported(contract: &Contract) -> Vec<(String, String)> {
    let mut found = Vec::new();
    walk(contract.document(), &mut |object, pointer, value| {
        if object != Object::Schema {
            return;
        }
        for field in UNSUPPORTED.iter().filter(|field| value.get(**field).is_some()) {
            let what = format!("no check considers `{field}`; support it in tests/support/samples.rs");
            found.push((push(pointer, field), what));
        }
        let Some(format) = value["format"].as_str() else { return };
        let known = match value["type"].as_str() {
            Some("string") => FORMATS.iter().any(|(name, _)| *name == format),
            _ => NUMBER_FORMATS.contains(&format),
        };
        if !known {
            let what =
                format!("no check has values of the format {format}; add some in tests/support/samples.rs");
            found.push((push(pointer, "format"), what));
        }
    });
    found
}

/// A value and what it is there for.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The value.
    pub value: Value,
    /// The schema or keyword that it tries.
    pub pointer: String,
}

/// Values of one schema.
#[derive(Clone, Debug)]
pub struct Samples {
    /// With what is required alone.
    pub smallest: Value,
    /// With everything.
    pub fullest: Value,
    /// For each enum value, alternative, bound, example and optional property.
    pub variants: Vec<Sample>,
}

impl Samples {
    fn of(values: Vec<Sample>) -> Option<Self> {
        let smallest = values.first()?.value.clone();
        Some(Self { fullest: smallest.clone(), smallest, variants: values })
    }

    /// The fullest, then all others, each value once; the ends are at this pointer.
    pub fn all(&self, pointer: &str) -> Vec<Sample> {
        let ends = [&self.fullest, &self.smallest];
        let ends = ends.map(|value| Sample { value: value.clone(), pointer: pointer.to_owned() });
        let mut been = BTreeSet::new();
        let mut all: Vec<Sample> = ends.into_iter().chain(self.variants.iter().cloned()).collect();
        all.retain(|sample| been.insert(sample.value.to_string()));
        all
    }

    /// With this value for the ends, so that an end is nothing that may be different.
    fn with_ends(self, value: Value) -> Self {
        Self { smallest: value.clone(), fullest: value, ..self }
    }

    /// Both at once: of objects, the members of both.
    fn merged(self, other: Self) -> Self {
        let Some(_) = self.fullest.as_object() else { return other };
        let over = |base: &Value, more: &Value| match (base, more) {
            (Value::Object(base), Value::Object(more)) => {
                Value::Object(base.clone().into_iter().chain(more.clone()).collect())
            }
            (base, _) => base.clone(),
        };
        let own = self
            .variants
            .into_iter()
            .map(|sample| Sample { value: over(&sample.value, &other.fullest), ..sample });
        let others = other
            .variants
            .into_iter()
            .map(|sample| Sample { value: over(&self.fullest, &sample.value), ..sample });
        Self {
            smallest: over(&self.smallest, &other.smallest),
            fullest: over(&self.fullest, &other.fullest),
            variants: own.chain(others).collect(),
        }
    }
}

/// The values of the schema at a pointer; `None` where there are none. Then the schemas within it of which no value can
/// be made here.
pub fn samples(contract: &Contract, schema: &str) -> (Option<Samples>, Vec<String>) {
    let mut sampler = Sampler { contract, within: Vec::new(), lost: Vec::new() };
    let samples = sampler.schema(schema);
    if samples.is_none() && sampler.lost.is_empty() {
        sampler.lost.push(schema.to_owned());
    }
    (samples, sampler.lost)
}

struct Sampler<'a> {
    contract: &'a Contract,
    /// The schemas that are being sampled: one within itself has no end.
    within: Vec<String>,
    lost: Vec<String>,
}

impl Sampler<'_> {
    fn schema(&mut self, schema: &str) -> Option<Samples> {
        let pointer = self.contract.resolve(schema);
        if self.within.contains(&pointer) {
            return None;
        }
        self.within.push(pointer.clone());
        let samples = self.resolved(&pointer);
        self.within.pop();
        let mut samples = samples?;
        let whole = self.contract.get(&pointer);
        if let Some(example) = whole.get("example") {
            let at = format!("{pointer}/example");
            samples.variants.push(Sample { value: example.clone(), pointer: at });
            if !example.is_object() && !example.is_array() && self.contract.allows(&pointer, example) {
                samples = samples.with_ends(example.clone());
            }
        }
        if whole.get("nullable") == Some(&Value::Bool(true)) && whole.get("type").is_some() {
            let pointer = format!("{pointer}/nullable");
            samples.variants.push(Sample { value: Value::Null, pointer });
        }
        Some(samples)
    }

    fn resolved(&mut self, pointer: &str) -> Option<Samples> {
        let schema = self.contract.get(pointer);
        if schema.get("enum").is_some() {
            let values = self.contract.items(&format!("{pointer}/enum")).into_iter();
            let samples = values.map(|place| at(self.contract.get(&place).clone(), &place)).collect();
            return self.some(pointer, Samples::of(samples));
        }
        let mut parts = Vec::new();
        if schema.get("type").is_some() || schema.get("properties").is_some() {
            parts.push(self.own(pointer)?);
        }
        for part in self.contract.items(&format!("{pointer}/allOf")) {
            parts.push(self.schema(&part)?);
        }
        for keyword in ["oneOf", "anyOf"] {
            let alternatives = self.contract.items(&format!("{pointer}/{keyword}"));
            if !alternatives.is_empty() {
                parts.push(self.choice(&alternatives)?);
            }
        }
        let any = Samples::of(vec![at(json!({}), pointer)]);
        parts.into_iter().reduce(Samples::merged).or(any)
    }

    fn choice(&mut self, alternatives: &[String]) -> Option<Samples> {
        let mut all: Option<Samples> = None;
        for pointer in alternatives {
            let Some(samples) = self.schema(pointer) else { continue };
            let all = all.get_or_insert_with(|| Samples {
                smallest: samples.smallest.clone(),
                fullest: samples.fullest.clone(),
                variants: Vec::new(),
            });
            all.variants.extend(samples.all(pointer));
        }
        all
    }

    fn own(&mut self, pointer: &str) -> Option<Samples> {
        let schema = self.contract.get(pointer);
        match schema.get("type").and_then(Value::as_str) {
            Some("string") => self.some(pointer, self.text(pointer)),
            Some("integer") => self.some(pointer, self.number(pointer, true)),
            Some("number") => self.some(pointer, self.number(pointer, false)),
            Some("boolean") => Samples::of(vec![at(json!(true), pointer), at(json!(false), pointer)]),
            Some("array") => self.list(pointer),
            Some("object") | None => self.object(pointer),
            Some(_) => self.some(pointer, None),
        }
    }

    /// Notes a schema that has no samples.
    fn some(&mut self, pointer: &str, samples: Option<Samples>) -> Option<Samples> {
        if samples.is_none() {
            self.lost.push(pointer.to_owned());
        }
        samples
    }

    fn object(&mut self, pointer: &str) -> Option<Samples> {
        let contract = self.contract;
        let required = contract.texts(&format!("{pointer}/required"));
        let mut smallest = Map::new();
        let mut fullest = Map::new();
        let mut properties = Vec::new();
        for (name, property) in contract.members(&push(pointer, "properties")) {
            let Some(samples) = self.schema(&property) else {
                // A schema within itself ends where it may be left out.
                if required.contains(&name) {
                    return None;
                }
                continue;
            };
            if required.contains(&name) {
                smallest.insert(name.to_owned(), samples.smallest.clone());
            }
            fullest.insert(name.to_owned(), samples.fullest.clone());
            properties.push((name, property, samples));
        }
        let more = format!("{pointer}/additionalProperties");
        if contract.get(&more).is_object()
            && let Some(samples) = self.schema(&more)
        {
            fullest.insert("another".to_owned(), samples.fullest.clone());
        }
        for name in &required {
            if !fullest.contains_key(*name) {
                smallest.insert((*name).to_owned(), json!("anything"));
                fullest.insert((*name).to_owned(), json!("anything"));
            }
        }
        let mut variants = Vec::new();
        for (name, property, samples) in properties {
            if !required.contains(&name) {
                let mut without = fullest.clone();
                without.remove(name);
                variants.push(at(Value::Object(without), &property));
            }
            let smallest = Some(at(samples.smallest.clone(), &property));
            for sample in smallest.into_iter().chain(samples.variants) {
                let mut object = fullest.clone();
                object.insert(name.to_owned(), sample.value);
                variants.push(at(Value::Object(object), &sample.pointer));
            }
        }
        Some(Samples { smallest: Value::Object(smallest), fullest: Value::Object(fullest), variants })
    }

    fn list(&mut self, pointer: &str) -> Option<Samples> {
        let bound = |keyword: &str| self.contract.get(&format!("{pointer}/{keyword}")).as_u64();
        let min = bound("minItems").unwrap_or(0);
        let max = bound("maxItems");
        let count = usize::try_from(min.min(ITEMS_MAX)).ok()?;
        let Some(items) = self.schema(&format!("{pointer}/items")) else {
            return Samples::of(vec![at(json!([]), pointer)]);
        };
        let of = |value: &Value, count: usize| Value::Array(vec![value.clone(); count]);
        let one = if max == Some(0) { 0 } else { count.max(1) };
        let mut variants = vec![
            at(of(&items.smallest, one), &format!("{pointer}/items")),
            at(of(&items.smallest, count), &format!("{pointer}/minItems")),
        ];
        if let Some(max) = max.filter(|max| *max <= ITEMS_MAX) {
            variants
                .push(at(of(&items.smallest, usize::try_from(max).ok()?), &format!("{pointer}/maxItems")));
        }
        if max.is_none_or(|max| max > 1) {
            variants.push(at(json!([items.fullest, items.smallest]), pointer));
        }
        if one > 0 {
            let items = items.variants.iter();
            variants.extend(items.map(|sample| at(of(&sample.value, one), &sample.pointer)));
        }
        Some(Samples { smallest: of(&items.smallest, count), fullest: of(&items.fullest, one), variants })
    }

    fn text(&self, pointer: &str) -> Option<Samples> {
        let keyword = |name: &str| self.contract.get(&format!("{pointer}/{name}"));
        if let Some((_, texts)) = FORMATS.iter().find(|(name, _)| keyword("format") == *name) {
            let texts = texts.iter().map(|text| at(json!(text), &format!("{pointer}/format")));
            return Samples::of(
                texts.filter(|sample| self.contract.allows(pointer, &sample.value)).collect(),
            );
        }
        let length = |name: &str| usize::try_from(keyword(name).as_u64()?).ok();
        let pattern = keyword("pattern").as_str().unwrap_or("^.*$");
        let min = length("minLength").unwrap_or(0);
        // Where nothing bounds it, long enough to show every character.
        let max = length("maxLength").unwrap_or(min + 200);
        if min > pattern::LENGTH_MAX {
            return None;
        }
        let text = |length| pattern::text(pattern, length);
        let (Some(shortest), Some(longest)) = (text(min), text(max)) else {
            // A pattern of which only the example is known.
            let example = keyword("example");
            return example.is_string().then(|| Samples::of(vec![at(example.clone(), pointer)]))?;
        };
        let between = |more| text(max.min(min + more)).unwrap_or_default();
        let samples = Samples::of(vec![
            at(json!(between(64)), &format!("{pointer}/pattern")),
            at(json!(shortest), &format!("{pointer}/minLength")),
            at(json!(longest), &format!("{pointer}/maxLength")),
        ])?;
        Some(samples.with_ends(json!(between(8))))
    }

    fn number(&self, pointer: &str, whole: bool) -> Option<Samples> {
        let keyword = |name: &str| self.contract.get(&format!("{pointer}/{name}"));
        let mut values = Vec::new();
        let near = |bound: &Value, step: f64| {
            let number = bound.as_f64()? + step;
            Number::from_f64(number).map(Value::Number)
        };
        for (name, step) in [("minimum", 1.0), ("maximum", -1.0)] {
            let bound = keyword(name);
            if bound.is_number() {
                values.push(at(bound.clone(), &format!("{pointer}/{name}")));
                // For a bound that excludes itself.
                values.extend(near(bound, step).map(|value| at(value, &format!("{pointer}/{name}"))));
            }
        }
        let of_format = match keyword("format").as_str() {
            Some("int32") => vec![json!(i32::MIN), json!(i32::MAX)],
            Some("int64") => vec![json!(i64::MIN), json!(i64::MAX)],
            Some("uint32") => vec![json!(0), json!(u32::MAX)],
            Some("uint64") => vec![json!(0), json!(u64::MAX)],
            _ => Vec::new(),
        };
        values.extend(of_format.into_iter().map(|value| at(value, &format!("{pointer}/format"))));
        let plain = if whole { json!([0, 1, 86_400]) } else { json!([0, 1, 0.5, 1_234_567_890.123]) };
        values.extend(plain.as_array()?.iter().map(|value| at(value.clone(), pointer)));
        if whole {
            let numbers = values.into_iter();
            values = numbers
                .filter_map(|sample| Some(Sample { value: as_whole(&sample.value)?, ..sample }))
                .collect();
        }
        values.retain(|sample| self.contract.allows(pointer, &sample.value));
        let last = values.last()?.value.clone();
        Some(Samples::of(values)?.with_ends(last))
    }
}

/// A number without decimals; `None` if it has some.
fn as_whole(value: &Value) -> Option<Value> {
    match value.as_f64() {
        #[expect(clippy::cast_possible_truncation, reason = "it is a whole number within the range")]
        Some(number) if value.is_f64() => {
            (number.fract() == 0.0 && number.abs() < 9e15).then(|| json!(number as i64))
        }
        _ => Some(value.clone()),
    }
}

fn at(value: Value, pointer: &str) -> Sample {
    Sample { value, pointer: pointer.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::make_consistent;

    fn of(schema: &Value) -> Option<Samples> {
        let contract = contract_of(schema);
        let samples = samples(&contract, "/components/schemas/A").0?;
        for sample in samples.all("") {
            assert!(contract.allows("/components/schemas/A", &sample.value), "{sample:?} of {schema}");
        }
        Some(samples)
    }

    /// The contract with this schema for a response.
    fn contract_of(schema: &Value) -> Contract {
        let mut document = Contract::load().document().clone();
        document["components"]["schemas"]["A"] = schema.clone();
        let response = &mut document["paths"]["/api/v1/whoami"]["get"]["responses"]["200"];
        response["content"]["application/json"]["schema"] = json!({ "$ref": "#/components/schemas/A" });
        make_consistent(&mut document);
        Contract::parse(&document.to_string()).unwrap()
    }

    #[test]
    fn an_object_is_sampled_at_each_end_and_in_each_part() {
        let samples = of(&json!({
            "type": "object", "required": ["kind"], "properties": {
                "kind": { "type": "string", "enum": ["a", "b"] },
                "size": { "type": "integer", "minimum": 2, "exclusiveMinimum": true, "maximum": 9 },
                "more": { "$ref": "#/components/schemas/A" },
            }
        }))
        .unwrap();
        assert_eq!(samples.smallest, json!({ "kind": "a" }));
        assert_eq!(samples.fullest, json!({ "kind": "a", "size": 8 }));
        let tried: Vec<&str> = samples.variants.iter().map(|sample| sample.pointer.as_str()).collect();
        for pointer in ["properties/kind/enum/1", "properties/size/maximum", "properties/size"] {
            assert!(tried.contains(&format!("/components/schemas/A/{pointer}").as_str()), "{tried:?}");
        }
    }

    #[test]
    fn parts_and_alternatives_and_nulls_are_sampled() {
        let samples = of(&json!({
            "allOf": [
                { "type": "object", "required": ["a"], "properties": { "a": { "type": "boolean" } } },
                { "type": "object", "properties": { "b": { "oneOf": [
                    { "type": "string", "nullable": true, "maxLength": 3 }, { "type": "number" } ] } } },
            ]
        }))
        .unwrap();
        assert_eq!(samples.smallest, json!({ "a": true }));
        for b in [json!("abc"), json!(null), json!(0.5)] {
            assert!(
                samples.variants.iter().any(|sample| sample.value == json!({ "a": true, "b": b })),
                "{b}"
            );
        }
    }

    #[test]
    fn what_cannot_be_has_no_samples() {
        for schema in [
            json!({ "type": "string", "pattern": "(a|b)" }),
            json!({ "type": "string", "format": "ipv6", "minLength": 99 }),
            json!({ "type": "integer", "minimum": 5, "maximum": 5, "multipleOf": 2 }),
            json!({ "type": "object", "required": ["a"], "properties": { "a": { "$ref": "#/components/schemas/A" } } }),
        ] {
            assert!(of(&schema).is_none(), "{schema}");
        }
    }
}
