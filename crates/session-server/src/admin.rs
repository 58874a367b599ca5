//! The commands that act on a store: API keys, import, export and events.
//!
//! A server that runs on an embedded store is its only writer, so the commands then reach it through a socket in the
//! data directory; otherwise they open the store themselves. The same function carries them out either way.

pub mod socket;
mod transfer;

use std::error::Error as StdError;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::json;
use session_store::{ApiKey, KeyId};
use session_types::{DomainId, ErrorCode, PoolId, Scope, Timestamp};
use tokio::io::AsyncBufRead;
use tokio::sync::mpsc;

use crate::config::{Config, StoreUrl};
use crate::data_directory::{self, OpenError};
use crate::error::Error;
use crate::keys;
use crate::sessions::Sessions;
use crate::sweep;

/// How many lines of output may wait for their reader.
const OUTPUT_QUEUE: usize = 256;

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

/// Carries out the command and sends its output line by line, [`Line::Done`] last. Stops early when the reader of the
/// output is gone.
pub(crate) async fn execute(
    sessions: &Sessions,
    command: Command,
    input: impl AsyncBufRead + Unpin + Send,
    output: &mpsc::Sender<Line>,
) {
    let done = match perform(sessions, command, input, output).await {
        Ok(done) => done,
        Err(error) => {
            let text = match error.cause {
                Some(cause) => format!("sessiond: {}: {cause}", error.message),
                None => format!("sessiond: {}", error.message),
            };
            let _ = output.send(Line::Err(text)).await;
            false
        }
    };
    let _ = output.send(Line::Done(done)).await;
}

async fn perform(
    sessions: &Sessions,
    command: Command,
    input: impl AsyncBufRead + Unpin + Send,
    output: &mpsc::Sender<Line>,
) -> Result<bool, Error> {
    let storage = sessions.storage();
    let out = async |text: String| {
        let _ = output.send(Line::Out(text)).await;
    };
    match command {
        Command::KeyCreate { name, domain_id, pool_id, scopes, json } => {
            let (key, text) = keys::create(storage, name, domain_id, pool_id, scopes).await?;
            let text = text.expose_secret();
            if json {
                out(json!({ "id": key.id.to_string(), "key": text }).to_string()).await;
            } else {
                out(format!("id:  {}\nkey: {text}\nStore the key now: it is not shown again.", key.id)).await;
            }
            Ok(true)
        }
        Command::KeyList { json } => {
            for key in storage.call(|store| store.key_list()).await? {
                out(if json { key_as_json(&key) } else { key_as_text(&key) }).await;
            }
            Ok(true)
        }
        Command::KeyRevoke { id } => {
            let id: KeyId =
                id.parse().map_err(|error| Error::new(ErrorCode::InvalidValue, format!("{error}")))?;
            let now = storage.now();
            if !storage.call(|store| store.key_revoke(id, now)).await? {
                let message = format!("there is no API key {id}; `sessiond key list` shows them");
                return Err(Error::new(ErrorCode::NotFound, message));
            }
            Ok(true)
        }
        Command::Import => transfer::import(sessions, input, output).await,
        Command::Export => transfer::export(sessions, output).await,
        Command::Events { since } => transfer::events(storage, since, output).await,
    }
}

fn key_as_json(key: &ApiKey) -> String {
    json!({
        "id": key.id.to_string(),
        "name": key.name,
        "domain_id": key.domain_id,
        "pool_id": key.pool_id,
        "scopes": key.scopes,
        "revoked_at": key.revoked_at,
    })
    .to_string()
}

fn key_as_text(key: &ApiKey) -> String {
    let state = if key.revoked_at.is_some() { "revoked" } else { "active" };
    let pool = key.pool_id.map_or_else(|| "every pool".to_owned(), |pool| pool.to_string());
    let scopes: Vec<&str> = key.scopes.iter().map(AsRef::as_ref).collect();
    format!("{}  {state}  {}  {pool}  {}  {}", key.id, key.domain_id, scopes.join(","), key.name)
}

/// Runs a command from the command line, through the server that uses the store or on the store itself.
/// `file` is what an import reads and an export writes; `-` is standard input or output.
pub(crate) fn run(
    config: &Config,
    command: &Command,
    file: Option<&Path>,
) -> Result<ExitCode, Box<dyn StdError>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let file = file.filter(|path| *path != Path::new("-"));
        let at = |error: std::io::Error| {
            format!("{}: {error}", file.map_or_else(|| "-".to_owned(), |path| path.display().to_string()))
        };
        let input: Box<dyn AsyncBufRead + Unpin + Send> = match (command, file) {
            (Command::Import, Some(path)) => {
                Box::new(tokio::io::BufReader::new(tokio::fs::File::open(path).await.map_err(at)?))
            }
            (Command::Import, None) => Box::new(tokio::io::BufReader::new(tokio::io::stdin())),
            _ => Box::new(tokio::io::empty()),
        };
        // An export never overwrites a file: it may be the only copy.
        let mut target: Box<dyn Write> = match (command, file) {
            (Command::Export, Some(path)) => {
                Box::new(std::io::BufWriter::new(std::fs::File::create_new(path).map_err(at)?))
            }
            _ => Box::new(std::io::stdout().lock()),
        };
        let (sender, mut lines) = mpsc::channel(OUTPUT_QUEUE);
        let work = dispatch(config, command.clone(), input, sender);
        let print = async {
            let mut done = false;
            while let Some(line) = lines.recv().await {
                match line {
                    Line::Out(text) => writeln!(target, "{text}")?,
                    Line::Err(text) => writeln!(std::io::stderr(), "{text}")?,
                    Line::Done(all) => done = all,
                }
            }
            target.flush()?;
            Ok::<_, std::io::Error>(done)
        };
        let (worked, printed) = tokio::join!(work, print);
        worked?;
        Ok(if printed.map_err(at)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

/// Carries out a command through the server that uses the store, or on the store itself if no server does.
async fn dispatch(
    config: &Config,
    command: Command,
    input: Box<dyn AsyncBufRead + Unpin + Send>,
    output: mpsc::Sender<Line>,
) -> Result<(), Box<dyn StdError>> {
    let StoreUrl::Sqlite(path) = &config.store;
    let (sessions, _directory) = match data_directory::open(config) {
        Err(OpenError::InUse(folder)) => {
            let sent = socket::send(data_directory::folder_of(path), &command, input, &output).await;
            return sent.map_err(|error| {
                format!("data directory {folder}: another sessiond uses it and does not respond: {error}; try again")
                    .into()
            });
        }
        opened => opened?,
    };
    if matches!(command, Command::Import) {
        // With these settings; a server with others applies its own when it starts.
        sweep::apply_lifetimes(&sessions).await?;
    }
    execute(&sessions, command, input, &output).await;
    Ok(())
}
