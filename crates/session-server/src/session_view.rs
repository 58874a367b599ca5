//! A session as a caller sees it: with what the caller may do with it.

use session_api::{AvailableActions, Operation, Session, SessionJson};
use session_store::StoredSession;

use crate::authorize::{Target, authorize};
use crate::caller::Caller;
use crate::error::Error;
use crate::lifecycle::state::{self, Transition};
use crate::session_entry::CurrentSession;
use crate::summary::summary_of;

/// Returns the session as this caller sees it.
pub(crate) fn session_for(caller: &Caller, session: StoredSession) -> Session {
    Session { actions: actions_for(caller, &session), summary: summary_of(session) }
}

/// Returns the JSON of the session as this caller sees it.
pub(crate) fn json_for(caller: &Caller, session: &CurrentSession) -> Result<SessionJson, Error> {
    session.json(actions_for(caller, session))
}

/// Returns whether this caller's revoke of the session would now be accepted, by the same checks as a revoke makes.
fn actions_for(caller: &Caller, session: &StoredSession) -> AvailableActions {
    let revoke = authorize(caller, Operation::RevokeSession, Target::Session(Some(session))).is_ok()
        && state::after(session.status, Transition::Revoke).is_ok();
    AvailableActions { revoke }
}
