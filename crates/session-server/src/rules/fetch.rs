//! Reading a session, by its ID or by its own token.

use session_api::{ErrorCode, Session, SessionId, SessionSummary};
use session_store::{Reference, Scope, StoredSession};

use super::{seen_by, state};
use crate::authorize::{Action, Refusal, authorize};
use crate::caller::Caller;
use crate::error::Error;
use crate::origin::Origin;
use crate::service::Service;

/// Whether this caller's revoke of the session would be accepted now. The very check that a revoke makes.
pub(crate) fn revoke_allowed(caller: &Caller, summary: &SessionSummary) -> Result<(), Error> {
    authorize(caller, Action::Revoke, Some(summary))?;
    state::after(summary.status, state::Event::Revoke).map(drop)
}

impl Service {
    /// The session, for a caller that may read it.
    ///
    /// Fails with `not_found`, also for a caller that may not read it; with `unexpected_ref_type` if the ID is
    /// known as another kind to a caller that may read there; with `not_authenticated` if the caller's own
    /// session would have to be authenticated.
    pub async fn session_fetch(
        &self,
        caller: Caller,
        origin: &Origin,
        id: SessionId,
    ) -> Result<Session, Error> {
        match caller {
            // Its own session was read to prove the token.
            Caller::Session(own) if own.summary.id == id => {
                Ok(self.own_session(own, origin))
            }
            caller => {
                let session = self.session_for(&caller, Action::Fetch, id).await?;
                Ok(seen_by(&caller, session.summary))
            }
        }
    }

    /// The session that the caller's token stands for.
    ///
    /// Fails with `not_permitted` for an API key.
    pub fn session_fetch_own(&self, caller: Caller, origin: &Origin) -> Result<Session, Error> {
        authorize(&caller, Action::FetchOwn, None)?;
        match caller {
            Caller::Session(own) => Ok(self.own_session(own, origin)),
            Caller::Key(_) => Err(Error::unexpected("a key was allowed to fetch its own session")),
        }
    }

    /// The session as it was before this request, which counts as an interaction of a session that was seen before.
    fn own_session(&self, own: Box<StoredSession>, origin: &Origin) -> Session {
        let summary = own.summary.clone();
        if summary.last_seen.is_some() {
            self.note_seen(&summary, origin);
        }
        seen_by(&Caller::Session(own), summary)
    }

    /// The session as it is now, if the caller may do the action to it.
    pub(crate) async fn session_for(
        &self,
        caller: &Caller,
        action: Action,
        id: SessionId,
    ) -> Result<StoredSession, Error> {
        let session = self.within(self.store.session_fetch(id)).await?.map(|session| self.current(session));
        match (authorize(caller, action, session.as_ref().map(|session| &session.summary)), session) {
            (Ok(()), Some(session)) => Ok(session),
            (Err(Refusal::NotFound) | Ok(()), None) => Err(self.explain_missing(caller, id).await?),
            (Err(refusal), _) => Err(refusal.into()),
        }
    }

    /// `unexpected_ref_type` if the caller may read where the ID is known as another kind, else `not_found`.
    async fn explain_missing(&self, caller: &Caller, id: SessionId) -> Result<Error, Error> {
        let reference = match caller {
            Caller::Key(key) if key.scopes.contains(&Scope::SessionRead) => {
                self.within(self.store.reference_find(id.0, key.domain_id, key.pool_id)).await?
            }
            _ => None,
        };
        Ok(match reference {
            None => Refusal::NotFound.into(),
            Some(reference) => {
                let kind = match reference {
                    Reference::Account => "an account",
                    Reference::Identity => "an identity",
                    Reference::Device => "a device",
                    Reference::Pool => "a pool",
                    Reference::Domain => "a domain",
                };
                Error::new(
                    ErrorCode::UnexpectedRefType,
                    format!("session_id: it names {kind}; pass the ID of a session"),
                )
            }
        })
    }
}
