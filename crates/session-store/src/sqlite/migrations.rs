//! Migrates a database to the schema of this program, in one transaction.

use rusqlite::{Connection, TransactionBehavior};

use super::error::{Result, failed};
use crate::store::StoreError;

/// "SESS" in ASCII. Marks the file as a session store, so that the database of another program is not changed by mistake.
pub(super) const APPLICATION_ID: i32 = 0x5345_5353;

/// In the order in which they are applied. `user_version` stores how many are. A released migration never changes.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_life.sql"),
    include_str!("migrations/0003_expires_at.sql"),
    include_str!("migrations/0004_tenants.sql"),
    include_str!("migrations/0005_store_state.sql"),
    include_str!("migrations/0006_revocation.sql"),
    include_str!("migrations/0007_expires_minute.sql"),
    include_str!("migrations/0008_revocation_completed.sql"),
    include_str!("migrations/0010_idempotency.sql"),
    include_str!("migrations/0011_session_rowid.sql"),
];

/// The schema version of this program.
pub(super) const SCHEMA_VERSION: usize = MIGRATIONS.len();

/// Returns the schema version of a database; 0 for an empty one.
pub(super) fn version(connection: &Connection) -> Result<usize> {
    let applied =
        connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i32>(0)).map_err(failed)?;
    Ok(usize::try_from(applied).unwrap_or(usize::MAX))
}

/// Applies the migrations that are missing. Fails, changing nothing, on a database of a newer or of another program.
pub(super) fn migrate(connection: &mut Connection) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let number = |pragma: &str| {
        transaction.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i32>(0)).map_err(failed)
    };
    let applied = version(&transaction)?;
    let tables = transaction
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))
        .map_err(failed)?;
    if tables > 0 && number("application_id")? != APPLICATION_ID {
        return Err(StoreError::Failed(
            "the database belongs to another program; name another file in --store".to_owned(),
        ));
    }
    let Some(missing) = MIGRATIONS.get(applied..) else {
        return Err(StoreError::Failed(format!(
            "the database has schema version {applied}, and this sessiond knows versions up to {}; run the newer \
             sessiond that wrote it, or restore a backup from before",
            MIGRATIONS.len()
        )));
    };
    if !missing.is_empty() {
        for migration in missing {
            transaction.execute_batch(migration).map_err(failed)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
        transaction.pragma_update(None, "user_version", MIGRATIONS.len()).map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}
