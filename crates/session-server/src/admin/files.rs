//! Running the commands that act on the files of an embedded store: backup, restore and check.
//!
//! They read and write these files themselves, also while a server runs, so they are bound by no time limit of the
//! server and take none of its time.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use session_store::{OpenError, SqliteStore, Summary, data_directory_prepare};

use crate::config::{Config, StoreUrl};

/// Writes a backup to a new file.
pub(crate) fn backup(config: &Config, file: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let StoreUrl::Sqlite(database) = &config.store else { return refuse() };
    SqliteStore::backup(database, file)?;
    Ok(ExitCode::SUCCESS)
}

/// Replaces the store with a backup, and prints what the store now has.
pub(crate) fn restore(config: &Config, file: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let StoreUrl::Sqlite(database) = &config.store else { return refuse() };
    data_directory_prepare(database)?;
    let restored = SqliteStore::restore(database, file).map_err(|error| match error {
        OpenError::InUse(folder) => {
            format!("data directory {}: a sessiond uses it; stop that one, then restore", folder.display())
        }
        OpenError::Refused(reason) => reason,
    })?;
    for path in restored.replaced {
        writeln!(std::io::stderr(), "replaced; the former file is now {}", path.display())?;
    }
    print(&restored.summary)
}

/// Reads the whole store, or a backup, and prints what it has. Fails if it is damaged.
pub(crate) fn check(config: &Config, file: Option<&Path>) -> Result<ExitCode, Box<dyn Error>> {
    let StoreUrl::Sqlite(database) = &config.store else { return refuse() };
    let summary = match file {
        Some(file) => SqliteStore::check_backup(file),
        None => SqliteStore::check(database),
    };
    print(&summary?)
}

/// Refuses a command for a database, which other programs are for.
fn refuse() -> Result<ExitCode, Box<dyn Error>> {
    let text = "sessiond: this command is for the files of sqlite:PATH; back up a PostgreSQL database with pg_dump or \
                point-in-time recovery, restore it with pg_restore, and check it with amcheck";
    writeln!(std::io::stderr(), "{text}")?;
    Ok(ExitCode::from(2))
}

fn print(summary: &Summary) -> Result<ExitCode, Box<dyn Error>> {
    let mut out = std::io::stdout();
    writeln!(out, "integrity: ok")?;
    writeln!(out, "schema version: {}", summary.schema_version)?;
    let sessions: Vec<_> =
        summary.sessions.iter().map(|(status, count)| format!("{count} {status}")).collect();
    writeln!(out, "sessions: {}", if sessions.is_empty() { "none".to_owned() } else { sessions.join(", ") })?;
    writeln!(out, "events: {}", summary.events)?;
    writeln!(out, "keys: {}", summary.keys)?;
    if let Some(commits) = summary.commits {
        writeln!(out, "commits: {commits}")?;
    }
    Ok(ExitCode::SUCCESS)
}
