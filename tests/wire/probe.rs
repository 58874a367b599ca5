//! Values around each bound of a schema. The validator decides which of them are valid.

use std::collections::BTreeSet;

use openapi_drift::push;
use serde_json::{Value, json};
use session_test_support::Contract;

/// A value to send, and the keyword that it checks.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    /// The value.
    pub(crate) value: Value,
    /// The keyword's pointer.
    pub(crate) keyword: String,
    /// A description for people.
    pub(crate) what: String,
}

/// Values of one schema, and keywords that no valid value is at the bound of.
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

/// Characters at the edges of the patterns: controls, blanks, punctuation, the letters that IDs exclude and their
/// neighbours, capitals, and characters of two and four bytes.
const CHARACTERS: [char; 28] = [
    '\0', '\t', '\n', '\u{1f}', ' ', '!', '"', '%', '/', '\\', '_', '0', '9', 'A', 'Z', 'a', 'h', 'i', 'j',
    'l', 'o', 'u', 'z', '~', '\u{7f}', '\u{80}', 'é', '😀',
];

/// Texts that resemble those of a format; the validator decides which of them are valid.
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

fn size(schema: &Value, keyword: &str) -> Option<usize> {
    // A document may contain any number; a longer text would be a load, not a check.
    schema[keyword].as_u64().and_then(|size| usize::try_from(size).ok()).filter(|size| *size <= 1 << 20)
}

