//! The PostgreSQL store: any number of nodes on one database.

#![cfg_attr(not(test), expect(dead_code, reason = "the store itself is being written"))]

mod connection;
mod database;
mod error;
mod migrations;
mod options;
mod shared;
#[cfg(test)]
mod tests;
mod tls;

pub use error::PostgresOpenError;
pub use options::PostgresOptions;
