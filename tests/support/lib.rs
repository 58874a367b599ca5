//! Shared by the end-to-end tests, the client leg, the wire leg and xtask: one launcher of `sessiond`, one reader of
//! `openapi.json`, one generator of valid requests.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

pub mod change;
mod contract;
pub mod coverage;
#[cfg(feature = "http")]
pub mod database;
#[cfg(feature = "http")]
pub mod fault_proxy;
#[cfg(feature = "http")]
pub mod faults;
#[cfg(feature = "http")]
mod judge;
mod launch_error;
pub mod launcher;
pub mod pattern;
pub mod postgres;
#[cfg(feature = "http")]
mod proxy;
pub mod requests;
pub mod samples;
pub mod seed;
#[cfg(feature = "http")]
mod sessiond;
#[cfg(feature = "http")]
pub mod stale_proxy;
#[cfg(feature = "tcp")]
pub mod tcp_proxy;
#[cfg(feature = "http")]
pub mod tokens;
#[cfg(feature = "http")]
mod validating_proxy;

pub use contract::{Contract, Operation, Parameter};
#[cfg(feature = "http")]
pub use judge::{Judgement, Violation};
pub use launcher::{Command, Finished};
pub use requests::call;
#[cfg(feature = "http")]
pub use sessiond::{Response, Sessiond, binary, command, raise_file_limit};
