//! The writer: one thread that commits changes in groups, and copies the write-ahead log into the database.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use rusqlite::{Connection, TransactionBehavior, named_params};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};

use super::checkpoint::Checkpoints;
use super::connection::Readers;
use super::directory::{Directory, Record};
use super::error::{Result, begin_failed, commit_failed, failed};
use super::verify::{self, State};
use crate::store::StoreError;

/// How many changes may wait. When the queue is full, callers wait for room instead of filling the memory.
const QUEUE_MAX: usize = 4_096;

/// How many changes one commit includes: many share a sync of the disk, and none waits for long.
const GROUP_MAX: usize = 512;

/// Makes a change in an open transaction, or takes the error because of which there is none. Returns whether it
/// succeeded, and how to respond to its caller.
type Change = Box<dyn FnOnce(Result<&Connection>) -> (Result<()>, Respond) + Send>;

/// Responds to the caller of a change, after the commit or its failure.
type Respond = Box<dyn FnOnce(Result<()>)>;

/// Sends changes to the thread that makes them. Dropping it waits until every change in the queue is made.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Change>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread, which owns the connection. `checkpointed` is how many commits the database file has without
    /// its write-ahead log. Records the commits that the database has in the lock file. `readers` see every change that was
    /// acknowledged.
    pub(super) fn start(
        connection: Connection,
        readers: Arc<Readers>,
        directory: Arc<Directory>,
        checkpointed: u64,
    ) -> Result<Self> {
        let failed_io = |error: std::io::Error| StoreError::Failed(error.to_string());
        let Some(State { record, .. }) = verify::state(&connection).map_err(failed)? else {
            return Err(StoreError::Failed("it has no row in store_state".to_owned()));
        };
        let mut checkpoints =
            Checkpoints::new(&connection, Arc::clone(&readers), directory.database(), checkpointed)?;
        if checkpointed == 0 {
            // A new database, or one of an older schema: from now on, the file has the row without its log.
            checkpoints.truncate(&connection, record.commits);
        }
        directory.sync_record(Some(record)).map_err(failed_io)?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(failed_io)?;
        let committer = Committer { readers, checkpoints, connection, record, directory };
        let (queue, changes) = mpsc::channel(QUEUE_MAX);
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || committer.run(&runtime, changes))
            .map_err(failed_io)?;
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
        let change: Change = Box::new(move |transaction| {
            let result = transaction.and_then(|connection| {
                // A panic is rolled back like an error, so nothing is left half-changed.
                catch_unwind(AssertUnwindSafe(|| run(connection)))
                    .unwrap_or_else(|panic| Err(panicked(&*panic)))
            });
            let outcome = result.as_ref().map(|_| ()).map_err(StoreError::clone);
            let respond: Respond = Box::new(move |committed| {
                // Fails if the caller has dropped its future. The change is made nevertheless.
                let _ = sender.send(result.and_then(|value| committed.map(|()| value)));
            });
            (outcome, respond)
        });
        let stopped = || "the writer has stopped, see the panic in the log; restart the process".to_owned();
        let queue = self.queue.as_ref().ok_or_else(|| StoreError::Unavailable(stopped()))?;
        queue.send(change).await.map_err(|_| StoreError::Unavailable(stopped()))?;
        receiver.await.map_err(|_| StoreError::OutcomeUnknown(stopped()))?
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

/// What the thread owns.
struct Committer {
    readers: Arc<Readers>,
    checkpoints: Checkpoints,
    /// Dropped after the readers: SQLite empties the write-ahead log when the last connection is closed, if that one may write.
    connection: Connection,
    /// As of the last commit.
    record: Record,
    directory: Arc<Directory>,
}

