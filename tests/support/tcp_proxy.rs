//! A TCP proxy with faults that are switched while it runs, to be put between `sessiond` and a database.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

/// How long to wait for what a server does within milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the proxy does with all connections, those that are open already too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everything passes.
    Pass,
    /// Connections are accepted and requests reach the server, but no response passes until the mode changes.
    Silent,
    /// Each piece of a response passes this much later.
    Delay(Duration),
    /// A connection is reset after this many more bytes of responses. With 0, the server has carried out the request, and
    /// the client does not learn it.
    ResetAfter(usize),
    /// A connection is reset when the client sends `text`, such as `COMMIT`. Text that is encrypted is not found.
    ResetAt {
        /// The text.
        text: &'static str,
        /// Whether the server receives the text and has carried out what it says before the reset.
        forwarded: bool,
    },
    /// Open connections are reset and new ones refused.
    Refuse,
    /// A network partition: connections stay open and nothing passes, in neither direction, until the mode changes.
    Cut,
}

/// A proxy in front of one server. It ends, with its connections, when it is dropped.
#[derive(Debug)]
pub struct TcpProxy {
    address: SocketAddr,
    server: watch::Sender<SocketAddr>,
    mode: watch::Sender<Mode>,
    resets: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl TcpProxy {
    /// Starts a proxy in front of the server at this address, on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// There is no free port.
    pub async fn start(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (mode, receiver) = watch::channel(Mode::Pass);
        let (server, destination) = watch::channel(server);
        let resets = Arc::new(AtomicU64::new(0));
        let proxy = Proxy { server: destination, mode: receiver, resets: Arc::clone(&resets) };
        let accepting = tokio::spawn(accept(listener, address, proxy));
        Ok(Self { address, server, mode, resets, accepting })
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what it does from now on.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Resets all connections and leads new ones to another server, as when an address moves from one machine to another.
    pub fn lead_to(&self, server: SocketAddr) {
        self.server.send_replace(server);
    }

    /// The number of connections that it has reset so far.
    pub fn resets(&self) -> u64 {
        self.resets.load(Ordering::Relaxed)
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What each connection needs.
#[derive(Clone)]
struct Proxy {
    server: watch::Receiver<SocketAddr>,
    mode: watch::Receiver<Mode>,
    resets: Arc<AtomicU64>,
}

/// How a connection ends.
enum End {
    /// One side closed it.
    Closed,
    /// Both sides are reset.
    Reset,
    /// The server closes it when it has carried out everything; then the client's side is reset.
    ResetWhenDone,
}

/// Accepts connections until the task is aborted, which ends them as well.
async fn accept(listener: TcpListener, address: SocketAddr, proxy: Proxy) {
    let mut listener = Some(listener);
    let mut mode = proxy.mode.clone();
    let mut connections = JoinSet::new();
    loop {
        if *mode.borrow_and_update() == Mode::Refuse {
            listener = None;
        } else if listener.is_none() {
            listener = bind_again(address).await;
        }
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = mode.changed() => if changed.is_err() { return },
            Some(_) = connections.join_next() => {}
            accepted = accepted => if let Ok((client, _)) = accepted {
                connections.spawn(serve(client, proxy.clone()));
            }
        }
    }
}

/// Listens at an address where we listened before. The port may be that of an outgoing connection meanwhile.
async fn bind_again(address: SocketAddr) -> Option<TcpListener> {
    let began = Instant::now();
    loop {
        match TcpListener::bind(address).await {
            Err(_) if began.elapsed() < PATIENCE => sleep(Duration::from_millis(10)).await,
            outcome => return outcome.ok(),
        }
    }
}

async fn serve(mut client: TcpStream, proxy: Proxy) {
    let Proxy { mut server, mut mode, resets } = proxy;
    let address = *server.borrow_and_update();
    let mut refused = mode.clone();
    let reset_at = async move {
        let ended = tokio::select! {
            refused = refused.wait_for(|mode| *mode == Mode::Refuse) => refused.is_ok(),
            moved = server.changed() => moved.is_ok(),
        };
        // An error: the proxy is dropped, and so is this task.
        if !ended {
            std::future::pending::<()>().await;
        }
    };
    tokio::pin!(reset_at);
    let connecting = async {
        mode.wait_for(|mode| *mode != Mode::Cut).await.map_err(io::Error::other)?;
        TcpStream::connect(address).await
    };
    let mut server = tokio::select! {
        connected = connecting => match connected {
            Ok(server) => server,
            Err(_) => return,
        },
        () = &mut reset_at => return reset(&client, &resets),
    };
    // Otherwise what is small waits for the acknowledgement of what was before.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let end = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        tokio::select! {
            end = send_requests(from_client, to_server, mode.clone()) => end,
            end = send_responses(from_server, to_client, mode) => end,
            () = reset_at => Ok(End::Reset),
        }
    };
    match end {
        Ok(End::Closed) | Err(_) => return,
        Ok(End::Reset) => {
            let _ = server.set_zero_linger();
        }
        Ok(End::ResetWhenDone) => {
            let _ = server.shutdown().await;
            let mut rest = Vec::new();
            let _ = timeout(PATIENCE, server.read_to_end(&mut rest)).await;
        }
    }
    reset(&client, &resets);
}

/// Has the connection be reset when it is dropped.
fn reset(client: &TcpStream, resets: &AtomicU64) {
    let _ = client.set_zero_linger();
    resets.fetch_add(1, Ordering::Relaxed);
}

async fn send_requests(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut mode: watch::Receiver<Mode>,
) -> io::Result<End> {
    let mut piece = vec![0; 64 * 1024];
    // The end of what was sent before: a text may be in two pieces.
    let mut before = Vec::new();
    loop {
        let length = from.read(&mut piece).await;
        // The end of a connection does not cross a partition either.
        let current = *mode.wait_for(|mode| *mode != Mode::Cut).await.map_err(io::Error::other)?;
        let length = length?;
        if length == 0 {
            return Ok(End::Closed);
        }
        let piece = &piece[..length];
        if let Mode::ResetAt { text, forwarded } = current {
            let sent = [&before, piece].concat();
            if let Some(start) = sent.windows(text.len()).position(|window| window == text.as_bytes()) {
                let end = if forwarded { length } else { start.saturating_sub(before.len()) };
                to.write_all(&piece[..end]).await?;
                return Ok(if forwarded { End::ResetWhenDone } else { End::Reset });
            }
            before = sent[sent.len().saturating_sub(text.len() - 1)..].to_vec();
        }
        to.write_all(piece).await?;
    }
}

async fn send_responses(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut mode: watch::Receiver<Mode>,
) -> io::Result<End> {
    let mut piece = vec![0; 64 * 1024];
    // How many bytes have passed since the mode changed.
    let mut passed = 0;
    loop {
        let length = from.read(&mut piece).await;
        if !matches!(length, Ok(1..)) {
            mode.wait_for(|mode| *mode != Mode::Cut).await.map_err(io::Error::other)?;
            return length.map(|_| End::Closed);
        }
        let length = length?;
        let piece = &piece[..length];
        loop {
            if mode.has_changed().map_err(io::Error::other)? {
                passed = 0;
            }
            let current = *mode.borrow_and_update();
            match current {
                Mode::Silent | Mode::Cut => {
                    mode.changed().await.map_err(io::Error::other)?;
                    mode.mark_changed();
                }
                Mode::Delay(delay) => {
                    // A change of the mode ends the delay.
                    if timeout(delay, mode.changed()).await.is_err() {
                        break;
                    }
                    mode.mark_changed();
                }
                Mode::ResetAfter(limit) if passed + length > limit => {
                    to.write_all(&piece[..limit - passed]).await?;
                    return Ok(End::Reset);
                }
                Mode::Pass | Mode::ResetAfter(_) | Mode::ResetAt { .. } | Mode::Refuse => break,
            }
        }
        to.write_all(piece).await?;
        passed += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::Cluster;

    /// Long enough that what can happen has happened.
    const A_WHILE: Duration = Duration::from_millis(200);

    /// A server that sends back what it receives, and a proxy in front of it.
    async fn echo() -> TcpProxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        TcpProxy::start(address).await.unwrap()
    }

    async fn connect(proxy: &TcpProxy) -> TcpStream {
        TcpStream::connect(proxy.address()).await.unwrap()
    }

    /// Reads this many bytes, which must come.
    async fn read(stream: &mut TcpStream, length: usize) -> io::Result<String> {
        let mut bytes = vec![0; length];
        timeout(PATIENCE, stream.read_exact(&mut bytes)).await.expect("nothing was sent")?;
        Ok(String::from_utf8(bytes).unwrap())
    }

    /// Sends a text and reads its echo.
    async fn exchange(stream: &mut TcpStream, text: &str) -> io::Result<String> {
        stream.write_all(text.as_bytes()).await?;
        read(stream, text.len()).await
    }

    async fn is_silent(stream: &mut TcpStream) -> bool {
        timeout(A_WHILE, stream.read_u8()).await.is_err()
    }

    fn is_reset(outcome: &io::Result<String>) -> bool {
        outcome.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset)
    }

