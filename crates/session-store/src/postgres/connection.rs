//! One connection to the database.

use std::collections::HashMap;
use std::future::poll_fn;
use std::ops::Deref;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Poll;

use futures::FutureExt;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Error, Row, Statement};

use super::error;
use super::options::{CONNECT_TIMEOUT, PostgresOptions, address};

/// A connection with its prepared statements. As the driver's client, any number of requests may be sent before the
/// first response comes: the server carries them out in the order in which they were sent.
pub(super) struct Connection {
    client: Client,
    /// By address and length of the text, of which there is one: hashing a statement of 800 bytes takes a microsecond.
    statements: Mutex<HashMap<(usize, usize), Statement>>,
    responses: AtomicU64,
    /// Set before the driver's task ends, which takes a moment.
    closed: AtomicBool,
    driver: AbortHandle,
}

/// A statement failed.
pub(super) enum Failure {
    /// It was not sent: the connection is closed.
    Closed,
    /// It was not sent, because preparing it failed.
    NotPrepared(Error),
    /// After it was sent, or may have been.
    Sent(Error),
}

/// Every statement is made for one plan: index scans in the order of the index. Statistics that are missing or of a former
/// state must not lead to another one, which reads a whole table or sorts what a list would not visit. Engines that do not
/// have a setting have no row of it.
const PLANNER: &str = "SELECT set_config(name, \
     CASE name WHEN 'plan_cache_mode' THEN 'force_generic_plan' ELSE 'off' END, false) FROM pg_settings \
     WHERE name IN ('plan_cache_mode', 'enable_seqscan', 'enable_bitmapscan', 'enable_sort', 'enable_incremental_sort', \
     'jit')";

impl Connection {
    /// Connects to the first host that accepts and whose server takes writes. Returns the connection and the task that
    /// ends with it. Fails with a text that says what is wrong with each host.
    pub(super) async fn open(options: &PostgresOptions) -> Result<(Self, JoinHandle<()>), String> {
        let password = match &options.password_file {
            Some(file) => {
                let text = std::fs::read_to_string(file)
                    .map_err(|error| format!("password_file {}: {error}", file.display()))?;
                Some(text.trim_end_matches(['\n', '\r']).to_owned())
            }
            None => None,
        };
        let mut causes = Vec::new();
        for host in &options.hosts {
            let mut config = host.clone();
            if let Some(password) = &password {
                config.password(password);
            }
            let cause = match timeout(CONNECT_TIMEOUT, Self::open_host(&config, options)).await {
                Ok(Ok(opened)) => return Ok(opened),
                Ok(Err(cause)) => cause,
                Err(_) => format!("no connection within {CONNECT_TIMEOUT:?}"),
            };
            causes.push(format!("{}: {cause}", address(host)));
        }
        Err(causes.join("; "))
    }

    async fn open_host(config: &Config, options: &PostgresOptions) -> Result<(Self, JoinHandle<()>), String> {
        let (client, connection) =
            config.connect(options.tls.connector()?).await.map_err(|error| error::text(&error))?;
        // Its error is that of the requests that were sent.
        let driver = tokio::spawn(polled_last(connection).map(drop));
        // A commit that is acknowledged before it is on the disk can be lost. Other values than `off` are the operator's
        // choice of how many standbys have it as well.
        let durable = "SELECT set_config('synchronous_commit', 'on', false) \
                       WHERE current_setting('synchronous_commit') = 'off'";
        client.batch_execute(durable).await.map_err(|error| error::text(&error))?;
        client.batch_execute(PLANNER).await.map_err(|error| error::text(&error))?;
        let connection = Self {
            client,
            statements: Mutex::default(),
            responses: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            driver: driver.abort_handle(),
        };
        Ok((connection, driver))
    }

    /// Returns the prepared statement, which is prepared once for each connection.
    pub(super) async fn prepare_cached(&self, sql: &'static str) -> Result<Statement, Error> {
        let key = (sql.as_ptr().addr(), sql.len());
        let cached = self.statements.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(statement) = cached {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.lock().unwrap_or_else(PoisonError::into_inner).insert(key, statement.clone());
        Ok(statement)
    }

    /// Runs a statement and returns its rows.
    pub(super) async fn query_cached(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Failure> {
        let statement = self.prepare_cached(sql).await.map_err(Failure::NotPrepared)?;
        if self.is_closed() {
            return Err(Failure::Closed);
        }
        let result = self.client.query(&statement, parameters).await;
        self.responses.fetch_add(1, Ordering::Relaxed);
        result.map_err(Failure::Sent)
    }

    /// How many statements have had a response, or were lost with the connection.
    pub(super) fn responses(&self) -> u64 {
        self.responses.load(Ordering::Relaxed)
    }

    /// Forgets the prepared statements, after the schema has changed.
    pub(super) fn forget_statements(&self) {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Closes the connection. Requests without a response fail.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.driver.abort();
    }

    /// Returns whether the connection is closed or lost.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed) || self.client.is_closed()
    }
}

/// Polls a future of the driver only after the other tasks that can go on at the moment.
///
/// The first request that is sent wakes the driver's task, which tokio would run next and which would write that request
/// alone. This way, the requests of the tasks that a worker thread runs at once share one system call, of this process and of
/// the server's, and so do the responses.
async fn polled_last<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut has_waited = false;
    poll_fn(|context| {
        if !has_waited {
            has_waited = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        has_waited = false;
        future.as_mut().poll(context)
    })
    .await
}

impl Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}
