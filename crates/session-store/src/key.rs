//! API keys as they are kept.

use std::fmt;
use std::str::FromStr;

use session_api::{DomainId, Id, InvalidId, PoolId, Timestamp};

/// Names an API key; a part of the key's own text, and no secret.
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

/// What an API key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Fetch and list sessions.
    SessionRead,
    /// Create sessions.
    SessionCreate,
    /// Authenticate sessions.
    SessionUpdate,
    /// Revoke sessions.
    SessionRevoke,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] =
        [Self::SessionRead, Self::SessionCreate, Self::SessionUpdate, Self::SessionRevoke];

    /// The scope's name, as in OAuth.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SessionRead => "session:read",
            Self::SessionCreate => "session:create",
            Self::SessionUpdate => "session:update",
            Self::SessionRevoke => "session:revoke",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is not a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a scope is one of session:read, session:create, session:update, session:revoke")]
pub struct InvalidScope;

impl FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(InvalidScope)
    }
}

/// An API key: its secret only as a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The key's ID; its time is when the key was made.
    pub id: KeyId,
    /// What people call it.
    pub name: String,
    /// The domain that it acts in.
    pub domain_id: DomainId,
    /// The pool that it is bound to, if it is.
    pub pool_id: Option<PoolId>,
    /// What it may be used for, each once.
    pub scopes: Vec<Scope>,
    /// The SHA-256 of its secret.
    pub secret_hash: SecretHash,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// The SHA-256 of a secret of 256 random bits. No password, so no salt and no slow hash: there is nothing to
/// guess.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SecretHash(pub [u8; 32]);

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}
