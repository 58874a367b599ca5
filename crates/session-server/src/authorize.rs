//! Who may do what: the one place that decides it.

use session_api::{ErrorCode, SessionStatus, SessionSummary};
use session_store::Scope;

use crate::caller::Caller;
use crate::error::Error;

/// What a caller asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Create a session; names none.
    Create,
    /// Read a session.
    Fetch,
    /// Read the session that the token stands for.
    FetchOwn,
    /// Record that an identity proved itself.
    Authenticate,
    /// End a session.
    Revoke,
}

impl Action {
    /// The scope that an API key needs; `None` where no key will do.
    const fn scope(self) -> Option<Scope> {
        match self {
            Self::Create => Some(Scope::SessionCreate),
            Self::Fetch => Some(Scope::SessionRead),
            Self::FetchOwn => None,
            Self::Authenticate => Some(Scope::SessionUpdate),
            Self::Revoke => Some(Scope::SessionRevoke),
        }
    }
}

/// Why a caller may not do what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The token's session must be authenticated for this.
    NotAuthenticated,
    /// The caller may know of the session, or names none, but may not do this.
    NotPermitted(String),
    /// To this caller, there is no such session.
    NotFound,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotAuthenticated => Self::new(
                ErrorCode::NotAuthenticated,
                "the token's session is not authenticated; authenticate it first",
            ),
            Refusal::NotPermitted(message) => Self::new(ErrorCode::NotPermitted, message),
            Refusal::NotFound => {
                Self::new(ErrorCode::NotFound, "there is no such session, or it is not yours to read")
            }
        }
    }
}

/// Decides whether `caller` may do `action` to `session`, which is `None` if the action names no session or
/// one that does not exist. The session's state is not looked at.
pub fn authorize(caller: &Caller, action: Action, session: Option<&SessionSummary>) -> Result<(), Refusal> {
    match caller {
        Caller::Key(key) => {
            let Some(scope) = action.scope() else {
                return Err(Refusal::NotPermitted("this needs a session token, not an API key".to_owned()));
            };
            let allowed = key.scopes.contains(&scope);
            let lacking = || Refusal::NotPermitted(format!("the API key lacks the scope {scope}"));
            if action == Action::Create {
                return if allowed { Ok(()) } else { Err(lacking()) };
            }
            let within = session.is_some_and(|session| {
                session.domain_id == key.domain_id
                    && key.pool_id.is_none_or(|pool_id| pool_id == session.pool_id)
            });
            match (within, allowed, key.scopes.contains(&Scope::SessionRead)) {
                (true, true, _) => Ok(()),
                (true, false, true) => Err(lacking()),
                _ => Err(Refusal::NotFound),
            }
        }
        Caller::Session(own) => {
            let own = &own.summary;
            let is_own = session.is_some_and(|session| session.id == own.id);
            match action {
                Action::FetchOwn => Ok(()),
                Action::Create => Err(Refusal::NotPermitted(
                    "this needs an API key with the scope session:create".to_owned(),
                )),
                Action::Fetch | Action::Revoke if is_own => Ok(()),
                Action::Authenticate if is_own => Err(Refusal::NotPermitted(
                    "this needs an API key with the scope session:update".to_owned(),
                )),
                // Whether or not there is such a session, so that it tells nothing.
                _ if own.status != SessionStatus::Authenticated => Err(Refusal::NotAuthenticated),
                _ => {
                    let same_account = session.is_some_and(|session| {
                        session.domain_id == own.domain_id
                            && session.account_id.is_some()
                            && session.account_id == own.account_id
                    });
                    match action {
                        _ if !same_account => Err(Refusal::NotFound),
                        Action::Fetch | Action::Revoke => Ok(()),
                        _ => Err(Refusal::NotPermitted(
                            "this needs an API key with the scope session:update".to_owned(),
                        )),
                    }
                }
            }
        }
    }
}
