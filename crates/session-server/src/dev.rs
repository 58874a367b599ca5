//! `serve --dev`: something to try at once.

use std::fmt::Write;
use std::net::SocketAddr;

use secrecy::ExposeSecret;
use session_api::{
    AccountId, DeviceId, DomainId, IdentityId, Interaction, PoolId, SessionCreate, SessionType, UserAgent,
};
use session_store::Scope;

use crate::caller::Caller;
use crate::error::Error;
use crate::origin::Origin;
use crate::service::Service;

const USER_AGENT: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) \
                          Chrome/91.0.4472.114 Safari/537.36";

/// Prepares an empty store with a domain, a pool, an API key and a sample session; answers the lines that
/// show how to use them. Leaves any other store as it is, and says so.
pub(crate) async fn prepare(service: &Service, address: SocketAddr) -> Result<String, Error> {
    let has_keys = !service.within(service.store.key_list()).await?.is_empty();
    if has_keys || !service.within(service.store.session_page(None, 1)).await?.is_empty() {
        return Ok("the store is not empty, so --dev leaves it as it is\n".to_owned());
    }
    let domain_id = DomainId(service.minter.id()?);
    let pool_id = PoolId(service.minter.id()?);
    let (key, text) =
        service.key_create("dev".to_owned(), domain_id, Some(pool_id), Scope::ALL.to_vec()).await?;
    let body = SessionCreate {
        account_id: Some(AccountId(service.minter.id()?)),
        authenticated_identity_id: Some(IdentityId(service.minter.id()?)),
        device_id: Some(DeviceId(service.minter.id()?)),
        interaction: Some(Interaction {
            remote_ip: Some(address.ip().into()),
            user_agent: UserAgent::try_from(USER_AGENT.to_owned()).ok(),
        }),
        pool_id: None,
        session_type: SessionType::Browser,
        title: None,
    };
    let origin = Origin { request_id: "dev".to_owned(), address: address.ip(), user_agent: None };
    let created = service.session_create(Caller::Key(key), &origin, body).await?;
    let id = created.session.summary.id;
    let (key, token) = (text.expose_secret(), created.authtoken.expose_secret());
    let mut lines = String::new();
    let line = |lines: &mut String, comment: &str, command: &str| {
        // Writing to a string does not fail.
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
