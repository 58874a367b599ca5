//! SQLite's errors as the store's.

use std::path::PathBuf;

use rusqlite::{ErrorCode, ffi};

use crate::store::StoreError;

/// The result of an operation of the store.
pub(super) type Result<T> = std::result::Result<T, StoreError>;

/// The files of a store cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another process has locked the store in this folder.
    #[error("data directory {}: another sessiond uses it; stop that one, or choose another one with --store", .0.display())]
    InUse(PathBuf),
    /// For any other reason. The text says which file, what is wrong and how to fix it.
    #[error("{0}")]
    Refused(String),
}

/// Converts the error of a statement. Its text is SQLite's and has none of the statement's parameters.
pub(super) fn failed(error: rusqlite::Error) -> StoreError {
    let code = error.sqlite_error_code();
    let text = text_of(error);
    match code {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::OutcomeUnknown(text),
        Some(code) if is_of_disk(code) => StoreError::Unavailable(text),
        _ => StoreError::Failed(text),
    }
}

/// Converts the error of the statement that begins a transaction: nothing was changed.
pub(super) fn begin_failed(error: rusqlite::Error) -> StoreError {
    match failed(error) {
        StoreError::OutcomeUnknown(text) => StoreError::Unavailable(text),
        other => other,
    }
}

/// Converts the error of a commit. If its last page could not be written, nothing was changed. After any other error,
/// such as one of the sync, what the disk has stored is not known.
pub(super) fn commit_failed(error: rusqlite::Error) -> StoreError {
    let code = error.sqlite_error().map(|cause| cause.extended_code);
    let text = text_of(error);
    match code {
        Some(ffi::SQLITE_FULL | ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_READONLY) => {
            StoreError::Unavailable(text)
        }
        _ => StoreError::OutcomeUnknown(text),
    }
}

/// Returns whether the error is one of the disk or of the operating system, and not of a statement or of the database.
const fn is_of_disk(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::DiskFull | ErrorCode::ReadOnly | ErrorCode::SystemIoFailure | ErrorCode::CannotOpen
    )
}

fn text_of(error: rusqlite::Error) -> String {
    match error {
        // Without the statement, which is of no use to an operator.
        rusqlite::Error::SqlInputError { error, msg, .. } => format!("{error}: {msg}"),
        other => other.to_string(),
    }
}

/// Converts the error of an insert, which fails with [`StoreError::AlreadyExists`] if the primary key is taken.
pub(super) fn insert_failed(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error() {
        Some(cause) if cause.extended_code == ffi::SQLITE_CONSTRAINT_PRIMARYKEY => StoreError::AlreadyExists,
        _ => failed(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlite(code: std::ffi::c_int) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
    }

    #[test]
    fn the_outcome_is_unknown_only_if_the_database_is_locked() {
        for code in [ffi::SQLITE_BUSY, ffi::SQLITE_BUSY_SNAPSHOT, ffi::SQLITE_LOCKED] {
            assert!(matches!(failed(sqlite(code)), StoreError::OutcomeUnknown(_)), "{code}");
            assert!(matches!(begin_failed(sqlite(code)), StoreError::Unavailable(_)), "{code}");
        }
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB, ffi::SQLITE_NOMEM] {
            assert!(matches!(failed(sqlite(code)), StoreError::Failed(_)), "{code}");
        }
    }

    #[test]
    fn errors_of_the_disk_change_nothing_unless_they_are_of_the_sync_of_a_commit() {
        for code in [
            ffi::SQLITE_FULL,
            ffi::SQLITE_READONLY,
            ffi::SQLITE_READONLY_DBMOVED,
            ffi::SQLITE_IOERR,
            ffi::SQLITE_IOERR_WRITE,
            ffi::SQLITE_IOERR_SHMSIZE,
            ffi::SQLITE_CANTOPEN,
        ] {
            assert!(matches!(failed(sqlite(code)), StoreError::Unavailable(_)), "{code}");
        }
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_READONLY] {
            assert!(matches!(commit_failed(sqlite(code)), StoreError::Unavailable(_)), "{code}");
        }
        for code in [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_SHMSIZE, ffi::SQLITE_BUSY] {
            assert!(matches!(commit_failed(sqlite(code)), StoreError::OutcomeUnknown(_)), "{code}");
        }
    }
}
