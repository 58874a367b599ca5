//! Values around each bound of a schema. Which of them are allowed is for the validator to say, not for this file.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::spec::{Spec, child};

/// A value to send, and the keyword that it is about.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    /// What is sent.
    pub(crate) value: Value,
    /// The keyword's pointer.
    pub(crate) keyword: String,
    /// What it is, in words.
    pub(crate) what: String,
}

/// Values for one place, and keywords that no value can be on the bound of.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    /// The values.
    pub(crate) all: Vec<Probe>,
    /// The pointers of keywords that contradict the rest of their schema.
    pub(crate) out_of_reach: BTreeSet<String>,
}

impl Probes {
    fn add(&mut self, value: Value, keyword: &str, what: impl Into<String>) {
        if self.all.iter().all(|probe| probe.value != value) {
            self.all.push(Probe { value, keyword: keyword.to_owned(), what: what.into() });
        }
    }
}

/// Characters at the edges of what patterns allow: controls, blanks, punctuation, the letters that IDs leave out and
/// their neighbours, capitals, and characters of two and four bytes.
const CHARACTERS: [char; 28] = [
    '\0', '\t', '\n', '\u{1f}', ' ', '!', '"', '%', '/', '\\', '_', '0', '9', 'A', 'Z', 'a', 'h', 'i', 'j',
    'l', 'o', 'u', 'z', '~', '\u{7f}', '\u{80}', 'é', '😀',
];

/// Texts that look like those of a format; the validator knows which of them are.
const LOOKALIKES: [(&str, &[&str]); 3] = [
    (
        "ipv4",
        &[
            "0.0.0.0",
            "203.0.113.7",
            "255.255.255.255",
            "256.0.0.1",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.x",
            " 1.2.3.4",
            "1.2.3.4/8",
            "1.2.3.4:80",
            "1..2.3",
        ],
    ),
    (
        "ipv6",
        &[
            "::",
            "::1",
            "2001:db8::1",
            "0000:0000:0000:0000:0000:ffff:255.255.255.255",
            ":::",
            "2001:db8::1::2",
            "g::1",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "[::1]",
            "::1/64",
            "12345::",
        ],
    ),
    (
        "uuid",
        &[
            "64ac4f0c-0000-4000-8000-000000000000",
            "64ac4f0c00004000800000000000000",
            "64ac4f0c-0000-4000-8000-00000000000g",
        ],
    ),
];

/// A valid value of a schema, as short as it may be; `None` if none was found.
pub(crate) fn sample(spec: &Spec, pointer: &str) -> Option<Value> {
    sample_within(spec, pointer, 8)
}

fn sample_within(spec: &Spec, pointer: &str, depth: usize) -> Option<Value> {
    let at = spec.resolve(pointer);
    let schema = spec.get(&at);
    if let Some(example) = schema.get("example").filter(|example| spec.allows(&at, example)) {
        return Some(example.clone());
    }
    let mut candidates: Vec<Value> = schema["enum"].as_array().cloned().unwrap_or_default();
    if depth > 0 {
        for keyword in ["oneOf", "anyOf", "allOf"] {
            let list = child(&at, keyword);
            let count = spec.get(&list).as_array().map_or(0, Vec::len);
            candidates.extend(
                (0..count)
                    .filter_map(|place| sample_within(spec, &child(&list, &place.to_string()), depth - 1)),
            );
        }
    }
    match schema["type"].as_str() {
        Some("string") => {
            candidates.extend(texts_of(spec, &at, size(schema, "minLength").unwrap_or(1)).map(Value::from));
        }
        Some("integer" | "number") => {
            candidates.extend([json!(1), json!(0), schema["minimum"].clone(), schema["maximum"].clone()]);
        }
        Some("boolean") => candidates.push(json!(true)),
        Some("array") => {
            let item = sample_within(spec, &child(&at, "items"), depth.checked_sub(1)?);
            candidates.extend(item.map(|item| json!(vec![item; size(schema, "minItems").unwrap_or(0)])));
        }
        Some("object") => {
            let mut object = Map::new();
            for name in spec.texts(&child(&at, "required")) {
                let property = child(&child(&at, "properties"), name);
                object.insert(name.to_owned(), sample_within(spec, &property, depth.checked_sub(1)?)?);
            }
            candidates.push(Value::Object(object));
        }
        _ => {}
    }
    candidates.into_iter().find(|value| spec.allows(&at, value))
}

