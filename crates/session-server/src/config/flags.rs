//! The settings that flags and the environment have too.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use serde::Deserialize;
use session_store::PostgresOptions;

/// The location of the store.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum StoreUrl {
    /// The embedded store in this file; its folder is the data directory.
    Sqlite(PathBuf),
    /// A PostgreSQL database.
    Postgres(Box<PostgresOptions>),
}

impl FromStr for StoreUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(PathBuf::from(path))),
            // The URL may contain a password, so no error repeats it.
            Some(("postgres" | "postgresql", _)) => {
                PostgresOptions::parse(text).map(|options| Self::Postgres(Box::new(options)))
            }
            _ => Err("a store is sqlite:PATH or postgres://USER@HOST/DATABASE, for example \
                      sqlite:sessiond-data/sessions.db"
                .to_owned()),
        }
    }
}

impl TryFrom<String> for StoreUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// The format of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line, for programs.
    Json,
    /// Lines for people.
    Human,
}

/// The least severe records that are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Everything.
    Trace,
    /// What helps to find an error.
    Debug,
    /// Each request.
    Info,
    /// What an operator should look into.
    Warn,
    /// What failed.
    Error,
}

/// The settings that every command takes from flags and the environment.
#[derive(Clone, Debug, Default, Args)]
pub struct Flags {
    /// Settings file, in TOML
    #[arg(long, value_name = "FILE", env = "SESSIOND_CONFIG")]
    pub config: Option<PathBuf>,
    #[expect(clippy::doc_markdown, reason = "the text of the help, not Markdown")]
    /// Location of the store: sqlite:PATH or postgres://USER@HOST/DATABASE [default: sqlite:sessiond-data/sessions.db]
    #[arg(long, value_name = "URL", env = "SESSIOND_STORE", hide_env_values = true)]
    pub store: Option<StoreUrl>,
    /// Format of the log on standard error [default: human on a terminal, else json]
    #[arg(long, value_name = "FORMAT", env = "SESSIOND_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Least severe records that are logged [default: info]
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
