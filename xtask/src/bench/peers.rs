//! Other people's ways to store sessions, for `cargo xtask bench --peers`.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::scenario::{CONNECTIONS, Load, Requests};
use super::servers::{Place, Process, Servers};
use crate::install::provide;
use crate::process::{Failed, output, root};

/// The sessions of each, as many as those that are hot in sessiond.
const SESSIONS: usize = 2_000;

/// The size of a value of the bare Redis: that of a response of sessiond.
const VALUE_BYTES: usize = 1_000;

/// What a peer is called, and its version or why it is not measured.
type Started = (&'static str, Result<String, Failed>);

/// Starts all that can be started here.
pub(crate) fn start(servers: &mut Servers, place: &Place, progress: &mut dyn Write) -> Vec<Started> {
    let mut started = vec![("Redis", redis(servers, place, progress))];
    let folder = place.folder.join("peers");
    if let Err(Failed(error)) = install(&folder, progress) {
        started.push(("npm's peers", Err(Failed(error))));
        return started;
    }
    for peer in [
        Peer {
            name: "express",
            package: "express-session",
            what: "express-session with Redis",
            program: "express.mjs",
            path: "/session",
        },
        Peer {
            name: "better-auth",
            package: "better-auth",
            what: "better-auth with Redis",
            program: "better-auth.mjs",
            path: "/api/auth/get-session",
        },
    ] {
        started.push((peer.package, peer.start(servers, place, &folder)));
    }
    started
}

/// Starts a Redis without a disk, on the server's core. Returns it with its port.
fn redis_server(place: &Place) -> Result<(Process, u16), Failed> {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = free.map_err(|error| Failed(format!("no free port: {error}")))?.port();
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"]);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let process = Process::start(&mut command, &place.cores)?;
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if began.elapsed() > Duration::from_secs(10) {
            return Err(Failed("redis-server did not start".to_owned()));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok((process, port))
}

/// The bare GET.
fn redis(servers: &mut Servers, place: &Place, progress: &mut dyn Write) -> Result<String, Failed> {
    provide("redis-server", "--version", "redis-server", progress)?;
    provide("redis-benchmark", "--version", "redis-tools", progress)?;
    let (process, port) = redis_server(place)?;
    let (keys, bytes) = (SESSIONS.to_string(), VALUE_BYTES.to_string());
    let mut set = Command::new("redis-benchmark");
    set.args(["-q", "-t", "set", "-n", "40000", "-p", &port.to_string(), "-r", &keys, "-d", &bytes]);
    output(&mut set)?;
    let load = Load::Redis { port, keys: SESSIONS, bytes: VALUE_BYTES };
    servers.add("redis", "Redis GET, 1 KB, no HTTP", load, vec![process.pid()]);
    servers.hold(process);
    let version = output(Command::new("redis-server").arg("--version"))?;
    let version = version.split_whitespace().find_map(|word| word.strip_prefix("v="));
    Ok(version.unwrap_or_default().to_owned())
}

/// Copies the servers of `bench/peers` to a folder, with the packages that they need.
fn install(folder: &Path, progress: &mut dyn Write) -> Result<(), Failed> {
    provide("node", "--version", "nodejs", progress)?;
    provide("npm", "--version", "npm", progress)?;
    let copy = || -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        for entry in std::fs::read_dir(root().join("bench/peers"))? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                std::fs::copy(entry.path(), folder.join(entry.file_name()))?;
            }
        }
        Ok(())
    };
    copy().map_err(|error| Failed(format!("bench/peers cannot be copied: {error}")))?;
    // No package runs a program of its own when it is installed.
    let flags = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    output(Command::new("npm").args(flags).current_dir(folder)).map(drop)
}

/// A server of `bench/peers`.
struct Peer {
    name: &'static str,
    package: &'static str,
    what: &'static str,
    program: &'static str,
    /// Of the operation that returns the session of the cookie.
    path: &'static str,
}

impl Peer {
    /// Starts it with a Redis of its own; both run on the server's core, and the time of both counts.
    fn start(&self, servers: &mut Servers, place: &Place, folder: &Path) -> Result<String, Failed> {
        let (redis, port) = redis_server(place)?;
        let mut node = Command::new("node");
        node.args([self.program, &port.to_string(), &SESSIONS.to_string()]).current_dir(folder);
        node.env("NODE_ENV", "production");
        let (process, address, cookies) = Process::listening(&mut node, &place.cores)?;
        let all = cookies.iter().filter(|line| line.starts_with("cookie: "));
        let requests = all.map(|cookie| (self.path, cookie.as_str()));
        let requests = Requests::write(place.folder.join(self.name), requests)?;
        let load = Load::Wrk { address, requests, connections: CONNECTIONS, rounds_of: 1 };
        servers.add(self.name, self.what, load, vec![process.pid(), redis.pid()]);
        servers.hold(process);
        servers.hold(redis);
        let manifest = folder.join("node_modules").join(self.package).join("package.json");
        let manifest: serde_json::Value = std::fs::read_to_string(manifest)
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        Ok(manifest["version"].as_str().unwrap_or_default().to_owned())
    }
}
