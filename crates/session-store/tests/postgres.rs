//! The PostgreSQL store: the contract suite.
#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use session_store::{PostgresOptions, PostgresStore};
use session_test_support::postgres::Cluster;

/// Opens a store in a database that exists.
async fn open(database: &str) -> PostgresStore {
    let options = PostgresOptions::parse(&Cluster::shared().url(database)).unwrap();
    PostgresStore::open(options).await.unwrap()
}

/// Opens a store in a new database.
async fn open_new() -> ((), PostgresStore) {
    ((), open(&Cluster::shared().create_database()).await)
}

session_store::contract_suite!(open_new());
