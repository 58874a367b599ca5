//! Stores that are damaged, incomplete, full or read-only: the server refuses to start and says why, or it serves what was
//! acknowledged. It never begins an empty store without a word.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use rustix::process::Signal;
use serde_json::json;
use session_test_support::launcher::{STORE_FILE, WITHOUT_LIFETIMES};

use crate::report::{Failed, Kind, Outcome};
use crate::server::{Running, Target};
use crate::service::{Counts, Service};

/// The sessions of the database file, and as many of its write-ahead log.
const SESSIONS: usize = 40;

/// The size of the disk that gets full.
const DISK: &str = "size=16m,mode=0700";

/// How long a server may take to notice that its disk is full, or has room again.
const RECOVERS_WITHIN: Duration = Duration::from_secs(20);

/// What the log says of a new store.
const ANNOUNCEMENT: &str = "created a store";

/// What a server may do with a damaged store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// Refuse to start, with the reason, or serve every acknowledged session.
    RefusedOrWhole,
    /// Serve every acknowledged session.
    Whole,
    /// Refuse to start, or begin a new store and say so in the log.
    RefusedOrAnnounced,
}

/// A kind of damage.
struct Damage {
    name: &'static str,
    make: fn(&Path) -> std::io::Result<()>,
    expected: Expected,
}

const DAMAGES: [Damage; 14] = [
    Damage { name: "database missing", make: |at| remove(at, ""), expected: Expected::RefusedOrWhole },
    Damage { name: "database empty", make: |at| cut(at, "", 0), expected: Expected::RefusedOrWhole },
    Damage { name: "database cut in half", make: |at| cut(at, "", 50), expected: Expected::RefusedOrWhole },
    Damage { name: "database zeroed", make: |at| zero(at, "", 0, 100), expected: Expected::RefusedOrWhole },
    Damage { name: "header zeroed", make: |at| zero(at, "", 0, 2), expected: Expected::RefusedOrWhole },
    Damage { name: "pages zeroed", make: |at| zero(at, "", 20, 60), expected: Expected::RefusedOrWhole },
    Damage { name: "log missing", make: |at| remove(at, "-wal"), expected: Expected::RefusedOrWhole },
    Damage { name: "log empty", make: |at| cut(at, "-wal", 0), expected: Expected::RefusedOrWhole },
    Damage { name: "log zeroed", make: |at| zero(at, "-wal", 0, 100), expected: Expected::RefusedOrWhole },
    Damage {
        name: "log header zeroed",
        make: |at| zero(at, "-wal", 0, 1),
        expected: Expected::RefusedOrWhole,
    },
    Damage { name: "shared memory missing", make: |at| remove(at, "-shm"), expected: Expected::Whole },
    Damage {
        name: "lock missing",
        make: |at| fs::remove_file(at.with_file_name("sessiond.lock")),
        expected: Expected::Whole,
    },
    Damage {
        name: "database and log missing",
        make: |at| remove(at, "").and_then(|()| remove(at, "-wal")).and_then(|()| remove(at, "-shm")),
        expected: Expected::RefusedOrAnnounced,
    },
    Damage {
        name: "everything missing",
        make: |at| {
            let folder = at.parent().unwrap_or(at);
            fs::remove_dir_all(folder)?;
            fs::create_dir(folder)?;
            fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))
        },
        expected: Expected::RefusedOrAnnounced,
    },
];

/// The file of a store with this suffix.
fn file(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn remove(database: &Path, suffix: &str) -> std::io::Result<()> {
    match fs::remove_file(file(database, suffix)) {
        // A copy has no shared memory.
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Cuts a file to this percentage.
fn cut(database: &Path, suffix: &str, percent: u64) -> std::io::Result<()> {
    let file = OpenOptions::new().write(true).open(file(database, suffix))?;
    file.set_len(file.metadata()?.len() * percent / 100)
}

/// Overwrites a part of a file with zeros, from one percentage to another.
fn zero(database: &Path, suffix: &str, from: u64, to: u64) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(file(database, suffix))?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length * from / 100))?;
    std::io::copy(&mut std::io::repeat(0).take(length * (to - from) / 100), &mut file)?;
    Ok(())
}

