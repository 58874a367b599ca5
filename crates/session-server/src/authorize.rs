//! Authorization: whether a caller may do what it asks for. The only place that decides it.

use session_api::{Operation, ScopeFor, SessionTokenUse};
use session_store::{SessionFilter, StateFilter, StoredSession};
use session_types::{AccountId, ErrorCode, PoolId, Scope, SessionStatus};

use crate::caller::Caller;
use crate::error::Error;

/// What an operation acts on.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// No session in particular: the operation's path names none.
    NoSession,
    /// A session that is to be created, authenticated from the start if it is to have an account.
    NewSession {
        /// Whether the request names an account or an identity.
        has_account: bool,
    },
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
            let scope_for = match target {
                Target::NewSession { has_account: true } => operation.required_scope_for(),
                _ => None,
            };
            let lacked = if key.scopes.contains(&scope) {
                let lacked = scope_for.filter(|needed| !key.scopes.contains(&needed.scope));
                lacked.map(|ScopeFor { properties, scope }| {
                    format!("the API key lacks the scope {scope}, which {} requires", properties.join(" or "))
                })
            } else {
                Some(format!("the API key lacks the scope {scope}"))
            };
            let in_domain_and_pool = match target {
                Target::NoSession | Target::NewSession { .. } => true,
                Target::Session(session) => session.is_some_and(|session| {
                    session.domain_id == key.domain_id
                        && key.pool_id.is_none_or(|pool_id| pool_id == session.pool_id)
                }),
            };
            let may_read = !matches!(target, Target::Session(_)) || key.scopes.contains(&Scope::Read);
            match (in_domain_and_pool, lacked) {
                (true, None) => Ok(()),
                (true, Some(message)) if may_read => Err(Refusal::NotPermitted(message)),
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
                Target::NoSession | Target::NewSession { .. } => true,
                Target::Session(session) => session.is_some_and(|session| session.id == own.id),
            };
            let is_authenticated = own.status == SessionStatus::Authenticated;
            match (token_use, target) {
                (SessionTokenUse::None, _) if own_or_none => Err(needs_key()),
                (SessionTokenUse::OwnSession, _) | (SessionTokenUse::Account, Target::Session(_))
                    if own_or_none =>
                {
                    Ok(())
                }
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

#[cfg(test)]
mod tests {
    use session_store::ApiKey;
    use session_store::contract_suite::{id, key as api_key, session};
    use session_types::DomainId;
    use strum::VariantArray;

    use super::*;

    /// The refusal without its message.
    #[derive(Debug, PartialEq)]
    enum Outcome {
        Allowed,
        NotAuthenticated,
        NotPermitted,
        NotFound,
    }
    use Outcome::{Allowed, NotAuthenticated, NotFound, NotPermitted};

    fn outcome(caller: &Caller, operation: Operation, target: Target<'_>) -> Outcome {
        match authorize(caller, operation, target) {
            Ok(()) => Allowed,
            Err(Refusal::NotAuthenticated) => NotAuthenticated,
            Err(Refusal::NotPermitted(message)) => {
                assert!(message.contains("API key"), "{message}");
                NotPermitted
            }
            Err(Refusal::NotFound) => NotFound,
        }
    }

    fn key(scopes: &[Scope], domain_id: DomainId, pool_id: Option<PoolId>) -> Caller {
        Caller::Key(ApiKey { scopes: scopes.to_vec(), domain_id, pool_id, ..api_key(1) }.into())
    }

    #[test]
    fn an_api_key_needs_the_scope_within_its_domain_and_pool() {
        let target = session(1);
        let (domain, pool) = (target.domain_id, target.pool_id);
        let (other_domain, other_pool) = (DomainId(id(1, 77)), PoolId(id(1, 78)));
        let named = Target::Session(Some(&target));
        for operation in Operation::VARIANTS.iter().copied() {
            let Some(scope) = operation.required_scope() else {
                let caller = key(Scope::VARIANTS, domain, None);
                assert_eq!(outcome(&caller, operation, Target::NoSession), NotPermitted, "{operation}");
                continue;
            };
            let others: Vec<Scope> =
                Scope::VARIANTS.iter().copied().filter(|other| *other != scope).collect();
            // For a caller who may not read the session, the error is the same as if there were none.
            let refused = if others.contains(&Scope::Read) { NotPermitted } else { NotFound };
            let table = [
                (key(&[scope], domain, None), named, Allowed),
                (key(&[scope], domain, Some(pool)), named, Allowed),
                (key(&[scope], domain, Some(other_pool)), named, NotFound),
                (key(Scope::VARIANTS, domain, Some(other_pool)), named, NotFound),
                (key(Scope::VARIANTS, other_domain, None), named, NotFound),
                (key(Scope::VARIANTS, other_domain, Some(pool)), named, NotFound),
                (key(Scope::VARIANTS, domain, None), Target::Session(None), NotFound),
                (key(&others, domain, None), named, refused),
                (key(&others, other_domain, None), named, NotFound),
                (key(&others, domain, None), Target::Session(None), NotFound),
                (key(&[], domain, None), named, NotFound),
                (key(&[scope], domain, None), Target::NoSession, Allowed),
                (key(&others, domain, None), Target::NoSession, NotPermitted),
                (key(&[], domain, None), Target::NoSession, NotPermitted),
            ];
            for (place, (caller, target, expected)) in table.into_iter().enumerate() {
                assert_eq!(outcome(&caller, operation, target), expected, "{operation}, row {place}");
            }
        }
    }

    #[test]
    fn a_creation_with_an_account_needs_the_scope_to_authenticate_as_well() {
        let with = Target::NewSession { has_account: true };
        let without = Target::NewSession { has_account: false };
        let table: [(&[Scope], Target<'_>, Outcome); 6] = [
            (&[Scope::Create], without, Allowed),
            (&[Scope::Create], with, NotPermitted),
            (&[Scope::Authenticate], with, NotPermitted),
            (&[Scope::Read, Scope::Create, Scope::Update, Scope::Revoke], with, NotPermitted),
            (&[Scope::Create, Scope::Authenticate], with, Allowed),
            (&[Scope::Create, Scope::Authenticate], without, Allowed),
        ];
        for (scopes, target, expected) in table {
            let caller = key(scopes, DomainId(id(1, 1)), None);
            assert_eq!(
                outcome(&caller, Operation::CreateSession, target),
                expected,
                "{scopes:?}, {target:?}"
            );
        }
        let creator = key(&[Scope::Create], DomainId(id(1, 1)), None);
        let Err(Refusal::NotPermitted(message)) = authorize(&creator, Operation::CreateSession, with) else {
            panic!("it is refused");
        };
        assert!(message.contains("session:authenticate") && message.contains("account_id"), "{message}");
        // No other operation has a further scope.
        let others = Operation::VARIANTS.iter().filter(|it| it.required_scope_for().is_some());
        assert_eq!(others.collect::<Vec<_>>(), [&Operation::CreateSession]);
    }

    #[test]
    fn a_session_token_allows_its_own_session_and_once_authenticated_those_of_its_account() {
        let account = Some(AccountId(id(1, 5)));
        let authenticated =
            StoredSession { status: SessionStatus::Authenticated, account_id: account, ..session(1) };
        let same_account = StoredSession { id: session(2).id, ..authenticated.clone() };
        let other_account = StoredSession { account_id: Some(AccountId(id(1, 6))), ..same_account.clone() };
        let other_domain = StoredSession { domain_id: DomainId(id(1, 77)), ..same_account.clone() };
        let no_account = StoredSession { account_id: None, ..same_account.clone() };
        let unauthenticated = session(1);
        let operation_with = |token_use: SessionTokenUse| {
            Operation::VARIANTS.iter().copied().filter(move |it| it.session_token_use() == token_use)
        };
        // Columns: an operation without session tokens, one on the own session, one on those of the account.
        let table = [
            (&authenticated, Target::NoSession, [NotPermitted, Allowed, Allowed]),
            (&authenticated, Target::Session(Some(&authenticated)), [NotPermitted, Allowed, Allowed]),
            (&authenticated, Target::Session(Some(&same_account)), [NotPermitted, NotPermitted, Allowed]),
            (&authenticated, Target::Session(Some(&other_account)), [NotFound, NotFound, NotFound]),
            (&authenticated, Target::Session(Some(&other_domain)), [NotFound, NotFound, NotFound]),
            (&authenticated, Target::Session(Some(&no_account)), [NotFound, NotFound, NotFound]),
            (&authenticated, Target::Session(None), [NotFound, NotFound, NotFound]),
            (&unauthenticated, Target::NoSession, [NotPermitted, Allowed, NotAuthenticated]),
            (&unauthenticated, Target::Session(Some(&unauthenticated)), [NotPermitted, Allowed, Allowed]),
            (
                &unauthenticated,
                Target::Session(Some(&no_account)),
                [NotAuthenticated, NotAuthenticated, NotAuthenticated],
            ),
            (&unauthenticated, Target::Session(None), [NotAuthenticated, NotAuthenticated, NotAuthenticated]),
        ];
        for (row, (own, target, expected)) in table.into_iter().enumerate() {
            let caller = Caller::Session(own.clone().into());
            let uses = [SessionTokenUse::None, SessionTokenUse::OwnSession, SessionTokenUse::Account];
            for (token_use, expected) in uses.into_iter().zip(&expected) {
                assert!(operation_with(token_use).count() > 0);
                for operation in operation_with(token_use) {
                    assert_eq!(outcome(&caller, operation, target), *expected, "{operation}, row {row}");
                }
            }
        }
    }

    #[test]
    fn a_filter_is_limited_to_what_the_caller_may_read() {
        let (pool, other_pool) = (PoolId(id(1, 2)), PoolId(id(1, 78)));
        let (account, other_account) = (AccountId(id(1, 5)), AccountId(id(1, 6)));
        let domain = DomainId(id(1, 1));
        let token = |account_id| {
            Caller::Session(StoredSession { domain_id: domain, account_id, ..session(1) }.into())
        };
        let filter = |account_id, pool_id| Some((domain, account_id, pool_id));
        let table = [
            (key(&[], domain, None), None, None, filter(None, None)),
            (key(&[], domain, None), Some(account), Some(pool), filter(Some(account), Some(pool))),
            (key(&[], domain, Some(pool)), Some(account), None, filter(Some(account), Some(pool))),
            (key(&[], domain, Some(pool)), None, Some(pool), filter(None, Some(pool))),
            (key(&[], domain, Some(pool)), None, Some(other_pool), None),
            (token(Some(account)), None, None, filter(Some(account), None)),
            (token(Some(account)), Some(account), Some(pool), filter(Some(account), Some(pool))),
            (token(Some(account)), Some(other_account), None, None),
            (token(None), None, None, None),
            (token(None), Some(account), None, None),
        ];
        for (row, (caller, account_id, pool_id, expected)) in table.into_iter().enumerate() {
            let state = StateFilter::Status(SessionStatus::New);
            let found = authorized_filter(&caller, account_id, pool_id, state);
            if let Ok(filter) = &found {
                assert_eq!((filter.state, filter.device_id, filter.identity_id), (state, None, None));
            }
            let found = found.ok().map(|filter| (filter.domain_id, filter.account_id, filter.pool_id));
            assert_eq!(found, expected, "row {row}");
        }
    }
}
