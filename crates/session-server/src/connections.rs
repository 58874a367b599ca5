//! The connections of the public listener: which of them have requests, and the end of those that have none.
//!
//! dropshot owns the listener and its connections, and hands out neither. It limits the time of HTTP/1 headers only. A
//! process can still list its own descriptors, and shut a socket down by its number; dropshot then sees the end of the
//! connection and closes it. `docs/decisions/0020-connections-around-dropshot.md` has the alternatives.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::dir::Dir;
use nix::fcntl::OFlag;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{Shutdown, SockaddrStorage, getpeername, getsockname, shutdown};
use nix::sys::stat::Mode;
use slog::{Logger, info, warn};

use crate::activity::{Activity, Requests};

/// How long a connection may be open before its first request has arrived. hyper, below dropshot, has the same limit for
/// the headers of a request, once it has seen enough to know that they are HTTP/1.
pub const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a connection may be open after its last request. This concerns HTTP/2; hyper closes a connection of HTTP/1
/// after 30 s without one. Longer than clients leave connections open (90 s is usual), so that they close them first.
pub const IDLE_TIMEOUT: Duration = Duration::from_mins(5);

/// The default of the greatest number of connections. Stalled headers take up to 400 KiB of memory each, for 30 s; with
/// this number of them, 1.6 GiB.
pub const CONNECTIONS_MAX: NonZeroU32 = NonZeroU32::new(4_096).expect("not zero");

/// The time between two scans.
const SCAN_INTERVAL: Duration = Duration::from_millis(250);

/// The time between two scans when at least half of the connections are in use. In that time, fewer connections arrive than
/// there are descriptors in reserve.
const BUSY_SCAN_INTERVAL: Duration = Duration::from_millis(20);

/// After a scan that took a time, the next one waits for this many times as long: a scan of 10,000 connections takes
/// milliseconds, and a tenth of a core is enough for them.
const PAUSE_FACTOR: u32 = 9;

/// The least time between two records in the log of what was closed.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// How many of the process's descriptors are not for public connections: a quarter of them. The rest of the program takes
/// about 50.
const fn reserve(descriptors: u64) -> u64 {
    descriptors / 4
}

/// Raises the limit of descriptors to the greatest that is allowed, and returns the limit from then on.
pub(crate) fn raise_descriptor_limit(log: &Logger) -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => {
            info!(log, "descriptor limit"; "before" => soft, "now" => hard);
            Ok(hard)
        }
        Err(error) => {
            warn!(log, "the descriptor limit cannot be raised"; "limit" => soft, "cause" => %error);
            Ok(soft)
        }
    }
}

/// A connection as a scan finds it.
#[derive(Clone, Copy, Debug)]
struct Connection {
    descriptor: RawFd,
    peer: SocketAddr,
    /// When a scan first found it.
    since: Instant,
    /// `None` if no request of it has arrived.
    requests: Option<Requests>,
}

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    NoRequest,
    Idle,
    TooMany,
}

/// How long connections may be open without a request.
#[derive(Clone, Copy, Debug)]
struct Timeouts {
    first_request: Duration,
    idle: Duration,
}

/// While the server serves.
const SERVING: Timeouts = Timeouts { first_request: FIRST_REQUEST_TIMEOUT, idle: IDLE_TIMEOUT };

/// While it stops. hyper waits for each client of HTTP/2 to confirm the end, which a silent one never does. A response
/// that was just made is sent within this time.
const STOPPING: Timeouts = Timeouts { first_request: Duration::from_secs(1), idle: Duration::from_secs(1) };

/// Selects the connections to close: those over a time limit and, of more than `max`, those that have been without a request
/// for longest; first those that never had one. A connection with a request that runs is never closed.
fn select(
    connections: &[Connection],
    now: Instant,
    timeouts: Timeouts,
    max: usize,
) -> Vec<(Connection, Reason)> {
    let mut selected = Vec::new();
    let mut open = Vec::new();
    for connection in connections {
        let age = |since: Instant| now.saturating_duration_since(since);
        match connection.requests {
            Some(requests) if requests.running > 0 => {}
            Some(requests) if age(requests.last) >= timeouts.idle => {
                selected.push((*connection, Reason::Idle));
            }
            None if age(connection.since) >= timeouts.first_request => {
                selected.push((*connection, Reason::NoRequest));
            }
            requests => open.push((requests.map(|requests| requests.last), connection.since, connection)),
        }
    }
    let too_many = (connections.len() - selected.len()).saturating_sub(max).min(open.len());
    // `None`, for a connection without a request, sorts first.
    open.sort_unstable_by_key(|(last, since, _)| (*last, *since));
    selected.extend(open[..too_many].iter().map(|(_, _, connection)| (**connection, Reason::TooMany)));
    selected
}

