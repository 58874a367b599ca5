//! `cargo xtask breaking`: the contract against an earlier one.

use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use openapi_drift::{Advice, Date, Document, Finding, Options, Position, advise, compare};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::check::details;
use crate::process::{Failed, root};
use crate::report::{self, Entry, Format, Leg, Level, Place};

/// What to compare, and how to tell.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// The earlier contract: a file, or a revision of git whose `openapi.json` it is
    #[arg(long, value_name = "REV|FILE")]
    base: String,
    /// The later contract, in place of `openapi.json`
    #[arg(long, value_name = "FILE")]
    revision: Option<PathBuf>,
    /// The changes that are accepted, in place of `drift-allow.toml`
    #[arg(long, value_name = "FILE")]
    allow: Option<PathBuf>,
    /// The day on which sunsets and acceptances are judged, such as 2026-12-31; by default today, in UTC
    #[arg(long, value_name = "DAY")]
    today: Option<Date>,
    /// How to write it
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

/// Where accepted changes are written down.
const ALLOW: &str = "drift-allow.toml";

/// A breaking change that is accepted.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Accepted {
    /// The fingerprint, as `cargo xtask breaking` prints it.
    fingerprint: String,
    /// Why it is accepted.
    reason: String,
    /// The last day on which it is.
    expires: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allow {
    #[serde(default)]
    accept: Vec<Accepted>,
}

/// Compares, and writes what was found; answers whether nothing breaks that is not accepted.
pub(crate) fn run(settings: &Settings, out: &mut dyn Write) -> Result<bool, Failed> {
    let today = match settings.today {
        Some(today) => today,
        None => today_utc()?,
    };
    let (base, revision) = (base(&settings.base)?, Named::file(settings.revision.as_deref())?);
    let allow = Allow::read(settings.allow.as_deref())?;
    let options = Options { today: Some(today) };
    let findings =
        compare(&base.document, &revision.document, options).map_err(|error| Failed(error.to_string()))?;
    let leg = judge(&base, &revision, findings, &allow, today);
    report::write(&[leg], settings.format, out)
}

/// A document, with the name of where it came from.
struct Named {
    name: String,
    document: Document,
}

impl Named {
    fn parse(name: String, text: &str) -> Result<Self, Failed> {
        let document = Document::parse(text).map_err(|fault| Failed(format!("{name}:{fault}")))?;
        match document.faults().first() {
            // Documents that are not understood are not compared: nothing could be said for sure.
            Some(fault) => Err(Failed(format!("{name}:{fault}"))),
            None => Ok(Self { name, document }),
        }
    }

    fn file(path: Option<&Path>) -> Result<Self, Failed> {
        let name = path.map_or_else(|| "openapi.json".to_owned(), |path| path.display().to_string());
        let path = path.map_or_else(|| root().join("openapi.json"), Path::to_owned);
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failed(format!("{name} cannot be read: {error}")))?;
        Self::parse(name, &text)
    }
}

/// The earlier contract: a file if there is one of this name, and otherwise a revision of git.
fn base(name: &str) -> Result<Named, Failed> {
    if Path::new(name).is_file() {
        return Named::file(Some(Path::new(name)));
    }
    if name.starts_with('-') {
        return Err(Failed(format!("{name} is neither a file nor a revision of git")));
    }
    let object = format!("{name}:openapi.json");
    let mut command = Command::new("git");
    command.current_dir(root()).args(["show", &object]).stdin(Stdio::null());
    let output = command.output().map_err(|error| Failed(format!("git cannot be started: {error}")))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        return Err(Failed(format!("{name} is neither a file nor a revision of git: {}", reason.trim())));
    }
    Named::parse(object, &String::from_utf8_lossy(&output.stdout))
}

fn today_utc() -> Result<Date, Failed> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_err(|_| Failed("the clock is before 1970; name the day with --today".to_owned()))?;
    Ok(Date::of_unix_seconds(now.as_secs()))
}

impl Allow {
    fn read(path: Option<&Path>) -> Result<Self, Failed> {
        let (name, optional) =
            path.map_or((ALLOW.to_owned(), true), |path| (path.display().to_string(), false));
        let file = path.map_or_else(|| root().join(ALLOW), Path::to_owned);
        match std::fs::read_to_string(file) {
            Ok(text) => toml::from_str(&text).map_err(|error| Failed(format!("{name}: {error}"))),
            Err(error) if optional && error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Failed(format!("{name} cannot be read: {error}"))),
        }
    }
}

