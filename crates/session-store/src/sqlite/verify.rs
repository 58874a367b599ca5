//! Whether the files of a store are complete, before anything is changed.
//!
//! Each commit adds one to `store_state.commits` in its own transaction, and is then recorded in the lock file, without a
//! sync. So the database may have more commits than the record after a power failure, and never fewer unless some were
//! lost. `store_state.checkpointed` says how many commits the database file has without its write-ahead log: an older
//! file does not belong to that log. `docs/decisions/0017-lost-commits.md` has the reasons.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::connection::WRITER_BUSY_TIMEOUT;
use super::directory::{Directory, Record, StoreId, refused, with_suffix};
use super::error::OpenError;

/// The first bytes of every database of SQLite.
const DATABASE_MARK: &[u8] = b"SQLite format 3\0";

/// The first bytes of every write-ahead log of SQLite, but for the last bit, which is the byte order of its checksums.
const LOG_MARK: [u8; 4] = [0x37, 0x7f, 0x06, 0x82];

/// What to do about files that are not complete.
const WHAT_TO_DO: &str = "put the latest files back, or run `sessiond restore FILE` with a backup; to go on with what is \
                          left, move sessiond.lock away and start again";

/// The row of the table `store_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) record: Record,
    pub(super) checkpointed: u64,
}

/// Files that are complete.
#[derive(Debug)]
pub(super) struct Verified {
    /// Whether there is no store yet.
    pub(super) is_new: bool,
    /// How many commits the database file has without its write-ahead log.
    pub(super) checkpointed: u64,
    /// Open until another connection is, so that SQLite reads the write-ahead log only once.
    _connection: Option<Connection>,
}

/// Verifies that the files are complete. Fails otherwise, and has changed none of them, but for the `-shm`, which SQLite
/// computes from the others.
pub(super) fn verify(directory: &Directory) -> Result<Verified, OpenError> {
    let record = directory.record()?;
    let path = directory.database();
    let log = with_suffix(path, "-wal");
    let log_bytes = length(&log)?.unwrap_or(0);
    let database = match length(path)? {
        None => "it does not exist",
        Some(0) => "it is empty",
        Some(_) => return verify_existing(directory, record.as_ref(), log_bytes),
    };
    if log_bytes > 0 {
        let reason = format!("{database}, but {} has {log_bytes} bytes; {WHAT_TO_DO}", log.display());
        return Err(refused(path, reason));
    }
    if let Some(record) = record {
        let lock = directory.lock_file();
        let commits = record.commits;
        let reason = format!("{database}, but {} records {commits} commits; {WHAT_TO_DO}", lock.display());
        return Err(refused(path, reason));
    }
    Ok(Verified { is_new: true, checkpointed: 0, _connection: None })
}

fn verify_existing(
    directory: &Directory,
    record: Option<&Record>,
    log_bytes: u64,
) -> Result<Verified, OpenError> {
    let path = directory.database();
    let index = with_suffix(path, "-shm");
    let had_index = length(&index)?.is_some();
    let verified = compare(directory, record, log_bytes);
    if verified.is_err() && !had_index {
        // SQLite has created it.
        let _ = std::fs::remove_file(index);
    }
    verified
}

fn compare(directory: &Directory, record: Option<&Record>, log_bytes: u64) -> Result<Verified, OpenError> {
    let path = directory.database();
    let damaged = |error: &dyn std::fmt::Display| {
        refused(path, format!("it is damaged, or not the database of a store: {error}; {WHAT_TO_DO}"))
    };
    // Before SQLite has locked the file: closing any descriptor of it would remove the locks.
    let is_short = is_short(path)?;
    let alone = open_alone(path).and_then(|connection| state(&connection));
    let (connection, state) = if log_bytes == 0 {
        // Without a write-ahead log, this is the whole store, and SQLite creates no other files to read it.
        (None, alone.as_ref().map_err(|error| damaged(error)).copied()?)
    } else {
        let connection = open_unchanged(path).map_err(|error| damaged(&error))?;
        let state = state(&connection).map_err(|error| damaged(&error))?;
        (Some(connection), state)
    };
    let checkpointed = match (&state, record) {
        (Some(state), _) => compare_counts(directory, record, log_bytes, state, &alone)?,
        (None, Some(record)) => {
            let (lock, commits) = (directory.lock_file(), record.commits);
            let reason = format!(
                "it has no commits, but {} records {commits}: it is another database or an older copy; {WHAT_TO_DO}",
                lock.display()
            );
            return Err(refused(path, reason));
        }
        // A database of the schema before that table.
        (None, None) => 0,
    };
    // A checkpoint that was interrupted leaves a file that is complete only with its write-ahead log. So does damage,
    // but not with every page. Without a record, an older schema has no counts to compare either.
    let may_be_mixed = state.is_some() || log_bytes > 0;
    if is_short || alone.is_err() || record.is_none() && may_be_mixed {
        let connection = match &connection {
            Some(connection) => connection,
            None => &open_alone(path).map_err(|error| damaged(&error))?,
        };
        if let Some(problem) = integrity_problem(connection).map_err(|error| damaged(&error))? {
            return Err(damaged(&problem));
        }
    }
    Ok(Verified { is_new: false, checkpointed, _connection: connection })
}

