//! When the write-ahead log is copied into the database.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::connection::{Readers, WRITER_BUSY_TIMEOUT};
use super::error::{Result, failed};

/// How many pages of 4 KiB the write-ahead log grows to before a checkpoint copies them into the database: 64 MiB.
/// SQLite's default of 1,000 is reached several times a second when many sessions are created or seen. Each checkpoint
/// syncs the disk twice and copies pages that are about to change again.
const LOG_PAGES: u32 = 16_000;

/// As [`LOG_PAGES`], while the disk has less than [`SPACE_LOW_BYTES`]: 4 MiB.
const LOG_PAGES_IN_LITTLE_SPACE: u32 = 1_000;

/// How much space of the disk is little, in bytes: four times the longest write-ahead log.
const SPACE_LOW_BYTES: u64 = 256 * 1024 * 1024;

/// To how many bytes a write-ahead log that has grown further, because a long read held up its checkpoint, is cut when it
/// begins again. Up to there its space is used again, since to extend a file takes longer than to overwrite it.
const LOG_BYTES_KEPT: u32 = LOG_PAGES * 4_096;

/// How long pages stay in the write-ahead log at most, unless reads hold up the checkpoint. It is then empty, so that its
/// space is free after a burst, and the next start does not have to read it.
const INTERVAL: Duration = Duration::from_mins(1);

/// The pause after a checkpoint that could not copy everything: a long read holds it up, or the disk is full.
const PAUSE: Duration = Duration::from_secs(1);

/// Makes the checkpoints of the writer's connection.
#[derive(Debug)]
pub(super) struct Checkpoints {
    database: PathBuf,
    /// Whose snapshots hold up a checkpoint.
    readers: Arc<Readers>,
    /// The number of commits as of which the database file is complete.
    checkpointed: u64,
    /// How many pages the write-ahead log has.
    log_pages: u32,
    /// Of the last complete checkpoint.
    last: Instant,
    /// No checkpoint before this time.
    paused_until: Instant,
}

impl Checkpoints {
    /// Takes over the checkpoints from SQLite. `checkpointed` is how many commits the database file has.
    pub(super) fn new(
        connection: &Connection,
        readers: Arc<Readers>,
        database: &Path,
        checkpointed: u64,
    ) -> Result<Self> {
        connection.pragma_update(None, "wal_autocheckpoint", 0).map_err(failed)?;
        connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT).map_err(failed)?;
        let now = Instant::now();
        let (log_pages, _) = checkpoint(connection, "NOOP").map_err(failed)?;
        let database = database.to_owned();
        Ok(Self { database, readers, checkpointed, log_pages, last: now, paused_until: now })
    }

    /// How many commits the database file has without its write-ahead log, at least.
    pub(super) const fn checkpointed(&self) -> u64 {
        self.checkpointed
    }

    /// Makes a checkpoint if the write-ahead log is long, or space is short, or a commit has failed for lack of it.
    /// `commits` is the number of commits so far.
    pub(super) fn after_commit(&mut self, connection: &Connection, commits: u64, has_failed: bool) {
        self.log_pages = checkpoint(connection, "NOOP").map_or(self.log_pages, |(log, _)| log);
        let is_long = self.log_pages >= LOG_PAGES
            || self.log_pages >= LOG_PAGES_IN_LITTLE_SPACE && has_little_space(&self.database);
        if (is_long || has_failed) && Instant::now() >= self.paused_until {
            // The next commit begins the log again, in the same space.
            self.run(connection, "PASSIVE", commits);
        } else if self.last.elapsed() >= INTERVAL {
            self.truncate(connection, commits);
        }
    }

    /// How long the writer may wait for a change until [`Checkpoints::truncate`] is due; `None` if the log is empty.
    pub(super) fn wait(&self) -> Option<Duration> {
        let due = self.paused_until.max(self.last + INTERVAL);
        (self.log_pages > 0).then(|| due.saturating_duration_since(Instant::now()))
    }

    /// Makes a checkpoint and empties the write-ahead log, unless a read uses it.
    pub(super) fn truncate(&mut self, connection: &Connection, commits: u64) {
        // Without waiting for reads: changes would wait as well.
        if connection.busy_timeout(Duration::ZERO).is_ok() {
            self.run(connection, "TRUNCATE", commits);
            let _ = connection.busy_timeout(WRITER_BUSY_TIMEOUT);
        }
    }

    fn run(&mut self, connection: &Connection, mode: &str, commits: u64) {
        let now = Instant::now();
        // Those that begin from here on have every page, so that all can be copied.
        self.readers.end_snapshots();
        let mut copied = checkpoint(connection, "PASSIVE");
        // Those that begin from here on need the database alone, so that the log can be emptied or begin again.
        self.readers.end_snapshots();
        if mode == "TRUNCATE" {
            copied = copied.and_then(|_| checkpoint(connection, mode));
        }
        match copied {
            Ok((log, copied)) if log == copied => {
                self.checkpointed = commits;
                self.log_pages = log;
                self.last = now;
                // Pages remain in the log until the next commit, which begins it again.
                self.paused_until = now + PAUSE;
            }
            // What fails here fails for the commits as well, and is reported there.
            Ok(_) | Err(_) => self.paused_until = now + PAUSE,
        }
    }
}