    #[tokio::test]
    async fn everything_passes_and_the_end_of_one_side_ends_the_other() {
        let proxy = echo().await;
        let mut stream = connect(&proxy).await;
        assert_eq!(exchange(&mut stream, "one").await.unwrap(), "one");
        assert_eq!(exchange(&mut stream, "COMMIT").await.unwrap(), "COMMIT");
        stream.shutdown().await.unwrap();
        assert_eq!(timeout(PATIENCE, stream.read(&mut [0])).await.unwrap().unwrap(), 0);
        assert_eq!(proxy.resets(), 0);
    }

    #[tokio::test]
    async fn silence_and_a_partition_hold_back_what_is_sent_until_they_end() {
        for mode in [Mode::Silent, Mode::Cut] {
            let proxy = echo().await;
            let mut old = connect(&proxy).await;
            assert_eq!(exchange(&mut old, "one").await.unwrap(), "one");
            proxy.set(mode);
            let mut new = connect(&proxy).await;
            for stream in [&mut old, &mut new] {
                stream.write_all(b"two").await.unwrap();
                assert!(is_silent(stream).await, "{mode:?}");
            }
            proxy.set(Mode::Pass);
            for stream in [&mut old, &mut new] {
                assert_eq!(read(stream, 3).await.unwrap(), "two");
            }
        }
    }

