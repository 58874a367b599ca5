//! The records of requests that may be repeated.

use session_types::{SessionId, Timestamp};

/// The ID of an [`IdempotencyRecord`]: a SHA-256 of what makes two requests the same one. It is not a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(pub [u8; 32]);

/// A request that was carried out and that its caller may repeat, because the response may have been lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// The record's ID.
    pub id: RecordId,
    /// The SHA-256 of what was requested, to recognize another request with the same ID.
    pub request_hash: [u8; 32],
    /// With the secret of the caller's API key, this makes the token of the response. It is not a secret.
    pub salt: [u8; 16],
    /// The session that was created or changed.
    pub session_id: SessionId,
    /// When the request was carried out.
    pub created_at: Timestamp,
}