/// Copies the regular files of a folder.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Damages copies of a store, one at a time, and returns what was found.
pub(crate) async fn run(target: &Target) -> Result<Outcome, Failed> {
    let counts: Arc<Counts> = Arc::default();
    let mut outcome = Outcome::default();
    let prepared = tempfile::tempdir()?;
    let tokens = prepare(target, prepared.path(), &counts).await?;
    let mut refused = 0;
    for Damage { name, make, expected } in &DAMAGES {
        let place = tempfile::tempdir()?;
        let folder = place.path().join("data");
        fs::create_dir(&folder)?;
        fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        copy(prepared.path(), &folder)?;
        make(&folder.join(STORE_FILE))?;
        match target.try_start(target.program(), &folder, WITHOUT_LIFETIMES, &[]).await? {
            Err(error) if *expected == Expected::Whole => {
                outcome.add(Kind::Lost, format!("{name}: it does not start: {error}"));
            }
            Err(error) => {
                refused += 1;
                if !error.0.contains(&*folder.to_string_lossy()) {
                    outcome.add(Kind::Other, format!("{name}: the message names no file: {error}"));
                }
            }
            Ok(running) if *expected == Expected::RefusedOrAnnounced => {
                let announced = tokio::task::block_in_place(|| {
                    running.server.wait_for(|server| server.log().contains(ANNOUNCEMENT).then_some(()))
                });
                if announced.is_none() {
                    outcome.add(Kind::Other, format!("{name}: a new store, and the log does not say so"));
                }
            }
            Ok(running) => {
                let missing = missing(&running, &tokens, &counts).await?;
                if missing > 0 {
                    let all = tokens.len();
                    outcome.add(Kind::Lost, format!("{name}: it starts without {missing} of {all} sessions"));
                }
            }
        }
    }
    let full = full(target, &counts, &mut outcome).await?;
    let read_only = read_only(target, prepared.path(), &tokens, &counts, &mut outcome).await?;
    outcome.count_requests(&counts);
    // The damages, a full disk and a read-only one.
    outcome.faults = DAMAGES.len() as u64 + 2;
    outcome.summary = format!(
        "{} kinds of damage, {refused} refused at start, {} served; full disk: {full}; read-only: {read_only}",
        DAMAGES.len(),
        DAMAGES.len() - refused
    );
    Ok(outcome)
}

/// Fills a store whose database file and write-ahead log both have sessions; returns their tokens.
async fn prepare(target: &Target, folder: &Path, counts: &Arc<Counts>) -> Result<Vec<String>, Failed> {
    let running = target.start(folder).await?;
    let key = running.key()?.1;
    let mut tokens = create(&running, &key, counts, SESSIONS).await?.0;
    stop(running).await?;
    let mut running = target.start(folder).await?;
    tokens.extend(create(&running, &key, counts, SESSIONS).await?.0);
    running.server.kill();
    Ok(tokens)
}

/// Stops a server as an operator does, so that its write-ahead log is written to the database.
async fn stop(mut running: Running) -> Result<(), Failed> {
    running.server.signal(Signal::TERM)?;
    tokio::task::spawn_blocking(move || running.server.wait()).await?;
    Ok(())
}

/// Creates sessions until one is not created. Returns the tokens of those that were, and the last status.
async fn create(
    running: &Running,
    key: &str,
    counts: &Arc<Counts>,
    count: usize,
) -> Result<(Vec<String>, Option<u16>), Failed> {
    let service = Service::new(running.address, counts)?;
    let (mut tokens, mut status) = (Vec::new(), None);
    let body = json!({ "session_type": "api", "interaction": { "user_agent": "x".repeat(1_000) } });
    for _ in 0..count {
        let exchange = service.send(Method::POST, "/api/v1/session", key, Some(body.clone())).await;
        status = exchange.response.as_ref().map(|response| response.status);
        let Some(response) = exchange.response.filter(|response| response.status == 201) else { break };
        tokens.extend(response.body["authtoken"].as_str().map(str::to_owned));
    }
    Ok((tokens, status))
}

/// The number of these tokens whose sessions a server does not serve.
async fn missing(running: &Running, tokens: &[String], counts: &Arc<Counts>) -> Result<usize, Failed> {
    let service = Service::new(running.address, counts)?;
    let mut missing = 0;
    for token in tokens {
        let response = service.send(Method::GET, "/api/v1/whoami", token, None).await.response;
        missing += usize::from(response.is_none_or(|response| response.status != 200));
    }
    Ok(missing)
}

/// Whether the internal listener reports that the server is ready.
async fn is_ready(running: &Running) -> Result<bool, Failed> {
    let address =
        running.server.internal_address().ok_or_else(|| Failed("no internal address".to_owned()))?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    Ok(client.get(format!("http://{address}/ready")).send().await?.status() == 200)
}

