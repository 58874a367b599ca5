//! Opening the configured store.

use std::path::PathBuf;
use std::sync::Arc;

use session_store::{
    Migrated, OpenError, PostgresOpenError, PostgresStore, SqliteStore, Store, data_directory_prepare,
};

use crate::config::{Config, StoreUrl};
use crate::environment::{SystemClock, SystemRandom};
use crate::sessions::Sessions;
use crate::storage::{STORE_TIMEOUT, Storage};

/// A store that this process has opened.
pub(crate) struct Opened {
    /// The sessions in it. No other process can open an embedded store until they are dropped.
    pub(crate) sessions: Sessions,
    /// What was done to its schema.
    pub(crate) migrated: Migrated,
    /// The data directory of an embedded store.
    pub(crate) folder: Option<PathBuf>,
}

/// The store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenFailed {
    /// The files of an embedded store.
    #[error(transparent)]
    Sqlite(#[from] OpenError),
    /// A PostgreSQL database.
    #[error(transparent)]
    Postgres(#[from] PostgresOpenError),
}

/// Opens the configured store and migrates it. Locks the data directory of an embedded store, and creates both if they do
/// not exist.
pub(crate) async fn open(config: &Config) -> Result<Opened, OpenFailed> {
    let (store, migrated, folder): (Arc<dyn Store>, _, _) = match &config.store {
        StoreUrl::Sqlite(path) => {
            data_directory_prepare(path)?;
            let store = SqliteStore::open(path)?;
            let (migrated, folder) = (store.migrated(), store.folder().to_owned());
            (Arc::new(store), migrated, Some(folder))
        }
        StoreUrl::Postgres(options) => {
            let store = PostgresStore::open((**options).clone()).await?;
            let migrated = store.migrated();
            (Arc::new(store), migrated, None)
        }
    };
    let storage = Storage::new(store, Arc::new(SystemClock), Arc::new(SystemRandom), STORE_TIMEOUT);
    Ok(Opened { sessions: Sessions::new(storage, config.lifetimes.clone()), migrated, folder })
}

/// The place of the configured store, for messages. It has no password.
pub(crate) fn location(config: &Config) -> String {
    match &config.store {
        // Of the file itself, if it is a symbolic link.
        StoreUrl::Sqlite(path) => path.canonicalize().as_ref().unwrap_or(path).display().to_string(),
        StoreUrl::Postgres(options) => options.to_string(),
    }
}
