//! Backup, restore and check of a store's files, beside a server or without one.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OpenFlags, named_params};

use super::SqliteStore;
use super::connection::{READER_BUSY_TIMEOUT, connect};
use super::directory::{Directory, Record, refused, sync_folder, with_suffix};
use super::error::OpenError;
use super::migrations::{APPLICATION_ID, SCHEMA_VERSION};
use super::verify::{self, integrity_problem, open_alone};

type Result<T> = std::result::Result<T, OpenError>;

/// What a database has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The number of migrations that were applied.
    pub schema_version: usize,
    /// How many sessions have each status; a status without sessions is left out.
    pub sessions: Vec<(String, u64)>,
    /// The number of events.
    pub events: u64,
    /// The number of API keys.
    pub keys: u64,
    /// The number of commits; `None` in a schema that does not count them.
    pub commits: Option<u64>,
}

/// What a restore has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What the store now has.
    pub summary: Summary,
    /// The names of the files that it replaced.
    pub replaced: Vec<PathBuf>,
}

impl SqliteStore {
    /// Writes a copy of the database to a file that does not exist yet, readable only by its owner, and waits until it
    /// is on the disk. The copy has every change that was acknowledged before. A server may run on the database; then
    /// its write-ahead log grows meanwhile.
    pub fn backup(database: &Path, file: &Path) -> Result<()> {
        let database = verified(database)?;
        let source = connect(&database, OpenFlags::SQLITE_OPEN_READ_ONLY, READER_BUSY_TIMEOUT)
            .map_err(|error| refused(&database, error))?;
        create(file)?;
        let name = file.to_str().ok_or_else(|| refused(file, "the name of a backup must be UTF-8"));
        let written = name.and_then(|name| {
            source
                .execute("VACUUM INTO :file", named_params! { ":file": name })
                .map_err(|error| refused(file, error))?;
            sync(file)
        });
        if written.is_err() {
            let _ = fs::remove_file(file);
        }
        written
    }

    /// Replaces the database with a copy of a backup, which is checked first. The replaced files get other names.
    ///
    /// Fails if a server runs on the database, or if the backup is damaged; nothing is changed then. If it fails later
    /// or is interrupted, the store is not opened until a restore succeeds.
    pub fn restore(database: &Path, backup: &Path) -> Result<Restored> {
        if with_suffix(backup, "-wal").metadata().is_ok_and(|log| log.len() > 0) {
            let reason =
                "it has a -wal beside it, so it is not a whole backup; make one with `sessiond backup FILE`";
            return Err(refused(backup, reason));
        }
        let directory = Directory::lock(database)?;
        let database = directory.database();
        let copy = with_suffix(database, ".restoring");
        // Left behind by a restore that was interrupted.
        match fs::remove_file(&copy) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(refused(&copy, error)),
            _ => {}
        }
        let (summary, record) = copy_and_check(backup, &copy).inspect_err(|_| {
            let _ = fs::remove_file(&copy);
        })?;
        let replaced = move_away(database)?;
        fs::rename(&copy, database).map_err(|error| refused(database, error))?;
        directory.sync_record(record).map_err(|error| refused(&directory.lock_file(), error))?;
        Ok(Restored { summary, replaced })
    }

    /// Reads the whole database and returns what it has. A server may run on it.
    ///
    /// Fails if commits were lost, or if the database is damaged.
    pub fn check(database: &Path) -> Result<Summary> {
        let database = verified(database)?;
        let connection = connect(&database, OpenFlags::SQLITE_OPEN_READ_ONLY, READER_BUSY_TIMEOUT)
            .map_err(|error| refused(&database, error))?;
        summary(&database, &connection)
    }

    /// Reads a whole backup and returns what it has.
    ///
    /// Fails if it is damaged.
    pub fn check_backup(file: &Path) -> Result<Summary> {
        file.metadata().map_err(|error| refused(file, error))?;
        summary(file, &open_alone(file).map_err(|error| refused(file, error))?)
    }
}

/// Verifies that a store that exists is complete, unless a server has locked it: then that one has. Returns the database
/// file. A server may start afterwards: it does not matter to a reader.
fn verified(database: &Path) -> Result<PathBuf> {
    let existing = database.canonicalize().map_err(|error| refused(database, error))?;
    match Directory::lock(database) {
        Ok(directory) => verify::verify(&directory).map(drop)?,
        Err(OpenError::InUse(_)) => {}
        Err(error) => return Err(error),
    }
    Ok(existing)
}

