//! Authentication: which caller sends a request.

use std::sync::Arc;

use futures::future::try_join;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use session_store::{ApiKey, KeyId, SecretHash};
use session_types::{ErrorCode, Id, SessionId};

use crate::caller::Caller;
use crate::credential::{Credential, Kind, REPLACED_TOKENS_MAX, matches};
use crate::error::Error;
use crate::limits::Limits;
use crate::origin::Origin;
use crate::request::Prefetched;
use crate::session_entry::{CurrentSession, SessionEntry};
use crate::sessions::Sessions;
use crate::storage::{Read, Storage};

/// Returns the token of `Authorization: Bearer TOKEN` (RFC 6750), if there is one; the case of the scheme does not matter.
/// Several such headers are an empty token, which is never valid.
pub(crate) fn bearer_token(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (scheme, token) = values.next()?.as_bytes().split_at_checked(7)?;
    let token = token.trim_ascii();
    if !scheme.eq_ignore_ascii_case(b"bearer ") || token.is_empty() {
        return None;
    }
    Some(if values.next().is_some() { b"" } else { token })
}

/// Returns the caller with this token, the token, and the session `target` that the request's path names, if it was read with
/// the caller: each by one read by primary key, both at once, and with an API key as one call of the store.
///
/// What the cache has of the caller only ever lets a request pass: one that is refused has read the store, whatever the
/// cache has, so that neither its time nor its error depends on that. A token without which nothing is read for the caller
/// reads nothing for `target` either. A refusal is the same whether or not `target` exists or can be read: with an API key both
/// are looked up in any case, and without one the refusal does not wait for the read of `target`.
///
/// Fails with `not_authenticated` without a token, with `bad_authtoken` if it is malformed, unknown, replaced,
/// revoked, expired or of an ended session, and over a rate limit as [`Limits::failed_authentication`] does.
pub async fn authenticate(
    sessions: &Sessions,
    limits: &Limits,
    token: Option<&[u8]>,
    target: Option<SessionId>,
    origin: &Origin,
) -> Result<(Caller, Credential, Prefetched), Error> {
    let token = token.ok_or_else(|| {
        Error::new(
            ErrorCode::NotAuthenticated,
            "no token was sent; send one as `Authorization: Bearer TOKEN`",
        )
    })?;
    let Some(credential) = Credential::parse(token) else {
        return Err(refusal(limits, origin, None, Error::bad_authtoken()));
    };
    let hash = credential.hash();
    if let Some(caller) = verify_cached(sessions, &credential, hash) {
        return Ok((caller, credential, Prefetched::default()));
    }
    // In a box, so that the future of a request that needs none is small.
    match Box::pin(read_and_verify(sessions, &credential, hash, target)).await {
        Ok((caller, prefetched)) => Ok((caller, credential, prefetched)),
        Err(error) => Err(refusal(limits, origin, Some(credential.id), error)),
    }
}

/// Returns the error of a failed authentication, which may be over a rate limit. `id` is that of the token.
fn refusal(limits: &Limits, origin: &Origin, id: Option<Id>, error: Error) -> Error {
    if error.code != ErrorCode::BadAuthtoken {
        return error;
    }
    match limits.failed_authentication(origin.address, id) {
        // The warning is for the log in any case.
        Err(limited) => Error { warning: error.warning, ..limited },
        Ok(()) => error,
    }
}

/// Returns the caller, if the cache has its session or key and the token is valid.
fn verify_cached(sessions: &Sessions, credential: &Credential, hash: SecretHash) -> Option<Caller> {
    let storage = sessions.storage();
    match credential.kind {
        Kind::Session => {
            let id = SessionId(credential.id);
            let entry = storage.session_cached(id);
            // Before it is known whether there is one.
            let [is_current, ..] = compare(hash, entry.as_deref());
            entry.filter(|_| is_current).and_then(|entry| session_caller(sessions.current_of(entry)))
        }
        Kind::ApiKey => key_caller(hash, storage.key_cached(KeyId(credential.id))),
    }
}

