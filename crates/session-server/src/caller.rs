//! The caller of a request.

use std::sync::Arc;

use session_store::{Actor, ApiKey, TokenGuard};

use crate::error::Error;
use crate::session_entry::CurrentSession;

/// A caller whose token was verified.
#[derive(Debug)]
pub enum Caller {
    /// A service with an API key.
    Key(Arc<ApiKey>),
    /// The holder of a session's token.
    Session(CurrentSession),
}

impl Caller {
    /// The caller as the actor of an event.
    pub fn actor(&self) -> Actor {
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
