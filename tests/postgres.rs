//! Tests of PostgreSQL alone: its databases, its backups and the cache of its reads. They do not run again on each store.

mod backup;
mod read_cache;
mod store;
