//! Running statements and transactions: which connection, how long, and what is repeated.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use deadpool::Runtime;
use deadpool::managed::{self, Pool, PoolError, RecycleError, RecycleResult, TimeoutType};
use futures::future::BoxFuture;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use super::connection::{Connection, Failure};
use super::error::{self, Cause, PostgresOpenError};
use super::migrations;
use super::options::{CONNECT_TIMEOUT, PostgresOptions};
use super::shared::SharedConnections;
use super::turns::{Bounds, Turn, Turns};
use crate::migrated::Migrated;
use crate::store::StoreError;

type Result<T> = std::result::Result<T, StoreError>;

/// How long a statement or a transaction may take with everything that is repeated. Longer than the server's
/// `statement_timeout`, so that the server reports what it did; shorter than the five seconds that a request waits for the
/// store, so that the outcome is known more exactly than "it took too long". A connection without any response for this
/// long is closed, so that others do not wait behind it.
const TIMEOUT: Duration = Duration::from_millis(4500);

/// How many changes have a connection each, and how many those of one domain. A change is a round trip and a sync of the disk,
/// so eight are thousands of changes a second; and a domain whose changes all wait for a lock leaves two to others. Of one
/// domain, as many wait as are made in about a second.
const CHANGES: Bounds = Bounds { all: 8, of_domain: 6, waiting: 2_000, what: "changes" };

/// How many reads of many rows have a connection each, and how many those of one domain. As many of one domain wait as the
/// embedded store lets wait.
const SCANS: Bounds = Bounds { all: 4, of_domain: 2, waiting: 256, what: "lists" };

/// How many connections have one transaction or read each: as many as have a turn, so that neither kind
/// waits for the other. With the shared ones, a server with its default of 100 connections takes seven nodes.
const POOL_CONNECTIONS: usize = CHANGES.all + SCANS.all;

/// How many times a statement or transaction is repeated that lost against another one.
const CONFLICTS_MAX: usize = 5;

/// How many times a read is repeated whose connection was lost: once for each shared connection, because the loss of the
/// second may be noticed only when it is used.
const REPEATS_MAX: usize = 2;

/// The database as the store uses it.
pub(super) struct Database {
    shared: SharedConnections,
    pool: Pool<Manager>,
    /// The turns of transactions that change something.
    pub(super) changes: Turns,
    /// The turns of reads of many rows.
    pub(super) scans: Turns,
    migrated: Migrated,
}

/// The work of a transaction failed.
pub(super) enum TransactionError {
    /// The store's error; it is passed on.
    Store(StoreError),
    /// A statement could not be prepared, and none was sent.
    NotSent(Error),
    /// A statement failed, or the connection was lost. The transaction is not committed if the server reported it.
    Statement(Error),
    /// The commit failed.
    Commit(Error),
}

impl From<StoreError> for TransactionError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Error> for TransactionError {
    fn from(error: Error) -> Self {
        Self::Statement(error)
    }
}

/// What happens after an attempt that failed.
enum Next {
    /// It is made again at once, at most as often as [`REPEATS_MAX`]: nothing was changed, and the cause is gone.
    Again(StoreError),
    /// It is made again after a delay: nothing was changed.
    Later(StoreError),
    /// This is the result.
    Fail(StoreError),
}

