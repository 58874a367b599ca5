//! The kind of an ID that is not a session's.

use rusqlite::{Connection, named_params};
use session_types::{DomainId, Id, PoolId};

use super::column::Column;
use super::error::Result;
use super::table::exists;
use crate::store::ReferenceKind;

macro_rules! sessions_by {
    ($column:literal) => {
        concat!(
            "SELECT 1 FROM session WHERE ",
            $column,
            " = :id AND domain_id = :domain_id AND (:pool_id IS NULL OR pool_id = :pool_id)"
        )
    };
}

/// For each kind, the statement that selects a row if an ID is of that kind.
const KINDS: [(ReferenceKind, &str); 4] = [
    (ReferenceKind::Account, sessions_by!("account_id")),
    (ReferenceKind::Identity, sessions_by!("identity_id")),
    (ReferenceKind::Device, sessions_by!("device_id")),
    // The ID of the domain itself is reported as such.
    (
        ReferenceKind::Pool,
        "SELECT 1 FROM pool WHERE id = :id AND domain_id = :domain_id AND id <> domain_id \
         AND (:pool_id IS NULL OR id = :pool_id)",
    ),
];

/// As [`crate::Store::reference_find`].
pub(super) fn reference_find(
    connection: &Connection,
    id: Id,
    domain_id: DomainId,
    pool_id: Option<PoolId>,
) -> Result<Option<ReferenceKind>> {
    let (of_id, of_domain) = (id.to_column(), domain_id.to_column());
    let of_pool = pool_id.as_ref().map(Column::to_column);
    for (kind, sql) in KINDS {
        let parameters = named_params! { ":id": of_id, ":domain_id": of_domain, ":pool_id": of_pool };
        if exists(connection, sql, parameters)? {
            return Ok(Some(kind));
        }
    }
    Ok((id == domain_id.0).then_some(ReferenceKind::Domain))
}
