//! `cargo xtask mutants`: whether the gate notices each single change of `openapi.json`.
//!
//! The changes are enumerated over every node of the document. Each is given to the static legs; what they do not see
//! and goes over the wire is given to the legs that run something. That the generated client would be another one counts
//! only for what is not on the wire: the next `cargo xtask generate` makes it current again.

mod changes;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Args;
use openapi_drift::{Document, Effect, Options, compare};

use self::changes::Mutant;
use crate::check;
use crate::document;
use crate::generate;
use crate::ledger::Ledger;
use crate::process::{Failed, root, say};

/// Which changes to try.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// Run nothing: leave what only a running server or client can tell undecided
    #[arg(long = "static")]
    static_only: bool,
    /// Only changes at a pointer that begins with this
    #[arg(long, value_name = "POINTER")]
    under: Option<String>,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    /// A leg found it.
    Caught(&'static str),
    /// It says what was said before.
    Same,
    /// It is not on the wire, and no leg found it; the rule that tells what it is.
    Aside(String),
    /// It is on the wire, and no leg found it; the rule that tells what it is.
    Survived(String),
    /// It is on the wire, and was not given to a leg that could find it.
    Open,
}

/// Tries every change and prints what became of it; answers whether each that is on the wire was caught.
pub(crate) fn run(
    settings: &Settings,
    out: &mut dyn Write,
    progress: &mut dyn Write,
) -> Result<bool, Failed> {
    let text = std::fs::read_to_string(root().join("openapi.json"))
        .map_err(|error| Failed(format!("openapi.json cannot be read: {error}")))?;
    let contract = Document::parse(&text).map_err(|fault| Failed(format!("openapi.json:{fault}")))?;
    let folder = tempfile::tempdir().map_err(|error| Failed(format!("no temporary folder: {error}")))?;
    let programs = if settings.static_only { None } else { Some(check::programs()?) };
    let under = settings.under.as_deref().unwrap_or_default();
    let mutants: Vec<Mutant> = changes::all(contract.value())
        .into_iter()
        .filter(|mutant| mutant.pointer.starts_with(under))
        .collect();
    say(progress, &format!("mutants: {} changes", mutants.len()))?;
    let fates = fates(&contract, &mutants, folder.path(), programs.as_deref())?;
    report(&mutants, &fates, out)
}

/// What becomes of each, in their order; on as many threads as the machine has processors.
fn fates(
    contract: &Document,
    mutants: &[Mutant],
    folder: &Path,
    programs: Option<&Path>,
) -> Result<Vec<Fate>, Failed> {
    let ledger = Ledger::read()?;
    let next = AtomicUsize::new(0);
    let fates: Mutex<BTreeMap<usize, Result<Fate, Failed>>> = Mutex::default();
    let work = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(mutant) = mutants.get(place) else { return };
            let file = folder.join(format!("{place}.json"));
            let fate = fate(contract, mutant, &ledger, &file, programs);
            let failed = fate.is_err();
            if let Ok(mut fates) = fates.lock() {
                fates.insert(place, fate);
            }
            if failed {
                next.store(mutants.len(), Ordering::Relaxed);
            }
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    fates.into_inner().map_err(|_| Failed("a worker panicked".to_owned()))?.into_values().collect()
}

fn fate(
    contract: &Document,
    mutant: &Mutant,
    ledger: &Ledger,
    file: &Path,
    programs: Option<&Path>,
) -> Result<Fate, Failed> {
    let text = mutant.document.to_string();
    let Ok(changed) = Document::parse(&text) else { return Ok(Fate::Caught("document")) };
    let findings =
        compare(contract, &changed, Options::default()).map_err(|error| Failed(error.to_string()))?;
    let gravest = findings.iter().min_by_key(|finding| finding.effect);
    if !document::problems(&changed).is_empty() {
        return Ok(Fate::Caught("document"));
    }
    let Some(gravest) = gravest else { return Ok(Fate::Same) };
    let (left, _) = ledger.settle(check::server_findings(&changed)?);
    if !left.is_empty() {
        return Ok(Fate::Caught("server"));
    }
    std::fs::write(file, text).map_err(|error| Failed(format!("{}: {error}", file.display())))?;
    if gravest.effect != Effect::Wire {
        return Ok(match generate::state(file)? {
            generate::State::Current => Fate::Aside(gravest.rule.to_owned()),
            _ => Fate::Caught("client"),
        });
    }
    let Some(programs) = programs else { return Ok(Fate::Open) };
    let sessiond = programs.join("sessiond");
    let arguments = [Path::new("--sessiond"), &sessiond];
    if !check::ask(programs, "wire-leg", file, &arguments)?.0.is_empty() {
        return Ok(Fate::Caught("wire"));
    }
    if !check::ask(programs, "client-leg", file, &[])?.0.is_empty() {
        return Ok(Fate::Caught("client"));
    }
    Ok(Fate::Survived(gravest.rule.to_owned()))
}

/// Why a difference that is not on the wire may pass.
fn reason(rule: &str) -> &'static str {
    match rule {
        _ if rule.contains("description") => "only people read it, and it is not in the generated code",
        _ if rule.contains("example") => "an example that fits its schema, and not in the generated code",
        "info-title-changed" | "info-license-changed" | "info-contact-changed" => "only people read it",
        "security-reworded" => "the same callers are let in",
        "document-openapi-changed" => "3.0.x differ in wording alone",
        _ => "not on the wire, and not in the generated code",
    }
}

fn report(mutants: &[Mutant], fates: &[Fate], out: &mut dyn Write) -> Result<bool, Failed> {
    let mut kinds: BTreeMap<&str, BTreeMap<String, usize>> = BTreeMap::new();
    for (mutant, fate) in mutants.iter().zip(fates) {
        let Mutant { kind, pointer, .. } = mutant;
        let name = match fate {
            Fate::Caught(leg) => (*leg).to_owned(),
            Fate::Same => "same".to_owned(),
            Fate::Aside(rule) => {
                say(out, &format!("aside: {kind} at #{pointer}: {rule}: {}", reason(rule)))?;
                "aside".to_owned()
            }
            Fate::Survived(rule) => {
                say(out, &format!("SURVIVED: {kind} at #{pointer}: {rule}"))?;
                "survived".to_owned()
            }
            Fate::Open => "open".to_owned(),
        };
        if *fate == Fate::Same {
            say(out, &format!("same: {kind} at #{pointer}: it says what was said before"))?;
        }
        *kinds.entry(kind).or_default().entry(name).or_default() += 1;
    }
    for (kind, fates) in &kinds {
        let fates: Vec<String> = fates.iter().map(|(fate, count)| format!("{count} {fate}")).collect();
        say(out, &format!("{kind}: {}", fates.join(", ")))?;
    }
    let count = |which: fn(&Fate) -> bool| fates.iter().filter(|fate| which(fate)).count();
    let caught = count(|fate| matches!(fate, Fate::Caught(_)));
    let survived = count(|fate| matches!(fate, Fate::Survived(_)));
    let (aside, same) = (count(|fate| matches!(fate, Fate::Aside(_))), count(|fate| *fate == Fate::Same));
    let open = count(|fate| *fate == Fate::Open);
    let left = if open > 0 { format!(", {open} left to the legs that run something") } else { String::new() };
    let total = fates.len();
    say(
        out,
        &format!(
            "mutants: {total} changes: {caught} caught, {survived} on the wire survived, \
             {aside} not on the wire passed, {same} say the same{left}"
        ),
    )?;
    Ok(survived == 0)
}
