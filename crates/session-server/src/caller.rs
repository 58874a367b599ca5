//! The caller of a request.

use session_store::{Actor, ApiKey, StoredSession, TokenGuard};

use crate::error::Error;

/// A caller whose token was verified.
#[derive(Debug)]
pub enum Caller {
    /// A service with an API key.
    Key(ApiKey),
    /// The holder of a session's token.
    Session(Box<StoredSession>),
}

impl Caller {
    /// The caller as the actor of an event.
    pub const fn actor(&self) -> Actor {
        match self {
            Self::Key(key) => Actor::Key(key.id),
            Self::Session(session) => Actor::Session(session.id),
        }
    }

    /// The token that the caller's changes rely on; `None` for an API key.
    pub fn token(&self) -> Result<Option<TokenGuard>, Error> {
        match self {
            Self::Key(_) => Ok(None),
            Self::Session(session) => {
                let missing = || Error::unexpected("the token of a session without one was verified");
                let token_hash = session.token_hash.ok_or_else(missing)?;
                Ok(Some(TokenGuard { session_id: session.id, token_hash }))
            }
        }
    }
}
