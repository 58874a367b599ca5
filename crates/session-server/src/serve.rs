//! `sessiond serve`: wiring, start and stop.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dropshot::{
    ApiDescription, BuildError, ConfigDropshot, HandlerTaskMode, HttpServer, ServerBuilder, ServerContext,
};
use session_api::{REQUEST_BODY_MAX_BYTES, session_api_mod};
use slog::{Logger, info, o, warn};
use tokio::time::timeout;

use crate::activity::Activity;
use crate::admin::socket;
use crate::config::Config;
use crate::connections::{Reaper, raise_descriptor_limit};
use crate::dev;
use crate::error::Error;
use crate::http::{Context, SessionServer};
use crate::internal;
use crate::limits::Limits;
use crate::logging::{self, RequestLog};
use crate::metrics::Metrics;
use crate::node::Node;
use crate::open_store::{self, Opened};
use crate::sessions::Sessions;
use crate::signals::Signals;
use crate::storage::STORE_TIMEOUT;
use crate::stored_lifetimes;
use crate::sweep;

/// How long requests in flight may take to finish after a signal to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// How long requests of operators may take to finish after that.
const INTERNAL_DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a stop waits for the last interactions: a full buffer of a million takes some ten seconds.
const LAST_SEEN_TIMEOUT: Duration = Duration::from_secs(15);

/// Serves until a signal to stop.
pub(crate) fn serve(config: &Config, dev: bool) -> Result<(), Box<dyn std::error::Error>> {
    let metrics = Arc::new(Metrics::default());
    let (log, requests, _guard) =
        logging::start(config.log_format, config.log_level, metrics.lost_log_lines())?;
    // Otherwise the message of a panic is written to standard error by the thread that panics, which a reader that is slow
    // would stop.
    let panics = log.clone();
    std::panic::set_hook(Box::new(move |panic| slog::error!(panics, "panicked"; "cause" => %panic)));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(run(config, dev, metrics, &log, requests));
    // Not longer than the store may take to respond: a query that never ends must not keep the process alive.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

async fn run(
    config: &Config,
    dev: bool,
    metrics: Arc<Metrics>,
    log: &Logger,
    requests: RequestLog,
) -> Result<(), Box<dyn std::error::Error>> {
    // First, so that a signal that comes early is not lost.
    let mut signals = Signals::handle()?;

    let descriptors = raise_descriptor_limit(log)?;
    let Opened { mut sessions, migrated, folder } = open_store::open(config).await?;
    if migrated.from == 0 {
        info!(log, "created a store"; "store" => open_store::location(config));
    } else if migrated.from < migrated.to {
        info!(log, "migrated the store"; "from_version" => migrated.from, "to_version" => migrated.to);
    }
    sessions.log_to(log.new(o!("task" => "store")));
    let sessions = Arc::new(sessions);
    let node = Arc::new(
        join(&sessions, &metrics).await.map_err(|error| at_start("the store cannot be used", error))?,
    );
    let activity = Arc::new(Activity::default());
    let context = Context {
        sessions: Arc::clone(&sessions),
        limits: Arc::new(Limits::new(config.limits.clone())),
        metrics: Arc::clone(&metrics),
        requests: requests.clone(),
        activity: Arc::clone(&activity),
        trusted_proxies: config.trusted_proxies.clone(),
        disabled_operations: config.disabled_operations.clone(),
    };
    let internal_context = internal::Context::new(Arc::clone(&sessions), metrics);

    let api = session_api_mod::api_description::<SessionServer>()?;
    let server = listen(api, context, config.listen, requests.logger())?;
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
    let internal = listen(
        internal::api()?,
        internal_context,
        config.internal_listen,
        log.new(o!("listener" => "internal")),
    )?;
    // Only an embedded store needs it: any process can use a database.
    let admin = folder
        .map(|folder| socket::listen(&folder, Arc::clone(&sessions), log.new(o!("listener" => "admin"))));
    let admin = admin.transpose()?;
    let prepared = if dev {
        let lines = dev::prepare(&sessions, server.local_addr()).await;
        Some(lines.map_err(|error| at_start("the sample data cannot be added", error))?)
    } else {
        None
    };

    let background = sweep::start(
        Arc::clone(&node),
        config.sweep_interval,
        config.retention,
        log.new(o!("task" => "sweep")),
    );

    info!(log, "ready"; "listen" => server.local_addr(), "internal_listen" => internal.local_addr(),
        "node" => %node.id());
    let mut announcement = format!("listening on http://{}\n", server.local_addr());
    announcement.extend(prepared);
    // A closed standard output is no reason to stop.
    let _ = std::io::stdout().write_all(announcement.as_bytes());
    let _ = std::io::stdout().flush();

    let signal = signals.stop(log).await;
    info!(log, "stopping"; "signal" => signal, "drain_timeout_s" => DRAIN_TIMEOUT.as_secs());
    if let Some(admin) = admin {
        admin.abort();
    }
    if let Ok(reaper) = &reaper {
        reaper.stop();
    }
    tokio::select! {
        drained = timeout(DRAIN_TIMEOUT, server.close()) => if drained.is_err() {
            warn!(log, "some requests took longer than the drain timeout and were aborted");
        },
        signal = signals.stop(log) => warn!(log, "a second signal: requests in flight were aborted"; "signal" => signal),
    }
    // Until here, operators can see the requests finish.
    let _ = timeout(INTERNAL_DRAIN_TIMEOUT, internal.close()).await;
    background.abort();
    let finish = async {
        sessions.write_last_seen().await?;
        // After the last change of this node.
        node.leave().await
    };
    let cause = match timeout(LAST_SEEN_TIMEOUT, finish).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.into_cause()),
        Err(_) => Some(format!("the store took longer than {LAST_SEEN_TIMEOUT:?}")),
    };
    if let Some(cause) = cause {
        warn!(log, "last interactions were not written"; "cause" => cause);
    }
    drop(node);
    // Dropping the last reference to the store waits until its writer has written everything in its queue.
    let _ = timeout(STORE_TIMEOUT, tokio::task::spawn_blocking(move || drop(sessions))).await;
    info!(log, "stopped");
    Ok(())
}

/// Makes this process a node of the store, before it serves its first request.
async fn join(sessions: &Arc<Sessions>, metrics: &Metrics) -> Result<Node, Error> {
    let node = Node::new(Arc::clone(sessions), metrics.nodes_with_other_settings())?;
    node.beat().await?;
    stored_lifetimes::prepare(sessions).await?;
    Ok(node)
}

/// The text of a failure at start. It is not in the response to any request, so it contains the cause.
fn at_start(what: &str, error: Error) -> String {
    format!("{what}: {}", error.into_cause())
}

fn listen<C: ServerContext>(
    api: ApiDescription<C>,
    context: C,
    address: SocketAddr,
    log: Logger,
) -> Result<HttpServer<C>, String> {
    ServerBuilder::new(api, context, log)
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