/// Makes a checkpoint. Returns how many pages the write-ahead log has, and how many of them are in the database.
fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<(u32, u32)> {
    connection
        .prepare_cached(&format!("PRAGMA wal_checkpoint({mode})"))?
        .query_row([], |row| Ok((row.get(1)?, row.get(2)?)))
}

/// Returns whether the disk of this file has little space left.
fn has_little_space(path: &Path) -> bool {
    rustix::fs::statvfs(path).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < SPACE_LOW_BYTES)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::sqlite::connection::open_writer;

    #[test]
    fn a_checkpoint_is_due_when_the_log_is_long_or_old_or_a_commit_failed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.db");
        let connection = open_writer(&path).unwrap();
        let readers = Arc::new(Readers::open(&path, 2).unwrap());
        let mut checkpoints = Checkpoints::new(&connection, Arc::clone(&readers), &path, 0).unwrap();
        let log_bytes = || folder.path().join("sessions.db-wal").metadata().unwrap().len();
        let set = |value: u32| {
            let bytes = 4_096 * value;
            connection
                .execute("INSERT OR REPLACE INTO setting VALUES ('x', hex(zeroblob(:b / 2)))", [bytes])
                .unwrap()
        };
        assert!(checkpoints.wait().is_some(), "the schema is in the log");

        set(10);
        checkpoints.after_commit(&connection, 1, false);
        assert!(checkpoints.log_pages > 10);
        assert_eq!(checkpoints.checkpointed(), 0, "it is neither long nor old");
        checkpoints.after_commit(&connection, 1, true);
        assert_eq!(checkpoints.checkpointed(), 1, "a commit has failed");

        checkpoints.paused_until = Instant::now();
        set(LOG_PAGES);
        checkpoints.after_commit(&connection, 2, false);
        assert_eq!(checkpoints.checkpointed(), 2, "it is long");
        let long = log_bytes();
        assert!(long > u64::from(LOG_BYTES_KEPT), "{long}");
        set(1);
        assert_eq!(log_bytes(), u64::from(LOG_BYTES_KEPT), "the next commit cuts it");

        checkpoints.last -= INTERVAL;
        checkpoints.after_commit(&connection, 3, false);
        assert_eq!((checkpoints.checkpointed(), log_bytes()), (3, 0), "it is old");
        assert_eq!(checkpoints.wait(), None);

        set(2);
        checkpoints.after_commit(&connection, 4, false);
        let reader = open_writer(&path).unwrap();
        reader.execute_batch("BEGIN; SELECT * FROM setting").unwrap();
        set(3);
        checkpoints.truncate(&connection, 5);
        assert_eq!(checkpoints.checkpointed(), 3, "a read holds it up");
        assert!(checkpoints.wait().is_some_and(|wait| wait <= INTERVAL));
        reader.execute_batch("COMMIT").unwrap();
        checkpoints.truncate(&connection, 5);
        assert_eq!((checkpoints.checkpointed(), log_bytes()), (5, 0));
    }

    /// Reads on a connection of [`Readers`] until the flag is set. Returns the number of reads.
    fn read_until(readers: &Readers, ended: &AtomicBool) -> u64 {
        let mut reads = 0;
        while !ended.load(Ordering::Relaxed) {
            let read = |connection: &Connection| {
                connection.query_row("SELECT count(*) FROM setting", [], |_| Ok(())).map_err(failed)
            };
            readers.read(read).unwrap();
            reads += 1;
        }
        reads
    }

    /// Commits and makes a checkpoint, many times. Returns the lengths of the log in bytes, after each.
    fn log_bytes(checkpoints: &mut Checkpoints, connection: &Connection, mode: &str) -> Vec<u64> {
        let log = checkpoints.database.with_extension("db-wal");
        let mut bytes = Vec::new();
        for _ in 0..50 {
            connection
                .execute("INSERT OR REPLACE INTO setting VALUES ('x', hex(randomblob(20000)))", [])
                .unwrap();
            checkpoints.readers.committed();
            checkpoints.run(connection, mode, 1);
            bytes.push(log.metadata().unwrap().len());
        }
        bytes
    }

    #[test]
    fn checkpoints_empty_the_log_or_let_it_begin_again_while_readers_are_idle_or_busy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.db");
        let connection = open_writer(&path).unwrap();
        let readers = Arc::new(Readers::open(&path, 2).unwrap());
        let mut checkpoints = Checkpoints::new(&connection, Arc::clone(&readers), &path, 0).unwrap();
        let mut measure = |readers_are: &str| {
            let emptied = log_bytes(&mut checkpoints, &connection, "TRUNCATE");
            assert!(emptied.iter().all(|bytes| *bytes == 0), "{readers_are}: {emptied:?}");
            let begun_again = log_bytes(&mut checkpoints, &connection, "PASSIVE");
            // As long as two of the commits.
            assert!(begun_again.iter().all(|bytes| *bytes <= 200_000), "{readers_are}: {begun_again:?}");
        };
        readers
            .read(|reader| reader.query_row("SELECT count(*) FROM setting", [], |_| Ok(())).map_err(failed))
            .unwrap();
        measure("idle");
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let busy = [0; 2].map(|_| scope.spawn(|| read_until(&readers, &ended)));
            let measured = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| measure("busy")));
            ended.store(true, Ordering::Relaxed);
            assert!(busy.into_iter().all(|reader| reader.join().unwrap() > 0), "a reader never read");
            measured.unwrap();
        });
    }
}
