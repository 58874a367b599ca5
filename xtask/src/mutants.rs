//! `cargo xtask mutants`: checks that the gate catches each single change of `openapi.json`.
//!
//! The static legs run on every change. The legs that run a program follow only for changes that the static legs do not
//! catch and that have an effect on the wire. A stale client catches only changes without an effect on the wire, because the
//! next `cargo xtask generate` makes it current again.

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
use crate::process::{Failed, programs, root, say};

/// Which changes to try, and with which legs.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// Run no server or client; changes that only they can catch are reported as undecided
    #[arg(long = "static")]
    static_only: bool,
    /// Only try changes whose pointer begins with this
    #[arg(long, value_name = "POINTER")]
    under: Option<String>,
}

/// The result of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    /// This leg reported it.
    Caught(&'static str),
    /// The changed document has the same meaning.
    Equivalent,
    /// It has no effect on the wire and no leg reported it. Contains the ID of the rule for such a change.
    OffWire(String),
    /// It has an effect on the wire and no leg reported it. Contains the ID of the rule for such a change.
    Survived(String),
    /// It has an effect on the wire, and the legs that could report it were not run.
    Undecided,
}

/// Tries every change and prints its result. Returns whether no change with an effect on the wire survived.
pub(crate) fn run(
    settings: &Settings,
    out: &mut dyn Write,
    progress: &mut dyn Write,
) -> Result<bool, Failed> {
    let text = std::fs::read_to_string(root().join("openapi.json"))
        .map_err(|error| Failed(format!("openapi.json cannot be read: {error}")))?;
    let contract = Document::parse(&text).map_err(|problem| Failed(format!("openapi.json:{problem}")))?;
    let folder = tempfile::tempdir().map_err(|error| Failed(format!("no temporary folder: {error}")))?;
    let programs = if settings.static_only { None } else { Some(programs(&[])?) };
    let under = settings.under.as_deref().unwrap_or_default();
    let mutants: Vec<Mutant> = changes::all(contract.value())
        .into_iter()
        .filter(|mutant| mutant.pointer.starts_with(under))
        .collect();
    say(progress, &format!("mutants: {} changes", mutants.len()))?;
    let outcomes = outcomes(&contract, &mutants, folder.path(), programs.as_deref())?;
    report(&mutants, &outcomes, out)
}

/// The result of each change, in their order. Uses as many threads as the machine has processors.
fn outcomes(
    contract: &Document,
    mutants: &[Mutant],
    folder: &Path,
    programs: Option<&Path>,
) -> Result<Vec<Outcome>, Failed> {
    let ledger = Ledger::read()?;
    let next = AtomicUsize::new(0);
    let outcomes: Mutex<BTreeMap<usize, Result<Outcome, Failed>>> = Mutex::default();
    let work = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(mutant) = mutants.get(place) else { return };
            let file = folder.join(format!("{place}.json"));
            let outcome = outcome(contract, mutant, &ledger, &file, programs);
            let failed = outcome.is_err();
            if let Ok(mut outcomes) = outcomes.lock() {
                outcomes.insert(place, outcome);
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
    outcomes.into_inner().map_err(|_| Failed("a worker panicked".to_owned()))?.into_values().collect()
}

/// Runs the legs on one change until one reports it. Writes the changed document to `file` if a leg needs it there.
fn outcome(
    contract: &Document,
    mutant: &Mutant,
    ledger: &Ledger,
    file: &Path,
    programs: Option<&Path>,
) -> Result<Outcome, Failed> {
    let text = mutant.document.to_string();
    let Ok(changed) = Document::parse(&text) else { return Ok(Outcome::Caught("document")) };
    let findings =
        compare(contract, &changed, Options::default()).map_err(|error| Failed(error.to_string()))?;
    let strongest = findings.iter().min_by_key(|finding| finding.effect);
    if !document::problems(&changed).is_empty() {
        return Ok(Outcome::Caught("document"));
    }
    let Some(strongest) = strongest else { return Ok(Outcome::Equivalent) };
    let (left, _) = ledger.settle(check::server_findings(&changed)?);
    if !left.is_empty() {
        return Ok(Outcome::Caught("server"));
    }
    std::fs::write(file, text).map_err(|error| Failed(format!("{}: {error}", file.display())))?;
    if strongest.effect != Effect::Wire {
        return Ok(match generate::state(file)? {
            generate::State::Current => Outcome::OffWire(strongest.rule.to_owned()),
            _ => Outcome::Caught("client"),
        });
    }
    let Some(programs) = programs else { return Ok(Outcome::Undecided) };
    let sessiond = programs.join("sessiond");
    let arguments = [Path::new("--sessiond"), &sessiond];
    if !check::run_leg_program(programs, "wire-leg", file, &arguments)?.0.is_empty() {
        return Ok(Outcome::Caught("wire"));
    }
    if !check::run_leg_program(programs, "client-leg", file, &[])?.0.is_empty() {
        return Ok(Outcome::Caught("client"));
    }
    Ok(Outcome::Survived(strongest.rule.to_owned()))
}

/// Why a change without an effect on the wire need not be caught.
fn reason(rule: &str) -> &'static str {
    match rule {
        _ if rule.contains("description") => "documentation that is not in the generated code",
        _ if rule.contains("example") => "a valid example that is not in the generated code",
        "info-title-changed" | "info-license-changed" | "info-contact-changed" => "documentation",
        "security-reworded" => "the same callers are accepted",
        "document-openapi-changed" => "the versions 3.0.x differ only in wording",
        _ => "it has no effect on the wire and is not in the generated code",
    }
}

