//! The log: on standard error, as JSON for programs or as lines for people.

use slog::{Drain, Level, LevelFilter, Logger, o};
use slog_async::{Async, AsyncGuard};

use crate::config::{LogFormat, LogLevel};

/// How many records may wait to be written; beyond it they are dropped, and how many is logged. A slow
/// terminal must not slow down a request.
const QUEUE_MAX: usize = 8_192;

/// The log, and a guard that writes what waits when it is dropped.
pub(crate) fn start(format: LogFormat, level: LogLevel) -> (Logger, AsyncGuard) {
    let level = match level {
        LogLevel::Trace => Level::Trace,
        LogLevel::Debug => Level::Debug,
        LogLevel::Info => Level::Info,
        LogLevel::Warn => Level::Warning,
        LogLevel::Error => Level::Error,
    };
    let (drain, guard) = match format {
        LogFormat::Json => {
            let json = slog_json::Json::new(std::io::stderr()).add_default_keys().build().fuse();
            Async::new(LevelFilter::new(json, level).fuse()).chan_size(QUEUE_MAX).build_with_guard()
        }
        LogFormat::Human => {
            let decorator = slog_term::TermDecorator::new().stderr().build();
            let lines = slog_term::FullFormat::new(decorator).build().fuse();
            Async::new(LevelFilter::new(lines, level).fuse()).chan_size(QUEUE_MAX).build_with_guard()
        }
    };
    // Before the queue as well, so that a record that is not wanted costs nothing.
    (Logger::root(LevelFilter::new(drain.fuse(), level).fuse(), o!()), guard)
}
