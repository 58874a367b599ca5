//! Authentication: which caller sends a request.

use futures::future::try_join;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use session_store::{ApiKey, KeyId};
use session_types::{ErrorCode, SessionId};

use crate::caller::Caller;
use crate::credential::{Credential, Kind, REPLACED_TOKENS_MAX};
use crate::error::Error;
use crate::limits::Limits;
use crate::origin::Origin;
use crate::request::Prefetched;
use crate::sessions::Sessions;

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

/// Returns the caller with this token, the token, and the session `target` that the request's path names, if it is another
/// one than the token's. Each is one read by primary key, and both are made at once: with an API key, as one call of the
/// store.
///
/// A token without which nothing is read for the caller reads nothing for `target` either. A refusal is the same whether or
/// not `target` exists or can be read: with an API key both are looked up in any case, and without one the refusal does not
/// wait for the read of `target`.
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
    let credential = Credential::parse(token);
    let id = credential.as_ref().map(|credential| credential.id);
    let target = target.filter(|target| id != Some(target.0));
    let outcome = match (credential, target) {
        (Some(credential), Some(target)) if credential.kind == Kind::ApiKey => {
            verify_key_and_read(sessions, credential, target).await
        }
        (credential, target) => {
            let prefetch = async {
                Ok(match target {
                    Some(target) => Prefetched::new(target, sessions.read(target).await),
                    None => Prefetched::default(),
                })
            };
            // It polls in this order, and returns the error of the first without polling the second.
            try_join(verify(sessions, credential), prefetch).await
        }
    };
    match outcome {
        Err(error) if error.code == ErrorCode::BadAuthtoken => {
            match limits.failed_authentication(origin.address, id) {
                // The warning is for the log in any case.
                Err(limited) => Err(Error { warning: error.warning, ..limited }),
                Ok(()) => Err(error),
            }
        }
        outcome => outcome.map(|((caller, credential), prefetched)| (caller, credential, prefetched)),
    }
}

async fn verify(sessions: &Sessions, credential: Option<Credential>) -> Result<(Caller, Credential), Error> {
    let credential = credential.ok_or_else(Error::bad_authtoken)?;
    let caller = match credential.kind {
        Kind::Session => verify_session(sessions, &credential).await?,
        Kind::ApiKey => {
            let key = sessions.storage().key_fetch(KeyId(credential.id)).await?;
            verify_key(key, &credential)?
        }
    };
    Ok((caller, credential))
}

/// As [`verify`] of an API key, and reads the session that the path names.
async fn verify_key_and_read(
    sessions: &Sessions,
    credential: Credential,
    target: SessionId,
) -> Result<((Caller, Credential), Prefetched), Error> {
    let (key, read) = sessions.storage().key_and_session_fetch(KeyId(credential.id), target).await?;
    let caller = verify_key(key, &credential)?;
    Ok(((caller, credential), Prefetched::new(target, read)))
}

fn verify_key(key: Option<ApiKey>, credential: &Credential) -> Result<Caller, Error> {
    let [is_current] = credential.matches([key.as_ref().map(|key| key.secret_hash)]);
    match key {
        Some(key) if is_current && key.revoked_at.is_none() => Ok(Caller::Key(key)),
        _ => Err(Error::bad_authtoken()),
    }
}

async fn verify_session(sessions: &Sessions, credential: &Credential) -> Result<Caller, Error> {
    let id = SessionId(credential.id);
    let session = sessions.fetch(id).await?;
    // The current hash first, then those of replaced tokens.
    let mut hashes = [None; 1 + REPLACED_TOKENS_MAX];
    if let Some(session) = &session {
        hashes[0] = session.token_hash;
        for (slot, hash) in hashes[1..].iter_mut().zip(session.replaced_token_hashes.iter().rev()) {
            *slot = Some(*hash);
        }
    }
    let [is_current, is_replaced @ ..] = credential.matches(hashes);
    match session {
        Some(session) if is_current && !session.status.is_final() => {
            return Ok(Caller::Session(Box::new(session)));
        }
        _ => {}
    }
    if is_replaced.contains(&true) {
        // Its holder has a newer one, so this one may be stolen.
        let warning = Some(format!("a replaced token of session {id} was used again"));
        return Err(Error { warning, ..Error::bad_authtoken() });
    }
    Err(Error::bad_authtoken())
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
