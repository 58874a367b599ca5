//! Running a command from the command line.

use std::error::Error;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

use session_store::{Migrated, OpenError};
use tokio::io::AsyncBufRead;
use tokio::sync::mpsc;

use super::command::{Command, Line, OUTPUT_QUEUE};
use super::execute::execute;
use super::socket;
use crate::config::Config;
use crate::open_store::{self, OpenFailed, Opened};
use crate::stored_lifetimes;

/// Runs a command from the command line, through the server that uses the store or on the store itself.
/// `file` is what an import reads and an export writes; `-` is standard input or output.
pub(crate) fn run(
    config: &Config,
    command: &Command,
    file: Option<&Path>,
) -> Result<ExitCode, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let file = file.filter(|path| *path != Path::new("-"));
        let at = |error: std::io::Error| {
            format!("{}: {error}", file.map_or_else(|| "-".to_owned(), |path| path.display().to_string()))
        };
        let input: Box<dyn AsyncBufRead + Unpin + Send> = match (command, file) {
            (Command::Import, Some(path)) => {
                Box::new(tokio::io::BufReader::new(tokio::fs::File::open(path).await.map_err(at)?))
            }
            (Command::Import, None) => Box::new(tokio::io::BufReader::new(tokio::io::stdin())),
            _ => Box::new(tokio::io::empty()),
        };
        // An export never overwrites a file: it may be the only copy.
        let mut target: Box<dyn Write> = match (command, file) {
            (Command::Export, Some(path)) => {
                // It has the addresses and accounts of people.
                let mut options = std::fs::OpenOptions::new();
                let created = options.write(true).create_new(true).mode(0o600).open(path);
                Box::new(std::io::BufWriter::new(created.map_err(at)?))
            }
            _ => Box::new(std::io::stdout().lock()),
        };
        let (sender, mut lines) = mpsc::channel(OUTPUT_QUEUE);
        let work = dispatch(config, command.clone(), input, sender);
        let print = async {
            let mut done = false;
            while let Some(line) = lines.recv().await {
                match line {
                    Line::Out(text) => writeln!(target, "{text}")?,
                    Line::Err(text) => writeln!(std::io::stderr(), "{text}")?,
                    Line::Done(all) => done = all,
                }
            }
            target.flush()?;
            Ok::<_, std::io::Error>(done)
        };
        let (worked, printed) = tokio::join!(work, print);
        worked?;
        Ok(if printed.map_err(at)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

/// Migrates the store and prints the versions of its schema.
pub(crate) fn migrate(config: &Config) -> Result<ExitCode, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let Opened { migrated: Migrated { from, to }, .. } = runtime.block_on(open_store::open(config))?;
    writeln!(std::io::stdout(), "schema version: {to} (was {from})")?;
    Ok(ExitCode::SUCCESS)
}

/// Carries out a command through the server that uses the store, or on the store itself if no server does.
async fn dispatch(
    config: &Config,
    command: Command,
    input: Box<dyn AsyncBufRead + Unpin + Send>,
    output: mpsc::Sender<Line>,
) -> Result<(), Box<dyn Error>> {
    let Opened { sessions, migrated, .. } = match open_store::open(config).await {
        Err(OpenFailed::Sqlite(OpenError::InUse(folder))) => {
            let sent = socket::send(&folder, &command, input, &output).await;
            let folder = folder.display();
            return sent.map_err(|error| {
                format!("data directory {folder}: another sessiond uses it and does not respond: {error}; try again")
                    .into()
            });
        }
        opened => opened?,
    };
    if migrated.from == 0 {
        let text = format!("sessiond: created a store, {}", open_store::location(config));
        let _ = output.send(Line::Err(text)).await;
    }
    if matches!(command, Command::Import) {
        // The times of the imported sessions are by these settings; a server with others computes them again.
        stored_lifetimes::prepare(&sessions).await?;
    }
    execute(&sessions, command, input, &output).await;
    Ok(())
}
