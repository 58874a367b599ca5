//! The servers under test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use session_test_support::Contract;
use session_test_support::fault_proxy::FaultProxy;
use session_test_support::launcher::{LaunchError, Program, Server, WITHOUT_LIFETIMES, key_create};
use session_test_support::{seed, stale_proxy};

use crate::report::Failed;

/// Limits that the load does not reach: limits are not what is tested here.
const WITHOUT_LIMITS: &str = "[limits]\nfailed_authentications_per_minute = 100_000_000\n\
                              creations_per_minute = 100_000_000\nrevocations_per_minute = 100_000_000\n";

/// The program under test.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) path: PathBuf,
    /// A proxy with a fault that the run must find; for tests of this program.
    pub(crate) fault: Option<Arc<FaultProxy>>,
    /// Whether a proxy with a stale cache is in front of every server; for tests of this program too.
    pub(crate) stale: bool,
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) server: Server,
    /// Where clients connect to: the server, or the proxy in front of it.
    pub(crate) address: SocketAddr,
}

impl Target {
    /// The program for the launcher.
    pub(crate) fn program(&self) -> Program {
        Program::at(&self.path)
    }

    /// Starts a server on the store in a folder, without lifetimes and limits.
    pub(crate) async fn start(&self, folder: &Path) -> Result<Running, Failed> {
        Ok(self.try_start(self.program(), folder, WITHOUT_LIFETIMES, &[]).await??)
    }

    /// Starts a server with these settings and flags and without limits. The inner error is that it did not start.
    pub(crate) async fn try_start(
        &self,
        program: Program,
        folder: &Path,
        settings: &str,
        flags: &[&str],
    ) -> Result<Result<Running, LaunchError>, Failed> {
        let (folder, settings) = (folder.to_owned(), format!("{settings}{WITHOUT_LIMITS}"));
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let start = move || {
            let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
            program.serve(&folder, &settings, &flags)
        };
        let server = match tokio::task::spawn_blocking(start).await? {
            Ok(server) => server,
            Err(error) => return Ok(Err(error)),
        };
        let address = match &self.fault {
            Some(proxy) => proxy.start(server.address).await?,
            None if self.stale => stale_proxy::start(server.address).await?,
            None => server.address,
        };
        Ok(Ok(Running { server, address }))
    }
}

impl Running {
    /// Creates an API key with every scope, bound to the seed's pool. Returns its ID and the key.
    pub(crate) fn key(&self) -> Result<(String, String), Failed> {
        let scopes = every_scope();
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        let flags = ["--domain", seed::DOMAIN_ID, "--pool", seed::POOL_ID];
        Ok(self.server.command(&key_create(&flags, &scopes)).created_key()?)
    }
}

/// The scopes of the contract's operations.
fn every_scope() -> Vec<String> {
    let contract = Contract::load();
    let scope = |operation: &session_test_support::Operation| {
        let operation = contract.document().pointer(&operation.pointer)?;
        Some(operation["x-required-scope"].as_str()?.to_owned())
    };
    let mut scopes: Vec<String> = contract.operations().iter().filter_map(scope).collect();
    scopes.sort();
    scopes.dedup();
    scopes
}
