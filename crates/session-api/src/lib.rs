//! The server's description of the contract: its operations as a dropshot trait, and the bodies that go over the wire.
//!
//! `openapi.json` is the source of truth; `cargo xtask check` compares it with what is derived from here
//! ([`derived_openapi`]). This crate decides nothing: it has no store, no session rule and no credential.

mod body;
mod contract;
mod derive;
mod extract;
mod operation;
mod reply;
mod request_error;
mod session_json;
mod types;

pub use body::REQUEST_BODY_MAX_BYTES;
pub use contract::*;
pub use derive::derived_openapi;
pub use extract::*;
pub use operation::{Operation, ScopeFor, SessionTokenUse};
pub use reply::*;
pub use request_error::RequestError;
pub use session_json::{SessionJson, SummaryJson};
pub use types::*;
