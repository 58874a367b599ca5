//! Revoking every session of an account, identity, device or pool: "sign out everywhere".

use session_api::{ErrorCode, Revocation, RevocationResult, SessionId};
use session_store::{EventAction, SessionFilter, StateFilter};

use crate::authorize::{Action, authorize, reach};
use crate::caller::Caller;
use crate::error::Error;
use crate::origin::Origin;
use crate::service::Service;

impl Service {
    /// Revokes, in one transaction, every live session that the body names and the caller reaches; answers how many.
    ///
    /// Fails with `required_value` or `invalid_value` unless exactly one thing is named, or with `not_permitted` or
    /// `not_authenticated`; nothing is changed then.
    pub async fn session_revoke_many(
        &self,
        caller: Caller,
        origin: &Origin,
        body: Revocation,
    ) -> Result<RevocationResult, Error> {
        authorize(&caller, Action::RevokeMany, None)?;
        let named = [
            body.account_id.map(|_| "account_id"),
            body.authenticated_identity_id.map(|_| "authenticated_identity_id"),
            body.device_id.map(|_| "device_id"),
            body.pool_id.map(|_| "pool_id"),
        ];
        let mut named = named.into_iter().flatten();
        let reason = named.next().ok_or_else(|| {
            let message =
                "account_id: it is required, unless authenticated_identity_id, device_id or pool_id is there";
            Error::new(ErrorCode::RequiredValue, message)
        })?;
        if let Some(second) = named.next() {
            let message = format!("{second}: there is {reason} already; send one of them alone");
            return Err(Error::new(ErrorCode::InvalidValue, message));
        }
        if matches!(caller, Caller::Session(_)) && body.account_id.is_none() {
            let message = format!("{reason}: a session's token revokes by its own account_id alone");
            return Err(Error::new(ErrorCode::NotPermitted, message));
        }
        let filter = SessionFilter {
            identity_id: body.authenticated_identity_id,
            device_id: body.device_id,
            ..reach(&caller, body.account_id, body.pool_id, StateFilter::Any)?
        };
        // So that a session which was used until now counts as live: the store alone decides here.
        self.seen_write().await?;
        // The store gives each session's event its own ID and session.
        let id = SessionId(self.minter.id()?);
        let event = self.event(EventAction::Revoked, id, caller.actor(), Some(origin), Some(reason))?;
        let now = self.clock.now();
        let except = body.except_session_id;
        let revoke = self.store.session_revoke_all(filter, except, now, event);
        Ok(RevocationResult { revoked: self.within(revoke).await? })
    }
}
