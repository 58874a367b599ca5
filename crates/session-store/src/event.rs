//! The history of sessions.

use session_types::{Id, SessionId, Timestamp};
use strum::{AsRefStr, Display, EnumString, VariantArray};

use crate::key::KeyId;

/// The ID of an event; its time is when the event happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub Id);

/// A change of a session's state, written in the transaction of the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The event's ID.
    pub id: EventId,
    /// What happened.
    pub action: EventAction,
    /// The session that it happened to.
    pub session_id: SessionId,
    /// Who caused it.
    pub actor: Actor,
    /// The reason, where the action alone does not say.
    pub reason: Option<String>,
    /// The ID of the request that caused it, as in the log.
    pub request_id: Option<String>,
}

impl Event {
    /// When the event happened.
    pub fn at(&self) -> Timestamp {
        self.id.0.created_at()
    }
}

/// Who caused a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A service with this API key.
    Key(KeyId),
    /// The holder of this session's token.
    Session(SessionId),
    /// An operator at the command line.
    Operator,
    /// The server itself.
    Server,
}

impl Actor {
    /// The name of the kind.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Key(_) => "key",
            Self::Session(_) => "session",
            Self::Operator => "operator",
            Self::Server => "server",
        }
    }

    /// The ID, for the kinds that have one.
    pub const fn id(self) -> Option<Id> {
        match self {
            Self::Key(id) => Some(id.0),
            Self::Session(id) => Some(id.0),
            Self::Operator | Self::Server => None,
        }
    }

    /// The actor of this kind and ID; `None` if they do not match.
    pub fn from_parts(kind: &str, id: Option<Id>) -> Option<Self> {
        match (kind, id) {
            ("key", Some(id)) => Some(Self::Key(KeyId(id))),
            ("session", Some(id)) => Some(Self::Session(SessionId(id))),
            ("operator", None) => Some(Self::Operator),
            ("server", None) => Some(Self::Server),
            _ => None,
        }
    }
}

/// What happened to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, AsRefStr, Display, EnumString, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum EventAction {
    /// It was created.
    Created,
    /// It was imported.
    Imported,
    /// It had its first interaction.
    Seen,
    /// An identity authenticated; the token was replaced.
    Authenticated,
    /// It was signed out.
    Completed,
    /// It was revoked.
    Revoked,
    /// Its lifetime passed.
    Expired,
}