impl Committer {
    /// Makes changes until no one can send any more.
    fn run(mut self, runtime: &Runtime, mut changes: mpsc::Receiver<Change>) {
        while let Some(first) = self.next(runtime, &mut changes) {
            let mut group = vec![first];
            while group.len() < GROUP_MAX
                && let Ok(next) = changes.try_recv()
            {
                group.push(next);
            }
            let mut responses = Vec::with_capacity(group.len());
            let committed = self.commit(group, &mut responses);
            // Whether or not it failed: what the disk has stored may not be known.
            self.readers.committed();
            for respond in responses {
                respond(committed.clone());
            }
            let has_failed = matches!(committed, Err(StoreError::Unavailable(_)));
            self.checkpoints.after_commit(&self.connection, self.record.commits, has_failed);
        }
    }

    /// Waits for the next change. Meanwhile, makes a checkpoint when its time comes.
    fn next(&mut self, runtime: &Runtime, changes: &mut mpsc::Receiver<Change>) -> Option<Change> {
        loop {
            match changes.try_recv() {
                Ok(change) => return Some(change),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => {}
            }
            let Some(wait) = self.checkpoints.wait() else { return changes.blocking_recv() };
            let received = async { tokio::time::timeout(wait, changes.recv()).await };
            match runtime.block_on(received) {
                Ok(received) => return received,
                Err(_) => self.checkpoints.truncate(&self.connection, self.record.commits),
            }
        }
    }

    /// Makes the changes in one transaction. Adds a response for each.
    fn commit(&mut self, group: Vec<Change>, responses: &mut Vec<Respond>) -> Result<()> {
        let begun = self.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let mut transaction = match begun.map_err(begin_failed) {
            Ok(transaction) => transaction,
            Err(error) => {
                responses.extend(group.into_iter().map(|change| change(Err(error.clone())).1));
                return Err(error);
            }
        };
        let changes_before = transaction.total_changes();
        let mut outcome: Result<()> = Ok(());
        for change in group {
            if let Err(error) = &outcome {
                responses.push(change(Err(error.clone())).1);
                continue;
            }
            // A change that fails half-way is rolled back without the others.
            let savepoint = match transaction.savepoint().map_err(failed) {
                Ok(savepoint) => savepoint,
                Err(error) => {
                    responses.push(change(Err(error.clone())).1);
                    outcome = Err(error);
                    continue;
                }
            };
            let (changed, respond) = change(Ok(&savepoint));
            responses.push(respond);
            if changed.is_ok() {
                outcome = savepoint.commit().map_err(failed);
            } else {
                drop(savepoint);
                // SQLite has rolled everything back, as on a full disk.
                if transaction.is_autocommit() {
                    outcome = changed;
                }
            }
        }
        outcome?;
        if transaction.total_changes() == changes_before {
            return transaction.commit().map_err(commit_failed);
        }
        let count =
            "UPDATE store_state SET commits = commits + 1, checkpointed = :checkpointed RETURNING commits";
        let commits = transaction
            .prepare_cached(count)
            .and_then(|mut count| {
                let parameters = named_params! { ":checkpointed": self.checkpoints.checkpointed() };
                count.query_row(parameters, |row| row.get(0))
            })
            .map_err(failed)?;
        transaction.commit().map_err(commit_failed)?;
        self.record.commits = commits;
        // If it fails, the record stays older than the database, which is no error.
        let _ = self.directory.write_record(self.record);
        Ok(())
    }
}

