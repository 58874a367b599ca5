//! The commands, and the lines of their output.

use serde::{Deserialize, Serialize};
use session_types::{DomainId, PoolId, Scope, Timestamp};

/// How many lines of output may wait for their reader.
pub(super) const OUTPUT_QUEUE: usize = 256;

/// A command, in the form in which it also goes through the socket.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "command")]
pub enum Command {
    /// Creates an API key.
    KeyCreate {
        /// A name for people.
        name: String,
        /// The domain that it acts in.
        domain_id: DomainId,
        /// The pool that it is bound to.
        pool_id: Option<PoolId>,
        /// What it may be used for.
        scopes: Vec<Scope>,
        /// Whether to print it as JSON.
        json: bool,
    },
    /// Lists the API keys.
    KeyList {
        /// Whether to print them as JSON lines.
        json: bool,
    },
    /// Revokes an API key.
    KeyRevoke {
        /// The key's ID.
        id: String,
    },
    /// Adds the sessions of the input.
    Import,
    /// Writes every session to the output.
    Export,
    /// Writes the events to the output.
    Events {
        /// Only those from this time on.
        since: Option<Timestamp>,
    },
}

/// A line of a command's output.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// For standard output.
    Out(String),
    /// For standard error.
    Err(String),
    /// The last line: whether the command succeeded completely.
    Done(bool),
}
