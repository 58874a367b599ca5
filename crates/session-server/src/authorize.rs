//! Who may do what: the one place that decides it.

use session_api::{AccountId, ErrorCode, PoolId, SessionStatus, SessionSummary};
use session_store::{Scope, SessionFilter, StateFilter};

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
    /// Read the sessions that the caller reaches; names none.
    List,
    /// Record that an identity proved itself.
    Authenticate,
    /// Record that it was used.
    Interact,
    /// Sign it out.
    Complete,
    /// Revoke it.
    Revoke,
    /// Revoke many of the sessions that the caller reaches; names none.
    RevokeMany,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 9] = [
        Self::Create,
        Self::Fetch,
        Self::FetchOwn,
        Self::List,
        Self::Authenticate,
        Self::Interact,
        Self::Complete,
        Self::Revoke,
        Self::RevokeMany,
    ];

    /// Whether it names no session.
    const fn names_none(self) -> bool {
        matches!(self, Self::Create | Self::List | Self::RevokeMany)
    }

    /// The scope that an API key needs; `None` where no key will do.
    const fn scope(self) -> Option<Scope> {
        match self {
            Self::Create => Some(Scope::SessionCreate),
            Self::Fetch | Self::List => Some(Scope::SessionRead),
            Self::FetchOwn => None,
            Self::Authenticate | Self::Interact | Self::Complete => Some(Scope::SessionUpdate),
            Self::Revoke | Self::RevokeMany => Some(Scope::SessionRevoke),
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
            if action.names_none() {
                return if allowed { Ok(()) } else { Err(lacking()) };
            }
            let within = session.is_some_and(|session| {
                session.domain_id == key.domain_id
                    && key
                        .pool_id
                        .is_none_or(|pool_id| pool_id == session.pool_id)
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
            let same_account = session.is_some_and(|session| {
                session.domain_id == own.domain_id
                    && session.account_id.is_some()
                    && session.account_id == own.account_id
            });
            let by_key =
                |scope| Refusal::NotPermitted(format!("this needs an API key with the scope {scope}"));
            match action {
                Action::FetchOwn => Ok(()),
                Action::Create => Err(by_key(Scope::SessionCreate)),
                Action::Fetch | Action::Complete | Action::Revoke if is_own => Ok(()),
                Action::Authenticate | Action::Interact if is_own => Err(by_key(Scope::SessionUpdate)),
                // Whether or not there is such a session, so that it tells nothing.
                _ if own.status != SessionStatus::Authenticated => Err(Refusal::NotAuthenticated),
                Action::List | Action::RevokeMany => Ok(()),
                _ if !same_account => Err(Refusal::NotFound),
                Action::Fetch | Action::Revoke => Ok(()),
                Action::Authenticate | Action::Interact | Action::Complete => {
                    Err(by_key(Scope::SessionUpdate))
                }
            }
        }
    }
}

/// Which sessions an action that names none reaches: those of the caller's domain and, if it has them, of its pool or
/// account, narrowed by what it asks for. Refuses what lies outside.
pub fn reach(
    caller: &Caller,
    account_id: Option<AccountId>,
    pool_id: Option<PoolId>,
    state: StateFilter,
) -> Result<SessionFilter, Refusal> {
    let outside =
        |what: &str, whose: &str| Refusal::NotPermitted(format!("{what}: it is another one than {whose}"));
    let (domain_id, account_id, pool_id) = match caller {
        Caller::Key(key) => match (pool_id, key.pool_id) {
            (Some(asked), Some(bound)) if asked != bound => {
                return Err(outside("pool_id", "the API key is bound to"));
            }
            (asked, bound) => (key.domain_id, account_id, asked.or(bound)),
        },
        Caller::Session(own) => match (account_id, own.summary.account_id) {
            (_, None) => return Err(Refusal::NotAuthenticated),
            (Some(asked), Some(own)) if asked != own => {
                return Err(outside("account_id", "that of the token's session"));
            }
            (_, account_id) => (own.summary.domain_id, account_id, pool_id),
        },
    };
    Ok(SessionFilter {
        domain_id,
        pool_id,
        account_id,
        identity_id: None,
        device_id: None,
        session_type: None,
        state,
    })
}
