//! Where the database is, and how to connect to it.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use super::tls::{TlsMode, TlsOptions};

/// How long a connection may take to one host, with TLS and authentication. A handshake is a few round trips; across
/// continents that is under a second. Several hosts are tried one after the other.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// `statement_timeout`: no statement visits more than a few hundred rows. Shorter than the time that a request waits for
/// the store, so that the server reports that nothing was changed, instead of the node not knowing.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(3);

/// `lock_timeout`: transactions take milliseconds, so a lock that is held for longer is held by a node that has stopped.
/// Shorter than [`STATEMENT_TIMEOUT`], so that the error says that it was a lock.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// `idle_in_transaction_session_timeout`: a node that stops in a transaction holds its locks until then. A transaction is
/// sent without waiting for anything but the server.
const IDLE_IN_TRANSACTION_TIMEOUT: Duration = Duration::from_secs(5);

/// After how long without traffic a connection is probed: less than the five minutes after which firewalls forget one.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);

/// How long data may stay unacknowledged before the operating system gives a connection up: as long as a request waits for
/// the store. Bounds how long a lost route holds an idle connection.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(5);

/// The location of a database, from a URL such as libpq takes. It never shows the password.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresOptions {
    /// One for each host, in the order in which they are tried.
    pub(super) hosts: Vec<Config>,
    /// A file with the password.
    pub(super) password_file: Option<PathBuf>,
    /// How TLS is used.
    pub(super) tls: TlsOptions,
}

/// The parameters that `tokio-postgres` parses.
const DRIVER_PARAMETERS: &[&str] =
    &["user", "password", "dbname", "host", "port", "application_name", "options", "channel_binding"];

impl PostgresOptions {
    /// Parses `postgres://user@host1,host2:5432/db?parameter=value&…`; `docs/operating.md` lists the parameters. Fails
    /// with a text that says what is wrong, and repeats neither the password nor anything that may be a part of it.
    pub fn parse(url: &str) -> Result<Self, String> {
        let rest = url
            .strip_prefix("postgres://")
            .or_else(|| url.strip_prefix("postgresql://"))
            .ok_or("a PostgreSQL store is postgres://USER@HOST/DATABASE")?;
        let authority = &rest[..rest.find(['/', '?']).unwrap_or(rest.len())];
        // One of these characters in the password would make the rest of it a host or a parameter.
        if rest.contains('#') || rest.matches('@').count() != authority.matches('@').count().min(1) {
            return Err("a / ? # or @ in the user, the password or a parameter is percent-encoded: \
                        %2F, %3F, %23 or %40"
                .to_owned());
        }
        let (location, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut driver = Vec::new();
        let mut password_file = None;
        let (mut mode, mut roots, mut certificate, mut key) = (None, None, None, None);
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter
                .split_once('=')
                .ok_or_else(|| format!("the parameter {parameter} has no value; write {parameter}=VALUE"))?;
            let value = percent_decode_str(value)
                .decode_utf8()
                .map_err(|_| format!("the value of the parameter {name} is not UTF-8"))?
                .into_owned();
            match name {
                "sslmode" => mode = Some(value.parse::<TlsMode>()?),
                "sslrootcert" => roots = Some(value),
                "sslcert" => certificate = Some(PathBuf::from(value)),
                "sslkey" => key = Some(PathBuf::from(value)),
                "password_file" => password_file = Some(PathBuf::from(value)),
                "target_session_attrs" if value == "read-write" => {}
                "target_session_attrs" => {
                    return Err(
                        "target_session_attrs is read-write: a standby may not know yet that a session was \
                                revoked"
                            .to_owned(),
                    );
                }
                _ if DRIVER_PARAMETERS.contains(&name) => {
                    driver.push(format!("{name}={}", utf8_percent_encode(&value, NON_ALPHANUMERIC)));
                }
                _ => {
                    return Err(format!(
                        "unknown parameter {name}; the parameters are sslmode, sslrootcert, sslcert, sslkey, \
                         password_file, target_session_attrs, {}",
                        DRIVER_PARAMETERS.join(", ")
                    ));
                }
            }
        }
        let config: Config =
            format!("postgres://{location}?{}", driver.join("&")).parse().map_err(invalid)?;
        if password_file.is_some() && config.get_password().is_some() {
            return Err("the password is in the URL or in password_file, not in both".to_owned());
        }
        let client = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err("sslcert and sslkey belong together: name both files".to_owned()),
        };
        let all_local = config.get_hosts().iter().all(is_local);
        let default = if all_local && roots.is_none() { TlsMode::Prefer } else { TlsMode::VerifyFull };
        let tls = TlsOptions::new(mode.unwrap_or(default), roots, client)?;
        Ok(Self { hosts: hosts(&config, tls.mode)?, password_file, tls })
    }
}

