//! The commands that act on a store: API keys, import, export and events.
//!
//! While a server runs on an embedded store it stays that store's only writer, so the commands then reach it
//! through a socket in the data directory; otherwise they open the store themselves. Either way the same
//! function does the work.

pub mod socket;
mod transfer;

use std::error::Error as StdError;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use session_api::{DomainId, ErrorCode, PoolId, Timestamp};
use session_store::{ApiKey, KeyId, Scope, StoreError};
use tokio::io::AsyncBufRead;
use tokio::sync::mpsc;

use crate::config::{Config, StoreUrl};
use crate::credential::{Credential, Kind};
use crate::error::Error;
use crate::serve::{self, OpenError};
use crate::service::Service;

/// The greatest length of a key's name, in characters: one line of a list.
const KEY_NAME_MAX_CHARS: usize = 200;

/// How many lines may wait for whoever reads the output.
const OUTPUT_QUEUE: usize = 256;

/// A command, as it also goes through the socket.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "command")]
pub enum Command {
    /// Makes an API key.
    KeyCreate {
        /// What people call it.
        name: String,
        /// The domain that it acts in.
        domain_id: DomainId,
        /// The pool that it is bound to.
        pool_id: Option<PoolId>,
        /// What it may be used for.
        scopes: Vec<String>,
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
        /// From this time on.
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
    /// The last one: whether the command did all of its work.
    Done(bool),
}

/// The names of these scopes, each once.
pub(crate) fn scopes(scopes: &[Scope]) -> Vec<String> {
    let mut scopes = scopes.to_vec();
    scopes.sort_unstable();
    scopes.dedup();
    scopes.iter().map(Scope::to_string).collect()
}

impl Service {
    /// Makes an API key; answers what is kept of it and the key itself, which is shown this once.
    pub(crate) async fn key_create(
        &self,
        name: String,
        domain_id: DomainId,
        pool_id: Option<PoolId>,
        scopes: Vec<Scope>,
    ) -> Result<(ApiKey, SecretString), Error> {
        let printable = |character: char| !character.is_control();
        if name.is_empty() || name.chars().count() > KEY_NAME_MAX_CHARS || !name.chars().all(printable) {
            let message = format!(
                "name: it must have 1 to {KEY_NAME_MAX_CHARS} characters, none of them a control character"
            );
            return Err(Error::new(ErrorCode::InvalidValue, message));
        }
        let id = KeyId(self.minter.id()?);
        let credential = Credential::new(Kind::ApiKey, id.0, self.minter.secret()?);
        let key =
            ApiKey { id, name, domain_id, pool_id, scopes, secret_hash: credential.hash(), revoked_at: None };
        match self.answer_of(self.store.key_create(key.clone())).await? {
            Err(StoreError::PoolOfOtherDomain) => {
                Err(Error::new(ErrorCode::InvalidValue, "pool: it is a pool of another domain"))
            }
            outcome => {
                outcome?;
                Ok((key, credential.reveal()))
            }
        }
    }
}

/// Does the command's work and sends its output line by line, [`Line::Done`] last. Stops early when nobody
/// reads the output any more.
pub(crate) async fn execute(
    service: &Service,
    command: Command,
    input: impl AsyncBufRead + Unpin + Send,
    output: &mpsc::Sender<Line>,
) {
    let done = match perform(service, command, input, output).await {
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
    service: &Service,
    command: Command,
    input: impl AsyncBufRead + Unpin + Send,
    output: &mpsc::Sender<Line>,
) -> Result<bool, Error> {
    let out = async |text: String| {
        let _ = output.send(Line::Out(text)).await;
    };
    match command {
        Command::KeyCreate { name, domain_id, pool_id, scopes, json } => {
            let scopes = scopes
                .iter()
                .map(|scope| scope.parse::<Scope>())
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| Error::new(ErrorCode::InvalidValue, format!("scope: {error}")))?;
            let (key, text) = service.key_create(name, domain_id, pool_id, scopes).await?;
            let text = text.expose_secret();
            if json {
                out(json!({ "id": key.id.to_string(), "key": text }).to_string()).await;
            } else {
                out(format!("id:  {}\nkey: {text}\nKeep the key now: it is not shown again.", key.id)).await;
            }
            Ok(true)
        }
        Command::KeyList { json } => {
            for key in service.within(service.store.key_list()).await? {
                let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.as_str()).collect();
                out(if json {
                    json!({
                        "id": key.id.to_string(),
                        "name": key.name,
                        "domain_id": key.domain_id,
                        "pool_id": key.pool_id,
                        "scopes": scopes,
                        "revoked_at": key.revoked_at,
                    })
                    .to_string()
                } else {
                    let state = if key.revoked_at.is_some() { "revoked" } else { "active" };
                    let pool = key.pool_id.map_or_else(|| "every pool".to_owned(), |pool| pool.to_string());
                    format!(
                        "{}  {state}  {}  {pool}  {}  {}",
                        key.id,
                        key.domain_id,
                        scopes.join(","),
                        key.name
                    )
                })
                .await;
            }
            Ok(true)
        }
        Command::KeyRevoke { id } => {
            let id: KeyId =
                id.parse().map_err(|error| Error::new(ErrorCode::InvalidValue, format!("{error}")))?;
            let known = service.within(service.store.key_revoke(id, service.clock.now())).await?;
            if !known {
                let message = format!("there is no API key {id}; `sessiond key list` shows them");
                return Err(Error::new(ErrorCode::NotFound, message));
            }
            Ok(true)
        }
        Command::Import => transfer::import(service, input, output).await,
        Command::Export => transfer::export(service, output).await,
        Command::Events { since } => transfer::events(service, since, output).await,
    }
}

/// Runs a command from the command line, through the server that holds the store or on the store itself.
/// `file` is where an import reads and an export writes; `-` is standard input or output.
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
        // An export replaces nothing: what is there may be the only copy.
        let mut target: Box<dyn Write> = match (command, file) {
            (Command::Export, Some(path)) => {
                Box::new(std::io::BufWriter::new(std::fs::File::create_new(path).map_err(at)?))
            }
            _ => Box::new(std::io::stdout().lock()),
        };
        let (sender, mut lines) = mpsc::channel(OUTPUT_QUEUE);
        let work = perform_somewhere(config, command.clone(), input, sender);
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

async fn perform_somewhere(
    config: &Config,
    command: Command,
    input: Box<dyn AsyncBufRead + Unpin + Send>,
    output: mpsc::Sender<Line>,
) -> Result<(), Box<dyn StdError>> {
    let StoreUrl::Sqlite(path) = &config.store;
    let (service, _directory) = match serve::open(config) {
        Err(OpenError::InUse(folder)) => {
            return socket::send(serve::data_directory(path), &command, input, &output).await.map_err(|error| {
                format!("data directory {folder}: another sessiond uses it and does not answer: {error}; try again").into()
            });
        }
        opened => opened?,
    };
    if matches!(command, Command::Import) {
        // With the lifetimes of these settings; a server with others applies its own when it starts.
        service.lifetimes_apply().await?;
    }
    execute(&service, command, input, &output).await;
    Ok(())
}
