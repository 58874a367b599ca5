//! The credentials that a proxy may substitute for others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde_json::Value;

use crate::proxy::{Request, Response};
use crate::tokens;

/// An API key of the server's store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// The key itself.
    pub(crate) token: String,
    /// The domain in which it acts.
    pub(crate) domain_id: String,
    /// The pool that it is bound to.
    pub(crate) pool_id: Option<String>,
    /// What it may be used for.
    pub(crate) scopes: BTreeSet<String>,
    /// Whether it was revoked.
    pub(crate) revoked: bool,
}

/// A line of `sessiond key list --output json`.
#[derive(Deserialize)]
struct ListedKey {
    id: String,
    domain_id: String,
    pool_id: Option<String>,
    scopes: BTreeSet<String>,
    revoked_at: Option<Value>,
}

/// The API keys of the server's store, by ID.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    keys: BTreeMap<String, Key>,
    every_scope: BTreeSet<String>,
}

impl Keyring {
    /// The keyring of these keys, about which `listed`, the output of `sessiond key list --output json`, has the rest.
    pub fn new<'a>(listed: &str, keys: impl IntoIterator<Item = &'a str>) -> serde_json::Result<Self> {
        let listed =
            listed.lines().map(serde_json::from_str).collect::<serde_json::Result<Vec<ListedKey>>>()?;
        let mut keyring = Self::default();
        for token in keys {
            let known = listed.iter().find(|key| tokens::id_of(token) == Some(key.id.as_str()));
            if let Some(ListedKey { id, domain_id, pool_id, scopes, revoked_at }) = known {
                keyring.every_scope.extend(scopes.iter().cloned());
                let key = Key {
                    token: token.to_owned(),
                    domain_id: domain_id.clone(),
                    pool_id: pool_id.clone(),
                    scopes: scopes.clone(),
                    revoked: revoked_at.is_some(),
                };
                keyring.keys.insert(id.clone(), key);
            }
        }
        Ok(keyring)
    }

    /// The flags of `sessiond key create` for each key that a fault may substitute for one of these and that is not
    /// among them: one with every scope; one that is bound to no pool; one of another domain.
    pub fn missing(&self) -> Vec<Vec<String>> {
        let mut wanted = BTreeSet::new();
        for Key { domain_id, pool_id, scopes, .. } in self.keys.values() {
            wanted.insert((domain_id.as_str(), pool_id.as_deref(), &self.every_scope));
            wanted.insert((domain_id, pool_id.as_deref(), scopes));
            for domain_id in self.domains() {
                wanted.insert((domain_id, None, scopes));
            }
        }
        wanted.retain(|(domain_id, pool_id, scopes)| self.live(domain_id, *pool_id, scopes).is_none());
        let flags = wanted.into_iter().map(|(domain_id, pool_id, scopes)| {
            let pool = pool_id.into_iter().flat_map(|pool_id| ["--pool", pool_id]);
            let scopes = scopes.iter().flat_map(|scope| ["--scope", scope]);
            ["--domain", domain_id].into_iter().chain(pool).chain(scopes).map(str::to_owned).collect()
        });
        flags.collect()
    }

    fn domains(&self) -> impl Iterator<Item = &str> {
        self.keys.values().map(|key| key.domain_id.as_str()).collect::<BTreeSet<_>>().into_iter()
    }

    fn live(&self, domain_id: &str, pool_id: Option<&str>, scopes: &BTreeSet<String>) -> Option<&Key> {
        self.keys.values().find(|key| {
            !key.revoked
                && key.domain_id == domain_id
                && key.pool_id.as_deref() == pool_id
                && key.scopes == *scopes
        })
    }
}

/// The credentials that the proxy knows: the API keys of the store, and the session tokens that it saw.
#[derive(Debug)]
pub(crate) struct Credentials {
    keyring: Keyring,
    /// By the session's ID, the oldest first.
    session_tokens: Mutex<BTreeMap<String, Vec<String>>>,
}

impl Credentials {
    /// These keys, and no session token.
    pub(crate) fn new(keyring: Keyring) -> Self {
        Self { keyring, session_tokens: Mutex::default() }
    }

    /// The key that is exactly this token.
    pub(crate) fn key(&self, token: &str) -> Option<&Key> {
        self.key_by_id(token).filter(|key| key.token == token)
    }

    /// The key that is exactly this token, unless it was revoked.
    pub(crate) fn live_key_of(&self, token: &str) -> Option<&Key> {
        self.key(token).filter(|key| !key.revoked)
    }

    /// The key with the ID of this token, which is well-formed, unless the key was revoked.
    pub(crate) fn key_with_id_of(&self, token: &str) -> Option<&Key> {
        self.key_by_id(token).filter(|key| !key.revoked && tokens::with_right_checksum(token) == token)
    }

    fn key_by_id(&self, token: &str) -> Option<&Key> {
        self.keyring.keys.get(tokens::id_of(token)?)
    }

    /// A key with exactly these rights that is not revoked.
    pub(crate) fn live_key(
        &self,
        domain_id: &str,
        pool_id: Option<&str>,
        scopes: &BTreeSet<String>,
    ) -> Option<&Key> {
        self.keyring.live(domain_id, pool_id, scopes)
    }

    /// Every scope that a key can have.
    pub(crate) fn every_scope(&self) -> &BTreeSet<String> {
        &self.keyring.every_scope
    }

    /// Every domain that has a key.
    pub(crate) fn domains(&self) -> impl Iterator<Item = &str> {
        self.keyring.domains()
    }

    /// The tokens that the session of this token, which is well-formed, has had, the oldest first.
    pub(crate) fn tokens_of_session(&self, token: &str) -> Vec<String> {
        let id = tokens::id_of(token).filter(|_| tokens::with_right_checksum(token) == token);
        let known = self.session_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        id.and_then(|id| known.get(id).cloned()).unwrap_or_default()
    }

    /// Remembers the token in a response, if there is one.
    pub(crate) fn remember(&self, request: &Request, response: &Response) {
        if request.is_of(&["create_session", "authenticate_session"])
            && let Some(token) = response.json()["authtoken"].as_str()
            && let Some(id) = tokens::id_of(token)
        {
            let mut known = self.session_tokens.lock().unwrap_or_else(PoisonError::into_inner);
            known.entry(id.to_owned()).or_default().push(token.to_owned());
        }
    }
}
