//! Where sessions and API keys are kept.
//!
//! A store knows no policy: it keeps what it is given, answers what it has, and makes a change exactly once
//! or not at all. Whether a change is allowed is for the server's rules.

#[cfg(feature = "contract-suite")]
pub mod contract;
mod event;
mod key;
mod sqlite;
mod store;

pub use event::*;
pub use key::*;
pub use sqlite::SqliteStore;
pub use store::*;
