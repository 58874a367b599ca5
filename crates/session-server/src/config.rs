//! Settings: flags over `SESSIOND_*` environment variables over the file over defaults.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum};
use serde::Deserialize;

/// Where sessions are kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum StoreUrl {
    /// The embedded store in this file; its folder is the data directory.
    Sqlite(PathBuf),
}

impl FromStr for StoreUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(PathBuf::from(path))),
            // The URL may hold a password, so it is not repeated.
            Some(("postgres" | "postgresql", _)) => {
                Err("this version has no PostgreSQL store; use sqlite:PATH".to_owned())
            }
            _ => Err("a store is sqlite:PATH, for example sqlite:sessiond-data/sessions.db".to_owned()),
        }
    }
}

impl TryFrom<String> for StoreUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line, for programs.
    Json,
    /// Lines for people.
    Human,
}

/// The least important records that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Everything.
    Trace,
    /// What helps to find a fault.
    Debug,
    /// Each request.
    Info,
    /// What someone should look at.
    Warn,
    /// What failed.
    Error,
}

/// The settings that a command takes from flags and the environment.
#[derive(Clone, Debug, Default, Args)]
pub struct Flags {
    /// Settings file, in TOML
    #[arg(long, value_name = "FILE", env = "SESSIOND_CONFIG")]
    pub config: Option<PathBuf>,
    /// Where sessions are kept: sqlite:PATH [default: sqlite:sessiond-data/sessions.db]
    #[arg(long, value_name = "URL", env = "SESSIOND_STORE", hide_env_values = true)]
    pub store: Option<StoreUrl>,
    /// How the log on standard error is written [default: human on a terminal, else json]
    #[arg(long, value_name = "FORMAT", env = "SESSIOND_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
    /// The least important records that are logged [default: info]
    #[arg(long, value_name = "LEVEL", env = "SESSIOND_LOG_LEVEL")]
    pub log_level: Option<LogLevel>,
}

/// The flags that only `serve` has.
#[derive(Clone, Debug, Default, Args)]
pub struct ServeFlags {
    /// Address of the contract's operations; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", env = "SESSIOND_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// Address of health, ready and metrics; port 0 takes a free one [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDR", env = "SESSIOND_INTERNAL_LISTEN")]
    pub internal_listen: Option<SocketAddr>,
    /// Prepare an empty store with a domain, a pool, an API key and a sample session, and print how to use them
    #[arg(long)]
    pub dev: bool,
}

/// The settings file. A name that is not listed here is refused.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<SocketAddr>,
    internal_listen: Option<SocketAddr>,
    store: Option<StoreUrl>,
    log_format: Option<LogFormat>,
    log_level: Option<LogLevel>,
}

/// The settings in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Address of the contract's operations.
    pub listen: SocketAddr,
    /// Address of health, ready and metrics.
    pub internal_listen: SocketAddr,
    /// Where sessions are kept.
    pub store: StoreUrl,
    /// How the log is written.
    pub log_format: LogFormat,
    /// The least important records that are written.
    pub log_level: LogLevel,
}

/// Why there are no settings to work with.
#[derive(Debug)]
pub struct InvalidConfig {
    file: PathBuf,
    reason: String,
}

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "settings file {}: {}", self.file.display(), self.reason)
    }
}

impl std::error::Error for InvalidConfig {}

impl Config {
    /// The settings of these flags, of the file that they name and of the defaults. The environment is already
    /// in the flags.
    ///
    /// Fails if the file cannot be read, or has a name or value that is not allowed.
    pub fn load(flags: &Flags, serve: &ServeFlags) -> Result<Self, InvalidConfig> {
        let file = flags.config.as_deref().map(File::read).transpose()?.unwrap_or_default();
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let default_format = if std::io::IsTerminal::is_terminal(&std::io::stderr()) {
            LogFormat::Human
        } else {
            LogFormat::Json
        };
        Ok(Self {
            listen: serve.listen.or(file.listen).unwrap_or_else(|| local(8080)),
            internal_listen: serve.internal_listen.or(file.internal_listen).unwrap_or_else(|| local(8081)),
            store: flags
                .store
                .clone()
                .or(file.store)
                .unwrap_or_else(|| StoreUrl::Sqlite(PathBuf::from("sessiond-data/sessions.db"))),
            log_format: flags.log_format.or(file.log_format).unwrap_or(default_format),
            log_level: flags.log_level.or(file.log_level).unwrap_or(LogLevel::Info),
        })
    }
}

impl File {
    fn read(path: &Path) -> Result<Self, InvalidConfig> {
        let invalid = |reason: String| InvalidConfig { file: path.to_owned(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| invalid(error.to_string()))?;
        toml::from_str(&text).map_err(|error| {
            // One line: the place and what is wrong there.
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            let what = error.message().lines().collect::<Vec<_>>().join(" ");
            invalid(format!("line {line}: {what}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, flags: Flags, serve: &ServeFlags) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessiond.toml");
        std::fs::write(&path, file).unwrap();
        let flags = Flags { config: Some(path), ..flags };
        Config::load(&flags, serve).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let file = "listen = '127.0.0.1:1'\nstore = 'sqlite:there.db'\nlog_level = 'warn'";
        let serve = ServeFlags { listen: Some("127.0.0.1:2".parse().unwrap()), ..ServeFlags::default() };
        let config = load(file, Flags::default(), &serve).unwrap();
        assert_eq!(config.listen.port(), 2);
        assert_eq!(config.internal_listen.port(), 8081);
        assert_eq!(config.store, StoreUrl::Sqlite("there.db".into()));
        assert_eq!(config.log_level, LogLevel::Warn);
    }

    #[test]
    fn a_fault_of_the_file_is_one_line_with_its_place() {
        for (file, place) in [
            ("listen = '127.0.0.1:1'\nlisen = 'x'", "line 2"),
            ("listen = 'nowhere'", "line 1"),
            ("\n\nlog_level = 'loud'", "line 3"),
            ("listen =", "line 1"),
            ("store = 'postgres://user:geheim@db/x'", "PostgreSQL"),
        ] {
            let error = load(file, Flags::default(), &ServeFlags::default()).unwrap_err();
            assert!(error.contains(place) && error.lines().count() == 1, "{error}");
            assert!(!error.contains("geheim"), "{error}");
        }
    }
}
