//! The program: compares a document with an earlier one, and reports what breaks, what is accepted, and which version the
//! document must have.

use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::compare::{Options, compare};
use time::{Date, OffsetDateTime};

use crate::document::Document;
use crate::extensions::date;
use crate::finding::Finding;
use crate::position::Position;
use crate::report::{self, Entry, Failed, Format, Leg, Level, Place};
use crate::rules::{Rule, rule};
use crate::version::{Advice, advise};

/// What to compare, and how to write the result.
#[derive(Debug, Args)]
pub struct Settings {
    /// The earlier document: a file, or a revision of git that has the file of the later one
    #[arg(long, value_name = "REV|FILE")]
    pub base: String,
    /// The later document
    #[arg(long, value_name = "FILE", default_value = "openapi.json")]
    pub revision: PathBuf,
    /// The file with the accepted breaking changes; none are accepted if it is absent
    #[arg(long, value_name = "FILE", default_value = "drift-allow.toml")]
    pub allow: PathBuf,
    /// The date on which sunsets and acceptances are judged, such as 2026-12-31; today in UTC by default
    #[arg(long, value_name = "DAY", value_parser = day)]
    pub today: Option<Date>,
    /// The output format
    #[arg(long, value_enum, default_value = "human")]
    pub format: Format,
}

/// A breaking change that is accepted.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Accepted {
    /// The fingerprint of the finding, which every output format has.
    fingerprint: String,
    /// Why it is accepted.
    reason: String,
    /// The last day on which it is accepted.
    expires: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allow {
    /// The name of the file.
    #[serde(skip)]
    name: String,
    #[serde(default)]
    accept: Vec<Accepted>,
}

/// Compares the documents and writes the findings. Returns whether every breaking change is accepted and the version
/// reflects the changes. Paths are relative to the folder.
///
/// # Errors
///
/// A file or revision does not exist, or a document is not OpenAPI 3.0 or has [`Document::problems`].
pub fn run(settings: &Settings, folder: &Path, out: &mut dyn Write) -> Result<bool, Failed> {
    let today = settings.today.unwrap_or_else(|| OffsetDateTime::now_utc().date());
    let base = base(&settings.base, &settings.revision, folder)?;
    let revision = Named::file(&settings.revision, folder)?;
    let allow = Allow::read(&settings.allow, folder)?;
    let options = Options { today: Some(today) };
    let findings =
        compare(&base.document, &revision.document, options).map_err(|error| Failed(error.to_string()))?;
    report::write(&[judge(&base, &revision, findings, &allow, today)], settings.format, out)
}

/// A document with the name of its file or revision.
struct Named {
    name: String,
    document: Document,
}

impl Named {
    fn parse(name: String, text: &str) -> Result<Self, Failed> {
        let document = Document::parse(text).map_err(|problem| Failed(format!("{name}:{problem}")))?;
        match document.problems().first() {
            // A part without meaning cannot be judged.
            Some(problem) => Err(Failed(format!("{name}:{problem}"))),
            None => Ok(Self { name, document }),
        }
    }

    fn place(&self, pointer: &str, position: Position) -> Place {
        Place { file: self.name.clone(), position, pointer: Some(pointer.to_owned()) }
    }

    fn file(path: &Path, folder: &Path) -> Result<Self, Failed> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(folder.join(path))
            .map_err(|error| Failed(format!("{name} cannot be read: {error}")))?;
        Self::parse(name, &text)
    }
}

/// The earlier document: a file if one has this name, and otherwise a revision of git.
fn base(name: &str, revision: &Path, folder: &Path) -> Result<Named, Failed> {
    if folder.join(name).is_file() {
        return Named::file(Path::new(name), folder);
    }
    let neither = |reason: &str| Failed(format!("{name} is neither a file nor a revision of git: {reason}"));
    if name.starts_with('-') {
        return Err(neither("it begins with a dash"));
    }
    // Relative to the folder, like the later document.
    let object = format!("{name}:./{}", revision.display());
    let mut command = Command::new("git");
    command.current_dir(folder).args(["show", &object]).stdin(Stdio::null());
    let output = command.output().map_err(|error| Failed(format!("git cannot be started: {error}")))?;
    if !output.status.success() {
        return Err(neither(String::from_utf8_lossy(&output.stderr).trim()));
    }
    Named::parse(object, &String::from_utf8_lossy(&output.stdout))
}