fn invalid(error: tokio_postgres::Error) -> String {
    error.into_source().map_or_else(|| "the URL is not valid".to_owned(), |source| source.to_string())
}

/// Returns whether the host is this machine: nobody is in between.
fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        Host::Unix(_) => true,
    }
}

/// Returns the settings of the connections to each host.
fn hosts(config: &Config, mode: TlsMode) -> Result<Vec<Config>, String> {
    let (hosts, ports) = (config.get_hosts(), config.get_ports());
    if hosts.is_empty() || hosts.contains(&Host::Tcp(String::new())) {
        return Err("the URL names no host; write postgres://USER@HOST/DATABASE".to_owned());
    }
    if ports.len() > 1 && ports.len() != hosts.len() {
        return Err("the URL has another number of ports than of hosts".to_owned());
    }
    let settings = |host: (usize, &Host)| {
        let port = ports.get(host.0).or(ports.first()).copied().unwrap_or(5432);
        one_host(config, host.1, port, mode)
    };
    Ok(hosts.iter().enumerate().map(settings).collect())
}

fn one_host(all: &Config, host: &Host, port: u16, mode: TlsMode) -> Config {
    let mut config = Config::new();
    match host {
        Host::Tcp(name) => config.host(name).ssl_mode(mode.of_driver()),
        // Nobody is in between, and the server offers no TLS there.
        Host::Unix(path) => config.host_path(path).ssl_mode(SslMode::Disable),
    };
    if let Some(user) = all.get_user() {
        config.user(user);
    }
    if let Some(password) = all.get_password() {
        config.password(password);
    }
    if let Some(database) = all.get_dbname() {
        config.dbname(database);
    }
    config
        .port(port)
        .application_name(all.get_application_name().unwrap_or("sessiond"))
        .options(settings(all.get_options().unwrap_or_default()))
        .channel_binding(all.get_channel_binding())
        .target_session_attrs(TargetSessionAttrs::ReadWrite)
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_user_timeout(TCP_USER_TIMEOUT)
        .keepalives_idle(KEEPALIVE_IDLE)
        .keepalives_interval(Duration::from_secs(5))
        .keepalives_retries(3);
    config
}

/// The settings of the server for each connection: the operator's, then those that the store relies on.
fn settings(of_operator: &str) -> String {
    format!(
        "{of_operator} -c statement_timeout={} -c lock_timeout={} -c idle_in_transaction_session_timeout={} \
         -c default_transaction_isolation=read\\ committed",
        STATEMENT_TIMEOUT.as_millis(),
        LOCK_TIMEOUT.as_millis(),
        IDLE_IN_TRANSACTION_TIMEOUT.as_millis()
    )
    .trim_start()
    .to_owned()
}

/// The host and port of a connection, for messages.
pub(super) fn address(config: &Config) -> String {
    let port = config.get_ports().first().copied().unwrap_or(5432);
    match config.get_hosts().first() {
        Some(Host::Tcp(name)) => format!("{name}:{port}"),
        Some(Host::Unix(path)) => format!("{}:{port}", path.display()),
        None => String::new(),
    }
}

