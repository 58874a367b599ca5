//! Conditions, in SQL, on whether a pending revocation of many applies to a session.
//!
//! A revocation of many sessions is a row of the table `revocation` until its sessions are written. Every read and every
//! change of a session has one of these conditions. The table is nearly always empty.

use crate::schema::LIVE;

/// Returns the time of the first pending revocation that applies to a row of `session`, which has this name in the
/// statement, and meets a further condition; null if none does. If the session's lifetime passes at or before that time,
/// the revocation completes it, otherwise it revokes it.
pub(super) fn revoked_at(session: &str, condition: &str) -> String {
    format!(
        "(SELECT pending.at FROM revocation AS pending \
         WHERE pending.domain_id = {session}.domain_id AND pending.finished_at IS NULL \
         AND (pending.pool_id IS NULL OR pending.pool_id = {session}.pool_id) \
         AND (pending.account_id IS NULL OR pending.account_id = {session}.account_id) \
         AND (pending.identity_id IS NULL OR pending.identity_id = {session}.identity_id) \
         AND (pending.device_id IS NULL OR pending.device_id = {session}.device_id) \
         AND (pending.except_id IS NULL OR pending.except_id <> {session}.id) \
         AND ({session}.written_after IS NULL OR {session}.written_after < pending.number) \
         AND {session}.{LIVE} AND {condition} ORDER BY pending.number LIMIT 1)"
    )
}

/// Returns the condition that no pending revocation applies to a row of `session`, which has this name in the statement.
pub(super) fn is_not_revoked(session: &str) -> String {
    format!("{} IS NULL", revoked_at(session, "true"))
}

/// Returns the number of the last pending revocation of a domain, given as an expression; null if there is none.
pub(super) fn last_pending(domain_id: &str) -> String {
    format!(
        "(SELECT max(pending.number) FROM revocation AS pending \
         WHERE pending.domain_id = {domain_id} AND pending.finished_at IS NULL)"
    )
}
