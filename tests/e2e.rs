//! End-to-end tests over real processes, one module for each operation and command.
//!
//! All run on each store, with `SESSION_TEST_STORE=postgres` on PostgreSQL, but those in the modules `embedded` and `postgres`.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod authenticate_session;
mod authorization;
mod client;
mod connections;
mod contention;
mod contract;
mod create_session;
mod deployment;
mod embedded;
mod end_session;
mod faults;
mod fetch_own_session;
mod fetch_session;
mod help;
mod key;
mod life;
mod list_sessions;
mod log;
mod postgres;
mod readme;
mod record_interaction;
mod repeatable;
mod requests;
mod reverse_proxy;
mod revoke_sessions;
mod secrets;
mod serve;
mod store_faults;
mod transfer;
mod wire_leg;
