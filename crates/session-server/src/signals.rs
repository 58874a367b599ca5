//! Signals from operators. None of those whose default is to end the process does so before the last interactions are written.

use std::io::{self, IsTerminal};

use slog::{Logger, info};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that the server handles.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    hangup: Signal,
    user1: Signal,
    user2: Signal,
    /// Whether SIGHUP says that the terminal is gone, rather than asks to read the settings again.
    stops_on_hangup: bool,
}

impl Signals {
    /// Handles the signals from now on. One that comes before [`Signals::stop`] is called is not lost.
    pub(crate) fn handle() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
            stops_on_hangup: io::stdin().is_terminal(),
        })
    }

    /// Waits for a signal to stop and returns its name. Logs the others, which change nothing.
    pub(crate) async fn stop(&mut self, log: &Logger) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.quit.recv() => return "SIGQUIT",
                _ = self.hangup.recv() => {
                    if self.stops_on_hangup {
                        return "SIGHUP";
                    }
                    info!(log, "signal ignored: settings are read only at start; restart to change them";
                        "signal" => "SIGHUP");
                }
                _ = self.user1.recv() => info!(log, "signal ignored: it has no meaning"; "signal" => "SIGUSR1"),
                _ = self.user2.recv() => info!(log, "signal ignored: it has no meaning"; "signal" => "SIGUSR2"),
            }
        }
    }
}