fn size(schema: &Value, keyword: &str) -> Option<usize> {
    // A document may name any number; a text of more than this is no test but a load.
    schema[keyword].as_u64().and_then(|size| usize::try_from(size).ok()).filter(|size| *size <= 1 << 20)
}

/// Texts of so many characters that might fit the schema, the likelier ones first.
fn texts_of(spec: &Spec, at: &str, length: usize) -> impl Iterator<Item = String> {
    let schema = spec.get(at);
    let format = schema["format"].as_str().unwrap_or_default();
    let lookalikes =
        LOOKALIKES.iter().filter(move |(name, _)| *name == format).flat_map(|(_, texts)| texts.iter());
    let lookalikes =
        lookalikes.filter(move |text| text.chars().count() == length).map(|text| (*text).to_owned());
    let example = schema["example"].as_str().filter(|text| !text.is_empty()).unwrap_or("0").to_owned();
    let cycled = example.chars().cycle().take(length).collect::<String>();
    // What a pattern begins with, up to the first character that means something to it.
    let pattern =
        schema["pattern"].as_str().and_then(|pattern| pattern.strip_prefix('^')).unwrap_or_default();
    let fixed: String =
        pattern.chars().take_while(|one| one.is_alphanumeric() || "_- ".contains(*one)).collect();
    let repeated = ["0", "a", "A", "é", "😀"].into_iter().map(move |one| {
        let rest = length.saturating_sub(fixed.chars().count());
        fixed.chars().take(length).chain(one.chars().cycle().take(rest)).collect::<String>()
    });
    lookalikes.chain([cycled]).chain(repeated)
}

/// The values for the schema at a pointer, those inside its properties left out.
pub(crate) fn probes(spec: &Spec, pointer: &str) -> Probes {
    let mut probes = Probes::default();
    collect(spec, pointer, &mut probes, 8);
    let at = spec.resolve(pointer);
    let typed =
        |keyword: &str| if spec.get(&at).get(keyword).is_some() { child(&at, keyword) } else { at.clone() };
    for (value, what) in [
        (Value::Null, "null"),
        (json!(true), "a boolean"),
        (json!(7), "a number"),
        (json!(1.5), "a number with decimals"),
        (json!("text"), "a text"),
        (json!([]), "a list"),
        (json!([7]), "a list with a number"),
        (json!({}), "an object"),
    ] {
        probes.add(value, &typed("type"), what);
    }
    probes
}

fn collect(spec: &Spec, pointer: &str, probes: &mut Probes, depth: usize) {
    let at = spec.resolve(pointer);
    let schema = spec.get(&at);
    for (place, value) in schema["enum"].as_array().into_iter().flatten().enumerate() {
        probes.add(
            value.clone(),
            &child(&child(&at, "enum"), &place.to_string()),
            format!("the value {value}"),
        );
    }
    if let Some(first) = schema["enum"].get(0).and_then(Value::as_str) {
        let keyword = child(&at, "enum");
        probes.add(json!("something-else"), &keyword, "a value that is not listed");
        probes.add(json!(first.to_uppercase()), &keyword, "a listed value in capitals");
        probes.add(json!(format!("{first} ")), &keyword, "a listed value and a blank");
        probes.add(json!(""), &keyword, "an empty text");
    } else if schema["type"] == "string" {
        texts(spec, &at, probes);
    }
    numbers(spec, &at, probes);
    if schema["type"] == "array" {
        lists(spec, &at, probes);
    }
    if depth > 0 {
        for keyword in ["oneOf", "anyOf", "allOf"] {
            let list = child(&at, keyword);
            for place in 0..spec.get(&list).as_array().map_or(0, Vec::len) {
                collect(spec, &child(&list, &place.to_string()), probes, depth - 1);
            }
        }
    }
    objects(spec, &at, probes);
}

