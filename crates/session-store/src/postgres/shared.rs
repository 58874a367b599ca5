//! Connections that requests share.
//!
//! A few connections that send statements one after the other without waiting serve more requests than a pool: the server
//! has fewer processes to switch between, and one system call carries several statements.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout_at};

use super::connection::Connection;
use super::options::PostgresOptions;
use crate::store::StoreError;

/// How many connections are shared. Two, because on one a slow statement holds up every request; measured here, more do
/// not serve more requests.
const CONNECTIONS: usize = 2;

/// How many statements may be in flight on one connection: at a tenth of a millisecond each, the last one waits for 25 ms.
const REQUESTS_MAX: usize = 256;

/// How long a request waits for a connection or for its turn: as long as a restart of the database without recovery takes,
/// and short enough to report within the time that a request waits for the store.
const WAIT: Duration = Duration::from_secs(2);

/// The delays between attempts to connect, without their jitter. The first is short because most losses are those of one
/// connection; the greatest bounds how long after the database's return the first request is served.
const RECONNECT_DELAYS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// A connection that has lived for this long was good: after it, the first attempt to connect is made without a delay.
const GOOD_AFTER: Duration = Duration::from_secs(5);

/// A connection, and the turns of its requests.
pub(super) struct Shared {
    pub(super) connection: Connection,
    /// Closed when the connection is lost.
    turns: Semaphore,
}

#[derive(Default)]
struct State {
    connections: [Option<Arc<Shared>>; CONNECTIONS],
    /// Why the last attempt to connect failed.
    cause: Option<String>,
}

/// The shared connections. Each is replaced when it is lost.
pub(super) struct SharedConnections {
    state: watch::Sender<State>,
    tasks: Vec<AbortHandle>,
}

impl SharedConnections {
    /// Starts a task for each connection.
    pub(super) fn start(options: &Arc<PostgresOptions>) -> Self {
        let state = watch::Sender::new(State::default());
        let tasks = (0..CONNECTIONS)
            .map(|number| tokio::spawn(maintain(number, Arc::clone(options), state.clone())).abort_handle())
            .collect();
        Self { state, tasks }
    }

    /// Calls `work` with the connection that has the fewest requests in flight, waiting for one if there is none. Fails if
    /// there is none in time, or all are busy; at `deadline` at the latest.
    pub(super) async fn with<T>(
        &self,
        deadline: Instant,
        work: impl AsyncFnOnce(&Shared) -> T,
    ) -> Result<T, StoreError> {
        let deadline = deadline.min(Instant::now() + WAIT);
        loop {
            let shared = self.pick(deadline).await?;
            match timeout_at(deadline, shared.turns.acquire()).await {
                Ok(Ok(_turn)) => return Ok(work(&shared).await),
                // The connection was lost in the meantime.
                Ok(Err(_)) => {}
                Err(_) => {
                    return Err(StoreError::Unavailable(format!(
                        "{REQUESTS_MAX} statements are in flight on each connection"
                    )));
                }
            }
        }
    }

    async fn pick(&self, deadline: Instant) -> Result<Arc<Shared>, StoreError> {
        if let Some(shared) = self.state.borrow().idlest() {
            return Ok(shared);
        }
        let mut changes = self.state.subscribe();
        let connected = timeout_at(deadline, changes.wait_for(|state| state.idlest().is_some())).await;
        let found = connected.ok().and_then(|state| state.ok()?.idlest());
        found.ok_or_else(|| {
            let cause = self.state.borrow().cause.clone();
            StoreError::Unavailable(cause.unwrap_or_else(|| format!("no connection within {WAIT:?}")))
        })
    }
}

impl State {
    fn idlest(&self) -> Option<Arc<Shared>> {
        let usable = self.connections.iter().flatten().filter(|shared| !shared.connection.is_closed());
        usable.max_by_key(|shared| shared.turns.available_permits()).cloned()
    }
}

impl Drop for SharedConnections {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Connects, waits until the connection is lost, and connects again; for ever.
async fn maintain(number: usize, options: Arc<PostgresOptions>, state: watch::Sender<State>) {
    let backoff = ExponentialBuilder::default()
        .with_min_delay(RECONNECT_DELAYS.0)
        .with_max_delay(RECONNECT_DELAYS.1)
        .without_max_times()
        .with_jitter();
    let mut delays = backoff.build();
    loop {
        match Connection::open(&options).await {
            Ok((connection, driver)) => {
                let since = Instant::now();
                let shared = Arc::new(Shared { connection, turns: Semaphore::new(REQUESTS_MAX) });
                state.send_modify(|state| {
                    state.connections[number] = Some(Arc::clone(&shared));
                    state.cause = None;
                });
                let _ = driver.await;
                shared.turns.close();
                state.send_modify(|state| state.connections[number] = None);
                if since.elapsed() >= GOOD_AFTER {
                    delays = backoff.build();
                    continue;
                }
            }
            Err(cause) => {
                // Another connection that could be made says that the database is there.
                state.send_modify(|state| state.cause = Some(cause));
            }
        }
        sleep(delays.next().unwrap_or(RECONNECT_DELAYS.1)).await;
    }
}
