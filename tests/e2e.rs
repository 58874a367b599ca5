//! End-to-end tests over real processes, one module for each operation and command.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod authenticate_session;
mod client;
mod contract;
mod crash;
mod create_session;
mod fetch_own_session;
mod fetch_session;
mod help;
mod key;
mod readme;
mod requests;
mod serve;
mod store_faults;
mod transfer;