impl Database {
    /// Connects and migrates the database. Then connections are made when they are needed.
    pub(super) async fn connect(options: PostgresOptions) -> std::result::Result<Self, PostgresOpenError> {
        let migrated = migrations::migrate(&options).await?;
        let options = Arc::new(options);
        let pool = Pool::builder(Manager { options: Arc::clone(&options) })
            .max_size(POOL_CONNECTIONS)
            .wait_timeout(Some(TIMEOUT))
            .create_timeout(Some(CONNECT_TIMEOUT * u32::try_from(options.hosts.len()).unwrap_or(1)))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| PostgresOpenError(error.to_string()))?;
        Ok(Self {
            shared: SharedConnections::start(&options),
            pool,
            changes: Turns::new(CHANGES),
            scans: Turns::new(SCANS),
            migrated,
        })
    }

    /// What [`Database::connect`] did to the schema.
    pub(super) const fn migrated(&self) -> Migrated {
        self.migrated
    }

    /// Runs one statement that changes nothing, on a shared connection. It is repeated once on another connection if the
    /// first was lost.
    pub(super) async fn read(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>> {
        self.statement(sql, parameters, true).await
    }

    /// Runs one statement that changes something, as a transaction of its own on a shared connection. If the connection
    /// was lost after it was sent, it fails with [`StoreError::OutcomeUnknown`]. When the future is dropped, what was sent
    /// is carried out nevertheless.
    pub(super) async fn change(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>> {
        self.statement(sql, parameters, false).await
    }

    async fn statement(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
        is_read: bool,
    ) -> Result<Vec<Row>> {
        let deadline = Instant::now() + TIMEOUT;
        let mut repeats = Repeats::new(deadline);
        loop {
            let attempt = self.shared.with(deadline, async |shared| {
                let connection = &shared.connection;
                let responses = connection.responses();
                match timeout_at(deadline, connection.query_cached(sql, parameters)).await {
                    Ok(Ok(rows)) => Ok(rows),
                    Ok(Err(failure)) => Err(after_failure(connection, failure, is_read)),
                    Err(_) => {
                        if connection.responses() == responses {
                            connection.close();
                        }
                        let text = format!("no response within {TIMEOUT:?}");
                        Err(Next::Fail(if is_read {
                            StoreError::Unavailable(text)
                        } else {
                            StoreError::OutcomeUnknown(text)
                        }))
                    }
                }
            });
            match attempt.await? {
                Ok(rows) => return Ok(rows),
                Err(next) => repeats.wait(next).await?,
            }
        }
    }

    /// Runs a transaction on a connection of its own, in a task of its own: when the future is dropped, it goes on, and keeps
    /// its turn.
    ///
    /// `work` sends everything from `BEGIN ISOLATION LEVEL READ COMMITTED` to `COMMIT`, at best without waiting in between,
    /// and returns the first error. It is called again, with the same `input`, if the transaction lost against another one,
    /// and if nothing was sent. What it decides after its `COMMIT` or `ROLLBACK` it returns in `T`; after an error, a
    /// `ROLLBACK` is sent.
    pub(super) async fn transaction<I: Send + Sync + 'static, T: Send + 'static>(
        &self,
        turn: Turn,
        input: I,
        work: impl for<'a> Fn(&'a Connection, &'a I) -> BoxFuture<'a, std::result::Result<T, TransactionError>>
        + Send
        + Sync
        + 'static,
    ) -> Result<T> {
        let pool = self.pool.clone();
        let task = tokio::spawn(async move {
            // All of it, until the end.
            let turn = turn;
            let deadline = turn.since + TIMEOUT;
            let mut repeats = Repeats::new(deadline);
            loop {
                let connection = match timeout_at(deadline, pool.get()).await {
                    Ok(connection) => connection.map_err(no_connection)?,
                    Err(_) => {
                        return Err(StoreError::Unavailable(format!("no connection within {TIMEOUT:?}")));
                    }
                };
                let next = match timeout_at(deadline, work(&connection, &input)).await {
                    Ok(Ok(done)) => return Ok(done),
                    Ok(Err(error)) => after_error(connection, error, &pool, deadline).await,
                    Err(_) => {
                        connection.close();
                        Next::Fail(StoreError::OutcomeUnknown(format!("no response within {TIMEOUT:?}")))
                    }
                };
                repeats.wait(next).await?;
            }
        });
        task.await.map_err(|error| StoreError::OutcomeUnknown(format!("the transaction stopped: {error}")))?
    }
}

/// Decides what happens after a statement on a shared connection failed.
fn after_failure(connection: &Connection, failure: Failure, is_read: bool) -> Next {
    let (error, sent) = match failure {
        Failure::Closed => return Next::Again(StoreError::Unavailable("connection closed".to_owned())),
        Failure::NotPrepared(error) => (error, false),
        Failure::Sent(error) => (error, true),
    };
    let cause = error::cause(&error);
    if matches!(cause, Some(Cause::Leaving | Cause::Lost)) {
        connection.close();
    }
    let repeatable = is_read || !sent;
    let failed = if repeatable { error::read_failed(&error) } else { error::change_failed(&error) };
    match cause {
        Some(Cause::Leaving | Cause::Lost) if repeatable => Next::Again(failed),
        Some(Cause::StalePlan) if sent => {
            connection.forget_statements();
            Next::Again(failed)
        }
        Some(Cause::Conflict) => Next::Later(failed),
        _ => Next::Fail(failed),
    }
}

/// Decides what happens after a transaction failed, and leaves its connection without a transaction.
async fn after_error(
    connection: managed::Object<Manager>,
    error: TransactionError,
    pool: &Pool<Manager>,
    deadline: Instant,
) -> Next {
    let (failed, error, sent) = match error {
        TransactionError::Store(error) => (error, None, true),
        TransactionError::NotSent(error) => (error::read_failed(&error), Some(error), false),
        TransactionError::Statement(error) => (error::change_failed(&error), Some(error), true),
        TransactionError::Commit(error) => (error::commit_failed(&error), Some(error), true),
    };
    let cause = error.as_ref().and_then(error::cause);
    if matches!(cause, Some(Cause::Leaving | Cause::Lost)) {
        connection.close();
        // The others are connected to the same server.
        pool.retain(|_, _| false);
    } else if !matches!(timeout_at(deadline, connection.batch_execute("ROLLBACK")).await, Ok(Ok(()))) {
        connection.close();
    }
    match cause {
        Some(Cause::Leaving | Cause::Lost) if !sent => Next::Again(failed),
        Some(Cause::StalePlan) => {
            connection.forget_statements();
            Next::Again(failed)
        }
        Some(Cause::Conflict) => Next::Later(failed),
        _ => Next::Fail(failed),
    }
}

/// What may still be repeated.
struct Repeats {
    deadline: Instant,
    at_once: usize,
    /// Made for the first of them.
    delays: Option<ExponentialBackoff>,
}

impl Repeats {
    const fn new(deadline: Instant) -> Self {
        Self { deadline, at_once: REPEATS_MAX, delays: None }
    }

    fn next_delay(&mut self) -> Option<Duration> {
        let delays = self.delays.get_or_insert_with(|| {
            let delays = ExponentialBuilder::default()
                .with_min_delay(Duration::from_millis(5))
                .with_max_delay(Duration::from_millis(200))
                .with_max_times(CONFLICTS_MAX)
                .with_jitter();
            delays.build()
        });
        delays.next()
    }

    /// Waits until the next attempt. Fails with the error if there is none.
    async fn wait(&mut self, next: Next) -> Result<()> {
        match next {
            Next::Again(_) if self.at_once > 0 => {
                self.at_once -= 1;
                Ok(())
            }
            Next::Later(error) => match self.next_delay() {
                Some(delay) if Instant::now() + delay < self.deadline => {
                    sleep(delay).await;
                    Ok(())
                }
                _ => Err(error),
            },
            Next::Again(error) | Next::Fail(error) => Err(error),
        }
    }
}

/// Makes the connections of the pool.
struct Manager {
    options: Arc<PostgresOptions>,
}

impl managed::Manager for Manager {
    type Type = Connection;
    type Error = String;

    async fn create(&self) -> std::result::Result<Connection, String> {
        Connection::open(&self.options).await.map(|(connection, _)| connection)
    }

    async fn recycle(&self, connection: &mut Connection, _: &managed::Metrics) -> RecycleResult<String> {
        if connection.is_closed() { Err(RecycleError::message("closed")) } else { Ok(()) }
    }
}

fn no_connection(error: PoolError<String>) -> StoreError {
    StoreError::Unavailable(match error {
        PoolError::Backend(cause) => cause,
        PoolError::Timeout(TimeoutType::Wait) => {
            format!("{POOL_CONNECTIONS} transactions are running, and none ended within {TIMEOUT:?}")
        }
        other => other.to_string(),
    })
}
