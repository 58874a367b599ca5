//! `cargo xtask bench --instructions`: how many instructions `sessiond` executes for a request, counted by valgrind. Unlike
//! a time, that is the same on a busy machine, so `cargo xtask test` checks it.
//!
//! A count is the difference of two runs of the same server on copies of the same store, one with more requests than the
//! other after the same warm-up. So what a process does once, and while it idles, is not in it. Instructions of the kernel
//! are not counted.

use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use rustix::process::Signal;
use session_test_support::launcher::Program;
use session_test_support::seed::DOMAIN_ID;
use tempfile::TempDir;

use super::figures::{Figures, Outcome};
use super::load::on_connections;
use super::operation::{Operation, SCOPES, Sessions, create_sessions};
use crate::process::{Failed, key, launch, output, release, root, say, target};

/// The file of the stored counts, in the root folder.
const FILE: &str = "bench/instructions.json";

/// The command that writes it.
const COMMAND: &str = "cargo xtask bench --instructions --write";

/// The operations, and how many requests the difference is about: fewer for those that take more instructions. The longest
/// runs are first.
const MEASURED: [(Operation, usize); 6] = [
    (Operation::Create, 500),
    (Operation::Revoke, 500),
    (Operation::ListOfTen, 250),
    (Operation::FetchMiss, 2_000),
    (Operation::FetchOwnToken, 2_000),
    (Operation::FetchHit, 2_000),
];

/// Requests before those of the shorter run: what is read, prepared or allocated once is there then.
const WARM_UP: usize = 300;

/// Settings of the server: nothing is swept meanwhile.
const SETTINGS: &str = "[sweep]\ninterval = '1h'\n";

/// The flags of the server: the log as most deployments have it.
const FLAGS: [&str; 2] = ["--log-level", "info"];

/// The script in the folder of a measurement that runs the server under valgrind.
const SCRIPT: &str = "counted";

/// The variables by which the script knows its processor, and valgrind where to write its counts.
const PROCESSOR_VARIABLE: &str = "XTASK_PROCESSOR";
const COUNTS_VARIABLE: &str = "XTASK_COUNTS";

/// Counts, of a release that is built or of the `sessiond` in a folder, and compares with the stored counts; with `write`,
/// stores them instead. Returns whether the counts are as stored.
pub(crate) fn run(programs: Option<&Path>, write: bool, out: &mut dyn Write) -> Result<bool, Failed> {
    let began = Instant::now();
    let measured = measure(programs)?;
    for (operation, count) in &measured.instructions_per_request {
        say(out, &format!("{operation:<16} {count:>9} instructions per request"))?;
    }
    say(out, &format!("counted in {} s, with valgrind {}", began.elapsed().as_secs(), measured.valgrind))?;
    let file = root().join(FILE);
    let failed = |error: &dyn std::fmt::Display| Failed(format!("{FILE}: {error}"));
    if write {
        let text = serde_json::to_string_pretty(&measured).map_err(|error| failed(&error))?;
        let written =
            std::fs::create_dir_all(root().join("bench")).and_then(|()| std::fs::write(file, text + "\n"));
        return written.map(|()| true).map_err(|error| failed(&error));
    }
    let stored = std::fs::read_to_string(file).map_err(|error| failed(&error))?;
    let stored: Figures = serde_json::from_str(&stored).map_err(|error| failed(&error))?;
    match stored.compare(&measured) {
        Outcome::Same => say(out, "instructions: as stored").map(|()| true),
        Outcome::Incomparable(why) => say(out, &format!("instructions: {why}")).map(|()| true),
        Outcome::Differ(lines) => {
            for line in lines {
                say(out, &format!("instructions: {line}"))?;
            }
            say(out, &format!("instructions: if that is meant, run `{COMMAND}` and commit {FILE}"))?;
            Ok(false)
        }
    }
}

/// Counts the instructions of every operation.
fn measure(programs: Option<&Path>) -> Result<Figures, Failed> {
    let valgrind = output(Command::new("valgrind").arg("--version")).map_err(|_| {
        Failed("valgrind is missing; install it, on Debian with `apt-get install valgrind`".to_owned())
    })?;
    let rustc = output(Command::new("rustc").arg("--version"))?;
    let target = target()?;
    let sessiond = if let Some(programs) = programs {
        programs.join("sessiond")
    } else {
        release(&["--bin=sessiond"])?.join("sessiond")
    };
    let folder = tempfile::tempdir_in(&target)
        .map_err(|error| Failed(format!("a folder for the stores cannot be created: {error}")))?;
    let counter = Counter::prepare(&sessiond, folder)?;
    Ok(Figures {
        written_by: COMMAND.to_owned(),
        processor: processor(),
        rustc: rustc.trim().trim_start_matches("rustc ").to_owned(),
        valgrind: valgrind.trim().trim_start_matches("valgrind-").to_owned(),
        instructions_per_request: counter.all()?,
    })
}

/// What all runs start from.
struct Counter {
    /// Contains the store that each run copies, the script, and a folder for each run.
    folder: TempDir,
    sessions: Sessions,
}

