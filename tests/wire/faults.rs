//! Verifies that the suite finds what it is for: seeds faults, one in each run, and reports whether there is a finding.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use session_test_support::Contract;
use session_test_support::fault_proxy::FaultProxy;
use session_test_support::faults::{self, Fault, Keyring};
use session_test_support::launcher::{key_create, on_postgres, store_url};

use crate::report::{Failed, Finding};
use crate::run::{ask, prepare, read, runtime};
use crate::server::Program;
use crate::suite::Suite;
use crate::world::World;

/// How many runs there are at once: each waits for a second or two for servers that wait.
const AT_ONCE: usize = 3;

/// What became of a fault.
enum Outcome {
    /// The suite found something.
    Caught(Finding),
    /// The suite found nothing.
    Survived,
    /// The fault changed no request, response or setting, so that the run says nothing about it.
    NeverExercised,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caught(Finding { rule, pointer, .. }) => write!(f, "caught by {rule} at {pointer}"),
            Self::Survived => write!(f, "SURVIVED"),
            Self::NeverExercised => write!(f, "NEVER EXERCISED"),
        }
    }
}

/// What every run starts from.
struct Base<'a> {
    contract: Arc<Contract>,
    sessiond: &'a Path,
    /// The folder of the store that each server gets a copy of.
    store: &'a Path,
    /// What is in the store.
    world: Mutex<World>,
    keyring: Keyring,
}

impl Base<'_> {
    /// Runs the suite until its first finding.
    fn run(&self, fault: Fault) -> Result<Outcome, Failed> {
        let proxy = FaultProxy::new(fault, self.keyring.clone());
        let program = Program { path: self.sessiond.to_owned(), proxy: Some(proxy.clone()) };
        let world = self.world.lock().map_err(|_| Failed("another run panicked".to_owned()))?.clone();
        let suite = Suite::new(Arc::clone(&self.contract))?;
        runtime()?.block_on(async {
            tokio::select! {
                asked = ask(&suite, &world, &program, self.store) => asked,
                () = suite.found.notified() => Ok(()),
            }
        })?;
        let finding = most_direct(suite.report.into_inner().findings);
        Ok(match finding {
            // Of a fault that changed nothing, nothing can be found.
            _ if !proxy.exercised() && fault.name != Fault::CONTROL.name => Outcome::NeverExercised,
            Some(finding) => Outcome::Caught(finding),
            None => Outcome::Survived,
        })
    }
}

/// The finding that says most of a fault: a wrong response comes before a missing one.
fn most_direct(findings: BTreeSet<Finding>) -> Option<Finding> {
    let absent = |finding: &Finding| finding.rule.ends_with("-seen") || finding.rule.ends_with("-provoked");
    findings.into_iter().min_by_key(absent)
}

/// The keys of the prepared store, and those that faults may substitute for them, which are added to it.
fn keyring(program: &Program, store: &Path, world: &World) -> Result<Keyring, Failed> {
    let command =
        |arguments: &[&str]| program.launcher().command(arguments).env("SESSIOND_STORE", &store_url(store));
    let list = || command(&["key", "list", "--output", "json"]).output();
    let unreadable = |error| Failed(format!("`sessiond key list` printed no list of keys: {error}"));
    let known = Keyring::new(&list()?, world.keys()).map_err(unreadable)?;
    let mut added = Vec::new();
    for flags in known.missing() {
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        added.push(command(&key_create(&flags, &[])).created_key()?.1);
    }
    let keys = world.keys().chain(added.iter().map(String::as_str));
    Keyring::new(&list()?, keys).map_err(unreadable)
}

/// The faults of these names, or every fault.
fn chosen(names: &[String]) -> Result<Vec<Fault>, Failed> {
    if names.is_empty() {
        return Ok(faults::all().copied().collect());
    }
    let find = |name: &String| {
        let fault = faults::all().find(|fault| fault.name == name).copied();
        fault.ok_or_else(|| Failed(format!("{name} is none of the faults in tests/support/faults")))
    };
    names.iter().map(find).collect()
}

/// Runs the suite for each of these faults, or for every fault; returns whether each was caught.
///
/// Fails if the suite finds something without a fault.
pub(crate) fn seed(
    spec: &Path,
    sessiond: &Path,
    names: &[String],
    out: &mut dyn Write,
) -> Result<bool, Failed> {
    let chosen = chosen(names)?;
    let plain = Program { path: sessiond.to_owned(), proxy: None };
    let (store, world) = prepare(&plain)?;
    let keyring = keyring(&plain, store.path(), &world)?;
    let base =
        Base { contract: read(spec)?, sessiond, store: store.path(), world: Mutex::new(world), keyring };
    if let Outcome::Caught(Finding { rule, pointer, message }) = base.run(Fault::CONTROL)? {
        return Err(Failed(format!("there is a finding without a fault: {rule} at {pointer}: {message}")));
    }
    let waiting = Mutex::new(chosen);
    let done: Mutex<BTreeMap<&'static str, Result<Outcome, Failed>>> = Mutex::default();
    let work = || {
        while let Some(fault) = waiting.lock().ok().and_then(|mut waiting| waiting.pop()) {
            let outcome = base.run(fault);
            if let Ok(mut done) = done.lock() {
                done.insert(fault.name, outcome);
            }
        }
    };
    // The processes of PostgreSQL need the processor that a second run would have.
    let at_once = if on_postgres() { 1 } else { AT_ONCE };
    thread::scope(|scope| (0..at_once).for_each(|_| drop(scope.spawn(work))));
    let done = done.into_inner().unwrap_or_default();
    let (mut caught, all) = (0, done.len());
    let mut write = |line: String| writeln!(out, "{line}").map_err(|error| Failed(error.to_string()));
    for (name, outcome) in done {
        let outcome = outcome?;
        caught += usize::from(matches!(outcome, Outcome::Caught(_)));
        write(format!("fault {name}: {outcome}"))?;
        if let (false, Some(fault)) =
            (matches!(outcome, Outcome::Caught(_)), faults::all().find(|one| one.name == name))
        {
            write(format!("  {}", fault.meaning))?;
        }
    }
    write(format!("{caught} of {all} faults caught"))?;
    Ok(caught == all)
}
