//! PostgreSQL's errors as the store's.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, Severity};

use crate::store::StoreError;

/// The result of an operation of the store.
pub(super) type Result<T> = std::result::Result<T, StoreError>;

/// The database cannot be used. The text says which host, what is wrong and how to fix it, and has no password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PostgresOpenError(pub(super) String);

/// What an SQLSTATE means for the statement that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// A row with this key exists: the statement changed nothing.
    Exists,
    /// It lost against another transaction, which the engine says may be repeated: nothing was changed.
    Conflict,
    /// The prepared statement does not fit the schema any more, or is gone: nothing was done.
    StalePlan,
    /// The server has become a standby or is shutting down: nothing was changed, and the connection is of no use.
    Leaving,
    /// A limit or a time-out of the server: nothing was changed.
    Busy,
    /// The connection ends, at a moment that is not known.
    Lost,
    /// Whether it was committed is not known.
    Unknown,
}

/// Causes by SQLSTATE, or by class: the first two characters. A code comes before its class. Every other code is a defect
/// of the program or of the database. From the table of error codes in PostgreSQL's manual, appendix A.
const CAUSES: &[(&str, Cause)] = &[
    ("23505", Cause::Exists),    // unique_violation
    ("40001", Cause::Conflict),  // serialization_failure
    ("40P01", Cause::Conflict),  // deadlock_detected
    ("40003", Cause::Unknown),   // statement_completion_unknown
    ("26000", Cause::StalePlan), // invalid_sql_statement_name
    ("0A000", Cause::StalePlan), // feature_not_supported: "cached plan must not change result type"
    ("25006", Cause::Leaving),   // read_only_sql_transaction: the server is a standby
    ("57P01", Cause::Leaving),   // admin_shutdown
    ("57P03", Cause::Leaving),   // cannot_connect_now
    ("57P02", Cause::Lost),      // crash_shutdown
    ("57P05", Cause::Lost),      // idle_session_timeout
    ("25P03", Cause::Lost),      // idle_in_transaction_session_timeout
    ("25P04", Cause::Lost),      // transaction_timeout
    ("08", Cause::Lost),         // connection exceptions
    ("53", Cause::Busy),         // insufficient resources: a full disk, no memory, too many connections
    ("55P03", Cause::Busy),      // lock_not_available
    ("57014", Cause::Busy),      // query_canceled, by statement_timeout
    ("58030", Cause::Busy),      // io_error
];

/// Returns the cause of an error that the server or the connection has reported; `None` for a defect.
pub(super) fn cause(error: &Error) -> Option<Cause> {
    // The server stops wherever it is, for example because the disk of its log is full. What it has written of the log counts
    // when it starts again, whatever the code says.
    let severity = error.as_db_error().and_then(DbError::parsed_severity);
    if severity == Some(Severity::Panic) {
        return Some(Cause::Lost);
    }
    match error.code() {
        Some(code) => cause_of_code(code.code()),
        None if error.is_closed() => Some(Cause::Lost),
        None => error.source().filter(|source| source.is::<std::io::Error>()).map(|_| Cause::Lost),
    }
}

fn cause_of_code(code: &str) -> Option<Cause> {
    CAUSES.iter().find(|(prefix, _)| code.starts_with(prefix)).map(|(_, cause)| *cause)
}

/// Converts the error of a statement that cannot have changed anything: a read, or one that was not sent.
pub(super) fn read_failed(error: &Error) -> StoreError {
    of_read(cause(error))(text(error))
}

/// Converts the error of a change that was sent.
pub(super) fn change_failed(error: &Error) -> StoreError {
    match cause(error) {
        Some(Cause::Exists) => exists(error),
        // A response that cannot be read.
        None if error.as_db_error().is_none() => StoreError::OutcomeUnknown(text(error)),
        cause => of_change(cause)(text(error)),
    }
}

/// Converts the error of a commit.
pub(super) fn commit_failed(error: &Error) -> StoreError {
    of_commit(cause(error))(text(error))
}

/// The kind of the store's error, which takes a text.
type Kind = fn(String) -> StoreError;

