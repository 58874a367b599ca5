//! `sessiond serve`: wiring, start and stop.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dropshot::{
    ApiDescription, BuildError, ConfigDropshot, HandlerTaskMode, HttpServer, ServerBuilder, ServerContext,
};
use session_api::{REQUEST_BODY_MAX_BYTES, session_api_mod};
use slog::{Logger, info, o};
use tokio::signal::unix::{SignalKind, signal};

use crate::admin::socket;
use crate::config::Config;
use crate::connections::{Activity, Reaper, raise_descriptor_limit};
use crate::data_directory;
use crate::dev;
use crate::http::{Context, SessionServer};
use crate::internal;
use crate::limits::Limits;
use crate::logging;
use crate::metrics::Metrics;
use crate::sweep;

/// How long requests in flight may take to finish after a signal to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves until a signal to stop.
pub(crate) fn serve(config: &Config, dev: bool) -> Result<(), Box<dyn std::error::Error>> {
    let (log, _guard) = logging::start(config.log_format, config.log_level);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(config, dev, &log))
}

async fn run(config: &Config, dev: bool, log: &Logger) -> Result<(), Box<dyn std::error::Error>> {
    // First, so that a signal that comes early is not lost.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let descriptors = raise_descriptor_limit(log)?;
    let (mut sessions, directory) = data_directory::open(config)?;
    sessions.log_to(log.new(o!("task" => "store")));
    let sessions = Arc::new(sessions);
    // Before a list or a sweep relies on the stored times.
    if let Some(count) = sweep::apply_lifetimes(&sessions).await? {
        info!(log, "lifetimes applied"; "sessions" => count);
    }
    let metrics = Arc::new(Metrics::default());
    let activity = Arc::new(Activity::default());
    let context = Context {
        sessions: Arc::clone(&sessions),
        limits: Arc::new(Limits::new(config.limits.clone())),
        metrics: Arc::clone(&metrics),
        activity: Arc::clone(&activity),
        trusted_proxies: config.trusted_proxies.clone(),
        disabled_operations: config.disabled_operations.clone(),
    };
    let internal_context = internal::Context { sessions: Arc::clone(&sessions), metrics };

    let api = session_api_mod::api_description::<SessionServer>()?;
    let server = listen(api, context, config.listen, log, "contract")?;
    let reaper = Reaper::start(
        server.local_addr(),
        activity,
        config.connections,
        descriptors,
        log.new(o!("task" => "connections")),
    );
    if let Err(error) = &reaper {
        slog::warn!(log, "connections without requests are not closed, as /proc/self/fd cannot be read; \
            mount /proc, or put a reverse proxy in front"; "cause" => %error);
    }
    let internal = listen(internal::api()?, internal_context, config.internal_listen, log, "internal")?;
    let admin = socket::listen(directory.path(), Arc::clone(&sessions), log.new(o!("listener" => "admin")))?;
    let prepared = if dev { Some(dev::prepare(&sessions, server.local_addr()).await?) } else { None };

    let background = sweep::start(
        Arc::clone(&sessions),
        config.sweep_interval,
        config.retention,
        log.new(o!("task" => "sweep")),
    );

    info!(log, "ready"; "listen" => server.local_addr(), "internal_listen" => internal.local_addr());
    let mut announcement = format!("listening on http://{}\n", server.local_addr());
    announcement.extend(prepared);
    // A closed standard output is no reason to stop.
    let _ = std::io::stdout().write_all(announcement.as_bytes());
    let _ = std::io::stdout().flush();

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    info!(log, "stopping"; "drain_timeout_s" => DRAIN_TIMEOUT.as_secs());
    admin.abort();
    if let Ok(reaper) = &reaper {
        reaper.stop();
    }
    let drained = tokio::time::timeout(DRAIN_TIMEOUT, server.close()).await;
    if drained.is_err() {
        slog::warn!(log, "some requests took longer than the drain timeout and were aborted");
    }
    // Until here, operators can see the requests finish.
    let _ = tokio::time::timeout(Duration::from_secs(1), internal.close()).await;
    background.abort();
    if let Err(error) = sessions.write_last_seen().await {
        slog::warn!(log, "last interactions were not written"; "cause" => error.into_cause());
    }
    // Dropping the last reference to the store waits until its writer has written everything in its queue.
    drop(sessions);
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
            // A change that the store has received is made whether or not its caller waits, so a handler may be
            // cancelled with its connection, which saves a task for each request.
            default_handler_task_mode: HandlerTaskMode::CancelOnDisconnect,
            ..ConfigDropshot::default()
        })
        .start()
        .map_err(|error| match error {
            BuildError::BindError { address, error } => {
                format!("cannot listen on {address}: {error}; free that address, or configure another one")
            }
            other => other.to_string(),
        })
}
