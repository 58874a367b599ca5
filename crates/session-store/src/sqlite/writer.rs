//! The writer: one thread that commits changes in groups.

use std::thread;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::error::{Result, failed};
use crate::store::StoreError;

/// How many changes may wait. When the queue is full, callers wait for room instead of filling the memory.
const QUEUE_MAX: usize = 4_096;

/// How many changes one commit includes: many share a sync of the disk, and none waits for long.
const GROUP_MAX: usize = 512;

/// Makes a change in an open transaction. Returns whether it succeeded, and how to respond to its caller.
type Change = Box<dyn FnOnce(&Connection) -> (bool, Respond) + Send>;

/// Responds to the caller of a change, after the commit or its failure.
type Respond = Box<dyn FnOnce(Result<()>)>;

/// Sends changes to the thread that makes them. Dropping it waits until every change in the queue is made.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Change>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread, which owns the connection.
    pub(super) fn start(connection: Connection) -> Result<Self> {
        let (queue, changes) = mpsc::channel(QUEUE_MAX);
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || write_all(connection, changes))
            .map_err(|error| StoreError::Failed(error.to_string()))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Makes a change in a transaction that it may share with others. Returns when the change is on the disk, or has
    /// failed.
    pub(super) async fn submit<F, T>(&self, run: F) -> Result<T>
    where
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let change: Change = Box::new(move |connection| {
            let result = run(connection);
            let succeeded = result.is_ok();
            let respond: Respond = Box::new(move |committed| {
                // Fails if the caller has dropped its future. The change is made nevertheless.
                let _ = sender.send(result.and_then(|value| committed.map(|()| value)));
            });
            (succeeded, respond)
        });
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.send(change).await.map_err(|_| stopped())?;
        receiver.await.map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // The thread itself has reported its panic.
            let _ = thread.join();
        }
    }
}

fn write_all(mut connection: Connection, mut changes: mpsc::Receiver<Change>) {
    while let Some(first) = changes.blocking_recv() {
        let mut group = vec![first];
        while group.len() < GROUP_MAX
            && let Ok(next) = changes.try_recv()
        {
            group.push(next);
        }
        let mut responses = Vec::with_capacity(group.len());
        let committed = commit(&mut connection, group, &mut responses);
        for respond in responses {
            respond(committed.clone());
        }
    }
}

/// Makes the changes in one transaction. Adds a response for each; one that was not reached is dropped, and its caller
/// gets [`stopped`].
fn commit(connection: &mut Connection, group: Vec<Change>, responses: &mut Vec<Respond>) -> Result<()> {
    let mut transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    for change in group {
        // A change that fails half-way is rolled back without the others.
        let savepoint = transaction.savepoint().map_err(failed)?;
        let (succeeded, respond) = change(&savepoint);
        responses.push(respond);
        if succeeded {
            savepoint.commit().map_err(failed)?;
        }
    }
    // If the sync fails, what the disk has stored is not known.
    transaction.commit().map_err(|error| StoreError::OutcomeUnknown(error.to_string()))
}

fn stopped() -> StoreError {
    StoreError::OutcomeUnknown("the writer has stopped".to_owned())
}
