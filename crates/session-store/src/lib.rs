//! Storage of sessions, API keys and events.
//!
//! A store stores what it is given, and makes a change exactly once or not at all. Of the states of a session it knows which
//! are final, that a revocation of many sessions ends all others, and which sessions match a filter. Permissions, lifetimes
//! and transitions are decided by the server's rules. Every store passes the same contract suite.

#[cfg(feature = "contract-suite")]
pub mod contract_suite;
mod event;
mod idempotency;
mod key;
mod migrated;
mod postgres;
mod schema;
mod sqlite;
mod store;

pub use event::*;
pub use idempotency::*;
pub use key::*;
pub use migrated::Migrated;
pub use postgres::{PostgresOpenError, PostgresOptions, PostgresStore};
pub use sqlite::{OpenError, Restored, SqliteStore, Summary, data_directory_prepare};
pub use store::*;
