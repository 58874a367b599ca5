//! Connections to PostgreSQL: passwords, TLS, several hosts, and nodes that start together.
#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use session_store::{Migrated, PostgresOptions, PostgresStore, Settings};
use session_test_support::postgres::Cluster;
use tempfile::TempDir;

/// Opens the store with this URL. Fails with the text of the error.
async fn open(url: &str) -> Result<PostgresStore, String> {
    let store = PostgresStore::open(PostgresOptions::parse(url)?).await;
    store.map_err(|error| error.to_string())
}

/// Opens the store with this URL, which must succeed, and reads from it.
async fn opened(url: &str) -> PostgresStore {
    let store = open(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    assert_eq!(store.setting_fetch("missing").await, Ok(None), "{url}");
    store
}

/// Certificates, made by the program `openssl`: `ca` has signed `server`, which is for `localhost`, and `client`, which is
/// for the user `certified`; `stranger` has signed nothing.
struct Certificates(TempDir);

impl Certificates {
    fn create() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let openssl = |arguments: &str| {
            let mut command = Command::new("openssl");
            command.args(arguments.split(' ')).current_dir(folder.path());
            let output = command.output().unwrap();
            assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        };
        let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
        for name in ["ca", "stranger"] {
            openssl(&format!("{new} -subj /CN={name} -keyout {name}.key -out {name}.pem"));
        }
        for (name, subject, alternative) in
            [("server", "server", "DNS:localhost"), ("client", "certified", "DNS:client")]
        {
            openssl(&format!(
                "{new} -subj /CN={subject} -addext subjectAltName={alternative} \
                 -addext basicConstraints=critical,CA:FALSE -CA ca.pem -CAkey ca.key \
                 -keyout {name}.key -out {name}.pem"
            ));
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// A cluster with TLS. `postgres` needs no password, `secret` has one, `encrypted` needs TLS, and `certified` needs a
/// certificate.
fn cluster() -> &'static (Cluster, Certificates) {
    static CLUSTER: OnceLock<(Cluster, Certificates)> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let (cluster, certificates) = (Cluster::start(), Certificates::create());
        let owner = cluster.folder().metadata().unwrap();
        let give = |from: &Path, name: &str| {
            let to = cluster.folder().join("data").join(name);
            std::fs::copy(from, &to).unwrap();
            chown(&to, Some(owner.uid()), Some(owner.gid())).unwrap();
        };
        for name in ["ca.pem", "server.pem", "server.key"] {
            give(&certificates.path(name), name);
        }
        let rules = certificates.path("pg_hba.conf");
        let lines = "local all all trust\nhost all postgres all trust\nhost all secret all scram-sha-256\n\
                     hostssl all encrypted all trust\nhostssl all certified all cert\n";
        std::fs::write(&rules, lines).unwrap();
        give(&rules, "pg_hba.conf");
        for (name, value) in [
            ("ssl", "on"),
            ("ssl_cert_file", "server.pem"),
            ("ssl_key_file", "server.key"),
            ("ssl_ca_file", "ca.pem"),
        ] {
            cluster.psql("postgres", &format!("ALTER SYSTEM SET {name} = '{value}'"));
        }
        for role in ["secret", "encrypted", "certified"] {
            cluster.psql("postgres", &format!("CREATE ROLE {role} LOGIN PASSWORD 'geheim'"));
        }
        cluster.psql("postgres", "SELECT pg_reload_conf()");
        while cluster.psql("postgres", "SHOW ssl") != "on" {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        (cluster, certificates)
    })
}

/// The URL of a new database that belongs to this user.
fn url(user: &str, host: &str, parameters: &str) -> String {
    let (cluster, _) = cluster();
    let database = cluster.create_database();
    cluster.psql("postgres", &format!("ALTER DATABASE {database} OWNER TO {user}"));
    format!("postgres://{user}@{host}:{}/{database}?{parameters}", cluster.port())
}

#[tokio::test]
async fn the_password_is_in_the_url_or_in_a_file_and_in_no_error() {
    let plain = url("secret", "127.0.0.1", "");
    opened(&plain.replace("secret@", "secret:geheim@")).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    let by_file = format!("{plain}password_file={}", file.display());
    let missing = open(&by_file).await.err().unwrap();
    assert!(missing.contains(&format!("password_file {}: No such file", file.display())), "{missing}");
    std::fs::write(&file, "geheim\n").unwrap();
    opened(&by_file).await;
    std::fs::write(&file, "geheimer").unwrap();
    for url in [by_file, plain.replace("secret@", "secret:geheimer@")] {
        let error = open(&url).await.err().unwrap();
        assert!(error.contains("password authentication failed for user \"secret\""), "{error}");
        assert!(error.contains("127.0.0.1") && !error.contains("geheim"), "{error}");
    }
}

#[tokio::test]
async fn each_sslmode_verifies_what_its_name_says() {
    let (_, certificates) = cluster();
    let [ca, stranger] = ["ca.pem", "stranger.pem"].map(|name| certificates.path(name).display().to_string());
    // The server's certificate is for `localhost`, not for its address.
    for (host, parameters, refused) in [
        ("127.0.0.1", "sslmode=disable".to_owned(), Some("no encryption")),
        ("127.0.0.1", String::new(), None),
        ("127.0.0.1", "sslmode=prefer".to_owned(), None),
        ("127.0.0.1", "sslmode=require".to_owned(), None),
        ("127.0.0.1", format!("sslmode=require&sslrootcert={stranger}"), Some("UnknownIssuer")),
        ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={ca}"), None),
        ("localhost", format!("sslmode=verify-ca&sslrootcert={stranger}"), Some("UnknownIssuer")),
        ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={ca}"), Some("not valid for")),
        ("localhost", format!("sslmode=verify-full&sslrootcert={ca}"), None),
        ("localhost", format!("sslrootcert={ca}"), None),
        ("localhost", format!("sslmode=verify-full&sslrootcert={stranger}"), Some("UnknownIssuer")),
        ("localhost", "sslmode=verify-full&sslrootcert=/missing.pem".to_owned(), Some("/missing.pem")),
    ] {
        let url = url("encrypted", host, &parameters);
        match refused {
            None => drop(opened(&url).await),
            Some(expected) => {
                let error = open(&url).await.err().unwrap_or_else(|| panic!("{url}"));
                assert!(error.contains(expected), "{url}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn a_password_is_bound_to_the_tls_connection() {
    let (_, certificates) = cluster();
    let parameters = format!("sslrootcert={}&channel_binding=require", certificates.path("ca.pem").display());
    opened(&url("secret", "localhost", &parameters).replace("secret@", "secret:geheim@")).await;
}

#[tokio::test]
async fn a_certificate_stands_for_a_password() {
    let (_, certificates) = cluster();
    let parameters = |name: &str| {
        let [ca, certificate, key] = ["ca.pem".to_owned(), format!("{name}.pem"), format!("{name}.key")]
            .map(|name| certificates.path(&name));
        let [ca, certificate, key] = [ca.display(), certificate.display(), key.display()];
        format!("sslrootcert={ca}&sslcert={certificate}&sslkey={key}")
    };
    let of = |name: &str| url("certified", "localhost", &parameters(name));
    opened(&of("client")).await;
    // Another user's, and one that the server does not trust.
    let error = open(&of("server")).await.err().unwrap();
    assert!(error.contains("certificate authentication failed for user \"certified\""), "{error}");
    assert!(open(&of("stranger")).await.is_err());
}

#[tokio::test]
async fn nodes_that_start_together_migrate_once() {
    let (cluster, _) = cluster();
    for _ in 0..4 {
        let database = cluster.create_database();
        let url = cluster.url(&database);
        let stores = futures::future::join_all((0..8).map(|_| opened(&url))).await;
        let version = cluster.psql(&database, "SELECT version FROM session_store_schema");
        let version: usize = version.parse().unwrap();
        assert!(version > 0 && stores.iter().all(|store| store.migrated().to == version));
        assert_eq!(opened(&url).await.migrated(), Migrated { from: version, to: version });
    }
}

#[tokio::test]
async fn the_schema_of_a_newer_program_is_accepted_if_it_says_that_older_ones_work() {
    let (cluster, _) = cluster();
    let database = cluster.create_database();
    let url = cluster.url(&database);
    let version = opened(&url).await.migrated().to;
    let newer = |min_version: usize| {
        let set = format!("version = {}, min_version = {min_version}", version + 2);
        cluster.psql(&database, &format!("UPDATE session_store_schema SET {set}"));
    };
    newer(version);
    let migrated = opened(&url).await.migrated();
    assert_eq!(migrated, Migrated { from: version + 2, to: version + 2 });
    newer(version + 1);
    let error = open(&url).await.err().unwrap();
    let expected = format!(
        "the database has schema version {}, which programs from version {} on work with, and this sessiond has \
         version {version}; run the newer sessiond",
        version + 2,
        version + 1
    );
    assert_eq!(error, expected);
}

#[tokio::test]
async fn a_user_who_may_not_change_the_schema_can_open_a_migrated_database() {
    let (cluster, _) = cluster();
    let database = cluster.create_database();
    opened(&cluster.url(&database)).await;
    cluster
        .psql(&database, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO encrypted");
    opened(&format!("postgres://encrypted@127.0.0.1:{}/{database}", cluster.port())).await;
}

#[tokio::test]
async fn the_first_host_that_takes_writes_is_used() {
    let primary = Cluster::start();
    let standby = primary.standby();
    let database = primary.create_database();
    let (closed, standby, primary) = (1, standby.port(), primary.port());
    let store = opened(&format!(
        "postgres://postgres@127.0.0.1:{closed},127.0.0.1:{standby},127.0.0.1:{primary}/{database}"
    ))
    .await;
    store.setting_replace("name", "value".to_owned()).await.unwrap();
    for port in [closed, standby] {
        let error = open(&format!("postgres://postgres@127.0.0.1:{port}/postgres")).await.err().unwrap();
        let expected = if port == closed { "Connection refused" } else { "database does not allow writes" };
        assert!(error.contains(&format!("127.0.0.1:{port}: ")) && error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn the_nodes_follow_when_a_standby_is_promoted() {
    let mut primary = Cluster::start();
    let standby = primary.standby();
    let database = primary.create_database();
    let hosts = format!("127.0.0.1:{},127.0.0.1:{}", primary.port(), standby.port());
    let store = opened(&format!("postgres://postgres@{hosts}/{database}")).await;
    primary.kill();
    standby.promote();
    let began = std::time::Instant::now();
    while let Err(error) = store.setting_replace("name", "value".to_owned()).await {
        assert!(began.elapsed() < std::time::Duration::from_secs(10), "{error}");
    }
    assert_eq!(store.setting_fetch("name").await, Ok(Some("value".to_owned())));
}
