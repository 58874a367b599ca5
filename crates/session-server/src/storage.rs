//! The store, and what new records need: the time, IDs and secrets.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::SecretBox;
use session_store::{Page, Store, StoreError};
use session_types::{Id, Timestamp};
use slog::{Discard, Logger, o};

use crate::environment::{Clock, Random, RandomFailed};
use crate::error::Error;
use crate::mint::Minter;

/// How long a request waits for the store. A commit takes milliseconds, and a gateway that fetches on every request gives up
/// sooner, so a longer wait would help no caller.
pub const STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// The future of a method of [`Store`].
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A store with a bound on every call, a clock and a minter.
pub struct Storage {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    minter: Minter,
    timeout: Duration,
    log: Logger,
}

impl Storage {
    /// Creates a storage whose calls take at most `timeout`.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        timeout: Duration,
    ) -> Self {
        let log = Logger::root(Discard, o!());
        Self { store, minter: Minter::new(Arc::clone(&clock), random), clock, timeout, log }
    }

    /// Logs what an operator should know to `log`; without it, nowhere.
    pub fn log_to(&mut self, log: Logger) {
        self.log = log;
    }

    /// The log.
    pub(crate) const fn log(&self) -> &Logger {
        &self.log
    }

    /// Calls the store. Fails with `unknown` if it takes too long.
    pub async fn call<T>(
        &self,
        call: impl for<'a> FnOnce(&'a dyn Store) -> StoreFuture<'a, T>,
    ) -> Result<T, Error> {
        let result = tokio::time::timeout(self.timeout, call(&*self.store)).await;
        Ok(result.map_err(|_| Error::unknown(format!("the store took longer than {:?}", self.timeout)))??)
    }

    /// As [`Storage::call`], for a page. Logs the rows that cannot be read.
    pub async fn page<T>(
        &self,
        call: impl for<'a> FnOnce(&'a dyn Store) -> StoreFuture<'a, Page<T>>,
    ) -> Result<Page<T>, Error> {
        let page = self.call(call).await?;
        for row in &page.skipped {
            slog::warn!(self.log, "row skipped"; "table" => &row.table, "id" => &row.id, "cause" => &row.cause);
        }
        Ok(page)
    }

    /// Returns the current time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns the current time by the monotonic clock.
    pub(crate) fn monotonic(&self) -> Instant {
        self.clock.monotonic()
    }

    /// Mints an ID. Fails if the random source does.
    pub fn new_id(&self) -> Result<Id, RandomFailed> {
        self.minter.id()
    }

    /// Creates a salt of 128 random bits. Fails if the random source does.
    pub(crate) fn new_salt(&self) -> Result<[u8; 16], RandomFailed> {
        self.minter.salt()
    }

    /// Creates a secret of 256 random bits. Fails if the random source does.
    pub fn new_secret(&self) -> Result<SecretBox<[u8; 32]>, RandomFailed> {
        self.minter.secret()
    }
}
