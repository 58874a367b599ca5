//! Migrates a database to the schema of this program.

use super::error::PostgresOpenError;
use super::options::PostgresOptions;

/// The schema versions before and after a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// Before; 0 for a database without a store.
    pub from: u32,
    /// After.
    pub to: u32,
}

pub(super) async fn migrate(options: &PostgresOptions) -> Result<Migrated, PostgresOpenError> {
    let _ = options;
    Ok(Migrated { from: 0, to: 0 })
}