    #[tokio::test]
    async fn requests_reach_a_silent_server_and_do_not_cross_a_partition() {
        for (mode, arrives) in [(Mode::Silent, true), (Mode::Cut, false)] {
            let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let proxy = TcpProxy::start(server.local_addr().unwrap()).await.unwrap();
            let mut client = connect(&proxy).await;
            let (mut accepted, _) = server.accept().await.unwrap();
            proxy.set(mode);
            client.write_all(b"x").await.unwrap();
            assert_eq!(!is_silent(&mut accepted).await, arrives, "{mode:?}");
            drop(client);
            assert_eq!(!is_silent(&mut accepted).await, arrives, "{mode:?}: the end of the connection");
        }
    }

    #[tokio::test]
    async fn a_delay_passes_or_is_ended_by_another_mode() {
        let proxy = echo().await;
        proxy.set(Mode::Delay(A_WHILE));
        let mut stream = connect(&proxy).await;
        let began = Instant::now();
        assert_eq!(exchange(&mut stream, "one").await.unwrap(), "one");
        assert!(began.elapsed() >= A_WHILE);
        proxy.set(Mode::Delay(PATIENCE * 2));
        stream.write_all(b"two").await.unwrap();
        assert!(is_silent(&mut stream).await);
        proxy.set(Mode::Pass);
        assert_eq!(read(&mut stream, 3).await.unwrap(), "two");
    }

