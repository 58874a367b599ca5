//! The server of the Session Service, as a library behind the program `sessiond`.
//!
//! A request goes one way: [`http`] receives it, [`authn`] finds the caller, [`authorize`] decides whether the caller may
//! do it, [`rules`] do it to the sessions in the store, and [`http`] responds. The rules know neither HTTP nor SQL; time
//! and randomness reach them through [`environment`] only.

pub mod activity;
pub mod admin;
pub mod authn;
pub mod authorize;
mod caches;
pub mod caller;
pub mod change_queue;
pub mod cli;
mod clock_watch;
pub mod config;
pub mod connections;
pub mod credential;
mod dev;
pub mod environment;
pub mod error;
pub mod http;
mod internal;
mod keys;
pub mod lifecycle;
pub mod limits;
mod logging;
mod message;
pub mod metrics;
pub mod mint;
#[cfg(test)]
#[path = "../../session-types/src/near_miss.rs"]
mod near_miss;
pub mod node;
mod open_store;
pub mod origin;
pub mod read_cache;
pub mod request;
pub mod rules;
mod serve;
pub mod session_entry;
mod session_view;
pub mod sessions;
mod signals;
pub mod storage;
pub mod stored_lifetimes;
pub mod summary;
pub mod sweep;
