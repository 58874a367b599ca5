//! A request whose caller is known, with what the rules need to carry it out.

use std::sync::Arc;

use session_api::Operation;

use crate::caller::Caller;
use crate::credential::Credential;
use crate::limits::Limits;
use crate::origin::Origin;
use crate::sessions::Sessions;

/// A request of an operation.
pub struct Request {
    /// The operation.
    pub operation: Operation,
    /// The caller.
    pub caller: Caller,
    /// The caller's token.
    pub credential: Credential,
    /// Where the request comes from.
    pub origin: Origin,
    /// The sessions of the server.
    pub sessions: Arc<Sessions>,
    /// The rate limits of the server.
    pub limits: Arc<Limits>,
}
