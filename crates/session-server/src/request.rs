//! A request whose caller is known, with what the rules need to carry it out.

use std::sync::{Arc, Mutex, PoisonError};

use session_api::Operation;
use session_types::SessionId;

use crate::caller::Caller;
use crate::credential::Credential;
use crate::error::Error;
use crate::limits::Limits;
use crate::origin::Origin;
use crate::session_entry::SessionEntry;
use crate::sessions::Sessions;
use crate::storage::Read;

/// A request of an operation.
pub struct Request {
    /// The operation.
    pub operation: Operation,
    /// The caller.
    pub caller: Caller,
    /// The caller's token.
    pub credential: Credential,
    /// The session that the path names, if it was read with the caller.
    pub prefetched: Prefetched,
    /// Where the request comes from.
    pub origin: Origin,
    /// The sessions of the server.
    pub sessions: Arc<Sessions>,
    /// The rate limits of the server.
    pub limits: Arc<Limits>,
}

/// A session as it is stored, read at once with the key or session of the caller's token, so that both take one round trip
/// to the store. It says nothing about what the caller may do: nothing of it may be used before the caller is authorized.
#[derive(Default)]
pub struct Prefetched(Mutex<Option<(SessionId, Outcome)>>);

type Outcome = Result<Read<SessionEntry>, Error>;

impl Prefetched {
    /// The outcome of reading the session with this ID.
    pub(crate) fn new(id: SessionId, read: Outcome) -> Self {
        Self(Mutex::new(Some((id, read))))
    }

    /// Returns the outcome, once: whoever needs the session again needs it as it is then.
    pub(crate) fn take(&self, id: SessionId) -> Option<Outcome> {
        let mut prefetched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        prefetched.take().filter(|(of, _)| *of == id).map(|(_, read)| read)
    }
}
