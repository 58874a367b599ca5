//! A second connection to the database of a server's store, beside the server's own.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use crate::launcher::{STORE_FILE, database_name, on_postgres};
use crate::postgres::Cluster;

/// How long to wait for a lock of the embedded store.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to the database of a store of either kind. What it holds is released when it is dropped.
#[derive(Debug)]
pub struct Database(Connection);

#[derive(Debug)]
enum Connection {
    Sqlite(rusqlite::Connection),
    /// The program `psql`, which runs what it reads.
    Postgres {
        psql: Child,
        input: ChildStdin,
        output: BufReader<ChildStdout>,
    },
}

impl Database {
    /// Connects to the database of the store in this folder.
    pub fn of(folder: &Path) -> Self {
        if !on_postgres() {
            let connection = rusqlite::Connection::open(folder.join(STORE_FILE)).unwrap();
            connection.busy_timeout(PATIENCE).unwrap();
            return Self(Connection::Sqlite(connection));
        }
        let mut psql = Cluster::shared().command("psql");
        psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", &database_name(folder)]);
        let mut psql = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (psql.stdin.take().unwrap(), psql.stdout.take().unwrap());
        Self(Connection::Postgres { psql, input, output: BufReader::new(output) })
    }

    /// Runs statements, whose results are not returned, and waits until they are done.
    pub fn execute(&mut self, sql: &str) {
        /// What `psql` prints after them.
        const DONE: &str = "statements done";
        match &mut self.0 {
            Connection::Sqlite(connection) => connection.execute_batch(sql).unwrap(),
            Connection::Postgres { input, output, .. } => {
                writeln!(input, "{sql};\n\\echo {DONE}").unwrap();
                // After an error `psql` ends, and so does its output.
                let done = output.lines().any(|line| line.unwrap() == DONE);
                assert!(done, "{sql} failed");
            }
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Connection::Postgres { psql, .. } = &mut self.0 {
            // It may have ended already.
            let _ = psql.kill();
            let _ = psql.wait();
        }
    }
}