/// Closes connections of the public listener that have no requests, until it is dropped.
pub(crate) struct Reaper {
    stop: Sender<()>,
}

impl Reaper {
    /// Starts it for the listener with this address, in a process with this limit of descriptors.
    pub(crate) fn start(
        listener: SocketAddr,
        activity: Arc<Activity>,
        connections_max: NonZeroU32,
        descriptors: u64,
        log: Logger,
    ) -> io::Result<Self> {
        let max = u64::from(connections_max.get()).min(descriptors - reserve(descriptors));
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        info!(log, "connection limit"; "connections" => max, "descriptors" => descriptors);
        // Open for as long as the scans: when no descriptor is left, a folder cannot be opened.
        let descriptors = Dir::open("/proc/self/fd", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
        let mut scanner =
            Scanner { descriptors, listener, activity, timeouts: SERVING, max, known: HashMap::new() };
        let mut report = Report::default();
        let (stop, stopping) = channel();
        // A thread of its own: when the server is busiest, the runtime's threads are too.
        thread::Builder::new().name("connections".to_owned()).spawn(move || {
            let mut pause = SCAN_INTERVAL;
            loop {
                match stopping.recv_timeout(pause) {
                    Ok(()) => scanner.timeouts = STOPPING,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                let start = Instant::now();
                let (open, closed) = scanner.scan(start);
                report.add(&closed, open, &log);
                let interval = if open * 2 >= max { BUSY_SCAN_INTERVAL } else { SCAN_INTERVAL };
                pause = interval.max(start.elapsed() * PAUSE_FACTOR);
            }
        })?;
        Ok(Self { stop })
    }

    /// From now on, closes every connection that has had no request for a second.
    pub(crate) fn stop(&self) {
        // It fails if the thread has ended, and then there is nothing to change.
        let _ = self.stop.send(());
    }
}

/// What finds the connections.
struct Scanner {
    descriptors: Dir,
    listener: SocketAddr,
    activity: Arc<Activity>,
    timeouts: Timeouts,
    max: usize,
    /// The connections of the last scan, and when one first found them.
    known: HashMap<(RawFd, SocketAddr), Instant>,
}

impl Scanner {
    /// Closes the connections that are over a limit. Returns how many were open before that, and why each was closed.
    fn scan(&mut self, now: Instant) -> (usize, Vec<Reason>) {
        let listener = self.listener;
        let numbers =
            self.descriptors.iter().filter_map(|entry| entry.ok()?.file_name().to_str().ok()?.parse().ok());
        let found: Vec<(RawFd, SocketAddr)> =
            numbers.filter_map(|number| Some((number, peer_of(number, listener)?))).collect();
        let connections: Vec<Connection> = found
            .into_iter()
            .map(|(descriptor, peer)| {
                let since = self.known.get(&(descriptor, peer)).copied().unwrap_or(now);
                Connection { descriptor, peer, since, requests: self.activity.of(peer) }
            })
            .collect();
        self.known = connections.iter().map(|one| ((one.descriptor, one.peer), one.since)).collect();
        let open: HashSet<SocketAddr> = connections.iter().map(|one| one.peer).collect();
        // A connection that the scan did not find is closed, unless it arrived since.
        self.activity.retain(|peer, requests| requests.last >= now || open.contains(peer));
        let mut closed = Vec::new();
        for (connection, reason) in select(&connections, now, self.timeouts, self.max) {
            // The number may belong to another connection by now. If that happens between these two calls, the other one
            // is too new to have a request.
            if peer_of(connection.descriptor, listener) == Some(connection.peer)
                && shutdown(connection.descriptor, Shutdown::Both).is_ok()
            {
                closed.push(reason);
            }
        }
        (connections.len(), closed)
    }
}

/// Returns the peer if this descriptor is a connection of the listener.
fn peer_of(descriptor: RawFd, listener: SocketAddr) -> Option<SocketAddr> {
    let local = address(&getsockname(descriptor).ok()?)?;
    let same_address =
        listener.ip().is_unspecified() || local.ip().to_canonical() == listener.ip().to_canonical();
    if local.port() != listener.port() || !same_address {
        return None;
    }
    // The listener itself has no peer.
    address(&getpeername(descriptor).ok()?)
}

fn address(socket: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = socket.as_sockaddr_in().map(|address| SocketAddr::from(*address));
    v4.or_else(|| socket.as_sockaddr_in6().map(|address| SocketAddr::from(*address)))
}

/// What was closed since the last record in the log.
#[derive(Default)]
struct Report {
    last: Option<Instant>,
    no_request: usize,
    idle: usize,
    too_many: usize,
}

impl Report {
    /// Adds what a scan closed, and logs the sums from time to time.
    fn add(&mut self, closed: &[Reason], open: usize, log: &Logger) {
        for reason in closed {
            *match reason {
                Reason::NoRequest => &mut self.no_request,
                Reason::Idle => &mut self.idle,
                Reason::TooMany => &mut self.too_many,
            } += 1;
        }
        let Self { last, no_request, idle, too_many } = *self;
        if no_request + idle + too_many == 0 || last.is_some_and(|last| last.elapsed() < REPORT_INTERVAL) {
            return;
        }
        if too_many > 0 {
            warn!(log, "connections closed: there are more than the limit";
                "open" => open, "without_request" => no_request, "idle" => idle, "over_limit" => too_many);
        } else {
            info!(log, "connections closed"; "open" => open, "without_request" => no_request, "idle" => idle);
        }
        *self = Self { last: Some(Instant::now()), ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection of a peer with this port, `since` and `last` in seconds.
    fn connection(port: u16, start: Instant, since: u64, requests: Option<(u32, u64)>) -> Connection {
        let at = |seconds| start + Duration::from_secs(seconds);
        Connection {
            descriptor: 0,
            peer: ([192, 0, 2, 1], port).into(),
            since: at(since),
            requests: requests.map(|(running, last)| Requests { running, last: at(last) }),
        }
    }

    fn closed(connections: &[Connection], now: Instant, max: usize) -> Vec<(u16, Reason)> {
        let mut closed: Vec<_> = select(connections, now, SERVING, max)
            .into_iter()
            .map(|(connection, reason)| (connection.peer.port(), reason))
            .collect();
        closed.sort_unstable_by_key(|(port, _)| *port);
        closed
    }

    #[test]
    fn a_connection_is_closed_without_a_request_for_too_long_and_never_while_one_runs() {
        let start = Instant::now();
        let now = start + Duration::from_secs(1_000);
        let first = 1_000 - FIRST_REQUEST_TIMEOUT.as_secs();
        let idle = 1_000 - IDLE_TIMEOUT.as_secs();
        let connections = [
            connection(1, start, first, None),
            connection(2, start, first + 1, None),
            connection(3, start, 0, Some((0, idle))),
            connection(4, start, 0, Some((0, idle + 1))),
            connection(5, start, 0, Some((1, 0))),
        ];
        assert_eq!(closed(&connections, now, 5), [(1, Reason::NoRequest), (3, Reason::Idle)]);
    }

    #[test]
    fn of_too_many_those_longest_without_a_request_are_closed_first_those_that_never_had_one() {
        let start = Instant::now();
        let now = start + Duration::from_secs(20);
        let connections = [
            connection(1, start, 0, Some((0, 10))),
            connection(2, start, 0, Some((0, 5))),
            connection(3, start, 18, None),
            connection(4, start, 15, None),
            connection(5, start, 0, Some((1, 0))),
        ];
        let ports =
            |max| closed(&connections, now, max).into_iter().map(|(port, _)| port).collect::<Vec<_>>();
        assert_eq!(ports(5), [0_u16; 0]);
        assert_eq!(ports(4), [4]);
        assert_eq!(ports(3), [3, 4]);
        assert_eq!(ports(2), [2, 3, 4]);
        assert_eq!(ports(0), [1, 2, 3, 4]);
    }
}