async fn read_and_verify(
    sessions: &Sessions,
    credential: &Credential,
    hash: SecretHash,
    target: Option<SessionId>,
) -> Result<(Caller, Prefetched), Error> {
    let storage = sessions.storage();
    let target = target.filter(|target| target.0 != credential.id);
    if let (Kind::ApiKey, Some(target)) = (credential.kind, target) {
        let (key, session) = storage.key_and_session_read(KeyId(credential.id), target).await?;
        return Ok((verify_key(storage, hash, &key)?, Prefetched::new(target, session)));
    }
    let prefetch = async {
        Ok(match target {
            Some(target) => Prefetched::new(target, storage.session_read(target).await),
            None => Prefetched::default(),
        })
    };
    // It polls in this order, and returns the error of the first without polling the second.
    try_join(verify(sessions, credential, hash), prefetch).await
}

async fn verify(sessions: &Sessions, credential: &Credential, hash: SecretHash) -> Result<Caller, Error> {
    let storage = sessions.storage();
    match credential.kind {
        Kind::Session => verify_session(sessions, SessionId(credential.id), hash).await,
        Kind::ApiKey => verify_key(storage, hash, &storage.key_read(KeyId(credential.id)).await?),
    }
}

/// Returns the caller with an API key, which is kept in the cache then.
fn verify_key(storage: &Storage, hash: SecretHash, read: &Read<ApiKey>) -> Result<Caller, Error> {
    let caller = key_caller(hash, read.record.clone()).ok_or_else(Error::bad_authtoken)?;
    storage.key_keep(read);
    Ok(caller)
}

async fn verify_session(sessions: &Sessions, id: SessionId, hash: SecretHash) -> Result<Caller, Error> {
    let read = sessions.storage().session_read(id).await?;
    let session = sessions.fetched(id, read.record.clone());
    let [is_current, is_replaced @ ..] = compare(hash, read.record.as_deref());
    if let Some(caller) = session.filter(|_| is_current).and_then(session_caller) {
        sessions.storage().session_keep(&read);
        return Ok(caller);
    }
    if is_replaced.contains(&true) {
        // Its holder has a newer one, so this one may be stolen.
        let warning = Some(format!("a replaced token of session {id} was used again"));
        return Err(Error { warning, ..Error::bad_authtoken() });
    }
    Err(Error::bad_authtoken())
}

/// Compares the secret with the hashes of a session's tokens: first the current one, then those of replaced ones.
fn compare(hash: SecretHash, entry: Option<&SessionEntry>) -> [bool; 1 + REPLACED_TOKENS_MAX] {
    let mut hashes = [None; 1 + REPLACED_TOKENS_MAX];
    if let Some(session) = entry.map(SessionEntry::stored) {
        hashes[0] = session.token_hash;
        for (slot, hash) in hashes[1..].iter_mut().zip(session.replaced_token_hashes.iter().rev()) {
            *slot = Some(*hash);
        }
    }
    matches(hash, hashes)
}

/// Returns the holder of a session's current token, unless the session has ended.
fn session_caller(session: CurrentSession) -> Option<Caller> {
    (!session.status.is_final()).then_some(Caller::Session(session))
}

/// Returns the holder of the API key with this secret, if there is one and it is not revoked.
fn key_caller(hash: SecretHash, key: Option<Arc<ApiKey>>) -> Option<Caller> {
    let [is_current] = matches(hash, [key.as_ref().map(|key| key.secret_hash)]);
    key.filter(|key| is_current && key.revoked_at.is_none()).map(Caller::Key)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_token_is_read_from_exactly_one_bearer_header() {
        let table: [(&[&str], Option<&str>); 9] = [
            (&[], None),
            (&["Basic dXNlcjpwYXNz"], None),
            (&["Basic: sst_abc"], None),
            (&["Bearer"], None),
            (&["sst_abc"], None),
            (&["Bearer sst_abc"], Some("sst_abc")),
            (&["bEARER  sst_abc "], Some("sst_abc")),
            (&["Bearer "], None),
            (&["Bearer sst_abc", "Bearer sst_abc"], Some("")),
        ];
        for (values, token) in table {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_static(value));
            }
            assert_eq!(bearer_token(&headers), token.map(str::as_bytes), "{values:?}");
        }
    }
}
