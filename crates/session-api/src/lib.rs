//! The server's description of the contract: wire types and the dropshot trait.
//!
//! `openapi.json` is the source of truth; `cargo xtask check` proves that what is written here says the
//! same. This crate decides nothing: it knows no store, no session rule and no credential.

pub mod base32;
mod contract;
mod extract;
mod id;
mod redact;
mod reply;
mod text;
mod timestamp;
mod types;

pub use contract::*;
pub use extract::*;
pub use id::*;
pub use redact::*;
pub use reply::*;
pub use text::*;
pub use timestamp::*;
pub use types::*;
