//! The servers that `cargo xtask bench` compares, with the loads on them.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use session_test_support::launcher::{Program, Server, sqlite_url, store_set};
use session_test_support::postgres::Cluster;
use session_test_support::seed::DOMAIN_ID;

use super::cores::{Cores, Memory, cpu_us};
use super::scenario::{CONNECTIONS, Load, Requests, Scenario};
use crate::process::{Failed, key, launch, output};

/// The sessions that a load of hits fetches, from all parts of the store.
const HOT: usize = 2_000;

/// What a session takes in the cache with its response, in bytes: so the cache of one scenario holds a tenth of them.
const CACHED_BYTES: usize = 1_300;

/// The connections of one scenario: as many as a proxy in front of a busy service keeps open.
const MANY_CONNECTIONS: usize = 4_096;

/// Last interactions are written every 5 s. So rounds with a session's own token are twice as long as others at least, and
/// what is left to write at their end is waited for and counted.
const LAST_SEEN: (u32, Duration) = (2, Duration::from_secs(6));

/// What all servers need.
pub(crate) struct Place<'a> {
    /// The folder of the programs.
    pub(crate) programs: &'a Path,
    /// For stores, logs and requests.
    pub(crate) folder: &'a Path,
    pub(crate) cores: Cores,
    pub(crate) sessions: usize,
    /// How long it takes to fill the default cache, in seconds.
    pub(crate) fill_seconds: u32,
    /// The file of `pick.lua`.
    pub(crate) script: &'a Path,
}

/// Running servers, and the scenarios on them. Dropped in this order, they end.
#[derive(Default)]
pub(crate) struct Servers {
    pub(crate) scenarios: Vec<Scenario>,
    /// Emptied after each round: they grow by some ten megabytes each second.
    pub(crate) logs: Vec<File>,
    /// That of sessiond on the embedded store with the default cache.
    pub(crate) default_pid: Option<u32>,
    pub(crate) memory: Option<Memory>,
    sessionds: Vec<Server>,
    processes: Vec<Process>,
    clusters: Vec<Cluster>,
}

/// A server that is not sessiond. Dropped, it ends.
pub(crate) struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Starts a server on the server's core, and waits until it prints a line `listening on http://ADDRESS`. Returns
    /// the address, and the lines before.
    pub(crate) fn listening(
        command: &mut Command,
        cores: &Cores,
    ) -> Result<(Self, String, Vec<String>), Failed> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = Self::start(command, cores)?;
        let mut before = Vec::new();
        let stdout = process.0.stdout.take();
        for line in stdout.into_iter().flat_map(|stdout| BufReader::new(stdout).lines().map_while(Result::ok))
        {
            if let Some(address) = line.strip_prefix("listening on http://") {
                return Ok((process, address.to_owned(), before));
            }
            before.push(line);
        }
        Err(Failed(format!("{command:?} did not start")))
    }

    /// Starts a server on the server's core.
    pub(crate) fn start(command: &mut Command, cores: &Cores) -> Result<Self, Failed> {
        let child = cores.on(cores.server, || {
            command.spawn().map_err(|error| Failed(format!("{command:?} cannot be started: {error}")))
        })?;
        Ok(Self(child))
    }
}

/// The ID and the token of each session of a store.
struct Tokens(Vec<(String, String)>);

impl Tokens {
    fn read(file: &Path) -> Result<Self, Failed> {
        let text = std::fs::read_to_string(file).map_err(|error| Failed(format!("the tokens: {error}")))?;
        let line = |line: &str| {
            let (id, token) = line.split_once(' ')?;
            Some((format!("/api/v1/session/{id}"), format!("authorization: Bearer {token}")))
        };
        let all: Option<Vec<_>> = text.lines().map(line).collect();
        all.map(Self).ok_or_else(|| Failed("a line of the tokens is not `ID TOKEN`".to_owned()))
    }

    /// Requests for all sessions or for hot ones, with their own tokens or with this key.
    fn requests(&self, file: PathBuf, hot: bool, key: Option<&str>) -> Result<Requests, Failed> {
        let step = if hot { self.0.len().div_ceil(HOT).max(1) } else { 1 };
        let header = key.map(|key| format!("authorization: Bearer {key}"));
        let all = self.0.iter().step_by(step);
        Requests::write(file, all.map(|(path, own)| (path.as_str(), header.as_deref().unwrap_or(own))))
    }
}

/// A load of wrk with the usual number of connections.
fn wrk(address: &str, requests: Requests) -> Load {
    Load::Wrk { address: address.to_owned(), requests, connections: CONNECTIONS, rounds_of: 1 }
}

impl Servers {
    /// Servers that respond to every request with the same session.
    pub(crate) fn start_baselines(&mut self, place: &Place) -> Result<(), Failed> {
        let path = "/api/v1/session/013xrzp12g3nqk8nkv4y96wrbzje9dsr";
        let header = format!("authorization: Bearer {}", "x".repeat(95));
        let one = std::iter::once((path, header.as_str()));
        let requests = Requests::write(place.folder.join("constant"), one)?;
        for (name, what) in [
            ("hyper", "raw hyper, constant bytes"),
            ("axum", "axum, a constant serialised as JSON"),
            ("dropshot", "dropshot, constant bytes, log discarded"),
        ] {
            let mut command = Command::new(place.programs.join("baseline"));
            let (process, address, _) =
                Process::listening(command.args([name, "--port", "0"]), &place.cores)?;
            self.add(name, what, wrk(&address, requests.clone()), vec![process.pid()]);
            self.processes.push(process);
        }
        Ok(())
    }

