//! Sessions as they are shared between the cache and the requests that read them.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use session_api::{AvailableActions, SessionJson, SummaryJson};
use session_store::StoredSession;

use crate::error::Error;
use crate::summary::summary_of;

/// A session as it is stored, with the JSON of its summary, which is written once, when it is first needed.
#[derive(Debug)]
pub struct SessionEntry {
    stored: StoredSession,
    summary: OnceLock<SummaryJson>,
}

impl SessionEntry {
    /// A session as it is stored.
    pub(crate) const fn new(stored: StoredSession) -> Self {
        Self { stored, summary: OnceLock::new() }
    }

    /// The session.
    pub(crate) const fn stored(&self) -> &StoredSession {
        &self.stored
    }

    /// The JSON of the session's summary. Fails only if it cannot be serialized.
    pub(crate) fn summary(&self) -> Result<&SummaryJson, Error> {
        if let Some(summary) = self.summary.get() {
            return Ok(summary);
        }
        let summary = SummaryJson::new(&summary_of(self.stored.clone())).map_err(Error::unexpected)?;
        Ok(self.summary.get_or_init(|| summary))
    }

    /// How much memory the JSON takes, in bytes; none before it is needed.
    pub(crate) fn summary_bytes(&self) -> usize {
        self.summary.get().map_or(0, SummaryJson::bytes)
    }
}

/// How a session as it is now differs from what is stored.
#[derive(Debug)]
enum Difference {
    None,
    /// In its last interaction.
    LastSeen(Box<StoredSession>),
    /// In more than that.
    More(Box<StoredSession>),
}

/// A session as it is now. It is copied only if it differs from what is stored.
#[derive(Debug)]
pub struct CurrentSession {
    entry: Arc<SessionEntry>,
    now: Difference,
}

impl CurrentSession {
    /// A session that is as it is stored.
    pub(crate) const fn as_stored(entry: Arc<SessionEntry>) -> Self {
        Self { entry, now: Difference::None }
    }

    /// A session that differs from what is stored only in its last interaction.
    pub(crate) fn with_last_seen(entry: Arc<SessionEntry>, now: StoredSession) -> Self {
        Self { entry, now: Difference::LastSeen(Box::new(now)) }
    }

    /// A session that differs from what is stored.
    pub(crate) fn changed(entry: Arc<SessionEntry>, now: StoredSession) -> Self {
        Self { entry, now: Difference::More(Box::new(now)) }
    }

    /// Returns the session by itself.
    pub(crate) fn into_session(self) -> StoredSession {
        match self.now {
            Difference::None => Arc::try_unwrap(self.entry)
                .map_or_else(|shared| shared.stored.clone(), |SessionEntry { stored, .. }| stored),
            Difference::LastSeen(now) | Difference::More(now) => *now,
        }
    }

    /// Returns the JSON of the session with these actions. Fails only if it cannot be serialized.
    pub(crate) fn json(&self, actions: AvailableActions) -> Result<SessionJson, Error> {
        match &self.now {
            Difference::None => Ok(SessionJson::new(actions, self.entry.summary()?)),
            Difference::LastSeen(now) => {
                let summary = self.entry.summary()?;
                now.last_seen.as_ref().map_or_else(
                    || Ok(SessionJson::new(actions, summary)),
                    |seen| SessionJson::with_last_seen(actions, summary, seen).map_err(Error::unexpected),
                )
            }
            Difference::More(now) => {
                let summary = SummaryJson::new(&summary_of((**now).clone())).map_err(Error::unexpected)?;
                Ok(SessionJson::new(actions, &summary))
            }
        }
    }
}

impl Deref for CurrentSession {
    type Target = StoredSession;

    fn deref(&self) -> &StoredSession {
        match &self.now {
            Difference::None => &self.entry.stored,
            Difference::LastSeen(now) | Difference::More(now) => now,
        }
    }
}

impl From<StoredSession> for CurrentSession {
    fn from(stored: StoredSession) -> Self {
        Self::as_stored(Arc::new(SessionEntry::new(stored)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use session_api::Session;
    use session_store::contract_suite::any_session;

    use super::*;
    use crate::near_miss::cases;

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn the_json_of_any_session_is_the_one_that_serde_writes_with_any_last_interaction(
            stored in any_session(), other in any_session(), revoke: bool,
        ) {
            let actions = AvailableActions { revoke };
            let expected = |session: &StoredSession| {
                serde_json::to_string(&Session { actions, summary: summary_of(session.clone()) }).unwrap()
            };
            let written = |current: &CurrentSession| {
                String::from_utf8(current.json(actions).unwrap().into_bytes()).unwrap()
            };
            let entry = Arc::new(SessionEntry::new(stored.clone()));
            for _ in 0..2 {
                let current = CurrentSession::as_stored(Arc::clone(&entry));
                prop_assert_eq!(written(&current), expected(&stored));
                prop_assert_eq!(&*current, &stored);
            }
            if other.last_seen.is_some() {
                let seen = StoredSession { last_seen: other.last_seen.clone(), ..stored };
                let current = CurrentSession::with_last_seen(Arc::clone(&entry), seen.clone());
                prop_assert_eq!(written(&current), expected(&seen));
                prop_assert_eq!(&*current, &seen);
            }
            let current = CurrentSession::changed(entry, other.clone());
            prop_assert_eq!(written(&current), expected(&other));
            prop_assert_eq!(current.into_session(), other);
        }
    }
}
