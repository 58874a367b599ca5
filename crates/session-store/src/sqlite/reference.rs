//! The kind of an ID that is not a session's.

use rusqlite::{Connection, named_params};
use session_types::{DomainId, Id, PoolId};

use super::column::Column;
use super::table::exists;
use crate::store::{ReferenceKind, StoreError};

macro_rules! referring_by {
    ($column:literal) => {
        concat!(
            "SELECT 1 FROM session WHERE ",
            $column,
            " = :id AND domain_id = :domain_id AND (:pool_id IS NULL OR pool_id = :pool_id)"
        )
    };
}

/// The statement that selects the sessions that refer to an ID of each kind.
const REFERRING: [(ReferenceKind, &str); 3] = [
    (ReferenceKind::Account, referring_by!("account_id")),
    (ReferenceKind::Identity, referring_by!("identity_id")),
    (ReferenceKind::Device, referring_by!("device_id")),
];

/// As [`crate::Store::reference_find`].
pub(super) fn find(
    connection: &Connection,
    id: Id,
    domain_id: DomainId,
    pool_id: Option<PoolId>,
) -> Result<Option<ReferenceKind>, StoreError> {
    let (id_column, domain_column) = (id.to_column(), domain_id.to_column());
    for (kind, sql) in REFERRING {
        let parameters = named_params! {
            ":id": id_column,
            ":domain_id": domain_column,
            ":pool_id": pool_id.to_column(),
        };
        if exists(connection, sql, parameters)? {
            return Ok(Some(kind));
        }
    }
    if id == domain_id.0 {
        return Ok(Some(ReferenceKind::Domain));
    }
    if pool_id.is_some_and(|pool_id| pool_id.0 != id) {
        return Ok(None);
    }
    let sql = "SELECT 1 FROM pool WHERE id = :id AND domain_id = :domain_id";
    let parameters = named_params! { ":id": id_column, ":domain_id": domain_column };
    Ok(exists(connection, sql, parameters)?.then_some(ReferenceKind::Pool))
}
