//! Migrates a database to the schema of this program.
//!
//! The only row of the table `session_store_schema` has the version of the schema, and the oldest version whose programs
//! work on it. Each migration is a transaction that locks the row first, so nodes that start together make each of them
//! once. A row lock and not an advisory lock, because every engine with PostgreSQL's protocol has it.

use std::time::Duration;

use tokio::time::sleep;
use tokio_postgres::{Error, Row};

use super::connection::Connection;
use super::error::{self, Cause, PostgresOpenError};
use super::options::PostgresOptions;
use crate::migrated::Migrated;

/// A step from the version before it.
struct Migration {
    sql: &'static str,
    /// The oldest version whose programs work on the schema after this step: while nodes are replaced one after the other,
    /// older ones run on it.
    min_version: usize,
}

/// In the order in which they are applied; the version of a schema is how many are. A released migration never changes.
const MIGRATIONS: &[Migration] =
    &[Migration { sql: include_str!("migrations/0001_first.sql"), min_version: 1 }];

/// How long a step may take, in place of the time-out of statements: it may build an index on a large table, and nodes that
/// wait for it wait as long.
const STEP_TIMEOUT: Duration = Duration::from_mins(30);

/// How many times a step is repeated that lost against another node's.
const CONFLICTS_MAX: u32 = 20;

/// Applies the migrations that are missing. Fails if the database cannot be reached, or if a newer program has changed
/// the schema so that this program does not work on it.
pub(super) async fn migrate(options: &PostgresOptions) -> Result<Migrated, PostgresOpenError> {
    let (connection, _) = Connection::open(options).await.map_err(|cause| {
        PostgresOpenError(format!(
            "the database cannot be used: {cause}; check that it runs and that --store names its host, user and database"
        ))
    })?;
    apply(&connection, MIGRATIONS).await
}

async fn apply(connection: &Connection, steps: &[Migration]) -> Result<Migrated, PostgresOpenError> {
    // First without a lock, so that the user of the nodes needs no permission to change the schema.
    let from = match version(connection, "").await {
        Ok(Some(version)) => version,
        Err(error) if error.code().is_none_or(|code| code.code() != UNDEFINED_TABLE) => {
            return Err(failed("the schema's version cannot be read", &error));
        }
        Ok(None) | Err(_) => {
            repeat(
                connection,
                async || create_table(connection).await,
                CREATED_MEANWHILE,
                "the table session_store_schema cannot be created",
            )
            .await?;
            Version::default()
        }
    };
    let known = steps.len();
    let mut now = from;
    while now.version < known {
        now = repeat(
            connection,
            async || step(connection, steps).await,
            &[],
            "the database cannot be migrated",
        )
        .await?;
    }
    if now.version > known && now.min_version > known {
        return Err(PostgresOpenError(format!(
            "the database has schema version {}, which programs from version {} on work with, and this sessiond has \
             version {known}; run the newer sessiond",
            now.version, now.min_version
        )));
    }
    Ok(Migrated { from: from.version, to: now.version })
}

#[derive(Clone, Copy, Default)]
struct Version {
    version: usize,
    min_version: usize,
}

/// SQLSTATE `undefined_table`.
const UNDEFINED_TABLE: &str = "42P01";

/// `IF NOT EXISTS` does not wait for a table that another node is creating, and fails with one of these: `unique_violation`
/// of PostgreSQL's own tables, `duplicate_object`, `duplicate_table`.
const CREATED_MEANWHILE: &[&str] = &["23505", "42710", "42P07"];

/// Reads the row, with a lock if `lock` says so.
async fn version(connection: &Connection, lock: &str) -> Result<Option<Version>, Error> {
    let sql = format!("SELECT version, min_version FROM session_store_schema WHERE id = 1 {lock}");
    let row = connection.query_opt(&sql, &[]).await?;
    let number = |row: &Row, column| {
        let number = row.try_get::<_, i32>(column)?;
        Ok(usize::try_from(number).unwrap_or_default())
    };
    row.map(|row| Ok(Version { version: number(&row, 0)?, min_version: number(&row, 1)? })).transpose()
}

async fn create_table(connection: &Connection) -> Result<(), Error> {
    connection
        .batch_execute(
            "CREATE TABLE IF NOT EXISTS session_store_schema (id int4 PRIMARY KEY, version int4 NOT NULL, \
             min_version int4 NOT NULL)",
        )
        .await?;
    connection
        .batch_execute("INSERT INTO session_store_schema VALUES (1, 0, 0) ON CONFLICT (id) DO NOTHING")
        .await
}

