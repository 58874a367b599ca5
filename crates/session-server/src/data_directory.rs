//! The data directory of an embedded store, and opening that store.

use std::path::PathBuf;
use std::sync::Arc;

use session_store::{OpenError, SqliteStore, data_directory_prepare};

use crate::config::{Config, StoreUrl};
use crate::environment::{SystemClock, SystemRandom};
use crate::sessions::Sessions;
use crate::storage::{STORE_TIMEOUT, Storage};

/// A store that this process has opened.
pub(crate) struct Opened {
    /// The sessions in it. No other process can open the store until they are dropped.
    pub(crate) sessions: Sessions,
    /// Its data directory.
    pub(crate) folder: PathBuf,
    /// The database file, if this process created it.
    pub(crate) created: Option<PathBuf>,
}

/// Opens the configured store and locks its data directory. Creates both if they do not exist.
pub(crate) fn open(config: &Config) -> Result<Opened, OpenError> {
    let StoreUrl::Sqlite(path) = &config.store;
    data_directory_prepare(path)?;
    let store = SqliteStore::open(path)?;
    let folder = store.folder().to_owned();
    let created = store.is_new().then(|| store.database().to_owned());
    let storage = Storage::new(Arc::new(store), Arc::new(SystemClock), Arc::new(SystemRandom), STORE_TIMEOUT);
    Ok(Opened { sessions: Sessions::new(storage, config.lifetimes.clone()), folder, created })
}
