//! The states of a session and what leads from one to the next.

use session_api::{ErrorCode, SessionStatus};

use crate::error::Error;

/// What happens to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was seen.
    Interact,
    /// An identity proved itself.
    Authenticate,
    /// Its holder signs out, or its lifetime passes.
    Complete,
    /// Someone who may ends it.
    Revoke,
}

impl Event {
    /// Every event.
    pub const ALL: [Self; 4] = [Self::Interact, Self::Authenticate, Self::Complete, Self::Revoke];
}

/// Whether nothing leads out of the state.
pub const fn is_final(status: SessionStatus) -> bool {
    matches!(status, SessionStatus::Complete | SessionStatus::Revoked)
}

/// The state after the event. Fails with `invalid_action` if the state does not allow it.
pub fn after(status: SessionStatus, event: Event) -> Result<SessionStatus, Error> {
    use SessionStatus::{Authenticated, Complete, New, Revoked, Unauthenticated};
    match (status, event) {
        (New | Unauthenticated, Event::Interact) => Ok(Unauthenticated),
        (Authenticated, Event::Interact) | (New | Unauthenticated | Authenticated, Event::Authenticate) => {
            Ok(Authenticated)
        }
        (New | Unauthenticated | Authenticated, Event::Complete) => Ok(Complete),
        (New | Unauthenticated | Authenticated, Event::Revoke) => Ok(Revoked),
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
    fn every_state_answers_every_event_as_the_table_says() {
        use SessionStatus::{Authenticated, Complete, New, Revoked, Unauthenticated};
        // Columns in the order of `Event::ALL`; `None` is a refusal.
        let table = [
            (New, [Some(Unauthenticated), Some(Authenticated), Some(Complete), Some(Revoked)]),
            (Unauthenticated, [Some(Unauthenticated), Some(Authenticated), Some(Complete), Some(Revoked)]),
            (Authenticated, [Some(Authenticated), Some(Authenticated), Some(Complete), Some(Revoked)]),
            (Complete, [None; 4]),
            (Revoked, [None; 4]),
        ];
        assert_eq!(table.map(|(status, _)| status), *SessionStatus::ALL);
        for (status, row) in table {
            for (event, expected) in Event::ALL.into_iter().zip(row) {
                assert_eq!(after(status, event).ok(), expected, "{status}, {event:?}");
            }
            assert_eq!(is_final(status), row == [None; 4]);
        }
    }
}
