//! The load of a measurement, made by this process over keep-alive connections, with one thread for each. A request is one
//! write and a response one or two reads, so that it does not matter that `xtask` is a debug build.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::process::Failed;

/// The settings of `bench fetch`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Settings {
    /// The store: `sqlite`, or `postgres` for a private cluster of PostgreSQL
    #[arg(long, value_enum, default_value = "sqlite")]
    pub(crate) store: Store,
    /// Measure this sessiond, such as that of an earlier version, instead of building one
    #[arg(long, value_name = "FILE")]
    pub(crate) sessiond: Option<PathBuf>,
    /// Sessions in the store
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) sessions: usize,
    /// Keep-alive connections, each with one request at a time
    #[arg(long, default_value_t = 32)]
    pub(crate) connections: usize,
    /// Seconds of each measurement, taken in three turns, each after a second of warming up
    #[arg(long, default_value_t = 30)]
    pub(crate) seconds: u32,
}

/// A store that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Store {
    /// The embedded store
    Sqlite,
    /// PostgreSQL
    Postgres,
}

/// The number of turns of each measurement.
pub(crate) const ROUNDS: u32 = 3;

/// The result of one measurement.
#[derive(Default)]
pub(crate) struct Measured {
    pub(crate) latencies_us: Vec<u32>,
    pub(crate) elapsed: Duration,
}

impl Measured {
    pub(crate) fn add(&mut self, more: Self) {
        self.latencies_us.extend(more.latencies_us);
        self.elapsed += more.elapsed;
    }

    pub(crate) fn per_second(&self) -> f64 {
        rate(self.latencies_us.len(), self.elapsed)
    }

    /// Returns this percentile in microseconds. `latencies_us` must be sorted.
    pub(crate) fn percentile_us(&self, percent: usize) -> u32 {
        let place = (self.latencies_us.len() * percent / 100).min(self.latencies_us.len().saturating_sub(1));
        self.latencies_us.get(place).copied().unwrap_or_default()
    }
}

/// Returns how many that is per second.
#[expect(clippy::cast_precision_loss, reason = "a count of requests, far below 2^52")]
pub(crate) fn rate(count: usize, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64()
}

/// Runs the load on as many connections, each with its number and on a thread of its own. Returns all results.
pub(crate) fn on_connections<T: Send>(
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

/// A fetch of this path with this token.
pub(crate) fn request(path: &str, token: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\r\n")
}

/// Warms up for a second, then takes one turn of the measurement.
pub(crate) fn measure(
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
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: &str) -> Result<Self, Failed> {
        let stream = TcpStream::connect(address)
            .map_err(|error| Failed(format!("cannot connect to {address}: {error}")))?;
        // Otherwise the kernel delays small requests.
        stream.set_nodelay(true).map_err(|error| Failed(error.to_string()))?;
        Ok(Self { stream, buffer: vec![0; 16 * 1024] })
    }

    /// Sends a request and returns the body of the response. Fails if its status is not the expected one.
    pub(crate) fn send(&mut self, request: &str, status: &str) -> Result<&[u8], Failed> {
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
pub(crate) fn machine() -> String {
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
