//! Tests of the embedded store alone: its files, its disk and its crashes. They do not run on PostgreSQL.

mod full_disk;
mod resilience;
mod start;
mod store_files;
