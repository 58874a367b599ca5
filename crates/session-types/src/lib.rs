//! The values of the Session Service: IDs, times, texts, words and tokens.
//!
//! Each type is parsed once, where a value enters the program, and is valid from then on. It describes itself as the
//! contract does ([`schemars::JsonSchema`]). This crate uses no web framework and does no I/O.

mod address;
pub mod base32;
mod id;
mod idempotency_key;
mod interaction;
#[cfg(test)]
mod near_miss;
mod redact;
pub mod schema;
mod text;
mod timestamp;
mod token;
mod word;

pub use address::RemoteIp;
pub use id::*;
pub use idempotency_key::{IDEMPOTENCY_KEY_MAX_CHARS, IdempotencyKey, InvalidIdempotencyKey};
pub use interaction::InteractionDetails;
pub use redact::without_tokens;
pub use text::*;
pub use timestamp::{ID_TIME_MAX_MS, InvalidTimestamp, Timestamp};
pub use token::{API_KEY_PREFIX, AUTHTOKEN_CHARS, Authtoken, SESSION_TOKEN_PREFIX};
pub use word::*;
