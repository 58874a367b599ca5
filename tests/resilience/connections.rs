//! Connections on which nothing, or not everything, is sent: the server must close them, and serve others meanwhile.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::report::{Failed, Kind, Outcome};
use crate::server::Target;
use crate::service::{Counts, Service};

/// What is sent on a connection before it is silent.
const KINDS: [(&str, &[u8]); 5] = [
    ("nothing", b""),
    ("the first line of the preface of HTTP/2", b"PRI * HTTP/2.0\r\n"),
    ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    (
        "half a body without credentials",
        b"POST /api/v1/session HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{",
    ),
    ("half a head", b"GET /api/v1/whoami HTTP/1.1\r\nhost: x\r\nx-long: "),
];

/// The connections of each kind.
const OF_EACH_KIND: usize = 25;

/// When all of them must be gone: 90 s, as issue 11 says.
const GONE_AFTER: Duration = Duration::from_secs(90);

/// Opens the connections, waits until the server has closed them, and returns what was found.
pub(crate) async fn run(target: &Target) -> Result<Outcome, Failed> {
    let folder = tempfile::tempdir()?;
    let running = target.start(folder.path()).await?;
    let counts = std::sync::Arc::<Counts>::default();
    let key = running.key()?.1;
    let address = running.server.address;
    let mut silent: Vec<(&str, TcpStream)> = Vec::new();
    for (kind, sent) in KINDS {
        for _ in 0..OF_EACH_KIND {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(sent).await?;
            silent.push((kind, stream));
        }
    }
    let began = Instant::now();
    let mut outcome = Outcome::default();
    let create = async || {
        let service = Service::new(address, &counts)?;
        let body = Some(json!({ "session_type": "api" }));
        let exchange = service.send(Method::POST, "/api/v1/session", &key, body).await;
        Ok::<_, Failed>(exchange.response.map(|response| response.status))
    };
    let created = create().await?;
    if created != Some(201) {
        outcome.add(Kind::Other, format!("a new client received {created:?} among silent connections"));
    }
    let mut open = still_open(address, &silent)?;
    while !open.is_empty() && began.elapsed() < GONE_AFTER {
        tokio::time::sleep(Duration::from_secs(1)).await;
        open = still_open(address, &silent)?;
    }
    let after = began.elapsed().as_secs();
    for (kind, _) in KINDS {
        let count = open.iter().filter(|one| **one == kind).count();
        if count > 0 {
            outcome.add(Kind::Other, format!("{count} connections with {kind} are open after {after} s"));
        }
    }
    outcome.count_requests(&counts);
    outcome.faults = silent.len() as u64;
    outcome.summary = format!(
        "{} silent connections of {} kinds: {} open after {after} s",
        silent.len(),
        KINDS.len(),
        open.len()
    );
    Ok(outcome)
}

/// The kinds of the connections that the server has not closed. They are in the kernel's table; a client does not learn of
/// every connection that the server gave up.
fn still_open(server: SocketAddr, silent: &[(&'static str, TcpStream)]) -> Result<Vec<&'static str>, Failed> {
    /// The state of a connection that the server has not closed, and of one that only the client has closed.
    const OPEN: [&str; 2] = ["01", "08"];
    let table = std::fs::read_to_string("/proc/net/tcp")?;
    let port = |address: Option<&str>| u16::from_str_radix(address?.split_once(':')?.1, 16).ok();
    let connections: Vec<(u16, u16)> = table
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let (local, remote) = (port(fields.next())?, port(fields.next())?);
            OPEN.contains(&fields.next()?).then_some((local, remote))
        })
        .collect();
    let mut open = Vec::new();
    for (kind, stream) in silent {
        if connections.contains(&(server.port(), stream.local_addr()?.port())) {
            open.push(*kind);
        }
    }
    Ok(open)
}
