//! The caller of a request.

use session_store::{Actor, ApiKey, StoredSession};

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
}
