//! The output formats of findings and of the list of rules.

use std::fmt;
use std::io::Write;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

use crate::position::Position;
use crate::rules::{self, RULES};

/// Why a check could not be completed. It is not a result of the check.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failed(pub String);

fn say(out: &mut dyn Write, text: &str) -> Result<(), Failed> {
    writeln!(out, "{text}").map_err(|error| Failed(format!("the output cannot be written: {error}")))
}

/// An output format for findings.
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

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, strum::IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Level {
    /// The check fails.
    Error,
    /// The check passes, but a client or server may break.
    Warning,
    /// For information.
    Note,
}

impl Level {
    /// The name in SARIF.
    fn name(self) -> &'static str {
        self.into()
    }

    /// The name of the workflow command of GitHub Actions.
    fn command(self) -> &'static str {
        if self == Self::Note { "notice" } else { self.name() }
    }
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The path of the file, as the caller wrote it.
    pub file: String,
    /// The line and column.
    #[serde(flatten)]
    pub position: Position,
    /// The JSON pointer, if the file is a document.
    pub pointer: Option<String>,
}

/// A finding of a check.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// The severity.
    pub level: Level,
    /// The stable ID of the rule that found it.
    pub rule: String,
    /// One sentence.
    pub message: String,
    /// The location.
    #[serde(flatten)]
    pub place: Place,
    /// Further members of the JSON form.
    #[serde(flatten)]
    pub more: serde_json::Map<String, Value>,
}

/// A part of a check.
#[derive(Clone, Debug)]
pub struct Leg {
    /// Its name.
    pub name: &'static str,
    /// The findings, in order.
    pub entries: Vec<Entry>,
    /// The verdict without errors.
    pub agreement: String,
    /// How to fix the errors.
    pub fix: String,
}

impl Leg {
    /// Whether no finding is an error.
    pub fn agrees(&self) -> bool {
        self.entries.iter().all(|entry| entry.level != Level::Error)
    }

    fn verdict(&self) -> String {
        if self.agrees() {
            return self.agreement.clone();
        }
        let count = self.entries.iter().filter(|entry| entry.level == Level::Error).count();
        format!("{count} {}; {}", if count == 1 { "finding" } else { "findings" }, self.fix)
    }
}

/// Writes the findings of the legs. Returns whether all legs agree.
pub fn write(legs: &[Leg], format: Format, out: &mut dyn Write) -> Result<bool, Failed> {
    match format {
        Format::Human => lines(legs, human, out)?,
        Format::Json => say(out, &pretty(&as_json(legs))?)?,
        Format::Github => lines(legs, github, out)?,
        Format::Sarif => say(out, &pretty(&sarif(legs))?)?,
        Format::Junit => say(out, &junit(legs))?,
    }
    Ok(legs.iter().all(Leg::agrees))
}

fn pretty(value: &Value) -> Result<String, Failed> {
    serde_json::to_string_pretty(value).map_err(|error| Failed(format!("no JSON can be written: {error}")))
}

/// Writes a line for each finding, and the verdict of each leg.
fn lines(legs: &[Leg], line: fn(&Leg, &Entry) -> String, out: &mut dyn Write) -> Result<(), Failed> {
    for leg in legs {
        for entry in &leg.entries {
            say(out, &line(leg, entry))?;
        }
        say(out, &format!("{}: {}", leg.name, leg.verdict()))?;
    }
    Ok(())
}

fn human(leg: &Leg, entry: &Entry) -> String {
    let Place { file, position, pointer } = &entry.place;
    let pointer = pointer.as_ref().map(|pointer| format!("#{pointer}: ")).unwrap_or_default();
    let level = if entry.level == Level::Error { String::new() } else { format!("{}: ", entry.level.name()) };
    format!("{}: {file}:{position}: {pointer}{level}{} [{}]", leg.name, entry.message, entry.rule)
}

fn as_json(legs: &[Leg]) -> Value {
    let leg = |leg: &Leg| {
        json!({
            "name": leg.name,
            "agrees": leg.agrees(),
            "verdict": leg.verdict(),
            "findings": leg.entries,
        })
    };
    json!({
        "agrees": legs.iter().all(Leg::agrees),
        "legs": legs.iter().map(leg).collect::<Vec<_>>(),
    })
}

fn github(leg: &Leg, entry: &Entry) -> String {
    // https://docs.github.com/actions/reference/workflow-commands-for-github-actions
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let Place { file, position: Position { line, column }, .. } = &entry.place;
    let (command, file, message) = (entry.level.command(), property(file), data(&entry.message));
    let title = property(&format!("{}: {}", leg.name, entry.rule));
    format!("::{command} file={file},line={line},col={column},title={title}::{message}")
}