fn judge(base: &Named, revision: &Named, findings: Vec<Finding>, allow: &Allow, today: Date) -> Leg {
    let mut entries = Vec::new();
    let mut fault = |rule: &str, message: String| {
        let place =
            Place { file: ALLOW.to_owned(), position: Position { line: 1, column: 1 }, pointer: None };
        let (level, rule) = (Level::Error, rule.to_owned());
        entries.push(Entry { level, rule, message, place, more: Map::new() });
    };
    let mut accepted = Vec::new();
    for item in &allow.accept {
        let print = &item.fingerprint;
        if item.reason.trim().is_empty() {
            fault("acceptance-without-reason", format!("the acceptance of {print} has no reason; write one"));
        }
        match item.expires.parse::<Date>() {
            Err(error) => {
                fault("acceptance-without-end", format!("when the acceptance of {print} expires: {error}"))
            }
            Ok(day) if day < today => {
                fault(
                    "acceptance-expired",
                    format!("the acceptance of {print} expired on {day}; decide anew"),
                );
            }
            Ok(_) if !findings.iter().any(|it| it.is_breaking() && it.fingerprint() == *print) => {
                fault("acceptance-unused", format!("nothing that breaks is {print}; remove the acceptance"));
            }
            Ok(_) => accepted.push(print.clone()),
        }
    }
    let (taken, open): (Vec<_>, Vec<_>) = findings
        .into_iter()
        .partition(|finding| finding.is_breaking() && accepted.contains(&finding.fingerprint()));
    for finding in open.iter().chain(&taken) {
        let level = if finding.is_breaking() && !accepted.contains(&finding.fingerprint()) {
            Level::Error
        } else if finding.breaks().old_clients || finding.breaks().old_servers {
            Level::Warning
        } else {
            Level::Note
        };
        entries.push(entry(finding, revision, level, accepted.contains(&finding.fingerprint())));
    }
    let advice = advise(&base.document, &revision.document, &open);
    if advice.enough == Some(false) {
        let pointer = "/info/version";
        entries.push(Entry {
            level: Level::Error,
            rule: "version-too-low".to_owned(),
            message: advised(&advice),
            place: Place {
                file: revision.name.clone(),
                position: revision.document.position(pointer),
                pointer: Some(pointer.to_owned()),
            },
            more: Map::new(),
        });
    }
    entries.sort_by(|one, other| {
        (one.level, &one.place, &one.rule).cmp(&(other.level, &other.place, &other.rule))
    });
    Leg {
        name: "breaking",
        entries,
        agreement: format!(
            "whoever works with {} works with {}; {}",
            base.name,
            revision.name,
            advised(&advice)
        ),
        mend: format!(
            "take the changes back, accept them in {ALLOW} by their fingerprints, or raise info.version; {}",
            advised(&advice)
        ),
    }
}

fn entry(finding: &Finding, revision: &Named, level: Level, accepted: bool) -> Entry {
    let mut message = finding.to_string();
    // The rule stands beside the message already.
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
        rule: finding.rule.clone(),
        message,
        place: Place {
            file: revision.name.clone(),
            position: finding.revision.position,
            pointer: Some(finding.revision.pointer.clone()),
        },
        more,
    }
}

/// The advice as the end of a sentence.
fn advised(advice: &Advice) -> String {
    let Advice { base, revision, least, enough, .. } = advice;
    match (least, enough) {
        (None, _) => {
            format!("the earlier version, {base:?}, is none of Semantic Versioning, so there is no advice")
        }
        (Some(least), Some(true)) => format!("version {revision} is enough, as {least} would be"),
        (Some(least), _) => format!("info.version is {revision:?}, and must become {least} or above"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTRACT: &str = include_str!("../../openapi.json");

    fn named(name: &str, change: impl FnOnce(&mut Value)) -> Named {
        let mut value: Value = serde_json::from_str(CONTRACT).unwrap();
        change(&mut value);
        Named::parse(name.to_owned(), &serde_json::to_string_pretty(&value).unwrap()).unwrap()
    }

    fn judged(change: impl FnOnce(&mut Value), allow: &str, today: &str) -> Leg {
        let (base, revision) = (named("base", |_| {}), named("revision", change));
        let today: Date = today.parse().unwrap();
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
        value["components"]["schemas"]["Session_Title"]["maxLength"] = json!(10);
        value["info"]["version"] = json!("1.1.0");
    }

    #[test]
    fn the_same_contract_breaks_nothing() {
        let leg = judged(|_| {}, "", TODAY);
        assert_eq!((rules(&leg), leg.entries.len()), (vec![], 0));
    }

    #[test]
    fn a_break_fails_and_so_does_a_version_that_does_not_tell_of_it() {
        assert_eq!(rules(&judged(shorter, "", TODAY)), ["schema-max-length-decreased", "version-too-low"]);
        let raised = |value: &mut Value| {
            shorter(value);
            value["info"]["version"] = json!("2.0.0");
        };
        assert_eq!(rules(&judged(raised, "", TODAY)), ["schema-max-length-decreased"]);
    }

    #[test]
    fn an_addition_asks_for_a_minor_version() {
        let added = |value: &mut Value| {
            value["components"]["schemas"]["Session_Create"]["properties"]["colour"] =
                json!({ "type": "string" });
        };
        let leg = judged(added, "", TODAY);
        assert_eq!(rules(&leg), ["version-too-low"]);
        assert!(leg.mend.contains("must become 1.1.0"), "{}", leg.mend);
    }

    #[test]
    fn what_is_accepted_passes_until_its_day_and_an_acceptance_that_fits_nothing_fails() {
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
    fn a_removal_that_was_announced_is_no_break_from_its_day_on() {
        let base = named("base", |value| {
            let whoami = &mut value["paths"]["/api/v1/whoami"]["get"];
            (whoami["deprecated"], whoami["x-sunset"]) = (json!(true), json!("2026-12-01"));
        });
        let revision = named("revision", |value| {
            value["paths"].as_object_mut().unwrap().remove("/api/v1/whoami");
            value["info"]["version"] = json!("1.1.0");
        });
        for (today, breaks) in [("2026-11-30", true), ("2026-12-01", false)] {
            let today: Date = today.parse().unwrap();
            let findings =
                compare(&base.document, &revision.document, Options { today: Some(today) }).unwrap();
            let leg = judge(&base, &revision, findings, &Allow::default(), today);
            assert_eq!(rules(&leg).contains(&"operation-removed"), breaks, "{today}");
        }
    }

    #[test]
    fn a_base_that_is_nothing_is_no_agreement() {
        for name in ["--help", "no-such-revision", "xtask"] {
            assert!(base(name).is_err(), "{name}");
        }
        assert!(Named::parse("x".to_owned(), "{\"openapi\": \"3.0.3\", \"paths\": 1}").is_err());
    }
}