    #[tokio::test]
    async fn a_connection_is_reset_after_so_many_bytes_of_responses() {
        let proxy = echo().await;
        let mut stream = connect(&proxy).await;
        assert_eq!(exchange(&mut stream, "before the mode changes").await.unwrap().len(), 23);
        proxy.set(Mode::ResetAfter(5));
        assert_eq!(exchange(&mut stream, "one").await.unwrap(), "one");
        let outcome = exchange(&mut stream, "two").await;
        assert!(is_reset(&outcome), "{outcome:?}");
        assert_eq!(proxy.resets(), 1);
    }

    #[tokio::test]
    async fn a_connection_is_reset_at_a_text_in_two_pieces() {
        for forwarded in [false, true] {
            let proxy = echo().await;
            proxy.set(Mode::ResetAt { text: "COMMIT", forwarded });
            let mut stream = connect(&proxy).await;
            assert_eq!(exchange(&mut stream, "BEGIN; COM").await.unwrap(), "BEGIN; COM");
            let outcome = exchange(&mut stream, "MIT").await;
            assert!(is_reset(&outcome), "{outcome:?}");
            assert_eq!(proxy.resets(), 1);
        }
    }

    #[tokio::test]
    async fn connections_are_reset_and_refused_and_then_accepted_again() {
        let proxy = echo().await;
        let mut stream = connect(&proxy).await;
        assert_eq!(exchange(&mut stream, "one").await.unwrap(), "one");
        proxy.set(Mode::Refuse);
        let outcome = read(&mut stream, 1).await;
        assert!(is_reset(&outcome), "{outcome:?}");
        let began = Instant::now();
        while let Ok(mut stream) = TcpStream::connect(proxy.address()).await {
            assert!(exchange(&mut stream, "two").await.is_err());
            assert!(began.elapsed() < PATIENCE);
        }
        proxy.set(Mode::Pass);
        let mut stream = loop {
            match TcpStream::connect(proxy.address()).await {
                Ok(stream) => break stream,
                Err(error) => assert!(began.elapsed() < PATIENCE, "{error}"),
            }
        };
        assert_eq!(exchange(&mut stream, "three").await.unwrap(), "three");
    }

    #[tokio::test]
    async fn connections_are_reset_and_new_ones_lead_to_another_server() {
        let (proxy, silent) = (echo().await, TcpListener::bind("127.0.0.1:0").await.unwrap());
        let mut stream = connect(&proxy).await;
        assert_eq!(exchange(&mut stream, "one").await.unwrap(), "one");
        proxy.lead_to(silent.local_addr().unwrap());
        let outcome = read(&mut stream, 1).await;
        assert!(is_reset(&outcome), "{outcome:?}");
        let mut stream = connect(&proxy).await;
        let _other = timeout(PATIENCE, silent.accept()).await.unwrap().unwrap();
        stream.write_all(b"two").await.unwrap();
        assert!(is_silent(&mut stream).await);
    }

    #[tokio::test]
    async fn a_database_carries_out_a_commit_that_was_forwarded_before_the_reset_and_no_other() {
        let cluster = Cluster::start();
        let proxy = TcpProxy::start(([127, 0, 0, 1], cluster.port()).into()).await.unwrap();
        cluster.psql("postgres", "CREATE TABLE t (forwarded boolean)");
        for forwarded in [false, true] {
            proxy.set(Mode::ResetAt { text: "COMMIT", forwarded });
            let mut psql = cluster.command("psql");
            psql.env("PGPORT", proxy.address().port().to_string()).args([
                "--no-psqlrc",
                "--dbname",
                "postgres",
            ]);
            let insert = format!("INSERT INTO t VALUES ({forwarded})");
            for sql in ["BEGIN", &insert, "COMMIT"] {
                psql.args(["--command", sql]);
            }
            let output = tokio::task::spawn_blocking(move || psql.output()).await.unwrap().unwrap();
            assert!(!output.status.success(), "psql learns that the connection was lost: {output:?}");
        }
        assert_eq!(proxy.resets(), 2);
        assert_eq!(cluster.psql("postgres", "SELECT forwarded FROM t"), "t");
    }
}
