//! What a check found, in the forms that people and machines read.

use std::fmt;
use std::io::Write;

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::position::Position;

/// The work could not be done, and why; never agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed(pub String);

impl fmt::Display for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}

fn say(out: &mut dyn Write, text: &str) -> Result<(), Failed> {
    writeln!(out, "{text}").map_err(|error| Failed(format!("the output cannot be written: {error}")))
}

/// How findings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Lines for people
    Human,
    /// One JSON document
    Json,
    /// Workflow commands of GitHub Actions, which become annotations
    Github,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// `JUnit` XML, for test reports
    Junit,
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It fails the check.
    Error,
    /// It does not, but somebody may be surprised.
    Warning,
    /// It is worth knowing.
    Note,
}

impl Level {
    /// As SARIF calls it.
    const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }

    /// As a workflow command of GitHub Actions calls it.
    const fn command(self) -> &'static str {
        match self {
            Self::Note => "notice",
            other => other.name(),
        }
    }
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as it was named or from the root of the repository.
    pub file: String,
    /// The line and column.
    pub position: Position,
    /// The JSON pointer, if the file is a document.
    pub pointer: Option<String>,
}

/// Something that was found.
#[derive(Clone, Debug)]
pub struct Entry {
    /// How grave it is.
    pub level: Level,
    /// The stable ID of the rule that found it.
    pub rule: String,
    /// One sentence.
    pub message: String,
    /// Where.
    pub place: Place,
    /// What a machine may want beside: members of the JSON form.
    pub more: serde_json::Map<String, Value>,
}

/// A part of a check.
#[derive(Clone, Debug)]
pub struct Leg {
    /// Its name.
    pub name: &'static str,
    /// What it found, in order.
    pub entries: Vec<Entry>,
    /// What to say when nothing is wrong.
    pub agreement: String,
    /// What mends it.
    pub mend: String,
}

impl Leg {
    /// Whether nothing is wrong.
    pub fn agrees(&self) -> bool {
        self.entries.iter().all(|entry| entry.level != Level::Error)
    }

    fn verdict(&self) -> String {
        if self.agrees() {
            return self.agreement.clone();
        }
        let count = self.entries.iter().filter(|entry| entry.level == Level::Error).count();
        format!("{count} {}; {}", if count == 1 { "finding" } else { "findings" }, self.mend)
    }
}

/// Writes what the legs found; answers whether all of them agree.
pub fn write(legs: &[Leg], format: Format, out: &mut dyn Write) -> Result<bool, Failed> {
    match format {
        Format::Human => human(legs, out)?,
        Format::Json => say(out, &pretty(&as_json(legs))?)?,
        Format::Github => github(legs, out)?,
        Format::Sarif => say(out, &pretty(&sarif(legs))?)?,
        Format::Junit => say(out, &junit(legs))?,
    }
    Ok(legs.iter().all(Leg::agrees))
}

fn pretty(value: &Value) -> Result<String, Failed> {
    serde_json::to_string_pretty(value).map_err(|error| Failed(format!("no JSON can be written: {error}")))
}

fn human(legs: &[Leg], out: &mut dyn Write) -> Result<(), Failed> {
    for leg in legs {
        for entry in &leg.entries {
            let Place { file, position, pointer } = &entry.place;
            let pointer = pointer.as_ref().map(|pointer| format!("#{pointer}: ")).unwrap_or_default();
            let level =
                if entry.level == Level::Error { String::new() } else { format!("{}: ", entry.level.name()) };
            let line = format!(
                "{}: {file}:{position}: {pointer}{level}{} [{}]",
                leg.name, entry.message, entry.rule
            );
            say(out, &line)?;
        }
        say(out, &format!("{}: {}", leg.name, leg.verdict()))?;
    }
    Ok(())
}

fn as_json(legs: &[Leg]) -> Value {
    let entry = |entry: &Entry| {
        let mut value = json!({
            "level": entry.level.name(),
            "rule": entry.rule,
            "message": entry.message,
            "file": entry.place.file,
            "line": entry.place.position.line,
            "column": entry.place.position.column,
            "pointer": entry.place.pointer,
        });
        if let Some(members) = value.as_object_mut() {
            members.extend(entry.more.clone());
        }
        value
    };
    let leg = |leg: &Leg| {
        json!({
            "name": leg.name,
            "agrees": leg.agrees(),
            "verdict": leg.verdict(),
            "findings": leg.entries.iter().map(entry).collect::<Vec<_>>(),
        })
    };
    json!({
        "agrees": legs.iter().all(Leg::agrees),
        "legs": legs.iter().map(leg).collect::<Vec<_>>(),
    })
}

fn github(legs: &[Leg], out: &mut dyn Write) -> Result<(), Failed> {
    // https://docs.github.com/actions/reference/workflow-commands-for-github-actions
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    for leg in legs {
        for entry in &leg.entries {
            let Place { file, position, .. } = &entry.place;
            let line = format!(
                "::{} file={},line={},col={},title={}::{}",
                entry.level.command(),
                property(file),
                position.line,
                position.column,
                property(&format!("{}: {}", leg.name, entry.rule)),
                data(&entry.message),
            );
            say(out, &line)?;
        }
        say(out, &format!("{}: {}", leg.name, leg.verdict()))?;
    }
    Ok(())
}

