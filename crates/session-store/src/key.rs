//! API keys as a store stores them.

use std::fmt;
use std::str::FromStr;

use session_types::{DomainId, Id, InvalidId, PoolId, Scope, Timestamp};

/// The ID of an API key: a part of the key's text, and not a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub Id);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for KeyId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse().map(Self)
    }
}

/// An API key, with the hash of its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The key's ID; its time is when the key was created.
    pub id: KeyId,
    /// A name for people.
    pub name: String,
    /// The domain that it acts in.
    pub domain_id: DomainId,
    /// The pool that it is bound to, if any.
    pub pool_id: Option<PoolId>,
    /// What it may be used for, without duplicates.
    pub scopes: Vec<Scope>,
    /// The SHA-256 of its secret.
    pub secret_hash: SecretHash,
    /// When it was revoked; `None` while it is active.
    pub revoked_at: Option<Timestamp>,
}

/// The SHA-256 of a secret of 256 random bits. Such a secret cannot be guessed, so it needs no salt and no slow hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SecretHash(pub [u8; 32]);

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}
