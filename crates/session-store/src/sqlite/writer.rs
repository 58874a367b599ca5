//! The one writer: a thread that commits in groups.

use std::thread;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::error::failed;
use crate::store::StoreError;

/// How many changes may wait: beyond it, callers wait for room instead of filling the memory.
const QUEUE_MAX: usize = 4_096;

/// How many changes one commit takes: a sync of the disk is shared by many, and no one waits for long.
const GROUP_MAX: usize = 512;

/// A change that waits to be written and answered.
trait Change: Send {
    /// Writes it in the open transaction; answers whether it is to be kept.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Answers the caller, after the commit or its failure.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Pending<F, T> {
    run: Option<F>,
    outcome: Result<T, StoreError>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Change for Pending<F, T>
where
    F: FnOnce(&Connection) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn run(&mut self, connection: &Connection) -> bool {
        if let Some(run) = self.run.take() {
            self.outcome = run(connection);
        }
        self.outcome.is_ok()
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        // A caller that has gone is not told; the change stands.
        let _ = self.reply.send(self.outcome.and_then(|value| committed.map(|()| value)));
    }
}

/// Hands changes to the thread that writes them. Dropping it waits until every change in its queue is written.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Change>>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread on a connection of its own.
    pub(super) fn start(connection: Connection) -> Result<Self, StoreError> {
        let (queue, changes) = mpsc::channel(QUEUE_MAX);
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || write_all(connection, changes))
            .map_err(|error| StoreError::Failed(error.to_string()))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Writes one change in a transaction that others may share; returns when it is on the disk, or when it is
    /// certain that it is not.
    pub(super) async fn submit<F, T>(&self, run: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let change = Box::new(Pending { run: Some(run), outcome: Err(stopped()), reply });
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.send(change).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // Its panic was reported by the thread itself.
            let _ = thread.join();
        }
    }
}

fn write_all(mut connection: Connection, mut changes: mpsc::Receiver<Box<dyn Change>>) {
    while let Some(first) = changes.blocking_recv() {
        let mut group = vec![first];
        while group.len() < GROUP_MAX
            && let Ok(next) = changes.try_recv()
        {
            group.push(next);
        }
        let committed = commit(&mut connection, &mut group);
        for change in group {
            change.answer(committed.clone());
        }
    }
}

fn commit(connection: &mut Connection, group: &mut [Box<dyn Change>]) -> Result<(), StoreError> {
    let mut transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    for change in group {
        // So that a change which fails half-way leaves nothing behind, and the others stand.
        let savepoint = transaction.savepoint().map_err(failed)?;
        if change.run(&savepoint) {
            savepoint.commit().map_err(failed)?;
        }
    }
    // A sync that fails leaves open what the disk has.
    transaction.commit().map_err(|error| StoreError::OutcomeUnknown(error.to_string()))
}

fn stopped() -> StoreError {
    StoreError::OutcomeUnknown("the writer has stopped".to_owned())
}
