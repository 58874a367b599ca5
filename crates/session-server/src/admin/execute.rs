//! Carrying out a command on a store.

use secrecy::ExposeSecret;
use serde_json::json;
use session_store::{ApiKey, KeyId};
use session_types::{ErrorCode, stored_text};
use tokio::io::AsyncBufRead;
use tokio::sync::mpsc;

use super::command::{Command, Line};
use super::transfer;
use crate::error::Error;
use crate::keys;
use crate::sessions::Sessions;

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
            let _ = output.send(Line::Err(format!("sessiond: {}", error.into_report()))).await;
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
            let (mut after, mut is_complete) = (None, true);
            loop {
                let page = storage.page(|store| store.key_page(after, u32::MAX)).await?;
                for key in &page.items {
                    out(if json { key_as_json(key) } else { key_as_text(key) }).await;
                }
                is_complete &= transfer::report_skipped(&page.skipped, output).await;
                after = page.next.map(KeyId);
                if after.is_none() {
                    return Ok(is_complete);
                }
            }
        }
        Command::KeyRevoke { id } => {
            let id: KeyId =
                id.parse().map_err(|error| Error::new(ErrorCode::InvalidValue, format!("{error}")))?;
            let now = storage.now();
            if !storage.key_revoke(id, now).await? {
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
        "name": stored_text(key.name.clone()),
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
    format!(
        "{}  {state}  {}  {pool}  {}  {}",
        key.id,
        key.domain_id,
        scopes.join(","),
        stored_text(key.name.clone())
    )
}