/// Prints the changes that were not caught, the results of each kind, and the totals. Returns whether none survived.
fn report(mutants: &[Mutant], outcomes: &[Outcome], out: &mut dyn Write) -> Result<bool, Failed> {
    let mut kinds: BTreeMap<&str, BTreeMap<String, usize>> = BTreeMap::new();
    for (mutant, outcome) in mutants.iter().zip(outcomes) {
        let Mutant { kind, pointer, .. } = mutant;
        let name = match outcome {
            Outcome::Caught(leg) => (*leg).to_owned(),
            Outcome::Equivalent => "equivalent".to_owned(),
            Outcome::OffWire(rule) => {
                say(out, &format!("off the wire: {kind} at #{pointer}: {rule}: {}", reason(rule)))?;
                "off the wire".to_owned()
            }
            Outcome::Survived(rule) => {
                say(out, &format!("SURVIVED: {kind} at #{pointer}: {rule}"))?;
                "survived".to_owned()
            }
            Outcome::Undecided => "undecided".to_owned(),
        };
        if *outcome == Outcome::Equivalent {
            say(out, &format!("equivalent: {kind} at #{pointer}: the document has the same meaning"))?;
        }
        *kinds.entry(kind).or_default().entry(name).or_default() += 1;
    }
    for (kind, outcomes) in &kinds {
        let outcomes: Vec<String> =
            outcomes.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
        say(out, &format!("{kind}: {}", outcomes.join(", ")))?;
    }
    let count = |which: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| which(outcome)).count();
    let caught = count(|outcome| matches!(outcome, Outcome::Caught(_)));
    let survived = count(|outcome| matches!(outcome, Outcome::Survived(_)));
    let (off_wire, equivalent) = (
        count(|outcome| matches!(outcome, Outcome::OffWire(_))),
        count(|outcome| *outcome == Outcome::Equivalent),
    );
    let undecided = count(|outcome| *outcome == Outcome::Undecided);
    let rest = if undecided > 0 {
        format!(", {undecided} undecided without a running server or client")
    } else {
        String::new()
    };
    let total = outcomes.len();
    say(
        out,
        &format!(
            "mutants: {total} changes: {caught} caught, {survived} survived with an effect on the wire, \
             {off_wire} survived without one, {equivalent} equivalent{rest}"
        ),
    )?;
    Ok(survived == 0)
}
