//! Transactions whose statements are sent without waiting for the responses in between: one round trip.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::task::Poll;

use futures::future::{BoxFuture, maybe_done};
use session_types::DomainId;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use super::column::Value;
use super::connection::Connection;
use super::database::{Database, TransactionError};
use super::error::Result;
use crate::store::StoreError;

/// How many statements are sent before the responses are read.
const IN_FLIGHT_MAX: usize = 256;

/// The isolation in which each statement sees what was committed before it began, and so what was committed before the
/// lock that a former statement waited for.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
const COMMIT: &str = "COMMIT";

/// A statement of a transaction.
pub(super) struct Step<'a> {
    pub(super) sql: &'static str,
    pub(super) parameters: Vec<Value<'a>>,
}

/// Returns the values as the driver takes them.
pub(super) fn parameters<'a>(values: &'a [Value<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values.iter().map(|value| value as _).collect()
}

/// Runs one read, outside of a transaction.
pub(super) async fn select(
    connection: &Connection,
    sql: &'static str,
    values: &[Value<'_>],
) -> std::result::Result<Vec<Row>, Error> {
    let statement = connection.prepare_cached(sql).await?;
    connection.query(&statement, &parameters(values)).await
}

/// Runs reads of many rows, of a domain or of the server itself, on a connection of their own, so that no request waits
/// behind them.
pub(super) async fn scan<T: Send + 'static>(
    database: &Database,
    domain_id: Option<DomainId>,
    work: impl for<'a> Fn(&'a Connection) -> BoxFuture<'a, std::result::Result<T, Error>> + Send + Sync + 'static,
) -> Result<T> {
    let turn = database.scans.next(domain_id).await?;
    let result = database.transaction(turn, (), move |connection, ()| {
        let read = work(connection);
        // A read changes nothing, so it is as if it was not sent.
        Box::pin(async move { read.await.map_err(TransactionError::NotSent) })
    });
    result.await.map_err(|error| match error {
        StoreError::OutcomeUnknown(text) => StoreError::Unavailable(text),
        other => other,
    })
}

/// Sends the statements in this order, and returns the rows of each. Fails with the first error.
pub(super) async fn send(
    connection: &Connection,
    steps: &[Step<'_>],
) -> std::result::Result<Vec<Vec<Row>>, TransactionError> {
    let mut results = Vec::with_capacity(steps.len());
    for steps in steps.chunks(IN_FLIGHT_MAX) {
        let mut queries = Vec::with_capacity(steps.len());
        for step in steps {
            let statement = connection.prepare_cached(step.sql).await.map_err(TransactionError::NotSent)?;
            let query = async move { connection.query(&statement, &parameters(&step.parameters)).await };
            queries.push(Box::pin(maybe_done(query)));
        }
        // Each is sent when it is polled first. The combinators of `futures` do not promise the order.
        poll_fn(|context| {
            let mut is_done = true;
            for query in &mut queries {
                is_done &= query.as_mut().poll(context).is_ready();
            }
            if is_done { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        for (query, step) in queries.iter_mut().zip(steps) {
            match query.as_mut().take_output() {
                Some(Ok(rows)) => results.push(rows),
                Some(Err(error)) if step.sql == COMMIT => return Err(TransactionError::Commit(error)),
                Some(Err(error)) => return Err(TransactionError::Statement(error)),
                None => {}
            }
        }
    }
    Ok(results)
}

/// The first statement of a transaction that needs no lock of a domain.
pub(super) const fn begin_alone() -> Step<'static> {
    Step { sql: BEGIN, parameters: Vec::new() }
}

/// Returns the first statements of a transaction that changes sessions of these domains: until it ends, no revocation of
/// many is added to them. So a later statement sees every revocation that was added before.
pub(super) fn begin(domains: impl IntoIterator<Item = DomainId>) -> Vec<Step<'static>> {
    let keys: BTreeSet<i64> = domains.into_iter().map(lock_key).collect();
    let keys = Value::List(keys.into_iter().map(Value::Number).collect());
    vec![
        begin_alone(),
        // In ascending order, so that two transactions never wait for each other.
        Step {
            sql: "SELECT pg_advisory_xact_lock_shared(key) FROM unnest($1::bigint[]) AS key",
            parameters: vec![keys],
        },
    ]
}

/// Returns the first statements of the transaction that adds a revocation of many to a domain. It waits for the end of those
/// that change sessions of the domain.
pub(super) fn begin_exclusively(domain_id: DomainId) -> Vec<Step<'static>> {
    vec![
        begin_alone(),
        Step {
            sql: "SELECT pg_advisory_xact_lock($1::bigint)",
            parameters: vec![Value::Number(lock_key(domain_id))],
        },
    ]
}

/// The last statement of a transaction.
pub(super) const fn commit() -> Step<'static> {
    Step { sql: COMMIT, parameters: Vec::new() }
}

/// The statement that ends a transaction without a change.
pub(super) const fn rollback() -> Step<'static> {
    Step { sql: "ROLLBACK", parameters: Vec::new() }
}

/// Returns the number of a domain's lock: the random end of its ID. Two domains with the same one would only wait for each
/// other.
fn lock_key(domain_id: DomainId) -> i64 {
    domain_id.0.as_bytes().last_chunk().map_or(0, |end| i64::from_be_bytes(*end))
}
