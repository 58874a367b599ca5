//! The socket through which commands reach the server that uses an embedded store.
//!
//! A connection carries one command: a line of JSON, then the input until the sender closes its side. The response is
//! [`Line`]s, one JSON value per line. Only the owner of the data directory may connect.

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use slog::{Logger, info, warn};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::command::{Command, Line, OUTPUT_QUEUE};
use super::execute::execute;
use crate::sessions::Sessions;

/// The greatest length of a command, in bytes: a name of 200 characters, four IDs and the scopes.
const COMMAND_MAX_BYTES: u64 = 16 * 1024;

/// The greatest length of the path of a socket, in bytes: the room that Linux has for it.
const PATH_MAX_BYTES: usize = 107;

/// How long a sender tries to connect to a server that has locked the data directory but is still starting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

fn socket_path(directory: &Path) -> PathBuf {
    directory.join("admin").join("sessiond.sock")
}

/// Starts a task that carries out commands until it is aborted.
pub(crate) fn listen(
    directory: &Path,
    sessions: Arc<Sessions>,
    log: Logger,
) -> Result<JoinHandle<()>, String> {
    let path = socket_path(directory);
    let listener = bind(directory, &path).map_err(|error| {
        let hint = if path.as_os_str().len() > PATH_MAX_BYTES {
            "; it is too long for a socket, so choose a shorter data directory"
        } else {
            ""
        };
        format!("admin socket {}: {error}{hint}", path.display())
    })?;
    Ok(tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let (sessions, log) = (Arc::clone(&sessions), log.clone());
                    tokio::spawn(async move {
                        if let Err(error) = respond(stream, &sessions, &log).await {
                            warn!(log, "command failed"; "cause" => %error);
                        }
                    });
                }
                Err(error) => {
                    warn!(log, "accept failed"; "cause" => %error);
                    // Most likely out of file descriptors, which are freed again.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }))
}

/// Binds the socket in a folder that only the owner may enter, so that others can never connect. The data directory is
/// this user's alone, so a symbolic link in it is the owner's mistake: its target is not touched.
fn bind(directory: &Path, path: &Path) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        let found = match folder.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                DirBuilder::new().mode(0o700).create(folder)?;
                folder.symlink_metadata()
            }
            found => found,
        }?;
        let is_own = found.uid() == directory.metadata()?.uid();
        if !found.is_dir() || !is_own {
            return Err(io::Error::other(format!(
                "{} is not a folder of this user; remove it",
                folder.display()
            )));
        }
        std::fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    }
    // Left behind by a process that was killed: the lock of the data directory shows that none is running.
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path)?,
        Ok(_) => return Err(io::Error::other("it exists and is not a socket; remove it")),
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn respond(stream: UnixStream, sessions: &Sessions, log: &Logger) -> io::Result<()> {
    let (input, mut output) = stream.into_split();
    let mut input = BufReader::new(input);
    let mut command = String::new();
    (&mut input).take(COMMAND_MAX_BYTES).read_line(&mut command).await?;
    let (sender, mut lines) = mpsc::channel(OUTPUT_QUEUE);
    let work = async {
        match serde_json::from_str::<Command>(&command) {
            Ok(command) => {
                info!(log, "command"; "command" => name_of(&command));
                execute(sessions, command, input, &sender).await;
            }
            Err(error) => {
                let _ =
                    sender.send(Line::Err(format!("sessiond: the command cannot be read: {error}"))).await;
            }
        }
        drop(sender);
    };
    let ((), written) = tokio::join!(work, write_lines(&mut lines, &mut output));
    written
}

async fn write_lines(lines: &mut mpsc::Receiver<Line>, output: &mut OwnedWriteHalf) -> io::Result<()> {
    let written = async {
        while let Some(line) = lines.recv().await {
            let mut text = serde_json::to_string(&line)?;
            text.push('\n');
            output.write_all(text.as_bytes()).await?;
        }
        output.shutdown().await
    };
    let written = written.await;
    // So that the work ends when nobody reads it.
    lines.close();
    written
}

const fn name_of(command: &Command) -> &'static str {
    match command {
        Command::KeyCreate { .. } => "key create",
        Command::KeyList { .. } => "key list",
        Command::KeyRevoke { .. } => "key revoke",
        Command::Import => "import",
        Command::Export => "export",
        Command::Events { .. } => "events",
    }
}

/// Sends a command to the server that holds the data directory, and passes its output on.
pub(crate) async fn send(
    directory: &Path,
    command: &Command,
    mut input: impl AsyncBufRead + Unpin + Send,
    output: &mpsc::Sender<Line>,
) -> io::Result<()> {
    let path = socket_path(directory);
    let stream = connect(&path).await?;
    let (responses, mut requests) = stream.into_split();
    let sending = async {
        let mut text = serde_json::to_string(command)?;
        text.push('\n');
        requests.write_all(text.as_bytes()).await?;
        tokio::io::copy_buf(&mut input, &mut requests).await?;
        requests.shutdown().await
    };
    let (sent, received) = tokio::join!(sending, receive(responses, output));
    received?;
    // If the server did not read all of the input, its output says why.
    let _ = sent;
    Ok(())
}

async fn receive(responses: OwnedReadHalf, output: &mpsc::Sender<Line>) -> io::Result<()> {
    let mut lines = BufReader::new(responses).lines();
    while let Some(text) = lines.next_line().await? {
        let line: Line = serde_json::from_str(&text)?;
        let done = matches!(line, Line::Done(_));
        let _ = output.send(line).await;
        if done {
            return Ok(());
        }
    }
    Err(io::Error::other("it ended before it was done"))
}

async fn connect(path: &Path) -> io::Result<UnixStream> {
    let until = tokio::time::Instant::now() + CONNECT_TIMEOUT;
    loop {
        match UnixStream::connect(path).await {
            Err(_) if tokio::time::Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            outcome => return outcome,
        }
    }
}
