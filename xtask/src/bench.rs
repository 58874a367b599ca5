//! `cargo xtask bench`: measurements side by side in one run, so that their ratios carry over to other machines.
//!
//! This process makes the load over keep-alive connections, with one thread for each. A request is one write and a response
//! one or two reads, so that it does not matter that `xtask` is a debug build.

pub(crate) mod compare;

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use session_test_support::seed::{DOMAIN_ID, POOL_ID};

use crate::process::{Failed, cargo, key, say, serve, target};

/// The settings of `bench fetch`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Settings {
    /// Measure this sessiond, such as that of an earlier version, instead of building one
    #[arg(long, value_name = "FILE")]
    sessiond: Option<PathBuf>,
    /// Sessions in the store
    #[arg(long, default_value_t = 1_000_000)]
    sessions: usize,
    /// Keep-alive connections, each with one request at a time
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Seconds of each measurement, taken in three turns, each after a second of warming up
    #[arg(long, default_value_t = 30)]
    seconds: u32,
}

/// The number of turns of each measurement.
const ROUNDS: u32 = 3;

/// The result of one measurement.
#[derive(Default)]
struct Measured {
    latencies_us: Vec<u32>,
    elapsed: Duration,
}

impl Measured {
    fn add(&mut self, more: Self) {
        self.latencies_us.extend(more.latencies_us);
        self.elapsed += more.elapsed;
    }

    fn per_second(&self) -> f64 {
        rate(self.latencies_us.len(), self.elapsed)
    }

    /// Returns this percentile in microseconds. `latencies_us` must be sorted.
    fn percentile_us(&self, percent: usize) -> u32 {
        let place = (self.latencies_us.len() * percent / 100).min(self.latencies_us.len().saturating_sub(1));
        self.latencies_us.get(place).copied().unwrap_or_default()
    }
}

/// Returns how many that is per second.
#[expect(clippy::cast_precision_loss, reason = "a count of requests, far below 2^52")]
fn rate(count: usize, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64()
}

/// Fills a store, then measures fetches side by side with a bare response of the same HTTP stack.
pub(crate) fn fetch(settings: &Settings, out: &mut dyn Write) -> Result<(), Failed> {
    let mut say = |text: String| say(out, &text);
    let target = target()?;
    let program = if let Some(program) = &settings.sessiond {
        program.clone()
    } else {
        cargo(&["build", "--release", "--locked", "--package", "session-server", "--bin", "sessiond"])?;
        target.join("release/sessiond")
    };
    // On the disk of the build, because a temporary folder may be in memory.
    let folder = tempfile::tempdir_in(&target)
        .map_err(|error| Failed(format!("a folder for the store cannot be created: {error}")))?;
    // A free port for the internal listener, because the server logs the one that it chose only at level `info`.
    let internal = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map_err(|error| Failed(format!("no free port: {error}")))?
        .to_string();
    let sessiond = serve(&program, folder.path(), "", &["--internal-listen", &internal])?;
    let address = sessiond.address.to_string();
    let key = key(&sessiond, &["--domain", DOMAIN_ID], &["session:read", "session:create"])?;

    say(format!("machine: {}", machine()))?;
    let began = Instant::now();
    let made = create(&address, &key, settings.sessions)?;
    let per_second = rate(made.len(), began.elapsed());
    let database = std::fs::metadata(folder.path().join("sessions.db")).map_or(0, |file| file.len());
    say(format!(
        "create: {} sessions, {per_second:.0}/s over {CREATE_CONNECTIONS} connections, each on the disk before its response; \
         database {} MiB, {}",
        made.len(),
        database / (1024 * 1024),
        memory(sessiond.pid())
    ))?;

    say(format!("{} connections, {} s each:", settings.connections, settings.seconds))?;
    let mut bare = Measured::default();
    let mut own = Measured::default();
    let mut by_key = Measured::default();
    // In turns, so that a slow phase of the machine affects all of them.
    for _ in 0..ROUNDS {
        bare.add(measure(&internal, settings, |_| request("/health", ""))?);
        own.add(measure(&address, settings, |random| {
            let (id, token) = &made[random % made.len()];
            request(&format!("/api/v1/session/{id}"), token)
        })?);
        by_key.add(measure(&address, settings, |random| {
            let (id, _) = &made[random % made.len()];
            request(&format!("/api/v1/session/{id}"), &key)
        })?);
    }
    for (name, measured) in [
        ("bare response of the HTTP stack", &mut bare),
        ("fetch with the session's own token", &mut own),
        ("fetch with an API key", &mut by_key),
    ] {
        measured.latencies_us.sort_unstable();
        say(format!(
            "{name:<36} {:>7.0} requests/s  p50 {:>5} µs  p99 {:>6} µs",
            measured.per_second(),
            measured.percentile_us(50),
            measured.percentile_us(99),
        ))?;
    }
    say(format!(
        "relative to the bare response: {:.2} with the session's own token, {:.2} with an API key",
        own.per_second() / bare.per_second(),
        by_key.per_second() / bare.per_second(),
    ))?;
    say(memory(sessiond.pid()))
}

/// The number of connections that create sessions: enough that many share each commit.
const CREATE_CONNECTIONS: usize = 128;

