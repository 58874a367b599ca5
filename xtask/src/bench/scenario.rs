//! One row of the table of `cargo xtask bench`: a load on a process, measured once in every round.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::cores::{Cores, cpu_us};
use crate::process::{Failed, output};

/// The keep-alive connections of the load, unless a row is about their number.
pub(crate) const CONNECTIONS: usize = 64;

/// The script of wrk's load.
pub(crate) const PICK: &str = include_str!("pick.lua");

/// One row.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// What `--only` selects it by.
    pub(crate) name: &'static str,
    /// The row's text.
    pub(crate) what: String,
    /// The load.
    pub(crate) load: Load,
    /// The processes whose time on the processor counts; none if the load is itself what is measured.
    pub(crate) pids: Vec<u32>,
    /// The work that requests leave for later is done within this time, which counts as time on the processor too.
    pub(crate) settle: Duration,
}

/// A load, made by another process.
#[derive(Clone, Debug)]
pub(crate) enum Load {
    /// HTTP requests at random, by wrk.
    Wrk {
        address: String,
        requests: Requests,
        connections: usize,
        /// How many times as long as other rounds its rounds are.
        rounds_of: u32,
    },
    /// Statements or fetches of the store, by the example `select_rate`.
    Select { program: PathBuf, what: &'static str, url: String, ids: PathBuf },
    /// GET of Redis, by `redis-benchmark`.
    Redis { port: u16, keys: usize, bytes: usize },
}

/// What one round of a scenario has measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Round {
    pub(crate) requests_per_second: f64,
    pub(crate) cpu_us: Option<f64>,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) errors: u64,
}

/// What a load reports about itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Report {
    pub(crate) requests: f64,
    pub(crate) seconds: f64,
    p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) errors: u64,
}

impl Scenario {
    /// Warms up, then measures once. `script` is the file of `pick.lua`.
    pub(crate) fn measure(&self, script: &Path, cores: &Cores, seconds: u32) -> Result<Round, Failed> {
        self.load.run(script, cores, 1)?;
        let before = cpu_us(&self.pids)?;
        let seconds = if let Load::Wrk { rounds_of, .. } = self.load { rounds_of * seconds } else { seconds };
        let report = self.load.run(script, cores, seconds)?;
        thread::sleep(self.settle);
        let used = cpu_us(&self.pids)?.saturating_sub(before);
        #[expect(clippy::cast_precision_loss, reason = "microseconds of a measurement, far below 2^52")]
        let cpu_us = (!self.pids.is_empty()).then_some(used as f64 / report.requests);
        Ok(Round {
            requests_per_second: report.requests / report.seconds,
            cpu_us,
            p50_us: report.p50_us,
            p99_us: report.p99_us,
            errors: report.errors,
        })
    }
}

impl Load {
    /// Runs for this time.
    pub(crate) fn run(&self, script: &Path, cores: &Cores, seconds: u32) -> Result<Report, Failed> {
        match self {
            Self::Wrk { address, requests, connections, .. } => {
                cores.on(cores.load, || wrk(script, address, requests, *connections, seconds))
            }
            Self::Select { program, what, url, ids } => {
                cores.on(cores.server, || select_rate(program, what, url, ids, CONNECTIONS, seconds))
            }
            Self::Redis { port, keys, bytes } => {
                let mut redis = Command::new("redis-benchmark");
                // It counts requests, not seconds: about as many as one core responds to in that time.
                let count = 60_000 * seconds;
                redis.args(["--csv", "-t", "get", "-P", "1", "-p", &port.to_string()]);
                redis.args(["-c", &CONNECTIONS.to_string(), "-r", &keys.to_string()]);
                redis.args(["-d", &bytes.to_string(), "-n", &count.to_string()]);
                let printed = cores.on(cores.load, || output(&mut redis))?;
                redis_report(&printed, count.into())
                    .ok_or_else(|| Failed(format!("redis-benchmark printed {printed}")))
            }
        }
    }
}

/// Sends requests at random for this time, by wrk. `script` is the file of `pick.lua`.
pub(crate) fn wrk(
    script: &Path,
    address: &str,
    requests: &Requests,
    connections: usize,
    seconds: u32,
) -> Result<Report, Failed> {
    let mut wrk = Command::new("wrk");
    // A latency is measured from when the request should have been sent, had those before it not been late.
    wrk.args(["--threads", "1", "--connections", &connections.to_string(), "--timeout", "10s"]);
    wrk.args(["--duration", &format!("{seconds}s"), "--script"]).arg(script);
    wrk.arg(format!("http://{address}/")).arg("--").arg(&requests.file);
    wrk.args([requests.length, requests.count].map(|number| number.to_string()));
    let printed = output(&mut wrk)?;
    let report = wrk_report(&printed).ok_or_else(|| Failed(format!("wrk printed {printed}")))?;
    if report.requests < 1.0 {
        return Err(Failed(format!("{address} did not respond: {printed}")));
    }
    Ok(report)
}

