//! The session that a request names: reading it for a caller who may do the operation, and changing it.

use std::sync::Arc;

use session_store::{EventAction, IdempotencyRecord, ReferenceKind, StoreError, StoredSession};
use session_types::{ErrorCode, Scope, SessionId};

use crate::authorize::{Refusal, Target, authorize};
use crate::caller::Caller;
use crate::change_queue::ChangeKind;
use crate::error::Error;
use crate::request::Request;
use crate::session_entry::{CurrentSession, SessionEntry};

/// How often a change is attempted when others come first. On one node they queue, so the others are other nodes, sweeps
/// and revocations of many; each lost attempt is the success of one of them.
const ATTEMPTS_MAX: u32 = 16;

/// Returns the session as it is now, if the caller may do the operation to it: from the cache, or else as [`fetch_stored`] does.
///
/// What the cache has only ever lets a request pass: for a session that the caller may not read, the store is read as for one
/// that does not exist.
pub(super) async fn fetch(request: &Request, id: SessionId) -> Result<CurrentSession, Error> {
    let cached = request.sessions.storage().session_cached(id);
    if let Some(entry) = cached.filter(|entry| permits(request, Some(entry.stored())).is_ok()) {
        return Ok(request.sessions.current_of(entry));
    }
    // In a box, so that the future of a request that needs none is small.
    Box::pin(fetch_stored(request, id)).await
}

/// Returns the session as it is now, if the caller may do the operation to it, by a read of the store: now or with the
/// caller.
///
/// Fails with `not_found`, `not_permitted`, `not_authenticated`, or with `unexpected_ref_type` if the ID is known as
/// another kind to a caller who may read there.
pub(super) async fn fetch_stored(request: &Request, id: SessionId) -> Result<CurrentSession, Error> {
    let storage = request.sessions.storage();
    let read = match request.prefetched.take(id) {
        Some(read) => read?,
        None => storage.session_read(id).await?,
    };
    let session = permit(request, id, read.record.clone()).await?;
    storage.session_keep(&read);
    Ok(session)
}

/// As [`fetch_stored`], but reads the session now: after what the request has done so far.
pub(super) async fn fetch_again(request: &Request, id: SessionId) -> Result<StoredSession, Error> {
    let stored = request.sessions.storage().session_fetch_current(id).await?;
    let entry = stored.map(|stored| Arc::new(SessionEntry::new(stored)));
    Ok(permit(request, id, entry).await?.into_session())
}

/// Returns the session as it is now, given as it is stored, if the caller may do the operation to it.
async fn permit(
    request: &Request,
    id: SessionId,
    stored: Option<Arc<SessionEntry>>,
) -> Result<CurrentSession, Error> {
    let session = request.sessions.fetched(id, stored);
    match (permits(request, session.as_deref()), session) {
        (Ok(()), Some(session)) => Ok(session),
        // For a session that the caller may not read as for one that does not exist, so that both take the same time.
        (Err(Refusal::NotFound), _) | (Ok(()), None) => Err(explain_missing(request, id).await?),
        (Err(refusal), _) => Err(refusal.into()),
    }
}

fn permits(request: &Request, session: Option<&StoredSession>) -> Result<(), Refusal> {
    authorize(&request.caller, request.operation, Target::Session(session))
}

/// Returns `unexpected_ref_type` if the caller may read where the ID is known as another kind, else `not_found`.
async fn explain_missing(request: &Request, id: SessionId) -> Result<Error, Error> {
    let kind = match &request.caller {
        Caller::Key(key) if key.scopes.contains(&Scope::Read) => {
            let (domain_id, pool_id) = (key.domain_id, key.pool_id);
            request.sessions.storage().call(|store| store.reference_find(id.0, domain_id, pool_id)).await?
        }
        _ => None,
    };
    let kind = match kind {
        None => return Ok(Refusal::NotFound.into()),
        Some(ReferenceKind::Account) => "an account",
        Some(ReferenceKind::Identity) => "an identity",
        Some(ReferenceKind::Device) => "a device",
        Some(ReferenceKind::Pool) => "a pool",
        Some(ReferenceKind::Domain) => "a domain",
    };
    let message = format!("session_id: it is the ID of {kind}; pass the ID of a session");
    Ok(Error::new(ErrorCode::UnexpectedRefType, message))
}

/// Changes the session, if the caller may do the operation to it: reads it as it is now, applies `change`, and replaces
/// it if it is still the one that was read; otherwise starts again. `change` returns the action for the history, if the
/// state changes.
///
/// The token of the caller must still be valid when the change is made: if an authentication replaces it before, the
/// change is refused like one that arrives after that.
///
/// Fails as [`fetch`] does, with `bad_authtoken`, with the error of `change`, or with `unknown` if too many other changes
/// come first; the session is not changed then.
pub(super) async fn change(
    request: &Request,
    id: SessionId,
    kind: ChangeKind,
    change: impl Fn(&mut StoredSession) -> Result<Option<EventAction>, Error> + Send,
) -> Result<StoredSession, Error> {
    let changed = change_with_record(request, id, kind, None, change).await?;
    changed.ok_or_else(|| Error::unexpected(StoreError::RequestRepeated))
}

/// As [`change`], and adds the record of the request with the change. Returns `None`, and changes nothing, if there is one of
/// the same request.
pub(super) async fn change_with_record(
    request: &Request,
    id: SessionId,
    kind: ChangeKind,
    record: Option<IdempotencyRecord>,
    change: impl Fn(&mut StoredSession) -> Result<Option<EventAction>, Error> + Send,
) -> Result<Option<StoredSession>, Error> {
    let sessions = &request.sessions;
    let token = request.caller.token()?;
    // Before the queue, in which only callers wait that may change the session.
    let mut session = fetch_stored(request, id).await?.into_session();
    let turn = sessions.change_turn(id, kind).await?;
    if turn.waited {
        session = fetch_again(request, id).await?;
    }
    for _ in 0..ATTEMPTS_MAX {
        if token.is_some_and(|token| token.session_id == id && session.token_hash != Some(token.token_hash)) {
            return Err(Error::bad_authtoken());
        }
        let action = change(&mut session)?;
        let changed = sessions.with_times(session);
        let event = action
            .map(|action| sessions.new_event(action, id, request.caller.actor(), Some(&request.origin), None))
            .transpose()?;
        let (replacement, record) = (changed.clone(), record.clone());
        match sessions.storage().session_replace(replacement, event, token, record).await? {
            Some(true) => return Ok(Some(changed)),
            Some(false) => {}
            None => return Ok(None),
        }
        session = fetch_again(request, id).await?;
    }
    Err(Error::unknown(format!("{ATTEMPTS_MAX} changes of the session by others came first")))
}
