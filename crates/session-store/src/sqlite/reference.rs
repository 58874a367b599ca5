//! The kind of an ID that is not a session's.

use rusqlite::{Connection, named_params};
use session_types::{DomainId, Id, PoolId};

use super::column::Column;
use super::error::Result;
use super::table::exists;
use crate::store::ReferenceKind;

/// For each kind, a statement that selects a row if the ID is of that kind.
type Lookups = [(ReferenceKind, &'static str); 5];

/// Each is one lookup in one index, and compares every column of its range.
const IN_DOMAIN: Lookups = [
    (
        ReferenceKind::Account,
        "SELECT 1 FROM session INDEXED BY session_by_account WHERE domain_id = :domain_id AND account_id = :id",
    ),
    (
        ReferenceKind::Identity,
        "SELECT 1 FROM session INDEXED BY session_by_identity WHERE domain_id = :domain_id AND identity_id = :id",
    ),
    (
        ReferenceKind::Device,
        "SELECT 1 FROM session INDEXED BY session_by_device WHERE domain_id = :domain_id AND device_id = :id",
    ),
    (
        ReferenceKind::Pool,
        "SELECT 1 FROM session INDEXED BY session_by_pool_status WHERE domain_id = :domain_id AND pool_id = :id",
    ),
    (
        ReferenceKind::Pool,
        "SELECT 1 FROM api_key INDEXED BY api_key_by_pool WHERE domain_id = :domain_id AND pool_id = :id",
    ),
];

/// As [`IN_DOMAIN`], for a caller that is bound to a pool.
const IN_POOL: Lookups = [
    (
        ReferenceKind::Account,
        "SELECT 1 FROM session INDEXED BY session_by_pool_account \
         WHERE domain_id = :domain_id AND pool_id = :pool_id AND account_id = :id",
    ),
    (
        ReferenceKind::Identity,
        "SELECT 1 FROM session INDEXED BY session_by_pool_identity \
         WHERE domain_id = :domain_id AND pool_id = :pool_id AND identity_id = :id",
    ),
    (
        ReferenceKind::Device,
        "SELECT 1 FROM session INDEXED BY session_by_pool_device \
         WHERE domain_id = :domain_id AND pool_id = :pool_id AND device_id = :id",
    ),
    (
        ReferenceKind::Pool,
        "SELECT 1 FROM session INDEXED BY session_by_pool_status \
         WHERE domain_id = :domain_id AND pool_id = :pool_id AND :pool_id = :id",
    ),
    (
        ReferenceKind::Pool,
        "SELECT 1 FROM api_key INDEXED BY api_key_by_pool \
         WHERE domain_id = :domain_id AND pool_id = :pool_id AND :pool_id = :id",
    ),
];

/// As [`crate::Sessions::reference_find`].
pub(super) fn reference_find(
    connection: &Connection,
    id: Id,
    domain_id: DomainId,
    pool_id: Option<PoolId>,
) -> Result<Option<ReferenceKind>> {
    let (of_id, of_domain) = (id.to_column(), domain_id.to_column());
    let mut found = None;
    // All of them, also after one has found something: a caller cannot measure which kind comes first.
    for (kind, sql) in if pool_id.is_some() { IN_POOL } else { IN_DOMAIN } {
        let is_of_kind = match &pool_id {
            Some(pool_id) => {
                let of_pool = pool_id.to_column();
                exists(
                    connection,
                    sql,
                    named_params! { ":id": of_id, ":domain_id": of_domain, ":pool_id": of_pool },
                )?
            }
            None => exists(connection, sql, named_params! { ":id": of_id, ":domain_id": of_domain })?,
        };
        // A pool may have the ID of its domain, which is then reported as the domain's.
        if is_of_kind && !(kind == ReferenceKind::Pool && id == domain_id.0) {
            found = found.or(Some(kind));
        }
    }
    Ok(found.or((id == domain_id.0).then_some(ReferenceKind::Domain)))
}