/// Reads sessions at random for this time, by the example `select_rate` in its mode `what`.
pub(crate) fn select_rate(
    program: &Path,
    what: &str,
    url: &str,
    ids: &Path,
    concurrency: usize,
    seconds: u32,
) -> Result<Report, Failed> {
    let mut select = Command::new(program);
    select.args([what, url]).arg(ids).args([concurrency.to_string(), seconds.to_string()]);
    let printed = output(&mut select)?;
    let numbers: Vec<f64> = printed.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let [requests, p50_us, p99_us] = numbers[..] else {
        return Err(Failed(format!("select_rate printed {printed}")));
    };
    Ok(Report { requests, seconds: seconds.into(), p50_us, p99_us, errors: 0 })
}

/// Reads the line of `pick.lua`. Its times are in microseconds.
fn wrk_report(printed: &str) -> Option<Report> {
    let line = printed.lines().find_map(|line| line.strip_prefix("xtask: "))?;
    let numbers: Vec<f64> = line.split(' ').filter_map(|number| number.parse().ok()).collect();
    let [requests, duration_us, p50_us, p99_us, errors] = numbers[..] else { return None };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    let errors = errors as u64;
    Some(Report { requests, seconds: duration_us / 1e6, p50_us, p99_us, errors })
}

/// Reads the line `"GET","rps","avg","min","p50","p95","p99","max"`. Its latencies are in milliseconds.
fn redis_report(printed: &str, requests: f64) -> Option<Report> {
    let line = printed.lines().find_map(|line| line.strip_prefix("\"GET\","))?;
    let numbers: Vec<f64> = line.split(',').filter_map(|cell| cell.trim_matches('"').parse().ok()).collect();
    let [per_second, _, _, p50_ms, _, p99_ms, ..] = numbers[..] else { return None };
    let (p50_us, p99_us) = (p50_ms * 1000.0, p99_ms * 1000.0);
    Some(Report { requests, seconds: requests / per_second, p50_us, p99_us, errors: 0 })
}

/// A file of requests of the same length.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    pub(crate) file: PathBuf,
    length: usize,
    count: usize,
}

impl Requests {
    /// Writes a GET for each path and header. Spaces after the host, which belong to no value (RFC 9110), make up for what one
    /// is shorter than the longest.
    pub(crate) fn write<'a>(
        file: PathBuf,
        all: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    ) -> Result<Self, Failed> {
        use std::io::Write as _;
        let widest = all.clone().map(|(path, header)| path.len() + header.len()).max().unwrap_or_default();
        let failed = |error: std::io::Error| Failed(format!("the requests: {error}"));
        let mut writer = std::io::BufWriter::new(std::fs::File::create(&file).map_err(failed)?);
        let (mut length, mut count) = (0, 0);
        for (path, header) in all {
            let spaces = " ".repeat(widest - path.len() - header.len());
            let text = format!("GET {path} HTTP/1.1\r\nhost: bench{spaces}\r\n{header}\r\n\r\n");
            writer.write_all(text.as_bytes()).map_err(failed)?;
            (length, count) = (text.len(), count + 1);
        }
        writer.flush().map_err(failed)?;
        Ok(Self { file, length, count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_of_a_load_is_read_from_its_output() {
        let wrk = "Running 3s test\n  9 requests\nxtask: 300000 3000000 450 900 2\n";
        let report = Report { requests: 300_000.0, seconds: 3.0, p50_us: 450.0, p99_us: 900.0, errors: 2 };
        assert_eq!(wrk_report(wrk), Some(report));
        assert_eq!(wrk_report("xtask: 1 2\n"), None);
        let redis = "\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\"p50_latency_ms\",\"p95_latency_ms\"\n\
                     \"GET\",\"50000.00\",\"0.5\",\"0.1\",\"0.450\",\"0.8\",\"0.900\",\"2.0\"\n";
        let report = redis_report(redis, 150_000.0).unwrap();
        assert_eq!(
            report,
            Report { requests: 150_000.0, seconds: 3.0, p50_us: 450.0, p99_us: 900.0, errors: 0 }
        );
    }

    #[test]
    fn all_requests_of_a_file_have_the_same_length() {
        let folder = tempfile::tempdir().unwrap();
        let all = [("/a", "cookie: 1"), ("/ab", "cookie: 123")];
        let requests = Requests::write(folder.path().join("x"), all.into_iter()).unwrap();
        let text = std::fs::read_to_string(&requests.file).unwrap();
        assert_eq!((requests.count, text.len()), (2, 2 * requests.length));
        assert!(text[requests.length..].starts_with("GET /ab HTTP/1.1\r\n"), "{text}");
    }
}