/// Compares the state of the database with the record in the lock file, and with that of the database file `alone`,
/// without its write-ahead log. Returns how many commits the database file has alone; 0 if that cannot be read.
fn compare_counts(
    directory: &Directory,
    record: Option<&Record>,
    log_bytes: u64,
    state: &State,
    alone: &rusqlite::Result<Option<State>>,
) -> Result<u64, OpenError> {
    let path = directory.database();
    let refuse = |reason: String| Err(refused(path, format!("{reason}; {WHAT_TO_DO}")));
    let of_other_store = |other: StoreId| other != state.record.store_id;
    if record.is_some_and(|record| of_other_store(record.store_id)) {
        return refuse(format!("{} belongs to another store", directory.lock_file().display()));
    }
    let commits = state.record.commits;
    if let Some(expected) = record.map(|record| record.commits).filter(|expected| *expected > commits) {
        let lost = expected - commits;
        let log = log_state(&with_suffix(path, "-wal"), log_bytes)?;
        return refuse(format!("it has {commits} of {expected} commits, so the last {lost} are lost: {log}"));
    }
    let in_file = match alone {
        Ok(Some(alone)) if of_other_store(alone.record.store_id) => {
            return refuse("its -wal belongs to another store".to_owned());
        }
        Ok(alone) => alone.map_or(0, |alone| alone.record.commits),
        Err(_) => return Ok(0),
    };
    if in_file > commits {
        return refuse(format!(
            "its -wal is an older copy: it ends at commit {commits}, and the database has {in_file}"
        ));
    }
    let begin = state.checkpointed;
    if in_file < begin {
        return refuse(format!(
            "it is an older copy: it has {in_file} commits, and its -wal begins after {begin}"
        ));
    }
    Ok(in_file)
}

/// Returns the length of a file in bytes; `None` if it does not exist.
fn length(path: &Path) -> Result<Option<u64>, OpenError> {
    match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => Ok(Some(found.map_err(|error| refused(path, error))?.len())),
    }
}

/// Returns the first bytes of a file, at most as many.
fn first_bytes(path: &Path, count: u64) -> Result<Vec<u8>, OpenError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(count).read_to_end(&mut bytes))
        .map_err(|error| refused(path, error))?;
    Ok(bytes)
}

/// Returns whether the database file has fewer pages than its header says, or no header.
fn is_short(path: &Path) -> Result<bool, OpenError> {
    let length = length(path)?.unwrap_or(0);
    let header = first_bytes(path, 32)?;
    let (Some(DATABASE_MARK), Some(&[high, low]), Some(pages)) =
        (header.get(..16), header.get(16..18), header.get(28..32))
    else {
        return Ok(true);
    };
    // 1 stands for the one size that two bytes cannot represent.
    let page_bytes = match u64::from(u16::from_be_bytes([high, low])) {
        1 => 65_536,
        bytes => bytes,
    };
    let pages = pages.iter().fold(0, |pages, byte| pages << 8 | u64::from(*byte));
    Ok(length < pages * page_bytes)
}

/// Returns what an operator should know of the write-ahead log.
fn log_state(path: &Path, bytes: u64) -> Result<String, OpenError> {
    let begins = first_bytes_of_existing(path)?;
    let name = path.display();
    Ok(match begins {
        None => format!("{name} does not exist"),
        Some(_) if bytes == 0 => format!("{name} is empty"),
        Some(begin) if begin.len() < 4 || begin[..3] != LOG_MARK[..3] || begin[3] & 0xfe != LOG_MARK[3] => {
            format!("{name} is damaged, it does not begin as a write-ahead log does")
        }
        Some(_) => format!("{name} or the database is an older copy, or was cut off or damaged"),
    })
}

fn first_bytes_of_existing(path: &Path) -> Result<Option<Vec<u8>>, OpenError> {
    length(path)?.map(|_| first_bytes(path, 4)).transpose()
}

/// Opens the database file without its write-ahead log, for reading. SQLite creates and locks no file for it. While other
/// connections use the file, what it reads may be inconsistent.
pub(super) fn open_alone(path: &Path) -> rusqlite::Result<Connection> {
    let mut uri = b"file:".to_vec();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'%' | b'?' | b'#' => uri.extend(format!("%{byte:02x}").bytes()),
            _ => uri.push(*byte),
        }
    }
    uri.extend(b"?immutable=1");
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(OsString::from_vec(uri), flags)?;
    // So that a file is read which an interrupted checkpoint has not extended yet.
    connection.pragma_update(None, "writable_schema", true)?;
    Ok(connection)
}

/// Opens the database so that closing it copies nothing from the write-ahead log and removes nothing.
fn open_unchanged(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // Before anything that reads the file, and may fail.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.busy_timeout(WRITER_BUSY_TIMEOUT)?;
    Ok(connection)
}

/// Returns the state of the store; `None` if the database has no such table.
pub(super) fn state(connection: &Connection) -> rusqlite::Result<Option<State>> {
    let exists = "SELECT count(*) > 0 FROM sqlite_schema WHERE type = 'table' AND name = 'store_state'";
    if !connection.query_row(exists, [], |row| row.get::<_, bool>(0))? {
        return Ok(None);
    }
    let sql = "SELECT store_id, commits, checkpointed FROM store_state";
    connection
        .query_row(sql, [], |row| {
            let record = Record { store_id: row.get(0)?, commits: row.get(1)? };
            Ok(State { record, checkpointed: row.get(2)? })
        })
        .optional()
}

/// Reads the whole database. Returns the first problem; `None` if there is none.
pub(super) fn integrity_problem(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let result: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if result != "ok" {
        return Ok(Some(result));
    }
    let row = connection
        .query_row("PRAGMA foreign_key_check", [], |row| {
            Ok(format!(
                "a row of {} refers to one in {} that does not exist",
                row.get::<_, String>(0)?,
                row.get::<_, String>(2)?
            ))
        })
        .optional()?;
    Ok(row)
}