/// Texts of this length that may be valid by the schema, the likelier ones first.
fn texts_of(contract: &Contract, at: &str, length: usize) -> impl Iterator<Item = String> {
    let schema = contract.get(at);
    let format = schema["format"].as_str().unwrap_or_default();
    let lookalikes =
        LOOKALIKES.iter().filter(move |(name, _)| *name == format).flat_map(|(_, texts)| texts.iter());
    let lookalikes =
        lookalikes.filter(move |text| text.chars().count() == length).map(|text| (*text).to_owned());
    let example = schema["example"].as_str().filter(|text| !text.is_empty()).unwrap_or("0").to_owned();
    let cycled = example.chars().cycle().take(length).collect::<String>();
    // The literal beginning of a pattern.
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

/// The values for the schema at a pointer, without those for its properties.
pub(crate) fn probes(contract: &Contract, pointer: &str) -> Probes {
    let mut probes = Probes::default();
    collect(contract, pointer, &mut probes, 8);
    let at = contract.resolve(pointer);
    let typed = |keyword: &str| {
        if contract.get(&at).get(keyword).is_some() { push(&at, keyword) } else { at.clone() }
    };
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

fn collect(contract: &Contract, pointer: &str, probes: &mut Probes, depth: usize) {
    let at = contract.resolve(pointer);
    let schema = contract.get(&at);
    for (place, value) in schema["enum"].as_array().into_iter().flatten().enumerate() {
        probes.add(
            value.clone(),
            &push(&push(&at, "enum"), &place.to_string()),
            format!("the value {value}"),
        );
    }
    if let Some(first) = schema["enum"].get(0).and_then(Value::as_str) {
        let keyword = push(&at, "enum");
        probes.add(json!("something-else"), &keyword, "a value that is not listed");
        probes.add(json!(first.to_uppercase()), &keyword, "a listed value in capitals");
        probes.add(json!(format!("{first} ")), &keyword, "a listed value and a blank");
        probes.add(json!(""), &keyword, "an empty text");
    } else if schema["type"] == "string" {
        texts(contract, &at, probes);
    }
    numbers(contract, &at, probes);
    if schema["type"] == "array" {
        lists(contract, &at, probes);
    }
    if depth > 0 {
        for keyword in ["oneOf", "anyOf", "allOf"] {
            let list = push(&at, keyword);
            for place in 0..contract.get(&list).as_array().map_or(0, Vec::len) {
                collect(contract, &push(&list, &place.to_string()), probes, depth - 1);
            }
        }
    }
    objects(contract, &at, probes);
}

fn texts(contract: &Contract, at: &str, probes: &mut Probes) {
    let schema = contract.get(at);
    for (keyword, inside, outside) in [("minLength", 0, -1), ("maxLength", 0, 1)] {
        let Some(bound) = size(schema, keyword) else { continue };
        let pointer = push(at, keyword);
        let fitting: Vec<_> = texts_of(contract, at, bound.saturating_add_signed(inside))
            .filter(|text| contract.allows(at, &json!(text)))
            .collect();
        if fitting.is_empty() {
            probes.out_of_reach.insert(pointer.clone());
        }
        // Lengths are counted in characters, whatever their number of bytes.
        for text in fitting.iter().take(1).chain(fitting.iter().skip(1).last()) {
            probes.add(json!(text), &pointer, format!("a text of {bound} characters"));
        }
        if let Some(length) = bound.checked_add_signed(outside) {
            let texts: Vec<_> = texts_of(contract, at, length).collect();
            let alone = texts.iter().filter(|text| {
                let errors = contract.errors(at, &json!(text));
                errors.len() == 1 && errors[0].keyword == pointer
            });
            let chosen: Vec<_> = alone.take(1).chain(texts.first()).collect();
            for text in chosen {
                probes.add(json!(text), &pointer, format!("a text of {length} characters"));
            }
        }
    }
    let valid = contract.sample(at).and_then(|text| text.as_str().map(str::to_owned));
    if schema.get("pattern").is_some() {
        let keyword = push(at, "pattern");
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
            probes.add(json!(text), &push(at, "format"), format!("the text {}", json!(text)));
        }
    }
}

fn numbers(contract: &Contract, at: &str, probes: &mut Probes) {
    let schema = contract.get(at);
    if !matches!(schema["type"].as_str(), Some("integer" | "number")) {
        return;
    }
    for keyword in ["minimum", "maximum"] {
        let Some(bound) = schema.get(keyword) else { continue };
        let pointer = push(at, keyword);
        let step = if keyword == "minimum" { -1 } else { 1 };
        let around: Vec<Value> = match (bound.as_i64(), bound.as_f64()) {
            (Some(bound), _) => {
                [bound, bound.saturating_add(step), bound.saturating_sub(step)].map(Value::from).into()
            }
            (None, Some(bound)) => [bound, bound + 1.0, bound - 1.0].map(Value::from).into(),
            _ => continue,
        };
        if !around.iter().any(|value| contract.allows(at, value)) {
            probes.out_of_reach.insert(pointer.clone());
        }
        for value in around {
            probes.add(value.clone(), &pointer, format!("the number {value}"));
        }
    }
    if let Some(step) = schema.get("multipleOf") {
        probes.add(step.clone(), &push(at, "multipleOf"), format!("the number {step}"));
    }
}

fn lists(contract: &Contract, at: &str, probes: &mut Probes) {
    let schema = contract.get(at);
    let Some(item) = contract.sample(&push(at, "items")) else { return };
    for (keyword, outside) in [("minItems", -1), ("maxItems", 1)] {
        let Some(bound) = size(schema, keyword) else { continue };
        let counts = [Some(bound), bound.checked_add_signed(outside)];
        for count in counts.into_iter().flatten() {
            probes.add(json!(vec![item.clone(); count]), &push(at, keyword), format!("a list of {count}"));
        }
    }
    if schema["uniqueItems"] == true {
        probes.add(json!([item, item]), &push(at, "uniqueItems"), "a list with the same item twice");
    }
}

fn objects(contract: &Contract, at: &str, probes: &mut Probes) {
    let schema = contract.get(at);
    if schema["type"] != "object" {
        return;
    }
    let Some(Value::Object(valid)) = contract.sample(at) else {
        probes.out_of_reach.insert(at.to_owned());
        return;
    };
    probes.add(Value::Object(valid.clone()), at, "an object with the required properties alone");
    for (place, name) in contract.texts(&push(at, "required")).into_iter().enumerate() {
        let mut without = valid.clone();
        without.remove(name);
        let keyword = push(&push(at, "required"), &place.to_string());
        probes.add(Value::Object(without), &keyword, format!("an object without {name}"));
    }
    let mut more = valid;
    more.insert("colour".to_owned(), json!("red"));
    let keyword = if schema.get("additionalProperties").is_some() {
        push(at, "additionalProperties")
    } else {
        at.to_owned()
    };
    probes.add(Value::Object(more), &keyword, "an object with the unknown property colour");
}
