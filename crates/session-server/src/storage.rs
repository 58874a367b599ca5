//! The store, and what new records need: the time, IDs and secrets.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretBox;
use session_store::{Store, StoreError};
use session_types::{Id, Timestamp};

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
}

impl Storage {
    /// Creates a storage whose calls take at most `timeout`.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        timeout: Duration,
    ) -> Self {
        Self { store, minter: Minter::new(Arc::clone(&clock), random), clock, timeout }
    }

    /// Calls the store. Fails with `unknown` if it takes too long.
    pub async fn call<T>(
        &self,
        call: impl for<'a> FnOnce(&'a dyn Store) -> StoreFuture<'a, T>,
    ) -> Result<T, Error> {
        Ok(self.try_call(call).await??)
    }

    /// As [`Storage::call`], for rules that have messages of their own for some errors of the store.
    pub async fn try_call<T>(
        &self,
        call: impl for<'a> FnOnce(&'a dyn Store) -> StoreFuture<'a, T>,
    ) -> Result<Result<T, StoreError>, Error> {
        tokio::time::timeout(self.timeout, call(&*self.store))
            .await
            .map_err(|_| Error::unknown(format!("the store took longer than {:?}", self.timeout)))
    }

    /// Returns the current time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Mints an ID. Fails if the random source does.
    pub fn new_id(&self) -> Result<Id, RandomFailed> {
        self.minter.id()
    }

    /// Creates a secret of 256 random bits. Fails if the random source does.
    pub fn new_secret(&self) -> Result<SecretBox<[u8; 32]>, RandomFailed> {
        self.minter.secret()
    }
}