fn sarif(legs: &[Leg]) -> Value {
    let entries = legs.iter().flat_map(|leg| leg.entries.iter().map(move |entry| (leg, entry)));
    let id = |leg: &Leg, entry: &Entry| format!("{}/{}", leg.name, entry.rule);
    let rules: std::collections::BTreeMap<String, &str> =
        entries.clone().map(|(leg, entry)| (id(leg, entry), entry.rule.as_str())).collect();
    // The rules of other checks are not in the registry.
    let described = |id: String, rule: &str| match rules::find(rule) {
        Some(rule) => json!({ "id": id, "shortDescription": { "text": rule.summary() } }),
        None => json!({ "id": id }),
    };
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
                "name": "openapi-drift",
                "rules": rules.into_iter().map(|(id, rule)| described(id, rule)).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn junit(legs: &[Leg]) -> String {
    use fmt::Write as _;

    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for Leg { name: leg, entries, .. } in legs {
        let failures = entries.iter().filter(|entry| entry.level == Level::Error).count();
        // A leg without findings is a test that passed.
        let tests = entries.len().max(1);
        let _ = writeln!(text, "  <testsuite name=\"{leg}\" tests=\"{tests}\" failures=\"{failures}\">");
        if entries.is_empty() {
            let _ = writeln!(text, "    <testcase classname=\"{leg}\" name=\"agreement\"/>");
        }
        for Entry { level, rule, message, place: Place { file, position, pointer }, .. } in entries {
            let name = xml(&format!("{rule} at {}", pointer.as_deref().unwrap_or(file)));
            let body = xml(&format!("{file}:{position}: {message}"));
            let inner = if *level == Level::Error {
                let (rule, message) = (xml(rule), xml(message));
                format!("<failure type=\"{rule}\" message=\"{message}\">{body}</failure>")
            } else {
                format!("<system-out>{body}</system-out>")
            };
            let _ = writeln!(text, "    <testcase classname=\"{leg}\" name=\"{name}\">{inner}</testcase>");
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>");
    text
}

/// A text escaped for XML 1.0, without the control characters that it does not allow.
fn xml(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    escaped.replace('\n', "&#10;").replace(char::is_control, "\u{fffd}")
}

/// An output format for the list of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RulesFormat {
    /// Lines for people
    Human,
    /// One JSON array
    Json,
    /// A table in Markdown
    Markdown,
}

/// Writes every rule: its ID, what it is about, and what it reports.
pub fn write_rules(format: RulesFormat, out: &mut dyn Write) -> Result<(), Failed> {
    let rules = RULES.iter().map(|rule| (rule.id, rule.word(), rule.summary()));
    match format {
        RulesFormat::Human => {
            for (id, word, summary) in rules {
                say(out, &format!("{id:<40} {word:<15} {summary}"))?;
            }
        }
        RulesFormat::Json => {
            let rule = |(id, word, summary)| json!({ "id": id, "kind": word, "summary": summary });
            say(out, &pretty(&rules.map(rule).collect())?)?;
        }
        RulesFormat::Markdown => {
            say(out, "| rule | about | reports |\n|---|---|---|")?;
            for (id, word, summary) in rules {
                say(out, &format!("| `{id}` | {word} | {summary} |"))?;
            }
        }
    }
    Ok(())
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
            fix: "fix it".to_owned(),
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
    fn sarif_has_the_text_of_each_rule_of_the_registry() {
        let mut legs = legs();
        legs[1].entries[0].rule = "operation-removed".to_owned();
        let sarif = sarif(&legs);
        let rules = &sarif["runs"][0]["tool"]["driver"]["rules"];
        assert_eq!(rules[0], json!({ "id": "two/a-rule" }));
        assert_eq!(rules[1]["shortDescription"]["text"], "an operation was removed");
    }

    #[test]
    fn each_format_has_the_location_and_the_message() {
        assert_eq!(
            written(Format::Human),
            "one: all is well\n\
             two: openapi.json:3:7: #/paths: 100%: <a>, \"b\"\nand [a-rule]\n\
             two: openapi.json:3:7: #/paths: note: so [a-rule]\n\
             two: 1 finding; fix it\n"
        );
        assert_eq!(
            written(Format::Github),
            "one: all is well\n\
             ::error file=openapi.json,line=3,col=7,title=two%3A a-rule::100%25: <a>, \"b\"%0Aand\n\
             ::notice file=openapi.json,line=3,col=7,title=two%3A a-rule::so\n\
             two: 1 finding; fix it\n"
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
