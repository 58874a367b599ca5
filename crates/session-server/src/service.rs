//! What the rules work with.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use session_store::{Store, StoreError};

use crate::environment::{Clock, Random};
use crate::error::Error;
use crate::mint::Minter;

/// How long an answer of the store is waited for. A gateway that fetches on every request gives up sooner; a
/// commit takes milliseconds, so whoever waited this long is better told that the outcome is not known.
pub const STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// The store, the clock and the minter, which are all that the rules have.
pub struct Service {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) minter: Minter,
    store_timeout: Duration,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Service")
    }
}

impl Service {
    /// A service on these, that waits for the store for at most `store_timeout`.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        store_timeout: Duration,
    ) -> Self {
        let minter = Minter::new(Arc::clone(&clock), random);
        Self { store, clock, minter, store_timeout }
    }

    /// What the store answers, or `unknown` if it takes too long.
    pub(crate) async fn within<T>(
        &self,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, Error> {
        Ok(self.answer_of(answer).await??)
    }

    /// As [`Service::within`], for rules that have words of their own for some answers.
    pub(crate) async fn answer_of<T>(
        &self,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<Result<T, StoreError>, Error> {
        tokio::time::timeout(self.store_timeout, answer)
            .await
            .map_err(|_| Error::unknown(format!("the store took longer than {:?}", self.store_timeout)))
    }
}