/// Creates an empty file for its owner only. Fails if it exists.
fn create(path: &Path) -> Result<fs::File> {
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    created.map_err(|error| refused(path, error))
}

/// Waits until a file and its name are on the disk.
fn sync(path: &Path) -> Result<()> {
    fs::File::open(path)
        .and_then(|file| file.sync_all())
        .and_then(|()| sync_folder(path))
        .map_err(|error| refused(path, error))
}

/// Copies a backup and returns what the copy has, and the record of its commits.
///
/// The copy gets an ID of its own, so that a write-ahead log of the replaced store is never taken for one of the copy.
fn copy_and_check(backup: &Path, copy: &Path) -> Result<(Summary, Option<Record>)> {
    let mut source = fs::File::open(backup).map_err(|error| refused(backup, error))?;
    let mut target = create(copy)?;
    io::copy(&mut source, &mut target).map_err(|error| refused(copy, error))?;
    let summary = summary(backup, &open_alone(copy).map_err(|error| refused(backup, error))?)?;
    let failed = |error: rusqlite::Error| refused(copy, error);
    let connection = connect(copy, OpenFlags::SQLITE_OPEN_READ_WRITE, READER_BUSY_TIMEOUT).map_err(failed)?;
    // In a single file.
    connection.pragma_update(None, "journal_mode", "DELETE").map_err(failed)?;
    let state = if summary.commits.is_some() {
        connection.execute("UPDATE store_state SET store_id = randomblob(16)", []).map_err(failed)?;
        verify::state(&connection).map_err(failed)?
    } else {
        None
    };
    drop(connection);
    sync(copy)?;
    Ok((summary, state.map(|state| state.record)))
}

/// Renames the files of a database. Returns the new names.
///
/// The write-ahead log first: the lock file shows that the database alone is not complete.
fn move_away(database: &Path) -> Result<Vec<PathBuf>> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let ends = ["-wal", "-shm", ""];
    let mut suffix = format!(".replaced-{seconds}");
    while ends.iter().any(|end| with_suffix(database, &format!("{suffix}{end}")).exists()) {
        suffix.push_str("-again");
    }
    let mut replaced = Vec::new();
    for end in ends {
        let (from, to) = (with_suffix(database, end), with_suffix(database, &format!("{suffix}{end}")));
        match fs::rename(&from, &to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            renamed => renamed.map_err(|error| refused(&from, error))?,
        }
        sync_folder(database).map_err(|error| refused(&from, error))?;
        replaced.push(to);
    }
    Ok(replaced)
}

/// Reads the whole database in this file and returns what it has. Fails if it is damaged, or not of this program.
fn summary(file: &Path, connection: &Connection) -> Result<Summary> {
    let failed = |error: rusqlite::Error| refused(file, error);
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u64>(0)).map_err(failed);
    let application_id =
        connection.query_row("PRAGMA application_id", [], |row| row.get::<_, i32>(0)).map_err(failed)?;
    if application_id != APPLICATION_ID {
        return Err(refused(file, "it is not the database of a session store"));
    }
    let schema_version = usize::try_from(number("PRAGMA user_version")?).unwrap_or(usize::MAX);
    if schema_version > SCHEMA_VERSION {
        return Err(refused(
            file,
            format!(
                "it has schema version {schema_version}, and this sessiond knows versions up to {SCHEMA_VERSION}; use \
                 the newer sessiond that wrote it"
            ),
        ));
    }
    if let Some(problem) = integrity_problem(connection).map_err(failed)? {
        return Err(refused(
            file,
            format!("it is damaged: {problem}; `sessiond restore FILE` restores a backup"),
        ));
    }
    let count = |table: &str| {
        let exists = format!("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '{table}'");
        // The first schema had fewer tables.
        if number(&exists)? == 0 { Ok(0) } else { number(&format!("SELECT count(*) FROM {table}")) }
    };
    let sessions = connection
        .prepare("SELECT status, count(*) FROM session GROUP BY status ORDER BY status")
        .and_then(|mut select| {
            select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()
        })
        .map_err(failed)?;
    let state = verify::state(connection).map_err(failed)?;
    Ok(Summary {
        schema_version,
        sessions,
        events: count("event")?,
        keys: count("api_key")?,
        commits: state.map(|state| state.record.commits),
    })
}
