//! The caches of sessions and API keys, and what is done to both while a record changes.

use std::sync::Arc;

use session_store::{ApiKey, KeyId};
use session_types::{Id, SessionId};

use crate::read_cache::{ReadCache, ReadCacheSettings};
use crate::session_entry::SessionEntry;

/// The records that are read on every request.
pub(crate) struct Caches {
    pub(crate) sessions: ReadCache<SessionEntry>,
    pub(crate) keys: ReadCache<ApiKey>,
}

impl Caches {
    /// Empty caches, which take as much memory together as the settings allow.
    pub(crate) fn new(settings: ReadCacheSettings) -> Self {
        // API keys are few.
        let keys = ReadCacheSettings { bytes_max: settings.bytes_max / 8, ..settings };
        let sessions = ReadCacheSettings { bytes_max: settings.bytes_max - keys.bytes_max, ..settings };
        Self { sessions: ReadCache::new(sessions), keys: ReadCache::new(keys) }
    }
}

/// What a change may change.
pub(crate) enum Changed {
    /// These sessions.
    Sessions(Vec<SessionId>),
    /// Sessions with this ID as their domain, pool, account, identity or device.
    SessionsOf(Id),
    /// This API key.
    Key(KeyId),
}

/// A change that runs. Dropped when its outcome is known.
pub(crate) struct Changing {
    caches: Arc<Caches>,
    changed: Changed,
}

impl Changing {
    /// Removes from the caches what a change may change, until this is dropped.
    pub(crate) fn begin(caches: &Arc<Caches>, changed: Changed) -> Self {
        match &changed {
            Changed::Sessions(ids) => ids.iter().for_each(|id| caches.sessions.begin_change(id.0)),
            Changed::SessionsOf(id) => caches.sessions.begin_group_change(*id),
            Changed::Key(id) => caches.keys.begin_change(id.0),
        }
        Self { caches: Arc::clone(caches), changed }
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        match &self.changed {
            Changed::Sessions(ids) => ids.iter().for_each(|id| self.caches.sessions.end_change(id.0)),
            Changed::SessionsOf(id) => self.caches.sessions.end_group_change(*id),
            Changed::Key(id) => self.caches.keys.end_change(id.0),
        }
    }
}
