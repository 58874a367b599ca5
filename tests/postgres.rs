//! Tests of PostgreSQL alone: its databases and its backups. They do not run again on each store.

mod backup;
mod store;
