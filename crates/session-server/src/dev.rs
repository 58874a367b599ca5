//! `serve --dev`: sample data for an empty store.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use secrecy::ExposeSecret;
use session_api::{Interaction, Operation, SessionCreate};
use session_store::Page;
use session_types::{AccountId, DeviceId, DomainId, IdentityId, PoolId, Scope, SessionType, UserAgent};
use strum::VariantArray;

use crate::caller::Caller;
use crate::credential::Credential;
use crate::error::Error;
use crate::keys;
use crate::limits::{LimitSettings, Limits};
use crate::origin::Origin;
use crate::request::{Prefetched, Request};
use crate::rules::create_session::create_session;
use crate::sessions::Sessions;

const USER_AGENT: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) \
                          Chrome/91.0.4472.114 Safari/537.36";

/// Adds a domain, a pool, an API key and a sample session to an empty store. Returns lines that show how to use them.
/// A store that is not empty stays as it is, and the returned line says so.
pub(crate) async fn prepare(sessions: &Arc<Sessions>, address: SocketAddr) -> Result<String, Error> {
    let storage = sessions.storage();
    let keys = storage.page(|store| store.key_page(None, 1)).await?;
    let page = storage.page(|store| store.session_page(None, 1)).await?;
    if keys != Page::default() || page != Page::default() {
        return Ok("the store is not empty, so --dev leaves it as it is\n".to_owned());
    }
    let domain_id = DomainId(storage.new_id()?);
    let pool_id = PoolId(storage.new_id()?);
    let scopes = Scope::VARIANTS.to_vec();
    let (key, text) = keys::create(storage, "dev".to_owned(), domain_id, Some(pool_id), scopes).await?;
    let body = SessionCreate {
        account_id: Some(AccountId(storage.new_id()?)),
        authenticated_identity_id: Some(IdentityId(storage.new_id()?)),
        device_id: Some(DeviceId(storage.new_id()?)),
        interaction: Some(Interaction {
            remote_ip: Some(address.ip().into()),
            user_agent: UserAgent::try_from(USER_AGENT.to_owned()).ok(),
        }),
        ..SessionCreate::new(SessionType::Browser)
    };
    let origin = Origin { request_id: "dev".to_owned(), address: address.ip(), user_agent: None };
    let limits = Arc::new(Limits::new(LimitSettings::default()));
    let operation = Operation::CreateSession;
    let credential = Credential::parse(text.expose_secret().as_bytes()).ok_or_else(Error::bad_authtoken)?;
    let request = Request {
        operation,
        caller: Caller::Key(Arc::new(key)),
        credential,
        prefetched: Prefetched::default(),
        origin,
        sessions: Arc::clone(sessions),
        limits,
    };
    let created = create_session(request, None, body).await?;
    let id = created.session.summary.id;
    let (key, token) = (text.expose_secret(), created.authtoken.expose_secret());
    let mut lines = String::new();
    let line = |lines: &mut String, comment: &str, command: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "# {comment}\n{command}");
    };
    line(
        &mut lines,
        "fetch the sample session with the API key",
        &format!("curl -H 'Authorization: Bearer {key}' http://{address}/api/v1/session/{id}"),
    );
    line(
        &mut lines,
        "fetch it with its own token",
        &format!("curl -H 'Authorization: Bearer {token}' http://{address}/api/v1/whoami"),
    );
    line(
        &mut lines,
        "create another one",
        &format!(
            "curl -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{{\"session_type\":\"api\"}}' \
             http://{address}/api/v1/session"
        ),
    );
    Ok(lines)
}
