//! The states of a session and the transitions between them.

use session_types::{ErrorCode, SessionStatus};
use strum::VariantArray;

use crate::error::Error;

/// A transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
pub enum Transition {
    /// The session is used.
    Interact,
    /// An identity authenticates.
    Authenticate,
    /// The holder signs out, or the lifetime passes.
    Complete,
    /// A caller who may revoke it does.
    Revoke,
}

/// Returns the state after the transition. Fails with `invalid_action` if the state does not allow it.
pub fn after(status: SessionStatus, transition: Transition) -> Result<SessionStatus, Error> {
    use SessionStatus::{Authenticated, Complete, New, Revoked, Unauthenticated};
    match (status, transition) {
        (New | Unauthenticated, Transition::Interact) => Ok(Unauthenticated),
        (Authenticated, Transition::Interact)
        | (New | Unauthenticated | Authenticated, Transition::Authenticate) => Ok(Authenticated),
        (New | Unauthenticated | Authenticated, Transition::Complete) => Ok(Complete),
        (New | Unauthenticated | Authenticated, Transition::Revoke) => Ok(Revoked),
        (Complete | Revoked, _) => Err(Error::new(
            ErrorCode::InvalidAction,
            format!("the session is {status}, which is final; create a new one"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_takes_every_transition_as_the_table_says() {
        use SessionStatus::{Authenticated, Complete, New, Revoked, Unauthenticated};
        // Columns in the order of `Transition::VARIANTS`; `None` is a refusal.
        let table = [
            (New, [Some(Unauthenticated), Some(Authenticated), Some(Complete), Some(Revoked)]),
            (Unauthenticated, [Some(Unauthenticated), Some(Authenticated), Some(Complete), Some(Revoked)]),
            (Authenticated, [Some(Authenticated), Some(Authenticated), Some(Complete), Some(Revoked)]),
            (Complete, [None; 4]),
            (Revoked, [None; 4]),
        ];
        assert_eq!(table.map(|(status, _)| status), *SessionStatus::VARIANTS);
        for (status, row) in table {
            for (transition, expected) in Transition::VARIANTS.iter().zip(row) {
                assert_eq!(after(status, *transition).ok(), expected, "{status}, {transition:?}");
            }
            assert_eq!(status.is_final(), row == [None; 4]);
        }
    }
}
