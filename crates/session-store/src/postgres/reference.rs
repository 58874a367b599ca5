//! The kind of an ID that is not a session's.

use session_types::{DomainId, Id, PoolId};

use super::column::{Column, Property};
use super::database::Database;
use super::error::Result;
use super::table;
use super::transaction::parameters;
use crate::store::ReferenceKind;

/// The kinds in the order of the columns of the statements.
const KINDS: [ReferenceKind; 4] =
    [ReferenceKind::Account, ReferenceKind::Identity, ReferenceKind::Device, ReferenceKind::Pool];

/// Selects, for each kind, whether the ID `$1` is of that kind in the domain `$2`. Each is one lookup in the one index that
/// has its order, which `EXISTS` would disregard.
const IN_DOMAIN: &str = "SELECT \
    (SELECT true FROM session WHERE domain_id = $2::bytea AND account_id = $1::bytea ORDER BY (id || ''::bytea) LIMIT 1) IS NOT NULL, \
    (SELECT true FROM session WHERE domain_id = $2::bytea AND identity_id = $1::bytea ORDER BY (id || ''::bytea) LIMIT 1) IS NOT NULL, \
    (SELECT true FROM session WHERE domain_id = $2::bytea AND device_id = $1::bytea ORDER BY (id || ''::bytea) LIMIT 1) IS NOT NULL, \
    (SELECT true FROM session WHERE domain_id = $2::bytea AND pool_id = $1::bytea \
        ORDER BY status, session_type, (''::bytea || id) LIMIT 1) IS NOT NULL \
    OR (SELECT true FROM api_key WHERE domain_id = $2::bytea AND pool_id = $1::bytea ORDER BY id LIMIT 1) IS NOT NULL";

/// As [`IN_DOMAIN`], for a caller that is bound to the pool `$3`.
const IN_POOL: &str = "SELECT \
    (SELECT true FROM session WHERE domain_id = $2::bytea AND pool_id = $3::bytea AND account_id = $1::bytea \
        ORDER BY (''::bytea || id) LIMIT 1) IS NOT NULL, \
    (SELECT true FROM session WHERE domain_id = $2::bytea AND pool_id = $3::bytea AND identity_id = $1::bytea \
        ORDER BY (''::bytea || id) LIMIT 1) IS NOT NULL, \
    (SELECT true FROM session WHERE domain_id = $2::bytea AND pool_id = $3::bytea AND device_id = $1::bytea \
        ORDER BY (''::bytea || id) LIMIT 1) IS NOT NULL, \
    $3::bytea = $1::bytea AND ((SELECT true FROM session WHERE domain_id = $2::bytea AND pool_id = $3::bytea \
        ORDER BY status, session_type, (''::bytea || id) LIMIT 1) IS NOT NULL \
    OR (SELECT true FROM api_key WHERE domain_id = $2::bytea AND pool_id = $3::bytea ORDER BY id LIMIT 1) IS NOT NULL)";

/// As [`crate::Sessions::reference_find`].
pub(super) async fn reference_find(
    database: &Database,
    id: Id,
    domain_id: DomainId,
    pool_id: Option<PoolId>,
) -> Result<Option<ReferenceKind>> {
    let mut values = vec![id.to_column(), domain_id.to_column()];
    let sql = match &pool_id {
        Some(pool_id) => {
            pool_id.write(&mut values);
            IN_POOL
        }
        None => IN_DOMAIN,
    };
    let rows = database.read(sql, &parameters(&values)).await?;
    let row = table::only(&rows)?;
    let mut found = None;
    for (column, kind) in KINDS.into_iter().enumerate() {
        // A pool may have the ID of its domain, which is then reported as the domain's.
        if table::is_true(row, column)? && !(kind == ReferenceKind::Pool && id == domain_id.0) {
            found = found.or(Some(kind));
        }
    }
    Ok(found.or((id == domain_id.0).then_some(ReferenceKind::Domain)))
}