/// The URL without password and parameters.
impl fmt::Display for PostgresOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<String> = self.hosts.iter().map(address).collect();
        let first = self.hosts.first();
        let user = first.and_then(Config::get_user).map(|user| format!("{user}@")).unwrap_or_default();
        let database = first.and_then(Config::get_dbname).unwrap_or_default();
        write!(formatter, "postgres://{user}{}/{database}", hosts.join(","))
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PostgresOptions({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> TlsMode {
        PostgresOptions::parse(url).unwrap().tls.mode
    }

    #[test]
    fn a_host_elsewhere_is_verified_unless_the_url_says_otherwise() {
        assert_eq!(mode("postgres://db.example/x"), TlsMode::VerifyFull);
        assert_eq!(mode("postgres://localhost,10.0.0.1/x"), TlsMode::VerifyFull);
        assert_eq!(mode("postgres://db.example/x?sslmode=require"), TlsMode::Require);
        assert_eq!(mode("postgres://db.example/x?sslmode=require&sslrootcert=/ca.pem"), TlsMode::VerifyCa);
        for local in ["localhost", "127.0.0.1", "[::1]", "%2Frun%2Fpostgresql"] {
            assert_eq!(mode(&format!("postgres://{local}/x")), TlsMode::Prefer, "{local}");
            let verified = format!("postgres://{local}/x?sslrootcert=/ca.pem");
            assert_eq!(mode(&verified), TlsMode::VerifyFull, "{local}");
        }
    }

    #[test]
    fn each_host_has_its_port_and_takes_writes() {
        let options = PostgresOptions::parse("postgresql://u:geheim@a,b:5433,[::2]/x?application_name=n%26m");
        let options = options.unwrap();
        let addresses: Vec<_> = options.hosts.iter().map(address).collect();
        assert_eq!(addresses, ["a:5432", "b:5433", "::2:5432"]);
        for host in &options.hosts {
            assert_eq!(host.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
            assert_eq!(host.get_application_name(), Some("n&m"));
            assert_eq!(host.get_password(), Some(&b"geheim"[..]));
        }
    }

    #[test]
    fn the_settings_of_the_operator_come_before_those_of_the_store() {
        let options = PostgresOptions::parse("postgres://a/x?options=-c%20statement_timeout%3D0").unwrap();
        let settings = options.hosts[0].get_options().unwrap();
        assert!(settings.starts_with("-c statement_timeout=0 -c statement_timeout=3000 "), "{settings}");
    }

    #[test]
    fn a_password_is_in_no_text() {
        let url = "postgres://user:geheim@db:5433/x?application_name=n";
        let options = PostgresOptions::parse(url).unwrap();
        assert_eq!(options.to_string(), "postgres://user@db:5433/x");
        assert_eq!(format!("{options:?}"), "PostgresOptions(postgres://user@db:5433/x)");
        for invalid in [
            "postgres://u:ge/heim@db/x",
            "postgres://u:x?geheim=1@db/x",
            "postgres://u:x?geheim@db/x",
            "postgres://u:x@geheim@db/x",
            "postgres://u:x#geheim@db/x",
            "postgres://u:geheim@db:port/x",
            "postgres://u:geheim@/x",
            "postgres://u:geheim@db/x?password=geheim&password_file=f",
            "postgres://u:geheim@db/x?sslmode=geheim",
            "mysql://u:geheim@db/x",
        ] {
            let error = PostgresOptions::parse(invalid).unwrap_err();
            assert!(!error.contains("heim"), "{invalid}: {error}");
        }
    }

    #[test]
    fn an_error_says_what_to_write() {
        for (url, expected) in [
            ("postgres:///x", "names no host"),
            ("postgres://a/x?sslmod=require", "unknown parameter sslmod; the parameters are sslmode"),
            ("postgres://a/x?sslmode=allow", "disable, prefer, require, verify-ca or verify-full"),
            ("postgres://a/x?sslmode", "write sslmode=VALUE"),
            ("postgres://a/x?sslcert=/c.pem", "sslkey"),
            ("postgres://a/x?sslmode=prefer&sslrootcert=/c.pem", "sslmode=verify-full"),
            ("postgres://a/x?target_session_attrs=any", "target_session_attrs is read-write"),
            ("postgres://a@b@c/x", "percent-encoded"),
            ("postgres://a:b/x", "port"),
            ("postgres://u:p@a/x?password_file=f", "not in both"),
        ] {
            let error = PostgresOptions::parse(url).unwrap_err();
            assert!(error.contains(expected) && error.lines().count() == 1, "{url}: {error}");
        }
    }
}
