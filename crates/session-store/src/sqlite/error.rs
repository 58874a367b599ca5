//! SQLite's errors as the store's.

use rusqlite::{ErrorCode, ffi};

use crate::store::StoreError;

/// The result of an operation of the store.
pub(super) type Result<T> = std::result::Result<T, StoreError>;

/// Converts the error of a statement. Its text is SQLite's and has none of the statement's parameters.
pub(super) fn failed(error: rusqlite::Error) -> StoreError {
    let busy = matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked));
    let text = match error {
        // Without the statement, which is of no use to an operator.
        rusqlite::Error::SqlInputError { error, msg, .. } => format!("{error}: {msg}"),
        other => other.to_string(),
    };
    if busy { StoreError::OutcomeUnknown(text) } else { StoreError::Failed(text) }
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

    #[test]
    fn the_outcome_is_unknown_only_if_the_database_is_locked() {
        let convert = |code| failed(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        for code in [ffi::SQLITE_BUSY, ffi::SQLITE_BUSY_SNAPSHOT, ffi::SQLITE_LOCKED] {
            assert!(matches!(convert(code), StoreError::OutcomeUnknown(_)), "{code}");
        }
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_FULL, ffi::SQLITE_IOERR, ffi::SQLITE_NOTADB] {
            assert!(matches!(convert(code), StoreError::Failed(_)), "{code}");
        }
    }
}