/// A small disk in memory, until it is dropped.
pub(crate) struct Disk(tempfile::TempDir);

impl Disk {
    /// Mounts one with these options of `tmpfs`; `None` if this process may not.
    pub(crate) fn mount(options: &str) -> Result<Option<Self>, Failed> {
        let disk = Self(tempfile::tempdir()?);
        Ok(disk.command("mount", &["-t", "tmpfs", "-o", options, "tmpfs"]).then_some(disk))
    }

    /// Its folder.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs a command on it and returns whether it succeeded.
    fn command(&self, program: &str, arguments: &[&str]) -> bool {
        let mut command = Command::new(program);
        command.args(arguments).arg(self.0.path());
        command.output().is_ok_and(|output| output.status.success())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a server that was killed may still be there for a moment.
        self.command("umount", &["--lazy"]);
    }
}

/// Lets a disk get full. Returns what was done.
async fn full(target: &Target, counts: &Arc<Counts>, outcome: &mut Outcome) -> Result<&'static str, Failed> {
    let Some(disk) = Disk::mount(DISK)? else { return Ok("SKIPPED, no disk can be mounted") };
    let folder = disk.0.path();
    let running = target.start(folder).await?;
    let key = running.key()?.1;
    let mut tokens = create(&running, &key, counts, SESSIONS).await?.0;

    let filler = folder.join("filler");
    // It ends with the error that is wanted.
    let _ = std::io::copy(&mut std::io::repeat(0), &mut File::create(&filler)?);
    let (more, status) = create(&running, &key, counts, 10_000).await?;
    tokens.extend(more);
    if status != Some(503) {
        outcome.add(Kind::Other, format!("with a full disk, a creation returned {status:?} instead of 503"));
    }
    let lost = missing(&running, &tokens, counts).await?;
    if lost > 0 {
        outcome.add(Kind::Lost, format!("with a full disk, {lost} sessions cannot be read"));
    }
    // It may be checked at intervals.
    let began = Instant::now();
    while is_ready(&running).await? {
        if began.elapsed() > RECOVERS_WITHIN {
            outcome.add(Kind::Other, "with a full disk, /ready returned 200");
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    fs::remove_file(&filler)?;
    let began = Instant::now();
    loop {
        let (more, status) = create(&running, &key, counts, 1).await?;
        tokens.extend(more);
        if status == Some(201) && is_ready(&running).await? {
            break;
        }
        if began.elapsed() > RECOVERS_WITHIN {
            outcome.add(
                Kind::Other,
                format!("with room again, a creation returned {status:?}, or /ready not 200"),
            );
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    drop(running);
    let running = target.start(folder).await?;
    let lost = missing(&running, &tokens, counts).await?;
    if lost > 0 {
        outcome.add(Kind::Lost, format!("after a full disk and a kill, {lost} sessions are missing"));
    }
    Ok("503, then served again")
}

/// Starts a server on a store that cannot be written. Returns what it did.
async fn read_only(
    target: &Target,
    prepared: &Path,
    tokens: &[String],
    counts: &Arc<Counts>,
    outcome: &mut Outcome,
) -> Result<&'static str, Failed> {
    let Some(disk) = Disk::mount(DISK)? else { return Ok("SKIPPED, no disk can be mounted") };
    copy(prepared, disk.0.path())?;
    if !disk.command("mount", &["-o", "remount,ro"]) {
        return Ok("SKIPPED, no disk can be mounted read-only");
    }
    // The launcher writes the settings beside the store, so the store is elsewhere.
    let settings = tempfile::tempdir()?;
    let store = format!("sqlite:{}", disk.0.path().join(STORE_FILE).display());
    let flags = ["--store", store.as_str()];
    match target.try_start(target.program(), settings.path(), WITHOUT_LIFETIMES, &flags).await? {
        Err(error) => {
            if !error.0.contains(&*disk.0.path().to_string_lossy()) {
                outcome.add(Kind::Other, format!("read-only: the message names no file: {error}"));
            }
            Ok("refused at start")
        }
        Ok(running) => {
            let lost = missing(&running, tokens, counts).await?;
            if lost > 0 {
                outcome.add(Kind::Lost, format!("read-only: {lost} sessions cannot be read"));
            }
            Ok("served")
        }
    }
}