    pub(crate) fn add(&mut self, name: &'static str, what: &str, load: Load, pids: Vec<u32>) {
        let settle = Duration::ZERO;
        self.scenarios.push(Scenario { name, what: what.to_owned(), load, pids, settle });
    }

    pub(crate) fn hold(&mut self, process: Process) {
        self.processes.push(process);
    }

    /// As [`Servers::add`], for a session's own token.
    fn add_own(&mut self, name: &'static str, what: &str, address: &str, requests: Requests, pid: u32) {
        let (rounds_of, settle) = LAST_SEEN;
        let load = Load::Wrk { address: address.to_owned(), requests, connections: CONNECTIONS, rounds_of };
        self.scenarios.push(Scenario { name, what: what.to_owned(), load, pids: vec![pid], settle });
    }

    /// Starts sessiond on the store of a folder, with its log at level `info` in a file.
    fn sessiond(
        &mut self,
        place: &Place,
        folder: &Path,
        settings: &str,
    ) -> Result<(String, String, u32), Failed> {
        // Appends, so that a file that was emptied grows from its beginning.
        let log = File::options().create(true).append(true).open(folder.join("log"));
        let log = log.and_then(|log| Ok((log.try_clone()?, log)));
        let (copy, log) = log.map_err(|error| Failed(format!("the log: {error}")))?;
        let program = Program::at(&place.programs.join("sessiond")).log_to(copy);
        let flags = ["--log-level", "info"];
        let server =
            place.cores.on(place.cores.server, || program.serve(folder, settings, &flags).map_err(launch));
        let server = server.map_err(|Failed(error)| {
            Failed(format!(
                "{error} {}",
                std::fs::read_to_string(folder.join("log")).unwrap_or_default().trim()
            ))
        })?;
        let key = key(&server, &["--domain", DOMAIN_ID], &["session:read"])?;
        let (address, pid) = (server.address.to_string(), server.pid());
        self.sessionds.push(server);
        self.logs.push(log);
        Ok((address, key, pid))
    }

    /// sessiond on the embedded store, with the default cache.
    pub(crate) fn start_embedded(&mut self, place: &Place) -> Result<(), Failed> {
        let (folder, tokens) = embedded_store(place)?;
        let (address, key, pid) = self.sessiond(place, &folder, "")?;
        self.default_pid = Some(pid);
        let own = tokens.requests(folder.join("own"), false, None)?;
        // Until the cache is full, and last interactions are written as in operation.
        wrk(&address, own).run(place.script, &place.cores, place.fill_seconds)?;
        thread::sleep(LAST_SEEN.1);
        self.memory = Some(Memory::of(pid)?);

        let hot = tokens.requests(folder.join("key-hot"), true, Some(&key))?;
        self.add("key-hot", "sessiond, API key, 2,000 hot sessions", wrk(&address, hot.clone()), vec![pid]);
        let own_hot = tokens.requests(folder.join("own-hot"), true, None)?;
        self.add_own("token-hot", "sessiond, own token, 2,000 hot sessions", &address, own_hot, pid);
        let many = Load::Wrk { address, requests: hot, connections: MANY_CONNECTIONS, rounds_of: 1 };
        self.add("connections", "sessiond, API key, hot, 4,096 connections", many, vec![pid]);
        Ok(())
    }

    /// sessiond on the embedded store, with a cache for a tenth of the sessions.
    pub(crate) fn start_embedded_tenth(&mut self, place: &Place) -> Result<(), Failed> {
        let (_, tokens) = embedded_store(place)?;
        let folder = place.folder.join("tenth");
        let mib = (place.sessions / 10 * CACHED_BYTES).div_ceil(1 << 20).max(1);
        let (address, key, pid) =
            self.sessiond(place, &folder, &format!("[read_cache]\nsize_mib = {mib}\n"))?;
        let by_key = tokens.requests(folder.join("key"), false, Some(&key))?;
        self.add(
            "key-uniform",
            "sessiond, API key, all sessions, a tenth cached",
            wrk(&address, by_key),
            vec![pid],
        );
        let own = tokens.requests(folder.join("own"), false, None)?;
        self.add_own(
            "token-uniform",
            "sessiond, own token, all sessions, a tenth cached",
            &address,
            own,
            pid,
        );
        Ok(())
    }

