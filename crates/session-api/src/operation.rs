//! What the contract says of each operation that its types cannot say: who may call it, and how it fails.

use serde::Deserialize;
use session_types::Scope;
use strum::{AsRefStr, Display, EnumString, VariantArray};

/// An operation of the contract; its text is the `operationId`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[derive(AsRefStr, Deserialize, Display, EnumString, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Operation {
    /// Read a session.
    FetchSession,
    /// Read the session of the token.
    FetchOwnSession,
    /// Read many sessions.
    ListSessions,
    /// Create a session.
    CreateSession,
    /// Record that an identity authenticated.
    AuthenticateSession,
    /// Record that a session was used.
    RecordInteraction,
    /// Sign a session out.
    CompleteSession,
    /// Revoke a session.
    RevokeSession,
    /// Revoke many sessions.
    RevokeSessions,
}

/// What a session token is good for in an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionTokenUse {
    /// Nothing: the operation needs an API key.
    None,
    /// The token's own session.
    OwnSession,
    /// The token's own session and, once that is authenticated, the sessions of its account.
    Account,
}

/// The properties of the body of a creation that make the new session authenticated.
const ACCOUNT_PROPERTIES: &[&str] = &["account_id", "authenticated_identity_id"];

/// A scope that an API key needs in addition if the body of the request has one of these properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeFor {
    /// The properties.
    pub properties: &'static [&'static str],
    /// The scope.
    pub scope: Scope,
}

struct Facts {
    scope: Option<Scope>,
    scope_for: Option<ScopeFor>,
    session_token: SessionTokenUse,
    error_statuses: &'static [u16],
}

impl Operation {
    const fn facts(self) -> Facts {
        use SessionTokenUse::{Account, None as NoSessionToken, OwnSession};
        match self {
            Self::FetchSession => Facts {
                scope: Some(Scope::Read),
                scope_for: None,
                session_token: Account,
                error_statuses: &[400, 401, 404, 429, 500, 501, 503],
            },
            Self::FetchOwnSession => Facts {
                scope: None,
                scope_for: None,
                session_token: OwnSession,
                error_statuses: &[400, 401, 403, 429, 500, 501, 503],
            },
            Self::ListSessions => Facts {
                scope: Some(Scope::Read),
                scope_for: None,
                session_token: Account,
                error_statuses: &[400, 401, 403, 429, 500, 501, 503],
            },
            Self::CreateSession => Facts {
                scope: Some(Scope::Create),
                scope_for: Some(ScopeFor { properties: ACCOUNT_PROPERTIES, scope: Scope::Authenticate }),
                session_token: NoSessionToken,
                error_statuses: &[400, 401, 403, 408, 413, 415, 429, 500, 501, 503],
            },
            Self::AuthenticateSession => Facts {
                scope: Some(Scope::Authenticate),
                scope_for: None,
                session_token: NoSessionToken,
                error_statuses: &[400, 401, 403, 404, 408, 409, 413, 415, 429, 500, 501, 503],
            },
            Self::RecordInteraction => Facts {
                scope: Some(Scope::Update),
                scope_for: None,
                session_token: NoSessionToken,
                error_statuses: &[400, 401, 403, 404, 408, 409, 413, 415, 429, 500, 501, 503],
            },
            Self::CompleteSession => Facts {
                scope: Some(Scope::Update),
                scope_for: None,
                session_token: OwnSession,
                error_statuses: &[400, 401, 403, 404, 409, 429, 500, 501, 503],
            },
            Self::RevokeSession => Facts {
                scope: Some(Scope::Revoke),
                scope_for: None,
                session_token: Account,
                error_statuses: &[400, 401, 403, 404, 409, 429, 500, 501, 503],
            },
            Self::RevokeSessions => Facts {
                scope: Some(Scope::Revoke),
                scope_for: None,
                session_token: Account,
                error_statuses: &[400, 401, 403, 408, 413, 415, 429, 500, 501, 503],
            },
        }
    }

    /// The scope that an API key needs (`x-required-scope`); `None` where no API key is accepted.
    pub const fn required_scope(self) -> Option<Scope> {
        self.facts().scope
    }

    /// The scope that an API key needs in addition for some properties of the body (`x-required-scope-for`).
    pub const fn required_scope_for(self) -> Option<ScopeFor> {
        self.facts().scope_for
    }

    /// What a session token is good for (`x-requires-authenticated-session`).
    pub const fn session_token_use(self) -> SessionTokenUse {
        self.facts().session_token
    }

    /// The statuses of the errors that the operation returns.
    pub(crate) const fn error_statuses(self) -> &'static [u16] {
        self.facts().error_statuses
    }
}
