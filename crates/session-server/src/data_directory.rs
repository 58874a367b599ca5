//! The data directory of an embedded store, and opening that store.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use session_store::SqliteStore;

use crate::config::{Config, StoreUrl};
use crate::environment::{SystemClock, SystemRandom};
use crate::sessions::Sessions;
use crate::storage::{STORE_TIMEOUT, Storage};

/// A data directory that only this process uses, until it is dropped.
pub(crate) struct DataDirectory {
    path: PathBuf,
    _lock: File,
}

/// The store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("data directory {path}: {reason}; choose another one with --store, or fix its permissions")]
    Directory { path: String, reason: String },
    #[error(
        "data directory {0}: another sessiond uses it; stop that one, or choose another one with --store"
    )]
    InUse(String),
    #[error("store {path}: {reason}")]
    Store { path: String, reason: String },
}

/// Returns the folder of the database file.
pub(crate) fn folder_of(database: &Path) -> &Path {
    database.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl DataDirectory {
    /// Locks the folder of the database file, and creates it for its owner only if it does not exist.
    fn lock(database: &Path) -> Result<Self, OpenError> {
        let path = folder_of(database).to_owned();
        let failed = |error: std::io::Error| OpenError::Directory {
            path: path.display().to_string(),
            reason: error.to_string(),
        };
        DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(failed)?;
        let lock = File::create(path.join("sessiond.lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.display().to_string())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Opens the configured store and locks its data directory.
pub(crate) fn open(config: &Config) -> Result<(Sessions, DataDirectory), OpenError> {
    let StoreUrl::Sqlite(path) = &config.store;
    let directory = DataDirectory::lock(path)?;
    let store = SqliteStore::open(path)
        .map_err(|error| OpenError::Store { path: path.display().to_string(), reason: error.to_string() })?;
    let storage = Storage::new(Arc::new(store), Arc::new(SystemClock), Arc::new(SystemRandom), STORE_TIMEOUT);
    Ok((Sessions::new(storage, config.lifetimes.clone()), directory))
}