/// The date of a command-line argument or of an acceptance.
fn day(text: &str) -> Result<Date, String> {
    date(text).ok_or_else(|| format!("{text:?} is not a date; write it as 2026-12-31"))
}

impl Allow {
    fn read(path: &Path, folder: &Path) -> Result<Self, Failed> {
        let name = path.display().to_string();
        let text = match std::fs::read_to_string(folder.join(path)) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Failed(format!("{name} cannot be read: {error}"))),
        };
        let mut allow: Self = toml::from_str(&text).map_err(|error| Failed(format!("{name}: {error}")))?;
        allow.name = name;
        Ok(allow)
    }
}

fn judge(base: &Named, revision: &Named, findings: Vec<Finding>, allow: &Allow, today: Date) -> Leg {
    let mut entries = Vec::new();
    let mut report = |rule: &Rule, message: String| {
        let position = Position { line: 1, column: 1 };
        let place = Place { file: allow.name.clone(), position, pointer: None };
        let (level, rule) = (Level::Error, rule.id.to_owned());
        entries.push(Entry { level, rule, message, place, more: Map::new() });
    };
    let mut accepted = Vec::new();
    for Accepted { fingerprint, reason, expires } in &allow.accept {
        let the_acceptance = format!("the acceptance of {fingerprint}");
        if reason.trim().is_empty() {
            report(rule!("acceptance-without-reason"), format!("{the_acceptance} has no reason; add one"));
        }
        let (rule, what) = match day(expires) {
            Err(error) => {
                (rule!("acceptance-without-end"), format!("{the_acceptance} has no expiry date: {error}"))
            }
            Ok(day) if day < today => (
                rule!("acceptance-expired"),
                format!("{the_acceptance} expired on {day}; remove or renew it"),
            ),
            Ok(_) if !findings.iter().any(|it| it.is_breaking() && it.fingerprint() == *fingerprint) => {
                let what =
                    format!("no breaking change has the fingerprint {fingerprint}; remove the acceptance");
                (rule!("acceptance-unused"), what)
            }
            Ok(_) => {
                accepted.push(fingerprint.clone());
                continue;
            }
        };
        report(rule, what);
    }
    let (taken, open): (Vec<_>, Vec<_>) = findings
        .into_iter()
        .partition(|finding| finding.is_breaking() && accepted.contains(&finding.fingerprint()));
    for finding in open.iter().chain(&taken) {
        let is_accepted = accepted.contains(&finding.fingerprint());
        let level = if finding.is_breaking() && !is_accepted {
            Level::Error
        } else if finding.breaks().old_clients || finding.breaks().old_servers {
            Level::Warning
        } else {
            Level::Note
        };
        entries.push(entry(finding, revision, level, is_accepted));
    }
    let advice = advise(&base.document, &revision.document, &open);
    if advice.enough == Some(false) {
        let pointer = "/info/version";
        let (level, rule) = (Level::Error, rule!("version-too-low").id.to_owned());
        let place = revision.place(pointer, revision.document.position(pointer));
        entries.push(Entry { level, rule, message: advised(&advice), place, more: Map::new() });
    }
    entries.sort_by(|one, other| {
        (one.level, &one.place, &one.rule).cmp(&(other.level, &other.place, &other.rule))
    });
    let (base, revision, allow, advised) = (&base.name, &revision.name, &allow.name, advised(&advice));
    Leg {
        name: "breaking",
        entries,
        agreement: format!("every client of {base} works with {revision}; {advised}"),
        fix: format!(
            "revert the changes, accept them in {allow} by their fingerprints, or raise info.version; {advised}"
        ),
    }
}

fn entry(finding: &Finding, revision: &Named, level: Level, accepted: bool) -> Entry {
    let mut message = finding.to_string();
    // Each format writes the rule itself.
    if let Some(end) = message.rfind(" [") {
        message.truncate(end);
    }
    let _ = write!(message, " ({}", finding.effect);
    if finding.request.is_some() || finding.response.is_some() {
        let _ = write!(message, ": {}", finding.breaks());
    }
    message.push_str(match (accepted, finding.announced) {
        (true, _) => ", accepted",
        (_, true) => ", announced",
        _ => "",
    });
    let _ = write!(message, "; {})", finding.fingerprint());
    let mut more = details(finding, "revision");
    more.insert("base_pointer".to_owned(), json!(finding.base.pointer));
    more.insert("base_line".to_owned(), json!(finding.base.position.line));
    more.insert("fingerprint".to_owned(), json!(finding.fingerprint()));
    more.insert("canonical".to_owned(), json!(finding.canonical));
    more.insert("accepted".to_owned(), Value::from(accepted));
    Entry {
        level,
        rule: finding.rule.to_owned(),
        message,
        place: revision.place(&finding.revision.pointer, finding.revision.position),
        more,
    }
}