fn sarif(legs: &[Leg]) -> Value {
    let entries = legs.iter().flat_map(|leg| leg.entries.iter().map(move |entry| (leg, entry)));
    let id = |leg: &Leg, entry: &Entry| format!("{}/{}", leg.name, entry.rule);
    let rules: std::collections::BTreeSet<String> =
        entries.clone().map(|(leg, entry)| id(leg, entry)).collect();
    let results: Vec<Value> = entries
        .map(|(leg, entry)| {
            let Place { file, position, pointer } = &entry.place;
            let logical =
                pointer.as_ref().map(|pointer| json!({ "fullyQualifiedName": format!("#{pointer}") }));
            json!({
                "ruleId": id(leg, entry),
                "level": entry.level.name(),
                "message": { "text": entry.message },
                "locations": [{
                    "physicalLocation": {
                        "artifactLocation": { "uri": file },
                        "region": { "startLine": position.line, "startColumn": position.column },
                    },
                    "logicalLocations": logical.into_iter().collect::<Vec<_>>(),
                }],
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "cargo xtask",
                "rules": rules.into_iter().map(|id| json!({ "id": id })).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn junit(legs: &[Leg]) -> String {
    use fmt::Write as _;

    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for leg in legs {
        let failures = leg.entries.iter().filter(|entry| entry.level == Level::Error).count();
        // A leg without findings is a test that passed.
        let tests = leg.entries.len().max(1);
        let _ =
            writeln!(text, "  <testsuite name=\"{}\" tests=\"{tests}\" failures=\"{failures}\">", leg.name);
        if leg.entries.is_empty() {
            let _ = writeln!(text, "    <testcase classname=\"{}\" name=\"agreement\"/>", leg.name);
        }
        for entry in &leg.entries {
            let Place { file, position, pointer } = &entry.place;
            let name = xml(&format!("{} at {}", entry.rule, pointer.as_deref().unwrap_or(file)));
            let body = xml(&format!("{file}:{position}: {}", entry.message));
            let inner = if entry.level == Level::Error {
                format!(
                    "<failure type=\"{}\" message=\"{}\">{body}</failure>",
                    xml(&entry.rule),
                    xml(&entry.message)
                )
            } else {
                format!("<system-out>{body}</system-out>")
            };
            let _ =
                writeln!(text, "    <testcase classname=\"{}\" name=\"{name}\">{inner}</testcase>", leg.name);
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>");
    text
}

/// A text within XML 1.0, which has no place for most control characters.
fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            letter if letter.is_control() => escaped.push('\u{fffd}'),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn legs() -> Vec<Leg> {
        let entry = |level, message: &str| Entry {
            level,
            rule: "a-rule".to_owned(),
            message: message.to_owned(),
            place: Place {
                file: "openapi.json".to_owned(),
                position: Position { line: 3, column: 7 },
                pointer: Some("/paths".to_owned()),
            },
            more: serde_json::Map::new(),
        };
        let leg = |name, entries| Leg {
            name,
            entries,
            agreement: "all is well".to_owned(),
            mend: "mend it".to_owned(),
        };
        vec![
            leg("one", vec![]),
            leg("two", vec![entry(Level::Error, "100%: <a>, \"b\"\nand"), entry(Level::Note, "so")]),
        ]
    }

    fn written(format: Format) -> String {
        let mut out = Vec::new();
        assert!(!write(&legs(), format, &mut out).unwrap());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_form_says_where_and_what() {
        assert_eq!(
            written(Format::Human),
            "one: all is well\n\
             two: openapi.json:3:7: #/paths: 100%: <a>, \"b\"\nand [a-rule]\n\
             two: openapi.json:3:7: #/paths: note: so [a-rule]\n\
             two: 1 finding; mend it\n"
        );
        assert_eq!(
            written(Format::Github),
            "one: all is well\n\
             ::error file=openapi.json,line=3,col=7,title=two%3A a-rule::100%25: <a>, \"b\"%0Aand\n\
             ::notice file=openapi.json,line=3,col=7,title=two%3A a-rule::so\n\
             two: 1 finding; mend it\n"
        );
        let junit = written(Format::Junit);
        assert!(junit.contains("<testcase classname=\"one\" name=\"agreement\"/>"), "{junit}");
        assert!(
            junit.contains("<failure type=\"a-rule\" message=\"100%: &lt;a&gt;, &quot;b&quot;&#10;and\">"),
            "{junit}"
        );
        let json: Value = serde_json::from_str(&written(Format::Json)).unwrap();
        assert_eq!((&json["agrees"], &json["legs"][1]["findings"][0]["line"]), (&json!(false), &json!(3)));
        let sarif: Value = serde_json::from_str(&written(Format::Sarif)).unwrap();
        let result = &sarif["runs"][0]["results"][0];
        assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startColumn"], 7);
        assert_eq!((&result["ruleId"], &result["level"]), (&json!("two/a-rule"), &json!("error")));
    }
}