fn texts(spec: &Spec, at: &str, probes: &mut Probes) {
    let schema = spec.get(at);
    for (keyword, inside, outside) in [("minLength", 0, -1), ("maxLength", 0, 1)] {
        let Some(bound) = size(schema, keyword) else { continue };
        let pointer = child(at, keyword);
        let fitting: Vec<_> = texts_of(spec, at, bound.saturating_add_signed(inside))
            .filter(|text| spec.allows(at, &json!(text)))
            .collect();
        if fitting.is_empty() {
            probes.out_of_reach.insert(pointer.clone());
        }
        // Of the bytes that a character has, the longest text is counted in characters.
        for text in fitting.iter().take(1).chain(fitting.iter().skip(1).last()) {
            probes.add(json!(text), &pointer, format!("a text of {bound} characters"));
        }
        if let Some(length) = bound.checked_add_signed(outside) {
            let texts: Vec<_> = texts_of(spec, at, length).collect();
            let alone = texts.iter().filter(|text| {
                let faults = spec.faults(at, &json!(text));
                faults.len() == 1 && faults[0].0 == pointer
            });
            let chosen: Vec<_> = alone.take(1).chain(texts.first()).collect();
            for text in chosen {
                probes.add(json!(text), &pointer, format!("a text of {length} characters"));
            }
        }
    }
    let valid = sample(spec, at).and_then(|text| text.as_str().map(str::to_owned));
    if schema.get("pattern").is_some() {
        let keyword = child(at, "pattern");
        if valid.is_none() {
            probes.out_of_reach.insert(keyword.clone());
        }
        let valid: Vec<char> = valid.unwrap_or_default().chars().collect();
        for (number, character) in CHARACTERS.into_iter().enumerate() {
            let mut text = valid.clone();
            let (place, where_) =
                if number % 2 == 0 { (0, "first") } else { (text.len().saturating_sub(1), "last") };
            if let Some(changed) = text.get_mut(place) {
                *changed = character;
            }
            let text: String = text.into_iter().collect();
            probes.add(
                json!(text),
                &keyword,
                format!("a text with U+{:04X} as its {where_} character", u32::from(character)),
            );
        }
    }
    if let Some(format) = schema["format"].as_str() {
        let lookalikes =
            LOOKALIKES.iter().filter(|(name, _)| *name == format).flat_map(|(_, texts)| texts.iter());
        for text in lookalikes {
            probes.add(json!(text), &child(at, "format"), format!("the text {}", json!(text)));
        }
    }
}

fn numbers(spec: &Spec, at: &str, probes: &mut Probes) {
    let schema = spec.get(at);
    if !matches!(schema["type"].as_str(), Some("integer" | "number")) {
        return;
    }
    for keyword in ["minimum", "maximum"] {
        let Some(bound) = schema.get(keyword) else { continue };
        let pointer = child(at, keyword);
        let step = if keyword == "minimum" { -1 } else { 1 };
        let around: Vec<Value> = match (bound.as_i64(), bound.as_f64()) {
            (Some(bound), _) => {
                [bound, bound.saturating_add(step), bound.saturating_sub(step)].map(Value::from).into()
            }
            (None, Some(bound)) => [bound, bound + 1.0, bound - 1.0].map(Value::from).into(),
            _ => continue,
        };
        if !around.iter().any(|value| spec.allows(at, value)) {
            probes.out_of_reach.insert(pointer.clone());
        }
        for value in around {
            probes.add(value.clone(), &pointer, format!("the number {value}"));
        }
    }
    if let Some(step) = schema.get("multipleOf") {
        probes.add(step.clone(), &child(at, "multipleOf"), format!("the number {step}"));
    }
}

fn lists(spec: &Spec, at: &str, probes: &mut Probes) {
    let schema = spec.get(at);
    let Some(item) = sample(spec, &child(at, "items")) else { return };
    for (keyword, outside) in [("minItems", -1), ("maxItems", 1)] {
        let Some(bound) = size(schema, keyword) else { continue };
        let counts = [Some(bound), bound.checked_add_signed(outside)];
        for count in counts.into_iter().flatten() {
            probes.add(json!(vec![item.clone(); count]), &child(at, keyword), format!("a list of {count}"));
        }
    }
    if schema["uniqueItems"] == true {
        probes.add(json!([item, item]), &child(at, "uniqueItems"), "a list with the same item twice");
    }
}

fn objects(spec: &Spec, at: &str, probes: &mut Probes) {
    let schema = spec.get(at);
    if schema["type"] != "object" {
        return;
    }
    let Some(Value::Object(valid)) = sample(spec, at) else {
        probes.out_of_reach.insert(at.to_owned());
        return;
    };
    probes.add(Value::Object(valid.clone()), at, "an object with the required properties alone");
    for (place, name) in spec.texts(&child(at, "required")).into_iter().enumerate() {
        let mut without = valid.clone();
        without.remove(name);
        let keyword = child(&child(at, "required"), &place.to_string());
        probes.add(Value::Object(without), &keyword, format!("an object without {name}"));
    }
    let mut more = valid;
    more.insert("colour".to_owned(), json!("red"));
    let keyword = if schema.get("additionalProperties").is_some() {
        child(at, "additionalProperties")
    } else {
        at.to_owned()
    };
    probes.add(Value::Object(more), &keyword, "an object with the unknown property colour");
}
