//! What happened to sessions, as it is kept.

use std::fmt;
use std::str::FromStr;

use session_api::{Id, SessionId, Timestamp};

use crate::key::KeyId;

/// Names an event; its time is when it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub Id);

/// A change of a session's state. It is written in the transaction of the change itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Names the event, and says when it was.
    pub id: EventId,
    /// What happened.
    pub action: EventAction,
    /// To which session.
    pub session_id: SessionId,
    /// By whom.
    pub actor: Actor,
    /// Why, where the action alone does not say.
    pub reason: Option<String>,
    /// The request that asked for it, as the log names it.
    pub request_id: Option<String>,
}

impl Event {
    /// When it was.
    pub fn at(&self) -> Timestamp {
        // An ID has no time beyond what a timestamp holds.
        Timestamp::from_ms(self.id.0.time_ms()).unwrap_or_else(|_| unreachable!("50 bits"))
    }
}

/// Who made a change.
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
    /// The kind's name.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Key(_) => "key",
            Self::Session(_) => "session",
            Self::Operator => "operator",
            Self::Server => "server",
        }
    }

    /// The ID, where the kind has one.
    pub const fn id(self) -> Option<Id> {
        match self {
            Self::Key(id) => Some(id.0),
            Self::Session(id) => Some(id.0),
            Self::Operator | Self::Server => None,
        }
    }

    /// The actor of this kind and ID; `None` if they do not go together.
    pub fn of(kind: &str, id: Option<Id>) -> Option<Self> {
        match (kind, id) {
            ("key", Some(id)) => Some(Self::Key(KeyId(id))),
            ("session", Some(id)) => Some(Self::Session(SessionId(id))),
            ("operator", None) => Some(Self::Operator),
            ("server", None) => Some(Self::Server),
            _ => None,
        }
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)*) => {
        /// What happened to a session.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EventAction {
            $($(#[$doc])* $variant,)*
        }

        impl EventAction {
            /// Every action.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The action's name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}

actions! {
    /// It was created.
    Created = "created",
    /// It was imported.
    Imported = "imported",
    /// It was seen for the first time.
    Seen = "seen",
    /// An identity proved itself; the token was replaced.
    Authenticated = "authenticated",
    /// It was signed out.
    Completed = "completed",
    /// It was revoked.
    Revoked = "revoked",
    /// Its lifetime passed.
    Expired = "expired",
}

impl fmt::Display for EventAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is no action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no action of an event")]
pub struct InvalidAction;

impl FromStr for EventAction {
    type Err = InvalidAction;

    fn from_str(text: &str) -> Result<Self, InvalidAction> {
        Self::ALL.iter().copied().find(|action| action.as_str() == text).ok_or(InvalidAction)
    }
}
