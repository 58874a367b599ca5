//! The log on standard error: JSON for programs or lines for people.
//!
//! A record becomes one line of bytes on the thread that logs it; [`queue`] holds the lines until another thread has written
//! them. The line of a request is not made from a record: see [`RequestLog`].

mod queue;
mod request_line;

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use session_types::without_tokens;
use slog::{
    Drain, KV, Key, Level, LevelFilter, Logger, Never, OwnedKVList, Record, Serializer, b, o, record,
};

use crate::config::{LogFormat, LogLevel};

pub(crate) use queue::LostLines;
pub(crate) use request_line::RequestLine;

use queue::Queue;

/// How long the end of the program waits for the last lines to be written.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Starts the log; lines that are lost are counted in `lost`.
pub(crate) fn start(
    format: LogFormat,
    level: LogLevel,
    lost: LostLines,
) -> io::Result<(Logger, RequestLog, LogGuard)> {
    let level = match level {
        LogLevel::Trace => Level::Trace,
        LogLevel::Debug => Level::Debug,
        LogLevel::Info => Level::Info,
        LogLevel::Warn => Level::Warning,
        LogLevel::Error => Level::Error,
    };
    let queue = Arc::new(Queue::new(lost));
    let written = Arc::clone(&queue);
    std::thread::Builder::new().name("log".to_owned()).spawn(move || {
        written.write_to(io::stderr(), |[queue_full, write_error]| {
            let values = b!("queue_full" => queue_full, "write_error" => write_error);
            let text = format_args!("log lines were lost");
            line_of(format, &record!(Level::Warning, "", &text, values), &o!().into())
        });
    })?;
    let lines = Lines { format, queue: Arc::clone(&queue) };
    let log = Logger::root(LevelFilter::new(lines.clone(), level).fuse(), o!());
    Ok((log, RequestLog { lines, level }, LogGuard(queue)))
}

/// The lines of the requests that reach a handler of the public listener.
///
/// dropshot's own logger boxes the values of a request, and its record formats them one by one, through several dynamic
/// calls for each. It has no setting against that, but its logger can leave out the records of requests that were logged here.
#[derive(Clone)]
pub struct RequestLog {
    lines: Lines,
    level: Level,
}

impl RequestLog {
    /// Logs a request, at level info.
    pub(crate) fn completed(&self, request: RequestLine<'_>) {
        if !Level::Info.is_at_least(self.level) {
            return;
        }
        let line = match self.lines.format {
            LogFormat::Json => request.to_json(SystemTime::now()),
            LogFormat::Human => {
                let text = format_args!("request completed");
                line_of(
                    LogFormat::Human,
                    &record!(
                        Level::Info,
                        "",
                        &text,
                        b!(
                            "latency_us" => request.latency_us(),
                            "code" => request.code.as_ref().map(AsRef::<str>::as_ref),
                            "response_code" => request.status.as_u16(),
                            "operation" => request.operation.as_ref(),
                            "uri" => %request.uri,
                            "method" => request.method.as_str(),
                            "req_id" => request.request_id,
                            "remote_addr" => request.remote_addr
                        )
                    ),
                    &o!().into(),
                )
            }
        };
        self.lines.queue.push(&line, false);
    }

    /// Returns the logger for the listener whose handlers log their requests here. It logs those that dropshot refuses itself,
    /// such as one for an unknown path, those whose client disconnects, and everything else.
    pub(crate) fn logger(&self) -> Logger {
        let drain = LevelFilter::new(NotCompleted(self.lines.clone()), self.level);
        Logger::root(drain.fuse(), o!("listener" => "contract"))
    }
}

/// Leaves out dropshot's records of requests that a handler responded to.
struct NotCompleted(Lines);

impl Drain for NotCompleted {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> Result<(), Never> {
        if is_of_a_response(record) { Ok(()) } else { self.0.log(record, values) }
    }
}

