//! Conditions, in SQL, on whether a pending revocation of many applies to a session.
//!
//! A revocation of many sessions is a row of the table `revocation` until its sessions are written. Every read and every
//! change of a session has one of these conditions.

use rusqlite::{Connection, named_params};
use session_types::DomainId;

use super::column::Column;
use super::error::{Result, failed};
use crate::schema::live;

/// Whether there is any revocation. SQLite evaluates it once for a statement, and what follows from it not at all while
/// there is none, which is nearly always: a fetch takes a quarter less time.
macro_rules! any {
    () => {
        "EXISTS (SELECT 1 FROM revocation)"
    };
}

/// The number of the last pending revocation of the session's domain; null if there is none.
pub(super) const LAST_PENDING: &str = concat!(
    "iif(",
    any!(),
    ", (SELECT max(number) FROM revocation INDEXED BY revocation_pending \
     WHERE revocation.domain_id = session.domain_id AND finished_at IS NULL), NULL)"
);

/// The pending revocations that apply to a session, from `FROM` on.
macro_rules! applying {
    () => {
        concat!(
            "FROM revocation INDEXED BY revocation_pending \
             WHERE revocation.domain_id = session.domain_id AND finished_at IS NULL \
             AND (revocation.pool_id IS NULL OR revocation.pool_id = session.pool_id) \
             AND (revocation.account_id IS NULL OR revocation.account_id IS session.account_id) \
             AND (revocation.identity_id IS NULL OR revocation.identity_id IS session.identity_id) \
             AND (revocation.device_id IS NULL OR revocation.device_id IS session.device_id) \
             AND session.id IS NOT except_id AND (written_after IS NULL OR written_after < number) AND ",
            live!()
        )
    };
}

/// [`REVOKED_AT`], for `concat!`.
macro_rules! revoked_at {
    () => {
        concat!("iif(", any!(), ", (SELECT at ", applying!(), " ORDER BY number LIMIT 1), NULL)")
    };
}

/// The time of the first pending revocation that applies to a session; null if none does.
pub(super) const REVOKED_AT: &str = revoked_at!();

/// The condition that no pending revocation applies to a session.
pub(super) const IS_NOT_REVOKED: &str =
    concat!("(NOT ", any!(), " OR NOT EXISTS (SELECT 1 ", applying!(), "))");

/// The condition that a session is revoked, or was by a pending revocation: the lifetime passes after that or never.
pub(super) const IS_OR_WAS_REVOKED: &str = concat!(
    "(status = 'revoked' OR coalesce(expires_at > ",
    revoked_at!(),
    ", ",
    revoked_at!(),
    " IS NOT NULL))"
);

/// The condition that a session is complete, or was completed by a pending revocation: the lifetime passed before that.
pub(super) const IS_OR_WAS_COMPLETE: &str =
    concat!("(status = 'complete' OR coalesce(expires_at <= ", revoked_at!(), ", 0))");

/// As [`IS_OR_WAS_COMPLETE`], or that no pending revocation applies and the lifetime passes at or before `:complete_at`.
pub(super) const IS_COMPLETE_AT: &str = concat!(
    "(status = 'complete' OR coalesce(expires_at <= coalesce(",
    revoked_at!(),
    ", :complete_at), 0))"
);

/// `:complete_at`, or the time of the latest pending revocation of `:domain_id` if that is later: no session that is complete
/// by [`IS_COMPLETE_AT`] has a lifetime that passes after it.
pub(super) const COMPLETE_TO: &str = "max(:complete_at, coalesce((SELECT max(at) \
     FROM revocation INDEXED BY revocation_pending WHERE domain_id = :domain_id AND finished_at IS NULL), 0))";

/// The condition that no pending revocation before `:number` applies to a session.
pub(super) const IS_NOT_REVOKED_BEFORE: &str =
    concat!("NOT EXISTS (SELECT 1 ", applying!(), " AND number < :number)");

/// Whether a domain has pending revocations.
pub(super) fn is_pending(connection: &Connection, domain_id: DomainId) -> Result<bool> {
    let sql = "SELECT 1 FROM revocation INDEXED BY revocation_pending \
               WHERE domain_id = :domain_id AND finished_at IS NULL";
    let parameters = named_params! { ":domain_id": domain_id.to_column() };
    connection.prepare_cached(sql).and_then(|mut select| select.exists(parameters)).map_err(failed)
}
