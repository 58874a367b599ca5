//! Creating a session.

use session_api::{
    ErrorCode, PoolId, Session, SessionCreate, SessionId, SessionKind, SessionStatus, SessionSummary,
    SessionWithAuthtoken,
};
use session_store::{ApiKey, EventAction, StoreError};

use super::{note_interaction, seen_by, state};
use crate::authorize::{Action, authorize};
use crate::caller::Caller;
use crate::credential::{Credential, Kind};
use crate::error::Error;
use crate::origin::Origin;
use crate::service::Service;

impl Service {
    /// Creates a session and its token. With an account and an identity, it begins authenticated; else with an
    /// interaction, unauthenticated; else new.
    ///
    /// Fails with `not_permitted`, `required_value` or `invalid_value`, or if there were too many; nothing is created
    /// then.
    pub async fn session_create(
        &self,
        caller: Caller,
        origin: &Origin,
        body: SessionCreate,
    ) -> Result<SessionWithAuthtoken, Error> {
        authorize(&caller, Action::Create, None)?;
        let Caller::Key(key) = &caller else {
            return Err(Error::unexpected("a session token was allowed to create a session"));
        };
        self.limits.creation(origin.address, key.id)?;
        let pool_id = pool_for(key, body.pool_id)?;
        let both_or_none = match (body.account_id, body.authenticated_identity_id) {
            (Some(_), None) => Err("authenticated_identity_id"),
            (None, Some(_)) => Err("account_id"),
            (account, _) => Ok(account.is_some()),
        };
        let authenticated = both_or_none.map_err(|missing| {
            let message = format!(
                "{missing}: it is required, for account_id and authenticated_identity_id come together"
            );
            Error::new(ErrorCode::RequiredValue, message)
        })?;

        let id = SessionId(self.minter.id()?);
        let mut summary = SessionSummary {
            account_id: body.account_id,
            authenticated_identity_id: body.authenticated_identity_id,
            device_id: body.device_id,
            domain_id: key.domain_id,
            first_seen: None,
            id,
            last_seen: None,
            pool_id,
            session_type: body.session_type,
            status: SessionStatus::New,
            title: body.title,
            kind: SessionKind::Session,
        };
        if let Some(interaction) = body.interaction {
            summary.status = state::after(summary.status, state::Event::Interact)?;
            note_interaction(&mut summary, interaction, self.clock.now());
        }
        if authenticated {
            summary.status = state::after(summary.status, state::Event::Authenticate)?;
        }
        let credential = Credential::new(Kind::Session, id.0, self.minter.secret()?);
        let stored = self.stored(summary.clone(), Some(credential.hash()));
        let event = self.event(EventAction::Created, id, caller.actor(), Some(origin), None)?;
        match self.answer_of(self.store.session_create(stored, event)).await? {
            Err(StoreError::PoolOfOtherDomain) => {
                let message = "pool_id: it is a pool of another domain than the API key's";
                return Err(Error::new(ErrorCode::NotPermitted, message));
            }
            outcome => outcome?,
        }
        let session: Session = seen_by(&caller, summary);
        Ok(SessionWithAuthtoken { authtoken: credential.reveal().into(), session })
    }
}

/// The pool that the caller asks for, or the one that its key is bound to.
fn pool_for(key: &ApiKey, asked: Option<PoolId>) -> Result<PoolId, Error> {
    match (asked, key.pool_id) {
        (Some(asked), Some(bound)) if asked != bound => {
            Err(Error::new(
                ErrorCode::NotPermitted,
                "pool_id: the API key is bound to another pool; leave it out to use that",
            ))
        }
        (Some(pool_id), _) | (None, Some(pool_id)) => Ok(pool_id),
        (None, None) => Err(Error::new(
            ErrorCode::RequiredValue,
            "pool_id: it is required, for the API key is not bound to a pool",
        )),
    }
}