const fn of_read(cause: Option<Cause>) -> Kind {
    match cause {
        Some(Cause::Exists | Cause::StalePlan) | None => StoreError::Failed,
        Some(Cause::Conflict | Cause::Leaving | Cause::Busy | Cause::Lost | Cause::Unknown) => {
            StoreError::Unavailable
        }
    }
}

const fn of_change(cause: Option<Cause>) -> Kind {
    match cause {
        Some(Cause::Exists | Cause::StalePlan) | None => StoreError::Failed,
        Some(Cause::Conflict | Cause::Leaving | Cause::Busy) => StoreError::Unavailable,
        Some(Cause::Lost | Cause::Unknown) => StoreError::OutcomeUnknown,
    }
}

/// Only a conflict is certain: anything else can happen after the server has committed.
const fn of_commit(cause: Option<Cause>) -> Kind {
    match cause {
        Some(Cause::Conflict) => StoreError::Unavailable,
        _ => StoreError::OutcomeUnknown,
    }
}

/// What a duplicate key means, by the name of its constraint.
fn exists(error: &Error) -> StoreError {
    let constraint = error.as_db_error().and_then(|error| error.constraint());
    constraint.and_then(of_constraint).unwrap_or_else(|| StoreError::Failed(text(error)))
}

fn of_constraint(name: &str) -> Option<StoreError> {
    match name {
        "session_pkey" | "api_key_pkey" | "event_pkey" => Some(StoreError::AlreadyExists),
        "idempotency_record_pkey" => Some(StoreError::RequestRepeated),
        _ => None,
    }
}

/// The text of an error for the log: what failed, and why. Without the details, which may have values of the row.
pub(super) fn text(error: &Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(cause), _) => format!("{} (SQLSTATE {})", cause.message(), cause.code().code()),
        (None, Some(cause)) => format!("{error}: {cause}"),
        (None, None) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What happened when a read, a change or a commit fails with this code: `-` for nothing and a store that may be there
    /// again, `!` for nothing and a defect, `?` for what is not known.
    const OUTCOMES: &[(&str, &str)] = &[
        ("23505", "!!?"),
        ("40001", "---"),
        ("40P01", "---"),
        ("40003", "-??"),
        ("26000", "!!?"),
        ("0A000", "!!?"),
        ("25006", "--?"),
        ("57P01", "--?"),
        ("57P03", "--?"),
        ("57P02", "-??"),
        ("57P05", "-??"),
        ("25P03", "-??"),
        ("25P04", "-??"),
        ("08000", "-??"),
        ("08006", "-??"),
        ("53100", "--?"),
        ("53300", "--?"),
        ("55P03", "--?"),
        ("57014", "--?"),
        ("58030", "--?"),
        ("42P01", "!!?"),
        ("22001", "!!?"),
        ("XX000", "!!?"),
    ];

    fn sign(kind: Kind) -> char {
        match kind(String::new()) {
            StoreError::Unavailable(_) => '-',
            StoreError::OutcomeUnknown(_) => '?',
            _ => '!',
        }
    }

    #[test]
    fn each_sqlstate_says_whether_something_was_changed() {
        for (code, expected) in OUTCOMES {
            let cause = cause_of_code(code);
            let kinds = [of_read(cause), of_change(cause), of_commit(cause)];
            assert_eq!(kinds.map(sign).iter().collect::<String>(), *expected, "{code}");
        }
    }

    #[test]
    fn each_sqlstate_of_the_table_has_an_expected_outcome() {
        for (prefix, _) in CAUSES {
            assert!(OUTCOMES.iter().any(|(code, _)| code.starts_with(prefix)), "{prefix}");
        }
    }

    #[test]
    fn only_the_primary_key_of_a_record_says_that_the_record_exists() {
        for name in ["session_pkey", "api_key_pkey", "event_pkey"] {
            assert_eq!(of_constraint(name), Some(StoreError::AlreadyExists), "{name}");
        }
        assert_eq!(of_constraint("idempotency_record_pkey"), Some(StoreError::RequestRepeated));
        assert_eq!(of_constraint("pg_type_typname_nsp_index"), None);
    }
}