    /// sessiond on PostgreSQL without and with its cache, and bare statements beside it. PostgreSQL may use all cores.
    pub(crate) fn start_postgres(&mut self, place: &Place) -> Result<String, Failed> {
        // As `bench fetch --store postgres`.
        let cluster =
            Cluster::launch(&[("shared_buffers", "2GB"), ("max_wal_size", "8GB")]).map_err(launch)?;
        let database = cluster.create_database();
        let url = cluster.url(&database);
        let folders = ["postgres", "postgres-cache"].map(|name| place.folder.join(name));
        for folder in &folders {
            create_folder(folder)?;
            store_set(folder, &url);
        }
        let file = folders[0].join("tokens");
        prepare(place, &folders[0], &url, &file)?;
        cluster.psql(&database, "VACUUM ANALYZE");
        let tokens = Tokens::read(&file)?;
        let ids = folders[0].join("ids");
        let id = |(path, _): &(String, String)| path.rsplit('/').next().unwrap_or_default().to_owned();
        let all: Vec<String> = tokens.0.iter().map(id).collect();
        std::fs::write(&ids, all.join("\n")).map_err(|error| Failed(format!("the IDs: {error}")))?;

        for (name, mode, what) in [
            (
                "postgres-select",
                "select",
                "SELECT by primary key, two connections that pipeline, all sessions",
            ),
            ("postgres-pool", "pool", "the same with a deadpool of sixteen connections"),
        ] {
            let program = place.programs.join("examples/select_rate");
            let load = Load::Select { program, what: mode, url: url.clone(), ids: ids.clone() };
            self.add(name, what, load, Vec::new());
        }
        let (address, key, pid) = self.sessiond(place, &folders[0], WITHOUT_CACHE)?;
        let by_key = tokens.requests(folders[0].join("key"), false, Some(&key))?;
        let what = "sessiond on PostgreSQL, API key, all sessions, no cache";
        self.add("postgres", what, wrk(&address, by_key), vec![pid]);
        let (address, key, pid) = self.sessiond(place, &folders[1], WITH_CACHE)?;
        let hot = tokens.requests(folders[1].join("key-hot"), true, Some(&key))?;
        let what = "sessiond on PostgreSQL, API key, 2,000 hot sessions, cached";
        self.add("postgres-cache", what, wrk(&address, hot), vec![pid]);
        let version = cluster.psql(&database, "SHOW server_version");
        self.clusters.push(cluster);
        Ok(version)
    }
}

/// The settings of a node on PostgreSQL that reads each session anew, as it does by default.
const WITHOUT_CACHE: &str = "";

/// The settings of one with the bounded cache, as `docs/operating.md` shows them.
const WITH_CACHE: &str = "[read_cache]\nstaleness = '2s'\n";

/// Fills an embedded store, unless it is full. Returns its folder, and its sessions.
fn embedded_store(place: &Place) -> Result<(PathBuf, Tokens), Failed> {
    let folder = place.folder.join("embedded");
    let file = folder.join("tokens");
    if !file.exists() {
        create_folder(&folder)?;
        prepare(place, &folder, &sqlite_url(&folder), &file)?;
        // For the other server, before one runs on this.
        copy_store(&folder, &place.folder.join("tenth"))?;
    }
    Ok((folder, Tokens::read(&file)?))
}

/// Creates a folder that only this user may access, as a data directory must be.
fn create_folder(folder: &Path) -> Result<(), Failed> {
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(folder)
        .map_err(|error| Failed(format!("{} cannot be created: {error}", folder.display())))
}

/// Copies a store that no process uses.
fn copy_store(from: &Path, to: &Path) -> Result<(), Failed> {
    create_folder(to)?;
    let copy = || {
        for name in ["sessions.db", "sessiond.lock"] {
            std::fs::copy(from.join(name), to.join(name))?;
        }
        Ok(())
    };
    copy().map_err(|error: std::io::Error| Failed(format!("the store cannot be copied: {error}")))
}

/// Fills the store at this URL, which belongs to this folder, and writes its tokens to the file. Has a server do what it does
/// once on a store that it does not know: make the tables, and compute the lifetimes of all sessions.
fn prepare(place: &Place, folder: &Path, url: &str, file: &Path) -> Result<(), Failed> {
    /// It computes some ten thousand sessions a second.
    const PATIENCE: Duration = Duration::from_mins(10);
    /// It begins once it has the lease for such work.
    const QUIET_S: u32 = 10;
    let program = Program::at(&place.programs.join("sessiond"));
    let serve = || program.serve(folder, "", &["--log-level", "info"]).map_err(launch);
    let stop = |mut server: Server| {
        server.signal(Signal::TERM).map_err(|error| Failed(format!("sessiond: {error}")))?;
        server.wait();
        Ok::<_, Failed>(())
    };
    stop(serve()?)?;
    let mut fill = Command::new(place.programs.join("fill"));
    output(fill.arg(url).arg(place.sessions.to_string()).arg(file))?;
    let server = serve()?;
    let (began, mut quiet_s) = (Instant::now(), 0);
    while quiet_s < QUIET_S {
        if began.elapsed() > PATIENCE {
            return Err(Failed(format!("sessiond does not become quiet: {}", server.log())));
        }
        let before = cpu_us(&[server.pid()])?;
        thread::sleep(Duration::from_secs(1));
        quiet_s = if cpu_us(&[server.pid()])? - before > 30_000 { 0 } else { quiet_s + 1 };
    }
    stop(server)
}