/// Returns the error of a change that panicked.
fn panicked(panic: &(dyn Any + Send)) -> StoreError {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    StoreError::Failed(format!("a change panicked and was rolled back: {text}"))
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;
    use tempfile::TempDir;

    use super::*;
    use crate::sqlite::connection::open_writer;

    fn start() -> (TempDir, Writer) {
        let folder = tempfile::tempdir().unwrap();
        let directory = Arc::new(Directory::lock(&folder.path().join("sessions.db")).unwrap());
        let connection = open_writer(directory.database()).unwrap();
        let readers = Arc::new(Readers::open(directory.database(), 1).unwrap());
        let writer = Writer::start(connection, readers, directory, 0).unwrap();
        (folder, writer)
    }

    /// Stores a setting with this value.
    fn set(connection: &Connection, value: &str) -> Result<()> {
        let sql = "INSERT INTO setting (name, value) VALUES (:value, :value)";
        connection.execute(sql, named_params! { ":value": value }).map(drop).map_err(failed)
    }

    /// Returns every setting, in order.
    async fn settings(writer: &Writer) -> String {
        let sql =
            "SELECT coalesce(group_concat(value, ' '), '') FROM (SELECT value FROM setting ORDER BY value)";
        let read =
            move |connection: &Connection| connection.query_row(sql, [], |row| row.get(0)).map_err(failed);
        writer.submit(read).await.unwrap()
    }

    /// Makes a change between two others, all three in one group. Returns their results.
    async fn in_one_group(
        writer: &Writer,
        change: impl FnOnce(&Connection) -> Result<()> + Send + 'static,
    ) -> [Result<()>; 3] {
        let (begin, begun) = oneshot::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let first = writer.submit(move |connection| {
            let _ = begin.send(());
            // While the writer makes this change, the others gather.
            let _ = ended.recv();
            set(connection, "first")
        });
        let gathering = async {
            begun.await.unwrap();
            let others =
                [set_later(writer, "before"), Box::pin(writer.submit(change)), set_later(writer, "later")];
            let gathered = async { end.send(()).unwrap() };
            let [one, two, three] = others;
            let (one, two, three, ()) = tokio::join!(one, two, three, gathered);
            [one, two, three]
        };
        let (first, others) = tokio::join!(first, gathering);
        assert_eq!(first, Ok(()));
        others
    }

    type Submitted<'a> = std::pin::Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

    fn set_later<'a>(writer: &'a Writer, value: &'static str) -> Submitted<'a> {
        Box::pin(writer.submit(move |connection| set(connection, value)))
    }

    #[tokio::test]
    async fn a_panic_in_a_change_is_rolled_back_and_the_others_of_its_group_are_made() {
        let (_folder, writer) = start();
        let [before, panic, after] = in_one_group(&writer, |connection| {
            set(connection, "half")?;
            panic!("seeded");
        })
        .await;
        assert_eq!((before, after), (Ok(()), Ok(())));
        let Err(StoreError::Failed(text)) = panic else { panic!("{panic:?}") };
        assert!(text.contains("seeded"), "{text}");
        assert_eq!(settings(&writer).await, "before first later");
    }

    #[tokio::test]
    async fn when_sqlite_rolls_the_transaction_back_no_change_of_its_group_is_made_or_reported_as_made() {
        let (_folder, writer) = start();
        let results = in_one_group(&writer, |connection| {
            set(connection, "half")?;
            // As SQLite does on a full disk.
            connection.execute_batch("ROLLBACK").map_err(failed)?;
            Err(failed(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_FULL), None)))
        })
        .await;
        for result in results {
            assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
        }
        assert_eq!(settings(&writer).await, "first");
        assert_eq!(set_later(&writer, "next").await, Ok(()));
    }

    #[tokio::test]
    async fn a_change_while_another_process_holds_the_lock_is_not_made_and_says_so() {
        let (folder, writer) = start();
        writer
            .submit(|connection| connection.busy_timeout(std::time::Duration::ZERO).map_err(failed))
            .await
            .unwrap();
        let other = Connection::open(folder.path().join("sessions.db")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let refused = writer.submit(|connection| set(connection, "late")).await;
        assert!(
            matches!(&refused, Err(StoreError::Unavailable(text)) if text.contains("locked")),
            "{refused:?}"
        );
        other.execute_batch("ROLLBACK").unwrap();
        assert_eq!(settings(&writer).await, "");
    }

    #[tokio::test]
    async fn a_writer_whose_thread_has_ended_takes_no_change() {
        let (queue, changes) = mpsc::channel(1);
        drop(changes);
        let writer = Writer { queue: Some(queue), thread: None };
        let refused = writer.submit(|connection| set(connection, "never")).await;
        assert!(
            matches!(&refused, Err(StoreError::Unavailable(text)) if text.contains("has stopped")),
            "{refused:?}"
        );
    }
}
