//! Authorization: whether a caller may do what it asks for. The only place that decides it.

use session_api::{Operation, SessionTokenUse};
use session_store::{SessionFilter, StateFilter, StoredSession};
use session_types::{AccountId, ErrorCode, PoolId, Scope, SessionStatus};

use crate::caller::Caller;
use crate::error::Error;

/// What an operation acts on.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// No session in particular: the operation's path names none.
    NoSession,
    /// The session that the path names; `None` if it does not exist.
    Session(Option<&'a StoredSession>),
}

/// The caller may not do what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The token's session must be authenticated for this.
    NotAuthenticated,
    /// The caller may read the session, or none is named, but may not do this.
    NotPermitted(String),
    /// The caller may not know whether the session exists.
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
                Self::new(ErrorCode::NotFound, "no such session, or the caller may not read it")
            }
        }
    }
}

/// Decides whether `caller` may do `operation` to `target`. The session's state does not matter here.
pub fn authorize(caller: &Caller, operation: Operation, target: Target<'_>) -> Result<(), Refusal> {
    match caller {
        Caller::Key(key) => {
            let Some(scope) = operation.required_scope() else {
                return Err(Refusal::NotPermitted("this needs a session token, not an API key".to_owned()));
            };
            let has_scope = key.scopes.contains(&scope);
            let lacks_scope = || Refusal::NotPermitted(format!("the API key lacks the scope {scope}"));
            let within_reach = match target {
                Target::NoSession => true,
                Target::Session(session) => session.is_some_and(|session| {
                    session.domain_id == key.domain_id
                        && key.pool_id.is_none_or(|pool_id| pool_id == session.pool_id)
                }),
            };
            let may_read = matches!(target, Target::NoSession) || key.scopes.contains(&Scope::Read);
            match (within_reach, has_scope) {
                (true, true) => Ok(()),
                (true, false) if may_read => Err(lacks_scope()),
                _ => Err(Refusal::NotFound),
            }
        }
        Caller::Session(own) => {
            let token_use = operation.session_token_use();
            let needs_key = || {
                let scope = operation.required_scope().map_or_else(String::new, |scope| scope.to_string());
                Refusal::NotPermitted(format!("this needs an API key with the scope {scope}"))
            };
            let own_or_none = match target {
                Target::NoSession => true,
                Target::Session(session) => session.is_some_and(|session| session.id == own.id),
            };
            let is_authenticated = own.status == SessionStatus::Authenticated;
            match (token_use, target) {
                (SessionTokenUse::None, _) if own_or_none => Err(needs_key()),
                (SessionTokenUse::OwnSession, _) if own_or_none => Ok(()),
                (SessionTokenUse::Account, Target::Session(_)) if own_or_none => Ok(()),
                // Whether or not the session exists, so that the error does not reveal it.
                _ if !is_authenticated => Err(Refusal::NotAuthenticated),
                (SessionTokenUse::Account, Target::NoSession) => Ok(()),
                (_, Target::Session(Some(session)))
                    if session.domain_id == own.domain_id
                        && session.account_id.is_some()
                        && session.account_id == own.account_id =>
                {
                    if token_use == SessionTokenUse::Account {
                        Ok(())
                    } else {
                        Err(needs_key())
                    }
                }
                _ => Err(Refusal::NotFound),
            }
        }
    }
}

/// Returns the filter of the sessions that an operation without a session in its path may act on: those of the caller's
/// domain and of its pool or account, narrowed by the request. Refuses a request for sessions of others.
pub fn authorized_filter(
    caller: &Caller,
    account_id: Option<AccountId>,
    pool_id: Option<PoolId>,
    state: StateFilter,
) -> Result<SessionFilter, Refusal> {
    let (domain_id, account_id, pool_id) = match caller {
        Caller::Key(key) => match (pool_id, key.pool_id) {
            (Some(requested), Some(bound)) if requested != bound => {
                let message = "pool_id: the API key is bound to another pool";
                return Err(Refusal::NotPermitted(message.to_owned()));
            }
            (requested, bound) => (key.domain_id, account_id, requested.or(bound)),
        },
        Caller::Session(own) => match (account_id, own.account_id) {
            (_, None) => return Err(Refusal::NotAuthenticated),
            (Some(requested), Some(own)) if requested != own => {
                let message = "account_id: the token's session belongs to another account";
                return Err(Refusal::NotPermitted(message.to_owned()));
            }
            (_, account_id) => (own.domain_id, account_id, pool_id),
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
