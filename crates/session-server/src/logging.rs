//! The log on standard error: JSON for programs or lines for people.

use std::io::{self, Write};

use session_types::without_tokens;
use slog::{Drain, Level, LevelFilter, Logger, o};
use slog_async::{Async, AsyncGuard};

use crate::config::{LogFormat, LogLevel};

/// How many records may wait to be written. Further ones are dropped, and their number is logged: a slow terminal must
/// not slow down a request.
const QUEUE_MAX: usize = 8_192;

/// Starts the log. The returned guard writes the waiting records when it is dropped.
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
            let json = slog_json::Json::new(Redacting::new(io::stderr())).add_default_keys().build().fuse();
            Async::new(LevelFilter::new(json, level).fuse()).chan_size(QUEUE_MAX).build_with_guard()
        }
        LogFormat::Human => {
            let decorator = slog_term::PlainSyncDecorator::new(Redacting::new(io::stderr()));
            let lines = slog_term::FullFormat::new(decorator).build().fuse();
            Async::new(LevelFilter::new(lines, level).fuse()).chan_size(QUEUE_MAX).build_with_guard()
        }
    };
    // Filtered before the queue as well, so that a record below the level costs nothing.
    (Logger::root(LevelFilter::new(drain.fuse(), level).fuse(), o!()), guard)
}

/// A writer of whole lines that replaces everything that looks like a token. The server logs none, but dropshot logs the
/// URL of each request, which may contain one by mistake.
struct Redacting<W> {
    target: W,
    line: Vec<u8>,
}

impl<W> Redacting<W> {
    const fn new(target: W) -> Self {
        Self { target, line: Vec::new() }
    }
}

impl<W: Write> Write for Redacting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        if let Some(end) = self.line.iter().rposition(|byte| *byte == b'\n') {
            let lines: Vec<u8> = self.line.drain(..=end).collect();
            self.target.write_all(&without_tokens(&lines))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.target.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_redacted_in_lines_that_are_written_in_pieces() {
        let token = format!("ssk_{}", "7".repeat(91));
        let mut log = Redacting::new(Vec::new());
        for piece in
            ["uri: /a/", &token[..9], &token[9..], " sst_ssk_x\nuri: sst_", "7777777777777777?\nrest"]
        {
            log.write_all(piece.as_bytes()).unwrap();
        }
        log.flush().unwrap();
        let text = String::from_utf8(log.target).unwrap();
        assert_eq!(text, "uri: /a/[REDACTED] sst_ssk_x\nuri: [REDACTED]?\n");
    }
}