/// Whether this is dropshot's record of a request that a handler responded to: of a request that dropshot refuses itself, the
/// record has the message of the error as well.
fn is_of_a_response(record: &Record<'_>) -> bool {
    struct HasError(bool);

    impl Serializer for HasError {
        fn emit_arguments(&mut self, key: Key, _: &std::fmt::Arguments<'_>) -> slog::Result {
            self.0 |= key == "error_message_external";
            Ok(())
        }
    }

    if record.level() != Level::Info
        || !record.module().starts_with("dropshot::")
        || record.msg().as_str() != Some("request completed")
    {
        return false;
    }
    let mut error = HasError(false);
    record.kv().serialize(record, &mut error).is_ok() && !error.0
}

/// Writes the waiting lines when it is dropped, for at most [`CLOSE_TIMEOUT`].
pub(crate) struct LogGuard(Arc<Queue>);

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.0.close(CLOSE_TIMEOUT);
    }
}

#[derive(Clone)]
struct Lines {
    format: LogFormat,
    queue: Arc<Queue>,
}

impl Drain for Lines {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> Result<(), Never> {
        self.queue.push(&line_of(self.format, record, values), is_urgent(record));
        Ok(())
    }
}

/// Whether the record must not be lost among those of requests. dropshot warns of every request whose client disconnects,
/// so callers could fill the reserved place with its warnings.
fn is_urgent(record: &Record<'_>) -> bool {
    record.level().is_at_least(Level::Warning) && record.module().starts_with("session_server")
}

/// Returns the record as one line without tokens. The server logs no token, but dropshot logs the URL of each request, which
/// may contain one by mistake.
fn line_of(format: LogFormat, record: &Record<'_>, values: &OwnedKVList) -> Vec<u8> {
    let mut line = Vec::with_capacity(512);
    // Writing to memory cannot fail.
    let _ = match format {
        LogFormat::Json => slog_json::Json::new(&mut line).add_default_keys().build().log(record, values),
        LogFormat::Human => {
            let decorator = slog_term::PlainDecorator::new(&mut line);
            slog_term::FullFormat::new(decorator).build().log(record, values)
        }
    };
    // In JSON it is escaped already.
    if let Some((_, inside)) = line.split_last_mut() {
        inside.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
    }
    match without_tokens(&line) {
        Cow::Borrowed(_) => line,
        Cow::Owned(redacted) => redacted,
    }
}

#[cfg(test)]
mod tests {
    use slog::{RecordLocation, RecordStatic};

    use super::*;

    fn record_of<T>(module: &'static str, level: Level, text: &str, then: impl Fn(&Record<'_>) -> T) -> T {
        let location = RecordLocation { file: "", line: 1, column: 1, function: "", module };
        let at = RecordStatic { location: &location, level, tag: "" };
        then(&Record::new(&at, &format_args!("{text}"), b!("uri" => text)))
    }

    #[test]
    fn every_format_makes_one_line_without_tokens() {
        let token = format!("ssk_{}", "7".repeat(91));
        let text = format!("two\nlines {token}");
        for format in [LogFormat::Json, LogFormat::Human] {
            let values = o!("request" => 7).into();
            let line = record_of("dropshot", Level::Info, &text, |record| line_of(format, record, &values));
            let line = String::from_utf8(line).unwrap();
            assert!(
                line.lines().count() == 1
                    && line.ends_with('\n')
                    && line.contains("request")
                    && line.contains("[REDACTED]"),
                "{line}"
            );
            assert!(!line.contains("777"), "{line}");
        }
        let line = record_of("dropshot", Level::Info, &text, |record| {
            line_of(LogFormat::Json, record, &o!().into())
        });
        let line: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!((&line["level"], &line["uri"]), (&"INFO".into(), &"two\nlines [REDACTED]".into()));
    }

    #[test]
    fn only_the_servers_own_warnings_and_errors_are_urgent() {
        for (module, level, expected) in [
            ("session_server::http", Level::Warning, true),
            ("session_server::http", Level::Error, true),
            ("session_server::serve", Level::Info, false),
            ("dropshot::server", Level::Warning, false),
            ("dropshot::server", Level::Info, false),
        ] {
            assert_eq!(record_of(module, level, "", is_urgent), expected, "{module} {level}");
        }
    }
}
