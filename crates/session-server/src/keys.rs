//! Creating API keys.

use secrecy::SecretString;
use session_store::{ApiKey, KeyId};
use session_types::{DomainId, ErrorCode, PoolId, Scope, checked_text};

use crate::credential::{Credential, Kind};
use crate::error::Error;
use crate::storage::Storage;

/// The greatest length of a key's name, in characters: one line of a list.
const KEY_NAME_MAX_CHARS: usize = 200;

/// Creates an API key. Returns it with its text, which is shown this once.
///
/// Fails with `invalid_value` for a name that is not allowed.
pub(crate) async fn create(
    storage: &Storage,
    name: String,
    domain_id: DomainId,
    pool_id: Option<PoolId>,
    scopes: Vec<Scope>,
) -> Result<(ApiKey, SecretString), Error> {
    let name = checked_text(name, KEY_NAME_MAX_CHARS)
        .map_err(|error| Error::new(ErrorCode::InvalidValue, format!("name: {error}")))?;
    let id = KeyId(storage.new_id()?);
    let credential = Credential::new(Kind::ApiKey, id.0, storage.new_secret()?);
    let key =
        ApiKey { id, name, domain_id, pool_id, scopes, secret_hash: credential.hash(), revoked_at: None };
    let stored = key.clone();
    storage.call(|store| store.key_create(stored)).await?;
    Ok((key, credential.reveal()))
}