/// Creates sessions and returns their IDs and tokens.
fn create(address: &str, key: &str, count: usize) -> Result<Vec<(String, String)>, Failed> {
    let body = format!(
        r#"{{"pool_id":"{POOL_ID}","session_type":"browser","interaction":{{"remote_ip":"127.0.0.1","user_agent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/91.0.4472.114 Safari/537.36"}}}}"#
    );
    let request = format!(
        "POST /api/v1/session HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let next = AtomicUsize::new(0);
    on_connections(address, CREATE_CONNECTIONS, |connection, _| {
        let mut made = Vec::new();
        while next.fetch_add(1, Ordering::Relaxed) < count {
            let body = connection.send(&request, "201")?;
            let body: serde_json::Value = serde_json::from_slice(body)
                .map_err(|error| Failed(format!("a response is not JSON: {error}")))?;
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            made.push((text(&body["session"]["summary"]["id"]), text(&body["authtoken"])));
        }
        Ok(made)
    })
}

/// Runs the load on as many connections, each with its number and on a thread of its own. Returns all results.
fn on_connections<T: Send>(
    address: &str,
    count: usize,
    load: impl Fn(&mut Connection, usize) -> Result<Vec<T>, Failed> + Sync,
) -> Result<Vec<T>, Failed> {
    thread::scope(|scope| {
        let load = &load;
        let run = |number| scope.spawn(move || load(&mut Connection::open(address)?, number));
        let threads: Vec<_> = (0..count).map(run).collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| Failed("a thread of the load panicked".to_owned()))??);
        }
        Ok(all)
    })
}

fn request(path: &str, token: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\r\n")
}

/// Warms up for a second, then takes one turn of the measurement.
fn measure(
    address: &str,
    settings: &Settings,
    request: impl Fn(usize) -> String + Sync,
) -> Result<Measured, Failed> {
    let turn = Duration::from_secs(settings.seconds.into()) / ROUNDS;
    let warm = Instant::now() + Duration::from_secs(1);
    let end = warm + turn;
    let latencies_us = on_connections(address, settings.connections, |connection, seed| {
        let mut latencies_us = Vec::new();
        // A xorshift generator with a fixed seed: the same sequence in every run.
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        loop {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let text = request(random);
            let sent = Instant::now();
            if sent > end {
                return Ok(latencies_us);
            }
            connection.send(&text, "200")?;
            if sent > warm {
                latencies_us.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
        }
    })?;
    Ok(Measured { latencies_us, elapsed: turn })
}

/// A keep-alive connection with one request at a time.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    fn open(address: &str) -> Result<Self, Failed> {
        let stream = TcpStream::connect(address)
            .map_err(|error| Failed(format!("cannot connect to {address}: {error}")))?;
        // Otherwise the kernel delays small requests.
        stream.set_nodelay(true).map_err(|error| Failed(error.to_string()))?;
        Ok(Self { stream, buffer: vec![0; 16 * 1024] })
    }

    /// Sends a request and returns the body of the response. Fails if its status is not the expected one.
    fn send(&mut self, request: &str, status: &str) -> Result<&[u8], Failed> {
        let broken = |error: std::io::Error| Failed(format!("the connection broke: {error}"));
        self.stream.write_all(request.as_bytes()).map_err(broken)?;
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..]).map_err(broken)?;
            filled += read;
            let head = self.buffer[..filled].windows(4).position(|window| window == b"\r\n\r\n");
            if let Some(head) = head {
                let text = String::from_utf8_lossy(&self.buffer[..head]);
                if text.get(9..12) != Some(status) {
                    let all = String::from_utf8_lossy(&self.buffer[..filled]);
                    return Err(Failed(format!("a response is not {status}: {all}")));
                }
                let length = text
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "))
                    .and_then(|length| length.parse::<usize>().ok())
                    .ok_or_else(|| Failed("a response has no content-length".to_owned()))?;
                if filled == head + 4 + length {
                    return Ok(&self.buffer[head + 4..filled]);
                }
            }
            if read == 0 || filled == self.buffer.len() {
                return Err(Failed("a response ended early or is too long".to_owned()));
            }
        }
    }
}

/// Describes the processor, cores and memory, as far as the system reports them.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(Path::new(path)).unwrap_or_default();
    let field = |text: &str, name: &str| {
        text.lines()
            .find_map(|line| Some(line.strip_prefix(name)?.trim_start_matches([' ', '\t', ':']).to_owned()))
    };
    let mut text =
        field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    // Writing to a string cannot fail.
    let _ = write!(text, ", {cores} cores");
    if let Some(memory) = field(&read("/proc/meminfo"), "MemTotal") {
        let _ = write!(text, ", {memory} of memory");
    }
    text
}

/// Describes the memory of the process, as far as the system reports it.
fn memory(pid: u32) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mib = |name: &str| {
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.split_whitespace().nth(1)?.parse::<u64>().ok());
        kib.map_or_else(|| "unknown".to_owned(), |kib| format!("{} MiB", kib / 1024))
    };
    format!("memory of sessiond: {} resident, {} at most", mib("VmRSS"), mib("VmHWM"))
}
