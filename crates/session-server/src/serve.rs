//! `sessiond serve`: wiring, start and stop.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dropshot::{
    ApiDescription, BuildError, ConfigDropshot, HandlerTaskMode, HttpServer, ServerBuilder, ServerContext,
};
use session_api::{REQUEST_BODY_MAX_BYTES, session_api_mod};
use session_store::SqliteStore;
use slog::{Logger, info, o};
use tokio::signal::unix::{SignalKind, signal};

use crate::admin::socket;
use crate::config::{Config, StoreUrl};
use crate::dev;
use crate::environment::{SystemClock, SystemRandom};
use crate::http::{Context, SessionServer};
use crate::internal;
use crate::logging;
use crate::metrics::Metrics;
use crate::service::{STORE_TIMEOUT, Service};
use crate::sweep;

/// How long requests in flight may take to finish after a signal to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The data directory of an embedded store, held by this process alone until it is dropped.
#[derive(Debug)]
pub(crate) struct DataDirectory {
    pub(crate) path: PathBuf,
    _lock: File,
}

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("data directory {path}: {reason}; name another one in --store, or mend its permissions")]
    Directory { path: String, reason: String },
    #[error("data directory {0}: another sessiond uses it; stop that one, or name another one in --store")]
    InUse(String),
    #[error("store {path}: {reason}")]
    Store { path: String, reason: String },
}

/// The folder of the database file.
pub(crate) fn data_directory(database: &Path) -> &Path {
    database.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl DataDirectory {
    /// Takes the folder of the database file, creating it for its owner alone.
    pub(crate) fn take(database: &Path) -> Result<Self, OpenError> {
        let path = data_directory(database).to_owned();
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
}

/// The service on the configured store, and the folder that it holds.
pub(crate) fn open(config: &Config) -> Result<(Service, DataDirectory), OpenError> {
    let StoreUrl::Sqlite(path) = &config.store;
    let directory = DataDirectory::take(path)?;
    let store = SqliteStore::open(path)
        .map_err(|error| OpenError::Store { path: path.display().to_string(), reason: error.to_string() })?;
    let service = Service::new(
        Arc::new(store),
        Arc::new(SystemClock),
        Arc::new(SystemRandom),
        STORE_TIMEOUT,
        config.lifetimes.clone(),
        config.limits.clone(),
    );
    Ok((service, directory))
}

/// Serves until a signal to stop.
pub(crate) fn serve(config: &Config, dev: bool) -> Result<(), Box<dyn std::error::Error>> {
    let (log, _guard) = logging::start(config.log_format, config.log_level);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(config, dev, &log))
}

async fn run(config: &Config, dev: bool, log: &Logger) -> Result<(), Box<dyn std::error::Error>> {
    // Before anything is announced, so that no signal comes too early.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let (service, directory) = open(config)?;
    let service = Arc::new(service);
    // Before a list or a sweep relies on the stored times.
    if let Some(sessions) = service.lifetimes_apply().await? {
        info!(log, "lifetimes applied"; "sessions" => sessions);
    }
    let metrics = Arc::new(Metrics::default());
    let context = || Context {
        service: Arc::clone(&service),
        metrics: Arc::clone(&metrics),
        trusted_proxies: config.trusted_proxies.clone(),
        disabled_operations: config.disabled_operations.clone(),
    };

    let api = session_api_mod::api_description::<SessionServer>()?;
    let server = listen(api, context(), config.listen, log, "contract")?;
    let internal = listen(internal::api()?, Arc::new(context()), config.internal_listen, log, "internal")?;
    let admin = socket::listen(&directory.path, Arc::clone(&service), log.new(o!("listener" => "admin")))?;
    let prepared = if dev { Some(dev::prepare(&service, server.local_addr()).await?) } else { None };

    let background = sweep::start(
        Arc::clone(&service),
        config.sweep_interval,
        config.retention,
        log.new(o!("task" => "sweep")),
    );

    info!(log, "ready"; "listen" => server.local_addr(), "internal_listen" => internal.local_addr());
    let mut announcement = format!("listening on http://{}\n", server.local_addr());
    announcement.extend(prepared);
    // Whoever started the program may have closed its standard output; that is no reason to stop.
    let _ = std::io::stdout().write_all(announcement.as_bytes());
    let _ = std::io::stdout().flush();

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    info!(log, "stopping"; "drain_timeout_s" => DRAIN_TIMEOUT.as_secs());
    admin.abort();
    let drained = tokio::time::timeout(DRAIN_TIMEOUT, server.close()).await;
    if drained.is_err() {
        slog::warn!(log, "some requests took too long and were cut off");
    }
    // What the operator asks while the requests finish is answered until here.
    let _ = tokio::time::timeout(Duration::from_secs(1), internal.close()).await;
    background.abort();
    // What was seen until the last request.
    if let Err(error) = service.seen_write().await {
        slog::warn!(log, "last-seen times were not written"; "cause" => error.cause.unwrap_or(error.message));
    }
    // The last one to let go of the store waits until what was handed to its writer is on the disk.
    drop(service);
    info!(log, "stopped");
    Ok(())
}

fn listen<C: ServerContext>(
    api: ApiDescription<C>,
    context: C,
    address: SocketAddr,
    log: &Logger,
    listener: &'static str,
) -> Result<HttpServer<C>, String> {
    ServerBuilder::new(api, context, log.new(o!("listener" => listener)))
        .config(ConfigDropshot {
            bind_address: address,
            default_request_body_max_bytes: REQUEST_BODY_MAX_BYTES,
            // A change that was handed to the store is made whether or not its caller waits, so a handler may end
            // with its connection, and no task has to be started for each request.
            default_handler_task_mode: HandlerTaskMode::CancelOnDisconnect,
            ..ConfigDropshot::default()
        })
        .start()
        .map_err(|error| match error {
            BuildError::BindError { address, error } => {
                format!("cannot listen on {address}: {error}; free that address, or name another one in the settings")
            }
            other => other.to_string(),
        })
}