/// Applies the next migration, unless another node has applied it. Returns the version after it.
async fn step(connection: &Connection, steps: &[Migration]) -> Result<Version, Error> {
    let timeout = STEP_TIMEOUT.as_millis();
    let begin = format!("BEGIN; SET LOCAL statement_timeout = {timeout}; SET LOCAL lock_timeout = {timeout}");
    connection.batch_execute(&begin).await?;
    let now = version(connection, "FOR UPDATE").await?.unwrap_or_default();
    let Some(step) = steps.get(now.version) else {
        connection.batch_execute("COMMIT").await?;
        return Ok(now);
    };
    connection.batch_execute(step.sql).await?;
    let then = Version { version: now.version + 1, min_version: step.min_version };
    let update = format!(
        "UPDATE session_store_schema SET version = {}, min_version = {} WHERE id = 1",
        then.version, then.min_version
    );
    connection.batch_execute(&update).await?;
    connection.batch_execute("COMMIT").await?;
    Ok(then)
}

/// Runs `work`, again if it lost against another node's, which `also` has the SQLSTATEs of.
async fn repeat<T>(
    connection: &Connection,
    work: impl AsyncFn() -> Result<T, Error>,
    also: &[&str],
    what: &'static str,
) -> Result<T, PostgresOpenError> {
    let mut attempts = 0;
    loop {
        let error = match work().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        // If it cannot be sent, the next attempt fails as well.
        let _ = connection.batch_execute("ROLLBACK").await;
        attempts += 1;
        let lost = error::cause(&error) == Some(Cause::Conflict)
            || error.code().is_some_and(|code| also.contains(&code.code()));
        if !lost || attempts > CONFLICTS_MAX {
            return Err(failed(what, &error));
        }
        sleep(Duration::from_millis(20) * attempts).await;
    }
}

fn failed(what: &str, error: &Error) -> PostgresOpenError {
    PostgresOpenError(format!("{what}: {}", error::text(error)))
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use session_test_support::postgres::Cluster;

    use super::*;

    const FIRST: Migration = Migration { sql: "CREATE TABLE a (n int)", min_version: 1 };
    // Long enough for others to come meanwhile.
    const SECOND: Migration = Migration {
        sql: "SELECT pg_sleep(0.2); ALTER TABLE a ADD m int; INSERT INTO a VALUES (1, 2)",
        min_version: 1,
    };
    const THIRD: Migration = Migration { sql: "ALTER TABLE a DROP n", min_version: 3 };

    async fn connect(cluster: &Cluster, database: &str) -> Connection {
        let options = PostgresOptions::parse(&cluster.url(database)).unwrap();
        Connection::open(&options).await.unwrap().0
    }

    #[tokio::test]
    async fn each_step_is_made_once_however_many_nodes_start_together() {
        let cluster = Cluster::shared();
        for _ in 0..5 {
            let database = cluster.create_database();
            let connections = join_all((0..8).map(|_| connect(cluster, &database))).await;
            let steps = [FIRST, SECOND, THIRD];
            let applied = join_all(connections.iter().map(|connection| apply(connection, &steps))).await;
            for migrated in applied {
                assert_eq!(migrated.unwrap().to, 3);
            }
            assert_eq!(cluster.psql(&database, "SELECT m FROM a"), "2");
        }
    }

    #[tokio::test]
    async fn a_step_that_fails_changes_nothing_and_those_before_stay() {
        let cluster = Cluster::shared();
        let database = cluster.create_database();
        let connection = connect(cluster, &database).await;
        let broken = Migration { sql: "ALTER TABLE a ADD x int; SELECT 1/0", min_version: 1 };
        let error = apply(&connection, &[FIRST, SECOND, broken]).await.unwrap_err().to_string();
        assert_eq!(error, "the database cannot be migrated: division by zero (SQLSTATE 22012)");
        assert_eq!(cluster.psql(&database, "SELECT * FROM a"), "1|2");
        let migrated = apply(&connection, &[FIRST, SECOND, THIRD]).await.unwrap();
        assert_eq!(migrated, Migrated { from: 2, to: 3 });
    }

    #[tokio::test]
    async fn an_older_program_works_until_a_step_says_that_it_does_not() {
        let cluster = Cluster::shared();
        let database = cluster.create_database();
        let connection = connect(cluster, &database).await;
        apply(&connection, &[FIRST, SECOND]).await.unwrap();
        assert_eq!(apply(&connection, &[FIRST]).await.unwrap(), Migrated { from: 2, to: 2 });
        apply(&connection, &[FIRST, SECOND, THIRD]).await.unwrap();
        let error = apply(&connection, &[FIRST, SECOND]).await.unwrap_err().to_string();
        assert!(error.contains("schema version 3, which programs from version 3 on work with"), "{error}");
    }

    #[tokio::test]
    async fn the_tables_of_another_program_are_left_alone() {
        let cluster = Cluster::shared();
        let database = cluster.create_database();
        cluster.psql(&database, "CREATE TABLE a (other text)");
        let connection = connect(cluster, &database).await;
        let error = apply(&connection, &[FIRST]).await.unwrap_err().to_string();
        assert!(error.contains("relation \"a\" already exists"), "{error}");
    }
}
