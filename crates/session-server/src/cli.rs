//! The command line of `sessiond`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand, ValueEnum};
use session_api::Operation;
use session_store::KeyId;
use session_types::{DomainId, PoolId, Scope, Timestamp};
use strum::VariantArray;

use crate::admin::command::Command as Admin;
use crate::admin::files;
use crate::admin::run::{migrate, run as run_admin};
use crate::config::{Config, Flags, ServeFlags};
use crate::serve;

/// The Session Service: sessions on a durable store, behind one contract.
#[derive(Debug, Parser)]
#[command(name = "sessiond", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the contract until SIGTERM or SIGINT
    Serve {
        #[command(flatten)]
        flags: Flags,
        #[command(flatten)]
        serve: ServeFlags,
    },
    /// Manage API keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// Add sessions from JSON lines; invalid and existing ones are reported by line, the others are added
    Import {
        /// A file, or - for standard input
        file: PathBuf,
        #[command(flatten)]
        flags: Flags,
    },
    /// Write every session as a JSON line, without tokens
    Export {
        /// A file that does not exist yet, or - for standard output
        file: PathBuf,
        #[command(flatten)]
        flags: Flags,
    },
    /// Print the history of sessions as JSON lines, the oldest event first
    Events {
        /// Only events from this time on: an RFC 3339 time, a Unix time in seconds, or an age such as 15m or 2d
        #[arg(long, value_name = "TIME", value_parser = since)]
        since: Option<Timestamp>,
        #[command(flatten)]
        flags: Flags,
    },
    /// Copy the store to a file, also while a server runs
    Backup {
        /// A file that does not exist yet
        file: PathBuf,
        #[command(flatten)]
        flags: Flags,
    },
    /// Replace the store with a backup; the former files get other names
    ///
    /// No server may run. API keys and sessions that were revoked since the backup are valid again: docs/operating.md
    /// says how to revoke them again.
    Restore {
        /// A file that `sessiond backup` wrote
        file: PathBuf,
        #[command(flatten)]
        flags: Flags,
    },
    /// Read the whole store and print what it has; exits with 1 if it is damaged
    Check {
        /// A backup to read instead of the store
        file: Option<PathBuf>,
        #[command(flatten)]
        flags: Flags,
    },
    /// Migrate the store to this version's schema, as serve does at start, and print the versions
    Migrate {
        #[command(flatten)]
        flags: Flags,
    },
    /// Print the OpenAPI description that dropshot derives
    Openapi,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Create an API key and print it, this once
    Create {
        /// A name for people
        #[arg(long)]
        name: String,
        /// The domain that it acts in
        #[arg(long, value_name = "ID")]
        domain: DomainId,
        /// The pool that it is bound to
        #[arg(long, value_name = "ID")]
        pool: Option<PoolId>,
        /// What it may be used for; repeatable
        #[arg(long, required = true, value_parser = scope())]
        scope: Vec<Scope>,
        /// The format of the output
        #[arg(long, value_enum, default_value_t = Output::Text)]
        output: Output,
        #[command(flatten)]
        flags: Flags,
    },
    /// List API keys, without their secrets
    List {
        /// The format of the output
        #[arg(long, value_enum, default_value_t = Output::Text)]
        output: Output,
        #[command(flatten)]
        flags: Flags,
    },
    /// Revoke an API key with immediate effect
    Revoke {
        /// The key's ID
        id: KeyId,
        #[command(flatten)]
        flags: Flags,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// The parser of a scope. Its help lists every scope with the operations that require it.
fn scope() -> impl TypedValueParser<Value = Scope> {
    let values = Scope::VARIANTS.iter().map(|scope| {
        let operations = Operation::VARIANTS.iter().filter_map(|operation| {
            let scope_for = operation.required_scope_for().filter(|it| it.scope == *scope);
            let properties = scope_for.map(|it| format!("{operation} with {}", it.properties.join(" or ")));
            (operation.required_scope() == Some(*scope)).then(|| operation.to_string()).or(properties)
        });
        PossibleValue::new(scope.as_ref()).help(operations.collect::<Vec<_>>().join(", "))
    });
    PossibleValuesParser::new(values).try_map(|text| text.parse::<Scope>())
}

/// Parses a point in time as people write it.
fn since(text: &str) -> Result<Timestamp, String> {
    let of_unix = |since_epoch: Duration| {
        let ms = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
        Timestamp::from_ms(ms).map_err(|error| error.to_string())
    };
    if let Ok(seconds) = text.parse::<u64>() {
        return of_unix(Duration::from_secs(seconds));
    }
    let now = SystemTime::now();
    let time = match humantime::parse_duration(text) {
        Ok(ago) => now.checked_sub(ago).unwrap_or(UNIX_EPOCH),
        Err(_) => humantime::parse_rfc3339_weak(text).map_err(|_| {
            "a time is like 2026-11-24T08:00:00Z, 1795507200, or 15m for 15 minutes ago".to_owned()
        })?,
    };
    of_unix(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Runs the program. The exit code is 0 for success, 1 for failure and 2 for invalid arguments.
pub fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the error of the program")]
            {
                eprintln!("sessiond: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

/// The settings of a command that is not `serve`.
fn settings(flags: &Flags) -> Result<Config, Box<dyn std::error::Error>> {
    Ok(Config::load(flags, &ServeFlags::default())?)
}

fn run(command: Command) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let (flags, admin) = match command {
        Command::Serve { flags, serve } => {
            let config = Config::load(&flags, &serve)?;
            serve::serve(&config, serve.dev)?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Openapi => {
            let document = session_api::derived_openapi().map_err(|error| error.to_string())?;
            #[expect(clippy::print_stdout, reason = "the output of the command")]
            {
                println!("{}", serde_json::to_string_pretty(&document)?);
            }
            return Ok(ExitCode::SUCCESS);
        }
        Command::Migrate { flags } => return migrate(&settings(&flags)?),
        Command::Backup { file, flags } => return files::backup(&settings(&flags)?, &file),
        Command::Restore { file, flags } => return files::restore(&settings(&flags)?, &file),
        Command::Check { file, flags } => return files::check(&settings(&flags)?, file.as_deref()),
        Command::Key(KeyCommand::Create { name, domain, pool, scope, output, flags }) => {
            let json = output == Output::Json;
            let scopes = scope.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
            (flags, (Admin::KeyCreate { name, domain_id: domain, pool_id: pool, scopes, json }, None))
        }
        Command::Key(KeyCommand::List { output, flags }) => {
            (flags, (Admin::KeyList { json: output == Output::Json }, None))
        }
        Command::Key(KeyCommand::Revoke { id, flags }) => {
            (flags, (Admin::KeyRevoke { id: id.to_string() }, None))
        }
        Command::Import { file, flags } => (flags, (Admin::Import, Some(file))),
        Command::Export { file, flags } => (flags, (Admin::Export, Some(file))),
        Command::Events { since, flags } => (flags, (Admin::Events { since }, None)),
    };
    run_admin(&settings(&flags)?, &admin.0, admin.1.as_deref())
}