impl Counter {
    /// Makes a store with the sessions that the operations need, and a script that runs the server under valgrind.
    fn prepare(sessiond: &Path, folder: TempDir) -> Result<Self, Failed> {
        let failed = |error: std::io::Error| Failed(format!("a run cannot be prepared: {error}"));
        let store = folder.path().join("store");
        std::fs::create_dir(&store).map_err(failed)?;
        let mut server = Program::at(sessiond).serve(&store, SETTINGS, &FLAGS).map_err(launch)?;
        let key = key(&server, &["--domain", DOMAIN_ID], &SCOPES)?;
        let count = MEASURED.map(|(operation, requests)| operation.sessions(WARM_UP + 2 * requests));
        let count = count.into_iter().max().unwrap_or_default();
        let sessions = create_sessions(&server.address.to_string(), &key, count)?;
        server.signal(Signal::TERM).map_err(failed)?;
        server.wait();
        // On one processor the server has one thread for requests and one connection that reads, on every machine.
        let script = format!(
            "#!/bin/sh\nexec taskset --cpu-list \"${PROCESSOR_VARIABLE}\" valgrind --quiet --tool=callgrind \
             --callgrind-out-file=%q{{{COUNTS_VARIABLE}}} '{}' \"$@\"\n",
            sessiond.display()
        );
        // Before the runs start: a program that is open for writing cannot be executed.
        let path = folder.path().join(SCRIPT);
        std::fs::write(&path, script).map_err(failed)?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o700)).map_err(failed)?;
        Ok(Self { folder, sessions })
    }

    /// Counts for every operation, with one run at a time on each processor.
    fn all(&self) -> Result<BTreeMap<String, u64>, Failed> {
        let runs = MEASURED.map(|(operation, requests)| [(operation, 2 * requests), (operation, requests)]);
        let queue = Mutex::new(runs.as_flattened().iter());
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next().copied();
        let work = |processor| {
            let mut counts = Vec::new();
            while let Some((operation, requests)) = next() {
                counts.push((operation, requests, self.count(operation, requests, processor)?));
            }
            Ok::<_, Failed>(counts)
        };
        let counts = thread::scope(|scope| {
            let work = &work;
            let start = |processor| scope.spawn(move || work(processor));
            let threads: Vec<_> = processors()?.into_iter().map(start).collect();
            let mut counts = Vec::new();
            for thread in threads {
                counts
                    .extend(thread.join().map_err(|_| Failed("a thread of the runs panicked".to_owned()))??);
            }
            Ok::<_, Failed>(counts)
        })?;
        let of = |operation: Operation, requests: usize| {
            let found = counts.iter().find(|(of, with, _)| (*of, *with) == (operation, requests));
            found.map_or(0, |(_, _, count)| *count)
        };
        let per_request = |(operation, requests): (Operation, usize)| {
            let more = of(operation, 2 * requests).saturating_sub(of(operation, requests));
            (operation.name().to_owned(), more / requests as u64)
        };
        Ok(MEASURED.into_iter().map(per_request).collect())
    }

    /// Runs the server under valgrind on a copy of the store, with this many requests after the warm-up. Returns how many
    /// instructions it executed in all.
    fn count(&self, operation: Operation, requests: usize, processor: u32) -> Result<u64, Failed> {
        let failed = |error: std::io::Error| Failed(format!("{}: {error}", operation.name()));
        let folder = self.folder.path().join(format!("{}-{requests}", operation.name()));
        std::fs::create_dir(&folder).map_err(failed)?;
        for entry in std::fs::read_dir(self.folder.path().join("store")).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_type().map_err(failed)?.is_file() {
                std::fs::copy(entry.path(), folder.join(entry.file_name())).map_err(failed)?;
            }
        }
        let counts = folder.join("counts");
        let log = folder.join("log");
        let mut server = Program::at(&self.folder.path().join(SCRIPT))
            .env(PROCESSOR_VARIABLE, &processor.to_string())
            .env(COUNTS_VARIABLE, &counts.to_string_lossy())
            .log_to(File::create(&log).map_err(failed)?)
            .serve(&folder, SETTINGS, &FLAGS)
            .map_err(|error| {
                let log = std::fs::read_to_string(&log).unwrap_or_default();
                Failed(format!("{}: {} {}", operation.name(), error.0, log.trim()))
            })?;
        on_connections(&server.address.to_string(), 1, |connection, _| {
            for number in 0..WARM_UP + requests {
                connection.send(&operation.request(number, &self.sessions), operation.status())?;
            }
            Ok(Vec::<()>::new())
        })?;
        server.signal(Signal::TERM).map_err(failed)?;
        server.wait();
        let text = std::fs::read_to_string(counts).map_err(failed)?;
        total(&text)
            .ok_or_else(|| Failed(format!("{}: valgrind wrote no count; is it killed?", operation.name())))
    }
}

/// The count in the file that callgrind writes at the end.
fn total(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok())
}

/// The numbers of the processors that this process may use.
fn processors() -> Result<Vec<u32>, Failed> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.and_then(|list| processors_in(list.trim()))
        .ok_or_else(|| Failed("the system does not report the allowed processors; count on Linux".to_owned()))
}

/// The numbers in a list such as `0-2,5`.
fn processors_in(list: &str) -> Option<Vec<u32>> {
    let mut numbers = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        numbers.extend(first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?);
    }
    Some(numbers)
}

/// The kind of processor that valgrind simulates here.
fn processor() -> String {
    let avx2 = std::fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| {
        text.lines()
            .any(|line| line.starts_with("flags") && line.split_whitespace().any(|flag| flag == "avx2"))
    });
    std::env::consts::ARCH.to_owned() + if avx2 { " with AVX2" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_the_total_of_the_file() {
        assert_eq!(total("version: 1\nevents: Ir\nfn=(1)\n0 17\n\ntotals: 351444402\n"), Some(351_444_402));
        assert_eq!(total("version: 1\nevents: Ir\n"), None);
    }

    #[test]
    fn a_list_of_processors_has_numbers_and_ranges() {
        assert_eq!(processors_in("0-2,5"), Some(vec![0, 1, 2, 5]));
        assert_eq!(processors_in("3"), Some(vec![3]));
        assert_eq!(processors_in(""), None);
    }
}
