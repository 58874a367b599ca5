//! Requests that their caller may repeat, because the response may have been lost: the first one is carried out, and the
//! others get the same result.
//!
//! A record of the request is added in the transaction of its change. The token of the response is made from the secret of the
//! caller's API key and a salt in the record, so it can be made again by the same caller alone and only while there is
//! the record.

use std::time::Duration;

use serde::Serialize;
use session_store::{IdempotencyRecord, RecordId};
use session_types::{ErrorCode, IdempotencyKey, SessionId};
use sha2::{Digest, Sha256};

use crate::credential::{Credential, Kind};
use crate::error::Error;
use crate::request::Request;

/// For how long a request may be repeated: longer than any retry of a program, and than a night in which a person notices
/// that something failed.
pub(crate) const REPEATABLE_FOR: Duration = Duration::from_hours(24);

/// How many expired records one batch deletes: a few milliseconds of the writer's time.
const EXPIRED_BATCH: u32 = 500;

/// How many batches a request deletes, at most. The sweep leaves less, unless it has failed for a while.
const EXPIRED_BATCHES_MAX: u32 = 100;

/// A request, with what identifies it if it has an idempotency key.
pub(super) struct Repeatable<'a> {
    request: &'a Request,
    identity: Option<Identity>,
}

struct Identity {
    /// Of caller, operation, session and idempotency key.
    id: RecordId,
    /// Of the body.
    request_hash: [u8; 32],
}

impl<'a> Repeatable<'a> {
    /// The request, about this session unless it creates one, with this body.
    pub(super) fn new(
        request: &'a Request,
        session_id: Option<SessionId>,
        key: Option<&IdempotencyKey>,
        body: &impl Serialize,
    ) -> Result<Self, Error> {
        let identity = |key: &IdempotencyKey| -> Result<Identity, Error> {
            let mut id = Sha256::new();
            let operation = request.operation.as_ref();
            let session_id = session_id.as_ref().map_or(&[][..], |id| id.0.as_bytes());
            for part in
                [request.credential.id.as_bytes(), operation.as_bytes(), session_id, key.as_str().as_bytes()]
            {
                // With its length, so that no two lists of parts are the same bytes.
                id.update((part.len() as u64).to_be_bytes());
                id.update(part);
            }
            // As it was read: the order of its properties and the spaces between them do not matter.
            let body = serde_json::to_vec(body).map_err(Error::unexpected)?;
            Ok(Identity { id: RecordId(id.finalize().into()), request_hash: Sha256::digest(body).into() })
        };
        Ok(Self { request, identity: key.map(identity).transpose()? })
    }

    /// Returns the record of the same request, if it was carried out before.
    ///
    /// Fails with `invalid_value` if that one had another body.
    pub(super) async fn earlier(&self) -> Result<Option<IdempotencyRecord>, Error> {
        let Some(Identity { id, request_hash }) = self.identity else { return Ok(None) };
        let sessions = &self.request.sessions;
        let Some(record) = sessions.storage().call(|store| store.record_fetch(id)).await? else {
            return Ok(None);
        };
        // After a jump of the clock nothing has expired.
        let expired = sessions.believed_now().map(|now| now.saturating_sub(REPEATABLE_FOR));
        if let Some(expired) = expired.filter(|expired| record.created_at < *expired) {
            // The sweep has not deleted it yet, and it is in the way of a new one.
            for _ in 0..EXPIRED_BATCHES_MAX {
                let deleted =
                    sessions.storage().call(|store| store.record_delete(expired, EXPIRED_BATCH)).await?;
                if deleted < u64::from(EXPIRED_BATCH) {
                    return Ok(None);
                }
            }
            return Err(Error::unavailable("too many expired idempotency records are not deleted yet"));
        }
        if record.request_hash != request_hash {
            return Err(Error::new(
                ErrorCode::InvalidValue,
                "Idempotency-Key: it was sent with another body within the last 24 hours; use a new key for each request",
            ));
        }
        Ok(Some(record))
    }

    /// As [`Repeatable::earlier`], after the store has refused the change because there is a record.
    pub(super) async fn concurrent(&self) -> Result<IdempotencyRecord, Error> {
        let missing = || Error::unknown("the record of the same request was deleted meanwhile");
        self.earlier().await?.ok_or_else(missing)
    }

    /// Returns a new token for the session, and the record to add with the change if the request may be repeated.
    pub(super) fn new_token(
        &self,
        session_id: SessionId,
    ) -> Result<(Credential, Option<IdempotencyRecord>), Error> {
        let storage = self.request.sessions.storage();
        let Some(Identity { id, request_hash }) = self.identity else {
            return Ok((Credential::new(Kind::Session, session_id.0, storage.new_secret()?), None));
        };
        let (salt, created_at) = (storage.new_salt()?, storage.now());
        let record = IdempotencyRecord { id, request_hash, salt, session_id, created_at };
        Ok((self.request.credential.token_of(&record), Some(record)))
    }
}