/// The members of the JSON form of a finding beside its place: the place in the other document, and who breaks.
pub fn details(finding: &Finding, other: &str) -> Map<String, Value> {
    let mut more = Map::new();
    more.insert("effect".to_owned(), json!(finding.effect));
    more.insert("request".to_owned(), json!(finding.request));
    more.insert("response".to_owned(), json!(finding.response));
    more.insert("before".to_owned(), json!(finding.before));
    more.insert("after".to_owned(), json!(finding.after));
    more.insert(format!("{other}_pointer"), json!(finding.revision.pointer));
    more
}

/// The advice as the end of a sentence.
fn advised(advice: &Advice) -> String {
    let Advice { base, revision, least, enough, .. } = advice;
    match (least, enough) {
        (None, _) => {
            format!("the earlier version, {base:?}, is not a semantic version, so that none can be required")
        }
        (Some(least), Some(true)) => {
            format!("version {revision} is sufficient ({least} or above is required)")
        }
        (Some(least), _) => format!("info.version is {revision:?} and must become {least} or above"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTRACT: &str = r##"{
        "openapi": "3.0.3", "info": { "title": "Things", "version": "1.0.0" },
        "paths": { "/thing": {
            "get": { "operationId": "thing_fetch", "responses": { "200": { "description": "A thing" } } },
            "post": {
                "requestBody": { "content": { "application/json": {
                    "schema": { "$ref": "#/components/schemas/Thing_Create" } } } },
                "responses": { "204": { "description": "Done" } }
            }
        } },
        "components": { "schemas": { "Thing_Create": {
            "type": "object", "properties": { "title": { "type": "string", "maxLength": 100 } }
        } } }
    }"##;

    fn named(name: &str, change: impl FnOnce(&mut Value)) -> Named {
        let mut value: Value = serde_json::from_str(CONTRACT).unwrap();
        change(&mut value);
        Named::parse(name.to_owned(), &serde_json::to_string_pretty(&value).unwrap()).unwrap()
    }

    fn judged(change: impl FnOnce(&mut Value), allow: &str, today: &str) -> Leg {
        let (base, revision) = (named("base", |_| {}), named("revision", change));
        let today = day(today).unwrap();
        let findings = compare(&base.document, &revision.document, Options { today: Some(today) }).unwrap();
        judge(&base, &revision, findings, &toml::from_str(allow).unwrap(), today)
    }

    fn rules(leg: &Leg) -> Vec<&str> {
        leg.entries
            .iter()
            .filter(|entry| entry.level == Level::Error)
            .map(|entry| entry.rule.as_str())
            .collect()
    }

    const TODAY: &str = "2026-11-24";

    fn shorter(value: &mut Value) {
        value["components"]["schemas"]["Thing_Create"]["properties"]["title"]["maxLength"] = json!(10);
        value["info"]["version"] = json!("1.1.0");
    }

    #[test]
    fn the_same_contract_breaks_nothing() {
        let leg = judged(|_| {}, "", TODAY);
        assert_eq!((rules(&leg), leg.entries.len()), (vec![], 0));
    }

    #[test]
    fn a_break_fails_and_so_does_a_version_that_does_not_reflect_it() {
        assert_eq!(rules(&judged(shorter, "", TODAY)), ["schema-max-length-decreased", "version-too-low"]);
        let raised = |value: &mut Value| {
            shorter(value);
            value["info"]["version"] = json!("2.0.0");
        };
        assert_eq!(rules(&judged(raised, "", TODAY)), ["schema-max-length-decreased"]);
    }

    #[test]
    fn an_addition_requires_a_minor_version() {
        let added = |value: &mut Value| {
            value["components"]["schemas"]["Thing_Create"]["properties"]["colour"] =
                json!({ "type": "string" });
        };
        let leg = judged(added, "", TODAY);
        assert_eq!(rules(&leg), ["version-too-low"]);
        assert!(leg.fix.contains("must become 1.1.0"), "{}", leg.fix);
    }

    #[test]
    fn an_acceptance_is_valid_until_its_day_and_must_fit_a_finding() {
        let print = judged(shorter, "", TODAY).entries[0].more["fingerprint"].as_str().unwrap().to_owned();
        let allow = |print: &str, reason: &str, expires: &str| {
            format!("[[accept]]\nfingerprint = '{print}'\nreason = '{reason}'\nexpires = '{expires}'\n")
        };
        assert_eq!(rules(&judged(shorter, &allow(&print, "agreed", TODAY), TODAY)), Vec::<&str>::new());
        for (allow, rule) in [
            (allow(&print, "agreed", "2026-11-23"), "acceptance-expired"),
            (allow(&print, "agreed", "soon"), "acceptance-without-end"),
            (allow("0000000000000000", "agreed", TODAY), "acceptance-unused"),
            (allow(&print, " ", TODAY), "acceptance-without-reason"),
        ] {
            assert!(rules(&judged(shorter, &allow, TODAY)).contains(&rule), "{rule}");
        }
    }

    #[test]
    fn an_announced_removal_does_not_break_from_its_day_on() {
        let base = named("base", |value| {
            let fetch = &mut value["paths"]["/thing"]["get"];
            (fetch["deprecated"], fetch["x-sunset"]) = (json!(true), json!("2026-12-01"));
        });
        let revision = named("revision", |value| {
            value["paths"]["/thing"].as_object_mut().unwrap().remove("get");
            value["info"]["version"] = json!("1.1.0");
        });
        for (today, breaks) in [("2026-11-30", true), ("2026-12-01", false)] {
            let today = day(today).unwrap();
            let findings =
                compare(&base.document, &revision.document, Options { today: Some(today) }).unwrap();
            let leg = judge(&base, &revision, findings, &Allow::default(), today);
            assert_eq!(rules(&leg).contains(&"operation-removed"), breaks, "{today}");
        }
    }

    fn git(folder: &Path, arguments: &[&str]) {
        let names = ["-c", "user.name=t", "-c", "user.email=t@t.example", "-c", "commit.gpgsign=false"];
        let status = Command::new("git").current_dir(folder).args(names).args(arguments).status().unwrap();
        assert!(status.success());
    }

    fn written(settings: &Settings, folder: &Path) -> Result<(bool, String), Failed> {
        let mut out = Vec::new();
        let passed = run(settings, folder, &mut out)?;
        Ok((passed, String::from_utf8(out).unwrap()))
    }

    #[test]
    fn the_base_is_a_file_or_a_revision_of_git_and_the_output_is_reproducible() {
        let folder = tempfile::tempdir().unwrap();
        let api = folder.path().join("api");
        std::fs::create_dir(&api).unwrap();
        std::fs::write(api.join("openapi.json"), CONTRACT).unwrap();
        git(folder.path(), &["init", "--quiet"]);
        git(folder.path(), &["add", "."]);
        git(folder.path(), &["commit", "--quiet", "--message", "first"]);
        std::fs::rename(api.join("openapi.json"), api.join("old.json")).unwrap();
        let mut value: Value = serde_json::from_str(CONTRACT).unwrap();
        shorter(&mut value);
        std::fs::write(api.join("openapi.json"), value.to_string()).unwrap();
        let settings = |base: &str| Settings {
            base: base.to_owned(),
            revision: "openapi.json".into(),
            allow: "drift-allow.toml".into(),
            today: Some(day(TODAY).unwrap()),
            format: Format::Human,
        };
        for base in ["HEAD", "old.json"] {
            let (passed, text) = written(&settings(base), &api).unwrap();
            assert!(!passed && text.contains("[schema-max-length-decreased]"), "{text}");
            assert_eq!(written(&settings(base), &api).unwrap().1, text);
        }
        for nothing in ["--help", "no-such-revision", "api"] {
            assert!(written(&settings(nothing), &api).is_err(), "{nothing}");
        }
        std::fs::write(api.join("openapi.json"), "{\"openapi\": \"3.0.3\", \"paths\": 1}").unwrap();
        assert!(written(&settings("HEAD"), &api).is_err(), "a document with a problem");
        std::fs::write(api.join("drift-allow.toml"), "[[accept]]\nfingerprint = 1\n").unwrap();
        std::fs::write(api.join("openapi.json"), CONTRACT).unwrap();
        assert!(written(&settings("HEAD"), &api).is_err(), "acceptances that cannot be read");
    }
}
